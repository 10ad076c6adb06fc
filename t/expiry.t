#!/usr/bin/perl

# What is going to end is said: once at the start, once at each threshold that
# its life has room for, and of a client certificate once for all workers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

use constant DAY => 86400;

my $now = time();

# lives($from, $to): in days from now, a minute more, so that it is whole days
sub lives {
    my ($from, $to) = @_;
    return (not_before => $now + $from * DAY,
            not_after  => $now + $to * DAY + 60);
}

# ends($seconds): from now, after a long life
sub ends { return (lives(-900, 0), not_after => $now + $_[0]) }

my %ca = map { $_->[0] => ca("Ends $_->[0]", lives(@$_[1, 2])) }
    [ long => -900, 300 ], [ month => -900, 20 ], [ gone => -900, -1 ],
    [ monthly => -8, 20 ], [ weekly => -1, 6 ], [ two_months => -40, 20 ];

my $root  = ca('Root', lives(-1, 900));
my $leaf  = $root->leaf('of two weeks', lives(-900, 10));
my $fresh = $root->leaf('fresh', lives(-1, 100));
my $week  = $root->leaf('of a week', lives(-1, 6));
my $short = $root->leaf('short', ends(3));
my $renewed = $root->leaf('renewed', ends(3));
my $renewal = $root->leaf('renewed', lives(-1, 100));

my $dropped = ca('Dropped');
my $orphan  = $dropped->leaf('orphan', ends(3));

# CRLs, from and to: the first three are fresh

my %crl = (
    thirty  => [ -1, 29 ],
    five    => [ 0, 5 ],
    endless => [ 0, undef ],
    middle  => [ -17, 13 ],
    late    => [ -5, .5 ],
);
my %crl_ca = map { $_ => ca("CRL $_", lives(-1, 900)) } keys %crl;

my $nginx = nginx(workers => 3);
my ($port, $other) = $nginx->ports(2);

$nginx->write("$_.pem", $ca{$_}) for keys %ca;
$nginx->write('root.pem', $root);
$nginx->write('dropped.pem', $dropped);

for (keys %crl) {
    my ($from, $to) = @{ $crl{$_} };

    $nginx->write("crl-$_.pem", $crl_ca{$_});
    $nginx->write("$_.crl", $crl_ca{$_}->crl(
        last_update => $now + $from * DAY,
        next_update => defined $to ? $now + $to * DAY + 60 : undef));
}

my $listen = $nginx->listen_tls($port);

sub config {
    my ($more) = @_;

    my $crls = join "\n", map {
        "server { $listen server_name crl-$_; aop on; aop_ca crl-$_.pem;"
        . " aop_crl $_.crl; }"
    } sort keys %crl;

    return <<"EOC";
    $crls
    server { $listen server_name monthly; aop on; aop_ca monthly.pem; }
    server { $listen server_name weekly; aop on; aop_ca weekly.pem; }
    server { $listen server_name two_months; aop on; aop_ca two_months.pem; }
    server { $listen server_name long; aop on; aop_ca long.pem; }
    server { $listen server_name month; aop on; aop_ca month.pem; }
    server { $listen server_name again; aop on; aop_ca month.pem; }
    server { $listen server_name gone; aop on; aop_ca gone.pem; }
    server { $listen server_name silent; aop on; aop_ca gone.pem;
             aop_verify_depth 2; aop_expiry_warning off; }
    server { $listen server_name early; aop on; aop_ca long.pem;
             aop_verify_depth 3; aop_expiry_warning 1d 365d; }
    server { $listen server_name unused; aop off; aop_ca gone.pem; }
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
     qr/aop: CA "CN=Ends month" expires in 20 days, on \d{4}-\d\d-\d\dT[\d:]{8}Z; add the new CA to "aop_ca", server: month /,
     'soon: what, when, what to do, where');
is(scalar lines(qr/"CN=Ends gone"/), 1, 'ended: one line; off is off');
like((lines(qr/"CN=Ends gone"/))[0], qr/CA "CN=Ends gone" expired on \S+, certificates issued by it are rejected; add the new CA to "aop_ca", server: gone/,
     'ended: said so');
is(scalar lines(qr/"CN=Ends long".*server: early/), 1, 'own thresholds');
is(scalar lines(qr/CRL of the CA "CN=CRL late" expires in 0 days/), 1,
   'CRL: a day ahead');
is(scalar lines(qr/CRL of the CA "CN=CRL middle" expires in 13 days/), 1,
   'CRL: in the second half of its life');
is(scalar lines(qr/CRL of the CA "CN=CRL $_"/), 0, "CRL: $_, nothing said")
    for qw(thirty five endless);
is(scalar lines(qr/CA "CN=Ends $_"/), 0,
   "$_: nothing said in the first half of its life") for qw(monthly weekly);
is(scalar lines(qr/CA "CN=Ends two_months" expires in 20 days/), 1,
   'two months: said in the second half');

# client certificates that are seen

get($port, sni => 'client', cert => $leaf) for 1 .. 12;

my $line = $nginx->wait_log(qr/client certificate "CN=of two weeks"/);
like($line, qr/expires in 10 days, on \S+; upload a new one to Cloudflare, server: client /,
     'client: said');
get($port, sni => 'client', cert => $_) for $fresh, $week;
get($port, sni => 'client', cert => $leaf) for 1 .. 3;

is(scalar lines(qr/"CN=of two weeks"/), 1, 'client: said once');
is(scalar lines(qr/"CN=fresh"/), 0, 'client: far, nothing said');
is(scalar lines(qr/"CN=of a week"/), 0, 'client: short-lived, nothing said');

get($port, sni => 'client', cert => $_) for $orphan, $renewed, $short;
$nginx->wait_log(qr/client certificate "CN=$_" expires in 0 days/)
    for qw(orphan renewed short);
is(scalar lines(qr/"CN=short"/), 1, 'client: short, said once');

# nothing hangs on what was renewed, nor on what passes no more

sleep 1;
get($port, sni => 'client', cert => $renewal);

$nginx->reload(config(''));
sleep 3;

$nginx->reload;
$nginx->wait_log(qr/client certificate "CN=short" expired on/);
is(scalar lines(qr/client certificate "CN=short" expired on/), 1,
   'client: ended, said once');
is(scalar lines(qr/client certificate "CN=$_" expired on/), 0,
   "client: $_, its end is no news") for qw(renewed orphan);

# servers are looked at some at a time: the last of many, too

my @many = map { "server { $listen server_name many-$_; }" } 1 .. 70;

my $many = join "\n", 'aop on; aop_ca root.pem;', @many,
    "server { $listen server_name last; }";

$nginx->reload($many);
my $last = $root->leaf('of the last', lives(-900, 0), not_after => time() + 3);
get($port, sni => 'last', cert => $last);
sleep 4;

$nginx->reload;
like($nginx->wait_log(qr/client certificate "CN=of the last" expired/),
     qr/server: last /, 'many servers: the last, too');

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
