#!/usr/bin/perl

# MINUTES of everything at once: full and resumed handshakes, connections kept
# alive, HTTP/2 with streams side by side, refused clients, clients that speak
# nonsense or go away in the middle, readers of the report, and reloads, each
# other with another policy.  At the end the report has counted what the clients
# have seen, no good client was refused, memory is where it was, and error.log
# holds no alert.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use AOP::Test;
use AOP::Test::Report;

use constant {
    ROUND       => 20,          # seconds, of which half have reloads
    RELOAD      => 1,           # seconds between two
    WARM        => 2,           # rounds
    MAX_GROWTH  => 1536,        # KB, from the end of WARM to the end
    KEPT        => 20,          # requests on a connection
    STREAMS     => 8,           # side by side
};

my $minutes = $ENV{MINUTES} || 10;
my $seed    = $ENV{AOP_SEED} || time();
my $rounds  = int($minutes * 60 / ROUND) || 1;

$rounds = WARM + 1 if $rounds <= WARM;

alarm $rounds * ROUND * 2 + 300;
diag "MINUTES=$minutes AOP_SEED=$seed";

my ($ca, $next) = (ca('Edge CA'), ca('Next CA'));
my $inter = $ca->intermediate('Intermediate');
my $other = ca('Other CA');

my %good = (edge => $ca->leaf('edge'), below => $inter->leaf('below'));

# what each kind of client is told
my %bad = (
    none      => undef,
    untrusted => $other->leaf('stranger'),
    purpose   => $ca->leaf('server', eku => 'serverAuth'),
    expired   => $ca->leaf('expired', not_before => time() - 9 * 86400,
                           not_after => time() - 86400),
);

my $nginx = nginx(workers => 2);
my ($tickets, $cache, $admin, $noise) = $nginx->ports(4);

# with a key as cheap as P-256 no ticket pays in TLS 1.3
my $dear = AOP::Test::Cert->new(subject => 'server.test', key => 'rsa');

$nginx->write('server.crt', $dear);
$nginx->write('server.key', $dear->key_pem);
$nginx->write('ca.pem', $ca);
$nginx->write('both.pem', [ $ca, $next ]);
$nginx->write('key', join '', map { chr int rand 256 } 1 .. 80);

my $show = show() . ' add_header X-Resumed $aop_resumed always;';

# Sessions end soon: stock nginx raises an alert when its cache is full of
# sessions of another size than the new one.

sub configuration {
    my ($file) = @_;

    my $listen = $nginx->listen_tls($noise);

    return join "\n", $show, "aop_ca $file; aop_log_interval 1;",
        "server { listen 127.0.0.1:$admin; location / { aop_report; } }",
        "server { $listen server_name noise; aop on; }",
        map {
            my ($port, $keep) = @$_;
            my $tls = $nginx->listen_tls($port);
            "server { $tls server_name off; $keep }
             server { $tls server_name on; aop on; $keep
                      keepalive_requests 1000;
                      location / { return 200; } }
             server { $tls server_name optional; aop optional; $keep
                      location / { return 200; } }"
        } [ $tickets, 'ssl_session_cache none; ssl_session_ticket_key key;' ],
          [ $cache, 'ssl_session_tickets off;'
               . ' ssl_session_cache shared:S:8m; ssl_session_timeout 30s;' ];
}

$nginx->configure(configuration('ca.pem'))->start;


# The clients.  Each is a function of a random state of its own that does one
# thing and tells what it has seen: "server mode verdict" => times.  What was
# sent and not answered is told as "lost": the server may have counted it.

my (%seen, %wrong);

sub port { return ($tickets, $cache)[int rand 2] }
sub tls  { return ('1.2', '1.3')[int rand 2] }

# saw($server, $port, $answer, $expected): counts one answer.
sub saw {
    my ($server, $port, $answer, $expected) = @_;
    my $got = $answer->status ? seen($answer) : 'lost';

    if ($got eq 'lost') {
        $seen{"lost $server $port"}++;
        return 0;
    }

    my (undef, $mode, $verdict) = split / /, $got;

    $seen{"$server 127.0.0.1:$port $mode $verdict"}++;
    $wrong{"$server: $got, not $expected"}++ if $got ne $expected;

    return 1;
}

# Both kinds of handshake: after a reload with another policy the certificate
# is asked for again.  On a connection of its own no good client goes without an
# answer.
sub handshakes {
    my ($port, $leaf) = (port(), (keys %good)[int rand keys %good]);
    my %how = (tls => tls(), sni => 'on', timeout => 20,
               cert => $good{$leaf}, chain => [ $inter ]);
    my $session;

    for my $n (1 .. 3) {
        my $client = client($port, %how, session => $session);
        my $answer = $client->get('/');
        my $given  = $session;

        saw('on', $port, $answer, '200 on ok PASSED')
            || ($wrong{'no answer: ' . $answer->error}++, last);

        $session = $client->session;
        $seen{ $client->resumed ? 'resumed' : 'full' }++;
        $client->close;
        Net::SSLeay::SESSION_free($given) if $given;
        last if !$session;
    }

    Net::SSLeay::SESSION_free($session) if $session;
}

# A connection that is kept: an old worker may end it between two requests.
sub kept {
    my $port   = port();
    my $client = client($port, tls => tls(), sni => 'on', timeout => 20,
                        cert => $good{edge});

    for (1 .. KEPT) {
        saw('on', $port, $client->get('/'), '200 on ok PASSED') || last;
        $seen{kept}++;
    }

    $client->close;
}

sub streams {
    my $port   = port();
    my $client = client($port, tls => tls(), sni => 'on', http => '2',
                        timeout => 20, cert => $good{edge});

    for (1 .. KEPT / 4) {
        my @answer = $client->get_all(map { [ "/$_" ] } 1 .. STREAMS);
        my $ended;

        for my $answer (@answer) {
            saw('on', $port, $answer, '200 on ok PASSED') ? $seen{streams}++
                                                          : $ended++;
        }

        last if $ended;
    }

    $client->close;
}

sub refused {
    my $port    = port();
    my $verdict = (keys %bad)[int rand keys %bad];
    my %how     = (tls => tls(), http => ('1.1', '2')[int rand 2],
                   timeout => 20, cert => $bad{$verdict});

    if (rand() < 0.3) {
        saw('optional', $port, get($port, %how, sni => 'optional'),
            "200 optional $verdict REJECTED_DRY_RUN");
        return;
    }

    # a certificate that was shown elsewhere proves nothing here
    if (rand() < 0.2) {
        saw('on', $port, get($port, %how, sni => 'off', host => 'on'),
            '421 on misdirected REJECTED');
        return;
    }

    saw('on', $port, get($port, %how, sni => 'on'),
        "400 on $verdict REJECTED");
}

# Nonsense, and clients that go away: of no use to anybody, and no harm.
sub nonsense {
    my $bytes = join '', map { chr int rand 256 } 1 .. 1 + int rand 300;

    $bytes = "\x16\x03\x01$bytes" if rand() < 0.5;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $noise) or return;

    print {$socket} $bytes;
    close $socket;

    my $client = client($noise, tls => tls(), sni => 'noise', timeout => 2,
        cert => $good{edge}, http => ('1.1', '2')[int rand 2]);

    $client->connect
        && $client->_write(substr "GET / HTTP/1.1\r\nHost: noise\r\n\r\n", 0,
                    int rand 30);
    $client->close if rand() < 0.5;
    $seen{nonsense}++;
}

sub readers {
    my $report = report($admin);

    eval {
        $report->json;
        $report->metrics;
        $report->table('Requests verified');
        $seen{reports}++;
        1;
    } or $wrong{"report: $@"}++;

    sleep 0.2;
}

my @client = (\&handshakes, \&handshakes, \&kept, \&streams, \&refused,
              \&nonsense, \&readers);
my @pipe = map { load($client[$_], $seed + $_) } 0 .. $#client;


# load($client, $seed): does it in a process until the file "stop" is there, and
# prints what was seen.
sub load {
    my ($client, $seed) = @_;

    my $pid = open my $pipe, '-|';
    die "fork() failed: $!\n" unless defined $pid;

    return $pipe if $pid;

    my $parent = getppid;

    srand $seed;

    until ($nginx->read('stop') || getppid != $parent) {
        $client->();
        sleep 0.005;
    }

    print map { "seen $seen{$_} $_\n" } sort keys %seen;
    print map { s/\s+/ /gr . "\n" } map { "wrong $wrong{$_} $_" }
          sort keys %wrong;
    close STDOUT;
    POSIX::_exit(0);
}


# The rounds: reloads, then a while without, at whose end memory is looked at.

sub resident {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/status" or return 0;
    my ($kb) = map { /^RssAnon:\s+(\d+)/ } <$fh>;

    return $kb || 0;
}

my ($reloads, $failed, @master, @workers) = (0, 0);

for my $round (1 .. $rounds) {
    my $end = time() + ROUND;

    while (time() < $end - ROUND / 2) {
        $nginx->reload(configuration($reloads++ % 2 ? 'ca.pem' : 'both.pem'))
            or $failed++;
        sleep RELOAD;
    }

    sleep 0.1 while time() < $end;

    my ($most) = sort { $b <=> $a } map { resident($_) } $nginx->worker_pids;

    push @master, resident($nginx->pid);
    push @workers, $most;
}

$nginx->write('stop', 'now');

for my $pipe (@pipe) {
    while (<$pipe>) {
        my ($kind, $n, $what) = /^(seen|wrong) (\d+) (.*)/ or next;

        $seen{$what}  += $n if $kind eq 'seen';
        $wrong{$what} += $n if $kind eq 'wrong';
    }
}

is(join("\n", map { "$wrong{$_} times $_" } sort keys %wrong), '',
   'each client was answered as it should be');
is($failed, 0, "$reloads reloads");
cmp_ok($seen{$_} || 0, '>', 10 * $minutes, $_)
    for qw(full resumed kept streams nonsense reports);

# What the clients saw, the report has counted: to the request, but for those
# that were lost on a connection that ended.

my %lost;
my %answers = map { $_ => $seen{$_} } grep { / 127\.0\.0\.1:/ } keys %seen;

for my $what (grep { /^lost / } keys %seen) {
    my (undef, $server, $port) = split / /, $what;
    $lost{"$server 127.0.0.1:$port"} += $seen{$what};
}

sub counted {
    my %count;

    for my $server (@{ report($admin)->json->{servers} }) {
        next if $server->{name} =~ /^noise /;
        $count{"$server->{name} $_->{mode} $_->{verdict}"} += $_->{count}
            for @{ $server->{requests} };
    }

    return %count;
}

my $end   = time() + 5;
my %count = counted();

while (time() < $end && grep { ($count{$_} || 0) < $answers{$_} }
                        keys %answers)
{
    sleep 0.1;
    %count = counted();
}

for my $what (sort keys %answers) {
    my ($server) = $what =~ /^(\S+ \S+) /;
    my $more = ($count{$what} || 0) - $answers{$what};

    ok($more >= 0 && $more <= ($lost{$server} || 0),
       "$what: $answers{$what} seen")
        or diag 'counted: ' . ($count{$what} || 0)
                . ', lost: ' . ($lost{$server} || 0);
}

is(join(', ', grep { !$answers{$_} && !$lost{ s/ \S+ \S+\z//r } }
              sort keys %count), '', 'and counted nothing else');

# Memory.

my $warm = WARM - 1;

cmp_ok($master[-1] - $master[$warm], '<', MAX_GROWTH,
       "memory of the master: @master KB");
cmp_ok($workers[-1] - $workers[$warm], '<', MAX_GROWTH,
       "memory of the workers: @workers KB");

diag join ', ', map { "$_ " . ($seen{$_} || 0) }
     qw(full resumed kept streams nonsense reports), grep { /^lost/ } keys %seen;

$nginx->finish;

done_testing();
