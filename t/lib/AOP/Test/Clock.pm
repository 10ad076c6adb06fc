package AOP::Test::Clock;

# Another time of day for an nginx under test: a day is a line in a test, not a
# day of waiting.
#
#     my $clock = AOP::Test::Clock->new;
#
#     $clock->start($nginx);
#     $clock->pass(86400);
#     $clock->add(-3600);

use strict;
use warnings;

use Carp qw(croak);
use File::Spec;
use File::Temp;

# what nginx asks for the time of day; its timers, and the hours of the module's
# window, go by CLOCK_MONOTONIC
my $SOURCE = <<'EOF';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

/* of the time of day, and of the monotonic clock */

static long
offset(int monotonic)
{
    int                          fd;
    static const volatile long  *ahead;

    if (ahead == NULL) {
        fd = open(getenv("AOP_TEST_CLOCK"), O_RDONLY);
        ahead = mmap(NULL, 2 * sizeof(long), PROT_READ, MAP_SHARED, fd, 0);

        if (ahead == MAP_FAILED) {
            abort();
        }
    }

    return ahead[monotonic];
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int         rc;
    static int  (*next)(clockid_t, struct timespec *);

    if (next == NULL) {
        next = (int (*)(clockid_t, struct timespec *))
               dlsym(RTLD_NEXT, "clock_gettime");
    }

    rc = next(id, ts);

    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) {
        ts->tv_sec += offset(0);

    } else if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE) {
        ts->tv_sec += offset(1);
    }

    return rc;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}

time_t
time(time_t *t)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    if (t != NULL) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
EOF


# new(): a clock that is right so far.
sub new {
    my ($class) = @_;

    my $self = bless {
        folder => File::Temp->newdir('aop-clock-XXXXXXXX',
                                     DIR => File::Spec->tmpdir),
        ahead  => 0,
        passed => 0,
    }, $class;

    $self->_write('clock.c', $SOURCE);
    $self->add(0);

    system($ENV{CC} || 'cc', '-O2', '-shared', '-fPIC', '-o',
           $self->_path('clock.so'), $self->_path('clock.c'), '-ldl') == 0
        or croak 'cannot compile the clock';

    return $self;
}


# start($nginx): starts it with this clock.
sub start {
    my ($self, $nginx) = @_;

    local $ENV{AOP_TEST_CLOCK} = $self->_path('now');
    local $ENV{LD_PRELOAD}     = join ' ', grep { defined && length }
                                 $ENV{LD_PRELOAD}, $self->_path('clock.so');

    $nginx->start;

    return $self;
}


# add($seconds): sets the time of day; a worker notices with its next event.
sub add {
    my ($self, $seconds) = @_;

    $self->{ahead} += $seconds;
    $self->_write('now', pack 'l!2', @$self{qw(ahead passed)});

    return $self;
}


# pass($seconds): as if so much time had passed.
sub pass {
    my ($self, $seconds) = @_;

    $self->{passed} += $seconds;

    return $self->add($seconds);
}


# now(): what it says.
sub now { return time() + $_[0]{ahead} }


sub _path { return File::Spec->catfile($_[0]{folder}->dirname, $_[1]) }


# the file is changed in place: nginx has mapped it
sub _write {
    my ($self, $name, $content) = @_;

    my $path = $self->_path($name);

    open my $fh, -e $path ? '+<:raw' : '>:raw', $path
        or croak "cannot write $path: $!";
    syswrite $fh, $content;
    close $fh or croak "cannot write $path: $!";

    return;
}


1;
