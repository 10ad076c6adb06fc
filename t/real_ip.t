#!/usr/bin/perl

# aop_real_ip: the address in a header is the client's if the certificate
# passed, wherever nginx asks for one; in any other case nothing changes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::SSL qw(SSL_VERIFY_NONE);
use IO::Socket::UNIX;
use JSON::PP qw(decode_json);
use Test::More;
use AOP::Test;

my $nginx = nginx();
my ($port, $proxied, $plain, $status, $backend) = $nginx->ports(5);
my $listen = $nginx->listen_tls($port);
my $listen_proxied = $nginx->listen_tls($proxied, 'proxy_protocol');

# 108 bytes are all there is for the path of such a socket
my $unix = $nginx->dir =~ s{.*/}{/tmp/}r . '.sock';

END { unlink $unix if $unix }

my ($built) = AOP::Test::Nginx::_run(AOP::Test::Nginx::binary(), '-V');
my $realip  = $built =~ /http_realip_module/;

my $ca   = ca('Edge CA');
my $good = $ca->leaf('edge');
my $bad  = ca('Foreign')->leaf('stranger');
my $none;

my $own = '127.0.0.1';
my ($client, $other, $client6) = qw(203.0.113.7 198.51.100.9 2001:db8::7);

$nginx->write('ca.pem', $ca);
$nginx->write('edge.pem', $good);
$nginx->write('edge.key', $good->key_pem);
$nginx->write('html/file.txt', 'file');
$nginx->write('html/slow.txt', 'x' x 1500);
$nginx->write('html/page.html',
              '(<!--# include virtual="/who" -->) <!--# echo var="seen" -->');

my $who = '$remote_addr|$remote_port|$aop_peer_addr|$aop_peer';

# realip may also look after the location is known

my $beside = !$realip ? '' : <<"EOF";
    server {
        $listen
        server_name realip;
        set_real_ip_from 127.0.0.1;
        set_real_ip_from 203.0.113.0/24;
        real_ip_header X-Real-IP;

        location / { return 200 "$who"; }

        location /again.txt {
            alias html/file.txt;
            allow 203.0.113.7;
            allow 198.51.100.9;
            deny all;
            add_header X-Who "$who" always;
        }
    }

    server {
        $listen
        server_name before;
        location / {
            return 200 "\$realip_remote_addr \$realip_remote_port";
        }
        location /rewrite { rewrite ^ / last; }
    }

    server {
        $listen_proxied
        server_name proxied-realip;

        location / {
            root html;
            set_real_ip_from 127.0.0.1;
            real_ip_header proxy_protocol;
            add_header X-Who "$who" always;
        }
    }

    server {
        $listen
        server_name late;

        location / {
            root html;
            set_real_ip_from 0.0.0.0/0;
            add_header X-Who "$who" always;
        }

        location /limited/ {
            alias html/;
            set_real_ip_from 0.0.0.0/0;
            limit_req zone=late;
        }
    }
EOF

my $configuration = <<"EOF";
    aop optional;
    aop_ca ca.pem;
    aop_real_ip on;
    large_client_header_buffers 4 16k;
    limit_conn_zone \$binary_remote_addr zone=conn:1m;
    limit_req_zone \$binary_remote_addr zone=req:1m rate=1r/m;
    limit_req_zone \$remote_addr zone=late:1m rate=1r/m;

    log_format who '\$uri \$remote_addr \$aop_peer_addr \$aop_verdict';
    log_format seen '\$http_x_seen';
    access_log who.log who;
    access_log json.log aop_json;

    map \$remote_addr \$mapped { $client known; default unknown; }
    map \$remote_addr \$mode_of_address { $client off; default optional; }
    geo \$located { 203.0.113.0/24 near; 2001:db8::/32 far; default nowhere; }
    split_clients \$remote_addr \$part { 50% a; * b; }

    server {
        $listen
        server_name main;

        location / { return 200 "$who"; }
        location /who { return 200 "$who"; }
        location /both { return 200 "\$remote_addr \$aop_client_ip"; }
        location /off { aop off; return 200 "\$aop_mode:$who"; }

        location /access { allow 203.0.113.0/24; allow 2001:db8::/32; deny all;
                           alias html/file.txt; }
        location /satisfy { satisfy any; allow 203.0.113.0/24; deny all;
                            auth_request /no; alias html/file.txt; }
        location /no { internal; return 403; }
        location /map { return 200 "\$mapped \$located"; }
        location /split { return 200 \$part; }
        location /req { limit_req zone=req; alias html/file.txt; }
        location /conn { limit_conn conn 1; limit_rate 1k;
                         alias html/slow.txt; }

        location /rewrite { rewrite ^ /who last; }
        location /try { try_files /nowhere /who; }
        location /named { try_files /nowhere \@named; }
        location /error { error_page 404 = /who; return 404; }
        location \@named { return 200 "$who"; }

        location /page.html { ssi on; ssi_types *; set \$seen \$remote_addr;
                              root html; }
        location /dir/ { alias html/; index page.html; ssi on; ssi_types *;
                         set \$seen \$remote_addr; }
        location /asks { auth_request /auth; alias html/file.txt; }
        location /auth { proxy_pass http://127.0.0.1:$backend;
                         proxy_set_header X-Seen \$remote_addr; }
        location /proxy { proxy_pass http://127.0.0.1:$backend;
                          proxy_set_header X-Seen
                                           \$proxy_add_x_forwarded_for; }
    }

    server { $listen server_name return; return 200 "$who"; }
    server { $listen server_name on; aop on;
             location / { return 200 "$who"; } }
    server { $listen server_name off; aop_real_ip off;
             location / { return 200 "$who"; } }
    server { $listen server_name disabled; aop off;
             location / { return 200 "$who"; } }
    server { $listen server_name custom; aop_real_ip X-Client;
             location / { return 200 "$who"; } }
    server { $listen server_name partly; aop off;
             location / { return 200 "$who"; }
             location /strict { aop on; return 200 "$who"; } }

    # what the mode's variable has read is not what the log is to have

    server { $listen server_name variable; aop \$mode_of_address;
             location / { return 200 "\$aop_mode:$who"; } }

    server { $listen_proxied listen unix:$unix ssl; server_name proxied;
             location / { return 200 "$who"; } }
    server { listen 127.0.0.1:$plain;
             location / { return 200 "$who"; } }
    server { listen 127.0.0.1:$status; aop off; location / { aop_report; } }

    server { listen 127.0.0.1:$backend; aop off; access_log off;
             location /auth { access_log auth.log seen; return 204; }
             location / { return 200 \$http_x_seen; } }

    $beside
EOF

$nginx->configure($configuration)->start;

# ask($host, $header, %options): the answer of one request; $header is the value
# of CF-Connecting-IP, or a list of headers.
sub ask {
    my ($host, $header, %opt) = @_;

    my $headers = ref $header ? $header
                : defined $header ? [ 'CF-Connecting-IP' => $header ] : [];

    return get($port, sni => $host, cert => $good, headers => $headers, %opt);
}

# who($host, $header, %options): the client's address and port, and the peer.
sub who { return ask(@_)->body }

# those of a client that is believed; and what is not
sub set   { return "$_[0]||$own|private" }
sub unset { return qr/^\Q$own\E\|\d+\|\Q$own\E\|private$/ }

for my $http ('1.1', '2') {
    my @how = (http => $http);
    my $is  = "HTTP/$http";

    for my $address ($client, $client6, '0.0.0.1', '::1', $own,
                     '2001:db8:1:2:3:4:5:6')
    {
        is(who('main', $address, @how), set($address), "$is: $address");
        is(who('main', $address, @how, path => '/both'), "$address $address",
           "$is: \$aop_client_ip agrees, $address");
    }

    is(who('main', '2001:DB8:0::7', @how), set($client6),
       "$is: another form of it");
    is(who('main', [ 'cf-connecting-ip' => $client ], @how), set($client),
       "$is: the name in lower case");

    # not exactly one address

    for (
        [ $none, 'no header' ],
        [ '', 'an empty one' ],
        [ "$client, $other", 'a list' ],
        [ "$client $other", 'two with a space' ],
        [ "$client:80", 'a port' ],
        [ "[$client6]", 'brackets' ],
        [ "[$client6]:80", 'brackets and a port' ],
        [ "::ffff:$client", 'IPv4-mapped' ],
        [ '::ffff:cb00:7107', 'IPv4-mapped, hexadecimal' ],
        [ '203.0.113', 'a part is missing' ],
        [ '203.0.113.', 'a part is empty' ],
        [ '203.0.113.07', 'a leading zero' ],
        [ '203.0.113.256', 'out of range' ],
        [ '203.0.113.0/24', 'a network' ],
        [ 'fe80::1%eth0', 'a zone' ],
        [ '1::2::3', 'two gaps' ],
        [ '3405803783', 'a number' ],
        [ 'unix:', 'unix:' ],
        [ 'localhost', 'a name' ],
        [ "$client x", 'something after it' ],
        # nginx before 1.19.7 takes no longer field in HTTP/2
        [ 'x' x 4000, '4,000 letters' ],
        [ '1' x 4000, '4,000 digits' ],
        [ [ map { ('CF-Connecting-IP' => $_) } $client, $other ],
          'two headers' ],
        [ [ map { ('CF-Connecting-IP' => $_) } $client, $client ],
          'the same header twice' ],
        [ [ 'CF-Connecting-IP' => $client, 'cf-connecting-ip' => '' ],
          'two headers, one of them empty' ],
        [ [ 'X-Forwarded-For' => $client, 'X-Real-IP' => $client,
            'True-Client-IP' => $client ], 'other headers' ])
    {
        my ($header, $name) = @$_;
        like(who('main', $header, @how), unset(), "$is: $name");
        is(who('main', $header, @how, path => '/both'), "$own $own",
           "$is: \$aop_client_ip agrees, $name");
    }

    # nobody vouches for it

    for ([ 'none', $none ], [ 'bad', $bad ]) {
        my ($name, $cert) = @$_;

        like(who($_, $client, @how, cert => $cert), unset(),
             "$is: certificate $name, $_") for qw(main return off partly);
        like(who('custom', [ 'X-Client' => $client ], @how, cert => $cert),
             unset(), "$is: certificate $name, another header");
        is(ask('on', $client, @how, cert => $cert)->status, 400,
           "$is: certificate $name, on: refused");
    }

    # where it is written

    is(who('return', $client, @how), set($client),
       "$is: before the server's own return");
    is(who('on', $client, @how), set($client), "$is: mode on");
    like(who('off', $client, @how), unset(), "$is: aop_real_ip off");
    like(who('disabled', $client, @how), unset(), "$is: aop off");
    is(who('main', $client, @how, path => '/off'), 'off:' . set($client),
       "$is: a location with aop off");
    is(who('partly', $client, @how), set($client),
       "$is: by the server's verdict, not its mode");
    is(who('partly', $client, @how, path => '/strict'), set($client),
       "$is: and in its strict location");
    is(who('custom', [ 'X-Client' => $client ], @how), set($client),
       "$is: another header");
    like(who('custom', $client, @how), unset(), "$is: not that header");
    is(who('variable', $client, @how), 'optional:' . set($client),
       "$is: an aop \$variable does not go by it");

    # where nginx asks for the client's address

    for ([ $client, 200 ], [ $client6, 200 ], [ $other, 403 ], [ '', 403 ]) {
        my ($address, $code) = @$_;
        is(ask('main', $address, @how, path => '/access')->status, $code,
           "$is: allow and deny, '$address'");
    }

    is(ask('main', $client, @how, path => '/access', cert => $bad)->status, 403,
       "$is: allow and deny, a bad certificate");
    is(ask('main', $client, @how, path => '/satisfy')->status, 200,
       "$is: satisfy any");
    is(ask('main', $other, @how, path => '/satisfy')->status, 403,
       "$is: satisfy any, another address");
    is(ask('main', $client, @how, path => '/satisfy', cert => $none)->status,
       403, "$is: satisfy any, no certificate");

    is(who('main', $client, @how, path => '/map'), 'known near',
       "$is: map and geo");
    is(who('main', $client6, @how, path => '/map'), 'unknown far',
       "$is: map and geo, IPv6");
    is(who('main', $client, @how, path => '/map', cert => $none),
       'unknown nowhere', "$is: map and geo, no certificate");

    my %part = map { who('main', "203.0.113.$_", @how, path => '/split') => 1 }
               1 .. 20;

    is(join('', sort keys %part), 'ab', "$is: split_clients");

    my $net = $http eq '2' ? 2 : 1;

    is(join(' ', map { ask('main', $_, @how, path => '/req')->status }
                 "10.$net.0.1", "10.$net.0.1", "10.$net.0.2",
                 "fd00:$net\::1", "fd00:$net\::1", "fd00:$net\::2"),
       '200 503 200 200 503 200', "$is: limit_req");

    # redirects and subrequests

    is(who('main', $client, @how, path => "/$_"), set($client), "$is: $_")
        for qw(rewrite try named error);
    is(who('main', $client, @how, path => '/page.html'),
       '(' . set($client) . ") $client", "$is: SSI");
    is(who('main', $client, @how, path => '/dir/'),
       '(' . set($client) . ") $client", "$is: an index");
    is(who('main', $client, @how, path => '/proxy'), $client, "$is: upstream");
    is(ask('main', $client, @how, path => '/asks')->status, 200,
       "$is: auth_request");

    # each request has its own

    my $connection = client($port, sni => 'main', http => $http,
                            cert => $good);

    is(join(' ', map { $connection->get('/', headers => $_)->body =~ s/\|.*//r }
                 [ 'CF-Connecting-IP' => $client ], [],
                 [ 'CF-Connecting-IP' => $client6 ],
                 [ 'CF-Connecting-IP' => "$client," ],
                 [ 'CF-Connecting-IP' => $other ]),
       "$client $own $client6 $own $other", "$is: one connection");
    is(join(' ', map { $_->body =~ s/\|.*//r } $connection->get_all(
                 [ '/', headers => [ 'CF-Connecting-IP' => $client ] ],
                 [ '/' ],
                 map { [ '/who', headers =>
                         [ 'CF-Connecting-IP' => "10.0.0.$_" ] ] } 1 .. 20)),
       join(' ', $client, $own, map { "10.0.0.$_" } 1 .. 20),
       "$is: requests side by side");
    $connection->close;
}

is($nginx->read('auth.log'), "$client\n" x 2, 'auth_request: to the upstream');

# connections are counted by client

my $streams = client($port, sni => 'main', http => '2', cert => $good);

is(join(' ', sort map { $_->status } $streams->get_all(
       map { [ '/conn', headers => [ 'CF-Connecting-IP' => $_ ] ] }
       $client, $client, $other)), '200 200 503', 'limit_conn');
$streams->close;

# in the logs

ask('main', $client, path => '/logged');
like($nginx->wait_file('who.log', qr{^/logged }), qr/ \Q$client $own\E ok$/,
     'access log');

my ($json) = grep { $_->{uri} eq '/logged' }
             map { decode_json($_) } split /\n/, $nginx->read('json.log');

is("$json->{client_ip} $json->{peer_addr} $json->{peer}",
   "$client $own private", 'aop_json');

ask('variable', $client, path => '/by_variable');
like($nginx->wait_file('who.log', qr{^/by_variable }),
     qr/ \Q$client $own\E ok$/,
     'access log, after an aop $variable has read the address');

my $mark = $nginx->mark;

ask('main', $other, path => '/access');
like($nginx->wait_log(qr/access forbidden by rule/, $mark),
     qr/, client: \Q$other\E, /, 'error log');

$mark = $nginx->mark;
ask('main', $client, path => '/untrusted', cert => $bad);
like($nginx->wait_log(qr{"GET /untrusted }, $mark),
     qr/ peer: \Q$own\E \(private\), .* client: \Q$own\E, /,
     'error log, a bad certificate');

# counted by the connection's own address

my $report = decode_json(get($status, tls => 0)->body);

is(join(' ', sort keys %{ { map { $_->{peer} => 1 }
                            map { @{ $_->{requests} } }
                            @{ $report->{servers} } } }), 'private',
   'report: by the own address');
is_deeply([ grep { $_ ne $own } map { $_->{address} }
            @{ $report->{failing_edge} }, @{ $report->{failing_direct} } ], [],
          'report: no other address fails');

# other ways in

my %from = (prelude => "PROXY TCP4 192.0.2.1 127.0.0.1 1234 443\r\n",
            cert => $good, sni => 'proxied',
            headers => [ 'CF-Connecting-IP' => $client ]);

is(get($proxied, %from)->body, "$client||192.0.2.1|direct", 'PROXY protocol');
is(get($proxied, %from, cert => $none)->body =~ s/\|\d+/|N/r,
   "$own|N|192.0.2.1|direct", 'PROXY protocol, no certificate');
# each form of its header, as nginx's realip may read it too

my $v2 = "\r\n\r\n\0\r\nQUIT\n";

my @v2 = (
    pack('a12 C2 n N2 n2', $v2, 0x21, 0x11, 12, 0xc0000201, 0x7f000001,
         1234, 443),
    pack('a12 C2 n N x8 N N x8 N n2', $v2, 0x21, 0x21, 36, 0x20010db8, 1,
         0x20010db8, 2, 1234, 443),
    pack('a12 C2 n N2 n2 C n a4', $v2, 0x21, 0x11, 19, 0xc0000201, 0x7f000001,
         1234, 443, 0xe0, 4, 'x' x 4),
    pack('a12 C2 n', $v2, 0x20, 0x00, 0),
);

for (
    [ "PROXY TCP4 192.0.2.1 127.0.0.1 1234 443\r\n", '192.0.2.1', 'TCP4' ],
    [ "PROXY TCP6 2001:DB8::1 ::1 1234 443\r\n", '2001:db8::1', 'TCP6' ],
    [ "PROXY UNKNOWN\r\n", undef, 'UNKNOWN' ],
    [ "PROXY UNKNOWN 1 2 3 4 5 6\r\n", undef, 'UNKNOWN and more' ],
    [ $v2[0], '192.0.2.1', 'version 2, IPv4' ],
    [ $v2[1], '2001:db8::1', 'version 2, IPv6' ],
    [ $v2[2], '192.0.2.1', 'version 2, with something else' ],
    [ $v2[3], undef, 'version 2, of the proxy itself' ])
{
    my ($prelude, $from, $name) = @$_;
    my $peer = $from ? lc "$from|direct" : "$own|private";

    for my $http ('1.1', '2') {
        my @how = (%from, prelude => $prelude, http => $http);

        is(lc get($proxied, @how)->body, "$client||$peer",
           "PROXY protocol, $name, HTTP/$http");
        is(lc(get($proxied, @how, cert => $bad)->body =~ s/\|\d+\|/|N|/r),
           lc "$own|N|$peer",
           "PROXY protocol, $name, HTTP/$http: a bad certificate");

        next unless $realip;

        my $addr = $from ? lc "$from|1234" : "$own|N";

        @how = (@how, sni => 'proxied-realip', path => '/file.txt');

        is(lc get($proxied, @how)->header('X-Who'), "$client||$peer",
           "PROXY protocol, $name, HTTP/$http: realip and ours");
        is(lc(get($proxied, @how, cert => $bad)->header('X-Who')
              =~ s/^(\Q$own\E)\|\d+\|/$1|N|/r), lc "$addr|$peer",
           "PROXY protocol, $name, HTTP/$http: realip alone");
    }
}

like(get($plain, tls => 0, headers => [ 'CF-Connecting-IP' => $client ])->body,
     unset(), 'plain HTTP');

like(unix_who(1), qr/^\Q$client\E\|\|unix:[^|]*\|private$/, 'a unix socket');
like(unix_who(0), qr/^unix:[^|]*\|\|unix:[^|]*\|private$/,
     'a unix socket, no certificate');

# beside nginx's realip

SKIP: {
    skip 'nginx without realip', 18 unless $realip;

    my @both = ('X-Real-IP' => $other, 'CF-Connecting-IP' => $client);

    is(who('realip', [ 'X-Real-IP' => $other ]), set($other), 'realip alone');
    is(who('realip', [ @both ]), set($client), 'realip and ours');
    is(who('realip', [ @both ], cert => $none), set($other),
       'realip, no certificate');

    for ([ 'realip', '/again.txt' ], [ 'late', '/file.txt' ]) {
        my ($host, $path) = @$_;

        my $answer = ask($host, [ @both ], path => $path);

        is($answer->status . ' ' . $answer->header('X-Who'),
           '200 ' . set($client), "$host: ours has the last word");

        $answer = ask($host, [ 'X-Real-IP' => $other ], path => $path);

        is($answer->status . ' ' . $answer->header('X-Who'),
           '200 ' . set($other), "$host: without ours");
    }

    is(join(' ', map {
           ask('late', [ 'X-Real-IP' => "192.0.2.$_",
                         'CF-Connecting-IP' => $client ],
               path => '/limited/file.txt')->status } 1 .. 2), '200 503',
       'late: limit_req goes by ours');

    my $connection = client($port, sni => 'late', cert => $good);

    is(join(' ', map { $connection->get('/file.txt', headers => $_)
                       ->header('X-Who') =~ s/\|.*//r }
                 [ @both ], [], [ 'X-Real-IP' => $other ], [], [ @both ]),
       "$client $own $other $own $client", 'late: each request has its own');
    $connection->close;

    # realip's variables

    $connection = client($port, sni => 'before', cert => $good);

    like(join(' ', map { $connection->get($_, headers =>
                             [ 'CF-Connecting-IP' => $client ])->body }
                   '/', '/', '/rewrite'),
         qr/^\Q$own\E (\d+)(?: \Q$own\E \1){2}$/,
         'realip: the address and port before');
    $connection->close;

    # the same header, for which realip does not need a certificate

    my $from = 'set_real_ip_from 10.0.0.0/8;';

    for (
        [ "real_ip_header CF-Connecting-IP; $from", 'on', 'CF-Connecting-IP' ],
        [ "real_ip_header cf-connecting-ip; $from", 'on', 'CF-Connecting-IP' ],
        [ $from, 'X-Real-IP', 'X-Real-IP' ],
        [ "real_ip_header X-Forwarded-For; $from", 'x-forwarded-for',
          'x-forwarded-for' ])
    {
        my ($stock, $ours, $header) = @$_;

        like(warnings("$stock aop_real_ip $ours; server { aop on;"),
             qr/"real_ip_header\ $header"\ is\ used\ with
                \ "aop_real_ip"\ in
                \ \S+:\d+,\ in\ the\ server\ in\ \S+:\d+:\ .*without/x,
             "warns: $stock $ours");
    }

    for ('real_ip_header CF-Connecting-IP;', $from,
         "$from real_ip_header proxy_protocol;",
         "$from real_ip_header X-Forwarded-For;")
    {
        is(warnings("$_ aop_real_ip on; server { aop on;"), '',
           "does not warn: $_");
    }
}

# what is wrong, and what has no effect

for ('$http_x', 'X-Client:', '"a b"', "''", 'X/Y', "X\xc3\xa4") {
    my ($code, $output) = $nginx->configure("server { aop_real_ip $_; }")
                          ->test_config;

    isnt($code, 0, "aop_real_ip $_: refused");
    like($output, qr/\[emerg\].*invalid value "[^"]*" in "aop_real_ip" dir/,
         "aop_real_ip $_: said");
}

for ([ 'aop_real_ip X Client;', 'invalid number of arguments in' ],
     [ 'aop_real_ip on; aop_real_ip off;', '"aop_real_ip" directive is dupl' ],
     [ 'location / { aop_real_ip on; }', '"aop_real_ip" directive is not all' ])
{
    my ($server, $said) = @$_;

    like(warnings("server { $server"), qr/^error: .*\[emerg\].*\Q$said\E/s,
         $server);
}

my $useless = qr/^(?:nginx:|\S+ \S+) \[warn\] .*"aop_real_ip" in \S+:\d+ has no effect/;

is(warnings("server { aop_real_ip $_;"), '', "does not warn: $_")
    for 'on; aop on', 'ON; aop optional', 'True-Client-IP; aop on', 'off',
        'Off; aop on', 'on; location /strict { aop on; } tcp_nodelay on';

like(warnings('server { aop_real_ip on;'), $useless, 'warns: aop is off');
like(warnings('server { aop_real_ip on; aop off;'), $useless,
     'warns: aop off in the same place');

my $unused = "aop_real_ip on; server { listen 127.0.0.1:$status; aop off; }";

is(warnings("aop on; $unused server {"), '',
   'does not warn: another server uses it');
like(warnings("$unused server {"), $useless, 'warns: no server uses it');
unlike(warnings("$unused server {"), qr/\n/, 'warns: once');

$nginx->finish;

done_testing();


# warnings($http): those of a configuration whose last server is still open.
sub warnings {
    my ($http) = @_;

    my ($code, $output) = $nginx->configure("aop_ca ca.pem; $http $listen }")
                          ->test_config;

    return $code ? "error: $output"
                 : join "\n", grep { /\[warn\]/ } split /\n/, $output;
}


# unix_who($certificate): what a client of the unix socket is told.
sub unix_who {
    my ($certificate) = @_;

    my $socket = IO::Socket::UNIX->new(Peer => $unix) or return $!;
    my @cert   = $certificate ? (SSL_cert_file => $nginx->path('edge.pem'),
                                 SSL_key_file  => $nginx->path('edge.key'))
                              : ();

    IO::Socket::SSL->start_SSL($socket, SSL_verify_mode => SSL_VERIFY_NONE,
                               SSL_hostname => 'proxied', Timeout => 5, @cert)
        or return $IO::Socket::SSL::SSL_ERROR;

    print {$socket} "GET / HTTP/1.0\r\nHost: proxied\r\n"
                    . "CF-Connecting-IP: $client\r\n\r\n";

    local $/;
    return (<$socket> // '') =~ s/.*\r\n\r\n//sr;
}
