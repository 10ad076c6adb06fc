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

# server($answer): a port where that is the answer to each request.
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
        print {$client} $answer;

        # the end goes after the answer, and no reset before it

        Net::SSLeay::shutdown($client->_get_ssl_object);
        1 while sysread $client, $request, 4096;
        close $client;
    }

    POSIX::_exit(0);
}

sub frame {
    my ($type, $flags, $stream, $payload) = @_;

    return pack 'CnCCNa*', 0, length $payload, $type, $flags, $stream, $payload;
}

my $settings = frame(SETTINGS, 0, 0, '');
my $headers  = frame(HEADERS, 4, 1, "\x88");

# Name, the bytes of the answer, what comes of it.
for (
    [ 'a flood', $settings x 2000, 'the answer is not HTTP/2' ],
    [ 'nothing', '', 'closed by the server without an answer' ],
    [ 'settings', $settings, 'closed by the server without an answer' ],
    [ 'a farewell', $settings . frame(GOAWAY, 0, 0, pack 'NN', 0, 0),
      'closed by the server without an answer' ],
    [ 'no such frame', $settings . frame(200, 0, 0, "\e[2J"),
      'closed by the server without an answer' ],
    [ 'an answer', $settings . $headers, 'HTTP status 200' ],
) {
    my ($name, $bytes, $expected) = @$_;

    my $port   = server($bytes);
    my $answer = answer('probe', "127.0.0.1:$port", '--no-http', '--timeout',
                        3);

    my %text = map { $_->{text} => 1 }
               map { ($_, $_->{with_session} || ()) }
               grep { $_->{http} eq '2' } @{ $answer->{visits} };

    is(join(', ', sort keys %text), $expected, "$name: said");
}

kill KILL => @pid;
waitpid $_, 0 for @pid;

done_testing();
