#!/usr/bin/perl

# Memory over 50,000 connections: full and resumed handshakes, good, bad and no
# certificates.  What a worker holds after the first thousands is all it needs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use AOP::Test;

use constant {
    CLIENTS     => 2,
    ROUNDS      => 3125,                # of 8 connections, for each client
    WARM        => 500,
    MAX_GROWTH  => 1024,                # KB, of the worker
};

alarm 1800;

my $ca      = ca('Edge CA');
my $inter   = $ca->intermediate('Intermediate');
my $good    = $ca->leaf('edge');
my $below   = $inter->leaf('below');
my $foreign = ca('Foreign')->leaf('stranger');

my $nginx = nginx();
my ($tickets, $cache) = $nginx->ports(2);
my $show  = show() . ' add_header X-Resumed $aop_resumed always;';

# with a key as cheap as P-256 no ticket pays in TLS 1.3
my $dear  = AOP::Test::Cert->new(subject => 'server.test',
                                 key => 'rsa');

$nginx->write('server.crt', $dear);
$nginx->write('server.key', $dear->key_pem);
$nginx->write('ca.pem', $ca);

sub server {
    my ($port, $rest) = @_;
    my $listen = $nginx->listen_tls($port);
    return "server { $listen server_name off; $rest }
            server { $listen server_name on; aop on; $rest
                     location / { return 200; } }";
}

$nginx->configure(join "\n", $show, 'aop_ca ca.pem;',
    server($tickets, 'ssl_session_cache none;'),
    server($cache, 'ssl_session_tickets off;'
                   . ' ssl_session_cache shared:SSL:32m;'))->start;

my $expected = join ', ',
    '200 on ok PASSED full', ('200 on ok PASSED resumed') x 2,
    '200 on ok PASSED full', '200 on ok PASSED resumed',
    '400 on untrusted REJECTED full', '400 on none REJECTED full',
    '421 on misdirected REJECTED full';

# eight connections, and how each was answered

sub round {
    my ($port, $tls, $http) = @_;

    my %how = (tls => $tls, http => $http, sni => 'on');

    my ($first, $session)  = visit($port, %how, cert => $good);
    my ($second, $renewed) = visit($port, %how, session => $session);
    my ($third) = visit($port, %how, session => $renewed);
    my ($fourth, $other)   = visit($port, %how, cert => $below,
                                   chain => [ $inter ]);
    my ($fifth) = visit($port, %how, session => $other);
    my ($sixth) = visit($port, %how, cert => $foreign);
    my ($seventh) = visit($port, %how);
    my ($eighth)  = visit($port, %how, sni => 'off', host => 'on',
                          session => $session);

    Net::SSLeay::SESSION_free($_) for grep { $_ } $session, $renewed, $other;

    return join ', ', $first, $second, $third, $fourth, $fifth, $sixth,
                      $seventh, $eighth;
}

# rounds($n): as many by each of the clients; what went wrong

sub rounds {
    my ($n) = @_;

    my @pipe = map {
        my $pid = open my $pipe, '-|';
        die "fork() failed: $!\n" unless defined $pid;

        if ($pid == 0) {
            for my $i (1 .. $n) {
                my $got = round(($tickets, $cache)[$i % 2],
                                ('1.2', '1.3')[$i / 2 % 2],
                                ('1.1', '2')[$i / 4 % 2]);

                print "$i: $got\n" if $got ne $expected;
            }

            close STDOUT;
            POSIX::_exit(0);
        }

        $pipe;
    } 1 .. CLIENTS;

    return join '', map { readline $_ } @pipe;
}

# of its own: a shared cache fills up

sub resident {
    my ($pid) = @_;
    open my $fh, '<', "/proc/$pid/status" or return 0;
    my ($kb) = map { /^RssAnon:\s+(\d+)/ } <$fh>;
    return $kb;
}

is(rounds(WARM), '', 'warm');

my ($worker) = $nginx->worker_pids;
my $before   = resident($worker);

is(rounds(ROUNDS), '', '50,000 connections, each answered right');
is(join(' ', $nginx->worker_pids), $worker, 'the worker is the same');
cmp_ok(resident($worker) - $before, '<', MAX_GROWTH, 'its memory');

$nginx->finish;

done_testing();
