#!/usr/bin/perl

# The page in a real browser: readable at a glance at three widths, by day and
# by night, without scripts, with nothing from outside, and always fresh.
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
    REFRESH  => 15,
    CONTRAST => 4.5,            # WCAG 2.1, AA
};

plan skip_all => 'no Chromium, package chromium' unless AOP::Browser::binary();

alarm 300;

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
    aop_ca ca.pem;
    server { $listen server_name yes.test; location / { return 200; } }
    server { $listen server_name no.test; location / { return 200; } }
    server { $listen server_name few.test; aop_ca soon.pem;
             location / { return 200; } }
    server { $listen server_name $long; location / { return 200; } }
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
ask($long, '104.16.0.8', 2, headers => [ 'User-Agent' => 'u' x 300 ]);

my $url     = "http://127.0.0.1:$admin/";
my $browser = AOP::Browser->new;
my $text;

for my $width (360, 768, 1280) {
    for my $dark (0, 1) {
        my $where = "$width, " . ($dark ? 'dark' : 'light');

        $browser->device(width => $width, dark => $dark)->open($url);

        cmp_ok($browser->value('document.documentElement.scrollWidth'), '<=',
               $browser->value('document.documentElement.clientWidth'),
               "$where: no horizontal scroll");
        is($browser->value('document.querySelectorAll("body *").length > 0 &&'
                . ' [...document.querySelectorAll("body *")].filter(e =>'
                . ' e.getBoundingClientRect().right > innerWidth).length'), 0,
           "$where: nothing is cut off");

        my $light = $browser->value(luminance('document.body'));

        ok($dark ? $light < 0.1 : $light > 0.9, "$where: the paper");

        for my $what ('.no b', '.unknown b', '.yes b', '.answer p', 'small',
                      '.hint', '.urgent', '.soon', 'td', 'header p', 'footer p',
                      '.none', 'footer a')
        {
            my $ratio = $browser->value(contrast($what));

            cmp_ok($ratio, '>=', CONTRAST, sprintf '%s: %s can be read, %.1f',
                   $where, $what, $ratio);
        }

        # at a glance: the first screen has the first answer, which is "No"

        my $first = $browser->value('document.querySelector(".answer")'
                                    . '.innerText');

        like($first, qr/\ANo\s+no\.test/, "$where: what is wrong comes first");
        cmp_ok($browser->value('document.querySelector(".answer")'
                               . '.getBoundingClientRect().bottom'), '<', 800,
               "$where: on the first screen");
        like($first, qr/\b17 of 147 requests .*: none 17;.*hosts: no\.test;/,
             "$where: with its reason");

        is(join(' ', $browser->value('[...document.querySelectorAll('
                . '".answer b")].map(e => e.innerText).join(" ")')),
           'No No Unknown Yes', "$where: in this order");

        $browser->screenshot("$ENV{AOP_SCREENSHOTS}/report-$width-"
                             . ($dark ? 'dark' : 'light') . '.png')
            if $ENV{AOP_SCREENSHOTS};
    }
}

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
   "No: 2 \xb7 Unknown: 1 \xb7 Yes: 1 \xb7 Authenticated Origin Pulls",
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
is($browser->value('[...document.querySelectorAll(".yes")].filter(e =>'
                   . ' e.innerText.includes("all 1150 requests")).length'), 1,
   'and has what is new');

is(scalar(grep { !m{"GET / HTTP} } split /\n/, $nginx->read('page.log')), 0,
   'all that it ever asked for is the page');

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

# the words of the page, but those that change with time
sub settled {
    my $words = $browser->value('document.body.innerText');

    $words =~ s/\d+ (?:s|min) ago/ago/g;
    $words =~ s/as of \S+/as of/;

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
