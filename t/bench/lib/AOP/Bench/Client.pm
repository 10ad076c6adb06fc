package AOP::Bench::Client;

# A client that does the same thing again and again, and dies if it is not
# answered as it should be: what is not served is not to be timed.

use strict;
use warnings;

use Carp qw(croak);
use IO::Socket::INET;
use IO::Socket::SSL::Utils qw(PEM_string2cert);
use Net::SSLeay;
use Socket qw(IPPROTO_TCP TCP_NODELAY);

use constant {
    TLS_VERSION => { '1.2' => 0x0303, '1.3' => 0x0304 },
};

Net::SSLeay::initialize();


# new(%options): a client.
#   port, tls ('1.2', '1.3')
#   cert       an AOP::Test::Cert to show, with its key
#   chain      another, sent after it
#   status     what each request is to be answered with
#   resume     1: offers the last session that it was given
#   from       the address that it comes from, by the PROXY protocol
#   headers    lines of more headers
sub new {
    my ($class, %opt) = @_;

    my $self = bless { resumed => 0, %opt }, $class;
    my $ctx  = $self->{ctx} = Net::SSLeay::CTX_new();

    # what keys are too weak is the server's business
    Net::SSLeay::CTX_set_security_level($ctx, 0);
    Net::SSLeay::CTX_set_min_proto_version($ctx, TLS_VERSION->{ $self->{tls} });
    Net::SSLeay::CTX_set_max_proto_version($ctx, TLS_VERSION->{ $self->{tls} });

    if (my $cert = $self->{cert}) {
        Net::SSLeay::CTX_use_certificate($ctx, $cert->x509)
            && Net::SSLeay::CTX_use_PrivateKey($ctx, $cert->key)
            or croak 'cannot use the certificate';

        # which takes it, so it gets a copy
        Net::SSLeay::CTX_add_extra_chain_cert($ctx,
            PEM_string2cert($self->{chain}->pem)) if $self->{chain};
    }

    return $self;
}


# connections($n): so many, each with one request.
sub connections {
    my ($self, $n) = @_;

    for (1 .. $n) {
        my $connection = $self->open;

        $self->ask($connection, 'close');

        if ($self->{resume}) {
            Net::SSLeay::SESSION_free($self->{session}) if $self->{session};
            $self->{session} = Net::SSLeay::get1_session($connection->{ssl});
        }

        $self->close($connection);
    }

    return;
}


# requests($connection, $n): so many on a connection that is kept.
sub requests {
    my ($self, $connection, $n) = @_;

    $self->ask($connection, 'keep-alive') for 1 .. $n;

    return;
}


# resumed(): how many connections have been so far; and from zero again.
sub resumed {
    my ($self) = @_;

    my $n = $self->{resumed};

    $self->{resumed} = 0;

    return $n;
}


sub open {
    my ($self) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}")
        or croak "connect() failed: $!";

    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;

    syswrite $socket, "PROXY TCP4 $self->{from} 127.0.0.1 1 2\r\n"
        if $self->{from};

    my $ssl = Net::SSLeay::new($self->{ctx});

    Net::SSLeay::set_fd($ssl, fileno $socket);
    Net::SSLeay::set_session($ssl, $self->{session}) if $self->{session};
    Net::SSLeay::set_tlsext_host_name($ssl, 'bench.test');

    Net::SSLeay::connect($ssl) == 1
        or croak 'handshake failed: '
           . Net::SSLeay::ERR_error_string(Net::SSLeay::ERR_get_error());

    $self->{resumed}++ if Net::SSLeay::session_reused($ssl);

    return { socket => $socket, ssl => $ssl };
}


sub ask {
    my ($self, $connection, $how) = @_;

    my $headers = join '', map { "$_\r\n" } @{ $self->{headers} || [] };

    Net::SSLeay::write($connection->{ssl},
        "GET / HTTP/1.1\r\nHost: bench.test\r\nConnection: $how\r\n"
        . "$headers\r\n");

    my $answer = '';

    while (1) {
        my $got = Net::SSLeay::read($connection->{ssl});

        last unless defined $got && length $got;

        $answer .= $got;

        last if $how eq 'keep-alive' && $answer =~ /\r\n\r\nok\z/;
    }

    my ($status) = $answer =~ m{\AHTTP/1\.1 (\d+) };

    $status = 'nothing' unless defined $status;

    croak "port $self->{port} answered $status and should have answered "
          . "$self->{status}"
        if $status ne $self->{status};

    return;
}


sub close {
    my ($self, $connection) = @_;

    Net::SSLeay::shutdown($connection->{ssl});
    Net::SSLeay::free($connection->{ssl});
    CORE::close($connection->{socket});

    return;
}


sub DESTROY {
    my ($self) = @_;

    Net::SSLeay::SESSION_free($self->{session}) if $self->{session};
    Net::SSLeay::CTX_free($self->{ctx});
}


1;
