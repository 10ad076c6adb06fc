#!/usr/bin/perl

# A QUIC connection that moves to another address (RFC 9000, 9): a request is
# from where its connection is, for nginx and for the module; the certificate
# is still that of the handshake.  A client that can do so is written with
# aioquic (Debian: python3-aioquic).

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
my $port  = $nginx->ports;
my $ca    = ca('Edge CA');
my $edge  = $ca->leaf('edge');

my $listen = "listen 127.0.0.1:$port quic; " . $nginx->listen_tls($port);

$nginx->write('ca.pem', $ca);
$nginx->write('edge.pem', $edge);
$nginx->write('edge.key', $edge->key_pem);
$nginx->write('client.py', client_program());

$nginx->configure(<<"EOC")->start;
    aop_ca ca.pem;
    aop_edge 127.0.0.2;
    log_format seen '\$uri \$remote_addr|\$aop_peer_addr|\$aop_peer|'
                    '\$aop_client_ip|\$aop_verdict';
    access_log seen.log seen;
    server { $listen server_name a.test;
             aop on; aop_real_ip on;
             location / { return 200 served; } }
EOC

my $real    = 'CF-Connecting-IP=203.0.113.7';
my $first   = '127.0.0.1|127.0.0.1|private|127.0.0.1|ok';
my $second  = '127.0.0.2|127.0.0.2|edge|127.0.0.2|ok';
my $believe = '203.0.113.7|127.0.0.1|private|203.0.113.7|ok';
my $moved   = '203.0.113.7|127.0.0.2|edge|203.0.113.7|ok';

# "move": the client knows and takes another connection ID; "rebind": it does
# not, it is a NAT that has forgotten

for my $how ('move', 'rebind') {
    is(run("/$how/1", $how, "/$how/2", "/$how/3 $real", "/$how/4"),
       "200 200 200 200\n", "$how: served");
    is(seen_of($how, 4), "$first, $second, $moved, $second", "$how: as logged");

    is(run("/real/$how/1 $real", $how, "/real/$how/2 $real", "/real/$how/3"),
       "200 200 200\n", "$how: served, with an address that is believed");
    is(seen_of("real/$how", 3), "$believe, $moved, $second",
       "$how: as logged, with an address that is believed");
}

$nginx->finish;

done_testing();


# run(@steps): what the program of that name says.
sub run {
    my @step = @_;

    open my $out, '-|', 'python3', $nginx->path('client.py'), $port,
        $nginx->path('edge.pem'), $nginx->path('edge.key'), @step
        or die "cannot run python3: $!";

    local $/;
    return <$out> // '';
}


# seen_of($name, $n): the lines of access.log for so many requests.
sub seen_of {
    my ($name, $n) = @_;

    $nginx->wait_file('seen.log', qr{^/\Q$name\E/$n });

    return join ', ', $nginx->read('seen.log') =~ m{^/\Q$name\E/\d (\S+)$}mg;
}


# client_program(): requests, one after the other, over one connection; between
# them it goes to another address.
sub client_program {
    return <<'EOP';
import socket
import ssl
import sys
import time

from aioquic.h3.connection import H3Connection
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import PingAcknowledged

MOST_SECONDS = 10

port, cert, key, *steps = sys.argv[1:]
server = ("127.0.0.1", int(port))

conf = QuicConfiguration(is_client=True, alpn_protocols=["h3"],
                         server_name="a.test", verify_mode=ssl.CERT_NONE)
conf.load_cert_chain(cert, key)

quic = QuicConnection(configuration=conf)
http = None
answers = []
end = time.time() + MOST_SECONDS


def bind(address):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    sock.settimeout(0.05)
    return sock


def send():
    for datagram, _ in quic.datagrams_to_send(now=time.time()):
        sock.sendto(datagram, server)


def turn():
    send()

    try:
        datagram = sock.recv(65536)
    except socket.timeout:
        if quic.get_timer() and quic.get_timer() <= time.time():
            quic.handle_timer(now=time.time())
        return

    quic.receive_datagram(datagram, server, now=time.time())

    event = quic.next_event()
    while event:
        if isinstance(event, PingAcknowledged):
            pings.append(event)
        for answer in http.handle_event(event):
            for name, value in getattr(answer, "headers", []):
                if name == b":status":
                    answers.append(value.decode())
        event = quic.next_event()


def turns(until):
    while not until():
        if time.time() > end:
            sys.exit("no answer: " + " ".join(answers))
        turn()


def request(path, headers):
    stream = quic.get_next_available_stream_id()
    known = len(answers)
    http.send_headers(stream, [
        (b":method", b"GET"), (b":scheme", b"https"),
        (b":authority", b"a.test"), (b":path", path.encode()),
    ] + [tuple(h.lower().encode().split(b"=", 1)) for h in headers], True)
    turns(lambda: len(answers) > known)


sock = bind("127.0.0.1")
quic.connect(server, now=time.time())
http = H3Connection(quic)
turns(lambda: quic._handshake_confirmed)

for step in steps:
    if step in ("move", "rebind"):
        sock.close()
        sock = bind("127.0.0.2")
        if step == "move":
            quic.change_connection_id()
        # nginx takes note of the address once it has read a datagram from there
        pings = []
        quic.send_ping(1)
        turns(lambda: pings)
    else:
        request(step.split()[0], step.split()[1:])

print(*answers)
quic.close()
send()
EOP
}
