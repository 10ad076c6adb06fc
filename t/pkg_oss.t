#!/usr/bin/perl

# contrib/pkg-oss: the commands of its README, in a folder that has what
# nginx.org's packaging tool has: a Makefile that takes in those of modules, and
# asks for a tarball, a list of changes and a license by name.

use strict;
use warnings;

use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;

use AOP::Test;

my $checkout = AOP::Test::checkout();
my $folder   = tempdir(CLEANUP => 1);

plan skip_all => 'no git repository'
    if !-e "$checkout/.git" || system('git --version > /dev/null 2>&1');

# "make test NGINX=..." exports them
delete @ENV{qw(MAKEFLAGS MFLAGS MAKEOVERRIDES)};


# slurp($file): what is in a file of the tree.
sub slurp {
    my ($file) = @_;

    open my $in, '<', "$checkout/$file" or die "$file: $!\n";
    local $/;

    return scalar <$in>;
}


# made($target): what make says in the folder for Debian's packages.
sub made {
    my ($target) = @_;

    return scalar qx{make -s --no-print-directory -C $folder/debian \\
                          $target 2>&1};
}


my ($version) = slurp('src/core/ngx_aop_version.h') =~ /"([\d.]+)"/;
my ($author)  = slurp('debian/control') =~ /^Maintainer: (.*)$/m;

make_path(map { "$folder/$_" } qw(contrib/tarballs debian docs));

open my $out, '>', "$folder/debian/Makefile" or die "Makefile: $!\n";
print {$out} <<'END';
PACKAGE_VENDOR =	nginx
MODULE_PACKAGE_URL =	nginx
MODULE_SUMMARY_PREFIX =	nginx
MODULE_TARGET_PREFIX =	1.30.4+
MODSRC_PREFIX =	extra/
MODULES =

-include Makefile.module-*

default:
	@echo '$(MODULES)'

MODULE_VERSION_other =	1
MODULE_VERSION_PREFIX_other =	$(MODULE_TARGET_PREFIX)

module-%: ../docs/nginx-module-%.xml ../docs/nginx-module-%.copyright rules-module-%
	tar xzf ../contrib/tarballs/$(MODULE_SOURCES_$*)
	@echo '$(MODULE_VERSION_PREFIX_$*)$(MODULE_VERSION_$*)-$(MODULE_RELEASE_$*)'
	@echo '$(MODULE_CONFARGS_$*)'

rules-module-% nginx-module-%.spec abuild-module-%:
	@echo '$(PACKAGE_VENDOR) $(MODULE_PACKAGE_URL)'

post-%:
	@echo "$$MODULE_POST_$*"
END
close $out;

# the commands of the README

my ($commands) = slurp('contrib/pkg-oss/README')
                 =~ /^Packages .*?\n\n(.*?make -C PKG-OSS\S+ module-aop\n)/ms;

isnt($commands, undef, 'the README has commands');
$commands =~ s/PKG-OSS/$folder/g;
$commands =~ s/^ *make -C /    make -s --no-print-directory -C /m;

my @said = split /\n/, `cd '$checkout' && { $commands } 2>&1`;

is($?, 0, 'they succeed');
is($said[1], "$version-1" =~ s/^/1.30.4+/r, 'the version of the package');

my ($tree) = ($said[2] // '')
             =~ m{^--add-dynamic-module=extra/(\S+)$};

isnt($tree, undef, 'the module is configured by a relative path');
ok(-f "$folder/debian/$tree/config", 'it is a folder of the tarball')
    if defined $tree;

# What the Makefile sets is for this package: the others have it in common.

my $ours = $said[0] // '';

like($ours, qr{^\Q$author\E https://\S+$}, 'the maintainer and the page of this package');
is(made('nginx-module-aop.spec'), "$ours\n", 'in RPM too');
is(made('abuild-module-aop'), "$ours\n", 'and in APK');
is(made('rules-module-other'), "nginx nginx\n", 'other packages: as it was');
is(made(''), "aop\n", 'the first target is still the first');

# The banner becomes a part of a sed command, "s#...#...#", then of a script.

my $post = made('post-aop');

unlike($post, qr/[#&\\]/, 'the banner suits sed');
like(scalar `$post`, qr/^ {4}load_module modules\/ngx_http_aop_module\.so;$/m,
     'it says what to load');

# The list of changes.  Where "basever" is "ver" or 0, the version of nginx is
# not a part of the version.

my $xml = slurp('contrib/pkg-oss/nginx-module-aop.xml');
my %is  = $xml =~ /\b(\w+)="([^"]*)"/g;

is($is{apply}, 'nginx-module-aop', 'changes: of this package');
is("$is{ver}-$is{rev}", "$version-1", 'changes: of this version');
like($is{basever}, qr/^1\.\d+\.\d+$/, 'changes: for a version of nginx');
is($is{packager} =~ s/&lt;/</r =~ s/&gt;/>/r, $author, 'changes: by whom');

done_testing();
