#!/usr/bin/perl

# Anchors of one name are one series each in Prometheus. A series that is there
# twice would make the whole answer void.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;
use AOP::Test::Report;

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

my $metrics = report($admin)->metrics;

is(join(' ', sort map { int(($metrics->{$_} - time()) / DAY) }
        grep { /^nginx_aop_certificate_expiry.*"CN=Twin"/ } keys %$metrics),
   '40 50 60', 'a series each');

$nginx->finish;
done_testing();
