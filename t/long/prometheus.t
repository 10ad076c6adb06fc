#!/usr/bin/perl

# Debian's Prometheus scrapes the report and agrees with it about each number;
# each alert of the rules that we ship fires, and Debian's Alertmanager passes
# it on; and "is the fleet safe?" is answered.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes ();
use AOP::Prometheus;
use AOP::Test;
use AOP::Test::Report;

use constant {
    DAY    => 86400,
    EDGE   => '173.245.48.9',
    DIRECT => '203.0.113.9',
    DOCS   => 'https://wiki.example.com/aop',
    PAGE   => "$FindBin::Bin/../../docs/fleet.md",
};

BEGIN { *within = \&AOP::Prometheus::within }

alarm 900;

my $missing = AOP::Prometheus::missing();

plan skip_all => "not installed: $missing" if $missing;

my $now    = time();
my $ca     = ca('Edge CA', not_after => $now + 5.5 * DAY);
my $over   = ca('Over CA', not_before => $now - 9 * DAY,
                not_after => $now - DAY);
my $good   = $ca->leaf('"edge" \\ M' . "\xc3\xbc" . 'ller');
my $nginx  = nginx(workers => 2);
my $second = nginx();
my ($port, $admin)  = $nginx->ports(2);
my ($other, $page)  = $second->ports(2);
my $listen = $nginx->listen_tls($port, 'proxy_protocol');
my $at     = "127.0.0.1:$admin";
my $from   = "127.0.0.1:$port";

$nginx->write('ca.pem', $ca);
$nginx->write('over.pem', [ $ca, $over ]);
$nginx->write('soon.crl', $ca->crl(next_update => $now + DAY / 2));
$nginx->write('over.crl', $ca->crl(last_update => $now - 2 * DAY,
                                   next_update => $now - DAY));

my $http = <<"CONF";
    aop_ca ca.pem;
    server { $listen server_name on.test; aop on; location / { return 200; } }
    server { $listen server_name "~^(?<x>opt)\\.test\$"; aop optional;
             location / { return 200; } }
    server { $listen server_name ready.test; aop optional;
             aop_ready requests=3 time=1s; location / { return 200; } }
    server { $listen server_name lost.test; aop on; }
    server { listen 127.0.0.1:$admin; location /metrics {
             aop_report prometheus; } }
CONF

$nginx->configure($http)->start;

$second->write('ca.pem', $ca);
$second->configure(uncounted('4m'))->start;

my $prometheus = AOP::Prometheus->start($nginx, [ $admin, $page ],
                                        docs => DOCS);

# a number of requests

ask('on.test', EDGE, 7, $good);
ask('on.test', EDGE, 2);
ask('on.test', DIRECT, 3);
ask('opt.test', EDGE, 120, $good);
ask('ready.test', EDGE, 4, $good);

settled(136);
Time::HiRes::sleep(1.5);
ok($prometheus->scrapes(2), 'Prometheus scrapes');

for my $target (@{ $prometheus->api('targets')->{activeTargets} }) {
    is($target->{health}, 'up', 'the target is up');
    is($target->{lastError}, '', 'without an error');
}

my @rules = map { @{ $_->{rules} } } @{ $prometheus->api('rules')->{groups} };
my @names = map { $_->{name} } grep { $_->{type} eq 'alerting' } @rules;

is(scalar(grep { $_->{health} ne 'ok' } @rules), 0, 'all rules are well')
    or diag(map { "$_->{name}: $_->{lastError}\n" }
            grep { $_->{lastError} } @rules);
cmp_ok(scalar @rules, '>=', 16, 'which are ' . @rules);

ok(within(sub { same() }), 'it has the same numbers')
    or is_deeply(theirs(), report($admin, path => '/metrics')->metrics);
cmp_ok(scalar keys %{ theirs() }, '>=', 30, 'which are ' . keys %{ theirs() });

# what waits for ten minutes has waited for that long, and is the only one

ok(within(sub { $prometheus->firing('AopCertificateExpiresSoon') }),
   'a CA expires soon: it fires');
like($prometheus->firing('AopCertificateExpiresSoon'),
     qr/\ACertificate\ CN=Edge\ CA\ at\ 127\.0\.0\.1:(?:$admin|$page)\ and
        \ others,\ 2\ in\ all\ expires\ in\ 5d\ .*\z/x,
     'a CA expires soon: one alert for all servers');
is(join(' ', grep { $prometheus->firing($_) } @names),
   'AopCertificateExpiresSoon', 'no other alert');
is($prometheus->value('aop:fleet:safe'), 0, 'not safe: there are unknown ones');

# Cloudflare is rejected, or would be

ask('on.test', EDGE, 1);
fires('AopEdgeRefused', "on.test $from at $at rejects requests from Cloudflare");

ask('opt.test', EDGE, 1);
$prometheus->scrapes(2);
ask('opt.test', EDGE, 1);
fires('AopEdgeWouldBeRefused', "~^(?<x>opt)\\.test\$ $from at $at is not ready"
      . ' for "aop on"');

ask('ready.test', EDGE, 1);
fires('AopNoLongerReady', "ready.test $from at $at is not ready any more");

# a reload is no reset; enforcement is lost by it

ok($nginx->reload($http =~ s/lost\.test; aop on;/lost.test; aop off;/r),
   'a reload');
fires('AopEnforcementLost', "lost.test $from at $at does not enforce any more");
is(($prometheus->alerts('AopEnforcementLost'))[0]{annotations}{description},
   'It had "aop on" within a week, and is now "off".', 'its mode');
is($prometheus->value('sum(resets(nginx_aop_requests_total[5m]))'), 0,
   'without a reset of a counter');

ok($nginx->reload($http =~ s/server [^\n]* lost\.test[^\n]*//r),
   'the server has gone');
ok(within(sub { ($prometheus->alerts('AopEnforcementLost'))[0]{annotations}
                {description} =~ /is not in the report now/ }),
   'it goes on firing');

ok($nginx->reload($http), 'it enforces again');
ok(within(sub { $prometheus->firing('AopEnforcementLost') eq '' }),
   'it does not fire any more');
ok(within(sub { $prometheus->notified('AopEnforcementLost')
                =~ /^resolved lost\.test/m }), 'Alertmanager says so');

# what has expired, or soon does

ok($nginx->reload($http =~ s/ca\.pem;/over.pem; aop_crl soon.crl;/r),
   'a CA that has expired, a CRL that soon does');
fires('AopCertificateExpired', "Certificate CN=Over CA at $at has expired");
fires('AopCrlExpiresSoon',
      qr/^The CRL of CN=Edge CA at $at expires in 11h /);

ok($nginx->reload($http =~ s/ca\.pem;/ca.pem; aop_crl over.crl;/r),
   'a CRL that has expired');
fires('AopCrlExpired', "The CRL of CN=Edge CA at $at has expired");
ok($nginx->reload($http), 'all is well again');

# not counted, not asked

fires('AopNoRequests',
      qr/^lost\.test $from at $at enforces, but gets no requests$/m);
ok($second->reload(uncounted('256k')), 'a zone that is full');
fires('AopNotCounted', qr/^Requests to s\d+\.test \S+ at 127\.0\.0\.1:$page are/);

# the fleet

is($prometheus->value('aop:origin:safe{instance="127.0.0.1:' . $page . '"}'), 0,
   'not counted: not safe');
$prometheus->scrape($page);
fires('AopNoReport', "No report from $at");
is($prometheus->value("aop:origin:safe{instance=\"$at\"}"), 0,
   'not scraped any more: not safe');
$prometheus->scrape($admin, $page);
ok(within(sub { $prometheus->firing('AopNoReport') eq '' }), 'scraped again');

ok($second->stop, 'one is down');
fires('AopNoReport', "No report from 127.0.0.1:$page");
like(($prometheus->alerts('AopNoReport'))[0]{annotations}{description},
     qr/^It does not answer, so .* Servers that enforced: 100\.$/, 'and enforced');

is(join(' ', grep { !$prometheus->notified($_) } @names), '',
   'Alertmanager has sent each of them');

# what docs/fleet.md has

for my $expression (fence('promql')) {
    is($prometheus->value($expression), 0, "a query: $expression");
}

my ($main, $route, $rules) = fence('yaml');

$nginx->write('aop.rules.yml', '');
checked('promtool', 'check', 'config', $main);
checked('amtool', 'check-config', "$route\nreceivers: [ { name: team } ]");
checked('promtool', 'check', 'rules', $rules);

ok($prometheus->stop, 'Prometheus stops');
$nginx->finish;

done_testing();


# fires($name, $summary): it does, with this summary, and where to read about it.
sub fires {
    my ($name, $summary) = @_;

    my $is = within(sub {
        my $said = $prometheus->firing($name);
        return ref $summary ? $said =~ $summary : $said eq $summary;
    });

    ok($is, "$name fires") or diag($prometheus->firing($name));
    ok(within(sub { $prometheus->notified($name)
                    =~ (ref $summary ? qr/^firing /m
                                     : qr/^firing \Q$summary\E$/m) }),
       "$name: Alertmanager has sent it");
    is(($prometheus->alerts($name))[0]{annotations}{runbook_url},
       DOCS . '/fleet.md#' . lc $name, "$name: its section");

    return;
}

# checked(@command, $text): the command takes a file with this text
sub checked {
    my ($text, @command) = (pop, @_);

    $nginx->write('checked.yml', $text);

    my $said = `cd @{[ $nginx->dir ]} && @command checked.yml 2>&1`;

    is($?, 0, "the document: @command") or diag($said);

    return;
}

# the blocks of the document in that language
sub fence {
    my ($lang) = @_;

    open my $fh, '<', PAGE or die "cannot read @{[ PAGE ]}: $!\n";

    return join('', <$fh>) =~ /^```$lang\n(.*?)\n?^```$/gms;
}

sub ask {
    my ($host, $from, $n, $cert) = @_;

    for (1 .. $n) {
        get($port, sni => $host, cert => $cert,
            prelude => "PROXY TCP4 $from 127.0.0.1 1 2\r\n");
    }

    return;
}

# the report, once so many requests are counted
sub settled {
    my ($n) = @_;

    until_counted(sub {
        my $sum = 0;

        for my $server (@{ report($admin, path => '/metrics')->json->{servers} })
        {
            $sum += $_->{count} for @{ $server->{requests} };
        }

        return $sum == $n;
    });

    return;
}

# the configuration of the other one, with more servers than some zones hold
sub uncounted {
    my ($size) = @_;

    my $tls = $second->listen_tls($other);

    return "aop_ca ca.pem; aop_zone $size;\n"
           . join('', map { "server { $tls server_name s$_.test; aop on; }\n" }
                      1 .. 100)
           . "server { listen 127.0.0.1:$page; location /metrics {"
           . ' aop_report prometheus; } }';
}

# whether each sample of the report is Prometheus' too
sub same {
    my ($ours, $theirs) = (report($admin, path => '/metrics')->metrics,
                           theirs());

    return join(' ', map { "$_ $ours->{$_}" } sort keys %$ours)
           eq join(' ', map { "$_ $theirs->{$_}" } sort keys %$theirs);
}

# what Prometheus has of the first one
sub theirs {
    my %theirs;

    for my $result (@{ $prometheus->query(
            "{__name__=~\"nginx_aop_.*\",instance=\"$at\"}") })
    {
        my %label = %{ $result->{metric} };
        my $name  = delete $label{__name__};

        delete @label{qw(job instance)};
        s/([\\"])/\\$1/g for values %label;
        utf8::encode($_) for values %label;

        $theirs{ AOP::Test::Report::series($name, %label) }
            = $result->{value}[1];
    }

    return \%theirs;
}

END {
    my $status = $?;

    $prometheus->stop if $prometheus;
    $? = $status;
}
