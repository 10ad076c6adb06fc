package AOP::Bench::Rounds;

# How long a worker of an nginx is kept busy at a time, in which it serves
# nobody else: the CPU of one round of its event loop, whatever else the machine
# has to do.
#
#     my $rounds = AOP::Bench::Rounds->new;
#
#     $rounds->watch(sub { $nginx->start });
#     my $ms = $rounds->longest(sub { $nginx->reload });

use strict;
use warnings;

use Carp qw(croak);
use File::Temp;

my $SOURCE = <<'EOF';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>

static volatile long  *longest;

static long
cpu(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

int
epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    int          rc;
    long         took;
    static int   (*next)(int, struct epoll_event *, int, int);
    static long  began;

    if (next == NULL) {
        next = (int (*)(int, struct epoll_event *, int, int))
               dlsym(RTLD_NEXT, "epoll_wait");
    }

    took = began ? cpu() - began : 0;

    if (took > *longest) {
        *longest = took;
    }

    rc = next(fd, events, n, timeout);

    began = cpu();

    return rc;
}

static void __attribute__((constructor))
start(void)
{
    int  fd;

    fd = open(getenv("AOP_BENCH_ROUNDS"), O_RDWR);
    longest = mmap(NULL, sizeof(long), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    if (longest == MAP_FAILED) {
        abort();
    }
}
EOF


sub new {
    my ($class) = @_;

    my $self = bless { folder => File::Temp->newdir('aop-rounds-XXXXXXXX',
                                                    TMPDIR => 1) }, $class;

    $self->_write('rounds.c', $SOURCE);
    $self->_write('longest', pack 'l!', 0);

    system($ENV{CC} || 'cc', '-O2', '-shared', '-fPIC', '-o',
           "$self->{folder}/rounds.so", "$self->{folder}/rounds.c", '-ldl') == 0
        or croak 'cannot compile the clock of rounds';

    return $self;
}


# watch($code): the nginx that is started there.
sub watch {
    my ($self, $code) = @_;

    local $ENV{AOP_BENCH_ROUNDS} = "$self->{folder}/longest";
    local $ENV{LD_PRELOAD}       = join ' ', grep { defined && length }
                                   $ENV{LD_PRELOAD}, "$self->{folder}/rounds.so";

    return $code->();
}


# longest($code): the longest round of any worker while the code runs, in ms.
sub longest {
    my ($self, $code) = @_;

    $self->_write('longest', pack 'l!', 0);
    $code->();

    open my $fh, '<:raw', "$self->{folder}/longest" or croak "longest: $!";
    CORE::read $fh, my $ns, length pack 'l!', 0;

    return unpack('l!', $ns) / 1e6;
}


# the file is changed in place: the workers have mapped it
sub _write {
    my ($self, $name, $content) = @_;

    my $path = "$self->{folder}/$name";

    open my $fh, -e $path ? '+<:raw' : '>:raw', $path
        or croak "cannot write $path: $!";
    syswrite $fh, $content;
    close $fh or croak "cannot write $path: $!";

    return;
}


1;
