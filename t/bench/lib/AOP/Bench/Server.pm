package AOP::Bench::Server;

# An nginx of one process whose cost is measured: CPU as the kernel accounts for
# it, instructions as callgrind counts them, memory.

use strict;
use warnings;

use Carp qw(croak);
use File::Spec;
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use constant {
    START_TIMEOUT => 300,
    TICK          => 0.02,
    NS            => 1e9,
};

my @TEMP_PATH = qw(client_body proxy fastcgi uwsgi scgi);

my %RUNNING;


# new(%options): an nginx, started.
#   dir         its folder
#   http        what goes into http{}
#   module      the .so, if it is to be loaded
#   callgrind   1: run under callgrind
sub new {
    my ($class, %opt) = @_;

    my $self = bless { %opt }, $class;

    mkdir $self->{dir};
    mkdir "$self->{dir}/temp";

    $self->_write('nginx.conf', $self->_conf);
    $self->_start;

    return $self;
}


# binary(): the nginx that is measured.
sub binary { return $ENV{NGINX} || '/usr/sbin/nginx' }


sub pid { return $_[0]{pid} }


# cpu(): seconds of CPU that the process has used.  The sum of schedstat is in
# nanoseconds; a kernel without it has ticks of 10 ms.
sub cpu {
    my ($self) = @_;

    my ($ns) = split ' ', _read("/proc/$self->{pid}/schedstat") || 0;

    return $ns / NS if $ns;

    my ($rest) = _read("/proc/$self->{pid}/stat") =~ /\) (.*)/;
    my @field  = split ' ', $rest;

    return ($field[11] + $field[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}


# instructions($code): how many the server executes while the code runs; as a
# list, also how many of these in malloc() and free() (with Debian's libc6-dbg).
sub instructions {
    my ($self, $code) = @_;

    $self->_vgdb('zero');
    $code->();
    $self->_vgdb('dump');

    my $file = "$self->{dir}/callgrind." . ++$self->{dumps};
    my ($n)  = _read($file) =~ /^summary: (\d+)/m
        or croak "callgrind has not written $file";

    my $malloc = 0;

    if (wantarray) {
        for (`callgrind_annotate --threshold=100 $file 2>&1`) {
            my ($cost) = m{^\s*([\d,]+) .* \S*/malloc/\w+\.c:} or next;

            $malloc += $cost =~ tr/,//dr;
        }
    }

    unlink $file unless $ENV{BENCH_KEEP};

    return wantarray ? ($n, $malloc) : $n;
}


# memory(): bytes of memory that are the process's own.
sub memory {
    my ($self) = @_;

    my ($kb) = _read("/proc/$self->{pid}/smaps_rollup")
               =~ /^Anonymous:\s+(\d+) kB/m
        or croak 'the kernel tells nothing of memory';

    return $kb * 1024;
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    delete $RUNNING{$pid};
    kill KILL => $pid;
    waitpid $pid, 0;

    return;
}


sub DESTROY {
    my ($self) = @_;

    local ($@, $!, $?);

    # a child that was forked has no servers of its own
    $self->stop if $self->{pid} && ($RUNNING{ $self->{pid} } || 0) == $$;
}


END {
    my $status = $?;

    for my $pid (grep { $RUNNING{$_} == $$ } keys %RUNNING) {
        kill KILL => $pid;
        waitpid $pid, 0;
    }

    $? = $status;
}


sub _conf {
    my ($self) = @_;

    my $dir  = $self->{dir};
    my $load = $self->{module} ? "load_module $self->{module};" : '';
    my $temp = join ' ', map { "${_}_temp_path $dir/temp/$_;" } @TEMP_PATH;
    my $user = $> == 0 ? 'user root;' : '';

    return <<"CONF";
$load
$user
pid $dir/nginx.pid;
daemon off;
master_process off;
error_log $dir/error.log crit;
events {
    worker_connections 4096;
}
http {
    $temp
    access_log off;
    keepalive_timeout 1h;
    keepalive_requests 10000000;
    ssl_protocols TLSv1.2 TLSv1.3;
$self->{http}
}
CONF
}


sub _start {
    my ($self) = @_;

    my $dir     = $self->{dir};
    my @command = (binary(), '-p', "$dir/", '-c', "$dir/nginx.conf");

    unshift @command, 'valgrind', '--tool=callgrind', '--quiet',
            "--callgrind-out-file=$dir/callgrind"
        if $self->{callgrind};

    my $pid = fork();
    croak "fork() failed: $!" unless defined $pid;

    if ($pid == 0) {

        # nginx itself reads this one: as the sockets it inherits
        delete $ENV{NGINX};

        open STDIN, '<', File::Spec->devnull;
        open STDOUT, '>', "$dir/output";
        open STDERR, '>&', \*STDOUT;

        exec @command or POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    $RUNNING{$pid} = $$;

    my ($port) = $self->{http} =~ /listen 127\.0\.0\.1:(\d+)/;
    my $end    = time() + START_TIMEOUT;

    while (time() < $end) {
        return if IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
        last if waitpid($pid, WNOHANG) != 0;
        sleep TICK;
    }

    delete $RUNNING{$pid};
    kill KILL => $pid;

    croak 'nginx did not start: ' . (_read("$dir/output") || '');
}


sub _vgdb {
    my ($self, $what) = @_;

    my $output = `vgdb --pid=$self->{pid} $what 2>&1`;

    croak "vgdb failed: $output" if $?;

    return;
}


sub _write {
    my ($self, $name, $content) = @_;

    open my $fh, '>', "$self->{dir}/$name" or croak "cannot write $name: $!";
    print {$fh} $content;
    close $fh or croak "cannot write $name: $!";

    return;
}


sub _read {
    my ($name) = @_;

    open my $fh, '<', $name or return undef;
    local $/;

    return scalar <$fh>;
}


1;
