#!/usr/bin/perl

# aop_status: the code that a rejected client gets.  The verdict, the log line
# and the counters do not depend on it.  Also: what a plain HTTP request to a
# port with TLS gets, by error_page 497.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP qw(decode_json);
use Test::More;
use AOP::Test;

my $nginx = nginx();
my ($port, $plain, $status, $shop) = $nginx->ports(4);
my $listen = $nginx->listen_tls($port);
my $listen_shop = $nginx->listen_tls($shop);
my $show   = show();

my $ca   = ca('Edge CA');
my $good = $ca->leaf('edge');
my $bad  = ca('Foreign')->leaf('stranger');
my $none;

$nginx->write('ca.pem', $ca);
$nginx->write('other.pem', ca('Other CA'));
$nginx->write('html/decoy.html', 'a shop that sells nothing');

$nginx->configure(<<"EOF")->start;
    aop on;
    aop_ca ca.pem;
    $show

    log_format outcome '\$uri \$status \$aop_mode \$aop_verdict \$aop_status';
    access_log outcome.log outcome;

    server { $listen server_name plain; location / { return 200 secret; } }
    server { $listen server_name code; aop_status 404;
             location / { return 200 secret; } }
    server { $listen server_name silent; aop_status 444;
             location / { return 200 secret; } }
    server { $listen server_name c408; aop_status 408;
             location / { return 200 secret; } }
    server { $listen server_name c499; aop_status 499;
             location / { return 200 secret; } }
    server { $listen server_name stock408; aop off; return 408; }
    server { $listen server_name stock499; aop off; return 499; }
    server { $listen server_name return; aop_status 403; return 200 secret; }

    server {
        $listen
        server_name locations;
        aop off;
        aop_status 410;

        location / { aop on; return 200 secret; }
        location /code { aop on; aop_status 418; return 200 secret; }
        location /code/nested { return 200 secret; }
        location /silent { aop on; aop_status 444; return 200 secret; }
        location /free { return 200 free; }
    }

    # the server rejects before the location is known

    server {
        $listen
        server_name early;
        aop_status 410;
        location / { return 200 secret; }
        location /code { aop_status 418; return 200 secret; }
    }

    # and where one is more relaxed, after that

    server {
        $listen
        server_name relaxed;
        aop_status 410;
        location / { return 200 secret; }
        location /code { aop_status 418; return 200 secret; }
        location /free { aop off; return 200 free; }
    }

    server { $listen server_name optional; aop optional; aop_status 444;
             location / { return 200 served; } }
    server { $listen server_name misdirected; aop_ca other.pem; aop_status 404;
             location / { return 200 secret; } }

    server {
        $listen
        server_name page;
        aop_status 410;
        error_page 495 496 /wrong;
        error_page 410 =503 \@closed;
        location / { return 200 secret; }
        location /wrong { return 200 wrong; }
        location \@closed { return 503 "closed: \$aop_verdict"; }
    }

    server {
        $listen
        server_name onwards;
        aop_status 410;
        error_page 410 = /page;
        location / { return 200 secret; }
        location = /page { rewrite ^ /secret last; }
    }

    # a decoy

    server {
        $listen
        server_name decoy;
        aop_status 404;
        error_page 404 =200 /decoy.html;
        location / { return 200 secret; }
        location = /decoy.html { internal; root html; }
    }

    server { listen 127.0.0.1:$plain; server_name plain; aop_status 404;
             location / { return 200 secret; }
             location /free { aop off; return 200 free; } }
    server { listen 127.0.0.1:$plain; server_name silent; aop_status 444;
             return 200 secret; }

    # plain HTTP to a port with TLS

    server { $listen_shop server_name none497; return 200 secret; }
    server { $listen_shop server_name url497; return 200 secret;
             error_page 497 =301 https://\$host\$request_uri; }
    server { $listen_shop server_name default497; return 200 secret;
             error_page 497 https://\$host\$request_uri; }
    server { $listen_shop server_name named497; error_page 497 = \@tls;
             return 200 secret;
             location / { return 200 secret; }
             location \@tls { return 301 https://\$host\$request_uri; } }
    server { $listen_shop server_name page497; error_page 497 =200 /moved;
             return 200 secret;
             location / { return 200 secret; }
             location = /moved { return 200 "moved: \$aop_verdict"; } }
    server { $listen_shop server_name file497; error_page 497 /decoy.html;
             location / { return 200 secret; }
             location = /decoy.html { root html; } }
    server { $listen_shop server_name optional497; aop optional;
             error_page 497 =200 /moved;
             location = /moved { return 200 moved; } }
    server { $listen_shop server_name location497; aop off;
             error_page 497 =200 /moved;
             location / { return 200 secret; }
             location = /moved { aop on; return 200 moved; } }
    server { $listen_shop server_name relaxed497; error_page 497 = \@tls;
             location / { return 200 secret; }
             location /free { aop off; return 200 free; }
             location \@tls { return 301 https://\$host\$request_uri; } }
    server { $listen_shop server_name onwards497; error_page 497 = /page;
             location / { return 200 secret; }
             location = /page { rewrite ^ /secret last; } }
    server { $listen_shop server_name tries497; error_page 497 = \@page;
             location / { return 200 secret; }
             location \@page { try_files /nowhere /secret; } }
    server { $listen_shop server_name blocked497; error_page 497 = /page;
             recursive_error_pages on; error_page 403 \@blocked;
             location / { return 200 secret; }
             location = /page { rewrite ^ /secret last; }
             location \@blocked { return 403 blocked; } }

    server { listen 127.0.0.1:$status; aop off; location / { aop_report; } }
EOF

# ask($host, %options): the status and the body
sub ask {
    my ($host, %opt) = @_;
    my $answer = get($port, sni => $host, %opt);

    return $answer->status . ' ' . ($answer->status ? $answer->body : '');
}

for my $http ('1.1', '2') {
    my @how = (http => $http);
    my $is  = "HTTP/$http";

    for ([ 'none', $none ], [ 'untrusted', $bad ]) {
        my ($verdict, $cert) = @$_;
        my @who = (@how, cert => $cert);

        my $answer = get($port, sni => 'code', @who);

        is(seen($answer), "404 on $verdict REJECTED", "$is: $verdict, 404");
        like($answer->body, qr/404 Not Found/, "$is: $verdict, its page");
        is(seen(get($port, sni => 'plain', @who)),
           "400 on $verdict REJECTED", "$is: $verdict, without aop_status");
        is(seen(get($port, sni => 'return', @who)), "403 on $verdict REJECTED",
           "$is: $verdict, before the server's return");

        for ([ '/', 410 ], [ '/code', 418 ], [ '/code/nested', 418 ]) {
            my ($path, $code) = @$_;
            is(seen(get($port, sni => 'locations', path => $path, @who)),
               "$code on $verdict REJECTED", "$is: $verdict, location $path")
                unless $path =~ /nested/;
            is(seen(get($port, sni => 'early', path => $path, @who)),
               "410 on $verdict REJECTED",
               "$is: $verdict, $path, the server's");
            is(seen(get($port, sni => 'relaxed', path => $path, @who)),
               "$code on $verdict REJECTED",
               "$is: $verdict, $path, once the location is known");
        }

        like(ask('locations', path => '/free', @who), qr/^200 free/,
             "$is: $verdict, another location");
        is(ask('page', @who), "503 closed: $verdict",
           "$is: $verdict, error_page takes the code");
        is(ask('decoy', @who), '200 a shop that sells nothing',
           "$is: $verdict, a decoy");
        unlike(ask('onwards', @who), qr/secret/,
               "$is: $verdict, a page that redirects");
        is(seen(get($port, sni => 'optional', @who)),
           "200 optional $verdict REJECTED_DRY_RUN", "$is: $verdict, optional");

        # without an answer

        for ([ 'silent', '/' ], [ 'locations', '/silent' ]) {
            my ($host, $path) = @$_;

            my $client = client($port, sni => $host, @who);

            is($client->get($path)->status, 0,
               "$is: $verdict, $host$path: 444");
            ok($client->closed, "$is: $verdict, $host$path: and closed");
        }
    }

    # nginx itself closes without an answer for these two

    for my $code (408, 499) {
        for my $host ("stock$code", "c$code") {
            my $client = client($port, sni => $host, @how);

            is($client->get("/$host/$http")->status, 0, "$is: $host");
            ok($client->closed, "$is: $host, and closed")
                if $http ne '2' || $host eq "c$code";
        }

        like($nginx->wait_file('outcome.log', qr{^/c$code/$http }),
             qr{ $code on none REJECTED$}, "$is: $code, as logged");
    }

    is(ask('code', @how, cert => $good), '200 secret', "$is: good");
    is(ask('silent', @how, cert => $good), '200 secret', "$is: good, 444");
    is(ask('decoy', @how, cert => $good), '200 secret', "$is: good, decoy");

    my $client = client($port, sni => 'plain', cert => $good, http => $http);

    is(seen($client->get('/', host => 'misdirected')),
       '421 on misdirected REJECTED', "$is: misdirected stays 421");
    is($client->get('/', host => 'plain')->status, 200,
       "$is: and the connection is kept") if $http eq '2';
    $client->close;
}

# streams side by side: each is reset, the connection ends

my $streams = client($port, sni => 'silent', http => '2');

is(join(' ', map { $_->status } $streams->get_all([ '/a' ], [ '/b' ])), '0 0',
   'HTTP/2: 444 for each stream');
ok($streams->goaway || $streams->closed, 'HTTP/2: the connection ends');

# plaintext

for ('1.0', '1.1') {
    my @how = (tls => 0, http => $_);

    is(seen(get($plain, host => 'plain', @how)), '404 on plaintext REJECTED',
       "HTTP/$_: plaintext");
    is(get($plain, host => 'plain', path => '/free', @how)->status, 200,
       "HTTP/$_: plaintext, a location");
    is(client($plain, @how)->talk("GET / HTTP/$_\r\nHost: silent\r\n\r\n"), '',
       "HTTP/$_: plaintext, 444");
}

# logged and counted the same

my $mark = $nginx->mark;

get($port, sni => 'silent', path => '/logged', cert => $bad);
like($nginx->wait_file('outcome.log', qr{^/logged }),
     qr{^/logged 444 on untrusted REJECTED$}, 'access log');
like($nginx->wait_log(qr{"GET /logged }, $mark),
     qr/aop: client certificate refused: untrusted: .*subject: "CN=stranger"/,
     'error log');

# plain HTTP to a port with TLS: as with stock nginx

for (
    [ 'none497', '400', qr/plain HTTP request was sent to HTTPS port/ ],
    [ 'url497', '301 https://url497/x?y', qr/301/ ],
    [ 'default497', '302 https://default497/x?y', qr/302/ ],
    [ 'named497', '301 https://named497/x?y', qr/301/ ],
    [ 'relaxed497', '301 https://relaxed497/x?y', qr/301/ ],
    [ 'page497', '200', qr/^moved: plaintext$/ ],
    [ 'file497', '400', qr/^a shop/ ],
    [ 'optional497', '200', qr/^moved$/ ],
    [ 'location497', '200', qr/^moved$/ ],
    [ 'onwards497', '403', qr/403 Forbidden/ ],
    [ 'tries497', '403', qr/403 Forbidden/ ],
    [ 'blocked497', '403', qr/^blocked$/ ])
{
    my ($host, $head, $body) = @$_;
    my $answer = get($shop, tls => 0, host => $host, path => '/x?y');

    is($answer->status . ($answer->header('Location')
                          ? ' ' . $answer->header('Location') : ''), $head,
       "$host: $head");
    like($answer->body, $body, "$host: what it says");
    unlike($answer->body, qr/secret/, "$host: nothing of the site");
}

my $report = decode_json(get($status, tls => 0)->body);
my %count;

for my $server (@{ $report->{servers} }) {
    $count{ $server->{name} =~ s/ .*//r }{ $_->{verdict} } += $_->{count}
        for @{ $server->{requests} };
}

is_deeply($count{silent}, { ok => 2, none => 4, untrusted => 3,
                            plaintext => 2 }, 'counted: 444');
is_deeply($count{decoy}, { ok => 2, none => 2, untrusted => 2 },
          'counted: a decoy');
is_deeply($count{page497}, undef, 'not counted: the page of 497');
is_deeply($count{onwards497}, { plaintext => 1 }, 'counted: a way on from it');

# nginx -t

for (400, 403, 404, 444, 499, 503, 599) {
    is(($nginx->configure("aop_status $_;")->test_config)[0], 0,
       "aop_status $_: taken");
}

for (399, 600, 200, 301, 0, -1, 'off', '44x', "''") {
    my ($code, $output) = $nginx->configure("aop_status $_;")->test_config;

    isnt($code, 0, "aop_status $_: refused");
    like($output,
         qr/\[emerg\] .*(?:must be between 400 and 599|invalid number)/,
         "aop_status $_: said");
}

like(($nginx->configure('aop_status 404; aop_status 404;')->test_config)[1],
     qr/"aop_status" directive is duplicate/, 'twice');

# the advice for a plain listener fits the server

for (
    [ 'listen PLAIN default_server; return 444;',
      qr/\(add "aop off" to that server if it serves only/ ],
    [ 'listen PLAIN; location / { return 301 https://$host$request_uri; }',
      qr/\(add "aop off" to that server if it serves only/ ],
    [ "listen PLAIN; $listen return 200 x;",
      qr/\(move it to a separate server with "aop off"/ ])
{
    my ($server, $advice) = @$_;

    $server =~ s/PLAIN/127.0.0.1:$plain/;

    my ($code, $output) = $nginx->configure("aop on; server { $server }")
                          ->test_config;
    like($output, qr/\[warn\].*"aop on".*plain HTTP "listen \S+".*$advice/,
         "warns: $server");

    ($code, $output) = $nginx->configure("aop on; server { aop off; $server }")
                       ->test_config;
    unlike($output, qr/\[warn\]/, "does not warn: aop off, $server");
}

$nginx->finish;

done_testing();
