#!/usr/bin/perl

# "aop_report" sends no half of a report: what is larger than 64 MB is refused.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

# many servers with many anchors that have long names

my $nginx   = nginx(tls => 0);
my $port    = $nginx->ports;
my @long    = map { (OU => 'x' x 64) } 1 .. 60;
my $servers = join "\n", map {
    "server { listen 127.0.0.1:$port; server_name s$_.test; }"
} 1 .. 125;

$nginx->write('many.pem', [ map { ca([ @long, CN => $_ ]) } 1 .. 150 ]);
$nginx->configure(<<"CONF")->start;
    aop optional;
    aop_ca many.pem;
    server {
        listen 127.0.0.1:$port;
        location / { aop off; aop_report; }
    }
$servers
CONF

is(get($port, tls => 0, timeout => 300)->status, 500, 'larger: 500');
like($nginx->wait_log(qr/aop: the report/),
     qr/\[error\] .* aop: the report is larger than 67108864 bytes/,
     'larger: said');

$nginx->finish;
done_testing();
