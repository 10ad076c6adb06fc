#!/usr/bin/perl

# Who is asked for a certificate, and by which names of authorities.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

use constant CLOUDFLARE => 'CN=origin-pull.cloudflare.net,ST=California,'
    . 'L=San Francisco,OU=Origin Pull,O=CloudFlare\, Inc.,C=US';

my $one = ca([ O => 'Acme', CN => 'One' ]);
my $two = ca('Two');

my $nginx = nginx();
my ($off_first, $on_first) = $nginx->ports(2);

$nginx->write('one.pem', $one);
$nginx->write('two.pem', $two);
$nginx->write('both.pem', [ $one, $two ]);
$nginx->write('twice.pem', [ $one, $one ]);
$nginx->write('leaf.pem', $one->leaf('client'));

sub servers {
    my ($port, @server) = @_;
    my $listen = $nginx->listen_tls($port);
    return map { "server { $listen server_name $$_[0]; $$_[1] return 200; }" }
           @server;
}

$nginx->configure(join "\n",
    'map $host $mode { default off; }',
    servers($off_first,
        [ 'off', 'aop_ca one.pem;' ],
        [ 'explicit', 'aop off; aop_ca one.pem; location / { aop off; }' ],
        [ 'optional', 'aop optional; aop_ca one.pem;' ],
        [ 'on', 'aop on; aop_ca one.pem;' ],
        [ 'variable', 'aop $mode; aop_ca one.pem;' ],
        [ 'location', 'location /x { aop on; } aop_ca one.pem;' ],
        [ 'nested', 'location /x { location /x/y { aop optional; } }'
                    . ' aop_ca one.pem;' ],
        [ 'named', 'location @x { aop on; } aop_ca one.pem;' ],
        [ 'builtin', 'aop optional;' ],
        [ 'cloudflare', 'aop optional; aop_ca cloudflare;' ],
        [ 'both', 'aop on; aop_ca both.pem;' ],
        [ 'files', 'aop on; aop_ca one.pem two.pem cloudflare;' ],
        [ 'twice', 'aop on; aop_ca twice.pem one.pem;' ],
        [ 'leaf', 'aop on; aop_ca leaf.pem;' ],
        [ 'stock', 'ssl_verify_client optional_no_ca;'
                   . ' ssl_client_certificate two.pem;' ],
        [ 'union', 'ssl_verify_client optional_no_ca;'
                   . ' ssl_client_certificate two.pem; aop on;'
                   . ' aop_ca one.pem;' ]),
    servers($on_first,
        [ 'on', 'aop on; aop_ca one.pem;' ],
        [ 'off', 'aop off;' ],
        [ 'other', 'aop optional; aop_ca two.pem;' ]));
$nginx->start;

my ($a, $b) = ('CN=One,O=Acme', 'CN=Two');

for my $tls ('1.2', '1.3') {
    for (
        [ $off_first, 'off', 0 ],
        [ $off_first, 'explicit', 0 ],
        [ $off_first, undef, 0 ],
        [ $off_first, 'unknown', 0 ],
        [ $off_first, 'optional', 1, $a ],
        [ $off_first, 'on', 1, $a ],
        [ $off_first, 'variable', 1, $a ],
        [ $off_first, 'location', 1, $a ],
        [ $off_first, 'nested', 1, $a ],
        [ $off_first, 'named', 1, $a ],
        [ $off_first, 'builtin', 1, CLOUDFLARE ],
        [ $off_first, 'cloudflare', 1, CLOUDFLARE ],
        [ $off_first, 'both', 1, $a, $b ],
        [ $off_first, 'files', 1, $a, $b, CLOUDFLARE ],
        [ $off_first, 'twice', 1, $a ],
        [ $off_first, 'leaf', 1, 'CN=client' ],
        [ $off_first, 'stock', 1, $b ],
        [ $off_first, 'union', 1, $a, $b ],
        [ $on_first, undef, 1, $a ],
        [ $on_first, 'unknown', 1, $a ],
        [ $on_first, 'on', 1, $a ],
        [ $on_first, 'off', 0 ],
        [ $on_first, 'other', 1, $b ])
    {
        my ($port, $sni, $asked, @name) = @$_;

        my $got = request_for_certificate($port, sni => $sni, tls => $tls);
        my $where = sprintf 'TLS %s: default %s, SNI %s', $tls,
            $port == $off_first ? 'off' : 'on', defined $sni ? $sni : 'none';

        is($got->{asked}, $asked, "$where: asked");
        is_deeply([ sort @{ $got->{names} } ], [ sort @name ],
                  "$where: names");
    }
}

$nginx->finish;

# a server that has no certificate of its own uses the default server's

my $bare = nginx(tls => 0);
my $port = $bare->ports;
my $listen = $bare->listen_tls($port);
my $cert = AOP::Test::Cert->server('default');

$bare->write('server.crt', $cert->pem);
$bare->write('server.key', $cert->key_pem);
$bare->write('one.pem', $one);

my $show = show();

$bare->configure(<<"EOF")->start;
    aop_ca one.pem;
    $show

    server {
        $listen
        server_name default;
        ssl_certificate server.crt;
        ssl_certificate_key server.key;
        return 200;
    }

    server { $listen server_name without; aop on; return 200; }
EOF

for my $tls ('1.2', '1.3') {
    my %how = (tls => $tls, sni => 'without');

    is_deeply(request_for_certificate($port, %how),
              { asked => 1, names => [ $a ] },
              "TLS $tls, no own certificate: asked");
    is(seen(get($port, %how)), '400 on none REJECTED',
       "TLS $tls, no own certificate: none");
    is(seen(get($port, %how, cert => $one->leaf('edge'))),
       '200 on ok PASSED', "TLS $tls, no own certificate: good");
    is(seen(get($port, %how, cert => $two->leaf('edge'))),
       '400 on untrusted REJECTED', "TLS $tls, no own certificate: bad");
    is(seen(get($port, tls => $tls, sni => 'default',
                cert => $two->leaf('edge'))), '200 off - -',
       "TLS $tls, no own certificate: the default server serves");
    is(seen(get($port, tls => $tls, sni => 'default', host => 'without',
                cert => $two->leaf('edge'))), '421 on misdirected REJECTED',
       "TLS $tls, no own certificate: SNI of the default server");
}

like(($bare->test_config)[1],
     qr/\[warn\].*default for 127\.0\.0\.1:$port, asks .*"ssl_certificate"/,
     'no own certificate: nginx -t says who asks, and why');

# and the other way round: the default server's question is asked for it, too

$bare->stop;

my ($code, $said) = $bare->configure(<<"EOF")->test_config;
    aop_ca one.pem;
    server {
        $listen
        server_name default;
        ssl_certificate server.crt;
        ssl_certificate_key server.key;
        aop on;
    }
    server { $listen server_name without; aop off; }
EOF

is($code, 0, 'beside an asking default: accepted');
like($said, qr/\[warn\] .* it has no "ssl_certificate" of its own, and the default server for 127\.0\.0\.1:$port in .* uses "aop"/,
     'beside an asking default: nginx -t says so');

$bare->finish;

done_testing();
