package AOP::Test::Nginx;

# A packaged nginx with the module under test: its folder, its configuration,
# its life and its error.log.  It listens on 127.0.0.1 only, is ended by its own
# process id, and leaves nothing behind (unless AOP_TEST_KEEP is set).

use strict;
use warnings;

use Carp qw(croak);
use File::Spec;
use File::Temp;
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(sleep time);

use AOP::Test::Cert;

use constant {
    START_TIMEOUT => $ENV{AOP_START_TIMEOUT} || 20,
    STOP_TIMEOUT  => 10,
    LOG_TIMEOUT   => 5,
    TICK          => 0.01,
    TRIES         => 5,
};

my @TEMP_PATH = qw(client_body proxy fastcgi uwsgi scgi);

my (@RESERVED, %RUNNING);


# binary(): the nginx that is tested.
sub binary { return $ENV{NGINX} || '/usr/sbin/nginx' }


# module(): the .so that is tested.
sub module {
    return $ENV{AOP_MODULE}
        || File::Spec->catfile(AOP::Test::checkout(), 'build',
                               'ngx_http_aop_module.so');
}


# version(): nginx's version as a number that can be compared: 1022001.
sub version {
    my ($output) = _run(binary(), '-v');

    my @part = $output =~ m{nginx/(\d+)\.(\d+)\.(\d+)}
        or croak 'cannot tell the version of ' . binary();

    return ($part[0] * 1000 + $part[1]) * 1000 + $part[2];
}


# knows($directive): whether this nginx has a directive of http{} of that name:
# its version and options decide.  What is left out for that is said.
sub knows {
    my ($self, $directive) = @_;

    my $conf = $self->path($self->write('knows.conf',
                   "events {}\nhttp { $directive; }\n"));
    my ($output) = _run(binary(), '-t', '-p', $self->dir, '-c', $conf);

    return 1 if $output !~ /unknown directive "\Q$directive\E"/;

    Test::More::note("left out: this nginx has no \"$directive\"");

    return 0;
}


# whole($ask): the answers that the code returns, of streams side by side after
# which nginx has closed.  Before 1.19.1 it did not linger, so the client may be
# reset before it has read the last ones: these are left out then, but for the
# first half, and if that is not whole, as may be under load, it asks again.
sub whole {
    my ($self, $ask) = @_;

    my @answer = $ask->();

    return @answer if version() >= 1019001;

    for (1 .. TRIES) {
        my $half = @answer / 2;

        pop @answer while @answer > $half && !$answer[-1]->status;

        return @answer if $answer[-1]->status;

        @answer = $ask->();
    }

    return @answer;
}


# new(%options): a folder and a configuration.
#   http        what goes into http{}; may be given later, to configure()
#   main        what goes before events{}
#   load        [ modules to load after ours ]; module => 0: without ours
#   workers     (1)
#   log_level   of error.log ('error', Debian's default)
#   tls         0: http{} has no certificate for the servers to inherit
sub new {
    my ($class, %opt) = @_;

    my $build = File::Spec->catdir(AOP::Test::checkout(), 'build');

    my $self = bless {
        workers   => 1,
        log_level => 'error',
        module    => 1,
        tls       => 1,
        load      => [],
        main      => '',
        %opt,
        folder    => File::Temp->newdir('aop-test-XXXXXXXX',
            DIR     => -d $build && -w _ ? $build : File::Spec->tmpdir,
            CLEANUP => !$ENV{AOP_TEST_KEEP}),
    }, $class;

    mkdir $self->path($_) for qw(temp html);
    $self->write('error.log', '');

    if ($self->{tls}) {
        my $cert = AOP::Test::Cert->server('server.test');

        $self->write('server.crt', $cert->pem);
        $self->write('server.key', $cert->key_pem);
    }

    $self->configure($self->{http}) if defined $self->{http};

    return $self;
}


# dir(), path($name): the folder, and a file in it.  Paths in the configuration
# are relative to it.
sub dir  { return $_[0]{folder}->dirname }
sub path { return File::Spec->catfile($_[0]->dir, $_[1]) }


# write($name, $content, ...): puts a file into the folder; returns its name.
# A certificate or an array of them stands for its PEM.
sub write {
    my ($self, $name, $content) = @_;

    $content = join '', map { ref $_ ? $_->pem : $_ }
               ref $content eq 'ARRAY' ? @$content : $content;

    open my $fh, '>:raw', $self->path($name)
        or croak "cannot write $name: $!";
    print {$fh} $content;
    close $fh or croak "cannot write $name: $!";

    return $name;
}


# read($name): a file of the folder.
sub read {
    my ($self, $name) = @_;

    open my $fh, '<:raw', $self->path($name) or return '';
    local $/;
    my $content = <$fh>;

    return defined $content ? $content : '';
}


# ports($n): so many ports of 127.0.0.1 that nobody else will be given.  A
# socket stays bound to each, without listening: with SO_REUSEADDR nginx may
# bind there too, while the system hands the port to no one.
sub ports {
    my ($self, $n) = @_;

    my @port;

    for (1 .. $n || 1) {
        my $socket = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1',
            LocalPort => 0,
            Proto     => 'tcp',
            ReuseAddr => 1,
        ) or croak "no free port: $!";

        push @RESERVED, $socket;
        push @port, $socket->sockport;
    }

    return wantarray ? @port : $port[0];
}


# listen_tls($port, $extra): the lines that make a server speak TLS, with
# HTTP/1 and HTTP/2, in the words of this version of nginx.
sub listen_tls {
    my ($self, $port, $extra) = @_;

    $extra = defined $extra ? " $extra" : '';
    $self->{version} ||= version();

    return $self->{version} >= 1025001
           ? "listen 127.0.0.1:$port ssl$extra; http2 on;"
           : "listen 127.0.0.1:$port ssl http2$extra;";
}


# configure($http): writes nginx.conf around what goes into http{}.
sub configure {
    my ($self, $http) = @_;

    my $dir  = $self->dir;
    my @load = @{ $self->{load} };

    unshift @load, module() if $self->{module};

    my $main = join "\n", map { "load_module $_;" } @load;
    my $temp = join "\n    ", map { "${_}_temp_path $dir/temp/$_;" } @TEMP_PATH;

    my $tls = !$self->{tls} ? '' : <<"CONF";
    ssl_certificate server.crt;
    ssl_certificate_key server.key;
CONF

    # each request has its line in error.log, unless the test is about that
    my $each = $self->{module} && $http !~ /\baop_log_interval\b/
        ? 'aop_log_interval 0;' : '';

    my $user = $> == 0 ? 'user root;' : '';

    # a reload that is on its way reads the old one or the new one
    $self->write('nginx.conf.new', <<"CONF");
$main
$user
pid $dir/nginx.pid;
daemon off;
worker_processes $self->{workers};
error_log $dir/error.log $self->{log_level};
$self->{main}
events {
    worker_connections 512;
}
http {
    $temp
    access_log access.log;
    root html;
    default_type text/plain;
    ssl_protocols TLSv1.2 TLSv1.3;
    $each
$tls
$http
}
CONF

    rename $self->path('nginx.conf.new'), $self->path('nginx.conf')
        or croak "cannot rename nginx.conf.new: $!";

    $self->{ports} = {
        map { $_ => 1 } $http =~ /^[^#\n]*\blisten\s+127\.0\.0\.1:(\d+)/gm
    };

    return $self;
}


# test_config(): `nginx -t`: its exit code and what it printed.
sub test_config {
    my ($self) = @_;

    my ($output, $code) = _run(binary(), '-t', '-p', $self->dir . '/', '-c',
                               $self->path('nginx.conf'));

    return ($code, $output);
}


# start(): runs nginx and returns once it answers; dies if it does not.
sub start {
    my ($self) = @_;

    croak 'no module at ' . module() . ': `make build` makes it'
        if $self->{module} && !-e module();

    my $pid = fork();
    croak "fork() failed: $!" unless defined $pid;

    if ($pid == 0) {
        my @command = (binary(), '-p', $self->dir . '/', '-c',
                       $self->path('nginx.conf'));

        # nginx itself reads this one: as the sockets it inherits
        delete $ENV{NGINX};

        open STDIN, '<', File::Spec->devnull;
        open STDOUT, '>>', $self->path('stderr.log');
        open STDERR, '>>', $self->path('stderr.log');

        exec @command or POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    $RUNNING{$pid} = 1;

    my $answers = _until(START_TIMEOUT,
                         sub { $self->_gone || $self->_answers });

    croak 'nginx did not start: ' . $self->startup_output
          . $self->read('error.log')
        unless $answers && $self->{pid};

    return $self;
}


# startup_output(): what nginx printed before it had its error.log: warnings.
sub startup_output { return $_[0]->read('stderr.log') }


# pid(), worker_pids(): of the master and of its workers.
sub pid { return $_[0]{pid} }


sub worker_pids {
    my ($self) = @_;

    return $self->{pid} ? _children($self->{pid}) : ();
}


# reload($http): reads the configuration again, a new one if given; returns
# once the old workers are gone.  False if nginx keeps the old configuration.
sub reload {
    my ($self, $http) = @_;

    $self->configure($http) if defined $http;

    my %old  = map { $_ => 1 } $self->worker_pids;
    my $mark = $self->mark;
    my $refused;

    kill HUP => $self->{pid};

    my $done = _until(START_TIMEOUT, sub {
        return $refused = 1 if grep { /\[emerg\]/ } $self->log_since($mark);

        my @now = $self->worker_pids;

        return @now && !grep { $old{$_} } @now;
    });

    return $done && !$refused && $self->_answers;
}


# stop(): ends nginx, gently if possible; false if it had to be killed.
sub stop {
    my ($self) = @_;

    return 1 unless $self->{pid};

    kill QUIT => $self->{pid};

    return 1 if _until(STOP_TIMEOUT, sub { $self->_gone });

    _kill(delete $self->{pid});

    return 0;
}


# finish(): what each test ends with: stops nginx, and asserts that error.log
# tells of no crash and of nothing that nginx itself calls an alert.
sub finish {
    my ($self) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    Test::More::ok($self->stop, 'nginx stops when asked to')
        if $self->{pid};

    my $text = $self->read('error.log') . $self->startup_output;

    my @fault = grep { /^(?:nginx:|\S+\ \S+)\ \[(?:alert|emerg)\]
                        |exited\ on\ signal|runtime\ error:
                        |(?:Address|Leak|Thread)Sanitizer/x } split /\n/, $text;

    Test::More::is(join("\n", @fault), '', 'error.log tells of no fault');

    return;
}


# mark(): a point in error.log, for the two below.
sub mark {
    my ($self) = @_;

    return -s $self->path('error.log') || 0;
}


# log_since($mark): the lines written after that point.
sub log_since {
    my ($self, $mark) = @_;

    return split /\n/, substr $self->read('error.log'), $mark || 0;
}


# wait_log($pattern, $mark): the first such line after that point, waiting for
# it: nginx logs a request after it has answered.  '' if none comes.
sub wait_log {
    my ($self, $pattern, $mark) = @_;

    return $self->wait_file('error.log', $pattern, $mark);
}


# wait_file($name, $pattern, $mark): the same for another file.
sub wait_file {
    my ($self, $name, $pattern, $mark) = @_;

    my $found;

    _until(LOG_TIMEOUT, sub {
        ($found) = grep { /$pattern/ }
                   split /\n/, substr $self->read($name), $mark || 0;
        return defined $found;
    });

    return defined $found ? $found : '';
}


sub DESTROY {
    my ($self) = @_;

    local ($@, $!, $?);

    _kill($self->{pid}) if $self->{pid};
}


# a test that dies must not leave a server behind
END {
    my $status = $?;

    _kill($_) for keys %RUNNING;
    $? = $status;
}


sub _answers {
    my ($self) = @_;

    for my $port (keys %{ $self->{ports} }) {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
                              Timeout => 1)
            or return 0;
    }

    return -s $self->path('nginx.pid')
           && $self->worker_pids >= $self->{workers};
}


sub _gone {
    my ($self) = @_;

    my $pid = $self->{pid} or return 1;

    return 0 if waitpid($pid, WNOHANG) == 0;

    delete $RUNNING{$pid};
    delete $self->{pid};

    return 1;
}


# workers do not notice that their master is gone
sub _kill {
    my ($pid) = @_;

    kill KILL => $pid, _children($pid);
    waitpid $pid, 0;
    delete $RUNNING{$pid};
}


sub _children {
    my ($parent) = @_;

    my @pid;

    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $stat or next;
        my $line = <$fh>;
        next unless defined $line;

        my ($pid, $state, $of) = $line =~ /^(\d+) \(.*\) (\S) (\d+)/ or next;

        push @pid, $pid if $of == $parent && $state ne 'Z';
    }

    return @pid;
}


sub _until {
    my ($seconds, $done) = @_;

    my $end = time() + $seconds;

    while (1) {
        return 1 if $done->();
        return 0 if time() >= $end;
        sleep TICK;
    }
}


# the output of a command, both its streams, and its exit code
sub _run {
    my (@command) = @_;

    my $pid = open my $fh, '-|';
    croak "fork() failed: $!" unless defined $pid;

    if ($pid == 0) {
        delete $ENV{NGINX};
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }

    local $/;
    my $output = <$fh>;
    close $fh;

    return (defined $output ? $output : '', $? >> 8);
}


1;
