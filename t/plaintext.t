#!/usr/bin/perl

# Requests that did not come over TLS.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $nginx = nginx();
my ($off, $optional, $on, $both, $tls) = $nginx->ports(5);
my $show  = show();

my $ca = ca('Edge CA');
$nginx->write('ca.pem', $ca);

$nginx->configure(<<"EOF")->start;
    aop_ca ca.pem;
    $show

    server { listen 127.0.0.1:$off; return 200 served; }
    server { listen 127.0.0.1:$optional; aop optional; return 200 served; }

    server {
        listen 127.0.0.1:$on;
        aop on;
        location / { return 200 secret; }
        location /free { aop off; return 200 free; }
    }

    server {
        listen 127.0.0.1:$both;
        listen 127.0.0.1:$tls ssl;
        aop on;
        error_page 497 /moved;
        location / { return 200 secret; }
        location /moved { return 200 moved; }
    }
EOF

for my $http ('1.0', '1.1') {
    my @how = (tls => 0, http => $http);

    is(seen(get($off, @how)), '200 off - -', "HTTP/$http: off");
    is(seen(get($optional, @how)),
       '200 optional plaintext REJECTED_DRY_RUN', "HTTP/$http: optional");

    my $answer = get($on, @how);

    is(seen($answer), '403 on plaintext REJECTED', "HTTP/$http: on");
    like($answer->body, qr/403 Forbidden/, "HTTP/$http: on, its page");
    is(seen(get($on, @how, path => '/free')), '200 off plaintext -',
       "HTTP/$http: location with off");
    is(seen(get($both, @how)), '403 on plaintext REJECTED',
       "HTTP/$http: on, before server-level return");
}

is(seen(get($both, tls => 0,
            headers => [ 'X-Forwarded-Proto' => 'https',
                         'CF-Visitor' => '{"scheme":"https"}' ])),
   '403 on plaintext REJECTED', 'a header makes no TLS');
is(seen(get($tls, cert => $ca->leaf('edge'))), '200 on ok PASSED',
   'the same server by TLS');

my $moved = get($tls, tls => 0);
is($moved->body, 'moved', 'plain HTTP to the TLS port: error_page 497');
is(seen($moved), '400 - plaintext -', 'not judged, as nginx answers by itself');

my $mark = $nginx->mark;
get($on, tls => 0, path => '/logged');
like($nginx->wait_log(qr{"GET /logged }, $mark),
     qr/ \[error\] .*aop: client certificate refused: plaintext: /,
     'error.log: refused');
get($optional, tls => 0, path => '/watched');
like($nginx->wait_log(qr{"GET /watched }, $mark),
     qr/ \[error\] .*aop: client certificate would be refused: plaintext: /,
     'error.log: would be refused');

my ($code, $output) = $nginx->test_config;

is($code, 0, 'nginx -t accepts it');

for my $port ($on, $both) {
    like($output, qr/\[warn\].*"aop on".*plain.*127\.0\.0\.1:$port/,
         "nginx -t warns of the listener $port");
}
for my $port ($off, $optional, $tls) {
    unlike($output, qr/\[warn\].*127\.0\.0\.1:$port\b/,
           "nginx -t does not warn of $port");
}

$nginx->finish;

done_testing();
