#!/usr/bin/perl

# The page in a real browser: readable at a glance at three widths, by day and
# by night, without scripts, with nothing from outside, always fresh, and with no
# critical or serious finding of axe-core, which npm installs below build/.
#
# AOP_SCREENSHOTS=folder keeps what it looks like.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);
use AOP::Browser;
use AOP::Test;
use AOP::Test::Report;

use constant {
    DAY      => 86400,
    REFRESH  => 30,
    CONTRAST => 4.5,            # WCAG 2.1, AA
};

# 390 wide is a phone, of which two screens are to show 60 servers
my %HEIGHT = (390 => 844, 768 => 1024, 1280 => 800);
my $AXE    = '4.14.1';

plan skip_all => 'no Chromium, package chromium' unless AOP::Browser::binary();

alarm 900;

my $ca    = ca('Edge CA');
my $soon  = ca([ O => 'Example Ltd', CN => 'Origin pull CA' ],
               not_after => time() + 9.5 * DAY);
my $long  = join '.', ('a-rather-long-label') x 6, 'example.com';
my $nginx = nginx(workers => 2);
my ($tls, $plain, $admin) = $nginx->ports(3);
my $listen = $nginx->listen_tls($tls, 'proxy_protocol')
             . " listen 127.0.0.1:$plain proxy_protocol;";

$nginx->write('ca.pem', $ca);
$nginx->write('soon.pem', $soon);
$nginx->configure(<<"CONF")->start;
    server_names_hash_bucket_size 256;
    aop optional;
    aop_ready time=1s;
    aop_ca ca.pem;
    server { $listen server_name yes.test; location / { return 200; } }
    server { $listen server_name no.test; location / { return 200; } }
    server { $listen server_name few.test; aop_ca soon.pem;
             location / { return 200; } }
    server { $listen server_name $long; location / { return 200; } }
    server { $listen server_name on.test; aop on; location / { return 200; } }
    server { $listen server_name calm.test; aop on;
             location / { return 200; } }
    server { $listen server_name off.test; aop off;
             location / { return 200; } }
    server { listen 127.0.0.1:$admin; aop off;
             access_log page.log;
             location / { aop_report html; } }
CONF

# data of all kinds, the hostile among them

my $good    = $ca->leaf('edge.example.com');
my $hostile = '"><script>alert(1)</script><img src=x onerror=alert(2)>';

ask('yes.test', '104.16.0.5', 150, cert => $good);
ask('yes.test', "203.0.113.$_", 1) for 1 .. 40;
ask('no.test', '104.16.0.6', 130, cert => $good);
ask('no.test', '2606:4700:abcd:ef01:2345:6789:abcd:ef01', 17, headers =>
    [ 'User-Agent' => $hostile ]);
ask('no.test', '10.0.0.9', 3, path => '/' . 'path' x 60);
ask('few.test', '104.16.0.7', 5,
    cert => $soon->leaf('x' x 60, not_after => time() + 20.5 * DAY));
ask('calm.test', '104.16.0.9', 5, cert => $good);
client($plain, tls => 0, prelude => "PROXY TCP4 104.16.0.1 127.0.0.1 1 2\r\n")
    ->talk("GET / HTTP/1.0\r\nHost: on.test\r\n\r\n");
ask($long, '104.16.0.8', 2, headers => [ 'User-Agent' => 'u' x 300 ]);

my $url     = "http://127.0.0.1:$admin/";
my $browser = AOP::Browser->new;
my $axe     = axe();
my $text;

for my $width (sort { $a <=> $b } keys %HEIGHT) {
    for my $dark (0, 1) {
        my $where = "$width, " . ($dark ? 'dark' : 'light');

        $browser->device(width => $width, height => $HEIGHT{$width},
                         dark => $dark)->open("$url?refresh=off");

        fits($where);

        my $light = $browser->value(luminance('document.body'));

        ok($dark ? $light < 0.1 : $light > 0.9, "$where: the paper");

        for my $what ('.no b', '.unknown b', '.yes b', '.enforced b', '.off b',
                      '.s p', 'small', '.hint', '.urgent', '.soon', 'td', 'dd',
                      'pre', 'header p', 'footer p', 'footer a')
        {
            my $ratio = $browser->value(contrast($what));

            cmp_ok($ratio, '>=', CONTRAST, sprintf '%s: %s can be read, %.1f',
                   $where, $what, $ratio);
        }

        # at a glance: the first screen has the first answer, which is "Failing"

        my $first = $browser->value('document.querySelector(".s").innerText');

        like($first, qr/\AFailing\s+on\.test/, "$where: what is wrong first");
        cmp_ok($browser->value('document.querySelector(".s")'
                               . '.getBoundingClientRect().bottom'), '<',
               $HEIGHT{$width}, "$where: on the first screen");
        like($browser->value('[...document.querySelectorAll(".s")][1]'
                             . '.innerText'),
             qr/\b17 of 147 requests .*: none 17;.*hosts: no\.test;/,
             "$where: the next with its reason");

        is($browser->value('[...document.querySelectorAll(".s > summary > b")]'
                           . '.map(e => e.innerText).join(" ")'),
           'Failing No No Unknown Yes Enforced Off', "$where: in this order");

        accessible($where);
        screenshot("report-$width-" . ($dark ? 'dark' : 'light'));
    }
}

SKIP: {
    skip 'no axe-core, which npm installs', 1 unless $axe;

    $browser->value('document.body.append(document.createElement("img")), 1');
    like(findings(), qr/image-alt/, 'axe-core finds what is wrong');
}

# a verdict leads to what it means, a name to its server

$browser->device(width => 1280)->open($url);
is($browser->value('(document.querySelector("td.c-verdict a").click(),'
                   . ' location.hash)'), '#verdict-none',
   'a verdict is a link');
is($browser->value('document.querySelector(":target dt").innerText'), 'none',
   'to what it means');
is($browser->value('getComputedStyle(document.querySelector("path.f")).stroke'
                   . ' !== "none"'), 1, 'bars of failures are drawn');

$browser->open($browser->value('document.querySelector("td.c-server a").href'));
is($browser->value('document.querySelectorAll(".s").length'), 1,
   'the name is a link to its server');
ok($browser->value('[...document.querySelectorAll("details")]'
                   . '.every(e => e.open)'), 'where all is open');

$browser->open($url);

# nothing from outside, nothing that was blocked

is(join(' ', map { $_->{request}{url} }
        $browser->events('Network.requestWillBeSent')), $url,
   'the page is one answer');
is(join("\n", map { $_->{entry}{text} } $browser->events('Log.entryAdded')),
   '', 'the browser has no complaint');
is(scalar($browser->events('Page.javascriptDialogOpening')), 0,
   'no stranger\'s script has run');
is($browser->value('document.querySelectorAll("script, img, link, iframe")'
                   . '.length'), 0, 'and there is none');
is($browser->value('[...document.querySelectorAll("td.c-user_agent")]'
                   . '.filter(e => e.innerText.includes("<script>")).length'),
   1, 'its words are shown as words');
is($browser->value('document.title'),
   "Failing: 1 \xb7 No: 2 \xb7 Unknown: 1 \xb7 Yes: 1 \xb7 Enforced: 1 \xb7 "
   . 'Authenticated Origin Pulls',
   'the title tells');

$text = settled();

# without scripts: the same

$browser->device(width => 1280, scripts => 0)->open($url);
is(settled(), $text, 'without scripts: the same');

# it refreshes itself, and has what is new

my $end = time() + 2 * REFRESH;

ask('yes.test', '104.16.0.5', 1000, cert => $good);
@{ $browser->{events} } = ();
ok($browser->event('Page.loadEventFired', 2 * REFRESH), 'refreshes itself');
cmp_ok(time(), '<', $end, 'in time');
is($browser->value('[...document.querySelectorAll(".yes .w, .s .w")].filter('
                   . 'e => e.innerText.includes("1,150")).length > 0'), 1,
   'and has what is new');

# but for a link that stops it

$browser->open($browser->value('[...document.querySelectorAll("header a")]'
                               . '.find(e => e.innerText === "pause").href'));
@{ $browser->{events} } = ();
ok(!$browser->event('Page.loadEventFired', REFRESH + 5), 'paused: it stays');

is(scalar(grep { !m{"GET /(?:\?[^ ]*)? HTTP} }
          split /\n/, $nginx->read('page.log')), 0,
   'all that it ever asked for is the page');

# sixty servers: two screens, on a desk and on a phone

my @name = map { $_ % 7 ? "www$_.example.com"
                        : "a-rather-long-department-name.site-$_.example.com" }
           1 .. 60;

# nginx waits for the connections that a browser keeps

$browser->stop;
$nginx->finish;

$browser = AOP::Browser->new;
$nginx   = nginx(workers => 2);
($tls, $plain, $admin) = $nginx->ports(3);
$listen  = $nginx->listen_tls($tls, 'proxy_protocol');
$url     = "http://127.0.0.1:$admin/";

$nginx->write('ca.pem', $ca);
$nginx->configure('server_names_hash_bucket_size 256; aop_ca ca.pem;'
    . join('', map { "server { $listen server_name $_; aop "
                     . (/site|5/ ? 'on' : 'optional') . '; location / {'
                     . ' return 200; } }' } @name)
    . "server { listen 127.0.0.1:$admin; location / { aop_report html; } }")
      ->start;

ask($_, '104.16.0.5', 3, cert => $good) for @name;
ask($name[30], '104.16.0.6', 4);

for my $width (sort { $a <=> $b } keys %HEIGHT) {
    $browser->device(width => $width, height => $HEIGHT{$width})
            ->open("$url?refresh=off");

    fits("60 servers, $width");
    is($browser->value('document.querySelector(".s b").innerText'), 'No',
       "60 servers, $width: the wrong one is first");

    my $bottom = $browser->value('[...document.querySelectorAll(".s")].pop()'
                                 . '.getBoundingClientRect().bottom');

    cmp_ok($bottom, '<=', 2 * $HEIGHT{$width},
           "60 servers, $width: in two screens");
    is($browser->value('[...document.querySelectorAll(".s > summary")].filter('
                       . 'e => e.getBoundingClientRect().height > 45).length'),
       0, "60 servers, $width: a line is a line");
    accessible("60 servers, $width") if $width == 390;
    screenshot("report60-$width");
}

$browser->stop;
$nginx->finish;

done_testing();


sub ask {
    my ($host, $from, $n, %opt) = @_;

    my $cert   = delete $opt{cert};
    my $path   = delete $opt{path} || '/';
    my $family = $from =~ /:/ ? "TCP6 $from ::1" : "TCP4 $from 127.0.0.1";
    my $client = client($tls, sni => $host, cert => $cert,
                        prelude => "PROXY $family 1 2\r\n");

    $client->get($path, %opt)->status == 200 or die "$host: not served\n"
        for 1 .. $n;
    $client->close;
}

# nothing is wider than the window, nor cut off without a mark that it is
sub fits {
    my ($where) = @_;

    cmp_ok($browser->value('document.documentElement.scrollWidth'), '<=',
           $browser->value('document.documentElement.clientWidth'),
           "$where: no horizontal scroll");
    is($browser->value('document.querySelectorAll("body *").length > 0 &&'
            . ' [...document.querySelectorAll("body *")].filter(e =>'
            . ' !e.closest("thead") && !(e.closest(".s > summary > span"))'
            . ' && e.getBoundingClientRect().right > innerWidth).length'), 0,
       "$where: nothing is cut off");

    # a name breaks at its dots: no word of it is in two lines
    is($browser->value(<<'EOF'), '', "$where: no name is broken in a word");
        (() => {
            const broken = [], range = document.createRange();
            for (const cell of document.querySelectorAll("td.c-server")) {
                const walk = document.createTreeWalker(cell,
                                                       NodeFilter.SHOW_TEXT);
                while (walk.nextNode()) {
                    for (const word of
                         walk.currentNode.data.matchAll(/[a-z0-9]+/g))
                    {
                        range.setStart(walk.currentNode, word.index);
                        range.setEnd(walk.currentNode,
                                     word.index + word[0].length);
                        if (range.getClientRects().length > 1)
                            broken.push(word[0]);
                    }
                }
            }
            return broken.join(" ");
        })()
EOF
}

# no critical or serious finding, and the headings of a table are read out
sub accessible {
    my ($where) = @_;

    # what is closed has to be looked at as well
    $browser->value('document.querySelectorAll("details").forEach(e =>'
                    . ' e.open = true)');

    SKIP: {
        skip "$where: no axe-core, which npm installs", 1 unless $axe;

        $browser->value($axe . '; 1');

        is(findings(), '[]', "$where: axe-core finds nothing");
    }

    my $tree  = $browser->send('Accessibility.getFullAXTree');
    my %count;

    $count{ $_->{role}{value} || '' }++
        for grep { !$_->{ignored} } @{ $tree->{nodes} };

    my $tables = $browser->value('document.querySelectorAll("table").length');
    my $heads  = $browser->value('document.querySelectorAll("th").length');

    is($count{table}, $tables, "$where: tables are tables");
    is($count{columnheader}, $heads, "$where: with their headings");
}

# what axe-core, which is loaded, finds
sub findings {
    return $browser->value('axe.run(document).then(r => JSON.stringify('
        . 'r.violations.filter(v => /critical|serious/.test(v.impact))'
        . '.map(v => v.id + ": " + v.nodes[0].html.slice(0, 200))))');
}

# axe-core's text; undef without npm or a registry
sub axe {
    my $folder = AOP::Test::checkout() . '/build/npm';
    my $file   = "$folder/node_modules/axe-core/axe.min.js";

    if (!-e $file) {
        mkdir $folder;
        system("timeout 120 npm install --no-save --no-audit --no-fund --prefix"
               . " '$folder' axe-core\@$AXE >/dev/null 2>&1");
    }

    open my $fh, '<:encoding(UTF-8)', $file or return;
    local $/;

    return scalar <$fh>;
}

sub screenshot {
    my ($name) = @_;

    $browser->screenshot("$ENV{AOP_SCREENSHOTS}/$name.png")
        if $ENV{AOP_SCREENSHOTS};
}

# the words of the page, but those that change with time
sub settled {
    my $words = $browser->value('document.body.innerText');

    $words =~ s/\d+ (?:s|min) ago/ago/g;
    $words =~ s/\d\d:\d\d:\d\d UTC/UTC/;

    return $words;
}

# of a colour, as WCAG has it
sub luminance {
    my ($element, $property) = @_;

    $property ||= 'backgroundColor';

    return "(c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map("
           . 'v => (v /= 255) <= 0.03928 ? v / 12.92'
           . ' : ((v + 0.055) / 1.055) ** 2.4);'
           . ' return 0.2126 * r + 0.7152 * g + 0.0722 * b; })'
           . "(getComputedStyle($element).$property)";
}

# of text and what is behind it
sub contrast {
    my ($selector) = @_;

    my $ink   = luminance('e', 'color');
    my $paper = luminance('p');

    return "(() => { const e = document.querySelector('$selector');"
           . ' if (e === null) return 0; let p = e;'
           . ' while (/, 0\)$/.test(getComputedStyle(p).backgroundColor))'
           . ' p = p.parentElement;'
           . " const a = $ink, b = $paper;"
           . ' return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); })()';
}
