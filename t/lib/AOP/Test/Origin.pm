package AOP::Test::Origin;

# A made-up HTTP server on 127.0.0.1, in a process of its own: it answers what
# a function says, and may be as slow, endless or wrong as that likes.

use strict;
use warnings;

use Carp qw(croak);
use IO::Socket::INET;
use POSIX ();

use constant {
    BACKLOG => 256,
    LIFE    => 60,                      # of one connection, in seconds
};


# start($port, $handler, $pem): listens at once.  $handler->($client, $head) is
# called in a process for each connection, with the head of the request, and
# returns what is still to be sent.  With $pem, a file of certificate and key,
# it speaks TLS.
sub start {
    my ($class, $port, $handler, $pem) = @_;

    my $listen = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $port, Listen => BACKLOG,
        ReuseAddr => 1, Proto => 'tcp') or croak "cannot listen: $@";

    my $pid = fork();
    croak "fork() failed: $!" unless defined $pid;

    if ($pid == 0) {
        setpgrp 0, 0;
        $SIG{$_} = 'DEFAULT' for qw(ALRM INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        $SIG{CHLD} = 'IGNORE';
        alarm 20 * LIFE;
        _serve($listen, $handler, $pem);
        POSIX::_exit(0);
    }

    setpgrp $pid, $pid;

    return bless { pid => $pid, owner => $$ }, $class;
}


# stop(): ends it and its connections.
sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid};

    return unless $pid && $self->{owner} == $$;

    local $?;

    kill KILL => -$pid;
    waitpid $pid, 0;

    return;
}


sub DESTROY {
    my ($self) = @_;

    $self->stop;

    return;
}


sub _serve {
    my ($listen, $handler, $pem) = @_;

    while (1) {
        my $client = $listen->accept or next;
        my $pid    = fork();

        if (defined $pid && $pid == 0) {
            alarm LIFE;
            close $listen;
            eval { _answer($client, $handler, $pem) };
            POSIX::_exit(0);
        }

        close $client;
    }

    return;
}


sub _answer {
    my ($client, $handler, $pem) = @_;

    if ($pem) {
        require IO::Socket::SSL;
        IO::Socket::SSL->start_SSL($client, SSL_server => 1,
            SSL_cert_file => $pem, SSL_key_file => $pem) or return;
    }

    $client->autoflush(1);

    my $head = '';

    while ($head !~ /\r\n\r\n/) {
        sysread $client, $head, 4096, length $head or return;
    }

    print {$client} $handler->($client, $head);

    # what is closed with unread data is reset

    shutdown $client, 1 unless $pem;
    close $client;

    return;
}


1;
