#!/usr/bin/perl

# What grows with the number of servers and of client certificates, beside stock
# nginx with "ssl_verify_client on" where it does the same.
#
#     make bench SCALE=1 [SERVERS="1 50 500 5000"] [CERTS="64 1024 1536 5000 10000"]
#
# CPU is what the kernel accounts to the process: seconds of "nginx -t" and of
# the master's reload, microseconds of the worker for a full handshake and for
# a kept-alive request.  Memory is what the master, and what its worker alone,
# holds after the reload, the zone included where it was written to.  The
# certificates come in turn, twice; the second turn is looked at.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../lib";

use IO::Socket::INET;
use List::Util qw(sum);
use POSIX qw(sysconf _SC_CLK_TCK);
use Time::HiRes qw(sleep time);

# thousands of servers take their time
BEGIN { $ENV{AOP_START_TIMEOUT} = 300 }

use AOP::Bench::Client;
use AOP::Test;
use AOP::Test::Cert;

use constant {
    HANDSHAKES => 300,
    REQUESTS   => 10_000,
    TURNS      => 3,
    SETTLE     => 0.5,
};

my @SERVERS = split ' ', $ENV{SERVERS} || '1 50 500 5000';
my @CERTS   = split ' ', $ENV{CERTS} || '64 1024 1536 5000 10000';

my $ca   = AOP::Test::Cert->ca('Scale CA', key => 'ec');
my $leaf = $ca->leaf('scale', key => 'ec');

print "servers  nginx    -t s  reload s  handshake us  request us",
      "  master MB  worker MB\n";

for my $n (@SERVERS) {
    servers($n, $_) for qw(stock module);
}

print "\nservers  format      bytes     ms\n";
reports($_) for @SERVERS;

print "\ncertificates  workers  hits %  handshake us  worker MB\n";

for my $n (@CERTS) {
    certificates($n, $_) for 1, 2;
}


# servers($n, $kind): one line of the first table.
sub servers {
    my ($n, $kind) = @_;

    my ($nginx, $port) = origin($n, $kind);
    my $checked = median(map { child_cpu(sub { $nginx->test_config }) }
                         1 .. TURNS);

    $nginx->start;

    my $reloaded = median(map { reload_cpu($nginx) } 1 .. TURNS);
    my ($worker) = $nginx->worker_pids;

    my $client     = visitor($port, $leaf);
    my $handshake  = per($worker, HANDSHAKES,
                         sub { $client->connections(HANDSHAKES) });
    my $connection = $client->open;
    my $request    = per($worker, REQUESTS,
                         sub { $client->requests($connection, REQUESTS) });

    $client->close($connection);

    printf "%7d  %-6s %7.2f  %8.2f  %12.0f  %10.1f  %9.1f  %9.1f\n", $n,
           $kind, $checked, $reloaded, 1e6 * $handshake, 1e6 * $request,
           memory($nginx->pid), memory($worker);

    $nginx->stop;

    return;
}


# reports($n): an answer in each format, once each server was asked something.
sub reports {
    my ($n) = @_;

    my ($nginx, $port, $admin) = origin($n, 'module');

    $nginx->start;
    visitor($port, $leaf)->connections(1);

    for my $format (qw(json prometheus html)) {
        my ($took, $size) = (1e9, 0);

        for (1 .. TURNS) {
            my $start  = time;
            my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$admin")
                or die "cannot connect: $!\n";

            print {$socket} "GET /?format=$format HTTP/1.0\r\n\r\n";

            local $/;
            $size = length <$socket>;
            $took = time - $start if time - $start < $took;
        }

        printf "%7d  %-10s %6d %6.1f\n", $n, $format, $size, 1e3 * $took;
    }

    $nginx->stop;

    return;
}


# certificates($n, $workers): one line of the last table.
sub certificates {
    my ($n, $workers) = @_;

    my ($nginx, $port, $admin) = origin(1, 'module', $workers);

    my @clients = map {
        visitor($port, $ca->leaf("scale $_", key => 'ec'))
    } 1 .. $n;

    $nginx->start;

    $_->connections(1) for @clients;

    my ($hits, $all) = lookups($admin);
    my @pids = $nginx->worker_pids;
    my $cpu  = sum(map { cpu($_) } @pids);

    $_->connections(1) for @clients;

    my ($hits_then, $all_then) = lookups($admin);

    printf "%12d  %7d  %6.1f  %12.0f  %9.1f\n", $n, $workers,
           100 * ($hits_then - $hits) / ($all_then - $all),
           1e6 * (sum(map { cpu($_) } @pids) - $cpu) / $n,
           sum(map { memory($_) } @pids) / $workers;

    $nginx->stop;

    return;
}


# origin($n, $kind, $workers): nginx with so many servers, not started; its port,
# and the one of the report.
sub origin {
    my ($n, $kind, $workers) = @_;

    my $nginx = nginx(workers => $workers || 1, tls => 1,
                      $kind eq 'stock' ? (module => 0) : ());
    my ($port, $admin) = $nginx->ports(2);
    my $listen = $nginx->listen_tls($port);

    $nginx->write('scale-ca.pem', $ca);

    my $verify = $kind eq 'stock'
               ? 'ssl_verify_client on; ssl_client_certificate scale-ca.pem;'
               : 'aop on; aop_ca scale-ca.pem;';

    my $servers = join "\n", map {
        my $name = $_ == 1 ? 'bench.test' : "$_.bench.test";
        "server { $listen server_name $name; location / { return 200 ok; } }"
    } 1 .. $n;

    my $report = $kind eq 'stock' ? '' : 'aop off; location / { aop_report; }';

    $nginx->configure(<<"CONF");
    $verify
    server_names_hash_max_size 65536;
    server_names_hash_bucket_size 128;
    keepalive_requests 1000000;
    $servers
    server { listen 127.0.0.1:$admin; ssl_verify_client off; $report }
CONF

    return ($nginx, $port, $admin);
}


sub visitor {
    my ($port, $cert) = @_;

    return AOP::Bench::Client->new(port => $port, tls => '1.3', cert => $cert,
                                   status => 200);
}


# lookups($admin): hits and all of the cache of verified chains.
sub lookups {
    my ($admin) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$admin")
        or die "cannot connect: $!\n";

    print {$socket} "GET /?format=prometheus HTTP/1.0\r\n\r\n";

    my %count = (hit => 0, miss => 0);

    while (my $line = <$socket>) {
        $count{$1} = $2 if $line
            =~ /^nginx_aop_verify_cache_total\{result="(\w+)"\} (\d+)/;
    }

    return ($count{hit}, $count{hit} + $count{miss});
}


# per($pid, $n, $code): seconds of CPU of the process for one of n.
sub per {
    my ($pid, $n, $code) = @_;

    return median(map {
        my $cpu = cpu($pid);
        $code->();
        (cpu($pid) - $cpu) / $n;
    } 1 .. TURNS);
}


sub reload_cpu {
    my ($nginx) = @_;

    my $cpu = cpu($nginx->pid);

    $nginx->reload or die "cannot reload\n";
    sleep SETTLE;

    return cpu($nginx->pid) - $cpu;
}


sub child_cpu {
    my ($code) = @_;

    my $before = (times)[2] + (times)[3];
    $code->();

    return (times)[2] + (times)[3] - $before;
}


# cpu($pid): in seconds; of nanoseconds where the kernel counts them.
sub cpu {
    my ($pid) = @_;

    my ($ns) = split ' ', slurp("/proc/$pid/schedstat");

    return $ns / 1e9 if $ns;

    my @stat = split ' ', slurp("/proc/$pid/stat") =~ s/.*\) //r;

    return ($stat[11] + $stat[12]) / sysconf(_SC_CLK_TCK);
}


# memory($pid): MB; of the master, what it shares with its workers is its own.
sub memory {
    my ($pid) = @_;

    my $rollup = slurp("/proc/$pid/smaps_rollup");
    my ($kb)   = $rollup =~ /^Private_Dirty:\s+(\d+)/m;

    ($kb) = $rollup =~ /^Rss:\s+(\d+)/m
        if slurp("/proc/$pid/cmdline") =~ /master process/;

    return $kb / 1024;
}


sub median {
    my @sorted = sort { $a <=> $b } @_;

    return $sorted[ @sorted / 2 ];
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or die "$path: $!\n";
    local $/;

    return scalar <$fh>;
}
