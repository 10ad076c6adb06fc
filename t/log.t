#!/usr/bin/perl

# The lines in error.log: seen at the level that Debian ships, one for a
# request, saying what is wrong and what to do, and nothing a stranger wrote
# into them can be mistaken for nginx's own words.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

use constant {
    DAY         => 86400,
    UTF8STRING  => 12,
    T61STRING   => 20,
    BMPSTRING   => 30,
    EDGE        => '173.245.48.9',
    DIRECT      => '203.0.113.9',
};

my $root   = ca([ O => 'Edge', CN => 'Root' ]);
my $inter  = $root->intermediate('Intermediate');
my $below  = $inter->intermediate('Below');
my $origin = ca([ C => 'US', O => 'CloudFlare, Inc.',
                  OU => 'CloudFlare Origin SSL ECC Certificate Authority',
                  L => 'San Francisco', ST => 'California' ]);
my $no_ca  = $root->leaf('no CA');
my $now    = time();

# verdict, reason, words of the hint for: a private peer, the edge, any other

my $stranger = qr/^not a Cloudflare address, no action needed unless it is your own$/;

my @case = (
    {
        verdict => 'none',
        reason  => qr/^no client certificate was sent$/,
        private => qr/^private address, .* health check .*"aop off" in/,
        edge    => qr/^Cloudflare\ sent\ no\ certificate:\ is\ Authenticated
                       \ Origin\ Pulls\ on\ for\ this\ zone\ or\ hostname,
                       \ SSL\/TLS\ mode\ Full\ or\ higher\?\ connections
                       \ opened\ before\ keep\ their\ verdict\ up\ to
                       \ keepalive_time;\ a\ Load\ Balancing\ monitor
                       \ needs\ "Simulate\ Zone"(?:;\ a\ post-quantum
                       \ certificate\ [^;]*)?$/x,
        direct  => $stranger,
    },
    {
        verdict => 'untrusted',
        reason  => qr/^unable to (?:get local|verify the first)/,
        cert    => ca('Foreign')->leaf('stranger'),
        private => qr/"aop off" if it is yours, never trust a CA for/,
        edge    => qr/"aop_ca"/,
        direct  => $stranger,
    },
    {
        verdict => 'origin_ca',
        reason  => qr/^unable to (?:get local|verify the first)/,
        cert    => $origin->leaf('origin.test'),
        map { $_ => qr/^a certificate of Cloudflare's Origin CA, not of / }
            qw(private edge direct),
    },
    {
        verdict => 'expired',
        reason  => qr/^certificate has expired$/,
        cert    => $root->leaf('edge', not_before => $now - 9 * DAY,
                                       not_after  => $now - DAY),
        private => qr/renew/,
        edge    => qr/upload a new client certificate to Cloudflare/,
        direct  => $stranger,
    },
    {
        verdict => 'not_yet_valid',
        reason  => qr/^certificate is not yet valid\b/,
        cert    => $root->leaf('edge', not_before => $now + DAY),
        map { $_ => qr/clock/ } qw(private edge direct),
    },
    {
        verdict => 'purpose',
        reason  => qr/^un(?:supported|suitable) certificate purpose$/,
        cert    => $root->leaf('edge', eku => 'serverAuth'),
        private => qr/clientAuth/,
        edge    => qr/clientAuth/,
        direct  => $stranger,
    },
    {
        verdict => 'depth',
        reason  => qr/^certificate chain too long$/,
        cert    => $below->leaf('edge'),
        chain   => [ $below, $inter ],
        map { $_ => qr/"aop_verify_depth"/ } qw(private edge direct),
    },
    {
        verdict => 'invalid',
        reason  => qr/^invalid CA certificate$/,
        cert    => $no_ca->leaf('edge'),
        chain   => [ $no_ca ],
        map { $_ => qr/see the reason/ } qw(private edge direct),
    },
);

# a stranger's words: a subject, and what has to become of it

my $long = 'long ' . 'x' x 500;

my @hostile = (
    [ 'a quote', UTF8STRING, 'a", host: "b', 'a\"\, host: \"b' ],
    [ 'a backslash', UTF8STRING, 'a\\', 'a\\\\' ],
    [ 'a comma', UTF8STRING, 'a,O=Cloudflare', 'a\,O=Cloudflare' ],
    [ 'a newline', UTF8STRING, "a\n2026/01/01 00:00:00 [alert]",
      'a\0A2026/01/01 00:00:00 [alert]' ],
    [ 'a carriage return', UTF8STRING, "a\rb", 'a\0Db' ],
    [ 'an escape byte', UTF8STRING, "\x1b[2Jb", '\1B[2Jb' ],
    [ 'a zero byte', UTF8STRING, "a\0b", 'a\00b' ],
    [ 'a delete byte', T61STRING, "a\x7fb", 'a\7Fb' ],
    [ 'UTF-8', UTF8STRING, "M\xc3\xbcller", 'M\C3\BCller' ],
    [ 'Latin-1', T61STRING, "M\xfcller", 'M\C3\BCller' ],
    [ 'UTF-16', BMPSTRING, "\0M\0\xfc", 'M\C3\BC' ],
    [ 'a percent sign', UTF8STRING, '%s%n%V', '%s%n%V' ],
    [ 'no characters', UTF8STRING, '', '' ],
    [ 'too much', UTF8STRING, $long, substr $long, 0, 197 ],
    [ 'too much to escape', UTF8STRING, 'xx' . "\n" x 300,
      'xx' . '\0A' x 65 ],
);

my $nginx = nginx();
my ($port, $proxied, $plain) = $nginx->ports(3);
my $listen = $nginx->listen_tls($port);

# in the same servers: "http2 on" of newer nginx stands in them once
(my $listen_proxied = $nginx->listen_tls($proxied, 'proxy_protocol'))
    =~ s/ http2 on;//;

my $dir = $nginx->dir;

$nginx->write('ca.pem', $root);

my @server = (
    (map { my $case = $_;
           map { server("$_.$case->{verdict}", "aop $_;") } qw(on optional)
         } @case),
    (map { server("hostile.$_", 'aop optional;') } 0 .. $#hostile),
    (map { server("issuer.$_", 'aop optional;') } 0 .. $#hostile),
    (map { server("level.$_", "aop optional; aop_log_level $_;"
                              . " error_log $dir/$_.log info;")
         } qw(info notice warn error)),
    server('default.level', "aop on; error_log $dir/default.log info;"),
    server('location.level', 'aop optional; aop_log_level error;',
           'location /quiet { aop_log_level info; return 200; }'),
    server('once', 'aop on; error_page 495 496 = @page;',
           'location @page { return 403; }'),
    server('onward', 'aop optional;',
           'location /first { rewrite ^ /second last; }'
           . ' location /second { aop on; return 200; }'),
    server('page', 'aop on; error_page 495 496 = /page;',
           'location = /page { rewrite ^ /else last; }'),
    server('nameless', 'aop optional;'),
    server('broken', 'aop optional;'),
    server('off', 'aop off;', 'location /other { aop on; return 200; }'),
);

sub server {
    my ($name, $rest, $location) = @_;
    $location = '' unless defined $location;
    return "server { $listen $listen_proxied server_name $name; $rest"
           . " $location location / { return 200; } }";
}

$nginx->configure(join "\n", 'aop_ca ca.pem;', @server)->start;

# ask($host, $path, %options): the lines that the request left
sub ask {
    my ($host, $path, %opt) = @_;
    my $mark = $nginx->mark;
    get($port, sni => $host, path => $path, %opt);
    return grep { /aop:/ } $nginx->log_since($mark);
}

# each verdict, each mode, each class of peer

for my $case (@case) {
    for my $mode (qw(on optional)) {
        my $host = "$mode.$case->{verdict}";
        my $done = $mode eq 'on' ? 'refused' : 'would be refused';

        for my $peer ([ private => '127.0.0.1' ], [ edge => EDGE ],
                      [ direct => DIRECT ])
        {
            my ($class, $address) = @$peer;
            my @how = $class eq 'private' ? () : (
                port    => $proxied,
                prelude => "PROXY TCP4 $address 127.0.0.1 1234 443\r\n");

            my @line = ask($host, '/x', cert => $case->{cert},
                           chain => $case->{chain}, @how);
            my $where = "$case->{verdict}, $mode, $class";

            is(scalar @line, 1, "$where: one line");

            my ($reason, $hint, $rest) = parts($line[0],
                "$done: $case->{verdict}", "$address ($class)");

            like($reason, $case->{reason}, "$where: reason");
            like($hint, $case->{$class}, "$where: hint");
            is($rest, names($case->{cert})
               . ", client: 127.0.0.1, server: $host,"
               . qq( request: "GET /x HTTP/1.1", host: "$host"),
               "$where: who");
        }
    }
}

# what is not logged

is(scalar ask('on.none', '/', cert => $root->leaf('good')), 0, 'ok: no line');
is(scalar ask('off', '/'), 0, 'off: no line');
is(scalar ask('location.level', '/quiet'), 0,
   'a location of a lower level: no line');

# one request, one line

for my $http ('1.1', '2') {
    for ([ 'once', '/', 'refused' ], [ 'onward', '/first', 'refused' ],
         [ 'page', '/', 'refused' ])
    {
        my ($host, $path, $done) = @$_;
        my $mark = $nginx->mark;

        # the second request's line comes after all those of the first
        get($port, sni => $host, path => "$path?mark=$http", http => $http);
        get($port, sni => 'location.level', path => "/fence$host$http");
        $nginx->wait_log(qr{"GET /fence$host$http }, $mark);

        my @line = grep { /aop:.*mark=$http/ } $nginx->log_since($mark);

        is(scalar @line, 1, "HTTP/$http, $host: one line");
        like("@line", qr/aop: client certificate $done: none: /,
             "HTTP/$http, $host: of the first refusal");
    }
}

# levels

for my $level (qw(info notice warn error default)) {
    my $host = $level eq 'default' ? 'default.level' : "level.$level";
    my $word = $level eq 'default' ? 'error' : $level;

    get($port, sni => $host);
    like($nginx->wait_file("$level.log", qr/aop:/), qr/ \[$word\] .* aop: /,
         "aop_log_level: $level");
}

# strangers' words

for my $i (0 .. $#hostile) {
    my ($name, $type, $bytes, $escaped) = @{ $hostile[$i] };

    my $mark = $nginx->mark;
    my $cert = self_signed([ CN => [ $type, $bytes ] ]);

    get($port, sni => "hostile.$i", cert => $cert);
    get($port, sni => "issuer.$i", cert =>
        ca([ CN => [ $type, $bytes ] ])->leaf('below'));

    my $subject = one_line($mark, "hostile.$i");
    my $issuer  = one_line($mark, "issuer.$i");

    for ([ 'subject', $subject ], [ 'issuer', $issuer ]) {
        my ($what, $line) = @$_;
        my $where = "$name in the $what";

        unlike($line, qr/[^\x20-\x7e]/, "$where: printable");
        cmp_ok(length $line, '<', 1500, "$where: bounded");

        my ($got) = $line =~ /\b$what: "CN=(.*?)", (?:issuer|serial): /;

        is($got, $escaped, "$where: escaped");
    }
}

like((ask('nameless', '/', cert => self_signed([])))[0],
     qr/, subject: "", issuer: "", serial: /, 'no name at all');

# OpenSSL cannot parse it, so there is no request; nginx goes on

is(get($port, sni => 'broken', cert => self_signed([ CN => [ UTF8STRING,
                                                             "\xff\xfe" ] ]))
   ->status, 0, 'UTF-8 that is none: the handshake fails');
is(get($port, sni => 'broken')->status, 200, 'and the next client is served');

is(scalar(grep { !m{^\d{4}/\d\d/\d\d } } $nginx->log_since(0)), 0,
   'each line of error.log is one of nginx');

$nginx->finish;

done_testing();


# what differs from line to line: the cause, the hint, what follows the peer
sub parts {
    my ($line, $fixed, $peer) = @_;
    my @part = defined $line && $line =~
        m{ \ \[error\]\ \d+\#\d+:\ \*\d+\ aop:\ client\ certificate\ \Q$fixed\E
           :\ (.*?);\ (.*),\ peer:\ \Q$peer\E(.*)$ }x;
    return map { defined $part[$_] ? $part[$_] : '' } 0 .. 2;
}

sub one_line {
    my ($mark, $host) = @_;
    my @line = grep { /host: "\Q$host\E"$/ } $nginx->log_since($mark);
    is(scalar @line, 1, "$host: one line");
    return "@line";
}

# what is said of a certificate at the end of a line
sub names {
    my ($cert) = @_;
    return '' unless $cert;
    my ($subject) = $cert->openssl('-subject', '-nameopt', 'RFC2253')
                    =~ /^subject=\s*(.*)$/m;
    my ($issuer)  = $cert->openssl('-issuer', '-nameopt', 'RFC2253')
                    =~ /^issuer=\s*(.*)$/m;
    my ($serial)  = $cert->openssl('-serial') =~ /^serial=(\w+)$/m;
    return qq(, subject: "$subject", issuer: "$issuer", serial: $serial);
}
