#!/usr/bin/perl

# A request for one server on a connection whose handshake was for another:
# what was asked and shown there counts only as far as it answers the question
# of the server that the request is for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $nginx = nginx();
my $port  = $nginx->ports;
my $listen = $nginx->listen_tls($port);
my $show  = show();

my $one   = ca('One');
my $two   = ca('Two');
my $inter = $one->intermediate('Intermediate of One');

$nginx->write('one.pem', $one);
$nginx->write('two.pem', $two);
$nginx->write('both.pem', [ $one, $two ]);
$nginx->write('again.pem', [ $two, $one ]);

sub server {
    my ($name, $rest) = @_;
    return "server { $listen server_name $name; $rest"
           . ' location / { return 200 $server_name; } }';
}

$nginx->configure(join "\n", $show,
    server('off', 'aop off;'),
    server('one', 'aop on; aop_ca one.pem;'),
    server('alias', 'aop on; aop_ca one.pem;'),
    server('watched', 'aop optional; aop_ca one.pem;'),
    server('two', 'aop on; aop_ca two.pem;'),
    server('twowatched', 'aop optional; aop_ca two.pem;'),
    server('both', 'aop on; aop_ca both.pem;'),
    server('again', 'aop on; aop_ca again.pem;'),
    server('deep', 'aop on; aop_ca one.pem; aop_verify_depth 3;'),
    server('location', 'location /strict { aop on; return 200 x; }'
                       . ' aop_ca one.pem;'));
$nginx->start;

my $leaf_one = $one->leaf('of one');
my $leaf_two = $two->leaf('of two');
my $below    = $inter->leaf('below');

for my $tls ('1.2', '1.3') {
    for my $http ('1.1', '2') {
        my $ask = sub {
            my ($sni, $host, $cert, $chain) = @_;
            return seen(get($port, tls => $tls, http => $http, sni => $sni,
                            host => $host, cert => $cert, chain => $chain));
        };
        my $where = "TLS $tls, HTTP/$http";

        # the handshake did not ask

        is($ask->('off', 'one'), '421 on misdirected REJECTED',
           "$where: SNI of a server without AOP");
        is($ask->('off', 'one', $leaf_one), '421 on misdirected REJECTED',
           "$where: and a good certificate that was not asked for");
        is($ask->('off', 'watched'),
           '200 optional misdirected REJECTED_DRY_RUN',
           "$where: and mode optional");
        is($ask->('one', 'off'), '200 off - -', "$where: the other way round");
        is($ask->(undef, 'one'), '421 on misdirected REJECTED',
           "$where: no SNI, default server without AOP");
        is($ask->('unknown', 'one', $leaf_one),
           '421 on misdirected REJECTED', "$where: unknown SNI");

        # equal policies

        is($ask->('one', 'alias', $leaf_one), '200 on ok PASSED',
           "$where: equal policy, good");
        is($ask->('one', 'alias'), '400 on none REJECTED',
           "$where: equal policy, none");
        is($ask->('one', 'alias', $leaf_two), '400 on untrusted REJECTED',
           "$where: equal policy, bad");
        is($ask->('watched', 'one', $leaf_one), '200 on ok PASSED',
           "$where: equal policy, other mode");
        is($ask->('watched', 'one'), '400 on none REJECTED',
           "$where: equal policy, other mode, none");
        is($ask->('both', 'again', $leaf_two), '200 on ok PASSED',
           "$where: the same anchors in another order");
        is($ask->('both', 'again'), '400 on none REJECTED',
           "$where: the same anchors in another order, none");
        is($ask->('location', 'one', $leaf_one), '200 on ok PASSED',
           "$where: SNI of a server that asks for its location");

        # other policies

        is($ask->('two', 'one', $leaf_two), '421 on misdirected REJECTED',
           "$where: good there, not here");
        is($ask->('two', 'one', $leaf_one), '200 on ok PASSED',
           "$where: good here");
        is($ask->('two', 'one'), '421 on misdirected REJECTED',
           "$where: other anchors, none");
        is($ask->('two', 'watched', $leaf_two),
           '200 optional misdirected REJECTED_DRY_RUN',
           "$where: good there, mode optional here");
        is($ask->('twowatched', 'one', $leaf_two),
           '421 on misdirected REJECTED', "$where: optional there, on here");
        is($ask->('both', 'one', $leaf_one), '200 on ok PASSED',
           "$where: one anchor of two");
        is($ask->('both', 'one', $leaf_two), '421 on misdirected REJECTED',
           "$where: the other anchor of two");
        is($ask->('deep', 'one', $below, [ $inter ]), '200 on ok PASSED',
           "$where: through an intermediate, other depth");
    }
}

# HTTP/2: it is the stream that is misdirected, the connection goes on

my $client = client($port, http => '2', sni => 'two', cert => $leaf_two);

is(seen($client->get('/')), '200 on ok PASSED', 'HTTP/2: own server');
is(seen($client->get('/', host => 'one')), '421 on misdirected REJECTED',
   'HTTP/2: misdirected');
ok(!$client->goaway(0.1), 'HTTP/2: no GOAWAY');
is(seen($client->get('/')), '200 on ok PASSED', 'HTTP/2: own server again');
$client->close;

my $mark = $nginx->mark;
get($port, sni => 'off', host => 'one', path => '/logged');
like($nginx->wait_log(qr{"GET /logged }, $mark),
     qr/aop: client certificate refused: misdirected: .*SNI and Host/,
     'error.log');

$nginx->finish;

done_testing();
