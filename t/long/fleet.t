#!/usr/bin/perl

# aopctl status against fifty nginx: most of them ready, one enforced, one of
# an older version, one late, one down, and one that rejects Cloudflare.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use JSON::PP ();
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);
use AOP::Test;
use AOP::Test::Aopctl;
use AOP::Test::Origin;

use constant {
    INSTANCES => 50,
    EDGE      => '173.245.48.9',
    LIMIT     => 600,
};

alarm LIMIT;

my $ca   = ca('Edge CA');
my $good = $ca->leaf('edge');

my (@nginx, @port, @url);

for my $i (0 .. INSTANCES - 1) {
    my $nginx = nginx();
    my ($tls, $page) = $nginx->ports(2);
    my $listen = $nginx->listen_tls($tls, 'proxy_protocol');
    my $mode = $i ? 'optional' : 'on';

    $nginx->write('ca.pem', $ca);
    $nginx->configure(<<"CONF")->start;
    aop_ca ca.pem;
    aop_ready requests=3 time=1s;
    server { $listen server_name site.test; aop $mode; return 200; }
    server { listen 127.0.0.1:$page; location / { aop_report html; } }
CONF

    push @nginx, $nginx;
    push @port, $tls;
    push @url, "http://127.0.0.1:$page/";
}

# visit_as_edge($port, $n, %options)
sub visit_as_edge {
    my ($port, $n, @opt) = @_;

    for (1 .. $n) {
        get($port, sni => 'site.test',
            prelude => 'PROXY TCP4 ' . EDGE . " 127.0.0.1 1234 443\r\n", @opt);
    }

    return;
}

# status(@urls): how the command ended, and the last line
sub status {
    my $run = aopctl('status', '--timeout', 5, @_);

    return ($run->{status}, $run->{out}, $run->{out} =~ /^(.*)\n\z/m);
}

my ($status, $out, $last) = status(@url);

is($status, 1, 'without traffic: unknown');
like($last, qr/^warning: 49 of 50 servers are unknown \(site\.test \S+ at .* and 44 more\); 1 of 50 servers is enforced$/,
     'without traffic: how many');
like($out, qr/^unknown, observing: site\.test \(49: [^)]* and 46 more\): not enough traffic/m,
     'without traffic: one line for 49 servers');

visit_as_edge($_, 4, cert => $good) for @port;
sleep 1.5;

($status, $out, $last) = status(@url);

is($status, 0, 'all is ready or enforced');
is($last, 'good: 49 of 50 servers are ready; 1 of 50 servers is enforced',
   'the last line');
like($out, qr/^yes, observing: site\.test \(49: [^)]* and 46 more\): \S.* days left; module [0-9.]+, nginx [0-9.]+, OpenSSL [0-9.a-z]+$/m,
     'one line for 49 servers');
is(scalar(() = $out =~ /\n/g), 3, 'three lines for all of them');


# One of 0.1.0, whose page has no "state".

my $page = answer('status', $url[1])->{origins}[0];
my $port = $nginx[0]->ports;
my $old  = AOP::Test::Origin->start($port, sub {
    my $date = strftime('%Y-%m-%dT%H:%M:%SZ', gmtime);

    return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
           . JSON::PP->new->encode({
        module => '0.1.0', nginx => '1.22.1', openssl => $page->{openssl},
        time => $date, failing_edge => [], failing_direct => [],
        verify_cache => [], servers => [ {
            name => 'site.test', mode => 'optional', ready => 'yes',
            why => '500 requests from the edge passed', since => $date,
            refused => [], would_be_refused => [], requests => [],
            connections => [], certificates => [] } ],
    });
});

($status, $out) = status(@url, "http://127.0.0.1:$port/");

is($status, 1, 'one of an older version: not known');
like($out, qr/^unknown: site\.test \(\S+:$port\/\): version 0\.1\.0 of the module/m,
     'one of an older version: named');


# One late, one down.

kill STOP => $nginx[2]->worker_pids;

my $start = time;
($status, $out, $last) = status(@url);

cmp_ok(time - $start, '<', 60, 'one late: the others do not wait');
is($status, 3, 'one late: cannot tell');
like($out, qr/^unread \(\Q$url[2]\E\): no response within 5 seconds$/m,
     'one late: named');
like($last, qr/^cannot tell: 1 of 50 origins could not be read \(\Q$url[2]\E\); 48 of 49 servers are ready; 1 of 49 servers is enforced$/,
     'one late: the last line');

kill CONT => $nginx[2]->worker_pids;
$nginx[3]->stop;

($status, $out) = status(@url);

is($status, 3, 'one down: cannot tell');
like($out, qr/^unread \(\Q$url[3]\E\): Could(?:n't| not) connect/m, 'one down: named');


# The enforced one rejects strangers, then Cloudflare.

get($port[0], sni => 'site.test',
    prelude => "PROXY TCP4 203.0.113.9 127.0.0.1 1234 443\r\n");

is((status($url[0]))[0], 0, 'enforced: strangers are rejected');

visit_as_edge($port[0], 2, sni => 'other.test');

($status, $out) = status(@url, "http://127.0.0.1:$port/");

is($status, 2, 'enforced, and Cloudflare is rejected: bad, before what is down');
like($out, qr/^rejecting, enforced: site\.test \S+ \(\Q$url[0]\E\): 2 requests from Cloudflare rejected \(none: 2\) since \S+, last at \S+;/m,
     'enforced, and Cloudflare is rejected: named, with the number');

visit_as_edge($port[0], 1);

($status, $out) = status($url[0]);

is($status, 2, 'enforced, and not ready');
like($out, qr/^no, enforced: site\.test \S+ \(\Q$url[0]\E\): 1 of 5 requests/m,
     'enforced, and not ready: why');


# 200 origins.

my @many = map { my $n = $_; map { "$_?n=$n" } grep { $_ ne $url[3] } @url }
           1 .. 5;
$#many = 199;

my $run = aopctl('status', '--json', @many);

is(scalar(@{ JSON::PP->new->decode($run->{out})->{origins} }), 200,
   '200 origins');
diag(sprintf '200 origins in %.2f s, %d MB', $run->{seconds},
     $run->{rss} / 1024);

$old->stop;
$_->finish for grep { $_ != $nginx[3] } @nginx;
done_testing();
