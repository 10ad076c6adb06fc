#!/usr/bin/perl

# What grows with the number of servers, of client certificates, of workers and
# of addresses, beside stock nginx with "ssl_verify_client on" where it does the
# same.
#
#     make bench SCALE=1 [SERVERS="1 50 500 5000"] [CERTS="64 1024 5000 10000"]
#                        [WORKERS="1 2 4"] [PEERS=1000000]
#
# CPU is what the kernel accounts to the process, the least of several turns:
# seconds of "nginx -t" and of the master's reload, microseconds of the workers
# for a full handshake, a kept-alive request, a connection that returns (of that
# the median, stock, module, and stock once more in turn).  Memory is what the master, and what a worker alone, holds after the reload, the zone
# included where it was written to.  "Busy" is the CPU of the longest round of
# a worker's event loop, in which it serves nobody else.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../lib";

use IO::Socket::INET;
use List::Util qw(min sum);
use POSIX qw(sysconf _SC_CLK_TCK);
use Socket qw(SOL_SOCKET SO_LINGER inet_aton pack_sockaddr_in);
use Time::HiRes qw(sleep);

# thousands of servers take their time
BEGIN { @ENV{qw(AOP_START_TIMEOUT AOP_TEST_WATCHDOG)} = (600, 4 * 3600) }

use AOP::Bench::Client;
use AOP::Bench::Rounds;
use AOP::Test;
use AOP::Test::Cert;
use AOP::Test::Clock;

use constant {
    HANDSHAKES => 200,
    REQUESTS   => 5000,
    RETURNS    => 200,
    ROUNDS     => 15,
    TURNS      => 3,
    MANY       => 1000,
    SETTLE     => 0.5,
    HOUR       => 3600,
    HEAVY      => 200,      # one connection in so many is of one address
};

my @SERVERS = split ' ', $ENV{SERVERS} // '1 50 500 5000';
my @CERTS   = split ' ', $ENV{CERTS}   // '64 1024 5000 10000';
my @WORKERS = split ' ', $ENV{WORKERS} // '1 2 4';
my $PEERS   = $ENV{PEERS} // 1_000_000;

my $ca   = AOP::Test::Cert->ca('Scale CA', key => 'ec');
my $leaf = $ca->leaf('scale', key => 'ec');

# a key with which tickets pay on each OpenSSL
my $dear = AOP::Test::Cert->new(subject => 'server.test', key => 'rsa',
                                eku => 'serverAuth');

my %KEPT = (
    'default'  => '',
    'shared:'  => 'ssl_session_cache shared:scale:10m;',
    'key file' => 'ssl_session_ticket_key ticket.key;',
);

$| = 1;

print "servers  nginx    -t s  reload s  handshake us  request us",
      "  master MB  worker MB\n" if @SERVERS;
servers($_) for @SERVERS;

print "\nservers  busy ms:   reload    hourly      json  prometheus      html",
      "   bytes:     json  prometheus      html\n" if @SERVERS;
busy($_) for @SERVERS;

print "\ncertificates  workers  hits %  handshake us  worker MB\n" if @CERTS;
certificates($_) for @CERTS;

print "\nworkers  kept in    TLS  resumed %  stock us  resumed %  module us",
      "  resumed %  stock again us\n" if @WORKERS;

for my $n (@WORKERS) {
    for my $kept (sort keys %KEPT) {
        returns($n, $kept, $_) for '1.3', '1.2';
    }
}

peers($PEERS) if $PEERS;


# servers($n): two lines of the first table.
sub servers {
    my ($n) = @_;

    my %nginx = map { $_ => { origin($n, $_) } } qw(stock module);
    my (%least, %memory);

    my $note = sub {
        my ($kind, $what, $took) = @_;

        my $least = \$least{$kind}{$what};
        $$least = $took if !defined $$least || $took < $$least;
    };

    # thousands of servers take long, and differ less from turn to turn

    my $turns = $n < MANY ? TURNS : 1;

    for (1 .. $turns) {
        $note->($_, 'test', child_cpu(sub { test_config($nginx{$_}{nginx}) }))
            for keys %nginx;
    }

    $_->{nginx}->start for values %nginx;

    for (1 .. $turns) {
        $note->($_, 'reload', reload_cpu($nginx{$_}{nginx})) for keys %nginx;
    }

    for my $kind (keys %nginx) {
        my $client = $nginx{$kind}{client} = visitor($nginx{$kind}{port});

        $client->connections(1);
        $nginx{$kind}{connection} = $client->open;
    }

    for (1 .. TURNS) {
        for my $kind (keys %nginx) {
            my ($nginx, $client, $connection)
                = @{ $nginx{$kind} }{qw(nginx client connection)};
            my ($worker) = $nginx->worker_pids;

            $note->($kind, 'handshake', per($worker, HANDSHAKES,
                sub { $client->connections(HANDSHAKES) }));
            $note->($kind, 'request', per($worker, REQUESTS,
                sub { $client->requests($connection, REQUESTS) }));

            $memory{$kind} = [ map { memory($_) } $nginx->pid, $worker ];
        }
    }

    for my $kind (qw(stock module)) {
        my $least = $least{$kind};

        printf "%7d  %-6s %7.2f  %8.2f  %12.0f  %10.1f  %9.1f  %9.1f\n", $n,
               $kind, @$least{qw(test reload)},
               (map { 1e6 * $_ } @$least{qw(handshake request)}),
               @{ $memory{$kind} };

        $nginx{$kind}{client}->close($nginx{$kind}{connection});
        $nginx{$kind}{nginx}->stop;
    }

    return;
}


# busy($n): what keeps a worker from serving others; and how much it writes.
sub busy {
    my ($n) = @_;

    my %origin = origin($n, 'module');
    my $nginx  = $origin{nginx};
    my $rounds = AOP::Bench::Rounds->new;
    my $clock  = AOP::Test::Clock->new;

    $rounds->watch(sub { $clock->start($nginx) });
    visitor($origin{port})->connections(1);
    sleep 2 + SETTLE;                   # the first check of what expires

    my $reload = $rounds->longest(sub {
        $nginx->reload or die "cannot reload\n";
        sleep 2 + SETTLE;
    });

    my $hourly = min map {
        $rounds->longest(sub {
            $clock->pass(HOUR);

            # whose request makes the worker look at the clock
            visitor($origin{port})->connections(1);
            sleep 1 + $n / 1000;
        })
    } 1 .. TURNS;

    my (@ms, @bytes);

    for my $format (qw(json prometheus html)) {
        my $size;

        push @ms, min map {
            $rounds->longest(sub {
                $size = length fetch($origin{admin}, $format);
            })
        } 1 .. TURNS;

        push @bytes, $size;
    }

    printf "%7d            %8.1f  %8.1f  %8.1f  %10.1f  %8.1f         %8d"
           . "  %10d  %8d\n", $n, $reload, $hourly, @ms, @bytes;

    $nginx->stop;

    return;
}


# certificates($n): two lines of a table.  They come in turn, twice; the second
# turn is looked at.
sub certificates {
    my ($n) = @_;

    # one key, as it takes long to make one
    my @certs = map { $ca->leaf("scale $_", key => $leaf) } 1 .. $n;

    for my $workers (1, 2) {
        my %origin = origin(1, 'module', workers => $workers);
        my $nginx  = $origin{nginx};

        $nginx->start;

        visitor($origin{port}, cert => $_)->connections(1) for @certs;

        my @before = lookups($origin{admin});
        my @pids   = $nginx->worker_pids;
        my $cpu    = sum(map { cpu($_) } @pids);

        visitor($origin{port}, cert => $_)->connections(1) for @certs;

        my @after = lookups($origin{admin});

        printf "%12d  %7d  %6.1f  %12.0f  %9.1f\n", $n, $workers,
               100 * ($after[0] - $before[0]) / ($after[1] - $before[1]),
               1e6 * (sum(map { cpu($_) } @pids) - $cpu) / $n,
               sum(map { memory($_) } @pids) / $workers;

        $nginx->stop;
    }

    return;
}


# returns($workers, $cache, $tls): a client that comes back, to any worker.
sub returns {
    my ($workers, $kept, $tls) = @_;

    my @kinds = qw(stock module again);
    my @order = @kinds;
    my (%origin, %us);

    for my $kind (@kinds) {
        my %new = origin(1, $kind eq 'module' ? $kind : 'stock',
                         workers => $workers, more => $KEPT{$kept});

        if ($kept eq 'key file') {
            $new{nginx}->write('ticket.key', 'k' x 80);
            $new{nginx}->write('server.crt', $dear->pem);
            $new{nginx}->write('server.key', $dear->key_pem);
        }

        $new{nginx}->start;

        # each worker meets the client before it is measured

        $new{client} = visitor($new{port}, tls => $tls, resume => 1);
        $new{client}->connections(50 * $workers);
        $new{client}->resumed;

        $origin{$kind} = \%new;
    }

    for (1 .. ROUNDS) {
        for my $kind (@order) {
            my @pids = $origin{$kind}{nginx}->worker_pids;
            my $cpu  = sum(map { cpu($_) } @pids);

            $origin{$kind}{client}->connections(RETURNS);

            push @{ $us{$kind} },
                 1e6 * (sum(map { cpu($_) } @pids) - $cpu) / RETURNS;
        }

        push @order, shift @order;
    }

    printf "%7d  %-9s  %s", $workers, $kept, $tls;

    for my $kind (@kinds) {
        my @sorted = sort { $a <=> $b } @{ $us{$kind} };

        printf '  %10.1f  %8.0f',
               100 * $origin{$kind}{client}->resumed / (ROUNDS * RETURNS),
               $sorted[ROUNDS / 2];

        $origin{$kind}{nginx}->stop;
    }

    print "\n";

    return;
}


# peers($n): each address comes once, without TLS, but for one that is heavy.
sub peers {
    my ($n) = @_;

    my %origin = origin(1, 'module', plain => 1);
    my $nginx  = $origin{nginx};

    $nginx->start;
    my ($worker) = $nginx->worker_pids;

    print "\naddresses  refused us  worker MB  heavy ones listed\n";

    my ($done, $part) = (0, min(10_000, $n));
    my $cpu = cpu($worker);

    for my $last ($part, $n) {
        next if $last == $done;

        $cpu = cpu($worker);
        knock($origin{plain}, $_) for $done + 1 .. $last;

        my $heavy = () = fetch($origin{admin}, 'json') =~ /"127\.255\.0\.1"/g;

        printf "%9d  %10.1f  %9.1f  %d\n", $last,
               1e6 * (cpu($worker) - $cpu) / ($last - $done), memory($worker),
               $heavy;

        $done = $last;
    }

    $nginx->stop;

    return;
}


# knock($port, $i): a request from the address of that number.
sub knock {
    my ($port, $i) = @_;

    my $addr = $i % HEAVY ? pack('C4', 127, unpack 'x C3', pack 'N', $i + 256)
                          : inet_aton('127.255.0.1');

    socket my $socket, Socket::PF_INET(), Socket::SOCK_STREAM(), 0
        or die "socket: $!\n";
    bind $socket, pack_sockaddr_in(0, $addr) or die "bind: $!\n";
    connect $socket, pack_sockaddr_in($port, inet_aton('127.0.0.1'))
        or die "connect: $!\n";

    syswrite $socket, "GET / HTTP/1.0\r\nHost: bench.test\r\n\r\n";
    sysread $socket, my $answer, 64;

    die "not refused: $answer\n" unless $answer =~ m{\AHTTP/1\.1 4};

    setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'l!2', 1, 0;
    close $socket;

    return;
}


# origin($n, $kind, %options): nginx with so many servers, not started; its port,
# and the one of the report.
#   workers   (1)
#   more      directives of http{}
#   plain     1: the first server listens without TLS, too
sub origin {
    my ($n, $kind, %opt) = @_;

    my $workers = $opt{workers} || 1;

    my $nginx = nginx(workers => $workers,
                      $kind eq 'stock' ? (module => 0) : ());
    my ($port, $admin, $plain) = $nginx->ports(3);
    my $listen = $nginx->listen_tls($port);

    $nginx->write('scale-ca.pem', $ca);

    my $verify = $kind eq 'stock'
               ? 'ssl_verify_client on; ssl_client_certificate scale-ca.pem;'
               : 'aop on; aop_ca scale-ca.pem; aop_log_interval 60;';

    my $more  = $opt{more} || '';
    my $first = $nginx->listen_tls($port, $workers > 1 ? 'reuseport' : '')
              . ($opt{plain} ? " listen 127.0.0.1:$plain;" : '')
              . ' server_name bench.test;';

    my $servers = join "\n", map { "server { $_ location / { return 200 ok; } }" }
                  $first, map { "$listen server_name $_.bench.test;" } 2 .. $n;

    my $report = $kind eq 'stock' ? '' : 'aop off; location / { aop_report; }';

    $nginx->configure(<<"CONF");
    access_log off;
    $verify $more
    server_names_hash_max_size 65536;
    server_names_hash_bucket_size 128;
    keepalive_requests 10000000;
    $servers
    server { listen 127.0.0.1:$admin; ssl_verify_client off; $report }
CONF

    return (nginx => $nginx, port => $port, admin => $admin, plain => $plain);
}


sub visitor {
    my ($port, %opt) = @_;

    return AOP::Bench::Client->new(port => $port, tls => '1.3', cert => $leaf,
                                   status => 200, %opt);
}


# fetch($admin, $format): the whole report.
sub fetch {
    my ($admin, $format) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$admin")
        or die "cannot connect: $!\n";

    print {$socket} "GET /?format=$format HTTP/1.0\r\n\r\n";

    local $/;
    my $answer = <$socket>;

    die "no report\n" unless $answer =~ m{\AHTTP/1\.1 200 };

    return $answer;
}


# lookups($admin): hits and all of the cache of verified chains.
sub lookups {
    my ($admin) = @_;

    my %count = (hit => 0, miss => 0, fetch($admin, 'prometheus')
        =~ /^nginx_aop_verify_cache_total\{result="(\w+)"\} (\d+)/mg);

    return ($count{hit}, $count{hit} + $count{miss});
}


# per($pid, $n, $code): seconds of CPU of the process for one of n.
sub per {
    my ($pid, $n, $code) = @_;

    my $cpu = cpu($pid);
    $code->();

    return (cpu($pid) - $cpu) / $n;
}


sub test_config {
    my ($nginx) = @_;

    my ($status, $output) = $nginx->test_config;
    die "nginx -t: $output\n" if $status;

    return;
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


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or die "$path: $!\n";
    local $/;

    return scalar <$fh>;
}
