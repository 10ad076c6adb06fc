#!/usr/bin/perl

# "make release": what it writes for a commit, in a clone of this tree and with
# a key made for it; and that it releases nothing that is not fit.

use strict;
use warnings;

use FindBin;

use Cwd qw(abs_path);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use JSON::PP;
use POSIX qw(strftime);
use Test::More;

my $top    = abs_path("$FindBin::Bin/..");
my $module = $ENV{AOP_MODULE} || "$top/build/ngx_http_aop_module.so";
my $aopctl = $ENV{AOPCTL} || "$top/build/aopctl";
my $folder = tempdir(CLEANUP => 1);
my $clone  = "$folder/clone";
my $name;

for my $tool (qw(git gpg gpgconf readelf)) {
    plan skip_all => "no $tool"
        if system("command -v $tool > /dev/null 2>&1");
}

plan skip_all => 'no git repository, or no aopctl'
    if !-e "$top/.git" || !-x $aopctl;

$ENV{GNUPGHOME} = "$folder/gpg";
$ENV{GIT_CONFIG_GLOBAL} = "$folder/gitconfig";
$ENV{GIT_CONFIG_NOSYSTEM} = 1;

make_path("$folder/gpg", { mode => 0700 });
run('gpg --batch --quiet --passphrase "" --quick-gen-key test@example.com '
    . 'ed25519 sign never');

# The tree as it is, committed and with today's date, as a release needs it.

run("git init -q $clone");
run("git -C $clone config user.name Test");
run("git -C $clone config user.email test\@example.com");
run("cd $top && git ls-files -z -co --exclude-standard "
    . "| xargs -0 cp --parents -t $clone");

my ($version) = slurp('src/core/ngx_aop_version.h') =~ /"([\d.]+)"/;
my $today     = strftime('%d %b %Y', gmtime);

$name = "ngx_http_aop_module-$version";

my $changes = slurp('CHANGES') =~ s/(?<=\Q$version\E)( +).*/$1$today/r;

spew(CHANGES => $changes);
commit();

# what is not fit

for (
    [ 'uncommitted', sub { spew(CHANGES => "$changes\n") }, qr/uncommitted/ ],
    [ 'another date', sub {
        spew(CHANGES => $changes =~ s/\Q$today\E/01 Jan 2020/r); commit() },
      qr/the date in CHANGES is not that of the commit/ ],
    [ 'no entry', sub {
        spew(CHANGES => $changes =~ s/\Q$version\E/9.9.9/r); commit() },
      qr/inconsistent versions/ ],
    [ 'an empty entry', sub {
        spew(CHANGES => "\nChanges with ngx_http_aop_module $version   $today\n\n"
                        . $changes =~ s/\Q$version\E/0.1.9/r);
        commit() }, qr/entry of \Q$version\E in CHANGES is empty/ ],
    [ 'the tag is elsewhere', sub {
        run("cd $clone && git tag v$version && git commit -q --allow-empty "
            . '-m more') }, qr/tag v\Q$version\E exists at another commit/ ],
) {
    my ($what, $make, $why) = @$_;

    $make->();
    my ($status, $output) = release("$folder/none");

    isnt($status, 0, "$what: not released");
    like($output, $why, "$what: the reason");

    run("cd $clone && git tag -d v$version > /dev/null 2>&1; "
        . "git checkout -q . && git reset -q --hard first");
}

# a release

my ($status, $output) = release("$folder/one", 'test@example.com');

is($status, 0, 'released') or diag($output);
is_deeply([ sort map { s{.*/}{}r } glob "$folder/one/*" ],
          [ 'SHA256SUMS', 'SHA256SUMS.asc', "$name.cdx.json",
            "$name.tar.gz", "$name.tar.gz.asc" ], 'its files');
is(system("cd $folder/one && sha256sum --quiet -c SHA256SUMS"), 0, 'the sums');
is(system("gpg --quiet --verify $_.asc $_ 2> /dev/null"), 0, "signed: $_")
    for map { "$folder/one/$_" } "$name.tar.gz", 'SHA256SUMS';
is(system("git -C $clone verify-tag v$version 2> /dev/null"), 0, 'signed: tag');
is(`git -C $clone rev-parse v$version^{commit}`,
   `git -C $clone rev-parse HEAD`, 'the tag is at the commit');

run("tar -xzf $folder/one/$name.tar.gz -C $folder");
is(`diff -r -x .git $clone $folder/$name`, '', 'the archive is the tree');

my $bom  = decode_json(do { local (@ARGV, $/) = "$folder/one/$name.cdx.json"; <> });
my %uses = map { $_->{ref} => $_->{dependsOn} } @{ $bom->{dependencies} };

is_deeply($uses{ngx_http_aop_module}, [ 'libcrypto', 'libssl' ],
          'the module uses OpenSSL only');
cmp_ok(scalar @{ $uses{aopctl} }, '>', 5, 'aopctl uses more');
is_deeply([ grep { my $ref = $_;
                   !grep { $_->{'bom-ref'} eq $ref } @{ $bom->{components} } }
            map { @$_ } values %uses ], [], 'each of them is a component');

# once more, unsigned: the same files

sleep 1;
is((release("$folder/two"))[0], 0, 'once more');
is_deeply([ sort map { s{.*/}{}r } glob "$folder/two/*" ],
          [ 'SHA256SUMS', "$name.cdx.json", "$name.tar.gz" ],
          'nothing is signed without a key');
is(system("cmp $folder/one/$_ $folder/two/$_"), 0, "the same: $_")
    for "$name.tar.gz", "$name.cdx.json", 'SHA256SUMS';

run('gpgconf --kill all');

done_testing;


sub release {
    my ($to, $key) = @_;

    my $output = `$clone/t/tools/release $to $module $aopctl @{[ $key || '' ]} 2>&1`;

    return ($?, $output);
}


sub commit {
    run("cd $clone && git add -A && git commit -q -m Version");
    run("cd $clone && git rev-parse -q --verify first > /dev/null || git tag first");
}


sub run {
    my ($command) = @_;

    system($command) == 0 or BAIL_OUT("failed: $command");
}


sub slurp {
    my ($file) = @_;

    open my $in, '<', "$clone/$file" or die "cannot open $file: $!\n";
    local $/;
    return scalar <$in>;
}


sub spew {
    my ($file, $text) = @_;

    open my $out, '>', "$clone/$file" or die "cannot write $file: $!\n";
    print $out $text;
    close $out;
}
