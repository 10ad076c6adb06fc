#!/usr/bin/perl

# Counters are exact: thousands of requests from thousands of addresses over
# several workers, servers, modes and verdicts, while nginx is reloaded and the
# module's file replaced; and each number is the same in all three formats.
# What does not fit into "aop_zone" is judged all the same, and not counted.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256_hex);
use File::Copy qw(copy);
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(sleep);
use AOP::Test;
use AOP::Test::Clock;
use AOP::Test::Report;

use constant {
    CLIENTS     => 3,
    STRANGERS   => 3000,
    TRIES       => 300,
    PIPELINED   => 15_000,
    HOUR        => 3600,
};

my $ca      = ca('Edge CA');
my $pinned  = $ca->leaf('pinned');

my %cert = (
    good      => $ca->leaf('edge'),
    pinned    => $pinned,
    none      => undef,
    foreign   => ca('Other CA')->leaf('stranger'),
    expired   => $ca->leaf('expired', not_before => time() - 9 * 86400,
                           not_after => time() - 86400),
    server    => $ca->leaf('server', eku => 'serverAuth'),
);

my %from = (
    edge    => [ '173.245.48.1', '104.16.0.5', '2606:4700::1' ],
    private => [ '10.0.0.1', '192.168.7.7', 'fd00::1' ],
    direct  => [ '203.0.113.5', '198.51.100.6', '2001:db8::1' ],
);

my %verdict = (good => 'ok', pinned => 'ok', none => 'none',
               foreign => 'untrusted', expired => 'expired',
               server => 'purpose');

# by whether it speaks TLS
my @port;

exact();
side_by_side();
server_list();
full_zone();
other_version();
unused_places();
names();
done_testing();


# by_server(@peers): the failing peers by their server.
sub by_server {
    my %of;

    push @{ $of{ $_->{server} } }, $_ for @_;

    return \%of;
}


# exact(): the known mix.
sub exact {
    my $nginx = nginx(workers => 4);
    my ($tls, $plain, $admin) = $nginx->ports(3);
    my $module = AOP::Test::Nginx::module();
    my $show   = show();

    @port = ($plain, $tls);

    $nginx->write('ca.pem', $ca);
    $nginx->write('ticket.key', join '', map { chr } 1 .. 80);
    copy($module, $nginx->path("module.$_.so")) for 1, 2;

    my $listen = $nginx->listen_tls($tls, 'proxy_protocol')
                 . " listen 127.0.0.1:$plain proxy_protocol;";
    my $pin    = 'cert-sha256:' . $pinned->openssl('-fingerprint', '-sha256')
                 =~ s/.*=//sr =~ s/[:\s]//gr;

    my $http = <<"CONF";
        $show
        keepalive_requests 100000;
        ssl_session_ticket_key ticket.key;
        aop_ca ca.pem;
        map \$arg_mode \$by_mode { default optional; on on; off off; }
        server { $listen server_name opt.test; aop optional;
                 location / { return 200; } }
        server { $listen server_name on.test; aop on;
                 location / { return 200; } }
        server { $listen server_name var.test; aop \$by_mode;
                 location / { return 200; } }
        server { $listen server_name loc.test;
                 location /opt { aop optional; return 200; }
                 location /on { aop on; return 200; }
                 location / { return 200; } }
        server { $listen server_name pin.test; aop optional; aop_pin $pin;
                 location / { return 200; } }
        server { $listen server_name off.test; location / { return 200; } }
        server { listen 127.0.0.1:$admin; location / { aop_report; } }
CONF

    {
        local $ENV{AOP_MODULE} = $nginx->path('module.1.so');
        $nginx->configure($http)->start;
    }

    # each visit: port, host, SNI, certificate, peers, path, requests; and what
    # of them is counted: mode, verdict ('' for nothing)

    my @visit;

    for my $class (sort keys %from) {
        for my $name (sort keys %cert) {
            my $verdict = $verdict{$name};
            my $ok      = $verdict eq 'ok';
            my $many    = $ok ? 40 : 1;
            my @who     = (cert => $name, class => $class);

            push @visit,
                map({ +{ host => 'opt.test', n => $_, mode => 'optional',
                         verdict => $verdict, @who } } 1, 30),
                map({ +{ host => 'opt.test', n => $_, mode => 'optional',
                         verdict => $verdict, resume => 1, @who } } 5 .. 9),
                map({ +{ host => 'on.test', n => $_, mode => 'on',
                         verdict => $verdict, @who } } 1, $many),
                { host => 'var.test', path => '/?mode=on', n => $many,
                  mode => 'on', verdict => $verdict, @who },
                { host => 'var.test', n => 20, mode => 'optional',
                  verdict => $verdict, @who },
                { host => 'var.test', path => '/?mode=off', n => 5, @who },
                { host => 'loc.test', path => '/opt', n => 11,
                  mode => 'optional', verdict => $verdict, @who },
                { host => 'loc.test', path => '/on', n => 1, mode => 'on',
                  verdict => $verdict, @who },
                { host => 'loc.test', n => 3, @who },
                { host => 'pin.test', n => 9, mode => 'optional', @who,
                  verdict => $name eq 'good' ? 'pin' : $verdict },
                { host => 'off.test', n => 2, @who };
        }

        # of one policy to the server of another

        push @visit, { host => 'pin.test', sni => 'opt.test', n => 4,
                       cert => 'good', class => $class, mode => 'optional',
                       verdict => 'misdirected' };

        for my $host (qw(opt on)) {
            push @visit, {
                host => "$host.test", tls => 0, class => $class, n => 50,
                mode => $host eq 'on' ? 'on' : 'optional',
                verdict => 'plaintext',
            };
        }
    }

    # many on one connection, from one address

    push @visit, map {
        +{ host => 'opt.test', n => 400, mode => 'optional', cert => 'good',
           verdict => 'ok', class => 'edge' }
    } 1 .. 6;

    # thousands of strangers, one request each

    push @visit, map {
        +{ host => 'opt.test', tls => 0, class => 'direct', n => 1,
           addr => join('.', 198, 18 + ($_ >> 16), $_ >> 8 & 255, $_ & 255),
           mode => 'optional', verdict => 'plaintext' }
    } 1 .. STRANGERS;

    # in an order that is the same each time

    @visit = map { $visit[ $_->[1] ] } sort { $a->[0] cmp $b->[0] }
             map { [ sha256_hex($_), $_ ] } 0 .. $#visit;

    my @client = map { my $i = $_;
        load(grep { defined } map { $_ % CLIENTS == $i ? $visit[$_] : undef }
             0 .. $#visit)
    } 0 .. CLIENTS - 1;

    # meanwhile

    my $reloaded = 0;

    for my $so (1, 2, 1) {
        sleep 0.3;
        local $ENV{AOP_MODULE} = $nginx->path("module.$so.so");
        $reloaded++ if $nginx->reload($http);
    }

    my (%counted, %connection, $unanswered);

    for my $client (@client) {
        my $pipe = $client->[1];

        while (<$pipe>) {
            my ($n, $what, @key) = split or next;

            $counted{"@key"}    += $n if $what eq 'request';
            $connection{"@key"} += $n if $what eq 'connection';
            $unanswered         += $n if $what eq 'unanswered';
        }

        waitpid $client->[0], 0;
    }

    is($reloaded, 3, 'reloads in the middle');
    is($unanswered, 0, 'all requests were answered');

    # what was asked for is what was answered; mode, verdict and class of each

    my %expected;

    for (grep { $_->{verdict} } @visit) {
        $expected{"$_->{host} $_->{mode} $_->{verdict} $_->{class}"} += $_->{n};
    }

    is_deeply(\%counted, \%expected, 'requests as they were meant');

    my $total = sum(\%expected);
    cmp_ok($total, '>', 8000, "requests: $total");

    my $in_json = sub { requests_in(report($admin), @_) };

    until_counted(sub { sum($in_json->()) >= $total });
    sleep 0.1;

    my $report = report($admin, query => 'show=all');
    my $host   = sub { $_[0] =~ s/ 127\.0\.0\.1:$tls$//r };

    is_deeply(requests_in($report, $host), \%expected, 'requests: JSON');

    my (%metric, %refused, %connections);

    for (keys %{ $report->metrics }) {
        my %label = /(\w+)="([^"]*)"/g;
        my $value = $report->metrics->{$_};

        $label{server} = $host->($label{server} || '');
        $metric{"@label{qw(server mode verdict peer)}"} = $value
            if /^nginx_aop_requests_total/;
        $refused{"@label{qw(server verdict peer)}"} = $value
            if /^nginx_aop_refused_total/;
        $connections{"@label{qw(server resumed)}"} = $value
            if /^nginx_aop_connections_total/;
    }

    is_deeply(\%metric, \%expected, 'requests: Prometheus');
    is_deeply({ map { my $row = $_; ("@{[ $host->($row->{Server}) ]} "
                . "@$row{'In mode', 'Verdict', 'From'}" => $row->{Requests}) }
                @{ $report->table('Requests verified') } },
              \%expected, 'requests: page');

    for ([ on => 'refused' ], [ optional => 'would_be_refused' ]) {
        my ($mode, $key) = @$_;
        my %part = map { (my $name = $_) =~ s/ $mode / /;
                         ($name => $expected{$_}) }
                   grep { / $mode / && !/ ok / } keys %expected;

        my %json;

        for my $server (@{ $report->json->{servers} }) {
            $json{ $host->($server->{name}) . " $_->{verdict} $_->{peer}" }
                = $_->{count} for @{ $server->{$key} };
        }

        is_deeply(\%json, \%part, "$key: JSON");
        is_deeply(\%refused, \%part, "$key: Prometheus") if $mode eq 'on';
    }

    my %json_connections;

    for my $server (@{ $report->json->{servers} }) {
        $json_connections{ $host->($server->{name}) . " $_->{resumed}" }
            = $_->{count} for @{ $server->{connections} };
    }

    is_deeply(\%json_connections, \%connection, 'connections: JSON');
    is_deeply(\%connections, \%connection, 'connections: Prometheus');
    is_deeply({ map { ("@{[ $host->($_->{Server}) ]} $_->{Resumed}"
                       => $_->{Connections}) }
                @{ $report->table('Connections') } },
              \%connection, 'connections: page');

    cmp_ok($connection{'opt.test yes'}, '>', 0, 'some were resumed');
    cmp_ok($connection{'opt.test declined'}, '>', 0, 'some were not');

    # first and last

    for my $server (@{ $report->json->{servers} }) {
        for (map { @{ $server->{$_} } }
             qw(requests refused would_be_refused connections))
        {
            next if $_->{first} le $_->{last}
                    && $_->{first} ge iso($^T) && $_->{last} le iso(time());
            fail("$server->{name}: first $_->{first}, last $_->{last}");
        }
    }

    # the lists: what comes from the edge is exact, strangers are bounded

    my %edge;

    for (@{ $report->json->{failing_edge} }) {
        $edge{ $host->($_->{server}) . " $_->{verdict} $_->{peer}" }
            += $_->{count};
        isnt($_->{peer}, 'direct', 'no stranger among the edge')
            if $_->{peer} eq 'direct';
    }

    my @direct = @{ $report->json->{failing_direct} };
    my @edge   = @{ $report->json->{failing_edge} };

    my (%direct, %of_edge);

    push @{ $direct{ $_->{server} } }, $_ for @direct;
    $of_edge{ $_->{server} }++ for @edge;

    ok((grep { @$_ == 8 } values %direct), 'a list of strangers is full');
    ok(!(grep { @$_ > 8 } values %direct), 'none is longer');
    ok(!(grep { $_ > 16 } values %of_edge), 'nor one of the edge');
    ok(!(grep { $_->{peer} ne 'direct' } @direct), 'strangers only');
    for my $list (values %direct, values %{ by_server(@edge) }) {
        my @count = map { $_->{count} } @$list;
        is("@count", "@{[ sort { $b <=> $a } @count ]}",
           'the most frequent first');
    }

    is(sum_of(map { $_->{count} } @direct)
       + sum_of(map { $_->[0]{error} } values %direct),
       sum_of(map { $expected{$_} } grep { / direct$/ && !/ ok / }
              keys %expected), 'strangers: all requests are in a list, or missing');

    $nginx->finish;
}


# load(@visits): a client that makes them; it prints what was answered.
sub load {
    my (@visit) = @_;

    my $pid = open my $pipe, '-|';
    die "fork() failed: $!\n" unless defined $pid;
    return [ $pid, $pipe ] if $pid;

    my (%seen, %session);
    my $unanswered = 0;

    for my $visit (@visit) {
        my $left = $visit->{n};

        for (1 .. TRIES) {
            my $done = visit_once($visit, $left, \%seen, \%session);
            $left -= $done or last;
            sleep 0.02 unless $done;
        }

        $unanswered += $left;
    }

    print "$seen{$_} $_\n" for keys %seen;
    print "$unanswered unanswered\n";
    close STDOUT;
    POSIX::_exit(0);
}


# visit_once(...): one connection; how many requests were answered on it
sub visit_once {
    my ($visit, $n, $seen, $session) = @_;

    my $class = $visit->{class};
    my $addr  = $visit->{addr} || $from{$class}[ $n % 3 ];
    my $to    = $addr =~ /:/ ? '::1' : '127.0.0.1';
    my $tls   = defined $visit->{tls} ? $visit->{tls} : 1;
    my $name  = $visit->{cert} || '';

    my %how;
    $how{tls}  = '1.2', $how{session} = $session->{$name}
        if $visit->{resume};

    my $client = client($port[$tls], tls => $tls, %how,
                        sni => $visit->{sni} || $visit->{host},
                        cert => $cert{$name}, timeout => 10, prelude =>
                        "PROXY TCP" . ($addr =~ /:/ ? 6 : 4)
                        . " $addr $to 1234 443\r\n");
    my $done = 0;

    for (1 .. $n) {
        my $answer = $client->get($visit->{path} || '/',
                                  host => $visit->{host});
        last unless $answer->status;

        my ($mode, $verdict) = map { $answer->header("X-$_") }
                               qw(mode verdict);

        if ($mode ne 'off' && $verdict) {
            if ($tls && !$done) {
                my $how = $client->resumed ? 'yes'
                        : $how{session}    ? 'declined'
                        :                    'no';
                $seen->{"connection $visit->{host} $how"}++;
            }

            $seen->{"request $visit->{host} $mode $verdict $class"}++;
        }

        $done++;
        last if $answer->header('Connection') eq 'close';
    }

    $session->{$name} = $client->session if $visit->{resume};
    $client->close;

    return $done;
}


# side_by_side(): workers that count the same at the same time.
sub side_by_side {
    my $nginx = nginx(workers => 4);
    my ($port, $admin) = $nginx->ports(2);

    $nginx->write('ca.pem', $ca);
    $nginx->configure(<<"CONF")->start;
        keepalive_requests 1000000;
        access_log off;
        server { listen 127.0.0.1:$port ssl; server_name a.test;
                 aop optional; aop_ca ca.pem; location / { return 200; } }
        server { listen 127.0.0.1:$admin; location / { aop_report; } }
CONF

    my $request = "GET / HTTP/1.1\r\nHost: a.test\r\n";

    $nginx->write('edge.pem', $cert{good}->pem . $cert{good}->key_pem);
    $nginx->write('requests', "$request\r\n" x (PIPELINED - 1)
                              . "${request}Connection: close\r\n\r\n");

    my @client = map {
        pipeline($port, $nginx->path('requests'), $nginx->path('edge.pem'))
    } 1 .. 4;
    my $answered = 0;

    for my $client (@client) {
        my $pipe = $client->[1];

        while (<$pipe>) {
            $answered++ while m{HTTP/1\.1 200 }g;
        }

        waitpid $client->[0], 0;
    }

    is($answered, 4 * PIPELINED, "side by side: $answered");
    until_counted(sub { sum(requests_in(report($admin))) >= $answered });
    is(sum(requests_in(report($admin))), $answered,
       'side by side: all are counted');

    $nginx->finish;
}


# pipeline($port, $file): a client that sends the file and does not wait for
# answers; openssl's is fast enough to keep workers busy.
sub pipeline {
    my ($to, $file, $pem) = @_;

    my $pid = open my $pipe, '-|';
    die "fork() failed: $!\n" unless defined $pid;
    return [ $pid, $pipe ] if $pid;

    open STDIN, '<', $file;
    open STDERR, '>', '/dev/null';
    exec 'openssl', 's_client', '-quiet', '-connect', "127.0.0.1:$to",
         '-servername', 'a.test', '-cert', $pem, '-key', $pem
         or POSIX::_exit(127);
}


# server_list(): servers come and go, and keep what is theirs.
sub server_list {
    my $nginx = nginx();
    my ($one, $two, $three, $admin) = $nginx->ports(4);

    my %server = (
        a   => "server { listen 127.0.0.1:$two; listen 127.0.0.1:$one ssl;"
               . ' server_name a.test b.test; aop optional;'
               . ' location / { return 200; } }',
        new => "server { listen 127.0.0.1:$two; listen 127.0.0.1:$one ssl;"
               . ' server_name new.test; aop optional;'
               . ' location / { return 200; } }',
        two => "server { listen 127.0.0.1:$three ssl;"
               . " listen 127.0.0.1:$one ssl; server_name two.test;"
               . ' aop optional; location / { return 200; } }',
        owt => "server { listen 127.0.0.1:$one ssl;"
               . " listen 127.0.0.1:$three ssl; server_name owt.test;"
               . ' aop optional; location / { return 200; } }',
        b   => "server { listen 127.0.0.1:$one ssl; server_name z.test;"
               . ' aop optional; location / { return 200; } }',
    );

    my $with = sub {
        join "\n", (map { $server{$_} } @_),
            "server { listen 127.0.0.1:$admin; location / { aop_report; } }";
    };
    my $counts = sub {
        my $all = requests_in(report($admin),
                              sub { $_[0] =~ s/ 127\.0\.0\.1:$one$//r });
        join ' ', map { (split)[0] . " $all->{$_}" } sort keys %$all;
    };
    my $then = sub {
        my ($expected, $name) = @_;
        until_counted(sub { $counts->() eq $expected });
        is($counts->(), $expected, $name);
    };

    $nginx->configure($with->(qw(a b)))->start;

    get($one, sni => 'a.test') for 1 .. 2;
    get($one, sni => 'z.test') for 1 .. 3;
    $then->('a.test 2 z.test 3', 'two servers');

    # its own first address is the other one now

    ok($nginx->reload($with->(qw(new a b))), 'one comes first');
    get($one, sni => 'new.test');
    $then->('a.test 2 new.test 1 z.test 3', 'one came first');

    ok($nginx->reload($with->(qw(b new))), 'one goes, others change places');
    $then->('new.test 1 z.test 3', 'one is gone');

    ok($nginx->reload($with->()), 'all go');
    is($counts->(), '', 'all are gone');
    is_deeply(report($admin)->json->{servers}, [], 'and told as none');
    ok($nginx->reload($with->()), 'once more');

    ok($nginx->reload($with->(qw(a b new))), 'all are back');
    get($one, sni => 'a.test');

    $then->('a.test 3 new.test 1 z.test 3', 'all have what was theirs');

    # of several addresses the same one, whatever order nginx has them in

    my $names = sub {
        return join ' ', grep { /two|owt/ } sort map { $_->{name} }
               @{ report($admin)->json->{servers} };
    };

    ok($nginx->reload($with->(qw(two owt))), 'two addresses');
    my $before = $names->();
    like($before, qr/^owt\.test\ 127\.0\.0\.1:\d+\ two\.test\ /x,
         'their names');
    ok($nginx->reload($with->(qw(owt two))), 'in another order');
    is($names->(), $before, 'the same names');

    $nginx->finish;
}


# full_zone(): a zone too small for all servers.
sub full_zone {
    my $nginx = nginx(workers => 2);
    my ($port, $admin) = $nginx->ports(2);
    my $listen = $nginx->listen_tls($port);

    $nginx->write('ca.pem', $ca);

    my $configuration = sub {
        my ($size, $n) = @_;
        return join "\n", "aop_zone $size; aop_ca ca.pem;", show(), (map {
            "server { $listen server_name s$_.test; aop on;"
            . ' location / { return 200; } }' } 1 .. $n),
            "server { listen 127.0.0.1:$admin; location / { aop_report; } }";
    };

    for ([ '255k' => 'below the minimum' ], [ '1' => 'one byte' ],
         [ '0' => 'nothing' ])
    {
        my ($size, $name) = @$_;
        my ($code, $output) = $nginx->configure($configuration->($size, 1))
                                    ->test_config;
        isnt($code, 0, "$name: refused");
        like($output, qr/\[emerg\]\ .*"aop_zone"\ is\ too\ small,
                         \ it\ must\ be\ at\ least\ 256k\ in\ /x,
             "$name: said");
    }

    for (qw(-1 many 1x)) {
        my ($code, $output) = $nginx->configure($configuration->($_, 1))
                                    ->test_config;
        isnt($code, 0, "$_: refused");
        like($output, qr/\[emerg\] .*"aop_zone" directive invalid value in /,
             "$_: said");
    }

    # nothing is logged while all fit

    $nginx->configure($configuration->('256k', 2))->start;
    is(scalar(grep { /aop_zone/ } $nginx->log_since(0)), 0,
       'the smallest zone does for two servers');

    my $mark = $nginx->mark;
    ok($nginx->reload($configuration->('256k', 100)), 'too many servers');

    my @said = grep { /aop_zone/ } $nginx->log_since($mark);

    is(scalar @said, 1, 'a full zone is told of once');
    my ($lost) = $said[0] =~ /\ \[error\]\ \d+\#\d+:\ aop:\ "aop_zone"
        \ is\ full:
        \ requests\ to\ (\d+)\ of\ 100\ servers\ are\ verified\ but
        \ not\ counted\ \(increase\ its\ size\)$/x;
    cmp_ok($lost || 0, '>', 10, "not counted: " . ($lost || $said[0]));

    my $none = grep { $_->{why} eq 'not counted: "aop_zone" is full'
                      && $_->{ready} eq 'unknown' }
               @{ report($admin)->json->{servers} };
    is($none, $lost, 'the report tells which');
    my $counted = report($admin)->metrics;
    is(scalar(grep { /^nginx_aop_counted\{/ && !$counted->{$_} }
              keys %$counted), $lost, 'so do metrics');
    is(scalar(grep { /^nginx_aop_certificate/ }
              keys %{ report($admin)->metrics }), 100,
       'their anchors are told of all the same');

    my $edge = $ca->leaf('edge');
    my %seen;

    for my $i (1 .. 100) {
        $seen{ seen(get($port, sni => "s$i.test", cert => $edge)) }++;
        $seen{ seen(get($port, sni => "s$i.test")) }++;
    }

    is_deeply(\%seen, { '200 on ok PASSED' => 100,
                        '400 on none REJECTED' => 100 }, 'all are judged');

    my $sum = 2 * (100 - $lost);
    ok(until_counted(sub { sum(requests_in(report($admin))) == $sum }),
       'those that fit are counted');
    is(scalar(grep { /aop_zone/ } $nginx->log_since($mark)), 1,
       'and nothing more is said');
    is(scalar(grep { /aop: client/ } $nginx->log_since($mark)), 100,
       'refusals are logged');

    # another size is another zone

    $mark = $nginx->mark;
    ok($nginx->reload($configuration->('4m', 100)), 'a larger zone');
    is(scalar(grep { /aop_zone/ } $nginx->log_since($mark)), 0,
       'has room for all');
    is(sum(requests_in(report($admin))), 0, 'and starts from zero');

    # its memory is the zone's

    my ($kb) = map { shared_kb($_, 4 * 1024) } $nginx->worker_pids;
    is($kb, 4 * 1024, 'memory is what "aop_zone" says');

    $nginx->finish;
}


# other_version(): memory that another version of the module has laid out is not
# touched: nothing is counted, all is judged.
sub other_version {
    my $nginx = nginx();
    my ($port, $admin) = $nginx->ports(2);
    my $listen = $nginx->listen_tls($port);

    $nginx->write('ca.pem', $ca);

    my $configuration = sub {
        return join "\n", "aop_zone $_[0]; aop_ca ca.pem;", show(),
            "server { $listen server_name a.test; aop on;"
            . ' location / { return 200; } }',
            "server { listen 127.0.0.1:$admin; location / { aop_report; } }";
    };

    $nginx->configure($configuration->('256k'))->start;
    get($port);
    ok(until_counted(sub { sum(requests_in(report($admin))) == 1 }),
       'this version: counted');

    my $mark = $nginx->mark;

    ok(set_version($nginx->pid, 256), 'another version');
    ok($nginx->reload, 'a reload');

    my @said = grep { /aop_zone/ } $nginx->log_since($mark);

    like($said[0] || '', qr/\ \[error\]\ \d+\#\d+:\ aop:\ "aop_zone"
         \ was\ created\ by\ another\ version\ of\ the\ module;\ counting
         \ is\ disabled\ until\ nginx\ is\ restarted\ or\ the\ size\ of
         \ "aop_zone"\ is\ changed$/x, 'another version: said');
    is(scalar @said, 1, 'another version: once');

    is(seen(get($port)), '400 on none REJECTED', 'another version: refused');
    is(seen(get($port, cert => $ca->leaf('edge'))), '200 on ok PASSED',
       'another version: passed');

    my ($server) = @{ report($admin)->json->{servers} };

    is("$server->{ready}: $server->{why}", 'unknown: not counted: "aop_zone" was '
       . 'created by another version of the module',
       'another version: the report says so');
    is(report($admin)->metric('nginx_aop_counted', server => $server->{name}),
       0, 'another version: so do metrics');

    $mark = $nginx->mark;
    ok($nginx->reload($configuration->('257k')), 'another size');
    get($port);
    ok(until_counted(sub { sum(requests_in(report($admin))) == 1 }),
       'another size: counted again');
    is(scalar(grep { /aop_zone/ } $nginx->log_since($mark)), 0,
       'another size: nothing to be said');

    $nginx->finish;
}


# set_version($pid, $kb): makes it the next one in the zone of so many KB, which
# begins with version, size and the list of servers in some page.
sub set_version {
    my ($pid, $kb) = @_;

    open my $maps, '<', "/proc/$pid/maps" or return 0;
    open my $mem, '+<:raw', "/proc/$pid/mem" or return 0;

    while (<$maps>) {
        no warnings 'portable';
        my ($start, $end) = map { hex } /^(\w+)-(\w+) rw-s /;

        next unless $end && $end - $start == $kb * 1024;

        for (my $at = $start; $at < $end; $at += 4096) {
            sysseek $mem, $at, 0;
            sysread $mem, my $page, 24;

            my ($old, undef, $prev, $next) = unpack 'L L J J', $page;

            next if $old < 1 || $old > 99
                    || grep { $_ < $start || $_ >= $end } $prev, $next;

            sysseek $mem, $at, 0;
            return syswrite $mem, pack 'L', $old + 1;
        }
    }

    return 0;
}


# unused_places(): what is gone for a day makes room, what is there never does.
sub unused_places {
    my $nginx = nginx();
    my ($port, $admin) = $nginx->ports(2);
    my $listen = $nginx->listen_tls($port);
    my $clock  = AOP::Test::Clock->new;

    my $configuration = sub {
        return join "\n", 'aop_zone 256k;', (map {
            "server { $listen server_name $_.test; aop optional;"
            . ' location / { return 200; } }' } @_),
            "server { listen 127.0.0.1:$admin; location / { aop_report; } }";
    };

    my $counted = sub {
        return scalar grep { $_->{why} !~ /^not counted/ }
                      @{ report($admin)->json->{servers} };
    };

    my @old = map { "old$_" } 1 .. 40;
    $nginx->configure($configuration->(@old));
    $clock->start($nginx);

    my $room = $counted->();
    cmp_ok($room, '<', 40, "room for $room servers");
    @old = @old[0 .. $room - 1];

    get($port, sni => "$_.test") for @old;
    ok(until_counted(sub { sum(requests_in(report($admin))) == $room }),
       'each has a request');

    # days later: a new one, before those that are in use all the time

    $clock->add(72 * HOUR);
    ok($nginx->reload($configuration->('new', @old)), 'a new server');
    is($counted->(), $room, 'a new server finds no place');
    is(sum(requests_in(report($admin))), $room, 'and takes none');

    # one goes; old workers may still count there, so its place is kept a day

    my @rest = @old[1 .. $#old];
    ok($nginx->reload($configuration->('new', @rest)), 'one goes');
    is($counted->(), $room - 1, 'its place is kept');

    $clock->add(25 * HOUR);
    ok($nginx->reload($configuration->('new', @rest)), 'a day later');
    is($counted->(), $room, 'its place is taken');
    is(sum(requests_in(report($admin))), $room - 1, 'the others have theirs');
    is(scalar(grep { $_->{server} =~ /^(?:new|old1)\b/ }
              @{ report($admin)->json->{failing_edge} }), 0,
       'the new one has not inherited what failed');

    get($port, sni => 'new.test');
    ok(until_counted(sub { sum(requests_in(report($admin))) == $room }),
       'and counts from zero');

    # one that went and came back is there, however long ago it went

    ok($nginx->reload($configuration->(@rest)), 'the new one goes');
    ok($nginx->reload($configuration->('new', @rest)), 'and comes back');
    $clock->add(72 * HOUR);
    ok($nginx->reload($configuration->('newer', 'new', @rest)),
       'days later: a newer one');
    is($counted->(), $room, 'finds no place');
    is(sum(requests_in(report($admin))), $room, 'and takes none');

    $nginx->finish;
}


# names(): how servers are called.
sub names {
    my $nginx = nginx();
    my ($one, $two, $three, $admin) = $nginx->ports(4);
    my $body  = 'aop optional; location / { return 200; }';
    my $long  = 'x' x 240;

    # nginx itself warns of the names that clash

    $nginx->configure(<<"CONF")->start;
        server_names_hash_bucket_size 512;
        server { listen 127.0.0.1:$one ssl; server_name a.test one.test;
                 $body }
        server { listen 127.0.0.1:$one ssl; server_name a.test two.test;
                 $body }
        server { listen 127.0.0.1:$one ssl; server_name a.test three.test;
                 $body }
        server { listen 127.0.0.1:$two ssl; $body }
        server { listen 127.0.0.1:$two ssl; server_name ~^r\\d+\$; $body }
        server { listen 127.0.0.1:$two ssl; server_name $long; $body }
        server { listen 127.0.0.1:$two ssl; server_name ${long}x; $body }
        server { listen $three ssl; server_name w.test; $body }
        server { listen 127.0.0.1:$admin; location / { aop_report; } }
CONF

    my $cut = substr $long, 0, 160;

    is_deeply([ sort map { $_->{name} } @{ report($admin)->json->{servers} } ],
              [ sort "a.test 127.0.0.1:$one", "a.test 127.0.0.1:$one #2",
                "a.test 127.0.0.1:$one #3", "_ 127.0.0.1:$two",
                "~^r\\d+\$ 127.0.0.1:$two", "$cut 127.0.0.1:$two",
                "$cut 127.0.0.1:$two #2", "w.test:$three" ],
              'names are different');

    get($one, sni => 'one.test');
    get($one, sni => 'two.test') for 1 .. 2;
    get($one, sni => 'three.test') for 1 .. 3;

    ok(until_counted(sub { sum(requests_in(report($admin))) == 6 }),
       'requests');

    my $all = requests_in(report($admin));
    is(join(' ', map { $all->{$_} } sort keys %$all), '2 3 1',
       'servers of one name are counted apart');

    $nginx->finish;
}


# requests_in($report, $rename): what JSON tells of requests
sub requests_in {
    my ($report, $rename) = @_;

    my %found;

    for my $server (@{ $report->json->{servers} }) {
        my $name = $rename ? $rename->($server->{name}) : $server->{name};
        $found{"$name $_->{mode} $_->{verdict} $_->{peer}"} = $_->{count}
            for @{ $server->{requests} };
    }

    return \%found;
}


# shared_kb($pid, $kb): the size of a mapping of that size, anonymous and shared
sub shared_kb {
    my ($pid, $kb) = @_;

    open my $fh, '<', "/proc/$pid/maps" or return 0;

    no warnings 'portable';
    my %size = map { /^(\w+)-(\w+) rw-s .*zero/
                     ? ((hex($2) - hex $1) / 1024 => 1) : () } <$fh>;

    return $size{$kb} ? $kb : join ' ', keys %size;
}


sub sum { return sum_of(values %{ $_[0] }) }


sub sum_of {
    my $sum = 0;
    $sum += $_ for @_;
    return $sum;
}


sub iso { return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]) }
