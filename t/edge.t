#!/usr/bin/perl

# Where a peer is: the edge, a private address, anywhere else.  "aop_edge" says
# which addresses are the edge's, and whose PROXY protocol is believed; nothing
# that a peer says of itself changes its class.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::UNIX;
use Socket qw(inet_aton);
use Test::More;
use AOP::Test;

my $nginx = nginx();
my ($plain, $tls, $bare) = $nginx->ports(3);
my $listen = "listen 127.0.0.1:$plain proxy_protocol; "
             . $nginx->listen_tls($tls, 'proxy_protocol')
             . " listen 127.0.0.1:$bare;";
my ($built) = AOP::Test::Nginx::_run(AOP::Test::Nginx::binary(), '-V');

sub configuration {
    my ($http, $server) = @_;

    $server = '' unless defined $server;

    # its path is too short for a name of ours in most places
    my $unix = 'listen unix:' . socket_path() . ' proxy_protocol;';

    return <<"CONF";
    $http
    server {
        $listen $unix
        aop optional;
        $server
        add_header X-Peer "\$aop_peer \$aop_client_ip" always;
        location / { return 200; }
    }
CONF
}

# aop_edge, and what becomes of addresses under it

my @built_in = (
    edge => [ qw(173.245.48.0 173.245.63.255 103.21.244.0 103.21.247.255
                 104.16.0.0 104.23.255.255 131.0.72.1 2400:cb00::
                 2400:cb00:ffff:ffff:ffff:ffff:ffff:ffff 2a06:98c0::1
                 2a06:98c7:ffff::1 2c0f:f248::1 ::ffff:173.245.48.1
                 ::ffff:adf5:3001) ],
    direct => [ qw(173.245.47.255 173.245.64.0 103.21.243.255 103.21.248.0
                   104.15.255.255 2400:caff:ffff:ffff:ffff:ffff:ffff:ffff
                   2400:cb01:: 2a06:98bf::1 2a06:98c8::1 203.0.113.1
                   2001:db8::1 8.8.8.8 ::ffff:8.8.8.8 172.32.0.1
                   172.15.0.1 192.169.0.1 11.0.0.1 fec0::1 0.0.0.0
                   255.255.255.255) ],
    private => [ qw(127.0.0.1 127.9.9.9 10.0.0.1 172.16.0.1 172.31.255.255
                    192.168.0.1 169.254.1.1 ::1 fd00::1 fc00::1 fe80::1
                    ::ffff:10.0.0.1) ],
);

for (
    [ '', @built_in ],
    [ 'aop_edge cloudflare;', @built_in ],
    [ 'aop_edge proxy=203.0.113.200;', @built_in ],
    [ 'aop_edge 203.0.113.0/24 2001:db8::/32 198.51.100.7;',
      edge    => [ qw(203.0.113.0 203.0.113.255 2001:db8::1 198.51.100.7
                      ::ffff:203.0.113.9) ],
      direct  => [ qw(203.0.112.255 203.0.114.0 2001:db9:: 198.51.100.8
                      173.245.48.1 2400:cb00::1) ],
      private => [ qw(10.0.0.1) ] ],
    [ 'aop_edge cloudflare 203.0.113.0/24 proxy=192.0.2.1;',
      edge    => [ qw(203.0.113.1 173.245.48.1) ],
      direct  => [ qw(192.0.2.1) ],
      private => [ qw(10.0.0.1) ] ],
    [ 'aop_edge 10.1.0.0/16 fd01::/16;',
      edge    => [ qw(10.1.2.3 fd01::1 ::ffff:10.1.0.1) ],
      private => [ qw(10.2.0.1 fd02::1) ] ],
    [ 'aop_edge ::ffff:203.0.113.0/120;',
      edge    => [ qw(203.0.113.1 ::ffff:203.0.113.1) ],
      direct  => [ qw(203.0.114.1) ] ],
    [ 'aop_edge 203.0.113.77/24;', edge => [ '203.0.113.1' ],
      direct => [ '203.0.114.77' ] ],
    [ 'aop_edge 128.0.0.0/1;', edge => [ qw(203.0.113.1 128.0.0.0 239.1.1.1) ],
      direct => [ qw(8.8.8.8 8000::1 2001:db8::1) ] ],
    [ 'aop_edge ::/0 proxy=127.0.0.1;',
      edge => [ qw(8.8.8.8 2001:db8::1 2400:cb00::1) ] ],
) {
    my ($http, %class) = @$_;
    my $where = $http || 'without aop_edge';

    apply($http);

    for my $class (sort keys %class) {
        is(peer($plain, proxy($_)), "$class $_", "$where: $_ is $class")
            for @{ $class{$class} };
    }

    is(peer($tls, proxy($class{edge}[0])), "edge $class{edge}[0]",
       "$where: over TLS");
}

# whose PROXY protocol is believed

my $claim = proxy('173.245.48.1');

for (
    [ '', 'edge 173.245.48.1', 'a private sender' ],
    [ 'aop_edge 127.0.0.1;', 'edge 127.0.0.1', 'the edge' ],
    [ 'aop_edge 127.0.0.1 proxy=127.0.0.2;', 'edge 127.0.0.1',
      'an address beside the proxy' ],
    [ 'aop_edge cloudflare 127.0.0.1 proxy=127.0.0.1;', 'edge 173.245.48.1',
      'a proxy' ],
    [ 'aop_edge cloudflare 127.0.0.1 proxy=192.0.2.1 proxy=127.0.0.0/30;',
      'edge 173.245.48.1', 'one of several proxies' ],
    [ 'aop_edge 127.0.0.1 proxy=127.0.0.1;', 'direct 173.245.48.1',
      'a proxy of no edge' ],
) {
    my ($http, $peer, $name) = @$_;

    apply($http);
    is(peer($plain, $claim), $peer, "PROXY protocol from $name");
    is(peer($tls, $claim), $peer, "PROXY protocol from $name, TLS");
}

apply('');
is(peer($bare, ''), 'private 127.0.0.1', 'no PROXY protocol');
is(peer($plain, "PROXY UNKNOWN\r\n"), 'private 127.0.0.1',
   'a PROXY protocol of an unknown family');
is(peer($plain, "PROXY UNKNOWN 173.245.48.1 127.0.0.1 1 2\r\n"),
   'private 127.0.0.1', 'with addresses that do not count');

# version 2: a command and family, a length, addresses and ports

my $signature = "\r\n\r\n\0\r\nQUIT\n";

is(peer($plain, $signature . pack('CCn a4 a4 n n', 0x21, 0x11, 12,
        inet_aton('173.245.48.1'), inet_aton('127.0.0.1'), 1, 2)),
   'edge 173.245.48.1', 'version 2');
is(peer($plain, $signature . pack('CCn', 0x20, 0, 0)), 'private 127.0.0.1',
   'version 2, the sender itself');

# a UNIX-domain socket

is(unix_peer("PROXY TCP4 203.0.113.1 127.0.0.1 1 2\r\n"),
   'direct 203.0.113.1', 'a UNIX-domain socket is trusted');
like(unix_peer("PROXY UNKNOWN\r\n"), qr/^private unix:/,
     'a UNIX-domain socket is private');

# a header never counts

my @forged = map { ($_ => '173.245.48.1') }
             qw(X-Forwarded-For X-Real-IP CF-Connecting-IP Forwarded
                True-Client-IP);

is(get($bare, tls => 0, headers => \@forged)->header('X-Peer'),
   'private 127.0.0.1', 'headers do not count');

SKIP: {
    skip 'nginx without realip', 3 unless $built =~ /http_realip_module/;

    for my $header (qw(X-Real-IP proxy_protocol)) {
        apply('', "set_real_ip_from 0.0.0.0/0; real_ip_header $header;");

        is(get($plain, tls => 0, prelude => proxy('203.0.113.5'),
               headers => \@forged)->header('X-Peer'),
           'direct 203.0.113.5', "real_ip_header $header");
    }

    apply('aop_edge 203.0.113.5;',
          'set_real_ip_from 0.0.0.0/0; real_ip_header X-Real-IP;');
    is(get($bare, tls => 0, headers => [ 'X-Real-IP' => '203.0.113.5' ])
       ->header('X-Peer'), 'private 127.0.0.1', 'realip does not count');
}

# one connection, one peer

for my $http ('1.1', '2') {
    apply('');

    my $client = client($tls, http => $http, prelude => proxy('104.16.1.1'));

    is(join(', ', map { $client->get('/')->header('X-Peer') } 1 .. 3),
       join(', ', ('edge 104.16.1.1') x 3), "HTTP/$http: kept alive");
}

# what is wrong

for ([ 'aop_edge;', qr/invalid number of arguments in "aop_edge"/ ],
     (map { [ "aop_edge $_;", said($_) ] }
      qw(nonsense Cloudflare 1.2.3.4/33 1.2.3.4/ 1.2.3.4/x 1.2.3.4/-1 1.2.3
         1.2.3.4.5 ::/129 2400:cb00::/32/1 example.com unix: 1.2.3.4:80
         ::ffff:1.2.3.4/129)),
     (map { [ "aop_edge cloudflare proxy=$_;",
              said($_) ] }
      '', qw(nonsense 1.2.3.4/33 cloudflare)),
     [ 'aop_edge cloudflare; aop_edge cloudflare;',
       qr/"aop_edge" directive is duplicate/ ])
{
    my ($http, $error) = @$_;

    my ($code, $output) = $nginx->configure(configuration($http))->test_config;

    isnt($code, 0, "$http refused");
    like($output, qr/\[emerg\].*$error/, "$http said");
}

my ($code, $output) = $nginx->configure(configuration('', 'aop_edge ::/0;'))
                            ->test_config;

isnt($code, 0, 'in a server: refused');
like($output, qr/"aop_edge" directive is not allowed here/,
     'in a server: said');

for ([ 'aop_edge 203.0.113.77/24;', '203.0.113.77/24' ],
     [ 'aop_edge 2001:db8::1/64;', '2001:db8::1/64' ],
     [ 'aop_edge 203.0.113.0/24 203.0.113.77 2001:db8::/32;' ])
{
    my ($http, $range) = @$_;

    ($code, $output) = $nginx->configure(configuration($http))->test_config;

    is($code, 0, "$http: allowed");
    is(join(' ', $output =~ /\[warn\].*low address bits of (\S+) are meaningless/g),
       $range || '', "$http: warned of what is ignored");
}

$nginx->finish;

done_testing();


# apply($http, $server): that configuration from now on
sub apply {
    my ($http, $server) = @_;

    my $text = configuration($http, $server);

    return $nginx->configure($text)->start unless $nginx->pid;

    $nginx->reload($text) or die 'no reload: ' . $nginx->read('error.log');
}

sub said {
    my ($text) = @_;
    return qr/invalid\ address\ range\ "\Q$text\E"\ in\ "aop_edge",
              \ it\ must\ be\ "cloudflare"\ or\ an\ address\ with
              \ or\ without\ "\/bits"\ in\ /x;
}

sub peer {
    my ($port, $prelude) = @_;

    my $answer = get($port, tls => $port == $tls ? 1 : 0,
                     $prelude ne '' ? (prelude => $prelude) : ());

    return $answer->status ? $answer->header('X-Peer') : $answer->error;
}

sub proxy {
    my ($address) = @_;
    return $address =~ /:/ ? "PROXY TCP6 $address ::1 1234 443\r\n"
                           : "PROXY TCP4 $address 127.0.0.1 1234 443\r\n";
}

# 108 bytes are all there is for the path of such a socket
sub socket_path { return $nginx->dir =~ s{.*/}{/tmp/}r . '.sock' }

END { unlink socket_path() if $nginx }

sub unix_peer {
    my ($prelude) = @_;

    my $socket = IO::Socket::UNIX->new(Peer => socket_path()) or return $!;

    print {$socket} "${prelude}GET / HTTP/1.0\r\n\r\n";
    local $/;
    my ($peer) = (<$socket> // '') =~ /^X-Peer: (.*?)\r$/m;

    return $peer;
}
