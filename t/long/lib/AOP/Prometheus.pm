package AOP::Prometheus;

# Debian's Prometheus, and its Alertmanager, on loopback, with the rules that we
# ship.  A minute of theirs is a second here, so that an alert that waits for
# ten minutes can be waited for.
#
#     my $prometheus = AOP::Prometheus->start($nginx, [ $port, ... ]);
#
#     $prometheus->query('up');
#     $prometheus->firing('AopNoReport');

use strict;
use warnings;

use Carp qw(croak);
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use JSON::PP ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use AOP::Test;
use AOP::Test::Origin;

use constant {
    TIMEOUT => 60,
    TICK    => 0.2,
};

my $RULES = dirname(abs_path(__FILE__))
            . '/../../../../contrib/prometheus/aop.rules.yml';
my $JSON  = JSON::PP->new->utf8;


# missing(): what is not installed, or ''.
sub missing {
    return join ', ', grep { !_command($_) }
           qw(prometheus prometheus-alertmanager);
}


# start($nginx, \@targets, %options): scrapes these ports of 127.0.0.1 every
# second; the files are in nginx's folder.  Options:
#   path    of the report ('/metrics')
#   query   its query string
#   docs    the external label "aop_docs"
sub start {
    my ($class, $nginx, $targets, %opt) = @_;

    my $self = bless { nginx => $nginx, targets => $targets, opt => \%opt,
                       owner => $$, pid => [] }, $class;

    @{$self}{qw(web manager hook)} = $nginx->ports(3);

    $self->_configure;
    $self->_listen;
    $self->_run('alertmanager', 'prometheus-alertmanager',
                '--config.file=' . $nginx->path('alertmanager.yml'),
                '--storage.path=' . $nginx->path('alertmanager'),
                "--web.listen-address=127.0.0.1:$self->{manager}",
                '--cluster.listen-address=', '--log.level=warn');
    $self->_run('prometheus', 'prometheus',
                '--config.file=' . $nginx->path('prometheus.yml'),
                '--storage.tsdb.path=' . $nginx->path('prometheus'),
                "--web.listen-address=127.0.0.1:$self->{web}",
                '--log.level=warn');

    for (qw(manager web)) {
        my $port = $self->{$_};

        within(sub { get($port, tls => 0, path => '/-/ready')->status == 200 })
            or croak 'Prometheus did not start: '
                     . $nginx->read('prometheus.log')
                     . $nginx->read('alertmanager.log');
    }

    return $self;
}


# scrape(@targets): these from now on.
sub scrape {
    my ($self, @targets) = @_;

    $self->{targets} = \@targets;
    $self->_targets;

    return;
}


# api($path): what it answers.
sub api {
    my ($self, $path) = @_;

    my $answer = get($self->{web}, tls => 0, path => "/api/v1/$path");

    return eval { $JSON->decode($answer->body)->{data} } || {};
}


# query($expression): the samples, [ { metric => {}, value => [ $t, $v ] } ];
# dies if it is not one.
sub query {
    my ($self, $expression) = @_;

    my $text = $expression;
    utf8::encode($text) if utf8::is_utf8($text);
    $text =~ s/([^A-Za-z0-9_])/sprintf '%%%02X', ord $1/ge;

    return $self->api("query?query=$text")->{result}
           || croak "not an expression: $expression";
}


# value($expression): of its only sample.
sub value {
    my ($self, $expression) = @_;

    my @result = @{ $self->query($expression) };

    return @result == 1 ? $result[0]{value}[1] : undef;
}


# scrapes($n): waits until all targets were scraped so often from now on.
sub scrapes {
    my ($self, $n) = @_;

    my $count = 'min(count_over_time(up[1h]))';
    my $seen  = $self->value($count) || 0;

    return within(sub { ($self->value($count) || 0) >= $seen + $n });
}


# alerts($name): those that fire, [ { labels, annotations } ], by instance and
# server.
sub alerts {
    my ($self, $name) = @_;

    my $key = sub { join ' ', map { defined $_ ? $_ : '' }
                    @{ $_[0]{labels} }{qw(instance server fingerprint)} };

    my @alerts = sort { $key->($a) cmp $key->($b) }
                 grep { $_->{state} eq 'firing'
                        && $_->{labels}{alertname} eq $name }
                 @{ $self->api('alerts')->{alerts} || [] };

    return @alerts;
}


# firing($name): their summaries, one a line.
sub firing {
    my ($self, $name) = @_;

    return join "\n", map { $_->{annotations}{summary} } $self->alerts($name);
}


# notified($name): what Alertmanager has sent of them, one a line: "firing", or
# "resolved", and the summary.
sub notified {
    my ($self, $name) = @_;

    my @sent = map { $JSON->decode($_) }
               split /\n/, $self->{nginx}->read('notified');

    return join "\n", map { "$_->{status} $_->{annotations}{summary}" }
           grep { $_->{labels}{alertname} eq $name } @sent;
}


# stop(): ends all of it; false if it had to be killed.
sub stop {
    my ($self) = @_;

    return 1 if $self->{owner} != $$;

    my $well = 1;

    local $?;

    for my $pid (splice @{ $self->{pid} }) {
        kill TERM => $pid;
        next if within(sub { waitpid($pid, WNOHANG) != 0 });

        kill KILL => $pid;
        waitpid $pid, 0;
        $well = 0;
    }

    (delete $self->{listener})->stop if $self->{listener};

    return $well;
}


sub DESTROY { $_[0]->stop; return }


# within($what): calls it until it is true; false if that does not happen.
sub within {
    my ($what) = @_;

    my $end = time() + TIMEOUT;

    while (time() < $end) {
        my $is = $what->();
        return $is if $is;
        sleep TICK;
    }

    return 0;
}


# fast($text): rules whose minutes are seconds.
sub fast {
    my ($text) = @_;

    my %seconds = (m => 1, h => 60, d => 1440);

    $text =~ s/(\[|\bfor:\ |\boffset\ |\binterval:\ )(\d+)([mhd])\b
              /$1 . $2 * $seconds{$3} . 's'/gex;

    return $text;
}


sub _configure {
    my ($self) = @_;

    my ($nginx, %opt) = ($self->{nginx}, %{ $self->{opt} });
    my $path   = $opt{path} || '/metrics';
    my $params = $opt{query} ? "params: { $opt{query} }" : '';
    my $labels = $opt{docs} ? "external_labels: { aop_docs: '$opt{docs}' }"
                            : '';

    open my $fh, '<', $RULES or croak "cannot read $RULES: $!";
    $nginx->write('rules.yml', fast(join '', <$fh>));

    $self->_targets;

    $nginx->write('prometheus.yml', <<"CONF");
global:
  scrape_interval: 1s
  evaluation_interval: 1s
  $labels
rule_files: [ rules.yml ]
alerting:
  alertmanagers:
    - static_configs: [ { targets: [ '127.0.0.1:$self->{manager}' ] } ]
scrape_configs:
  - job_name: aop
    metrics_path: '$path'
    $params
    file_sd_configs: [ { files: [ targets.json ], refresh_interval: 1s } ]
CONF

    $nginx->write('alertmanager.yml', <<"CONF");
route:
  receiver: hook
  group_by: [ '...' ]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: hook
    webhook_configs: [ { url: 'http://127.0.0.1:$self->{hook}/' } ]
CONF

    return;
}


# written anew at another name: Prometheus may read it at any time
sub _targets {
    my ($self) = @_;

    my $nginx = $self->{nginx};
    my @list  = map { "127.0.0.1:$_" } @{ $self->{targets} };

    $nginx->write('targets.new', $JSON->encode([ { targets => \@list } ]));
    rename $nginx->path('targets.new'), $nginx->path('targets.json')
        or croak "rename() failed: $!";

    return;
}


# what Alertmanager sends to, one alert a line
sub _listen {
    my ($self) = @_;

    my $file = $self->{nginx}->path('notified');

    $self->{listener} = AOP::Test::Origin->start($self->{hook}, sub {
        my ($client, $head) = @_;

        my ($length) = $head =~ /^Content-Length: (\d+)/mi;
        my (undef, $body) = split /\r\n\r\n/, $head, 2;

        while (length $body < $length) {
            sysread $client, $body, $length, length $body or last;
        }

        open my $fh, '>>', $file or die "cannot write $file: $!\n";
        syswrite $fh, join '', map { $JSON->encode($_) . "\n" }
                               @{ $JSON->decode($body)->{alerts} };
        close $fh;

        return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    });

    return;
}


sub _run {
    my ($self, $name, @command) = @_;

    my $log = $self->{nginx}->path("$name.log");
    my $pid = fork();
    croak "fork() failed: $!" unless defined $pid;

    if ($pid == 0) {
        chdir $self->{nginx}->dir;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $log;
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }

    push @{ $self->{pid} }, $pid;

    return;
}


sub _command {
    my ($name) = @_;

    return (grep { -x } map { "$_/$name" } split /:/, $ENV{PATH})[0];
}


1;
