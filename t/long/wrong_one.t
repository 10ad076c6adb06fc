#!/usr/bin/perl

# Fifty origins, of which one goes wrong: it is seen within a scrape interval on
# its page, by aopctl status, in an alert, and on the dashboard, each expression
# of which is asked of a Prometheus that has data.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";

use File::Temp;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use AOP::Prometheus;
use AOP::Test;
use AOP::Test::Aopctl;
use AOP::Test::Report;

use constant {
    ORIGINS   => 50,
    EDGE      => '173.245.48.9',
    DIRECT    => '203.0.113.9',
    LIMIT     => 900,
    WIDTH     => 24,
    PACKAGES  => '@grafana/schema@11.6.16 typescript@5.9.3',
    DASHBOARD => "$FindBin::Bin/../../contrib/grafana/aop.json",
};

BEGIN { *within = \&AOP::Prometheus::within }

my $missing = AOP::Prometheus::missing();

plan skip_all => "not installed: $missing" if $missing;

alarm LIMIT;

my $ca   = ca('Edge CA');
my $good = $ca->leaf('edge');
my (@nginx, @tls, @page, @url);

for my $i (0 .. ORIGINS - 1) {
    my $nginx = nginx();
    my ($tls, $page) = $nginx->ports(2);

    push @nginx, $nginx;
    push @tls, $tls;
    push @page, $page;
    push @url, "http://127.0.0.1:$page/";

    $nginx->write('ca.pem', $ca);
    $nginx->configure(mode($i, 'on'))->start;
}

my $prometheus = AOP::Prometheus->start($nginx[0], \@page, path => '/',
                                        query => 'format: [ prometheus ]');

come($_, EDGE, 4, cert => $good) for @tls;
sleep 1.5;

# all is well

is((aopctl('status', @url))->{status}, 0, 'all is well: aopctl status');
ok(within(sub { $prometheus->value('aop:fleet:safe') }),
   'all is well: the fleet is safe');

# as long as the window in which a counter that was not there is new
ok($prometheus->scrapes(12), 'it goes on');
is(all_firing(), '', 'all is well: no alert');

# one rejects Cloudflare

my ($bad, $lost, $down) = (17, 23, 31);

sees('rejected', $bad, 'AopEdgeRefused',
     'max by (instance) (2 * nginx_aop_ready_state{state="no"}) == 2',
     sub { come($tls[$bad], EDGE, 2) });

my ($ready) = grep { $_->{name} =~ /^site\.test / }
              @{ report($page[$bad])->json->{servers} };

is($ready->{ready}, 'no', 'rejected: JSON');
like(report($page[$bad])->text('html'), qr/<title>[^<]*\b1\b[^<]*<\/title>/,
     'rejected: the title of the page');
like(report($page[$bad])->text('html'), qr/2 of 6 requests/,
     'rejected: why, on the page');

my $run = aopctl('status', @url);

is($run->{status}, 2, 'rejected: aopctl status');
like((split /\n/, $run->{out})[0], qr/^no, enforced: .* \(\Q$url[$bad]\E\): 2 of/,
     'rejected: its first line');

# one does not enforce any more

sees('lost', $lost, 'AopEnforcementLost',
     'aop:server:last_on unless on (job, instance, server)'
     . ' nginx_aop_mode_info{mode="on"}',
     sub { $nginx[$lost]->reload(mode($lost, 'off')) });

is(join(' ', map { $_->{name} =~ /^(\S+)/ }
             @{ report($page[$lost])->json->{unprotected} }), 'site.test',
   'lost: JSON');
like(report($page[$lost])->text('html'), qr/site\.test/, 'lost: the page');
like(aopctl('status', @url)->{out},
     qr/^unread \(\Q$url[$lost]\E\): a status page without servers/m,
     'lost: a line of aopctl status');

# one does not answer

$nginx[$down]->stop;
ok(within(sub { $prometheus->firing('AopNoReport')
                eq "No report from 127.0.0.1:$page[$down]" }),
   'down: the alert');
is($prometheus->alerts('AopNoReport'), 1, 'down: one alert');
like(($prometheus->alerts('AopNoReport'))[0]{annotations}{runbook_url},
     qr{^file:///\S+/fleet\.md#aopnoreport$}, 'down: its section');
like(aopctl('status', @url)->{out}, qr/^unread \(\Q$url[$down]\E\)/m,
     'down: a line of aopctl status');
is($prometheus->value('aop:origin:safe{instance="127.0.0.1:' . $page[$down]
                      . '"}'), 0, 'down: not safe');

# the dashboard

my $text      = slurp(DASHBOARD);
my $dashboard = JSON::PP->new->decode($text);
my @panels    = grep { $_->{type} ne 'row' } @{ $dashboard->{panels} };
my %variable  = (instance => '.*', origin => "127.0.0.1:$page[$bad]",
                 __rate_interval => '30s');

come($tls[$bad], EDGE, 1, cert => $good);
come($tls[$bad], $_, 1) for DIRECT, EDGE;
$prometheus->scrapes(4);

for my $panel (@panels) {
    for my $target (@{ $panel->{targets} }) {
        my $expression = $target->{expr} =~ s/\$(\w+)/$variable{$1}/gr;

        cmp_ok(scalar @{ $prometheus->query($expression) }, '>', 0,
               "dashboard: $panel->{title}") or diag($expression);
    }
}

is(shown('Ready, by origin', $bad), 2, 'dashboard: the one that rejects');
is(shown('Ready, by origin', $down), 3, 'dashboard: the one that is down');
is(shown('Ready, by origin', 1), 0, 'dashboard: one that is ready');
is(shown('Not as they were', $_) ? 1 : 0, $_ == $lost ? 1 : 0,
   'dashboard: not as they were') for $lost, 1;

is(join(' ', sort map { $_->{name} } @{ $dashboard->{templating}{list} }),
   'datasource instance origin', 'dashboard: variables');
is(join(' ', grep { !$variable{$_} && $_ ne 'datasource' }
             $text =~ /\$\{?(\w+)/g), '__all', 'dashboard: no other is used');

my @ids = map { $_->{id} } @{ $dashboard->{panels} };
my %id  = map { $_ => 1 } @ids;

is(scalar keys %id, scalar @ids, 'dashboard: each panel has a number');
is(overlaps(), '', 'dashboard: no panel covers another');
is(scalar(grep { $_->{datasource}{uid} ne '${datasource}' }
          @panels, map { @{ $_->{targets} } } @panels), 0,
   'dashboard: the data source is the variable');

SKIP: {
    my $said = schema() // skip 'no npm, or nothing in its reach', 1;

    is($said, '', 'dashboard: as the types of ' . PACKAGES . ' have it');
}

diag(sprintf 'the rules take %.1f ms with %d origins',
     1000 * $prometheus->api('rules')->{groups}[1]{evaluationTime}, ORIGINS);

ok($prometheus->stop, 'Prometheus stops');
$_->finish for grep { $_ != $nginx[$down] } @nginx;
done_testing();


# the configuration of an origin
sub mode {
    my ($i, $mode) = @_;

    my $listen = $nginx[$i]->listen_tls($tls[$i], 'proxy_protocol');

    return <<"CONF";
    aop_ca ca.pem;
    aop_ready requests=3 time=1s;
    server { $listen server_name site.test; aop $mode; return 200; }
    server { listen 127.0.0.1:$page[$i]; location / { aop_report html; } }
CONF
}

# come($port, $from, $n, %options)
sub come {
    my ($port, $from, $n, @opt) = @_;

    for (1 .. $n) {
        get($port, sni => 'site.test',
            prelude => "PROXY TCP4 $from 127.0.0.1 1234 443\r\n", @opt);
    }

    return;
}

# sees($name, $i, $alert, $query, $wrong): once that is done, alert and query
# name this origin and no other, and have done so by the first scrape after it.
sub sees {
    my ($name, $i, $alert, $query, $wrong) = @_;

    my $instance = "127.0.0.1:$page[$i]";
    my $start    = time;

    $wrong->();

    ok(within(sub { $prometheus->alerts($alert) }), "$name: $alert");

    my @alerts = $prometheus->alerts($alert);
    my ($h, $m, $s) = $alerts[0]{activeAt} =~ /T(\d+):(\d+):([\d.]+)/;
    my $at = $start - $start % 86400 + ($h * 60 + $m) * 60 + $s;

    is(join(' ', map { $_->{labels}{instance} } @alerts), $instance,
       "$name: $alert, and of no other");
    ok(within(sub { instances($query) eq $instance }),
       "$name: the query of the dashboard, and no other");
    is($prometheus->value("($query) and on (instance)"
                          . "(up{instance=\"$instance\"} == 1)") ? 1 : 0, 1,
       "$name: it is up");

    # a scrape each second, and an evaluation after it

    my $scrapes = $prometheus->value("count_over_time(up{instance=\"$instance\"}"
        . sprintf('[%ds] @ %.3f)', POSIX::ceil($at - $start) || 1, $at));

    cmp_ok($scrapes, '<=', 3, "$name: seen by the next scrape");
    diag(sprintf '%s: %s active after %.1f s', $name, $alert, $at - $start);

    return;
}

sub instances {
    my ($query) = @_;

    return join ' ', map { $_->{metric}{instance} }
                     @{ $prometheus->query($query) };
}

sub all_firing {
    return join ', ', map { "$_->{labels}{alertname} $_->{labels}{instance}" }
           grep { $_->{state} eq 'firing' }
           @{ $prometheus->api('alerts')->{alerts} };
}

# shown($title, $i): the value that the panel has for that origin
sub shown {
    my ($title, $i) = @_;

    my ($panel) = grep { $_->{title} eq $title } @panels;
    my $expression = $panel->{targets}[0]{expr} =~ s/\$(\w+)/$variable{$1}/gr;
    my ($sample) = grep { $_->{metric}{instance} eq "127.0.0.1:$page[$i]" }
                   @{ $prometheus->query($expression) };

    return $sample ? $sample->{value}[1] : undef;
}

# the titles of panels that cover another, or reach beyond the right edge
sub overlaps {
    my (%taken, @title);

    for my $panel (@{ $dashboard->{panels} }) {
        my %at = %{ $panel->{gridPos} };

        for my $x ($at{x} .. $at{x} + $at{w} - 1) {
            for my $y ($at{y} .. $at{y} + $at{h} - 1) {
                push @title, $panel->{title}
                    if $x >= WIDTH || $taken{"$x $y"}++;
            }
        }
    }

    return join ', ', @title;
}

# what the compiler of Grafana's own types says of the dashboard; undef if they
# cannot be had
sub schema {
    my $dir   = File::Temp->newdir;
    my $types = './node_modules/@grafana/schema/dist/esm/raw/dashboard/x/'
                . 'dashboard_types.gen';

    return if system("cd $dir && npm install --no-audit --no-fund --silent "
                     . PACKAGES . ' > npm.log 2>&1');

    open my $fh, '>', "$dir/dashboard.ts" or die "cannot write: $!\n";
    print {$fh} "import type { Dashboard } from '$types';\n", <<'TS', $text;
type Words<T> = T extends string ? `${T}`
    : T extends number | boolean | null | undefined ? T
    : T extends (infer U)[] ? Words<U>[]
    : T extends object ? { [K in keyof T]: Words<T[K]> } : T;
export const dashboard: Words<Dashboard> =
TS
    close $fh;

    return scalar `cd $dir && npx tsc --noEmit --strict --skipLibCheck \\
        --module esnext --moduleResolution bundler dashboard.ts 2>&1`;
}

sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "cannot read $file: $!\n";
    local $/;

    return scalar <$fh>;
}

END {
    my $status = $?;

    $prometheus->stop if $prometheus;
    $? = $status;
}
