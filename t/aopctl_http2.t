#!/usr/bin/perl

# "aopctl probe" against servers that agree on HTTP/2 and do not speak it well.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use IO::Socket::SSL;
use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;

use constant {
    SETTINGS => 4,
    GOAWAY   => 7,
    HEADERS  => 1,
};

my $cert    = AOP::Test::Cert->server('h2.test');
my $context = IO::Socket::SSL::SSL_Context->new(
    SSL_server             => 1,
    SSL_cert               => $cert->x509,
    SSL_key                => $cert->key,
    SSL_alpn_protocols     => [ 'h2' ],
    SSL_session_id_context => 'x',
);

my @pid;

pipe my $sent_from, my $sent_to or die "pipe: $!";
$sent_from->blocking(0);

# server($answer): a port where that is the answer to each request; a reference
# is to what is sent again and again.
sub server {
    my ($answer) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 20,
                                       ReuseAddr => 1) or die "listen: $!";
    my $pid = fork();
    die "fork: $!" unless defined $pid;

    if ($pid) {
        push @pid, $pid;
        return $listen->sockport;
    }

    alarm 60;
    $SIG{PIPE} = 'IGNORE';

    while (my $client = $listen->accept) {
        $client = IO::Socket::SSL->start_SSL($client,
            SSL_server => 1, SSL_reuse_ctx => $context) or next;
        sysread $client, my $request, 4096;

        if (ref $answer) {
            my $sent = 0;

            while (my $n = syswrite $client, $$answer) { $sent += $n }
            syswrite $sent_to, "$sent\n";
            close $client;
            next;
        }

        print {$client} $answer;

        # the end goes after the answer, and no reset before it

        Net::SSLeay::shutdown($client->_get_ssl_object);
        1 while sysread $client, $request, 4096;
        close $client;
    }

    POSIX::_exit(0);
}

# how much was sent without end, a line a connection
sub read_sent {
    my $sent = '';

    for (1 .. 100) {
        last if sysread $sent_from, $sent, 65536, length $sent;
        select undef, undef, undef, 0.05;
    }

    return $sent;
}

sub frame {
    my ($type, $flags, $stream, $payload) = @_;

    return pack 'CnCCNa*', 0, length $payload, $type, $flags, $stream, $payload;
}

my $settings = frame(SETTINGS, 0, 0, '');
my $headers  = frame(HEADERS, 4, 1, "\x88");

# Name, the bytes of the answer, what comes of it.
for (
    [ 'a flood', $settings x 2000, 'the response is not HTTP/2' ],
    [ 'nothing', '', 'closed by the server without a response' ],
    [ 'settings', $settings, 'closed by the server without a response' ],
    [ 'a farewell', $settings . frame(GOAWAY, 0, 0, pack 'NN', 0, 0),
      'closed by the server without a response' ],
    [ 'no such frame', $settings . frame(200, 0, 0, "\e[2J"),
      'closed by the server without a response' ],
    [ 'an answer', $settings . $headers, 'HTTP status 200' ],
) {
    my ($name, $bytes, $expected) = @$_;

    my $port   = server($bytes);
    my $answer = probed("127.0.0.1:$port", '--no-http', '--timeout',
                        3);

    my %text = map { $_->{text} => 1 }
               map { ($_, $_->{with_session} || ()) }
               grep { $_->{http} eq '2' } @{ $answer->{visits} };

    is(join(', ', sort keys %text), $expected, "$name: said");
}

# What does not end, of each kind: the end of the probe is not the server's to
# choose.  What it may be answered with is read by nobody.  The bound holds for
# what is read; as much again, and more, is under way.

my $ping = frame(6, 0, 0, 'x' x 8);
my $data = frame(0, 0, 1, 'x' x 16_000);

for (
    [ 'settings',      $settings x 1000 ],
    [ 'pings',         $settings . $ping x 1000 ],
    [ 'unknown frames', frame(200, 0, 0, 'x') x 2000 ],
    [ 'window updates', frame(8, 0, 0, pack 'N', 1) x 2000 ],
    [ 'data',          $headers . $data x 10 ],
    [ 'headers',       frame(HEADERS, 0, 1, "\x88")
                       . frame(9, 0, 1, "\0\1a\1b" x 100) x 100 ],
) {
    my ($name, $bytes) = @$_;

    my $port = server(\$bytes);
    my $run  = aopctl('probe', "127.0.0.1:$port", '--no-http', '--timeout', 1);

    like($run->{status}, qr/^[123]$/, "endless $name: exit status");
    cmp_ok($run->{seconds}, '<', 3.5, "endless $name: in time");

    my ($most) = sort { $b <=> $a } split /\n/, read_sent();

    cmp_ok($most, '<', 20_000_000, "endless $name: not read without end");

    SKIP: {
        skip 'ASan holds what was freed', 1 if $ENV{ASAN_OPTIONS};

        cmp_ok($run->{rss}, '<', 40_000, "endless $name: in memory");
    }
}

kill KILL => @pid;
waitpid $_, 0 for @pid;

done_testing();
