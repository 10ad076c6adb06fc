#!/usr/bin/perl

# What is going to end is said: once at the start, once at each threshold, and
# of a client certificate once for all workers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

use constant DAY => 86400;

my $now = time();

my %ca = map { $_->[0] => ca("Ends $_->[0]", not_after => $now + $_->[1]) }
    [ long => 300 * DAY ], [ month => 20 * DAY + 60 ], [ gone => -DAY ];

my $root  = ca('Root', not_after => $now + 900 * DAY);
my $leaf  = $root->leaf('of two weeks', not_after => $now + 10 * DAY + 60);
my $fresh = $root->leaf('fresh', not_after => $now + 100 * DAY);
my $short = $root->leaf('short', not_after => $now + 3);
my $renewed = $root->leaf('renewed', not_after => $now + 3);
my $renewal = $root->leaf('renewed', not_after => $now + 100 * DAY);

my $dropped = ca('Dropped');
my $orphan  = $dropped->leaf('orphan', not_after => $now + 3);

my $nginx = nginx(workers => 3);
my ($port, $other) = $nginx->ports(2);

$nginx->write("$_.pem", $ca{$_}) for keys %ca;
$nginx->write('root.pem', $root);
$nginx->write('dropped.pem', $dropped);
$nginx->write('crl.pem', $root->crl(next_update => $now + DAY / 2));

my $listen = $nginx->listen_tls($port);

sub config {
    my ($more) = @_;

    return <<"EOC";
    server { $listen server_name long; aop on; aop_ca long.pem; }
    server { $listen server_name month; aop on; aop_ca month.pem; }
    server { $listen server_name again; aop on; aop_ca month.pem; }
    server { $listen server_name gone; aop on; aop_ca gone.pem; }
    server { $listen server_name silent; aop on; aop_ca gone.pem;
             aop_verify_depth 2; aop_expiry_warning off; }
    server { $listen server_name early; aop on; aop_ca long.pem;
             aop_verify_depth 3; aop_expiry_warning 1d 365d; }
    server { $listen server_name unused; aop off; aop_ca gone.pem; }
    server { $listen server_name crl; aop on; aop_ca root.pem;
             aop_crl crl.pem; }
    server { $listen server_name client; aop on; aop_ca root.pem $more;
             location / { return 200 served; } }
EOC
}

sub lines {
    my ($pattern) = @_;
    return grep { $_ =~ $pattern } split /\n/, $nginx->read('error.log');
}

$nginx->configure(config('dropped.pem'))->start;

# at the start

is(scalar lines(qr/"CN=Ends long".*server: long/), 0, 'far: nothing said');
is(scalar lines(qr/"CN=Ends month"/), 1, 'soon: one line for one policy');
like((lines(qr/"CN=Ends month"/))[0],
     qr/aop: the CA "CN=Ends month" ends in 20 days, on \d{4}-\d\d-\d\dT[\d:]{8}Z; add its successor to "aop_ca" beside it, server: month /,
     'soon: what, when, what to do, where');
is(scalar lines(qr/"CN=Ends gone"/), 1, 'ended: one line; off is off');
like((lines(qr/"CN=Ends gone"/))[0], qr/the CA "CN=Ends gone" has ended on /,
     'ended: said so');
is(scalar lines(qr/"CN=Ends long".*server: early/), 1, 'own thresholds');
is(scalar lines(qr/CRL of the CA "CN=Root" ends in 0 days/), 1,
   'CRL: a day ahead');

# client certificates that are seen

get($port, sni => 'client', cert => $leaf) for 1 .. 12;

my $line = $nginx->wait_log(qr/client certificate "CN=of two weeks"/);
like($line, qr/ends in 10 days, on \S+; upload its successor to Cloudflare, server: client /,
     'client: said');
get($port, sni => 'client', cert => $fresh);
get($port, sni => 'client', cert => $leaf) for 1 .. 3;

is(scalar lines(qr/"CN=of two weeks"/), 1, 'client: said once');
is(scalar lines(qr/"CN=fresh"/), 0, 'client: far, nothing said');

get($port, sni => 'client', cert => $_) for $orphan, $renewed, $short;
$nginx->wait_log(qr/client certificate "CN=$_" ends in 0 days/)
    for qw(orphan renewed short);
is(scalar lines(qr/"CN=short"/), 1, 'client: short, said once');

# nothing hangs on what was renewed, nor on what passes no more

sleep 1;
get($port, sni => 'client', cert => $renewal);

$nginx->reload(config(''));
sleep 3;

$nginx->reload;
$nginx->wait_log(qr/client certificate "CN=short" has ended/);
is(scalar lines(qr/client certificate "CN=short" has ended/), 1,
   'client: ended, said once');
is(scalar lines(qr/client certificate "CN=$_" has ended/), 0,
   "client: $_, its end is no news") for qw(renewed orphan);

# wrong arguments

for my $bad ('', 'soon', '0', '14d off', '-1d') {
    my ($code, $output) = $nginx->configure(
        "server { listen 127.0.0.1:$other; aop_expiry_warning $bad; }"
    )->test_config;

    isnt($code, 0, "aop_expiry_warning $bad: refused");
    like($output, qr/"aop_expiry_warning"/, "aop_expiry_warning $bad: named");
}

$nginx->finish;

done_testing();
