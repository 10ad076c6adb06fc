#!/usr/bin/perl

# Debian's Prometheus scrapes the report, agrees with it about each number, and
# its alerts, the rules that we ship, fire when the edge is refused.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Cwd qw(abs_path);
use JSON::PP ();
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);
use AOP::Test;
use AOP::Test::Report;

use constant {
    EDGE    => '173.245.48.9',
    DIRECT  => '203.0.113.9',
    TIMEOUT => 30,
};

my ($prometheus) = grep { -x } map { "$_/prometheus" } split /:/, $ENV{PATH};

plan skip_all => 'no Prometheus, package prometheus' unless $prometheus;

my $ca    = ca('Edge CA', not_after => time() + 5.5 * 86400);
my $good  = $ca->leaf('"edge" \\ M' . "\xc3\xbc" . 'ller');
my $nginx = nginx(workers => 2);
my ($port, $admin, $web) = $nginx->ports(3);
my $listen = $nginx->listen_tls($port, 'proxy_protocol');
my $rules  = abs_path("$FindBin::Bin/../../contrib/prometheus/aop.rules.yml");

$nginx->write('ca.pem', $ca);
$nginx->configure(<<"CONF")->start;
    aop_ca ca.pem;
    server { $listen server_name on.test; aop on; location / { return 200; } }
    server { $listen server_name "~^(?<x>opt)\\.test\$"; aop optional;
             location / { return 200; } }
    server { listen 127.0.0.1:$admin; location /metrics {
             aop_report prometheus; } }
CONF

$nginx->write('prometheus.yml', <<"CONF");
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [ '$rules' ]
scrape_configs:
  - job_name: aop
    static_configs: [ { targets: [ '127.0.0.1:$admin' ] } ]
CONF

my $pid = start_prometheus();

# a number of requests

ask('on.test', EDGE, 7, $good);
ask('on.test', EDGE, 2);
ask('on.test', DIRECT, 3);
ask('opt.test', EDGE, 120, $good);

my $report = settled(132);
my %ours   = %{ $report->metrics };

# scraped twice since then

my $seen = scrapes();
ok(within(sub { scrapes() >= $seen + 2 }), 'Prometheus scrapes');

my ($target) = @{ api('targets')->{activeTargets} };

is($target->{health}, 'up', 'the target is up');
is($target->{lastError}, '', 'without an error');
is(join(' ', map { $_->{health} } map { @{ $_->{rules} } }
        @{ api('rules')->{groups} }), join(' ', ('ok') x 6),
   'all rules are well');

my %theirs;

for my $result (@{ query('{__name__=~"nginx_aop_.*"}') }) {
    my %label = %{ $result->{metric} };
    my $name  = delete $label{__name__};

    delete @label{qw(job instance)};
    s/([\\"])/\\$1/g for values %label;
    utf8::encode($_) for values %label;

    $theirs{ AOP::Test::Report::series($name, %label) } = $result->{value}[1];
}

is_deeply(\%theirs, \%ours, 'it has the same numbers');
cmp_ok(scalar keys %theirs, '>=', 14, 'which are ' . keys %theirs);

# what fires; certificates that end soon do after ten minutes

my ($alert) = grep { $_->{labels}{alertname} eq 'AopCertificateEndsSoon' }
              @{ api('alerts')->{alerts} };

is($alert->{state}, 'pending', 'the CA that ends soon is noticed');
is(firing('AopEdgeRefused'), '', 'nothing is refused now');

ask('on.test', EDGE, 1);
ok(within(sub { firing('AopEdgeRefused') }), 'the edge is refused: it fires');
is(firing('AopEdgeRefused'), "critical on.test 127.0.0.1:$port none",
   'and tells where');

ask('opt.test', EDGE, 1);
my $before = scrapes();
within(sub { scrapes() >= $before + 2 });
ask('opt.test', EDGE, 1);
ok(within(sub { firing('AopEdgeWouldBeRefused') }),
   'the edge would be refused: it fires');

# a reload is no reset

ok($nginx->reload, 'a reload');
$before = scrapes();
ok(within(sub { scrapes() >= $before + 2 }), 'it goes on');
is(query('sum(resets(nginx_aop_requests_total[5m]))')->[0]{value}[1], 0,
   'without a reset of a counter');

ok(stop_prometheus(), 'Prometheus stops');
$nginx->finish;

done_testing();


sub ask {
    my ($host, $from, $n, $cert) = @_;

    for (1 .. $n) {
        get($port, sni => $host, cert => $cert,
            prelude => "PROXY TCP4 $from 127.0.0.1 1 2\r\n");
    }
}

# the report, once so many requests are counted
sub settled {
    my ($n) = @_;

    my $found;

    until_counted(sub {
        my $sum = 0;

        $found = report($admin, path => '/metrics');

        for my $server (@{ $found->json->{servers} }) {
            $sum += $_->{count} for @{ $server->{requests} };
        }

        return $sum == $n;
    });

    return $found;
}

sub api {
    my ($path) = @_;

    my $answer = get($web, tls => 0, path => "/api/v1/$path");

    return eval { JSON::PP->new->utf8->decode($answer->body)->{data} } || {};
}

sub query {
    my ($expression) = @_;

    $expression =~ s/([^A-Za-z0-9_])/sprintf '%%%02X', ord $1/ge;

    return api("query?query=$expression")->{result} || [];
}

# how many scrapes there have been
sub scrapes {
    my ($result) = @{ query('count_over_time(up[1h])') };
    return $result ? $result->{value}[1] : 0;
}

sub firing {
    my ($name) = @_;

    return join ', ', sort
           map { "@{ $_->{labels} }{qw(severity server verdict)}" }
           grep { $_->{state} eq 'firing' && $_->{labels}{alertname} eq $name }
           @{ api('alerts')->{alerts} || [] };
}

sub within {
    my ($what) = @_;

    my $end = time() + TIMEOUT;

    while (time() < $end) {
        return 1 if $what->();
        sleep 0.2;
    }

    return 0;
}

sub start_prometheus {
    my $child = fork();
    die "fork() failed: $!\n" unless defined $child;

    if ($child == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $nginx->path('prometheus.log');
        open STDERR, '>&', \*STDOUT;

        exec $prometheus, '--config.file=' . $nginx->path('prometheus.yml'),
            '--storage.tsdb.path=' . $nginx->path('prometheus'),
            "--web.listen-address=127.0.0.1:$web", '--log.level=warn'
            or POSIX::_exit(127);
    }

    $pid = $child;

    within(sub { get($web, tls => 0, path => '/-/ready')->status == 200 })
        or die 'Prometheus did not start: ' . $nginx->read('prometheus.log');

    return $child;
}

sub stop_prometheus {
    my $child = $pid or return 1;

    $pid = undef;
    kill TERM => $child;

    return 1 if within(sub { waitpid($child, WNOHANG) != 0 });

    kill KILL => $child;
    waitpid $child, 0;

    return 0;
}

END {
    my $status = $?;

    stop_prometheus();
    $? = $status;
}
