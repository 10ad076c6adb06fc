#!/usr/bin/perl

# "aop_report": how it answers, and that what strangers send is harmless in each
# of its formats.  That its numbers are right is in counters.t, that its answer
# to "safe to enforce?" is in ready.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp;
use Net::SSLeay;
use Test::More;
use Time::HiRes ();
use AOP::Test;
use AOP::Test::Clock;
use AOP::Test::Report;

use constant {
    DAY     => 86400,
    RULES   => "$FindBin::Bin/../contrib/prometheus",
    BAD     => "\x{fffd}",
    EDGE    => 'Failures from Cloudflare and private addresses',
};

# half a day more, so that the whole days do not change under the test
my $ca   = ca('Edge CA', not_after => time() + 300.5 * DAY);
my $good = $ca->leaf('edge', not_after => time() + 10.5 * DAY);

my $nginx = nginx();
my ($tls, $plain, $admin) = $nginx->ports(3);
my $listen = $nginx->listen_tls($tls, 'proxy_protocol')
             . " listen 127.0.0.1:$plain proxy_protocol;";
my $label  = "a.test 127.0.0.1:$tls";
my %type   = (json       => 'application/json',
              prometheus => 'text/plain; version=0.0.4',
              html       => 'text/html; charset=utf-8');

$nginx->write('ca.pem', $ca);
$nginx->write('ca.crl', $ca->crl(next_update => time() + 20.5 * DAY));
$nginx->write('endless.crl', $ca->crl(next_update => undef));

my $http = <<"CONF";
    aop_ca ca.pem;
    aop_crl ca.crl;
    large_client_header_buffers 4 32k;
    server {
        $listen
        server_name a.test *.a.test "";
        aop optional;
        location / { return 200; }
        location /on { aop on; return 200; }
        location /report { aop on; aop_report; }
    }
    server {
        listen 127.0.0.1:$admin;
        location / { aop_report; }
        location /json { aop_report json; }
        location /prometheus { aop_report prometheus; }
        location /html { aop_report html; }
        location /denied { deny all; aop_report; }
        location /outer { aop_report; location /outer/inner { return 204; } }
    }
CONF

$nginx->configure($http)->start;

# how it answers

for my $format (qw(json prometheus html)) {
    for ([ "/$format", 'by the directive' ], [ "/?format=$format", 'by name' ],
         [ "/denied/../html?x=1&format=$format&y", 'among others' ])
    {
        my ($path, $how) = @$_;
        my $answer = ask($path);

        is($answer->status, 200, "$format $how: 200");
        is($answer->header('Content-Type'), $type{$format},
           "$format $how: type");
        is($answer->header('Content-Length'), length $answer->body,
           "$format $how: length");
        is($answer->header('Cache-Control'), 'no-store',
           "$format $how: not kept");
        is($answer->header('X-Content-Type-Options'), 'nosniff',
           "$format $how: type is what it says");
        like($answer->header('Content-Security-Policy'),
             qr/^default-src 'none'; /, "$format $how: policy");
        is($answer->header('Last-Modified') . $answer->header('ETag'), '',
           "$format $how: nothing to compare with");
    }

    for my $version ('1.0', '1.1') {
        my $head = ask("/$format", method => 'HEAD', http => $version);

        is($head->status, 200, "$format: HEAD, HTTP/$version");
        is($head->body, '', "$format: HEAD has no body");
        is($head->header('Content-Type'), $type{$format},
           "$format: HEAD has the type");
        cmp_ok($head->header('Content-Length'), '>', 100,
               "$format: HEAD has the length");
    }
}

is(ask('/')->header('Content-Type'), $type{json}, 'JSON is the default');
is(ask("/html?format=$_")->status, 400, "format=$_: 400")
    for '', qw(xml JSON jso jsonn json%00 ../json), 'json%20', "\xff";
is(ask($_)->status, 200, "$_: no format is asked for")
    for '/?', '/?formats=xml', '/?x=format';
is(ask('/', method => $_, body => 'x')->status, 405, "$_: 405")
    for qw(POST PUT DELETE OPTIONS PATCH);
is(ask('/', method => 'GET', body => 'x' x 1000)->status, 200,
   'GET with a body');
is(ask('/denied')->status, 403, 'deny');

for ([ 403, 'cross-site', 'no-cors' ], [ 403, 'cross-site', 'cors' ],
     [ 403, 'cross-site', undef ], [ 200, 'cross-site', 'navigate' ],
     [ 200, 'same-origin', 'cors' ], [ 200, 'none', 'navigate' ])
{
    my ($status, $site, $mode) = @$_;
    my $from = join ', ', $site, grep { defined } $mode;

    is(ask('/', headers => [ 'Sec-Fetch-Site' => $site,
                             $mode ? ('Sec-Fetch-Mode' => $mode) : () ])
       ->status, $status, "Sec-Fetch: $from: $status");
}
is(ask('/outer')->status, 200, 'a location with one inside');
is(ask('/outer/inner')->status, 204, 'is not inherited');

is(get($tls, sni => 'a.test', path => '/report', prelude => proxy())->status,
   400, 'in a location that enforces: refused');
is(get($tls, sni => 'a.test', path => '/report', prelude => proxy(),
       cert => $good)->status, 200, 'or told');

my $h2 = get($tls, sni => 'a.test', path => '/report?format=html',
             prelude => proxy(), cert => $good, http => '2');
like($h2->body, qr{</html>\n\z}, 'over HTTP/2');

# what it says

my $report = report($admin);

my ($version) = do {
    local (@ARGV, $/) = AOP::Test::checkout() . '/src/core/ngx_aop_version.h';
    <> =~ /_VERSION\s+"(.*)"/;
};

is($report->json->{module}, $version, 'version of the module');
is($report->json->{nginx}, nginx_version(), 'version of nginx');
like($report->json->{openssl}, qr/^OpenSSL \d/, 'version of OpenSSL');
like($report->json->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'time');

my $server = $report->server($label);

is($server->{mode}, 'optional', 'mode');
is($report->metric('nginx_aop_mode_info', server => $label,
                   mode => 'optional'), 1, 'mode in Prometheus');
is(join(' ', map { "$_->{kind} $_->{days_left}" } @{ $server->{certificates} }),
   'client 10 crl 20 anchor 300', 'certificates, the next to end first')
    or diag(join ' ', map { %$_ } @{ $server->{certificates} });

my ($client) = grep { $_->{kind} eq 'client' } @{ $server->{certificates} };

is($client->{subject}, 'CN=edge', 'client: subject');
is($client->{anchor}, 'CN=Edge CA', 'client: anchor');
is($client->{fingerprint}, fingerprint($good), 'client: fingerprint');
is($client->{key}, 'EC-P-256', 'client: key');
like($client->{key_agreement},
     $report->json->{openssl} =~ /\b1\.1\.1/
     ? qr/^$/ : qr/^(?:x25519|secp256r1|X25519MLKEM768)$/,
     'client: key agreement');

for my $kind (qw(client crl anchor)) {
    my ($in_json) = grep { $_->{kind} eq $kind } @{ $server->{certificates} };
    my ($in_html) = grep { $_->{Kind} eq $kind }
                    @{ $report->table('Certificates') };

    my $metric = $report->metric(
        'nginx_aop_certificate_expiry_timestamp_seconds', kind => $kind,
        server => $label, subject => $in_json->{subject},
        fingerprint => $in_json->{fingerprint});

    is(iso($metric), $in_json->{not_after}, "$kind: end in Prometheus");
    is($in_html->{Expires}, $in_json->{not_after}, "$kind: end on the page");
    is($in_html->{'Days left'}, $in_json->{days_left},
       "$kind: days left on the page");
}

ok($report->text('html') =~ m{<p><span\ class="urgent">client\ CN=edge:
                               \ 10\ days\ left</span></p>}x,
   'what ends soon is told beside the server');
is($report->on_page($label)->{group}, 'attention', 'and needs attention');
ok($report->text('html') =~ /class="c-days_left number urgent"/,
   'and stands out');

# of certificates of one name the one that passed last is told

my @twin = map { $ca->leaf('twin', not_after => time() + ($_ + .5) * DAY) }
           60, 40, 50;

for (@twin) {
    next_second();
    get($tls, sni => 'a.test', prelude => proxy(), cert => $_);
}

until_counted(sub {
    3 == grep { $_->{subject} eq 'CN=twin' }
         @{ report($admin)->server($label)->{certificates} };
});
is(days_of($label, 'CN=twin'), 50, 'of those of one name the last one');

# a cache of verified chains

get($tls, sni => 'a.test', prelude => proxy(), cert => $good) for 1 .. 3;
$report = report($admin);

my %cache = map { ($_->{result} => $_->{count}) }
            @{ $report->json->{verify_cache} };

is(join(' ', sort keys %cache), 'hit miss', 'cache: both results');
is($report->metric('nginx_aop_verify_cache_total', result => $_), $cache{$_},
   "cache: $_ in Prometheus") for qw(hit miss);
is_deeply({ map { ($_->{Result} => $_->{Count}) }
            @{ $report->table('Verification cache') } }, \%cache,
          'cache: on the page');

# what strangers send

my @hostile = (
    [ 'markup', '<script>alert(1)</script>' ],
    [ 'an attribute', '"><img src=x onerror=alert(1)>' ],
    [ 'a comment', '<!-- -->]]>' ],
    [ 'an entity', '&lt;b&gt;&#60;' ],
    [ 'quotes', q{'"`'"} ],
    [ 'backslashes', '\\"\\n\\\\' ],
    [ 'Prometheus', '"} 1 nginx_aop_ready{server="x"} 1' ],
    [ 'UTF-8', "M\xc3\xbcller", "M\xfcller" ],
    [ 'bytes', "\xff\xc0\xaf\xed\xa0\x80", BAD x 6 ],
    [ 'direction', "\xe2\x80\xae", "\x{202e}" ],
    [ 'a tab', "a\tb" ],
    [ 'a template', '{{7*7}}${7*7}%s%n' ],
);

for my $i (0 .. $#hostile) {
    my ($name, $bytes, $text) = @{ $hostile[$i] };
    $text = $bytes unless defined $text;

    # no more addresses than a list has places
    my $addr = "173.245.48." . ($i % 6 + 1);
    my $path = $bytes =~ /[\t\s%]/ ? 'x' : $bytes;
    my $uri  = $bytes =~ /[\t\s%]/ ? 'x' : $text;

    client($plain, tls => 0, prelude => proxy($addr))->talk(
        "GET /$path?secret HTTP/1.1\r\nHost: a.test\r\nUser-Agent: $bytes\r\n"
        . "Connection: close\r\n\r\n");

    # and as a name, where nginx takes it for one
    my $host = $bytes =~ m{[/\s%:]} ? 'a.test' : $bytes;

    client($plain, tls => 0, prelude => proxy("173.245.49." . ($i % 6 + 1)))->talk(
        "GET / HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n");

    my $found = until_counted(sub {
        $report = report($admin);
        my $top = top($report, $addr);
        $top && $top->{user_agent} eq $text && ($host eq 'a.test'
            || top($report, "173.245.49." . ($i % 6 + 1)));
    });

    my $top  = top($report, $addr);
    my ($row) = grep { $_->{Address} eq $addr }
                @{ $report->table(EDGE) };

    is($top->{user_agent}, $text, "$name: user agent in JSON");
    is($top->{uri}, "/$uri", "$name: URI in JSON");

    # control bytes have no place in HTML; the page has its first rows only
    my $shown = $text =~ s/\t/@{[ BAD ]}/gr;

    if ($row) {
        is(decoded($row->{'Last user agent'}), $shown,
           "$name: user agent on the page");
        is(decoded($row->{'Last URI'}), "/$uri", "$name: URI on the page");
    }

    ok($report->metrics, "$name: Prometheus is well-formed");
    is(join(' ', grep { /^<(?:script|img|a)\b(?!\ href="(?:\?format=[\w%.&;=-]+
                                                         |\#[\w-]+)">)
                         |\ on\w+=/x }
            elements($report->text('html'))), '',
       "$name: no markup on the page");
}

unlike($report->text($_), qr/secret/, "$_: no query") for sort keys %type;

# long ones are cut, at a character

client($plain, tls => 0, prelude => proxy('173.245.50.1'))->talk(
    'GET /' . "\xe2\x82\xac" x 2000 . " HTTP/1.1\r\nHost: " . 'h' x 300
    . ".a.test\r\nUser-Agent: " . "\xf0\x9f\x8e\x89" x 2000
    . "\r\nConnection: close\r\n\r\n");
until_counted(sub { top($report = report($admin), '173.245.50.1') });

my $top = top($report, '173.245.50.1');

like($top->{uri}, qr{^/\x{20ac}{20,26}$}, 'a long URI is cut');
like($top->{user_agent}, qr/^\x{1f389}{12,15}$/, 'a long user agent is cut');
cmp_ok(length $top->{host}, '<', 100, 'a long host is cut');

# thousands of strangers do not push out what comes from the edge

my @before = map { $_->{address} } @{ $report->json->{failing_edge} };
my $many   = 300;

for my $i (1 .. $many) {
    my $addr = '203.0.' . ($i >> 8) . '.' . ($i & 255);
    client($plain, tls => 0, prelude => proxy($addr))->talk(
        "GET / HTTP/1.0\r\nHost: a.test\r\n\r\n");
}

# one that is frequent comes first
for (1 .. 30) {
    client($plain, tls => 0, prelude => proxy('198.51.100.1'))->talk(
        "GET /wp-login.php HTTP/1.0\r\nHost: a.test\r\n"
        . "User-Agent: scanner\r\n\r\n");
}

until_counted(sub {
    my $sum = 0;
    my @list = @{ ($report = report($admin))->json->{failing_direct} };
    $sum += $_->{count} for @list;
    return $sum + $list[0]{error} == $many + 30;
});

my @direct = @{ $report->json->{failing_direct} };

is(scalar @direct, 8, 'the list of strangers is bounded');
is("$direct[0]{address} $direct[0]{uri} $direct[0]{user_agent}",
   '198.51.100.1 /wp-login.php scanner', 'the frequent one is first');
cmp_ok($direct[0]{count}, '<=', 30, 'counted at most as it was');
cmp_ok($direct[0]{count}, '>', 15, 'and most of it');
cmp_ok($direct[0]{count} + $direct[0]{error}, '>=', 30, 'no bound is false');
is_deeply([ map { $_->{address} } @{ $report->json->{failing_edge} } ],
          \@before, 'the list of the edge is as before');

is(scalar @{ $report->table('Failures from other addresses') }, 8,
   'the page has them');

# of many peers the first, and a link to all of them

my ($count) = $report->text('html')
              =~ m{10 of (\d+), <a href="\?format=html&amp;show=all">all</a>};

cmp_ok(scalar @before, '>', 10, 'more peers than are shown');
is($count, scalar @before, 'the page says how many');
is(scalar @{ $report->table(EDGE) }, 10, 'the first ten');

my $whole = report($admin, query => 'show=all');

is_deeply([ sort map { $_->{Address} }
            @{ $whole->table(EDGE) } ],
          [ sort @before ], 'the link shows all');
unlike($whole->text('html'), qr/show=all">all</, 'and has no such link');

# HTML that needs nothing from elsewhere

my $html = $report->text('html');

is(join(' ', grep { /^<(?:script|link|img|iframe|object)\b|\b(?:src|on\w+)=
                     |javascript:|https?:|\/\//xi } elements($html)), '',
   'the page has no script and no resources');
ok($html !~ /url\(|\@import/, 'nor have its styles');

for ([ '/html', 30 ], [ '/html?refresh=off', '' ], [ '/html?refresh=on', 30 ],
     [ '/json', '' ], [ '/prometheus', '' ])
{
    is(ask($_->[0])->header('Refresh') || '', $_->[1], "$_->[0]: refreshes "
       . ($_->[1] ? 'itself' : 'not'));
}

like($html, qr/every 30 s, <a href="\?format=html&amp;refresh=off">/,
     'the page can be paused');
like(ask('/html?refresh=off')->body,
     qr/not refreshed, <a href="\?format=html">/, 'and go on');
unlike($html, qr/http-equiv/, 'a page that was saved stays as it is');
like($html, qr/<meta name="viewport"/, 'the page is for phones');
like($html, qr/prefers-color-scheme:dark/, 'the page is for the night');

my @order = map { index $html, $_ } 'class="s ', 'Failures from Cloud',
            'Failures from other', '<h2>Certificates', '<h2>Requests';
is("@order", "@{[ sort { $a <=> $b } @order ]}",
   'readiness, then failures, then certificates');
unlike("@order", qr/-1/, 'all of them');

# Prometheus' own tools

SKIP: {
    my $promtool = promtool() or skip 'no promtool, package prometheus', 1;

    my ($code, $said) = run($report->text('prometheus'), $promtool, 'check',
                            'metrics');
    is("$code $said", '0 ', 'promtool check metrics');
}

SKIP: {
    my $promtool = promtool() or skip 'no promtool, package prometheus', 3;

    for ([ 'check', 'rules', RULES . '/aop.rules.yml' ],
         [ 'test', 'rules', RULES . '/aop.rules.test.yml' ],
         [ 'test', 'rules', RULES . '/aop.rules.days.test.yml' ])
    {
        my ($code, $said) = run('', $promtool, @$_);
        is($code, 0, "promtool @$_[0, 1]") or diag($said);
    }
}

# one server of several

my $others = <<"CONF";
    server { $listen server_name b.test b2.test; aop on; }
    server { $listen server_name ~^c+[0-9]\\.test\$; aop optional; }
    server { $listen server_name off.test; aop off; }
CONF

ok($nginx->reload($http . $others), 'several servers');
client($plain, tls => 0, prelude => proxy())->talk(
    "GET / HTTP/1.0\r\nHost: b.test\r\n\r\n");
until_counted(sub {
    grep { $_->{server} =~ /^b/ } @{ report($admin)->json->{failing_edge} };
});

for my $name ('b.test', "b.test%20127.0.0.1:$tls", "b%2Etest") {
    $report = report($admin, query => "server=$name");

    is("@{[ map { $_->{name} } @{ $report->json->{servers} } ]}",
       "b.test 127.0.0.1:$tls", "server=$name: in JSON");
    is("@{[ map { $_->{server} } @{ $report->json->{failing_edge} } ]}",
       "b.test 127.0.0.1:$tls", 'its failing peers');
    is(scalar @{ $report->json->{unprotected} }, 0, 'none that is off');
    is("@{[ map { $_->{name} } @{ servers_of($report->text('html')) } ]}",
       "b.test 127.0.0.1:$tls", 'on the page');
    is(join(' ', grep { !/server="b\.test 127\.0\.0\.1:$tls"/ && !/_cache_/ }
            keys %{ $report->metrics }), '', 'in Prometheus');
}

$report = report($admin, query => 'server=off.test');
is("@{[ map { \"$_->{group} $_->{name}\" }
        @{ servers_of($report->text('html')) } ]}",
   "off off.test 127.0.0.1:$tls", 'one that is off');
is(scalar @{ $report->json->{servers} }, 0, 'alone');

# the links of the page lead there

$html = report($admin)->text('html');

for my $href ($html =~ m{<a href="([^"]*)">this server alone</a>}g) {
    my $path = '/' . $href =~ s/&amp;/&/gr;

    is(scalar @{ servers_of(ask($path)->body) }, 1, "$path: one");
}

is(() = $html =~ />this server alone</g, 4, 'a link for each');

is(ask("/?format=$_&server=x.test")->status, 404, "$_: no such server")
    for sort keys %type;
is(ask("/?server=$_")->status, 404, "server=$_: 404")
    for '', 'b', 'b.tes', 'b.test%20', 'b.test%00', 'b.test%20127.0.0.1:1',
        '%zz', '127.0.0.1', 'b2.test';
is(ask('/?server=b.test&format=xml')->status, 400, 'and no such format');

# a verdict is a link to what it means, with lines that nginx accepts

my %place = map { ($_ => 1) } $html =~ /id="([\w-]+)"/g;
my @link  = $html =~ /href="#([\w-]+)"/g;

cmp_ok(scalar(grep { /^verdict-/ } @link), '>', 5, 'verdicts are links');
is(join(' ', grep { !$place{$_} } @link), '', 'each leads to a place');
unlike($html, qr/>more</, 'no link to documents that are nowhere');

for my $lines ($html =~ m{<pre>([^<]*)</pre>}g) {
    my $text = $lines =~ s/^\s*(?:server_name )?\.\.\.;?\n?//gmr
                      =~ s{/etc/nginx/aop-ca\.pem}{ca.pem}r
                      =~ s/OLD/'0' x 64/er =~ s/NEW/'1' x 64/er
                      =~ s/listen 80/listen 127.0.0.1:$plain/r;

    $text = "server { listen 127.0.0.1:$plain; $text }"
        if $text !~ /^server/;

    my ($code, $output) = $nginx->configure("aop optional; $text")
                                ->test_config;
    is($code, 0, "nginx accepts: $lines") or diag($output);
}

# a CRL without an end

ok($nginx->reload($http =~ s/ca\.crl/endless.crl/r), 'a CRL without an end');
$report = report($admin);

my ($crl) = grep { $_->{kind} eq 'crl' }
            @{ $report->server($label)->{certificates} };

is($crl->{not_after}, undef, 'no end in JSON');
is($crl->{days_left}, undef, 'no days left in JSON');
is(scalar(grep { /crl/ } keys %{ $report->metrics }), 0,
   'no end in Prometheus');
my ($row) = grep { $_->{Kind} eq 'crl' } @{ $report->table('Certificates') };
is($row->{Expires} . $row->{'Days left'}, '', 'no end on the page');

# a rotation: while it lasts, after it, and back again

my ($old_ca, $new_ca) = map { ca("$_ CA", not_after => time() + 900 * DAY) }
                        qw(Old New);
my @rotated = ($old_ca->leaf('rotated', not_after => time() + 4.5 * DAY),
               $new_ca->leaf('rotated', not_after => time() + 90.5 * DAY));
my $rotated = "b.test 127.0.0.1:$tls";

$nginx->write('old.pem', $old_ca);
$nginx->write('new.pem', $new_ca);

sub rotate {
    my $listen_b = $nginx->listen_tls($tls);

    return $nginx->reload(<<"CONF");
    server { $listen_b server_name b.test; aop on; aop_ca @_;
             location / { return 200; } }
    server { listen 127.0.0.1:$admin; location / { aop_report; } }
CONF
}

ok(rotate('old.pem', 'new.pem'), 'old and new');

for (@rotated) {
    next_second();
    get($tls, sni => 'b.test', cert => $_);
}

until_counted(sub { 2 == clients_of($rotated) });

my @seen = clients_of($rotated);
my @shown = grep { $_->{Kind} eq 'client' }
            @{ report($admin)->table('Certificates') };

is("@{[ map { $_->{days_left} } @seen ]}", '4 90', 'while it lasts: both');
ok($seen[0]{last} lt $seen[1]{last}, 'each with the time it last passed')
    or diag("$seen[0]{last}, $seen[1]{last}");
is("@{[ map { $_->{'Last passed'} } @shown ]}",
   "@{[ map { $_->{last} } @seen ]}", 'so on the page');
is_deeply({ map { ($_->{subject} => $_->{last}) }
            grep { $_->{kind} eq 'anchor' }
            @{ report($admin)->server($rotated)->{certificates} } },
          { map { ($_->{anchor} => $_->{last}) } @seen },
          'each anchor with the time of what passed by it');

for (@seen) {
    like(report($admin)->on_page($rotated)->{text},
         qr/anchor \Q$_->{anchor}\E: last passed \d+ \w+ ago, client CN=rot/,
         "$_->{anchor}: on the page");
}

is(days_of($rotated, 'CN=rotated'), 90, 'the new one in Prometheus');
ok(report($admin)->text('html') !~ /class="urgent">client/,
   'the end of the old one is not urgent');

next_second();
get($tls, sni => 'b.test', cert => $rotated[0]);
until_counted(sub { days_of($rotated, 'CN=rotated') == 4 });
ok(report($admin)->text('html')
   =~ /class="urgent">client CN=rotated: 4 days left/,
   'but is while the old one is shown');

for ([ 'new.pem', 90 ], [ 'old.pem', 4 ]) {
    my ($file, $left) = @$_;

    ok(rotate($file), "$file alone");
    is("@{[ map { $_->{days_left} } clients_of($rotated) ]}", $left,
       "$file: only its certificate");
    is(days_of($rotated, 'CN=rotated'), $left, "$file: so in Prometheus");
}

# no server that uses the module

ok($nginx->reload("server { listen 127.0.0.1:$admin;"
                  . ' location / { aop_report; } }'), 'no server uses it');
$report = report($admin);

is_deeply($report->json->{servers}, [], 'none in JSON');
is(join(' ', grep { !/^nginx_aop_verify_cache/ } keys %{ $report->metrics }),
   '', 'none in Prometheus');
like($report->text('html'), qr/<p>No server uses "aop"\.<\/p>/,
     'none on the page');

if (my $promtool = promtool()) {
    my ($code, $said) = run($report->text('prometheus'), $promtool, 'check',
                            'metrics');
    is("$code $said", '0 ', 'promtool check metrics, of none');
}

my $fresh = nginx();
my $alone = $fresh->ports;

$fresh->configure("server { listen 127.0.0.1:$alone; location / {"
                  . ' aop_report; } }')->start;
is_deeply(report($alone)->metrics, {}, 'none since the start: Prometheus');
is_deeply(report($alone)->json->{verify_cache}, [],
          'none since the start: JSON');
ok(report($alone)->table('Verification cache'), 'none since the start: page');
$fresh->finish;

# a hundred servers

my $names = join "\n", map {
    "server { $listen server_name s$_.test; aop optional; }" } 1 .. 100;
ok($nginx->reload("aop_zone 4m; $names server { listen 127.0.0.1:$admin;"
                  . ' location / { aop_report; } }'), 'a hundred servers');
$report = report($admin);
is(scalar @{ $report->json->{servers} }, 100, 'a hundred in JSON');
is(scalar(grep { /^nginx_aop_certificate/ } keys %{ $report->metrics }), 100,
   'a hundred in Prometheus');
is(() = $report->text('html') =~ /class="s /g, 100,
   'a hundred on the page');

# what is wrong

for ([ 'location / { aop_report xml; }',
       qr/invalid\ format\ "xml"\ in\ "aop_report",\ it\ must\ be\ "json",
          \ "prometheus"\ or\ "html"/x ],
     [ 'location / { aop_report JSON; }', qr/invalid format "JSON"/ ],
     [ 'location / { aop_report ""; }', qr/invalid format ""/ ],
     [ 'location / { aop_report json html; }',
       qr/invalid number of arguments in "aop_report"/ ],
     [ 'location / { aop_report; aop_report; }',
       qr/"aop_report" directive is duplicate/ ],
     [ 'location / { aop_report json; aop_report html; }',
       qr/"aop_report" directive is duplicate/ ],
     [ 'aop_report;', qr/"aop_report" directive is not allowed here/ ],
     [ 'location / { if ($arg_x) { aop_report; } }',
       qr/"aop_report" directive is not allowed here/ ])
{
    my ($text, $error) = @$_;

    my ($code, $output) = $nginx->configure("server { listen 127.0.0.1:$admin;"
                                            . " $text }")->test_config;
    isnt($code, 0, "$text refused");
    like($output, qr/\[emerg\].*$error/, "$text said");
}

$nginx->finish;

done_testing();


sub ask {
    my ($path, %opt) = @_;
    return get($admin, tls => 0, path => $path, %opt);
}

sub proxy {
    return 'PROXY TCP4 ' . ($_[0] || '10.0.0.1') . " 127.0.0.1 1234 443\r\n";
}

# the place of an address in the list of the edge
sub top {
    my ($of, $addr) = @_;
    return (grep { $_->{address} eq $addr } @{ $of->json->{failing_edge} })[0];
}

# so that what follows is later by the clock of nginx
sub next_second {
    my $now = time();
    Time::HiRes::sleep(.05) while time() == $now;
    return;
}

sub clients_of {
    return grep { $_->{kind} eq 'client' }
           @{ report($admin)->server($_[0])->{certificates} };
}

# days left in Prometheus of the client certificates of a name
sub days_of {
    my ($of, $subject) = @_;

    my $metrics = report($admin)->metrics;

    return join ' ', sort map { int(($metrics->{$_} - time()) / DAY) }
           grep { /^nginx_aop_certificate_expiry/ && /kind="client"/
                  && /server="\Q$of\E"/ && /subject="\Q$subject\E"/ }
           keys %$metrics;
}

sub elements { return $_[0] =~ /(<[^>]*>)/g }

sub decoded {
    my ($text) = @_;
    utf8::decode($text);
    return $text;
}

sub nginx_version {
    my $number = AOP::Test::Nginx::version();
    return join '.', int($number / 1e6), int($number / 1e3) % 1e3,
           $number % 1e3;
}

sub iso {
    my @t = gmtime $_[0];
    return sprintf '%d-%02d-%02dT%02d:%02d:%02dZ', $t[5] + 1900, $t[4] + 1,
           @t[3, 2, 1, 0];
}

sub fingerprint {
    my ($cert) = @_;
    return lc($cert->openssl('-fingerprint', '-sha256') =~ s/.*=//sr
              =~ s/[:\s]//gr);
}

sub promtool {
    return (grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH})[0];
}

# run($input, @command): exit code and all output
sub run {
    my ($input, @command) = @_;

    my $file = File::Temp->new;
    print {$file} $input;
    close $file;

    my $pid = open my $pipe, '-|';
    die "fork() failed: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', $file->filename;
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }

    local $/;
    my $output = <$pipe>;
    close $pipe;

    return ($? >> 8, defined $output ? $output : '');
}
