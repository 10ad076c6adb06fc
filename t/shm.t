#!/usr/bin/perl

# The shared memory when things go wrong: a worker that is killed while it holds
# the mutex, or anywhere else; a worker of a configuration of days ago, whose
# server's place has another server since; a zone that is full, or of another
# version, under load.  nginx goes on, requests are judged as ever, what is
# counted is right.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use AOP::Test;
use AOP::Test::Clock;
use AOP::Test::Report;

use constant { HOUR => 3600, KILLS => 12 };

# who is served by a worker that dies may notice it while writing
$SIG{PIPE} = 'IGNORE';

my $ca   = ca('Edge CA');
my $edge = $ca->leaf('edge');

killed_with_mutex();
killed_anywhere();
reused_place();
other_zone_under_load();
done_testing();


# killed_with_mutex(): nginx releases the mutex of a worker that died.
sub killed_with_mutex {
    my $nginx = nginx(workers => 2);
    my ($port, $admin) = start($nginx, 1);

    get($port, sni => 's1.test');
    ok(until_counted(sub { requests($admin) == 1 }), 'counted');

    my ($dead) = $nginx->worker_pids;
    my $mark   = $nginx->mark;

    ok(memory($nginx->pid, 256, sub { return pack 'J', $dead }),
       'a worker holds the mutex');
    kill KILL => $dead;

    ok($nginx->wait_log(qr/shared memory zone "ngx_http_aop" was locked by/,
                        $mark), 'it is killed, and nginx takes the mutex');

    get($port, sni => 's1.test') for 1 .. 6;
    ok(until_counted(sub { requests($admin) == 7 }), 'all is counted');

    forgive($nginx);
}


# killed_anywhere(): workers die under load, and what is left is in order.
sub killed_anywhere {
    my $nginx = nginx(workers => 2);
    my ($port, $admin) = start($nginx, 2);
    my @load = map { load($port, $_, 5) } 1, 2;

    for (1 .. KILLS) {
        my @worker = $nginx->worker_pids;

        kill KILL => $worker[ rand @worker ] if @worker;
        sleep 0.2;
    }

    my ($answered, $wrong) = ended(@load);

    cmp_ok($answered, '>', 20, "answered under load: $answered");
    is($wrong, '', 'no other answer');
    ok(until_counted(sub { eval { requests($admin) } }), 'the report is there');

    my $before = requests($admin);

    cmp_ok($before, '<=', $answered + 2 * KILLS, 'none is counted twice');
    get($port, sni => "s$_.test") for 1, 2;
    ok(until_counted(sub { requests($admin) == $before + 2 }),
       'counting goes on');

    my $report = report($admin)->json;
    my %failed;

    for my $server (@{ $report->{servers} }) {
        $failed{ $server->{name} } += $_->{count} for @{ $server->{refused} };
    }

    for (@{ $report->{failing_edge} }) {
        like($_->{server}, qr/^s[12]\.test /, 'the list: a server');
        is($_->{address}, '127.0.0.1', 'the list: an address');
        like($_->{host}, qr/^(?:s[12]\.test)?$/, 'the list: a host');
        cmp_ok($_->{count}, '<=', $failed{ $_->{server} } + KILLS,
               'the list: a count');
    }

    forgive($nginx);
}


# reused_place(): what an old worker does is not the new server's.
sub reused_place {
    my $nginx = nginx();
    my $clock = AOP::Test::Clock->new;
    my ($port, $admin) = $nginx->ports(2);

    $nginx->write('ca.pem', $ca);
    $nginx->configure(configuration($port, $admin, '256k', 40));
    $clock->start($nginx);

    my $room = grep { $_->{why} !~ /^not counted/ }
               @{ report($admin)->json->{servers} };

    my @old = map {
        my $client = client($port, sni => 's1.test', timeout => 20, @$_);
        $client->connect;
        $client->_write("GET / HTTP/1.1\r\nHost: s1.test\r\n");
        $client;
    } [], [], [ cert => $edge ];

    # s1 goes, and a day later its place is the new one's

    my $without = configuration($port, $admin, '256k', $room, 2);

    $nginx->configure($without);
    kill HUP => $nginx->pid;
    ok(until_counted(sub {
        !grep { $_->{name} =~ /^s1\.test / }
              @{ report($admin)->json->{servers} }
    }), 'a server goes');

    $clock->add(25 * HOUR);

    $nginx->configure($without =~ s/s2\.test/new.test/r);
    kill HUP => $nginx->pid;

    # the worker between the first and the last has no connection to wait for

    ok(until_counted(sub {
        ($nginx->worker_pids == 2)
        && grep { $_->{name} =~ /^new\.test / && $_->{why} !~ /^not counted/ }
                @{ report($admin)->json->{servers} }
    }), 'the new server has the place');

    my $state = state_of($admin, 'new.test');

    is(join(' ', map { $_->raw("\r\n")->status } @old), '400 400 200',
       'the worker of days ago answers');
    $_->close for @old;

    get($port, sni => 'new.test', cert => $edge);
    ok(until_counted(sub { state_of($admin, 'new.test') ne $state }),
       'a request for the new server');
    is(state_of($admin, 'new.test'), 'on ok private 1',
       'nothing but that is counted');
    is(scalar @{ report($admin)->json->{failing_edge} }, 0,
       'and nothing is in the list');

    $nginx->finish;
}


# other_zone_under_load(): full, of another version, of another size.
sub other_zone_under_load {
    my $nginx = nginx(workers => 2);
    my ($port, $admin) = start($nginx, 2);
    my @load = map { load($port, $_, 6) } 1, 2;
    my $mark = $nginx->mark;

    ok($nginx->reload(configuration($port, $admin, '256k', 100)),
       'the zone is full');
    sleep 0.5;
    ok(memory($nginx->pid, 256, \&next_version), 'another version');
    sleep 0.5;
    ok($nginx->reload(configuration($port, $admin, '256k', 2)),
       'of which a reload takes notice');
    sleep 0.5;
    ok($nginx->reload(configuration($port, $admin, '264k', 2)),
       'another size');

    my ($answered, $wrong) = ended(@load);

    cmp_ok($answered, '>', 20, "answered under load: $answered");
    is($wrong, '', 'no other answer');
    is(scalar(grep { /"aop_zone" is full/ } $nginx->log_since($mark)), 1,
       'a full zone is told of once');
    is(scalar(grep { /by another version/ } $nginx->log_since($mark)), 1,
       'another version is told of once');

    my $before = requests($admin);

    get($port, sni => 's1.test');
    ok(until_counted(sub { requests($admin) == $before + 1 }),
       'counted again');

    $nginx->finish;
}


# configuration($port, $admin, $size, $n, $first): servers s$first to s$n
sub configuration {
    my ($port, $admin, $size, $n, $first) = @_;

    return join "\n", "aop_zone $size; aop_ca ca.pem; keepalive_requests 9;",
        show(), (map {
            "server { listen 127.0.0.1:$port ssl; server_name s$_.test; aop on;"
            . ' location / { return 200; } }' } ($first || 1) .. $n),
        "server { listen 127.0.0.1:$admin; location / { aop_report; } }";
}


sub start {
    my ($nginx, $n) = @_;

    my ($port, $admin) = $nginx->ports(2);

    $nginx->write('ca.pem', $ca);
    $nginx->configure(configuration($port, $admin, '256k', $n))->start;

    return ($port, $admin);
}


# load($port, $i, $seconds): a client that is served and refused in turn; an
# answer that does not come is nobody's fault here, a wrong one is
sub load {
    my ($port, $i, $seconds) = @_;

    my $pid = open my $pipe, '-|';
    die "fork() failed: $!\n" unless defined $pid;
    return [ $pid, $pipe ] if $pid;

    my ($answered, $end) = (0, time() + $seconds);
    my @wrong;

    while (time() < $end) {
        for ([ undef, 400 ], [ $edge, 200 ]) {
            my ($cert, $status) = @$_;
            my $answer = eval {
                get($port, sni => "s$i.test", cert => $cert, timeout => 5)
            };
            my $is = $answer ? $answer->status : 0;

            $answered++ if $is;
            push @wrong, $is if $is && $is != $status;
        }
    }

    print "$answered @wrong\n";
    close STDOUT;
    POSIX::_exit(0);
}


sub ended {
    my $answered = 0;
    my @wrong;

    for (@_) {
        my ($n, @answer) = split ' ', readline $_->[1];
        $answered += $n;
        push @wrong, @answer;
        waitpid $_->[0], 0;
    }

    return ($answered, "@wrong");
}


sub requests {
    my ($admin) = @_;
    my $sum = 0;

    for my $server (@{ report($admin)->json->{servers} }) {
        $sum += $_->{count} for @{ $server->{requests} };
    }

    return $sum;
}


# state_of($admin, $name): all that is counted of a server
sub state_of {
    my ($admin, $name) = @_;

    my ($server) = grep { $_->{name} =~ /^\Q$name\E / }
                   @{ report($admin)->json->{servers} };

    return join ', ', map { "@$_{qw(mode verdict peer count)}" }
                      @{ $server->{requests} };
}


# memory($pid, $kb, $change): changes the start of a page of the zone; $change
# is given 24 bytes of each page, the first of which has the mutex, and returns
# what is to be there, or nothing
sub memory {
    my ($pid, $kb, $change) = @_;

    open my $maps, '<', "/proc/$pid/maps" or return 0;
    open my $mem, '+<:raw', "/proc/$pid/mem" or return 0;

    while (<$maps>) {
        no warnings 'portable';
        my ($start, $end) = map { hex } /^(\w+)-(\w+) rw-s /;

        next unless $end && $end - $start == $kb * 1024;

        for (my $at = $start; $at < $end; $at += 4096) {
            sysseek $mem, $at, 0;
            sysread $mem, my $page, 24;

            my $new = $change->($page, $start, $end);

            next unless defined $new;

            sysseek $mem, $at, 0;
            return syswrite $mem, $new;
        }
    }

    return 0;
}


# next_version(...): the segment begins with version, size, and a list in it
sub next_version {
    my ($page, $start, $end) = @_;

    my ($old, undef, $prev, $next) = unpack 'L L J J', $page;

    return if $old < 1 || $old > 99
              || grep { $_ < $start || $_ >= $end } $prev, $next;
    return pack 'L', $old + 1;
}


# forgive($nginx): finish, but for what is said of workers that were killed
sub forgive {
    my ($nginx) = @_;

    $nginx->write('error.log', join '', map { "$_\n" } grep {
        !/exited on signal 9|was locked by|open socket #\d+ left/
    } split /\n/, $nginx->read('error.log'));

    $nginx->finish;
}
