#!/usr/bin/perl

# Several requests on one connection: each is judged, and a refusal ends the
# connection, since whoever keeps it would keep the verdict.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);
use AOP::Test;

my $nginx = nginx();
my ($port, $plain) = $nginx->ports(2);
my $listen = $nginx->listen_tls($port);
my $show  = show();

my $ca   = ca('Edge CA');
my $good = $ca->leaf('edge');
my $bad  = ca('Foreign')->leaf('stranger');

$nginx->write('ca.pem', $ca);
$nginx->write('html/large', 'x' x 90_000);

$nginx->configure(<<"EOF")->start;
    aop_ca ca.pem;
    $show

    map \$http_x_mode \$mode { default on; ~. \$http_x_mode; }

    server {
        $listen
        server_name a.test;
        location / { return 200 free; }
        location /strict { aop on; return 200 secret; }
        location /watched { aop optional; return 200 watched; }
        location /large { root html; limit_rate 60k; }
        location /post { proxy_pass http://127.0.0.1:$plain/; }
        location /strict/page {
            aop on;
            error_page 495 496 = \@page;
            return 200 secret;
        }
        location \@page { return 200 page; }
    }

    server {
        $listen
        server_name b.test;
        aop \$mode;
        return 200 served;
    }

    server { $listen server_name c.test; return 200 free; }

    server {
        listen 127.0.0.1:$plain;
        location / { return 200 free; }
        location /strict { aop on; return 200 secret; }
    }
EOF

for my $tls ('1.2', '1.3') {
    for my $http ('1.1', '2') {
        my $where = "TLS $tls, HTTP/$http";
        my %how   = (tls => $tls, http => $http, sni => 'a.test');

        # a good certificate

        my $client = client($port, %how, cert => $good);

        is(seen($client->get('/strict')), '200 on ok PASSED', "$where: first");
        is(seen($client->get('/strict')), '200 on ok PASSED',
           "$where: second");
        is(seen($client->get('/')), '200 off ok -', "$where: off between");
        is(seen($client->get('/watched')), '200 optional ok PASSED',
           "$where: optional between");
        is(join(', ', map { seen($_) } $client->get_all(map { [ '/strict' ] }
                                                        1 .. 5)),
           join(', ', ('200 on ok PASSED') x 5), "$where: five at once");
        ok(!$client->closed(0.05), "$where: connection kept");

        # none, and a bad one

        for my $case ([ 'none', undef ], [ 'untrusted', $bad ]) {
            my ($verdict, $cert) = @$case;

            $client = client($port, %how, cert => $cert);

            is(seen($client->get('/')), "200 off $verdict -",
               "$where: $verdict, off first");
            is(seen($client->get('/watched')),
               "200 optional $verdict REJECTED_DRY_RUN",
               "$where: $verdict, then optional");
            is(seen($client->get('/watched')),
               "200 optional $verdict REJECTED_DRY_RUN",
               "$where: $verdict, and again");
            ok(!$client->closed(0.05) && !$client->goaway(0.01),
               "$where: $verdict, connection kept so far");

            my $answer = $client->get('/strict');

            is(seen($answer), "400 on $verdict REJECTED",
               "$where: $verdict, then refused");
            is($answer->header('Connection'), 'close',
               "$where: $verdict, closing is said") if $http eq '1.1';
            ok($http eq '2' ? $client->goaway : $client->closed,
               "$where: $verdict, refusal ends the connection");
            is($client->get('/')->status, 0,
               "$where: $verdict, nothing more on it");
        }

        # a page for the refused keeps it open no longer

        $client = client($port, %how);

        is(seen($client->get('/strict/page')), '200 on none REJECTED',
           "$where: error_page");
        ok($http eq '2' ? $client->goaway : $client->closed,
           "$where: error_page, connection ends");
    }
}

# HTTP/1: what was sent behind a refused request is not served

my $client = client($port, sni => 'a.test');
my ($first, $second) = $client->get_all([ '/strict' ], [ '/' ]);

is(seen($first), '400 on none REJECTED', 'pipelined: refused');
is($second->status, 0, 'pipelined: nothing after it');

# HTTP/2: streams that are open are served to their end

$client = client($port, sni => 'a.test', http => '2', timeout => 10);

my ($large, $strict) = $client->get_all([ '/large' ], [ '/strict' ]);

is(seen($strict), '400 on none REJECTED', 'HTTP/2 streams: one refused');
is($large->status, 200, 'HTTP/2 streams: the other served');
is(length $large->body, 90_000, 'HTTP/2 streams: to its end');
ok($client->goaway, 'HTTP/2 streams: GOAWAY');

my @answer = $nginx->whole(sub {
    client($port, sni => 'a.test', http => '2')
    ->get_all(map { [ $_ % 2 ? '/strict' : '/' ] } 1 .. 40)
});

is(join(' ', map { $_->status } @answer),
   join(' ', map { $_ % 2 ? 400 : 200 } 1 .. @answer),
   'HTTP/2 streams: 40 at once');

# a body that is still on its way

for my $http ('1.1', '2') {
    is(seen(get($port, sni => 'a.test', http => $http, method => 'POST',
                path => '/strict', body => 'x' x 60_000)),
       '400 on none REJECTED', "HTTP/$http: POST refused");
    is(get($port, sni => 'a.test', http => $http, method => 'POST',
           path => '/post', body => 'x' x 60_000)->status, 200,
       "HTTP/$http: POST served");
    is(seen(get($port, sni => 'a.test', http => $http, method => 'HEAD',
                path => '/strict')), '400 on none REJECTED',
       "HTTP/$http: HEAD refused");
}

# a certificate that expires while its connection is open

my $soon = $ca->leaf('soon', not_after => int(time()) + 2);
my %open = map { $_ => client($port, sni => 'a.test', http => $_,
                              cert => $soon) } '1.1', '2';

is(seen($open{$_}->get('/strict')), '200 on ok PASSED',
   "HTTP/$_: still valid") for sort keys %open;

sleep 3.1;

is(seen($open{$_}->get('/watched')),
   '200 optional expired REJECTED_DRY_RUN',
   "HTTP/$_: expired meanwhile") for sort keys %open;
is(seen($open{$_}->get('/strict')), '400 on expired REJECTED',
   "HTTP/$_: expired meanwhile, refused") for sort keys %open;

# a mode that varies from request to request

$client = client($port, sni => 'b.test');

is(seen($client->get('/', headers => [ 'X-Mode' => 'off' ])),
   '200 off none -', 'by a variable: off');
is(seen($client->get('/', headers => [ 'X-Mode' => 'optional' ])),
   '200 optional none REJECTED_DRY_RUN', 'by a variable: optional');
is(seen($client->get('/', headers => [ 'X-Mode' => 'on' ])),
   '400 on none REJECTED', 'by a variable: on');
ok($client->closed, 'by a variable: closed');

# HTTP/1.0, and plain HTTP

is(seen(get($port, http => '1.0', sni => 'a.test', path => '/strict')),
   '400 on none REJECTED', 'HTTP/1.0: refused');
is(seen(get($port, http => '1.0', sni => 'a.test', path => '/strict',
            cert => $good)), '200 on ok PASSED', 'HTTP/1.0: served');

$client = client($port, http => '1.0', sni => 'a.test', cert => $good);

is(seen($client->get('/strict', headers => [ Connection => 'keep-alive' ])),
   '200 on ok PASSED', 'HTTP/1.0, keep-alive: first');
is(seen($client->get('/strict')), '200 on ok PASSED',
   'HTTP/1.0, keep-alive: second');

$client = client($port, http => '1.0', sni => 'a.test');

is(seen($client->get('/strict', headers => [ Connection => 'keep-alive' ])),
   '400 on none REJECTED', 'HTTP/1.0, keep-alive: refused');
ok($client->closed, 'HTTP/1.0, keep-alive: closed');

$client = client($plain, tls => 0);

is(seen($client->get('/')), '200 off plaintext -', 'plain: off');
is(seen($client->get('/strict')), '403 on plaintext REJECTED',
   'plain: refused');
ok($client->closed, 'plain: closed');
$client->close;

$nginx->finish;

done_testing();
