#!/usr/bin/perl

# A report of 2,000 servers in each format: whole, linear in the number of
# servers, and built in slices, between which the worker answers others.  It is
# compared by sizes and by the order of answers, never by time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_RCVBUF inet_aton pack_sockaddr_in);
use Test::More;
use Time::HiRes qw(sleep);
use AOP::Test;
use AOP::Test::Report;

use constant SERVERS => 2000;

my @FORMATS = qw(json prometheus html);

my ($nginx, $port, $admin);

sub configuration {
    my ($n) = @_;

    my $servers = join "\n", map {
        sprintf 'server { listen 127.0.0.1:%d; server_name %05d.test;'
                . ' aop %s; return 204; }', $port, $_,
                ($_ % 2 ? 'on' : 'optional')
    } 1 .. $n;

    return <<"CONF";
    aop_zone 160m;
    server_names_hash_max_size 8192;
    error_log error.log error;
    $servers
    server {
        listen 127.0.0.1:$admin sndbuf=16k;
        location / { aop_report; }
        location = /two.html { ssi on; }
        location /quick { return 204; }
    }
CONF
}

my %size;

for my $n (SERVERS / 2, SERVERS) {
    $nginx->finish if $nginx;

    $nginx = nginx(tls => 0);
    ($port, $admin) = $nginx->ports(2);
    $nginx->write('html/two.html', join '', map {
        "<!--# include virtual=\"/?format=$_\" -->" } qw(json prometheus html));
    $nginx->configure(configuration($n))->start;

    my $report = report($admin, timeout => 60);

    $size{$n}{$_} = length $report->text($_) for @FORMATS;

    is(scalar @{ $report->json->{servers} }, $n, "$n servers: JSON");
    is(scalar(grep { /^nginx_aop_mode_info/ } keys %{ $report->metrics }), $n,
       "$n servers: Prometheus");
    is(() = $report->text('html') =~ /class="s /g, $n,
       "$n servers: page");
}

for (@FORMATS) {
    cmp_ok($size{+SERVERS}{$_}, '<', 2.2 * $size{SERVERS / 2}{$_},
           "$_: twice the servers, twice the size");
}

# while a report is built, the worker answers others

for my $format (@FORMATS) {
    my $slow = request("GET /?format=$format HTTP/1.0\r\n\r\n");
    my $answered = 0;

    until (readable($slow, 0)) {
        last if get($admin, tls => 0, path => '/quick')->status != 204;
        $answered++;
    }

    cmp_ok($answered, '>=', 3, "$format: others are answered meanwhile");
    ok(whole($slow), "$format: whole");
}

# those that come while one is built share the next one

my ($worker) = $nginx->worker_pids;
my $before = peak($worker);
my @many = map { request("GET /?format=json HTTP/1.0\r\n\r\n") } 1 .. 40;

is(scalar(grep { whole($_) } @many), 40,
   'forty at once: each is whole');
cmp_ok(peak($worker) - $before, '<', 4 * $size{+SERVERS}{json},
       'forty at once: not forty times the memory');

# a client that goes away meanwhile, again and again

for my $format (@FORMATS) {
    close(request("GET /?format=$format HTTP/1.0\r\n\r\n")) for 1 .. 20;

    for (1 .. 20) {
        my $gone = request("GET /?format=$format HTTP/1.0\r\n\r\n");
        sleep(.002 * $_);
        close $gone;
    }
}

is(get($admin, tls => 0, path => '/quick')->status, 204,
   'clients that go away: the worker lives');
is("@{[ $nginx->worker_pids ]}", $worker, 'and is the same one');

# HEAD, and a report that is not read

cmp_ok(get($admin, tls => 0, method => 'HEAD', timeout => 60)
       ->header('Content-Length'), '>', .9 * $size{+SERVERS}{json}, 'HEAD');

# clients that do not read theirs: there is a limit to what is kept for them

my @lazy;

for (1 .. 100) {
    push @lazy, request("GET / HTTP/1.0\r\n\r\n", 1);
    readable($lazy[-1], 60);
    sysread $lazy[-1], my $line, 12;
    last if $line ne 'HTTP/1.1 200';
}

cmp_ok(scalar @lazy, '>', 3, 'clients that do not read: some have theirs');
is(get($admin, tls => 0, timeout => 60)->status, 503,
   'clients that do not read: no more than that');
like($nginx->read('error.log'), qr/aop: reports of \d+ bytes are still being/,
     'clients that do not read: said');
close $_ for @lazy;

is(until_counted(sub {
    get($admin, tls => 0, timeout => 60)->status == 200;
}), 1, 'once they are gone: as ever');

# three subrequests of one request, one after the other and left alone

my $two = get($admin, tls => 0, path => '/two.html', timeout => 60)->body;

is(() = $two =~ /"servers":|^# TYPE nginx_aop_ready |<html /mg, 3,
   'three subrequests: each is there');
cmp_ok(length $two, '>', .9 * ($size{+SERVERS}{json} + $size{+SERVERS}{html}),
       'three subrequests: whole');

for (1 .. 10) {
    my $gone = request("GET /two.html HTTP/1.0\r\n\r\n");
    sleep(.005 * $_);
    close $gone;
}

is(get($admin, tls => 0, path => '/quick')->status, 204,
   'subrequests that are left alone: the worker lives');
is("@{[ $nginx->worker_pids ]}", $worker, 'and is the same one');

# a reload meanwhile: the old worker answers before it exits

my $old = request("GET /?format=html HTTP/1.0\r\n\r\n");
readable($old, .01);
$nginx->configure(configuration(3));
kill 'HUP', $nginx->pid;
ok(whole($old), 'a reload meanwhile: it is whole all the same');
is(until_counted(sub { @{ report($admin)->json->{servers} } == 3 }), 1,
   'a reload meanwhile: the new worker answers');

$nginx->finish;
done_testing();


sub request {
    my ($text, $buffer) = @_;

    my $socket = IO::Socket::INET->new(Proto => 'tcp')
        or die "no socket: $!\n";

    $socket->setsockopt(SOL_SOCKET, SO_RCVBUF, 4096) if $buffer;
    connect $socket, pack_sockaddr_in($admin, inet_aton('127.0.0.1'))
        or die "cannot connect: $!\n";
    syswrite $socket, $text;

    return $socket;
}

sub readable {
    my ($socket, $timeout) = @_;

    my $bits = '';
    vec($bits, fileno $socket, 1) = 1;

    return select $bits, undef, undef, $timeout;
}

sub whole {
    my ($socket) = @_;

    my $text = '';
    1 while sysread $socket, $text, 65536, length $text;

    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($length) = $head =~ /^Content-Length: (\d+)/mi;

    return $length > 100_000 && $length == length $body;
}

# the most memory of a process so far
sub peak {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/status" or return 0;
    my ($kb) = map { /^VmHWM:\s*(\d+)/ ? $1 : () } <$fh>;

    return $kb * 1024;
}
