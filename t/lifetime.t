#!/usr/bin/perl

# Configurations come and go while connections are open: each connection is
# held to the one it was made under, and a module that is gone is not called.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use AOP::Test;

my $ca   = ca('Edge CA');
my $good = $ca->leaf('edge');
my $bad  = ca('Foreign')->leaf('stranger');
my $show = show();

my @certs = ([ 'none', undef, '400 on none REJECTED' ],
             [ 'bad', $bad, '400 on untrusted REJECTED' ],
             [ 'good', $good, '200 on ok PASSED' ]);

without_the_module();
failed_reload();
shutdown_in_use();
under_load();

done_testing();


# without_the_module(): load_module is removed while connections are open.
sub without_the_module {
    my $nginx  = nginx();
    my $port   = $nginx->ports;
    my $listen = $nginx->listen_tls($port);

    $nginx->write('ca.pem', $ca);
    $nginx->write('html/large', 'x' x 200_000);

    my $server = "ssl_session_cache shared:S:1m; server { $listen"
                 . " server_name on; location / { return 200 secret; }"
                 . ' location /large { root html; limit_rate 100k; } }';
    my $with   = "$show aop on; aop_ca ca.pem; $server";

    $nginx->configure($with)->start;

    for my $round (1 .. 3) {
        my (@shook, @half, @kept);

        for (@certs) {
            my ($what, $cert) = @$_;
            my %how = (sni => 'on', cert => $cert);

            push @shook, client($port, %how);
            $shook[-1]->connect;

            push @half, client($port, %how);
            $half[-1]->connect;
            $half[-1]->_write("GET / HTTP/1.1\r\nHo");
        }

        my $kept = client($port, sni => 'on', cert => $good);

        is(seen($kept->get('/')), '200 on ok PASSED',
           "round $round: before the reload");

        # a download that outlasts it

        my $busy = client($port, sni => 'on', cert => $good, http => '1.1');

        $busy->connect;
        $busy->_write("GET /large HTTP/1.1\r\nHost: on\r\n\r\n");

        $nginx->{module} = 0;
        hup($nginx, $server);

        for (@certs) {
            my ($what, $cert, $expected) = @$_;

            is(seen((shift @shook)->get('/')), $expected,
               "round $round: $what, a connection made before");
            is(seen((shift @half)->raw("st: on\r\n\r\n")), $expected,
               "round $round: $what, a request begun before");
            is(seen(get($port, sni => 'on', cert => $cert)), '200 - - -',
               "round $round: $what, a connection made afterwards");
        }

        is($kept->get('/')->status, 0,
           "round $round: an idle connection was closed");

        my $answer = $busy->raw('');

        is(length($answer->body // ''), 200_000,
           "round $round: a download goes on");

        # sessions of the one time and of the other

        my $session = $busy->session;

        $nginx->{module} = 1;
        hup($nginx, $with);

        is(seen(get($port, sni => 'on', session => $session, cert => $good)),
           '200 on ok PASSED', "round $round: back again, old session");
        is(seen(get($port, sni => 'on', cert => $$_[1])), $$_[2],
           "round $round: back again, $$_[0]") for @certs;
    }

    $nginx->finish;

    return;
}


# failed_reload(): what cannot be read leaves the old configuration enforcing.
sub failed_reload {
    my $nginx  = nginx();
    my $port   = $nginx->ports;
    my $listen = $nginx->listen_tls($port);

    $nginx->write('ca.pem', $ca);
    $nginx->write('ca2.pem', ca('Next CA'));

    my $server = "server { $listen server_name on; return 200 secret; }";

    $nginx->configure("$show aop on; aop_ca ca.pem; $server")->start;

    my @workers = sort $nginx->worker_pids;
    my $client  = client($port, sni => 'on', cert => $good);

    is(seen($client->get('/')), '200 on ok PASSED', 'before a failed reload');

    for my $case (
        [ 'another CA and an error behind it',
          "$show aop on; aop_ca ca2.pem; $server no_such_directive;" ],
        [ 'off, and an error behind it',
          "$show aop off; aop_ca ca.pem; $server server { listen nowhere; }" ],
        [ 'a file that is gone', "$show aop on; aop_ca gone.pem; $server" ],
        [ 'the module not loaded', "$show aop on; $server", module => 0 ],
        [ 'a module that is none', $server, load => [ 'ca.pem' ] ])
    {
        my ($what, $http, %load) = @$case;

        local @$nginx{keys %load} = values %load;

        ok(!$nginx->reload($http), "reload: $what");

        is(seen(get($port, sni => 'on', cert => $$_[1])), $$_[2],
           "$what: $$_[0]") for @certs;

        is(seen($client->get('/')), '200 on ok PASSED',
           "$what: a connection from before");
    }

    is(join(' ', sort $nginx->worker_pids), "@workers",
       'the old workers are still there');

    ok($nginx->reload("$show aop on; aop_ca ca.pem; $server"),
       'a good one afterwards');
    is(seen(get($port, sni => 'on', cert => $$_[1])), $$_[2],
       "a good one afterwards: $$_[0]") for @certs;

    ok($nginx->stop, 'nginx stops when asked to');
    is(scalar(grep { /\[alert\]|exited on signal/ } $nginx->log_since(0)), 0,
       'no alert');

    return;
}


# shutdown_in_use(): a graceful end finishes what was begun, and no more.
sub shutdown_in_use {
    my $nginx  = nginx();
    my $port   = $nginx->ports;
    my $listen = $nginx->listen_tls($port);

    $nginx->write('ca.pem', $ca);
    $nginx->configure("$show aop on; aop_ca ca.pem; server { $listen
                       server_name on; return 200 secret; }")->start;

    my @client = map { client($port, sni => 'on', cert => $$_[1]) } @certs;

    $_->connect for @client;

    kill QUIT => $nginx->pid;
    sleep 0.2;

    is(seen((shift @client)->get('/')), $$_[2], "shutting down: $$_[0]")
        for @certs;

    $nginx->finish;

    return;
}


# under_load(): ten reloads while clients come; t/long/reload.t has 200.
sub under_load {
    my $nginx  = nginx(workers => 2);
    my $port   = $nginx->ports;
    my $listen = $nginx->listen_tls($port);

    $nginx->write('ca.pem', $ca);
    $nginx->write('both.pem', [ $ca, ca('Next CA') ]);

    my $configuration = sub {
        "$show aop on; aop_ca $_[0].pem; ssl_session_cache shared:S:1m;
         server { $listen server_name on; return 200 secret; }";
    };

    $nginx->configure($configuration->('ca'))->start;

    my @load;

    for my $http ('1.1', '2') {
        pipe my $read, my $write;

        my $pid = fork() // die "fork: $!";

        if ($pid == 0) {
            load($port, $http, $nginx->path('end'), $write);
            POSIX::_exit(0);
        }

        close $write;
        push @load, [ $pid, $read, $http ];
    }

    my $ok = grep { $nginx->reload($configuration->($_ % 2 ? 'both' : 'ca')) }
             1 .. 10;

    is($ok, 10, 'ten reloads under load');
    $nginx->write('end', '');

    for (@load) {
        my ($pid, $read, $http) = @$_;
        my ($requests, @wrong) = <$read>;

        waitpid $pid, 0;

        cmp_ok($requests, '>', 20, "HTTP/$http: requests were made");
        is(join('', @wrong), '', "HTTP/$http: each was answered rightly");
    }

    $nginx->finish;

    return;
}


# load($port, $http, $end, $write): requests until there is a file $end; writes
# their number, and what was not answered as it should have been.
sub load {
    my ($port, $http, $end, $write) = @_;

    my ($n, @wrong, @session) = (0);

    until (-e $end) {
        for my $i (0 .. $#certs) {
            my ($what, $cert, $expected) = @{ $certs[$i] };
            my ($client, $answer);

            # an old worker closes a connection of HTTP/2 that has no stream yet

            for (1 .. ($http eq '2' ? 3 : 1)) {
                $client = client($port, sni => 'on', http => $http,
                                 cert => $cert, session => $session[$i]);
                $answer = $client->get('/');
                last if $answer->status;
            }

            my $seen = seen($answer);

            $session[$i] = $client->session;
            $n++;

            push @wrong, "$what: $seen\n" if $seen ne $expected;
        }
    }

    print {$write} "$n\n", @wrong;
    close $write;
}


# hup($nginx, $http): a reload that waits until the old workers take no more
# connections, not until they are gone.
sub hup {
    my ($nginx, $http) = @_;

    my @old = $nginx->worker_pids;
    my $end = time() + 10;

    $nginx->configure($http);
    kill HUP => $nginx->pid;

    while (grep { title($_) =~ /worker process\s*\z/ } @old) {
        die "no reload\n" if time() > $end;
        sleep 0.02;
    }

    sleep 0.05;

    return;
}


# title($pid): what nginx calls that process.
sub title {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/cmdline" or return '';

    return (scalar(<$fh>) // '') =~ tr/\0/ /r;
}
