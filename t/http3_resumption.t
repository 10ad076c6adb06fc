#!/usr/bin/perl

# Sessions over QUIC: a worker keeps them as over TCP, and each is good for one
# connection.  The client is written with aioquic (Debian: python3-aioquic).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

plan skip_all => 'this nginx has no HTTP/3'
    if `@{[ AOP::Test::Nginx->binary ]} -V 2>&1` !~ /--with-http_v3_module/;
plan skip_all => 'there is no python3-aioquic'
    if system('python3 -c "import aioquic" 2> /dev/null') != 0;

my $nginx = nginx();
my ($port, $off) = $nginx->ports(2);
my $ca    = ca('Edge CA');
my $edge  = $ca->leaf('edge');

$nginx->write('ca.pem', $ca);
$nginx->write('edge.pem', $edge);
$nginx->write('edge.key', $edge->key_pem);
$nginx->write('client.py', client_program());

my $servers = join '', map {
    my ($p, $aop) = @$_;
    "server { listen 127.0.0.1:$p quic; " . $nginx->listen_tls($p)
    . " server_name a.test; aop $aop; location / { return 200 served; } }\n"
} [ $port, 'on' ], [ $off, 'off' ];

$nginx->configure(<<"EOC")->start;
    aop_ca ca.pem;
    add_header X-Resumed \$aop_resumed always;
    $servers
EOC

is_deeply([ run($port, qw(cert last last first last)) ],
          [ '200 full id', '200 resumed id', '200 resumed id', '400 full ticket',
            '200 resumed id' ],
          'on: each session once, and each brings the next');
is_deeply([ run($port, qw(cert forged first)) ],
          [ '200 full id', 'failed', '200 resumed id' ],
          'on: an id without its key is of no use, and does no harm');
is_deeply([ run($port, qw(none last)) ], [ '400 full ticket', '400 full ticket' ],
          'on: without a certificate nothing is resumed');
is_deeply([ run($off, qw(none last)) ],
          [ '200 full ticket', '200 resumed ticket' ], 'off: tickets');

$nginx->finish;

done_testing();


# run($port, @visits): what comes of each.
sub run {
    my ($to, @visit) = @_;

    open my $out, '-|', 'python3', $nginx->path('client.py'), $to,
        $nginx->path('edge.pem'), $nginx->path('edge.key'), @visit
        or die "cannot run python3: $!";

    chomp(my @line = <$out>);

    return @line;
}


# client_program(): one connection after the other, with the certificate, or
# with a session that another has brought, or with neither.
sub client_program {
    return <<'EOP';
import copy
import socket
import ssl
import sys
import time

from aioquic.h3.connection import H3Connection
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated

MOST_SECONDS = 10
GRACE = 0.2

port, cert, key, *visits = sys.argv[1:]
server = ("127.0.0.1", int(port))
sessions = []


class Visit:
    def __init__(self, session, shows):
        conf = QuicConfiguration(is_client=True, alpn_protocols=["h3"],
                                 server_name="a.test",
                                 verify_mode=ssl.CERT_NONE)
        if shows:
            conf.load_cert_chain(cert, key)
        conf.session_ticket = session

        self.got = []
        self.status = None
        self.ended = False
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(0.05)
        self.quic = QuicConnection(configuration=conf,
                                   session_ticket_handler=self.got.append)
        self.quic.connect(server, now=time.time())
        self.http = H3Connection(self.quic)

    def send(self):
        for datagram, _ in self.quic.datagrams_to_send(now=time.time()):
            self.sock.sendto(datagram, server)

    def turn(self):
        self.send()
        try:
            self.quic.receive_datagram(self.sock.recv(65536), server,
                                       now=time.time())
        except socket.timeout:
            timer = self.quic.get_timer()
            if timer and timer <= time.time():
                self.quic.handle_timer(now=time.time())

        event = self.quic.next_event()
        while event:
            if isinstance(event, ConnectionTerminated):
                self.ended = True
            for answer in self.http.handle_event(event):
                for name, value in getattr(answer, "headers", []):
                    if name == b":status":
                        self.status = value.decode()
            event = self.quic.next_event()

    def turns(self, until, seconds=MOST_SECONDS):
        end = time.time() + seconds
        while not until() and not self.ended and time.time() < end:
            self.turn()

    def run(self):
        self.turns(lambda: self.quic._handshake_confirmed)
        if not self.quic._handshake_confirmed:
            return "failed"

        stream = self.quic.get_next_available_stream_id()
        self.http.send_headers(stream, [
            (b":method", b"GET"), (b":scheme", b"https"),
            (b":authority", b"a.test"), (b":path", b"/")], True)
        self.turns(lambda: self.status)
        self.turns(lambda: self.got, GRACE)
        self.quic.close()
        self.send()

        how = "resumed" if self.quic.tls.session_resumed else "full"
        kind = "none" if not self.got else \
               "id" if len(self.got[0].ticket) == 32 else "ticket"
        return f"{self.status} {how} {kind}"


for visit in visits:
    session = None

    if visit in ("last", "first", "forged") and sessions:
        session = copy.copy(sessions[-1 if visit == "last" else 0])
        if visit == "forged":
            secret = bytearray(session.resumption_secret)
            secret[0] ^= 1
            session.resumption_secret = bytes(secret)

    client = Visit(session, visit == "cert")
    print(client.run(), flush=True)
    if visit == "none" or client.status == "200":
        sessions += client.got
EOP
}
