#!/usr/bin/perl

# "Is it safe to enforce?", drilled: each situation an administrator may be in
# gets the right answer for the right reason, in all three formats, over
# reloads, and as time goes by.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

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
my ($port, $tenant, $few, $admin) = $nginx->ports(4);
my $listen = $nginx->listen_tls($port, 'proxy_protocol');
my $clock  = AOP::Test::Clock->new;

$nginx->write('ca.pem', $ca);
$nginx->write('both.pem', [ $ca, ca('Next CA') ]);
$nginx->write('old.pem', [ $ca, $old ]);
$nginx->write('fresh.crl', $ca->crl(next_update => time() + 2 * DAY));
$nginx->write('stale.crl', $ca->crl(next_update => time() - HOUR));

# ask($host, $n, %options): so many requests on one connection, or, if the
# server closes it, on as few as it takes.
sub ask {
    my ($host, $n, %opt) = @_;

    my $from   = delete $opt{from} || EDGE;
    my $to     = delete $opt{port} || $port;
    my $family = $from =~ /:/ ? "TCP6 $from ::1" : "TCP4 $from 127.0.0.1";
    my ($client, $session);

    $asked += $n unless $host eq OFF;

    for (1 .. $n) {
        $client = undef if $client && $client->closed(0.0001);
        $client ||= client($to, sni => $host, cert => $good,
                           prelude => "PROXY $family 1234 443\r\n", %opt);
        $client->get('/')->status or BAIL_OUT("$host: no answer");
    }

    $session = $client->session;
    $client->close;

    return $session;
}

my @none = (cert => undef);

# name, directives, requests, ready, why (in it), not in it
my @drill = (
    [ 'nobody asked', '', sub {},
      unknown => '^too little traffic: 0 of the 100 judged requests' ],

    [ 'AOP is not yet on at Cloudflare', '', sub { ask($_[0], 100, @none) },
      no => '^100 of 100 requests from Cloudflare\'s edge failed \(100%\):'
            . ' none 100; hosts: HOST; last at \d{4}-\d\d-\d\dT[\d:]+Z$' ],

    [ 'AOP is on for one hostname only', 'server_name a.HOST b.HOST;', sub {
          ask("a.$_[0]", 150);
          ask("b.$_[0]", 50, @none);
      },
      no => '^50 of 200 requests from Cloudflare\'s edge failed \(25%\):'
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
      no => '^1 of 121 requests from Cloudflare\'s edge failed \(0\.8264%\):'
            . ' none 1; hosts: HOST;' ],

    [ 'the wrong CA', '', sub { ask($_[0], 100, cert => $foreign) },
      no => '^100 of 100 .*: untrusted 100; hosts' ],

    [ 'two causes', '', sub {
          ask($_[0], 2, cert => $foreign);
          ask($_[0], 1, @none);
      },
      no => '^3 of 3 .*: none 1, untrusted 2; hosts' ],

    [ 'scanners only', '', sub { ask($_[0], 150, @none, from => DIRECT) },
      unknown => '^too little traffic: 0 of the 100' ],

    [ 'scanners beside the edge', '', sub {
          ask($_[0], 100);
          ask($_[0], 7, @none, from => DIRECT);
      },
      yes => '^all 100 requests from Cloudflare\'s edge passed; enforcing'
             . ' turns away what came from other addresses, 7 requests$' ],

    [ 'a private health check without a certificate', '', sub {
          ask($_[0], 100);
          ask($_[0], 5, @none, from => PRIVATE);
      },
      no => '^5 of 5 requests from private addresses failed \(100%\): none 5;'
            . ' hosts: HOST;', 'Cloudflare' ],

    [ 'a private health check with one', '', sub {
          ask($_[0], 100);
          ask($_[0], 5, from => PRIVATE);
      },
      yes => '^all 100 requests from Cloudflare\'s edge passed' ],

    [ 'the edge and a health check', '', sub {
          ask($_[0], 1, @none);
          ask($_[0], 2, @none, from => PRIVATE);
      },
      no => '^1 of 1 requests from Cloudflare\'s edge failed \(100%\): none 1;'
            . ' 2 of 2 requests from private addresses failed \(100%\):'
            . ' none 2; hosts: HOST; last at' ],

    [ 'too little traffic', '', sub { ask($_[0], 99) },
      unknown => '^too little traffic: 99 of the 100 ' ],

    [ 'just enough', '', sub { ask($_[0], 100) },
      yes => '^all 100 requests .* 0 requests$' ],

    [ 'a stale list of addresses', '', sub {
          ask($_[0], 100);
          ask($_[0], 3, from => DIRECT);
      },
      unknown => '^requests that passed from addresses that are not on the'
                 . ' list of Cloudflare\'s: 3; the list \("aop_edge"\) is out'
                 . ' of date, or a proxy stands in front$' ],

    [ 'resumed connections only', '', sub {
          ask($_[0], 100, tls => '1.2', session =>
              ask($_[0], 1, tls => '1.2', from => PRIVATE));
      },
      unknown => '^no full handshake from Cloudflare\'s edge yet' ],

    [ 'a CRL out of date', 'aop_crl stale.crl;', sub { ask($_[0], 100) },
      no => '^an anchor or CRL in use is out of its dates' ],

    [ 'a CRL out of date, and nobody asked', 'aop_crl stale.crl;', sub {},
      no => '^an anchor or CRL in use is out of its dates' ],

    [ 'a fresh CRL', 'aop_crl fresh.crl;', sub { ask($_[0], 100) },
      yes => '^all 100 ' ],

    [ 'an anchor out of date', 'aop_ca old.pem;', sub { ask($_[0], 100) },
      no => '^an anchor or CRL in use is out of its dates' ],

    [ 'enforced, and the edge fails', 'aop on;', sub {
          ask($_[0], 100);
          ask($_[0], 2, @none);
      },
      no => '^2 of 102 ' ],

    [ 'mode off is not judged', 'location /other { aop optional; } aop off;',
      sub { ask($_[0], 100, @none) },
      unknown => '^too little traffic: 0 of the 100 ' ],

    [ 'reverse', 'aop $by_host;', sub { ask($_[0], 101) },
      yes => '^all 101 ' ],
);

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

for my $i (0 .. $#drill) {
    my ($name, undef, undef, $ready, $why, $not) = @{ $drill[$i] };

    check("d$i.test", $port, $name, $ready, $why, $not);
}

check('mine.test', $tenant, 'another tenant\'s Host', yes =>
      '^all 102 requests from Cloudflare\'s edge passed; .*, 0 requests,'
      . ' and 7 for hosts that are not this server\'s \(2 of them from private'
      . ' addresses: a health check\?\)$');

check('few.test', $few, 'passed for another\'s Host', unknown =>
      '^too little traffic: 99 of the 100 judged requests from Cloudflare\'s'
      . ' edge that are needed, without 203 that passed for hosts that are not'
      . ' this server\'s$');
check('all.test', $few, 'not the default of its address', yes =>
      '^all 100 requests');

for my $host (qw(MINE.test www7.mine.test dot.test a.dot.test pre.any)) {
    my $before = failed('mine.test', $tenant);

    ask($host, 1, @none, port => $tenant);
    ok(until_counted(sub { failed('mine.test', $tenant) == $before + 1 }),
       "$host is the server's own");
}

check('mine.test', $tenant, 'names of all kinds', no =>
      '^5 of 107 .*; hosts: mine\.test, www7\.mine\.test, dot\.test,'
      . ' a\.dot\.test, pre\.any; last at');

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
check('d13.test', $port, 'a reload that fails', yes => '^all 100 ');

# a policy that changed is judged by what came since

my $half = client($port, sni => 'd13.test',
                  prelude => 'PROXY TCP4 ' . EDGE . " 127.0.0.1 1 2\r\n");
$half->connect;
$half->_write("GET / HTTP/1.1\r\nHost: d13.test\r\n");

my $since = report($admin)->server(label('d13.test'))->{since};
$clock->add(10);
$nginx->configure(configuration('d13.test' => 'aop_ca both.pem;',
                                'd1.test'  => 'aop_ca both.pem;',
                                'few.test' => 'aop_ca both.pem;'));
kill HUP => $nginx->pid;
ok(until_counted(sub {
       report($admin)->server(label('d13.test'))->{ready} ne 'yes';
   }), 'a reload with another policy');

check('d13.test', $port, 'the policy changed', unknown =>
      '^too little traffic: 0 of the 100 ');
check('d1.test', $port, 'failures of another policy are no more', unknown =>
      '^too little traffic: 0 of the 100 ');
check('few.test', $few, 'nor what passed for another\'s Host', unknown =>
      '^too little traffic: 0 of the 100 ', 'without');
check('d8.test', $port, 'the policy of others did not', yes => '^all 100 ');
cmp_ok(report($admin)->server(label('d13.test'))->{since}, 'gt', $since,
       'and tells since when');

# a worker that still goes by the older policy

my $judged = sub { total('d13.test') };
my $before = $judged->();

is($half->raw("\r\n")->status, 200, 'the old worker answers');
$half->close;
ok(until_counted(sub { $judged->() == $before + 1 }), 'and counts');
check('d13.test', $port, 'what an old worker failed is not the policy\'s',
      unknown => '^too little traffic: 0 of the 100 ');

ask('d13.test', 100);
ok(until_counted(sub { $judged->() == $before + 101 }), 'new requests');
check('d13.test', $port, 'what came since', yes => '^all 100 ');

# a clock that is set a day ahead, and back

$clock->add(DAY);
ask('d2.test', 1);
check('d2.test', $port, 'failures, a day ahead', no => 'hosts: b\.d2');
$clock->add(-DAY);
ask('d2.test', 1);
check('d2.test', $port, 'failures, and a day back', no => 'hosts: b\.d2');

# the window is a day

ask('theirs.test', 3, port => $few);
ok(until_counted(sub {
       report($admin)->server(label('few.test', $few))->{why} =~ /without 3 /;
   }), 'passed for another\'s Host once more');
check('few.test', $few, 'passed for another\'s Host once more', unknown =>
      '^too little traffic: 0 of the 100 ');

$clock->pass(22 * HOUR);
ask('d2.test', 1);
ask('a.d2.test', 1);
check('d2.test', $port, 'failures of 22 hours ago', no => 'hosts: b\.d2');

$clock->pass(2 * HOUR);
ask('a.d2.test', 1);
check('d2.test', $port, 'failures of 24 hours ago', unknown =>
      '^too little traffic: \d of the 100 ');
ask('few.test', 1, port => $few);
check('few.test', $few, 'what passed for another\'s Host 24 hours ago',
      unknown => '^too little traffic: \d of the 100 ', 'without');
check('d8.test', $port, 'successes of 24 hours ago', unknown =>
      '^too little traffic: 0 of the 100 ');

# a CRL that was fresh

check('d18.test', $port, 'a CRL in its dates', unknown => '^too little');
$clock->pass(2 * DAY);
ask('d18.test', 1);
check('d18.test', $port, 'a CRL that has run out since', no =>
      '^an anchor or CRL in use is out of its dates');

# a clock that is set back

ask('d8.test', 100);
$clock->add(-DAY);
ask('d8.test', 1);
check('d8.test', $port, 'a clock that was set back', yes => '^all 10\d ');

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

    my ($card) = grep { s/<[^>]*>//gr =~ /^\w+ \Q$is->{name}\E / }
                 $report->text('html') =~ m{(<section .*?</section>)}gs;

    like($card, qr{^<section class="answer $ready"><h2><b>\u$ready</b> },
         "$name: page");
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
