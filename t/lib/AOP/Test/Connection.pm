package AOP::Test::Connection;

# One connection to a server under test, over TLS or plain: the bytes of it.
# AOP::Test::Client speaks HTTP on it.  Every wait has an end.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Net::SSLeay;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

use constant {
    CHUNK       => 16384,
    MAX_ROUNDS  => 10000,
    TLS_VERSION => { '1.2' => 0x0303, '1.3' => 0x0304 },
};

Net::SSLeay::initialize();


# connect(): makes the connection and the handshake; false if that failed.
sub connect {
    my ($self) = @_;

    return !$self->{error} if $self->{socket};

    $self->{deadline} = time() + $self->{timeout};

    $self->{socket} = IO::Socket::INET->new(
        PeerAddr => $self->{addr},
        PeerPort => $self->{port},
        Proto    => 'tcp',
        Timeout  => $self->{timeout},
    ) or return $self->_fail("connect() failed: $!");

    # or the request waits 40 ms for an ACK of the handshake's last message
    setsockopt $self->{socket}, IPPROTO_TCP, TCP_NODELAY, 1
        unless $self->{nagle};

    if (defined $self->{prelude}) {
        my $prelude = delete $self->{prelude};
        syswrite $self->{socket}, $prelude;
    }

    $self->{socket}->blocking(0);

    return 1 unless $self->{tls};

    return $self->_handshake();
}


# error(): what went wrong with the connection, in words, or undef.
sub error { return $_[0]{error} }


# closed($seconds): whether the server ends the connection within that time.
sub closed {
    my ($self, $seconds) = @_;

    $self->{deadline} = time() + ($seconds || 2);

    for (1 .. MAX_ROUNDS) {
        return 1 if $self->{eof};
        return 0 if !$self->_fill();
    }

    return 0;
}


# session(): the TLS session, for the option of that name of a new connection.
# With TLS 1.3 it can be resumed once an answer has been read, not before.
sub session {
    my ($self) = @_;

    return $self->{ssl} ? Net::SSLeay::get1_session($self->{ssl}) : undef;
}


# resumed(): whether the handshake resumed the session that was offered.
sub resumed {
    my ($self) = @_;

    return $self->{ssl} && Net::SSLeay::session_reused($self->{ssl}) ? 1 : 0;
}


# alpn(), tls_version(): what was agreed on.
sub alpn {
    my ($self) = @_;

    return $self->{ssl} ? Net::SSLeay::P_alpn_selected($self->{ssl}) : undef;
}


sub tls_version {
    my ($self) = @_;

    return $self->{ssl} ? Net::SSLeay::get_version($self->{ssl}) : undef;
}


# close(): ends the connection the way a well-behaved client does.
sub close {
    my ($self) = @_;

    if (my $ssl = delete $self->{ssl}) {
        local $SIG{PIPE} = 'IGNORE';

        Net::SSLeay::shutdown($ssl) unless $self->{error};
        Net::SSLeay::free($ssl);
        Net::SSLeay::CTX_free(delete $self->{ctx});
    }

    if ($self->{socket}) {
        CORE::close($self->{socket});
        $self->{eof} = 1;
    }

    return;
}


sub DESTROY {
    my ($self) = @_;

    local ($@, $!);

    $self->close();
}


sub _handshake {
    my ($self) = @_;

    my $ctx = $self->{ctx} = Net::SSLeay::CTX_new();

    # the weak keys that some tests show would be refused by ourselves
    Net::SSLeay::CTX_set_security_level($ctx, 0);
    Net::SSLeay::CTX_set_options($ctx, &Net::SSLeay::OP_ALL
        | ($self->{no_ticket} ? &Net::SSLeay::OP_NO_TICKET : 0));

    if (my $version = TLS_VERSION->{ $self->{tls} }) {
        Net::SSLeay::CTX_set_min_proto_version($ctx, $version);
        Net::SSLeay::CTX_set_max_proto_version($ctx, $version);
    }

    Net::SSLeay::CTX_set_alpn_protos($ctx,
        [ $self->{http} eq '2' ? 'h2' : 'http/1.1' ]);

    if (my $cert = $self->{cert}) {
        Net::SSLeay::CTX_use_certificate($ctx, $cert->x509)
            && Net::SSLeay::CTX_use_PrivateKey($ctx, $cert->key)
            or return $self->_fail('own certificate unusable: '
                                   . _ssl_errors());

        $self->_add_chain($ctx, $_) for @{ $self->{chain} || [] };
    }

    Net::SSLeay::CTX_set_psk_client_callback($ctx,
        sub { return ($self->{psk}, 'ab' x 16) }) if defined $self->{psk};

    my $ssl = $self->{ssl} = Net::SSLeay::new($ctx);

    Net::SSLeay::set_fd($ssl, fileno $self->{socket});
    Net::SSLeay::set_tlsext_host_name($ssl, $self->{sni})
        if defined $self->{sni};
    Net::SSLeay::set_session($ssl, $self->{session}) if $self->{session};

    for (1 .. MAX_ROUNDS) {
        my $rc = Net::SSLeay::connect($ssl);
        return 1 if $rc == 1;

        $self->_wait_ssl($rc)
            or return $self->_fail("handshake failed: $self->{why}");
    }

    return $self->_fail('handshake does not end');
}


# the context takes what it is given, so it is given a copy
sub _add_chain {
    my ($self, $ctx, $cert) = @_;

    my $bio = Net::SSLeay::BIO_new(Net::SSLeay::BIO_s_mem());

    Net::SSLeay::BIO_write($bio, $cert->pem);
    Net::SSLeay::CTX_add_extra_chain_cert($ctx,
        Net::SSLeay::PEM_read_bio_X509($bio));
    Net::SSLeay::BIO_free($bio);
}


# Waits until the SSL can go on after it returned $rc; false and $self->{why}
# when it never will.
sub _wait_ssl {
    my ($self, $rc) = @_;

    my $error = Net::SSLeay::get_error($self->{ssl}, $rc);

    return $self->_wait('can_read')
        if $error == &Net::SSLeay::ERROR_WANT_READ;

    return $self->_wait('can_write')
        if $error == &Net::SSLeay::ERROR_WANT_WRITE;

    $self->{why} = $error == &Net::SSLeay::ERROR_ZERO_RETURN ? 'closed'
                                                             : _ssl_errors();
    $self->{eof} = 1;

    return 0;
}


sub _wait {
    my ($self, $method) = @_;

    my $left = $self->{deadline} - time();

    return 1 if $left > 0
                && IO::Select->new($self->{socket})->$method($left);

    $self->{why} = 'timed out';

    return 0;
}


sub _ssl_errors {
    my @error;

    while (my $code = Net::SSLeay::ERR_get_error()) {
        push @error, Net::SSLeay::ERR_error_string($code);
    }

    return join('; ', @error) || 'connection lost';
}


sub _fail {
    my ($self, $why) = @_;

    $self->{error} = $why;

    return 0;
}


sub _write {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';

    $self->{deadline} = time() + $self->{timeout};

    for (1 .. MAX_ROUNDS) {
        return 1 unless length $bytes;

        my $n = $self->{ssl} ? Net::SSLeay::write($self->{ssl}, $bytes)
                             : syswrite($self->{socket}, $bytes);

        if (defined $n && $n > 0) {
            substr($bytes, 0, $n) = '';
            next;
        }

        if ($self->{ssl}) {
            $self->_wait_ssl($n) or return $self->_last_words;

        } elsif ($!{EAGAIN}) {
            $self->_wait('can_write') or return 0;

        } else {
            $self->{why} = "write failed: $!";
            return 0;
        }
    }

    return 0;
}


# What the peer sent before the reset that writing met is still to be read: the
# end of its answers, an alert.
sub _last_words {
    my ($self) = @_;

    my $why = $self->{why};

    $self->{eof} = 0;

    for (1 .. MAX_ROUNDS) {
        last if !$self->_fill() || $self->{eof};
    }

    $self->{why} = "$why; $self->{why}";
    $self->{eof} = 1;

    return 0;
}


# Reads what has come, once; false when nothing came in time, or nothing will.
sub _fill {
    my ($self) = @_;

    return 0 if $self->{eof} || !$self->{socket};

    for (1 .. MAX_ROUNDS) {
        my ($bytes, $n);

        if ($self->{ssl}) {
            ($bytes, $n) = Net::SSLeay::read($self->{ssl}, CHUNK);

            if (!defined $n || $n <= 0) {
                $self->_wait_ssl(defined $n ? $n : -1) or return $self->{eof};
                next;
            }

        } else {
            $n = sysread $self->{socket}, $bytes, CHUNK;

            if (!defined $n && $!{EAGAIN}) {
                $self->_wait('can_read') or return 0;
                next;
            }

            if (!$n) {
                $self->{why} = defined $n ? 'closed' : "read failed: $!";
                return $self->{eof} = 1;
            }
        }

        $self->_take($bytes);

        return 1;
    }

    return 0;
}


1;
