#!/usr/bin/perl

# docs/install.md about upgrades of nginx: what apt does with the package of the
# module when nginx-abi changes, and that "hold" prevents it. apt simulates this
# with an archive and a list of installed packages made here: nothing of this
# machine is read or changed.

use strict;
use warnings;

use File::Path qw(make_path);
use File::Temp;
use FindBin;
use Test::More;

use constant MODULE => 'libnginx-mod-http-aop';

plan skip_all => 'no apt' if grep { !qx(which $_ 2>/dev/null) }
                                  qw(apt-get dpkg-deb);

my $dir  = File::Temp->newdir;
my $text = do {
    open my $fh, '<', "$FindBin::Bin/../docs/install.md" or die $!;
    local $/;
    <$fh>;
};

my ($page) = $text =~ /^### Upgrades of nginx\n(.*?)^## /ms
    or die 'docs/install.md has no upgrades of nginx';

my $kept      = qr/kept back:\n  nginx\n/;
my $removed   = qr/^Remv @{[MODULE]} /m;
my ($install) = $page =~ /^(apt-get install .*)$/m;

make_path(map { "$dir/$_" } qw(repo lists/partial cache/archives/partial
                                new/DEBIAN));

spurt('sources.list', "deb [trusted=yes] file:$dir/repo ./\n");
spurt('repo/Packages', stanza('nginx', '2', 'Provides: nginx-abi-2',
                               'Filename: ./nginx.deb', 'Size: 1',
                               'MD5sum: d41d8cd98f00b204e9800998ecf8427e'));
spurt('new/DEBIAN/control', stanza(MODULE, '1', 'Depends: nginx-abi-2'));
system("dpkg-deb -b $dir/new $dir/@{[MODULE]}_1_all.deb > /dev/null") == 0
    or die 'dpkg-deb has failed';

installed('install');
like(apt('update'), qr/Reading package lists/, 'an archive with a later nginx');

like(apt('-s upgrade'), $kept, 'upgrade: nginx is kept back');
like(apt('-s install nginx'), $removed, 'install nginx: removes the module');

SKIP: {
    my ($version) = apt('--version') =~ /^apt (\d+\.\d+)/;

    skip "apt $version keeps nginx back", 1 if $version > 3.0;

    like(apt('-s dist-upgrade'), $removed, 'dist-upgrade: the same');
}

like($page, qr/^apt-mark hold @{[MODULE]}$/m, 'the page advises to hold it');
installed('hold');

like(apt('-s upgrade'), $kept, 'hold: kept back');
like(apt('-s dist-upgrade'), $kept, 'hold: kept back again');
unlike(apt('-s install nginx'), qr/^Remv/m, 'hold: not removed');

my $both = apt("-s @{[$install =~ s/^apt-get //r]}");

like($both, qr/^Inst @{[MODULE]} .*local-deb/m, 'in one call: the module');
like($both, qr/^Inst nginx \[1\] \(2 /m, 'in one call: nginx');
unlike($both, qr/^Remv/m, 'in one call: nothing is removed');

done_testing();


sub spurt {
    my ($file, $content) = @_;

    open my $fh, '>', "$dir/$file" or die "cannot write $file: $!";
    print {$fh} $content;
    close $fh or die "cannot write $file: $!";

    return;
}


sub stanza {
    my ($name, $version, @field) = @_;

    return join "\n", "Package: $name", "Version: $version",
                      'Architecture: all', 'Maintainer: nobody', @field,
                      "Description: $name", '', '';
}


# installed($selection): nginx, and the module, which was selected so.
sub installed {
    my ($selection) = @_;

    spurt('status',
          stanza('nginx', '1', 'Status: install ok installed',
                  'Provides: nginx-abi-1')
          . stanza(MODULE, '1', "Status: $selection ok installed",
                    'Depends: nginx-abi-1'));

    return;
}


# apt($arguments): what it prints, with our folders in place of the system's.
sub apt {
    my ($arguments) = @_;

    my @option = map { "-o $_" } "Dir::State=$dir", "Dir::Cache=$dir/cache",
        "Dir::State::status=$dir/status",
        "Dir::State::extended_states=$dir/extended",
        "Dir::Etc::sourcelist=$dir/sources.list",
        'Dir::Etc::sourceparts=/dev/null', 'Dir::Etc::preferences=/dev/null',
        'Dir::Etc::preferencesparts=/dev/null', 'Debug::NoLocking=1',
        'APT::Sandbox::User=root';

    return `cd $dir && LC_ALL=C apt-get -y @option $arguments 2>&1`;
}
