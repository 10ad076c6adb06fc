#!/usr/bin/perl

# Rollouts, and a twin of each server that enforces and gets the same requests:
# the answer is never "yes" while the twin rejects what matters, and it gives
# the right cause and advice, in JSON, on the page, in metrics, and from the log.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;
use AOP::Test::Clock;
use AOP::Test::Report;

use constant {
    EDGE    => '173.245.48.9',
    EDGE2   => '162.158.1.1',
    DIRECT  => '203.0.113.9',
    PRIVATE => '10.1.2.3',
    RELAY   => '172.17.0.1',
    LISTED  => '172.18.0.1',
    BALANCE => '10.7.7.7',
    HOUR    => 3600,
    DAY     => 86400,
    ENOUGH  => 20,
};

my $now    = time();
my $ca     = ca('Edge CA');
my $good   = $ca->leaf('edge');
my $next   = ca('Next CA');
my $new    = $next->leaf('new');
my $wrong  = ca('Other CA')->leaf('edge');
my $short  = $ca->leaf('short', not_after => $now + HOUR + 1800);
my $origin = ca('CloudFlare Origin SSL Certificate Authority')->leaf('edge');

my $nginx = nginx();
my ($port, $twin, $admin, $own) = $nginx->ports(4);
my $clock = AOP::Test::Clock->new;
my (%twin, %kept, $asked);

$nginx->write('ca.pem', $ca);
$nginx->write('next.pem', $next);
$nginx->write('both.pem', [ $ca, $next ]);
$nginx->write('old.pem', [ $ca, ca('Old CA', not_before => $now - 9 * DAY,
                                   not_after => $now - DAY) ]);
$nginx->write('good.crl', $ca->crl(next_update => $now + HOUR + 1800));

# a server that excludes the signatures of ML-DSA, unless OpenSSL lacks them

my $without = AOP::Test::Cert->has('ML-DSA-44')
    ? 'ssl_conf_command ClientSignatureAlgorithms ECDSA+SHA256:RSA-PSS+SHA256;'
    : '';

# name, directives; then three times, an hour apart: what comes, and the answer
# an hour later: ready, and why

my @rollout = (
    [ 'all is well, but for a forgotten www, and another tenant\'s Host', '',
      [ [ 25 ], [ 3, undef, host => 'www', foreign => 1 ],
        [ 9, undef, host => 'evil', foreign => 1 ] ],
      yes => qr/^25 .* names of this server: www\.HOST \(3\), evil\.HOST \(9\)$/ ],
    [ 'the toggle is off', '', [ [ 25, undef ] ],
      no => qr/^25 of 25 .*none 25; hosts: HOST/,
      [ [ 25 ] ], yes => qr/^25 .* settled/ ],
    [ 'one hostname of three', 'server_name HOST b.HOST c.HOST;',
      [ [ 25 ], [ 5, undef, host => 'b' ], [ 5, $good, host => 'c' ] ],
      no => qr/hosts: b\.HOST; last/ ],
    [ 'one colo is late', '', [ [ 25 ], [ 1, undef, from => EDGE2 ] ],
      no => qr/^1 of 26 / ],
    [ 'the wrong CA', '', [ [ 25, $wrong ] ],
      no => qr/^25 of 25 .*untrusted 25/ ],
    [ 'the Origin CA', '', [ [ 25, $origin ] ],
      no => qr/^25 of 25 .*(?:origin_ca|untrusted) 25/ ],
    [ 'a leaf that expires', '', [ [ 25, $short ] ], yes => qr/^25 /,
      [ [ 5, $short ] ], yes => qr/^30 /,
      [ [ 5, $short ] ], no => qr/^5 of 35 .*expired 5/ ],
    [ 'scanners only', '', [ [ 30, undef, from => DIRECT ] ],
      unknown => qr/^not enough traffic: 0 of 20 .*; 30 requests came/ ],
    [ 'scanners beside the edge', '', [ [ 25 ], [ 9, undef, from => DIRECT ] ],
      yes => qr/would reject 9 / ],
    [ 'exempt ACME', 'location /.well-known { aop off; }',
      [ [ 25 ], [ 9, undef, path => '/.well-known/x', from => DIRECT ],
        [ 9, undef, path => '/.well-known/x' ] ], yes => qr/^25 / ],
    [ 'a health check', '', [ [ 25 ], [ 9, undef, from => PRIVATE ] ],
      no => qr/^9 requests from private .*10\.1\.2\.3/ ],
    [ 'a health check that is exempt', 'location /health { aop off; }',
      [ [ 25 ], [ 9, undef, from => PRIVATE, path => '/health' ] ],
      yes => qr/^25 / ],
    [ 'a CRL that runs out', 'aop_crl good.crl;', [ [ 25 ] ], yes => qr/^25 /,
      [ [ 3, $good, every => 1 ] ], no => qr/^out of date: the CRL of| crl \d\d/ ],
    [ 'addresses on no list', '', [ [ 25, $good, from => DIRECT ] ],
      unknown => qr/^25 requests with a verified certificate came from addr/ ],
    [ 'resumed only a little', '', [ [ 19 ] ],
      unknown => qr/^not enough traffic: 19 of 20/ ],
    [ 'Docker\'s proxy', '', [ [ 25, $good, from => RELAY, ray => 1 ],
        [ 9, undef, from => RELAY ] ], yes => qr/lost behind 172\.17\.0\.1/ ],
    [ 'Docker\'s proxy, the toggle is off', '',
      [ [ 25, undef, from => RELAY, ray => 1 ] ],
      no => qr/CF-Ray, so this address may hide/ ],
    [ 'a relay with a health check', '',
      [ [ 25, $good, from => RELAY, ray => 1 ],
        [ 1, undef, from => RELAY, every => 1 ] ],
      unknown => qr/^at least 12 .* alike failed.* health check/,
      [ [ 1, $good, from => RELAY, ray => 1 ] ], yes => qr/^26 / ],
    [ 'a canary', 'aop $canary;', [ [ 25 ], [ 9, undef, path => '/off' ] ],
      unknown => qr/^9 of 34 .* the mode variable was "off" for 9/ ],
    [ 'rotation: the old and the new one', 'aop_ca both.pem;',
      [ [ 25 ], [ 25, $new ] ], yes => qr/^50 / ],
    [ 'rotation: the new one too early', '', [ [ 25 ], [ 1, $new ] ],
      no => qr/^1 of 26 .*untrusted 1/ ],
    [ 'a private address of two, one with a certificate', '',
      [ [ 25 ], [ 9, $good, from => PRIVATE ], [ 1, undef, from => '10.9.9.9' ] ],
      no => qr/^1 request from private addresses .*10\.9\.9\.9/ ],
    [ 'wrong CA in nginx', 'aop_ca next.pem;', [ [ 25 ] ],
      no => qr/untrusted 25/ ],
    [ 'plain failures of two kinds', '', [ [ 2, undef ], [ 3, $wrong ] ],
      no => qr/none 2, untrusted 3/ ],
    [ 'HTTP/2 opened before the toggle', '',
      [ [ 2, undef, keep => 'old' ], [ 25 ], [ 3, undef, keep => 'old' ] ],
      no => qr/^5 of 30 .*none 5; .* connection that was opened before/,
      [ [ 25 ] ], yes => qr/^50 .* settled/ ],
    [ 'mixed servers on one address', '',
      [ [ 25 ], [ 5, undef, sni => 'plain.test' ] ],
      no => qr/^5 of 30 .*misdirected 5; hosts: HOST/ ],
    [ 'a health check without Host', 'server_name HOST "";',
      [ [ 25 ], [ 5, undef, from => PRIVATE, raw => "GET / HTTP/1.0\r\n\r\n" ] ],
      no => qr/^5 requests from private .*none 5; addresses: 10\.1\.2\.3/ ],
    [ 'only a location asks',
      'aop off; location /app { aop optional; return 200; }',
      [ [ 25, $good, path => '/app' ], [ 9, undef, path => '/off' ] ],
      unknown => qr/^9 of 34 .*: 9 were for locations with "aop off"/ ],
    [ 'aopctl probe on the origin', "listen 127.0.0.1:$own ssl;",
      [ [ 25 ], [ 0, undef, probe => 1 ] ], yes => qr/^25 .* none failed/ ],
    [ 'an expired CA beside the good one', 'aop_ca old.pem;', [ [ 25 ] ],
      yes => qr/^25 / ],
    [ 'a load balancer that hides everything', '',
      [ [ 25, $good, from => BALANCE ] ],
      unknown => qr/^not enough .* 0 of 20 .*25 requests .* \(if a load balancer/ ],
    [ 'a relay in aop_edge, with strangers', '',
      [ [ 25, $good, from => LISTED, ray => 1 ], [ 9, undef, from => LISTED ] ],
      yes => qr/lost behind 172\.18\.0\.1 .* would reject 9 without/ ],
    [ 'a relay, 150 good and 10 bad', '',
      [ [ 150, $good, from => RELAY, ray => 1 ],
        [ 10, undef, from => RELAY, ray => 1 ] ],
      no => qr/^10 of 160 requests from Cloudflare failed/ ],
    [ 'a relay that was put right', '',
      [ [ 25, undef, from => RELAY, ray => 1 ] ],
      no => qr/CF-Ray, so this address may hide/,
      [ [ 35, $good, from => RELAY, ray => 1 ] ], yes => qr/^35 .* settled/ ],
    [ 'an administrator with a certificate', '',
      [ [ 25 ], [ 1, $good, from => PRIVATE, ray => 1 ],
        [ 5, undef, from => PRIVATE ] ],
      no => qr/^5 requests from private .*10\.1\.2\.3/ ],
    [ 'a server without ML-DSA, the toggle is off', $without,
      [ [ 25, undef, tls => '1.2' ] ], no => qr/^25 of 25 .*none 25/ ],
);

# what to do, if it is not what the verdict's own hint says

my %hint = (
    'a server without ML-DSA, the toggle is off' => qr/post-quantum/,
    'the toggle is off'       => qr/on for this zone.*"Simulate Zone"/,
    'a health check'          => qr/exempt it with "aop off"/,
    'Docker\'s proxy, the toggle is off' => qr/PROXY protocol/,
    'a relay, 150 good and 10 bad' => qr/on for this zone/,
    'mixed servers on one address' => qr/^SNI and Host select servers/,
    'one colo is late'        => qr/before keep their verdict/,
    'plain failures of two kinds' => qr/^Cloudflare's certificate is not issued by/,
);

my $log = $nginx->path('rollout.log');
my $servers = '';
my @name;

for my $i (0 .. $#rollout) {
    my $host = "r$i.test";
    my $what = $rollout[$i][1] =~ s/HOST/$host/gr;

    $what = "server_name $host; $what" unless $what =~ /server_name/;
    push @name, grep { !/"/ } split / /, ($what =~ /server_name ([^;]*)/)[0];
    $what = "aop_ca ca.pem; $what" unless $what =~ /aop_ca/;

    for ([ $port, 'optional', "access_log $log aop_json;" ],
         [ $twin, 'on', 'access_log off;' ]) {
        my ($on, $mode, $more) = @$_;
        my $listen = $nginx->listen_tls($on, 'proxy_protocol');
        my $here   = $what;

        if ($mode eq 'on') {
            $here =~ s/aop \$canary;/aop on;/;
            $here =~ s/(?<!\{ )aop off; location .*/aop on;/s;
            $here =~ s/listen \S+ ssl;//;
        }

        $here = "aop $mode; $here" unless $here =~ /(?<!\{ )aop (?:on|off|\$)/;
        $servers .= "server { $listen $here $more aop_ready requests=20;"
                    . " location / { return 200; } }\n";
    }
}

my $plain = join ' ', map { $nginx->listen_tls($_, 'proxy_protocol') }
            $port, $twin;

$plain =~ s/http2 on; (?=.*http2 on;)//;

$nginx->configure(<<"CONF");
aop_edge cloudflare 172.18.0.0/16;
keepalive_requests 1000;   # 100 before nginx 1.19.10
map \$uri \$canary { default optional; /off off; }
$servers
server { $plain server_name plain.test; location / { return 200; } }
server { listen 127.0.0.1:$admin; location / { aop_report; } }
CONF
$clock->start($nginx);

for my $step (0 .. 2) {
    for my $i (0 .. $#rollout) {
        my $what = $rollout[$i][2 + 3 * $step] or next;

        $twin{$i} = 0;
        ask($i, @$_) for grep { !{ @$_[2 .. $#$_] }->{every} } @$what;
    }

    # what comes all the time comes every five minutes

    for (1 .. 12) {
        $clock->pass(HOUR / 12);

        for my $i (0 .. $#rollout) {
            my $what = $rollout[$i][2 + 3 * $step] or next;
            ask($i, @$_) for grep { { @$_[2 .. $#$_] }->{every} } @$what;
        }
    }

    # the log ends when it is asked
    ask(0, 1, undef, from => DIRECT, end => 1);
    ok(until_counted(sub { counted() >= $asked }), "hour $step: counted");

    my $report = report($admin);
    my $told   = JSON::PP->new->utf8->decode(
        aopctl('report', '--json', '--requests', ENOUGH,
               (map { ('--name' => $_) } @name), $log)->{out});
    my %told = map { ($_->{name} => $_) } @{ $told->{servers} };

    for my $i (0 .. $#rollout) {
        check($i, $step, $report, \%told) if $rollout[$i][2 + 3 * $step];
    }
}

$nginx->write('error.log', '');
$nginx->finish;

done_testing();


# rounded($text): the page is fetched a moment before or after the JSON.
sub rounded { return $_[0] =~ s/\b(?:60 min|61 min)\b/1 h/gr }


# check($i, $step, $report, $told): the answer, everywhere.
sub check {
    my ($i, $step, $report, $told) = @_;

    my $host  = "r$i.test";
    my $name  = "$rollout[$i][0], hour $step";
    my $ready = $rollout[$i][3 + 3 * $step];
    my $why   = $rollout[$i][4 + 3 * $step] =~ s/HOST/\Q$host\E/gr;
    my ($is)  = grep { $_->{name} =~ /^\Q$host\E (?!.*:$twin$)/ }
                @{ $report->json->{servers} };

    is($is->{ready}, $ready, "$name: ready");
    like($is->{why}, qr/$why/, "$name: why");
    is($report->metric('nginx_aop_ready', server => $is->{name}),
       { yes => 1, no => 0 }->{$ready}, "$name: metric");

    my $page = $report->on_page($is->{name});

    is($page->{word}, "\u$ready", "$name: page");
    like(rounded($page->{text}), qr/\Q${\ rounded($is->{why}) }\E/,
         "$name: and why");

    if (my $hint = $hint{ $rollout[$i][0] }) {
        like($page->{hint}, $hint, "$name: advice")
            if $ready eq 'no';
        like($told->{$host}{hint}, $hint, "$name: advice of aopctl report")
            if $ready eq 'no';
    }

    # the dates of a CA or CRL are not in the log, its verdicts are
    {
        is($told->{$host}{ready}, $ready, "$name: aopctl report")
            or diag($told->{$host}{why});
        like($told->{$host}{why}, qr/$why/, "$name: and why");
    }

    ok(!($ready eq 'yes' && $twin{$i}), "$name: the twin agrees");
}

# ask($i, $n, $cert, %options): asks the server and its twin.
sub ask {
    my ($i, $n, $cert, %opt) = @_;

    $cert = $good if @_ == 2;

    my $host = ($opt{host} ? "$opt{host}." : '') . "r$i.test";

    return probe($host) if $opt{probe};

    my $from = $opt{from} || EDGE;
    my $path = $opt{path} || '/';
    my @ray  = $opt{ray} ? (headers => [ 'CF-Ray' => 'x' ]) : ();

    # what an exempt location or a variable lets pass is not counted
    $asked += $n unless $path =~ /off|health|well-known/;

    for my $to ($port, $twin) {
        my $client = $opt{keep} && $kept{"$to $host"};

        for (1 .. $n) {
            $client ||= client($to, sni => $opt{sni} || $host, host => $host,
                               cert => $cert, http => $opt{keep} ? '2' : '1.1',
                               tls => $opt{tls} || 1,
                               prelude => "PROXY TCP4 $from 127.0.0.1 1 2\r\n");
            $kept{"$to $host"} = $client if $opt{keep};

            my $answer = $opt{raw} ? $client->raw($opt{raw})
                                   : $client->get($path, @ray);
            my $status = $answer->status or BAIL_OUT("$host: no answer");

            # a refused connection is not kept
            $client = undef if $status != 200 || $opt{raw};
            delete $kept{"$to $host"} if $status != 200;

            # a stranger behind a relay does not matter, one outside neither
            $twin{$i}++ if $to == $twin && $status !~ /^(?:200|404)$/
                           && $from ne DIRECT
                           && !$opt{foreign}
                           && ($from !~ /^172/ || $opt{ray} || $opt{every});
        }
    }

    return;
}

# probe($host): as step 0 of the rollout has it, on the origin itself.
sub probe {
    my ($host) = @_;

    is(aopctl('probe', "127.0.0.1:$own", '--sni', $host, '--no-http')->{status},
       2, "$host: aopctl probe finds it open");

    return;
}

sub counted {
    my $sum = 0;

    for my $server (@{ report($admin)->json->{servers} }) {
        next if $server->{name} =~ /:$twin$/;
        $sum += $_->{count} for @{ $server->{requests} };
    }

    return $sum;
}
