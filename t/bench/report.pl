#!/usr/bin/perl

# What a report of many servers costs: SERVERS (2,000) servers with three series
# each.  For each format the size of the answer, the time until it is there, the
# worker's CPU, the longest that another request waited meanwhile (the best of
# ten), and how much memory the worker took beside.
#
#     make build && NGINX=... AOP_MODULE=... perl -It/lib t/bench/report.pl

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Select;
use IO::Socket::INET;
use POSIX qw(sysconf _SC_CLK_TCK);
use Time::HiRes qw(time);

use AOP::Test;

use constant TURNS => 10;

my $servers = $ENV{SERVERS} || 2000;
my $nginx   = nginx(tls => 0);
my ($port, $admin) = $nginx->ports(2);

my $conf = join "\n", map {
    sprintf 'server { listen 127.0.0.1:%d proxy_protocol;'
            . ' server_name %05d.test; aop optional; return 204; }', $port, $_
} 1 .. $servers;

my $http = <<"CONF";
    aop_zone @{[ int $servers * 80 / 1024 + 8 ]}m;
    aop_log_interval 1h;
    server_names_hash_max_size 8192;
    error_log error.log crit;
    keepalive_requests 100000;
    $conf
    server {
        listen 127.0.0.1:$admin;
        location / { aop_report; }
        location /quick { return 204; }
    }
CONF

$nginx->configure($http)->start;

# a connection from each class of peer

for my $from (qw(173.245.48.1 10.0.0.1 203.0.113.1)) {
    my $socket = connected($port);

    syswrite $socket, "PROXY TCP4 $from 127.0.0.1 1234 443\r\n";

    for (1 .. $servers) {
        syswrite $socket, sprintf "GET / HTTP/1.1\r\nHost: %05d.test\r\n\r\n",
                                  $_;
        answer($socket);
    }
}

my $worker;

printf "%d servers\n%-12s %10s %8s %8s %10s %10s\n", $servers, 'format',
       'bytes', 'ms', 'CPU ms', 'others ms', 'memory';

for my $format (qw(json prometheus html)) {

    # memory is measured in a worker that has not made one yet
    $nginx->reload($http) or die "cannot reload\n";
    ($worker) = $nginx->worker_pids;

    my ($size, undef, undef, $memory) = measure($format, 1);
    my ($all, $longest) = (1e9, 1e9);
    my $cpu = cpu();

    for (1 .. TURNS) {
        my (undef, $took, $most) = measure($format);

        $all = $took if $took < $all;
        $longest = $most if $most < $longest;
    }

    printf "%-12s %10d %8.0f %8.0f %10.1f %9.2fx\n", $format, $size,
           1e3 * $all, 1e3 * (cpu() - $cpu) / TURNS, 1e3 * $longest,
           $memory / $size;
}

$nginx->stop;


sub measure {
    my ($format, $with_memory) = @_;

    my $slow  = connected($admin);
    my $quick = connected($admin);
    my ($text, $longest, $memory) = ('', 0, 0);
    my ($rss, $start) = ($with_memory ? memory() : 0, time);

    syswrite $slow, "GET /?format=$format HTTP/1.0\r\n\r\n";
    $slow->blocking(0);

    while (1) {
        my $sent = time;

        syswrite $quick, "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n";
        answer($quick);

        my $took = time - $sent;
        $longest = $took if $took > $longest;

        my $more = $with_memory ? memory() - $rss : 0;
        $memory = $more if $more > $memory;

        my $n = sysread $slow, $text, 1 << 24, length $text;
        last if defined $n && $n == 0;
    }

    return (length $text, time - $start, $longest, $memory);
}


sub connected {
    my ($to) = @_;

    return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$to")
           || die "cannot connect: $!\n";
}


sub answer {
    my ($socket) = @_;

    my $text = '';

    until ($text =~ /\r\n\r\n/) {
        sysread $socket, $text, 4096, length $text or die "closed: $text\n";
    }

    return;
}


# of the worker: seconds, and bytes that it wrote and no other process has

sub cpu {
    my @stat = split / /, slurp("/proc/$worker/stat") =~ s/.*\) //r;

    return ($stat[11] + $stat[12]) / sysconf(_SC_CLK_TCK);
}


sub memory {
    return 1024 * (slurp("/proc/$worker/smaps_rollup")
                   =~ /^Private_Dirty:\s*(\d+)/m)[0];
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or die "$path: $!\n";
    local $/;

    return scalar <$fh>;
}
