#!/usr/bin/perl

# The test library itself, on stock nginx without our module: what the other
# tests take for granted.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

use constant DAY => 86400;

my $nginx = nginx(module => 0, tls => 1);
my ($tls, $plain, $free, $crl) = $nginx->ports(4);
my $listen = $nginx->listen_tls($tls);
my $listen_crl = $nginx->listen_tls($crl);

# older versions of nginx count the requests of HTTP/2 by another directive
my $keepalive_requests = 'keepalive_requests 4;'
    . (AOP::Test::Nginx::version() < 1019007 ? 'http2_max_requests 4;' : '');

my $ca    = ca('Root');
my $other = ca('Root');
my $inter = $ca->intermediate('Intermediate');
my $bad   = $ca->leaf('revoked');

$nginx->write('ca.pem', $ca);
$nginx->write('crl.pem', $ca->crl(revoked => [ $bad ]));

$nginx->configure(<<"EOF")->start;
    ssl_session_cache shared:SSL:1m;
    $keepalive_requests
    add_header X-Verify \$ssl_client_verify always;
    add_header X-Subject \$ssl_client_s_dn always;

    server {
        $listen
        server_name a.test;
        ssl_verify_client optional;
        ssl_verify_depth 2;
        ssl_client_certificate ca.pem;

        location / { return 200 "\$server_protocol \$ssl_session_reused"; }
    }

    server {
        $listen_crl
        ssl_verify_client on;
        ssl_client_certificate ca.pem;
        ssl_crl crl.pem;
        return 200;
    }

    server {
        listen 127.0.0.1:$plain;
        return 200 \$server_protocol;
    }
EOF

# certificates

for my $version ('1.2', '1.3') {
    my $verify = sub {
        my ($cert, %opt) = @_;
        return get($tls, tls => $version, sni => 'a.test', cert => $cert, %opt)
               ->header('X-Verify');
    };

    is($verify->(undef), 'NONE', "$version: none");
    is($verify->($ca->leaf('good')), 'SUCCESS', "$version: EC");
    is($verify->($ca->leaf('good', key => 'rsa')), 'SUCCESS', "$version: RSA");
    is($verify->($inter->leaf('good'), chain => [ $inter ]), 'SUCCESS',
       "$version: intermediate");
    like($verify->($inter->leaf('good')),
         qr/FAILED:unable to (?:get local|verify the first)/,
         "$version: intermediate not sent");
    like($verify->($other->leaf('bad')), qr/FAILED/, "$version: other CA");
    like($verify->(self_signed('x')), qr/FAILED:self.signed certificate$/,
         "$version: self-signed");
    like($verify->($ca->leaf('x', not_after => time() - DAY,
                             not_before => time() - 2 * DAY)),
         qr/FAILED:certificate has expired/, "$version: expired");
    like($verify->($ca->leaf('x', not_before => time() + DAY)),
         qr/FAILED:certificate is not yet valid/, "$version: not yet valid");
    like($verify->($ca->leaf('x', eku => 'serverAuth')),
         qr/FAILED:unsu/, "$version: serverAuth only");
    is($verify->($ca->leaf('x', eku => undef)), 'SUCCESS', "$version: no EKU");
    is($verify->($ca->leaf('Root')), 'SUCCESS',
       "$version: subject as the CA's");
}

is(get($crl, cert => $bad)->status, 400, 'CRL: revoked');
is(get($crl, cert => $ca->leaf('good'))->status, 200, 'CRL: good');

is($ca->leaf('x', serial => '0ABC')->serial, '0ABC', 'serial');
like($ca->leaf([ O => 'Acme', CN => 'x' ])->openssl('-subject', '-nameopt',
                                                    'RFC2253'),
     qr/CN=x,O=Acme/, 'subject of several parts');
like($ca->leaf([ CN => [ 12, "a\0\n\x1b\"b" ] ])->openssl('-subject',
                                                          '-nameopt',
                                                          'RFC2253'),
     qr/CN=a\\00\\0A\\1B\\"b/, 'subject of odd bytes');

# protocols

is(get($tls, http => '1.0')->body, 'HTTP/1.0 .', 'HTTP/1.0');
is(get($tls, http => '1.1')->body, 'HTTP/1.1 .', 'HTTP/1.1');
is(get($tls, http => '2')->body, 'HTTP/2.0 .', 'HTTP/2');
is(get($plain, tls => 0)->body, 'HTTP/1.1', 'plain HTTP');
is(get($tls, tls => 0)->status, 400, 'plain HTTP to a TLS port');
is(get($plain, timeout => 1)->status, 0, 'TLS to a plain port: no answer');
is(get($free, timeout => 1)->status, 0, 'nobody listens: no answer');
like(get($free, timeout => 1)->error, qr/refused/, 'and the reason');

for my $http ('1.1', '2') {
    my $client = client($tls, http => $http, sni => 'a.test');

    is(join(' ', map { $_->status } $client->get_all([ '/' ], [ '/1' ])),
       '200 200', "HTTP/$http: two requests at once");
    is($client->get('/')->status, 200, "HTTP/$http: and a third");
    ok(!$client->closed(0.05), "HTTP/$http: connection kept");
    ok(!$client->goaway(0.05), "HTTP/$http: no GOAWAY");
    is($client->alpn, $http eq '2' ? 'h2' : 'http/1.1', "HTTP/$http: ALPN");

    is($client->get('/')->status, 200, "HTTP/$http: last one");
    ok($http eq '2' ? $client->goaway : $client->closed,
       "HTTP/$http: the end is seen");
}

# resumption

for my $version ('1.2', '1.3') {
    my $first = client($tls, tls => $version, sni => 'a.test',
                       cert => $ca->leaf('good'));

    is($first->get('/')->body, 'HTTP/1.1 .', "TLS $version: full handshake");

    my $again = client($tls, tls => $version, sni => 'a.test',
                       session => $first->session);

    is($again->get('/')->body, 'HTTP/1.1 r', "TLS $version: resumed");
    is($again->get('/')->header('X-Subject'), 'CN=good',
       "TLS $version: with its certificate");
    ok($again->resumed && !$first->resumed, "TLS $version: client agrees");

    my $asked = request_for_certificate($tls, sni => 'a.test',
                                        tls => $version);

    is_deeply($asked, { asked => 1, names => [ 'CN=Root' ] },
              "TLS $version: who is asked");
}

# life of a server

my @old = $nginx->worker_pids;

is(scalar @old, 1, 'one worker');
ok($nginx->reload("server { listen 127.0.0.1:$plain; return 204; }"),
   'reload');
isnt(join(' ', $nginx->worker_pids), "@old", 'other workers after it');
is(get($plain, tls => 0)->status, 204, 'new configuration');

my $broken = nginx(module => 0, http => 'nonsense on;');
my ($code, $output) = $broken->test_config;

is($code, 1, 'broken configuration');
like($output, qr/unknown directive "nonsense"/, 'and why');

ok(!eval { $broken->start }, 'broken: does not start');
like($@, qr/unknown directive "nonsense"/, 'broken: says why');

$nginx->finish;

done_testing();
