#!/usr/bin/perl

# Two anchors of one name are one series in Prometheus: that of the one that
# ends first. A series that is told twice would be no answer at all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

use constant DAY => 86400;

my $nginx = nginx();
my ($tls, $admin) = $nginx->ports(2);

$nginx->write('twins.pem', [ map {
    ca('Twin', not_after => time() + ($_ + .5) * DAY) } 60, 40, 50 ]);

$nginx->configure(<<"EOF")->start;
    aop_ca twins.pem;
    server { @{[ $nginx->listen_tls($tls) ]} server_name a.test; aop on; }
    server { listen 127.0.0.1:$admin; location / { aop_report prometheus; } }
EOF

my @end = get($admin, tls => 0)->body
          =~ /^nginx_aop_certificate_expiry\w+\{.*"CN=Twin".*\} (\d+)$/mg;

is(join(' ', map { int(($_ - time()) / DAY) } @end), 40,
   'one series, of the one that ends first');

$nginx->finish;
done_testing();
