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

# no client is told to compress its certificate; without "aop" nginx before
# 1.29.1 with OpenSSL 3.2 or later does

SKIP: {
    my $client = $one->leaf('client');

    $nginx->write('client.crt', $client);
    $nginx->write('client.key', $client->key_pem);

    my %sent = map { $_ => certificate_message($_) } qw(stock on union);

    is($sent{$_} ? 1 : 0, 1, "$_: a certificate is sent") for qw(stock on union);

    skip 'OpenSSL compresses no certificates', 2
        unless $sent{stock} eq 'CompressedCertificate';

    is($sent{$_}, 'Certificate', "$_: as it is") for qw(on union);
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
     qr/\[warn\].*default for 127\.0\.0\.1:$port, requests .*"ssl_certificate"/,
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

# more CA names than a handshake carries: none are sent, no handshake fails

my $many = nginx(tls => 0);
my ($fits, $above, $long, $bundle, $shared) = $many->ports(5);
my @ca   = map { ca("CA $_", key => $one) } 1 .. 701;
my @wide = map { ca([ O => 'x' x 60, OU => 'y' x 60, L => 'z' x 100,
                      ST => 'w' x 100, CN => "Wide $_" ], key => $one) }
           1 .. 50;

$many->write('server.crt', $cert->pem);
$many->write('server.key', $cert->key_pem);
$many->write('fits.pem', [ @ca[0 .. 99] ]);
$many->write('above.pem', [ @ca[0 .. 100] ]);
$many->write('long.pem', \@wide);
$many->write('bundle.pem', \@ca);
$many->write('first.pem', [ @ca[0 .. 59] ]);
$many->write('last.pem', [ @ca[100 .. 159] ]);

my $own = 'ssl_certificate server.crt; ssl_certificate_key server.key;'
          . ' location / { return 200; }';

$many->configure(join "\n", $show,
    (map { 'server { ' . $many->listen_tls($$_[0])
           . " aop on; aop_ca $$_[1].pem; $own }" }
         [ $fits, 'fits' ], [ $above, 'above' ], [ $long, 'long' ],
         [ $bundle, 'bundle' ]),
    'server { ' . $many->listen_tls($shared)
    . " server_name first; aop on; aop_ca first.pem; $own }",
    'server { ' . $many->listen_tls($shared)
    . ' server_name last; aop optional; aop_ca last.pem; return 200; }');
$many->start;

$said = ($many->test_config)[1];

is(scalar(() = $said =~ /\[warn\] .*too many CA names for a TLS handshake/g), 4,
   'many CAs: nginx -t says where no names are sent');
like($said, qr/none of the 701 are sent/, 'many CAs: and how many there are');

for my $tls ('1.2', '1.3') {
    for (
        [ $fits, 'first', 100, $ca[99], '100' ],
        [ $above, 'first', 0, $ca[100], '101' ],
        [ $long, 'first', 0, $wide[49], '50 long ones' ],
        [ $bundle, 'first', 0, $ca[700], '701' ],
        [ $shared, 'first', 0, $ca[59], '60 and 60 of another server' ],
        [ $shared, 'last', 0, $ca[159], '60 of a server without its own' ])
    {
        my ($at, $sni, $names, $issuer, $what) = @$_;
        my %how = (tls => $tls, sni => $sni);

        my $got = request_for_certificate($at, %how);

        is(join(' ', $got->{asked}, scalar @{ $got->{names} }), "1 $names",
           "TLS $tls, many CAs: $what: asked, names");
        like(seen(get($at, %how, cert => $issuer->leaf('edge'))),
             qr/^200 \w+ ok PASSED$/, "TLS $tls, many CAs: $what: good");
        like(seen(get($at, %how)), qr/^(?:400 on none|200 optional none)/,
             "TLS $tls, many CAs: $what: none");
    }
}

$many->finish;

done_testing();


# certificate_message($sni): in which message OpenSSL's client sends its
# certificate.
sub certificate_message {
    my ($sni) = @_;

    my $said = AOP::Test::openssl('', 's_client', '-tls1_3', '-msg',
        '-connect', "127.0.0.1:$off_first", '-servername', $sni,
        '-cert', $nginx->path('client.crt'),
        '-key', $nginx->path('client.key'));

    my ($message) = $said =~ /^>>> TLS 1\.3, .*\b(\w*Certificate)$/m;

    return $message || '';
}
