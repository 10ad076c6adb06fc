#!/usr/bin/perl

# "Is it safe to enforce?", drilled: each situation an administrator may be in
# gets the right answer for the right reason, in all three formats, over
# reloads, and as time goes by.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep);
use AOP::Test;
use AOP::Test::Clock;
use AOP::Test::Report;

use constant {
    EDGE    => '173.245.48.9',
    EDGE2   => '2606:4700::7',
    DIRECT  => '203.0.113.9',
    PRIVATE => '10.1.2.3',
    HOUR    => 3600,
    DAY     => 86400,
    OFF     => 'd21.test',
};

my $asked = 0;

my $ca      = ca('Edge CA');
my $good    = $ca->leaf('edge');
my $foreign = ca('Other CA')->leaf('edge');
my $old     = ca('Old CA', not_before => time() - 9 * DAY,
                 not_after => time() - DAY);

my $nginx = nginx(workers => 2);
my ($port, $tenant, $few, $admin, $upstream) = $nginx->ports(5);
my $listen = $nginx->listen_tls($port, 'proxy_protocol');
my $clock  = AOP::Test::Clock->new;

$nginx->write('ca.pem', $ca);
$nginx->write('both.pem', [ $ca, ca('Next CA') ]);
$nginx->write('old.pem', [ $ca, $old ]);
$nginx->write('ended.pem', $old);
$nginx->write('fresh.crl', $ca->crl(next_update => time() + 2 * DAY));
$nginx->write('stale.crl', $ca->crl(next_update => time() - HOUR));

# ask($host, $n, %options): so many requests on one connection, or, if the
# server closes it, on as few as it takes.
sub ask {
    my ($host, $n, %opt) = @_;

    my $from   = delete $opt{from} || EDGE;
    my $to     = delete $opt{port} || $port;
    my @header = ((delete $opt{ray}) ? ('CF-Ray' => 'x') : (),
                  $opt{agent} ? ('User-Agent' => delete $opt{agent}) : ());
    my $family = $from =~ /:/ ? "TCP6 $from ::1" : "TCP4 $from 127.0.0.1";
    my ($client, $session);

    my $connect = sub {
        return client($to, sni => $host, cert => $good,
                      prelude => "PROXY $family 1234 443\r\n", %opt);
    };

    my $request = sub {
        return $client->get('/', headers => [ @header ])->status;
    };

    $asked += $n unless $host eq OFF || $host =~ /^off\./;

    for (1 .. $n) {
        $client = undef if $client && $client->closed(0.0001);
        $client ||= $connect->();
        next if $request->();

        # the server was late to close it

        $client = $connect->();
        $request->() or BAIL_OUT("$host: no answer");
    }

    $session = $client->session;
    $client->close;

    return $session;
}

my @none = (cert => undef);

# name, directives, requests, ready, why (in it), not in it
my @drill = (
    [ 'nobody asked', '', sub {},
      unknown => '^not enough traffic: 0 of 100 requests from Cloudflare in 6\d min'
                 . ' \(they must come within 24 h\)' ],

    [ 'AOP is not yet on at Cloudflare', '', sub { ask($_[0], 100, @none) },
      no => '^100 of 100 requests from Cloudflare failed \(100%\): none 100;'
            . ' hosts: HOST; last at \d{4}-\d\d-\d\dT[\d:]+Z; settled at .*Z'
            . ' if no more fail, or sooner, after 1 h without a failure, once'
            . ' 100 more requests for each of these hosts passed$' ],

    [ 'AOP is on for one hostname only', 'server_name a.HOST b.HOST;', sub {
          ask("a.$_[0]", 150);
          ask("b.$_[0]", 50, @none);
      },
      no => '^50 of 200 requests from Cloudflare failed \(25%\):'
            . ' none 50; hosts: b\.HOST; last at', '[ ,]a\.HOST' ],

    [ 'two hosts of one address', 'server_name *.HOST;', sub {
          ask("one.$_[0]", 100);
          ask("two.$_[0]", 1, @none);
          ask("o.two.$_[0]", 1, @none);
      },
      no => ': none 2; hosts: two\.HOST, o\.two\.HOST; last at' ],

    [ 'one address of the edge is late', '', sub {
          ask($_[0], 120);
          ask($_[0], 1, @none, from => EDGE2);
      },
      no => '^1 of 121 requests from Cloudflare failed \(0\.8264%\):'
            . ' none 1; hosts: HOST;' ],

    [ 'the wrong CA', '', sub { ask($_[0], 100, cert => $foreign) },
      no => '^100 of 100 .*: untrusted 100; hosts' ],

    [ 'two causes', '', sub {
          ask($_[0], 2, cert => $foreign);
          ask($_[0], 1, @none);
      },
      no => '^3 of 3 .*: none 1, untrusted 2; hosts' ],

    [ 'scanners only', '', sub { ask($_[0], 150, @none, from => DIRECT) },
      unknown => '^not enough traffic: 0 of 100 .*; 150 requests came from'
                 . ' addresses that are not Cloudflare\'s' ],

    [ 'scanners beside the edge', '', sub {
          ask($_[0], 100);
          ask($_[0], 7, @none, from => DIRECT);
      },
      yes => '^100 requests from Cloudflare passed in \d+ \w+, none failed;'
             . ' enforcing would reject 7 requests from other addresses$' ],

    [ 'a private health check without a certificate', '', sub {
          ask($_[0], 100);
          ask($_[0], 5, @none, from => PRIVATE);
      },
      no => '^5 requests from private addresses failed: none 5; addresses:'
            . ' 10\.1\.2\.3; last at .*; settled at \S+ if no more fail$',
      'Cloudflare' ],

    [ 'a private health check with one', '', sub {
          ask($_[0], 100);
          ask($_[0], 5, from => PRIVATE);
      },
      yes => '^100 requests from Cloudflare passed' ],

    [ 'the edge and a health check', '', sub {
          ask($_[0], 1, @none);
          ask($_[0], 2, @none, from => PRIVATE);
      },
      no => '^1 of 1 request from Cloudflare failed \(100%\): none 1; hosts:'
            . ' HOST; 2 requests from private addresses failed: none 2;'
            . ' addresses: 10\.1\.2\.3; last at' ],

    [ 'too little traffic', '', sub { ask($_[0], 99) },
      unknown => '^not enough traffic: 99 of 100 ' ],

    [ 'just enough', '', sub { ask($_[0], 100) },
      yes => '^100 requests .* 0 requests from other addresses$' ],

    [ 'a stale list of addresses', '', sub {
          ask($_[0], 100);
          ask($_[0], 3, from => DIRECT);
      },
      unknown => '^3 requests with a verified certificate came from addresses'
                 . ' that are not Cloudflare\'s in \d+ \w+: the list in'
                 . ' "aop_edge" is out of date, or a proxy is in front' ],

    [ 'resumed connections only', '', sub {
          ask($_[0], 100, tls => '1.2', session =>
              ask($_[0], 1, tls => '1.2', from => PRIVATE));
      },
      unknown => '^no full handshake from Cloudflare yet' ],

    [ 'a CRL out of date', 'aop_crl stale.crl;', sub { ask($_[0], 100) },
      no => '^out of date: the CRL of "CN=Edge CA" expired on \d{4}-' ],

    [ 'a CRL out of date, and nobody asked', 'aop_crl stale.crl;', sub {},
      no => '^out of date: the CRL of "CN=Edge CA" expired on \d{4}-' ],

    [ 'a fresh CRL', 'aop_crl fresh.crl;', sub { ask($_[0], 100) },
      yes => '^100 ' ],

    [ 'an anchor out of date beside a good one', 'aop_ca old.pem;',
      sub { ask($_[0], 100) },
      yes => '^100 .*; warning: the CA "CN=Old CA" expired on \d{4}-' ],

    [ 'enforced, and the edge fails', 'aop on;', sub {
          ask($_[0], 100);
          ask($_[0], 2, @none);
      },
      no => '^2 of 102 ' ],

    [ 'mode off is not judged', 'location /other { aop optional; } aop off;',
      sub { ask($_[0], 100, @none) },
      unknown => '^100 of 100 requests from Cloudflare and private addresses'
                 . ' in 24 h were not verified: 100 were for locations' ],

    [ 'reverse', 'aop $by_host;', sub { ask($_[0], 101) },
      yes => '^101 ' ],

    [ 'all anchors out of date', 'aop_ca ended.pem;', sub {},
      no => '^out of date: the CA "CN=Old CA" expired on \d{4}-' ],

    [ 'a variable that says off', 'server_name HOST off.HOST; aop $by_part;', sub {
          ask($_[0], 100);
          ask("off.$_[0]", 9);
      },
      unknown => '^9 of 109 requests .* were not verified: the mode variable'
                 . ' was "off" for 9$' ],

    [ 'an exempt location', 'aop optional; location /health { aop off; }', sub {
          ask($_[0], 100);
          client($port, sni => $_[0], prelude => 'PROXY TCP4 ' . PRIVATE
                 . " 127.0.0.1 1 2\r\n")->get('/health');
      },
      yes => '^100 ', 'verified' ],

    [ 'less is enough', 'aop_ready requests=3 time=10m;',
      sub { ask($_[0], 3) },
      yes => '^3 requests' ],

    [ 'a relay', 'location /relay { return 200 $aop_relay; }', sub {
          ask($_[0], 100, from => PRIVATE, ray => 1);
          ask($_[0], 9, @none, from => PRIVATE);
      },
      yes => '^101 .* lost behind 10\.1\.2\.3 .*would reject 9 without$' ],

    [ 'a relay that fails', '', sub {
          ask($_[0], 100, from => PRIVATE, ray => 1);
          ask($_[0], 2, @none, from => PRIVATE, ray => 1);
      },
      no => '^2 of 102 requests from Cloudflare failed .* lost behind',
      'private addresses failed' ],

    [ 'a request in progress',
      "location /slow { proxy_pass http://127.0.0.1:$upstream; }",
      sub { ask($_[0], 100) }, no => '^1 of 101 .*none 1; hosts: HOST' ],

    [ 'the tool itself', '', sub {
          ask($_[0], 100);
          ask($_[0], 2, @none, from => PRIVATE, agent => 'aopctl/0.2.0');
      },
      yes => '^100 ' ],
);

sub relay {
    return client($port, sni => 'd27.test', cert => $good,
                  prelude => "PROXY TCP4 $_[0] 127.0.0.1 1 2\r\n")
               ->get('/relay')->body || '-';
}

sub label { "$_[0] 127.0.0.1:" . ($_[1] || $port) }

sub configuration {
    my (%directives) = @_;

    my $servers = join "\n", map {
        my ($name, $what) = ("d$_.test", $drill[$_][1]);
        $what =~ s/HOST/$name/g;
        $what = "server_name $name; $what" unless $what =~ /server_name/;
        $what = "aop optional; $what" unless $what =~ /aop (?:on|off|\$)/;
        $what = "aop_ca ca.pem; $what" unless $what =~ /aop_ca/;
        my $more = $directives{$name} || '';
        $what =~ s/aop_ca ca\.pem;// if $more =~ /aop_ca/;
        "server { $listen $what $more location / { return 200; } }";
    } 0 .. $#drill;

    my $alone = $nginx->listen_tls($tenant, 'proxy_protocol');
    my $apart = $nginx->listen_tls($few, 'proxy_protocol');
    my $apart_ca = $directives{'few.test'} || 'aop_ca ca.pem;';

    return <<"CONF";
map \$host \$by_host { default optional; }
map \$host \$by_part { default optional; ~^off off; }
$servers
server {
    $alone
    server_name mine.test ~^www\\d+\\.mine\\.test\$ .dot.test pre.*;
    aop optional; aop_ca ca.pem;
    location / { return 200; }
}
server {
    $apart
    server_name few.test *.few.test;
    aop optional; $apart_ca
    location / { return 200; }
}
server {
    $apart
    server_name all.test _;
    aop optional; aop_ca ca.pem;
    location / { return 200; }
}
server { listen 127.0.0.1:$admin; location / { aop_report; } }
CONF
}

$nginx->configure(configuration());
$clock->start($nginx);

for my $i (0 .. $#drill) {
    $drill[$i][2]->("d$i.test");
}

# another tenant's Host, at the default server of an address

ask('mine.test', 100, port => $tenant);
ask($_, 1, @none, port => $tenant) for qw(theirs.test mine.test.evil.test
                                          xmine.test wwwx.mine.test dot.tes);
ask('theirs.test', 2, @none, port => $tenant, from => PRIVATE);
ask('theirs.test', 2, port => $tenant);

ask('few.test', 98, port => $few);
ask('FEW.a.few.test', 1, port => $few);
ask('theirs.test', 203, port => $few);
ask('theirs.test', 2, port => $few, from => PRIVATE);
ask('all.test', 100, port => $few);

# as many as there were, when the last of them is counted

ok(until_counted(sub { counted() >= $asked }), 'all requests are counted');

# a request that is in progress, such as an upgraded one, has failed already

{
    my $silent = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$upstream",
                                       Listen => 5, ReuseAddr => 1);
    my $open   = client($port, sni => 'd29.test', cert => undef,
                        prelude => 'PROXY TCP4 ' . EDGE
                                   . " 127.0.0.1 1 2\r\n");

    $open->connect;
    $open->_write("GET /slow HTTP/1.1\r\nHost: d29.test\r\n\r\n");

    ok(until_counted(sub {
           report($admin)->server(label('d29.test'))->{ready} eq 'no';
       }), 'a request in progress is seen at once');
    $open->close;
}

# where an address hides others, no line of error.log says to let it in

is(join(' ', map { relay($_) } PRIVATE, EDGE), '1 -', '$aop_relay');
unlike((grep { /would be refused: none.*server: d27\.test/ }
        $nginx->log_since(0))[-1], qr/aop off/, 'the hint for a relay');

# nothing is ready the second that 100 requests have passed

check('d13.test', $port, 'watched for a moment', unknown =>
      '^watched for \d+ s of 1 h$');

$clock->pass(HOUR);

for my $i (0 .. $#drill) {
    my ($name, undef, undef, $ready, $why, $not) = @{ $drill[$i] };

    check("d$i.test", $port, $name, $ready, $why, $not);
}

check('mine.test', $tenant, 'another tenant\'s Host, and a health check', no =>
      '^2 requests from private addresses failed: none 2; addresses:'
      . ' 10\.1\.2\.3;');
check('few.test', $few, 'passed for another\'s Host', unknown =>
      '^not enough traffic: 99 of 100 requests from Cloudflare .*, without 203'
      . ' for hosts that are not names of this server');
check('all.test', $few, 'not the default of its address', yes =>
      '^100 requests');

for my $host (qw(MINE.test www7.mine.test dot.test a.dot.test pre.any)) {
    my $before = failed('mine.test', $tenant);

    ask($host, 1, @none, port => $tenant);
    ok(until_counted(sub { failed('mine.test', $tenant) == $before + 1 }),
       "$host is the server's own");
}

check('mine.test', $tenant, 'names of all kinds', no =>
      '^5 of 105 .*; hosts: mine\.test, www7\.mine\.test, dot\.test,'
      . ' a\.dot\.test, pre\.any; ');

# kept over a reload, and over one that fails

my @ready = map { $_->{ready} . ' ' . $_->{why} }
            @{ report($admin)->json->{servers} };

ok($nginx->reload(configuration()), 'a reload');
is_deeply([ map { $_->{ready} . ' ' . $_->{why} }
            @{ report($admin)->json->{servers} } ], \@ready,
          'answers are kept over a reload');

my $mark = $nginx->mark;
$nginx->write('broken.pem', "-----BEGIN CERTIFICATE-----\nAAAA\n");
ok(!$nginx->reload(configuration('d13.test' => 'aop_ca broken.pem;')),
   'a reload that fails');
check('d13.test', $port, 'a reload that fails', yes => '^100 ');

# a policy that changed is judged by what came since

my $half = client($port, sni => 'd13.test', cert => $good,
                  prelude => 'PROXY TCP4 ' . EDGE . " 127.0.0.1 1 2\r\n");
$half->connect;
$half->_write("GET / HTTP/1.1\r\nHost: d13.test\r\n");

my $since = report($admin)->server(label('d13.test'))->{since};
$clock->add(10);
$nginx->configure(configuration('d13.test' => 'aop_ca both.pem;',
                                'd1.test'  => 'aop_ca both.pem;',
                                'd5.test'  => 'aop_ca both.pem;',
                                'few.test' => 'aop_ca both.pem;'));
kill HUP => $nginx->pid;
ok(until_counted(sub {
       report($admin)->server(label('d13.test'))->{ready} ne 'yes';
   }), 'a reload with another policy');

check('d13.test', $port, 'the policy changed', unknown =>
      '^not enough traffic: 0 of 100 ');
check('d1.test', $port, 'what has no certificate fails under any policy',
      no => '^100 requests from Cloudflare failed: none 100');
check('d5.test', $port, 'certificates of another policy are no more',
      unknown => '^not enough traffic: 0 of 100 ');
check('few.test', $few, 'nor what passed for another\'s Host', unknown =>
      '^not enough traffic: 0 of 100 ', 'without 2');
check('d8.test', $port, 'the policy of others did not', yes => '^100 ');
cmp_ok(report($admin)->server(label('d13.test'))->{since}, 'gt', $since,
       'and tells since when');

# a worker that still goes by the older policy

my $judged = sub { total('d13.test') };
my $before = $judged->();

is($half->raw("\r\n")->status, 200, 'the old worker answers');
$half->close;
ok(until_counted(sub { $judged->() == $before + 1 }), 'and counts');

check('d13.test', $port, 'what an old worker verified', unknown =>
      '^not enough traffic: 0 of 100 ');

ask('d13.test', 100);
ok(until_counted(sub { $judged->() == $before + 101 }), 'new requests');
$clock->pass(HOUR);
check('d13.test', $port, 'what came since', yes => '^100 ');

# a failure is settled when it has been shown to be over

ask('b.d2.test', 99);
$clock->pass(HOUR);
check('d2.test', $port, 'once 100 requests have passed', no =>
      'hosts: b\.d2.*once 1 more request for each');
ask('b.d2.test', 1);
check('d2.test', $port, 'they have', yes => 'failures before are settled');
check('d4.test', $port, 'a host that is asked no more', no => 'hosts: d4\.');

# a clock that is set a day ahead, and back

$clock->add(DAY);
ask('d4.test', 1);
check('d4.test', $port, 'failures, a day ahead', no => 'hosts: d4\.');
$clock->add(-DAY);
ask('d4.test', 1);
check('d4.test', $port, 'failures, and a day back', no => 'hosts: d4\.');

# the longest is a day

$clock->pass(19 * HOUR);
check('d4.test', $port, 'failures of 23 hours ago', no => 'hosts: d4\.');
check('d9.test', $port, 'of a private address', no => '10\.1\.2\.3');
$clock->pass(2 * HOUR);
check('d4.test', $port, 'failures of 24 hours ago', unknown =>
      '^not enough traffic: \d of 100 ');
check('d9.test', $port, 'of a private address seen once', unknown =>
      '^not enough traffic: 0 of 100 ');
check('d8.test', $port, 'successes of 24 hours ago', unknown =>
      '^not enough traffic: 0 of 100 ');

# a CRL that was fresh

check('d18.test', $port, 'a CRL in its dates', unknown => '^not enough');
$clock->pass(2 * DAY);
check('d18.test', $port, 'a CRL that has run out since', no =>
      '^out of date: the CRL of');

like(join("\n", $nginx->log_since($mark)), qr/broken\.pem/,
     'error.log tells of what was broken');
$nginx->write('error.log', '');
$nginx->finish;

done_testing();


# check($server, $port, $name, $ready, $why, $not): the answer, in all formats
sub check {
    my ($server, $to, $name, $ready, $why, $not) = @_;

    my $report = report($admin);
    my ($first) = $server =~ /^(d\d+\.test)$/;

    # the label has the first name
    my ($is) = grep { $_->{name} =~ /^(?:a\.|\*\.)?\Q$server\E
                                      \ 127\.0\.0\.1:$to$/x }
               @{ $report->json->{servers} };

    $why =~ s/HOST/$server/g;

    is($is->{ready}, $ready, "$name: ready");
    like($is->{why}, qr/$why/, "$name: why");
    unlike($is->{why}, qr/$not/, "$name: and no other") if $not;

    my $value = $report->metric('nginx_aop_ready', server => $is->{name});

    is($value, { yes => 1, no => 0 }->{$ready}, "$name: metric");
    is(join(' ', grep { $report->metric('nginx_aop_ready_state', state => $_,
                                        server => $is->{name}) }
                 qw(yes no unknown)), $ready, "$name: metric of each answer");

    # whether it is safe is not the question where it is enforced
    my $word = $is->{state} eq 'enforced'
               ? ($ready eq 'no' ? 'Failing' : 'Enforced') : "\u$ready";

    is($report->on_page($is->{name})->{word}, $word, "$name: page");
}

sub requests {
    my ($server) = @_;
    my $sum = 0;
    $sum += $_->{count} for @{ $server->{requests} };
    return $sum;
}

sub counted {
    my $sum = 0;
    $sum += requests($_) for @{ report($admin)->json->{servers} };
    return $sum;
}

sub total { requests(report($admin)->server(label($_[0]))) }

sub failed {
    my ($server, $to) = @_;
    my $why = report($admin)->server(label($server, $to))->{why};
    my ($n) = $why =~ /^(\d+) of /;
    return $n || 0;
}
