#!/usr/bin/perl

# The Debian packages: lintian has nothing to say, two builds are the same, what
# belongs into them is there; and, as root, in a Debian of its own: they come,
# are upgraded and go under a running nginx, and their autopkgtest passes.
#
# AOP_ROOT=dir names that Debian, which is made there if it is not yet.

use strict;
use warnings;

use File::Basename qw(basename);
use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my $top = "$FindBin::Bin/../..";

plan skip_all => 'there is no nginx-dev'
    unless -x '/usr/bin/dh_nginx' && -x '/usr/bin/dpkg-buildpackage';

my $dir = tempdir(CLEANUP => 1);

# Both builds are of the same tree, whoever is at work in this one.

system("mkdir '$dir/tree' && tar -C '$top' --exclude=./build --exclude=./.git"
       . " -cf - . | tar -C '$dir/tree' -xf -") == 0 or die "no copy: $?\n";

# build($folder, %environment): builds there; whether that went well.
sub build {
    my ($folder, $umask, %environment) = @_;

    local %ENV = (%ENV, %environment);
    my $old = umask $umask;
    my $rc  = system("nice '$dir/tree/t/tools/build-deb' '$folder' > '$dir/out' 2>&1");
    umask $old;

    diag(read_file("$dir/out")) if $rc;
    return $rc == 0;
}

sub read_file {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;
    return scalar <$fh>;
}

ok(build("$dir/one", 022, TZ => 'UTC'), 'built, and lintian is content');
ok(build("$dir/another/folder", 077, TZ => 'Asia/Tokyo', LC_ALL => 'C',
         LANG => 'C', SOURCE_DATE_EPOCH => ''), 'built once more');

my @debs = map { basename($_) } glob "$dir/one/*.deb";

is(scalar @debs, 4, 'two packages, and what debuggers want to know');

is(read_file("$dir/one/$_") eq read_file("$dir/another/folder/$_"), 1,
   "the same bytes: $_") for @debs;

# contents

my ($module) = glob "$dir/one/libnginx-mod-http-aop_*.deb";
my ($aopctl) = glob "$dir/one/aopctl_*.deb";

has($module, qw(
    usr/lib/nginx/modules/ngx_http_aop_module.so
    usr/share/nginx/modules-available/mod-http-aop.conf
    usr/share/man/man5/ngx_http_aop_module.5.gz
    usr/share/doc/libnginx-mod-http-aop/README.md.gz
    usr/share/doc/libnginx-mod-http-aop/SECURITY.md.gz
    usr/share/doc/libnginx-mod-http-aop/docs/advisory-0.1.0-ssl-verify-client.md.gz
    usr/share/doc/libnginx-mod-http-aop/docs/directives.md.gz
    usr/share/doc/libnginx-mod-http-aop/docs/fleet.md
    usr/share/doc/libnginx-mod-http-aop/docs/troubleshooting.md.gz
    usr/share/doc/libnginx-mod-http-aop/changelog.gz
    usr/share/doc/libnginx-mod-http-aop/examples/aop.conf
    usr/share/doc/libnginx-mod-http-aop/examples/grafana/aop.json
    usr/share/doc/libnginx-mod-http-aop/examples/prometheus/aop.rules.yml
));

has($aopctl, qw(
    usr/bin/aopctl
    usr/share/man/man1/aopctl.1.gz
    usr/share/bash-completion/completions/aopctl
    usr/share/fish/vendor_completions.d/aopctl.fish
    usr/share/zsh/vendor-completions/_aopctl
));

sub has {
    my ($deb, @files) = @_;
    my $list = `dpkg-deb -c '$deb'`;

    like($list, qr{ \./\Q$_\E$}m, basename($deb) . ": $_") for @files;
    unlike($list, qr{\bngx_http_aop_test_module}, 'nothing of the tests');
}

like(scalar `dpkg-deb -f '$module' Depends`, qr/\bnginx-abi-\S+/,
     'the module is for this nginx only');

# installed

SKIP: {
    skip 'only root can make a Debian of its own', 1 if $> != 0;
    skip 'there is no debootstrap', 1
        unless $ENV{AOP_ROOT} || -x '/usr/sbin/debootstrap';

    my $root = $ENV{AOP_ROOT} || "$dir/root";
    my $out  = `nice '$dir/tree/t/tools/check-package' '$dir/one' '$root' 2>&1`;
    my $rc   = $?;

    for my $line (split /\n/, $out) {
        if ($line =~ /^(not )?ok \d+ - (.*)/) {
            ok(!$1, $2);
        } else {
            note($line);
        }
    }

    is($rc, 0, 'check-package found nothing wrong') or diag($out);
}

done_testing();
