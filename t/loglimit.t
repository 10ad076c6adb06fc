#!/usr/bin/perl

# "aop_log_interval": of one cause (server, verdict, class of peer) one line an
# interval, over all workers, and it says how many were held back: no request is
# told of twice, none is lost.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use AOP::Test;
use AOP::Test::Clock;
use AOP::Test::Report;

use constant {
    CLIENTS => 3,
    BURST   => 400,         # of each client
    STEPS   => 5,
};

my $foreign = ca('Other CA')->leaf('stranger');

over_workers();
causes();
as_time_goes_by();
each_one();
by_default();
invalid_modes();
unseen();
without_room();
wrong();
done_testing();


# over_workers(): the sum is exact while many clients ask and time moves on.
sub over_workers {
    my ($nginx, $clock, $port, $admin) = start('60s', 4);

    my @client = map { burst($port, $_) } 1 .. CLIENTS;

    for (1 .. STEPS) {
        sleep 0.05;
        $clock->add(61);
    }

    my $asked = 0;

    for my $client (@client) {
        my $pipe = $client->[1];
        $asked += <$pipe>;
        waitpid $client->[0], 0;
    }

    is($asked, CLIENTS * BURST, 'all were answered');

    # those that are still held back are told of by the next one

    until_counted(sub { total($admin) == $asked });
    $clock->add(61);
    get($port, tls => 0, prelude => proxy('203.0.113.200'));
    until_counted(sub { total($admin) == $asked + 1 });
    sleep 0.1;

    my @line = lines($nginx);
    my $held = 0;
    $held += similar($_) for @line;

    is(@line + $held, $asked + 1, 'shown and held back are all there are');
    cmp_ok(scalar @line, '>=', 2, 'shown: ' . @line);
    cmp_ok(scalar @line, '<=', STEPS + 2, 'and no more than intervals');
    is(scalar(grep { / similar / && !/ \([\d,]+ similar in the last (?:60|\d{3,})s\)/ }
              @line), 0, 'in these words');

    $nginx->finish;
}


# causes(): what is one cause and what is another.
sub causes {
    my ($nginx, $clock, $port, $admin, $tls) = start('60s', 2);

    my @cause = (
        [ 'a first one' ],
        [ 'another verdict', sni => 'a.test' ],
        [ 'another verdict still', sni => 'a.test', cert => $foreign ],
        [ 'another server', host => 'b.test' ],
        [ 'another class', prelude => proxy('173.245.48.1') ],
        [ 'another class still', prelude => proxy('10.0.0.1') ],
    );

    my $ask = sub {
        my ($name, %how) = @_;
        get($how{sni} ? $tls : $port, tls => $how{sni} ? 1 : 0,
            host => 'a.test', prelude => proxy('203.0.113.1'), %how);
    };

    for (@cause) {
        my $mark = $nginx->mark;
        $ask->(@$_);
        my $line = $nginx->wait_log(qr/aop: client/, $mark);
        ok($line, "$_->[0]: a line");
        is(similar($line), 0, "$_->[0]: for itself");
    }

    # again, and with what makes no difference

    my $mark = $nginx->mark;
    my $before = total($admin);

    $ask->(@$_) for @cause;
    $ask->('', prelude => proxy('198.51.100.77'));
    $ask->('', path => '/other', headers => [ 'User-Agent' => 'else' ]);
    until_counted(sub { total($admin) == $before + 2 + @cause });
    sleep 0.05;

    is(scalar(grep { /aop: client/ } $nginx->log_since($mark)), 0,
       'all of these are held back');

    # a reload keeps what is held

    ok($nginx->reload, 'a reload');
    $clock->add(61);
    $mark = $nginx->mark;
    $ask->(@$_) for @cause;
    until_counted(sub {
        grep({ /aop: client/ } $nginx->log_since($mark)) >= @cause;
    });

    is(join(' ', map { similar($_) } grep { /aop: client/ }
            $nginx->log_since($mark)), '3 1 1 1 1 1',
       'each line tells of its own');

    $nginx->finish;
}


# as_time_goes_by(): the edges of the interval, and a clock that is set back.
sub as_time_goes_by {
    my ($nginx, $clock, $port, $admin) = start('60s', 1);

    my $shown = sub {
        my $before = total($admin);
        my $mark   = $nginx->mark;
        get($port, tls => 0, prelude => proxy('203.0.113.1'));
        until_counted(sub { total($admin) == $before + 1 });
        my ($line) = grep { /aop: client/ } $nginx->log_since($mark);
        return $line ? similar($line) : 'held';
    };

    is($shown->(), 0, 'the first');
    is($shown->(), 'held', 'the second');
    $clock->add(50);
    is($shown->(), 'held', 'within the interval');
    $clock->add(11);
    is($shown->(), 2, 'after it');
    $clock->add(3600);
    is($shown->(), 0, 'much later, with none held back');
    is($shown->(), 'held', 'and again');

    $clock->add(-86400);
    is($shown->(), 1, 'a clock that was set back silences nothing');
    is($shown->(), 'held', 'and there is an interval after it');

    $nginx->finish;
}


# each_one(): 0 logs each.
sub each_one {
    my ($nginx, $clock, $port, $admin) = start('0', 2);

    get($port, tls => 0, prelude => proxy('203.0.113.1')) for 1 .. 25;
    until_counted(sub { lines($nginx) >= 25 });

    is(scalar lines($nginx), 25, '0: each has its line');
    is(scalar(grep { /similar/ } lines($nginx)), 0, '0: none tells of others');

    $nginx->finish;
}


# by_default(): 10 seconds.
sub by_default {
    my ($nginx, $clock, $port, $admin) = start(undef, 1);

    my $ask = sub {
        my $before = total($admin);
        get($port, tls => 0, prelude => proxy('203.0.113.1'));
        until_counted(sub { total($admin) == $before + 1 });
    };

    $ask->() for 1 .. 5;
    $clock->add(11);
    $ask->();
    until_counted(sub { lines($nginx) >= 2 });

    is(scalar lines($nginx), 2, 'default: two lines');
    like((lines($nginx))[1], qr/ \(4 similar in the last 10s\)/,
         'default: 10 seconds');

    $nginx->finish;
}


# invalid_modes(): a variable that holds no mode is told of once an interval.
sub invalid_modes {
    my $nginx = nginx();
    my $port  = $nginx->ports;
    my $clock = AOP::Test::Clock->new;

    $nginx->configure("aop_log_interval 60s; server { listen 127.0.0.1:$port;"
                      . ' aop $arg_mode; location / { return 200; } }');
    $clock->start($nginx);

    my $ask  = sub { get($port, tls => 0, path => "/?mode=$_[0]") };
    my $said = sub { scalar grep { /invalid mode/ } $nginx->log_since(0) };

    $ask->("bad$_") for 1 .. 9;
    until_counted(sub { $said->() });
    is($said->(), 1, 'an invalid mode is told of once');

    $clock->add(61);
    $ask->('bad') for 1 .. 9;
    until_counted(sub { $said->() > 1 });
    is($said->(), 2, 'once an interval');

    $nginx->finish;
}


# unseen(): a line that no log wants does not stand for one that is wanted.
sub unseen {
    my $nginx = nginx();
    my $dir   = $nginx->dir;
    my ($port, $admin) = $nginx->ports(2);

    my $listen = "listen 127.0.0.1:$port;";

    $nginx->configure(<<"CONF")->start;
        aop_log_interval 60s;
        server {
            $listen server_name both.test; aop optional;
            location / { return 200; }
            location /info { aop_log_level info; return 200; }
            error_log $dir/error.log error;
            error_log $dir/info.log info;
        }
        server { listen 127.0.0.1:$admin; location / { aop_report; } }
CONF

    my $ask = sub { get($port, tls => 0, host => $_[0], path => $_[1]) };
    my $lines = sub {
        return scalar grep { /aop: client.*\b$_[1]/ } split /\n/,
                      $nginx->read($_[0]);
    };

    $ask->('both.test', '/info') for 1 .. 5;
    $ask->('both.test', '/x') for 1 .. 5;
    until_counted(sub { total($admin) >= 10 });
    sleep 0.1;

    is($lines->('error.log', 'both'), 1,
       'a line of a level below the log takes no place from one above');
    like($nginx->read('error.log'), qr{"GET /x HTTP}, 'and it is that one');
    is($lines->('info.log', 'both'), 2, 'each level has its line');
    unlike($nginx->read('info.log'), qr/ similar /,
           'neither stands for the other');

    $nginx->finish;
}


# without_room(): what is not counted is not logged without end either.
sub without_room {
    my $nginx = nginx(workers => 1);
    my $port  = $nginx->ports;
    my $clock = AOP::Test::Clock->new;

    $nginx->configure(join "\n", 'aop_zone 256k; aop_log_interval 60s;', map {
        "server { listen 127.0.0.1:$port; server_name s$_.test;"
        . ' aop optional; location / { return 200; } }'
    } 1 .. 80);
    $clock->start($nginx);

    my $said = sub {
        my ($host, $mark) = @_;
        return grep { /aop: client.*host: "\Q$host\E"/ }
               $nginx->log_since($mark || 0);
    };

    ok($nginx->wait_log(qr/"aop_zone" is full/), 'the zone is full');

    for my $host ('s1.test', 's79.test', 's80.test') {
        get($port, tls => 0, host => $host) for 1 .. 20;
        until_counted(sub { $said->($host) });
        sleep 0.05;
        is(scalar $said->($host), 1, "a full zone: $host: one line");
    }

    my $mark = $nginx->mark;
    $clock->add(61);
    get($port, tls => 0, host => 's80.test');
    until_counted(sub { $said->('s80.test', $mark) });
    is(similar($said->('s80.test', $mark)), 19, 'a full zone: and the next');

    $nginx->finish;
}


# wrong(): what is not an interval.
sub wrong {
    my $nginx = nginx();
    my $port  = $nginx->ports;

    for ([ 'aop_log_interval soon;', '', qr/invalid value in/ ],
         [ 'aop_log_interval -1;', '', qr/invalid value in/ ],
         [ 'aop_log_interval;', '', qr/invalid number of arguments/ ],
         [ 'aop_log_interval 1s 2s;', '', qr/invalid number of arguments/ ],
         [ 'aop_log_interval 1s; aop_log_interval 2s;', '',
           qr/is duplicate/ ],
         [ '# aop_log_interval', 'aop_log_interval 1s;',
           qr/is not allowed here/ ])
    {
        my ($http, $server, $error) = @$_;

        my ($code, $output) = $nginx->configure(
            "$http\nserver { listen 127.0.0.1:$port; $server }")->test_config;

        isnt($code, 0, "$http $server: refused");
        like($output, qr/\[emerg\].*(?:"aop_log_interval".*$error
                         |$error.*"aop_log_interval")/x,
             "$http $server: said");
    }

    $nginx->finish;
}


# start($interval, $workers): an nginx with a clock, and ports
sub start {
    my ($interval, $workers) = @_;

    my $nginx = nginx(workers => $workers);
    my ($port, $admin, $tls) = $nginx->ports(3);
    my $clock  = AOP::Test::Clock->new;
    my $listen = "listen 127.0.0.1:$port proxy_protocol; "
                 . $nginx->listen_tls($tls, 'proxy_protocol');

    $interval = defined $interval ? "aop_log_interval $interval;"
                                  : '# aop_log_interval is not set';

    $nginx->configure(<<"CONF");
        $interval
        server { $listen server_name a.test; aop optional;
                 location / { return 200; } }
        server { $listen server_name b.test; aop optional;
                 location / { return 200; } }
        server { listen 127.0.0.1:$admin; location / { aop_report; } }
CONF

    $clock->start($nginx);

    return ($nginx, $clock, $port, $admin, $tls);
}


# burst($port, $i): a client with many requests; it prints how many it made
sub burst {
    my ($port, $i) = @_;

    my $pid = open my $pipe, '-|';
    die "fork() failed: $!\n" unless defined $pid;
    return [ $pid, $pipe ] if $pid;

    my $n = 0;

    for my $k (1 .. BURST) {
        $n++ if get($port, tls => 0, timeout => 10, prelude =>
                    proxy("203.0.$i." . $k % 250))->status == 200;
    }

    print "$n\n";
    close STDOUT;
    POSIX::_exit(0);
}


sub proxy { return "PROXY TCP4 $_[0] 127.0.0.1 1234 443\r\n" }


sub lines { return grep { /aop: client/ } $_[0]->log_since(0) }


# how many others a line stands for
sub similar {
    my ($n) = $_[0] =~ / \(([\d,]+) similar /;
    return defined $n ? $n =~ s/,//gr : 0;
}


sub total {
    my $sum = 0;

    for my $server (@{ report($_[0])->json->{servers} }) {
        $sum += $_->{count} for @{ $server->{requests} };
    }

    return $sum;
}
