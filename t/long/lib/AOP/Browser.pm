package AOP::Browser;

# A real browser without a screen: Chromium, told what to do by the protocol of
# its developer tools over a pair of pipes.  Every wait has an end; the browser
# is ended by its own process id.

use strict;
use warnings;

use Carp qw(croak);
use Errno qw(EINTR);
use File::Temp;
use IO::Select;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use constant {
    TIMEOUT      => 30,
    STOP_TIMEOUT => 5,
    CHUNK        => 65536,
    READ_FD      => 3,
    WRITE_FD     => 4,
};

my $JSON = JSON::PP->new->utf8;


# binary(): where it is; undef if it is not installed.
sub binary {
    return (grep { -x } map { ("$_/chromium", "$_/chromium-browser") }
            split /:/, $ENV{PATH})[0];
}


# new(): a browser with an empty profile and one blank page.
sub new {
    my ($class) = @_;

    my $self = bless {
        profile => File::Temp->newdir('aop-browser-XXXXXXXX', TMPDIR => 1),
        input   => '',
        events  => [],
        id      => 0,
    }, $class;

    $self->_spawn(binary());

    my $target = $self->send('Target.createTarget', url => 'about:blank');
    my $attach = $self->send('Target.attachToTarget', flatten => \1,
                             targetId => $target->{targetId});

    $self->{session} = $attach->{sessionId};
    $self->send("$_.enable") for qw(Page Network Log Runtime);

    return $self;
}


# send($method, %parameters): what the browser answers.
sub send {
    my ($self, $method, %parameters) = @_;

    my $id = ++$self->{id};

    $self->_write($JSON->encode({
        id     => $id,
        method => $method,
        params => \%parameters,
        $self->{session} ? (sessionId => $self->{session}) : (),
    }) . "\0");

    my $answer = $self->_await(sub { ($_[0]{id} || 0) == $id });

    croak "$method: $answer->{error}{message}" if $answer->{error};

    return $answer->{result};
}


# device(%options): width, height (800), dark (0), scripts (1).
sub device {
    my ($self, %opt) = @_;

    $self->send('Emulation.setDeviceMetricsOverride', width => $opt{width} + 0,
                height => $opt{height} || 800, deviceScaleFactor => 1,
                mobile => $opt{width} < 600 ? \1 : \0);
    $self->send('Emulation.setEmulatedMedia', features => [ {
        name  => 'prefers-color-scheme',
        value => $opt{dark} ? 'dark' : 'light',
    } ]);
    $self->send('Emulation.setScriptExecutionDisabled',
                value => defined $opt{scripts} && !$opt{scripts} ? \1 : \0);

    return $self;
}


# open($url): goes there and returns once all is loaded.
sub open {
    my ($self, $url) = @_;

    @{ $self->{events} } = ();

    my $result = $self->send('Page.navigate', url => $url);
    croak "$url: $result->{errorText}" if $result->{errorText};

    $self->event('Page.loadEventFired');

    return $self;
}


# event($method, $seconds): the first event of that name since open(), waiting
# for it; undef if none comes.
sub event {
    my ($self, $method, $seconds) = @_;

    my ($found) = $self->events($method);

    return $found if $found;

    $found = eval {
        $self->_await(sub { ($_[0]{method} || '') eq $method }, $seconds);
    };

    return $found ? $found->{params} : undef;
}


# events($method): all of that name since open().
sub events {
    my ($self, $method) = @_;

    return map { $_->{params} } grep { $_->{method} eq $method }
           @{ $self->{events} };
}


# value($expression): what it is in the page.
sub value {
    my ($self, $expression) = @_;

    my $result = $self->send('Runtime.evaluate', expression => $expression,
                             returnByValue => \1, awaitPromise => \1);

    croak "$expression: $result->{exceptionDetails}{text}"
        if $result->{exceptionDetails};

    return $result->{result}{value};
}


# screenshot($file): of the whole page, as PNG.
sub screenshot {
    my ($self, $file) = @_;

    my $result = $self->send('Page.captureScreenshot', format => 'png',
                             captureBeyondViewport => \1);

    CORE::open my $fh, '>:raw', $file or croak "cannot write $file: $!";
    print {$fh} decode_base64($result->{data});
    close $fh or croak "cannot write $file: $!";

    return $self;
}


# stop(): ends the browser and all of its processes.
sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    delete $self->{session};
    eval { $self->_write($JSON->encode({ id => 0, method => 'Browser.close' })
                         . "\0") };

    my $end = time() + STOP_TIMEOUT;

    while (waitpid($pid, WNOHANG) == 0) {
        if (time() >= $end) {
            kill KILL => -$pid;
            waitpid $pid, 0;
            last;
        }

        sleep 0.02;
    }

    return;
}


sub DESTROY {
    my ($self) = @_;

    local ($@, $!, $?);

    $self->stop;
}


sub _spawn {
    my ($self, $binary) = @_;

    pipe my $to_read, $self->{to} or croak "pipe() failed: $!";
    pipe $self->{from}, my $to_write or croak "pipe() failed: $!";

    my $pid = fork();
    croak "fork() failed: $!" unless defined $pid;

    if ($pid == 0) {
        POSIX::setsid();

        # out of the way first, as one may have the number of the other
        my @fd = map { POSIX::dup2($_->[0], $_->[1]) }
                 [ fileno $to_read, 40 ], [ fileno $to_write, 41 ];

        POSIX::dup2(40, READ_FD);
        POSIX::dup2(41, WRITE_FD);
        POSIX::close($_) for 40, 41;

        CORE::open STDIN, '<', '/dev/null';
        CORE::open STDOUT, '>', '/dev/null';
        CORE::open STDERR, '>', '/dev/null';

        exec $binary, qw(--headless --no-sandbox --disable-gpu --disable-quic
            --no-first-run --disable-background-networking
            --disable-component-update --disable-sync
            --disable-dev-shm-usage --disable-default-apps
            --no-default-browser-check --remote-debugging-pipe),
            '--user-data-dir=' . $self->{profile}->dirname, 'about:blank'
            or POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    $self->{to}->autoflush(1);

    return;
}


sub _write {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';

    while (length $bytes) {
        my $n = syswrite $self->{to}, $bytes;

        next if !defined $n && $! == EINTR;
        croak "the browser does not listen: $!" unless $n;
        substr($bytes, 0, $n) = '';
    }

    return;
}


# the first message for which $wanted is true; events are kept
sub _await {
    my ($self, $wanted, $seconds) = @_;

    my $end = time() + ($seconds || TIMEOUT);

    while (1) {
        while ($self->{input} =~ s/\A([^\0]*)\0//) {
            my $message = $JSON->decode($1);

            push @{ $self->{events} }, $message if $message->{method};
            return $message if $wanted->($message);
        }

        my $left = $end - time();

        croak 'the browser does not answer'
            if $left <= 0
               || !IO::Select->new($self->{from})->can_read($left);

        my $n = sysread $self->{from}, $self->{input}, CHUNK,
                        length $self->{input};

        next if !defined $n && $! == EINTR;
        croak 'the browser has ended' unless $n;
    }
}


1;
