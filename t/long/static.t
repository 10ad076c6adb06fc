#!/usr/bin/perl

# The module linked into nginx by --add-module: "config" takes it, nginx is
# built from Debian's sources of it, and judges, logs and reports as with the
# .so.  It is a small nginx: without PCRE, HTTP/2 and the rewrite module.
#
# NGINX_TREE names a tree of nginx's sources to take instead.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp qw(tempdir);
use Test::More;
use AOP::Test;
use AOP::Test::Report;

my $top   = AOP::Test::checkout();
my $dir   = tempdir(CLEANUP => 1);
my $tree  = "$dir/tree";
my $fetch = "'$top/t/tools/fetch-source' '"
            . AOP::Test::Nginx::binary() . "' '$dir' > '$dir/log' 2>&1";

plan skip_all => 'the sources of nginx are not to be had'
    unless $ENV{NGINX_TREE} || system($fetch) == 0;

# configure and make write where they run

system('cp', '-R', $ENV{NGINX_TREE} || "$dir/source", $tree) == 0
    or die "no copy of the sources\n";

like(run('nginx is configured', './configure --with-http_ssl_module'
         . ' --without-http_rewrite_module --without-http_gzip_module'
         . ' --error-log-path=stderr'
         . " --with-cc-opt=-O0 --add-module='$top'"),
     qr/\+ ngx_http_aop_module was configured/, 'with the module');

run('nginx is built', 'make -j2 -f objs/Makefile binary');

$ENV{NGINX} = "$tree/objs/nginx";

my $ca    = ca('Edge CA');
my $nginx = nginx(module => 0);
my ($port, $admin) = $nginx->ports(2);
my $show  = show();

$nginx->write('ca.pem', $ca);
$nginx->write('html/index.html', 'secret');

$nginx->configure(<<"EOF")->start;
    aop_ca ca.pem;
    $show

    server {
        listen 127.0.0.1:$port ssl;
        server_name static.test;
        aop on;
        access_log aop.log aop_json;
    }

    server {
        listen 127.0.0.1:$admin;
        location / { aop_report; }
    }
EOF

for my $case (
    [ $ca->leaf('edge'),         '200 on ok PASSED' ],
    [ undef,                     '400 on none REJECTED' ],
    [ ca('Other')->leaf('edge'), '400 on untrusted REJECTED' ],
) {
    my ($cert, $wanted) = @$case;

    is(seen(get($port, sni => 'static.test', $cert ? (cert => $cert) : ())),
       $wanted, $wanted);
}

like($nginx->wait_log(qr/aop: .*refused: untrusted/), qr/refused/,
     'error.log has a line of the refusal');
is(scalar(() = $nginx->read('aop.log') =~ /"verdict":/g), 3,
   'aop_json has a line of each request');
is(report($admin)->json->{servers}[0]{mode}, 'on', 'the report answers');

$nginx->finish;
done_testing();


# run($name, $command): runs it in the tree of sources, and returns what it
# says; without that there is nothing to test.
sub run {
    my ($name, $command) = @_;

    my $said = qx{cd '$tree' && $command 2>&1};

    ok($? == 0, $name) or BAIL_OUT(substr $said, -2000);

    return $said;
}
