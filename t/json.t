#!/usr/bin/perl

# The log format "aop_json": each line is one JSON object in UTF-8, with the
# keys that dashboards rely on, whatever a peer sends; and never a query.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode ();
use JSON::PP ();
use POSIX ();
use Test::More;
use AOP::Test;

use constant {
    UTF8STRING  => 12,
    T61STRING   => 20,
    REPLACEMENT => "\x{fffd}",
};

my @KEYS = qw(time server mode status verdict reason peer peer_addr client_ip
              host sni method uri http_status tls resumed anchor subject issuer
              serial fingerprint not_after ray ua origin mode_from key);

# bytes of a value in a line, at most
my %MAX = (uri => 1024, ua => 512, host => 255, sni => 255, subject => 512,
           issuer => 512, serial => 64, method => 32, ray => 64);

# who is refused early may notice it while writing
$SIG{PIPE} = 'IGNORE';

my $ca    = ca('Edge CA');
my $good  = $ca->leaf('edge');
my $json  = JSON::PP->new->utf8;

my $nginx = nginx();
my ($tls, $plain, $proxied) = $nginx->ports(3);
my $listen = $nginx->listen_tls($tls) . " listen 127.0.0.1:$plain;"
             . " listen 127.0.0.1:$proxied proxy_protocol;";

$nginx->write('ca.pem', $ca);

my $http = <<"CONF";
    aop_ca ca.pem;
    large_client_header_buffers 4 32k;
    underscores_in_headers on;
    server {
        $listen
        server_name a.test "";
        aop optional;
        access_log json.log aop_json;
        location / { return 200; }
        location /off { aop off; return 200; }
        location /on { aop on; return 200; }
        location /by { aop \$arg_mode; return 200; }
        location /failed { access_log failed.log aop_json if=\$aop_failed;
                           return 200; }
        location /twice { access_log one.log aop_json;
                          access_log two.log aop_json; return 200; }
    }
CONF

$nginx->configure($http)->start;

my $read = 0;

# lines(): what has been logged since the last time, read strictly
sub lines {
    my ($file) = @_;

    my $text = $nginx->read($file || 'json.log');
    my @line;

    for (split /\n/, $file ? $text : substr $text, $read) {
        push @line, eval {
            Encode::decode('UTF-8', my $copy = $_, Encode::FB_CROAK);
            $json->decode($_);
        } || { error => $@, line => $_ };
    }

    $read = length $text unless $file;

    return @line;
}

# logged($name, $request): the one line that it leaves
sub logged {
    my ($name, $request) = @_;

    lines();
    $request->();
    $nginx->wait_file('json.log', qr/^\{/, $read);

    my @line = lines();

    is(scalar @line, 1, "$name: one line");
    bounded($name);
    is($line[0]{error}, undef, "$name: valid") or diag($line[0]{line});

    return $line[0];
}

# bounded($name): no value and no line of those there are is longer than it may
# be, and no control character is in it as it was.
sub bounded {
    my ($name) = @_;

    my ($raw) = $nginx->read('json.log') =~ /([^\n]*)\n\z/;
    my @long  = grep { $raw =~ /"$_":"((?:[^"\\]|\\.)*)"/
                       && length $1 > $MAX{$_} } sort keys %MAX;

    is("@long", '', "$name: each value is cut");
    cmp_ok(length $raw, '<', 8000, "$name: the line is bounded");
    unlike($raw, qr/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]/,
           "$name: no control character");
    return;
}

# cut($text, $field): what of a text is in the line
sub cut {
    my ($text, $field) = @_;

    my ($kept, $size) = ('', 0);

    for my $ch (split //, $text) {
        $size += $ch =~ /["\\]/                  ? 2
               : $ch =~ /[\x00-\x1f\x7f-\x9f]/ ? 6
               : length Encode::encode('UTF-8', $ch);
        last if $size > $MAX{$field};
        $kept .= $ch;
    }

    return $kept;
}

# what an ordinary request leaves

my $line = logged('an ordinary one', sub {
    get($tls, sni => 'a.test', cert => $good, path => '/x/y?secret=1',
        headers => [ 'CF-Ray' => '8f00-FRA', 'User-Agent' => 'curl/8',
                     'CF-Connecting-IP' => '192.0.2.7' ]);
});

my $raw = (split /\n/, $nginx->read('json.log'))[-1];

is(join(' ', $raw =~ /"(\w+)":"/g), "@KEYS", 'all keys, in their order');

my $fingerprint = lc($good->openssl('-fingerprint', '-sha256')
                     =~ s/.*=//sr =~ s/[:\s]//gr);
my %expected = (
    server => 'a.test', mode => 'optional', status => 'PASSED',
    verdict => 'ok', peer => 'private', peer_addr => '127.0.0.1',
    client_ip => '192.0.2.7', host => 'a.test', sni => 'a.test',
    method => 'GET', uri => '/x/y', http_status => '200', tls => 'TLSv1.3',
    resumed => '.', anchor => 'CN=Edge CA', subject => 'CN=edge',
    issuer => 'CN=Edge CA', serial => $good->serial,
    fingerprint => $fingerprint, ray => '8f00-FRA', ua => 'curl/8',
    origin => (POSIX::uname())[1], mode_from => 'server', key => 'EC-P-256',
);

is($line->{$_}, $expected{$_}, "ordinary: $_") for sort keys %expected;
like($line->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/,
     'ordinary: time');
like($line->{not_after}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
     'ordinary: not_after');
is($line->{reason}, '', 'ordinary: no reason');

# others

$line = logged('none', sub { get($tls, sni => 'a.test', path => '/on') });
is("@$line{qw(mode status verdict http_status subject serial not_after)}",
   'on REJECTED none 400   ', 'none');
like($line->{reason}, qr/^no client certificate was sent$/, 'none: reason');

$line = logged('off', sub { get($tls, sni => 'a.test', path => '/off') });
is("@$line{qw(mode status verdict http_status)}", 'off  none 200', 'off');

$line = logged('plain', sub { get($plain, tls => 0) });
is("@$line{qw(mode status verdict tls resumed sni host)}",
   'optional REJECTED_DRY_RUN plaintext    localhost', 'plain');

$line = logged('PROXY protocol', sub {
    get($proxied, tls => 0, prelude => "PROXY TCP6 2400:cb00::1 ::1 1 2\r\n");
});
is("@$line{qw(peer peer_addr client_ip)}",
   'edge 2400:cb00::1 2400:cb00::1', 'PROXY protocol');

for my $http ('1.0', '2') {
    $line = logged("HTTP/$http", sub {
        get($tls, sni => 'a.test', cert => $good, http => $http,
            path => '/p?q', method => 'POST', body => 'x');
    });
    is("@$line{qw(method uri verdict)}", 'POST /p ok', "HTTP/$http");
}

# what gave the mode

$line = logged('by the server', sub { get($tls, sni => 'a.test') });
is($line->{mode_from}, 'server', 'mode_from: server');

for my $path ('/on', '/off') {
    for my $cert (undef, $good) {
        $line = logged("by a location: $path", sub {
            get($tls, sni => 'a.test', path => $path, cert => $cert) });
        is($line->{mode_from}, 'location', "mode_from: location, $path");
    }
}

$line = logged('by a variable', sub {
    get($tls, sni => 'a.test', path => '/by?mode=on') });
is($line->{mode_from}, 'variable', 'mode_from: variable');

$line = logged('not a request', sub {
    client($plain, tls => 0)->talk("GET / HTTP/1.1\r\n\r\n") });
is("$line->{mode_from} $line->{mode}", ' ', 'mode_from: no mode was applied');

# the host, as it was sent

for ([ 'HTTP/1.1', 'A.Test:443', "GET / HTTP/1.1\r\nHost: A.Test:443\r\n" ],
     [ 'no Host', '', "GET / HTTP/1.0\r\n" ],
     [ 'an empty Host', '', "GET / HTTP/1.1\r\nHost:\r\n" ],
     [ 'a final dot', 'a.test.', "GET / HTTP/1.1\r\nHost: a.test.\r\n" ],
     [ 'a request line', 'B.test',
       "GET http://B.test/ HTTP/1.0\r\n" ],
     [ 'a request line and Host', 'C.test',
       "GET http://B.test/ HTTP/1.1\r\nHost: C.test\r\n" ])
{
    my ($name, $host, $head) = @$_;

    $line = logged($name, sub {
        client($plain, tls => 0)->talk("${head}Connection: close\r\n\r\n") });
    is($line->{host}, $host, "host: $name");
}

$line = logged('HTTP/2', sub {
    get($tls, sni => 'a.test', http => '2', host => 'A.Test:8443') });
is($line->{host}, 'A.Test:8443', 'host: :authority');

# bytes of all kinds, in all places where a peer has its say

my @bytes = (
    [ 'a quote', 'a"b', 'a"b' ],
    [ 'a backslash', 'a\\b', 'a\\b' ],
    [ 'a backslash at the end', 'a\\', 'a\\' ],
    [ 'an end of the object', '"}', '"}' ],
    [ 'braces', '{"a",[]}', '{"a",[]}' ],
    [ 'UTF-8', "M\xc3\xbc\xe2\x82\xac\xf0\x9f\x8e\x89",
      "M\xfc\x{20ac}\x{1f389}" ],
    [ 'Latin-1', "M\xfcller", 'M' . REPLACEMENT . 'ller' ],
    [ 'overlong', "\xc0\xaf", REPLACEMENT x 2 ],
    [ 'a surrogate', "\xed\xa0\x80", REPLACEMENT x 3 ],
    [ 'ff', "\xff\xfe", REPLACEMENT x 2 ],
    [ 'cut short', "a\xe2\x82", 'a' . REPLACEMENT x 2 ],
    [ 'high controls', "\xc2\x85\xc2\x9b\xe2\x80\xa8", "\x85\x9b\x{2028}" ],
    [ 'a tab', "a\tb", "a\tb" ],
    [ 'a variable', '$aop_verdict', '$aop_verdict' ],
    [ 'a percent sign', '%s%n%00', '%s%n%00' ],
    [ 'long', "\xff" x 3000, REPLACEMENT x 3000 ],
);

for (@bytes) {
    my ($name, $bytes, $text) = @$_;

    # nginx refuses these in a request line
    my $path = $bytes =~ /[\t%]/ ? '' : $bytes;

    $line = logged("$name in path and headers", sub {
        client($plain, tls => 0)->talk(
            "GET /$path HTTP/1.1\r\nHost: a.test\r\nUser-Agent: $bytes\r\n"
            . "CF-Ray: $bytes\r\nConnection: close\r\n\r\n");
    });

    is($line->{ua}, cut($text, 'ua'), "$name: ua");
    is($line->{ray}, cut($text, 'ray'), "$name: ray");
    is($line->{uri}, cut("/$text", 'uri'), "$name: uri") if $path ne '';
    is($line->{http_status}, 200, "$name: status");

    $line = logged("$name in Host", sub {
        client($plain, tls => 0)->talk(
            "GET / HTTP/1.1\r\nHost: $bytes\r\nConnection: close\r\n\r\n");
    });
    is($line->{host}, cut($text, 'host'), "$name: host");

    $line = logged("$name as host of the request line", sub {
        client($plain, tls => 0)->talk(
            "GET http://$bytes/x HTTP/1.1\r\nHost: a\r\n"
            . "Connection: close\r\n\r\n");
    });

    next if length $bytes > 200;

    $line = logged("$name in SNI", sub {
        client($tls, sni => $bytes, host => 'a.test')->talk(
            "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    });
    is($line->{sni}, $text, "$name: sni") if $line->{http_status} == 200;

    # what the subject of a certificate holds; printed as RFC 2253

    my $cert = self_signed([ CN => [ T61STRING, $bytes ] ]);

    $line = logged("$name in a subject", sub {
        get($tls, sni => 'a.test', cert => $cert);
    });
    like($line->{subject}, qr/^CN=[\x20-\x7e]*$/, "$name: subject");
    is($line->{verdict}, 'untrusted', "$name: verdict");
}

# as much as can be sent, everywhere at once: the longest line that there is

for my $ch ('x', '"', "\xff", "\xc2\x9b", '\\', "\t", "\xf0\x9f\x8e\x89") {
    my $long = $ch x (7000 / length $ch);
    my $path = $ch eq "\t" ? 'x' x 7000 : $long;
    my $cert = self_signed([ map { +(O => [ T61STRING, substr($ch, 0, 1)
                                                       x 40000 ]) } 1 ],
                           serial => '7F' . 'AB' x 900);

    $line = logged(sprintf('7,000 of %vd', $ch), sub {
        client($tls, sni => 'a' x 250, host => 'a.test', cert => $cert)->talk(
            'GET' . 'T' x 3000 . " /$path HTTP/1.1\r\nUser-Agent: $long\r\n"
            . "CF-Ray: $long\r\nHost: a.test\r\n"
            . "Connection: close\r\n\r\n");
    });

    is($line->{method}, substr('GET' . 'T' x 3000, 0, 32), 'method: cut');
    like($line->{subject}, qr/^O=.{100}/, 'subject: its beginning');
    like($line->{serial}, qr/^7F(?:AB){31}$/, 'serial: its beginning');
    is($line->{ua}, cut(Encode::decode('UTF-8', $long), 'ua'), 'ua: cut');

    next if $ch ne 'x';

    # nginx before 1.19.7 takes fields of up to 4 KB there

    $long = $ch x 4000;

    $line = logged('HTTP/2', sub {
        get($tls, sni => 'a.test', http => '2', cert => $cert,
            path => "/$long", headers => [ 'User-Agent' => $long ]);
    });
    is($line->{ua}, 'x' x 512, 'HTTP/2: ua: cut');
}

# escapes of a name are whole

for my $before (0 .. 3) {
    $line = logged("a name cut, $before", sub {
        get($tls, sni => 'a.test', cert =>
            self_signed([ CN => [ UTF8STRING, 'x' x $before . "\n" x 300 ] ]));
    });
    like($line->{subject}, qr/^CN=x{$before}(?:\\0A)+$/,
         "a name cut, $before: whole escapes");
    cmp_ok(length $line->{subject}, '>', 370, "a name cut, $before: no sooner");
}

# every byte that there is

my $all = join '', map { chr } grep { $_ != 10 && $_ != 13 && $_ } 1 .. 255;

$line = logged('all bytes', sub {
    client($plain, tls => 0)->talk("GET / HTTP/1.1\r\nHost: a.test\r\n"
                                   . "User-Agent: $all\r\n"
                                   . "Connection: close\r\n\r\n");
});

# random ones

srand 5;

for my $i (1 .. 40) {
    my $bytes = join '', map { chr } grep { $_ != 10 && $_ != 13 && $_ }
                map { int rand 256 } 1 .. 60;

    logged("random $i", sub {
        client($plain, tls => 0)->talk(
            "GET /x HTTP/1.1\r\nHost: a.test\r\nUser-Agent: $bytes\r\n"
            . "CF-Ray: $bytes\r\nConnection: close\r\n\r\n");
    });
}

# what is no request

for ([ 'HTTP/0.9', "GET /nine?q\r\n", '/nine' ],
     [ 'HTTP/0.9 with a bad path', "GET /\xff\"\\\r\n" ],
     [ 'no HTTP', "\x16\x03\x01\x02\x00\x01\r\n\r\n" ],
     [ 'no method', " / HTTP/1.1\r\n\r\n" ],
     [ 'a method in lower case', "get / HTTP/1.1\r\n\r\n" ],
     [ 'a method with a quote', "G\"T / HTTP/1.1\r\n\r\n" ],
     [ 'a control in the path', "GET /\x01 HTTP/1.1\r\n\r\n" ],
     [ 'no version', "GET / HTTP/\r\n\r\n" ],
     [ 'another version', "GET / HTTP/9.9\r\n\r\n" ],
     [ 'a path of the parent', "GET /../../\xff HTTP/1.1\r\nHost: a\r\n\r\n" ],
     [ 'no Host', "GET / HTTP/1.1\r\n\r\n" ],
     [ 'two Hosts', "GET / HTTP/1.1\r\nHost: a\r\nHost: b\xff\r\n\r\n" ],
     [ 'a bad header', "GET / HTTP/1.1\r\nHost: a\r\n\xff\"\r\n\r\n" ],
     [ 'a zero byte', "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: a\0b\r\n\r\n" ],
     [ 'a long line', 'GET /' . "\xff" x 40000 . " HTTP/1.1\r\n\r\n" ],
     [ 'a long header', "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: "
                        . "\"\xff" x 20000 . "\r\n\r\n" ],
     [ 'a connection that ends early', "GET /\xff HTTP/1.1\r\nHo" ])
{
    my ($name, $bytes, $uri) = @$_;

    lines();
    my $client = client($plain, tls => 0);
    $client->connect && $client->_write($bytes);
    $client->closed(0.2) unless $name =~ /early/;
    $client->close;
    $nginx->wait_file('json.log', qr/^\{/, $read);

    my @line = lines();

    cmp_ok(scalar @line, '>=', 1, "$name: a line");
    is(join('', map { $_->{error} ? $_->{line} : '' } @line), '',
       "$name: valid");
    is($line[0]{uri}, $uri, "$name: uri") if $uri;
}

# TLS that is spoken to plain, plain to TLS

$line = logged('plain to TLS', sub {
    client($tls, tls => 0)->talk("GET /\xff HTTP/1.1\r\nHost: a.test\r\n\r\n");
});
is($line->{http_status}, 400, 'plain to TLS');

# never a query

unlike($nginx->read('json.log'), qr/secret/, 'no query is logged');

# where it may be used

get($tls, sni => 'a.test', path => '/failed');
get($tls, sni => 'a.test', path => '/failed', cert => $good);
get($tls, sni => 'a.test', path => '/twice');
is(join(' ', map { $_->{verdict} } lines('failed.log')), 'none',
   'if=$aop_failed');
is(scalar lines($_), 1, "in $_") for qw(one.log two.log);

# an own format of that name

for ([ "log_format aop_json '\$uri';\n$http", 'before' ],
     [ "$http\nlog_format aop_json escape=none '\$uri';", 'after' ])
{
    my ($conf, $name) = @$_;
    my ($code, $output) = $nginx->configure($conf)->test_config;

    isnt($code, 0, "an own format $name it: refused");
    like($output, qr/\[emerg\] .*duplicate "log_format" name "aop_json" in /,
         "an own format $name it: said");
}

is(($nginx->configure("log_format aop_json_mine '\$uri';\n$http")
          ->test_config)[0], 0, 'an own format of another name');

# no server that uses the module

my $bare = nginx();
my $port = $bare->ports;

$bare->configure("server { listen 127.0.0.1:$port; access_log json.log"
                 . ' aop_json; location / { return 200; } }')->start;
get($port, tls => 0, headers => [ 'User-Agent' => "\xff" ]);
my $text = $bare->wait_file('json.log', qr/^\{/);
is(eval { $json->decode($text)->{ua} }, REPLACEMENT,
   'where no server asks for a certificate');

$bare->finish;
$nginx->finish;

done_testing();
