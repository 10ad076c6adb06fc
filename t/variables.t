#!/usr/bin/perl

# Each variable of the module, with the value that openssl, or plain reckoning,
# says it must have.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX qw(floor);
use Test::More;
use Time::Local qw(timegm);
use AOP::Test;

use constant DAY => 86400;

my @VARIABLES = map { s/^aop_//r } qw(aop_mode aop_verdict aop_status
    aop_failed aop_reason aop_anchor aop_peer aop_peer_addr aop_client_ip
    aop_client_subject
    aop_client_issuer aop_client_serial aop_client_fingerprint aop_client_spki
    aop_client_key
    aop_client_not_after aop_client_days_left aop_resumed);

my $nginx = nginx();
my ($port, $plain, $realip, $proxied) = $nginx->ports(4);
my $listen = $nginx->listen_tls($port);
my $listen_realip = $nginx->listen_tls($realip);
my $listen_proxied = $nginx->listen_tls($proxied, 'proxy_protocol');

my $ca = ca([ C => 'DE', O => 'Acme, Inc.', CN => 'Edge CA' ]);
my $inter = $ca->intermediate('Intermediate');
my $foreign = ca([ O => 'Foreign', CN => 'CA' ]);

$nginx->write('ca.pem', $ca);
$nginx->write('inter.pem', $inter);

my $headers = join "\n", map {
    my $name = join '-', map { ucfirst } split /_/;
    "add_header X-$name \$aop_$_ always;";
} @VARIABLES;

my $log = join ' ', map { "$_=\$aop_$_;" } @VARIABLES;

$nginx->configure(<<"EOF")->start;
    aop optional;
    aop_ca ca.pem;
    $headers
    log_format all "\$host \$uri $log";
    access_log all.log all;

    map \$aop_verdict \$mode_of_verdict {
        none        off;
        default     on;
    }

    map \$aop_client_subject \$mode_of_subject {
        CN=known    optional;
        default     on;
    }

    server {
        $listen
        server_name a.test;
        location / { return 200; }
        location /off { aop off; return 200; }
        location /on { aop on; return 200; }
    }

    server { $listen server_name off.test; aop off; return 200; }
    server { $listen server_name inter.test; aop_ca inter.pem; return 200; }
    server { $listen server_name builtin.test; aop_ca cloudflare; return 200; }
    server {
        $listen server_name by.verdict; aop \$mode_of_verdict; return 200;
    }
    server {
        $listen server_name by.subject; aop \$mode_of_subject; return 200;
    }

    server { listen 127.0.0.1:$plain; server_name plain.test; return 200; }

    server {
        $listen_realip
        server_name realip.test;
        set_real_ip_from 127.0.0.1;
        real_ip_header CF-Connecting-IP;
        location / { return 200 \$remote_addr; }
    }

    server {
        $listen_proxied
        server_name proxied.test;
        location / { return 200; }
    }
EOF

# ask($host, %options): a function that gives the value of a variable
sub ask {
    my ($host, %opt) = @_;

    my $answer = get($opt{port} || $port, sni => $host, host => $host, %opt);

    return sub {
        my ($variable) = @_;
        (my $name = "X-$variable") =~ tr/_/-/;
        return $answer->header($name);
    };
}

# the certificate, good or bad

my $rsa = $ca->leaf([ C => 'US', O => 'A+B, "C"', CN => 'edge.test' ],
                    key => 'rsa', serial => '0123456789ABCDEF0123',
                    not_after => time() + 10 * DAY + 3600);
my $utf8 = $ca->leaf([ CN => "M\xc3\xbcller" ], serial => '7F',
                     not_after => time() + 4000 * DAY + 3600);
my $expired = $ca->leaf('expired', not_after => time() - 2 * DAY - 3600,
                        not_before => time() - 9 * DAY);
my $stranger = $foreign->leaf('stranger', serial => 'FF00',
                              not_after => time() + 300 * DAY + 3600);
my $self_signed = self_signed([ OU => 'x', CN => '#1' ],
                              not_after => time() + 300 * DAY + 3600);

for my $case (
    [ 'good RSA', $rsa, 'ok' ],
    [ 'good, other characters', $utf8, 'ok' ],
    [ 'expired', $expired, 'expired' ],
    [ 'foreign', $stranger, 'untrusted' ],
    [ 'self-signed', $self_signed, 'untrusted' ])
{
    my ($name, $cert, $verdict) = @$case;

    for my $http ('1.1', '2') {
        my $value = ask('a.test', cert => $cert, http => $http);
        my $where = "$name, HTTP/$http";

        is($value->('verdict'), $verdict, "$where: verdict");
        is($value->('client_subject'), subject_of($cert), "$where: subject");
        is($value->('client_issuer'), issuer_of($cert), "$where: issuer");
        is($value->('client_serial'), serial_of($cert), "$where: serial");
        is($value->('client_fingerprint'), fingerprint_of($cert),
           "$where: fingerprint");
        is($value->('client_spki'), spki_of($cert), "$where: SPKI");
        is($value->('client_key'), $cert == $rsa ? 'RSA-2048' : 'EC-P-256',
           "$where: key");
        is($value->('client_not_after'), not_after_of($cert),
           "$where: not after");
        like($value->('client_days_left'), days_left_of($cert),
             "$where: days left");
    }
}

# the last date of a certificate is its end

my $undated = $foreign->leaf('undated', not_after => time() + 300 * DAY)->edited(
    sub { $_[0] =~ s/(.*\x17\x0d)\d{12}Z/$1not a date :)/sr });

for my $http ('1.1', '2') {
    my $value = ask('a.test', cert => $undated, http => $http);

    is($value->('client_subject'), 'CN=undated',
       "HTTP/$http: a date that cannot be parsed: subject");
    is($value->('client_not_after'), '',
       "HTTP/$http: a date that cannot be parsed: no end");
    is($value->('client_days_left'), '',
       "HTTP/$http: a date that cannot be parsed: no days left");
}

for my $variable (grep { /^client_/ && !/^client_ip$/ } @VARIABLES) {
    is(ask('a.test')->($variable), '', "no certificate: no $variable");
    is(ask('plain.test', port => $plain, tls => 0)->($variable), '',
       "plain HTTP: no $variable");
}

# what was made of it

my $good = $ca->leaf('edge');
my $value = ask('a.test', cert => $good);

is($value->('mode'), 'optional', 'good: mode');
is($value->('status'), 'PASSED', 'good: status');
is($value->('failed'), '', 'good: not failed');
is($value->('reason'), '', 'good: no reason');
is($value->('anchor'), subject_of($ca), 'good: anchor');
is($value->('peer'), 'private', 'good: peer');
is($value->('resumed'), '.', 'good: not resumed');

$value = ask('a.test', cert => $stranger);

is($value->('status'), 'REJECTED_DRY_RUN', 'bad: status');
is($value->('failed'), '1', 'bad: failed');
like($value->('reason'), qr/^unable to (?:get local issuer|verify the first)/,
     'bad: reason');
is($value->('anchor'), '', 'bad: no anchor');

$value = ask('a.test', cert => $expired);
like($value->('reason'), qr/^certificate has expired$/, 'expired: reason');
is($value->('anchor'), '', 'expired: no anchor');

$value = ask('a.test');

is($value->('failed'), '1', 'none: failed');
like($value->('reason'), qr/^no client certificate was sent$/, 'none: reason');
is($value->('resumed'), '.', 'none: not resumed');

$value = ask('a.test', path => '/on');

is($value->('mode'), 'on', 'refused: mode');
is($value->('status'), 'REJECTED', 'refused: status');
is($value->('failed'), '1', 'refused: failed');

for my $off ([ 'server', 'off.test', '/' ], [ 'location', 'a.test', '/off' ]) {
    my ($what, $host, $path) = @$off;

    $value = ask($host, path => $path, cert => $good);
    is($value->('mode'), 'off', "off in a $what: mode");
    is($value->('status'), '', "off in a $what: no status");
    is($value->('failed'), '', "off in a $what: not failed");
}

is(ask('inter.test', cert => $inter->leaf('x'))->('anchor'),
   subject_of($inter), 'anchor: an intermediate');
is(ask('builtin.test', cert => $good)->('verdict'), 'untrusted',
   'anchor: the built-in one does not trust others');

$value = ask('plain.test', port => $plain, tls => 0);

is($value->('verdict'), 'plaintext', 'plain HTTP: verdict');
is($value->('status'), 'REJECTED_DRY_RUN', 'plain HTTP: status');
is($value->('peer_addr'), '127.0.0.1', 'plain HTTP: address of the peer');
is($value->('failed'), '1', 'plain HTTP: failed');
like($value->('reason'), qr/not come over TLS/, 'plain HTTP: reason');

# readable by the mode itself

is(ask('by.verdict')->('mode'), 'off', 'mode by verdict: none');
is(ask('by.verdict', cert => $good)->('status'), 'PASSED',
   'mode by verdict: ok');
is(ask('by.verdict', cert => $stranger)->('status'), 'REJECTED',
   'mode by verdict: untrusted');
is(ask('by.subject', cert => self_signed('known'))->('status'),
   'REJECTED_DRY_RUN', 'mode by subject: known');
is(ask('by.subject', cert => self_signed('else'))->('status'), 'REJECTED',
   'mode by subject: other');

# the visitor's address

for my $http ('1.1', '2') {
    my $ip = sub {
        my ($cert, @address) = @_;
        return ask('a.test', cert => $cert, http => $http,
                   headers => [ map { ('CF-Connecting-IP' => $_) } @address ])
               ->('client_ip');
    };

    for (
        [ [], '127.0.0.1', 'no header' ],
        [ [ '203.0.113.7' ], '203.0.113.7', 'an address' ],
        [ [ '2001:db8::7' ], '2001:db8::7', 'an IPv6 address' ],
        [ [ '203.0.113.7', '203.0.113.8' ], '127.0.0.1', 'two headers' ],
        [ [ '203.0.113.7', '203.0.113.7' ], '127.0.0.1', 'the same twice' ],
        [ [ '203.0.113.7, 203.0.113.8' ], '127.0.0.1', 'a list' ],
        [ [ '203.0.113.7:80' ], '127.0.0.1', 'an address and a port' ],
        [ [ '[2001:db8::7]' ], '127.0.0.1', 'brackets' ],
        [ [ '203.0.113' ], '127.0.0.1', 'part of an address' ],
        [ [ '203.0.113.256' ], '127.0.0.1', 'out of range' ],
        [ [ '203.0.113.0/24' ], '127.0.0.1', 'a network' ],
        [ [ 'localhost' ], '127.0.0.1', 'a name' ],
        [ [ 'unix:' ], '127.0.0.1', 'unix:' ],
        [ [ '2001:DB8:0::7' ], '2001:db8::7', 'another form of it' ],
        [ [ '::ffff:203.0.113.7' ], '127.0.0.1', 'IPv4-mapped' ],
        [ [ '::ffff:cb00:7107' ], '127.0.0.1', 'IPv4-mapped, hexadecimal' ],
        (map { [ [ $_ ], '127.0.0.1', "'$_'" ] }
             '...', '1..2.3', '1.2.3.', '.1.2.3', '0001.2.3.4', '1.2.3.04',
             '1.2.3.4.', '0x1.2.3.4', '16909060', 'fe80::1%1', '1::2::3'),
        [ [ '203.0.113.7 x' ], '127.0.0.1', 'something after it' ],
        [ [ '' ], '127.0.0.1', 'an empty header' ])
    {
        my ($header, $expected, $name) = @$_;

        is($ip->($good, @$header), $expected, "HTTP/$http: $name");
        is($ip->($stranger, @$header), '127.0.0.1',
           "HTTP/$http: $name, but a bad certificate")
            if $expected ne '127.0.0.1';
    }

    is($ip->(undef, '203.0.113.7'), '127.0.0.1',
       "HTTP/$http: an address, but no certificate");
}

is(ask('plain.test', port => $plain, tls => 0,
       headers => [ 'CF-Connecting-IP' => '203.0.113.7' ])->('client_ip'),
   '127.0.0.1', 'plain HTTP: an address, but no certificate');

my %real = (port => $realip, sni => 'realip.test',
            headers => [ 'CF-Connecting-IP' => '203.0.113.7' ]);

is(ask('realip.test', %real)->('client_ip'), '127.0.0.1',
   'realip: still the own address of the connection');
is(ask('realip.test', %real)->('peer'), 'private',
   'realip: and its class');
is(ask('realip.test', %real, cert => $good)->('client_ip'), '203.0.113.7',
   'realip: with a certificate');

for (
    [ '173.245.48.1', 'edge' ], [ '203.0.113.7', 'direct' ],
    [ '10.1.2.3', 'private' ], [ '2606:4700::1', 'edge' ],
    [ '2001:db8::1', 'direct' ], [ 'fd00::1', 'private' ],
    [ '::ffff:173.245.48.1', 'edge' ], [ '::ffff:203.0.113.7', 'direct' ])
{
    my ($address, $class) = @$_;
    my ($family, $to) = $address =~ /:/ ? ('TCP6', '::1')
                                        : ('TCP4', '127.0.0.1');

    is(ask('proxied.test', port => $proxied,
           prelude => "PROXY $family $address $to 1234 443\r\n")->('peer'),
       $class, "peer $address: $class");
}

# in the log

ask('a.test', path => '/logged', cert => $good);
my $line = $nginx->wait_file('all.log', qr{^a\.test /logged });

like($line, qr/ mode=optional; verdict=ok; status=PASSED; failed=; /,
     'access_log: good');
is($line =~ /client_fingerprint=(\w+);/ ? $1 : '', fingerprint_of($good),
   'access_log: fingerprint');

get($port, sni => 'a.test', path => '/on/logged');
$line = $nginx->wait_file('all.log', qr{^a\.test /on/logged });

like($line, qr/ mode=on; verdict=none; status=REJECTED; failed=1; /,
     'access_log: refused');

my $mark = length $nginx->read('all.log');

is(client($port, sni => 'a.test')->raw("GET / HTTP/1.1\r\n\r\n")->status, 400,
   'malformed request');
like($nginx->wait_file('all.log', qr/mode=/, $mark),
     qr/ mode=; verdict=none; status=; failed=; /,
     'access_log: malformed request, no mode was applied');

$nginx->finish;

done_testing();


sub subject_of {
    my ($cert) = @_;
    return $cert->openssl('-subject', '-nameopt', 'RFC2253')
           =~ /^subject=\s*(.*)$/m ? $1 : undef;
}

sub issuer_of {
    my ($cert) = @_;
    return $cert->openssl('-issuer', '-nameopt', 'RFC2253')
           =~ /^issuer=\s*(.*)$/m ? $1 : undef;
}

sub serial_of {
    my ($cert) = @_;
    return $cert->openssl('-serial') =~ /^serial=(\w+)$/m ? $1 : undef;
}

sub fingerprint_of {
    my ($cert) = @_;
    $cert->openssl('-fingerprint', '-sha256') =~ /Fingerprint=([\w:]+)/i
        or return undef;
    return lc $1 =~ tr/://dr;
}

sub spki_of {
    my ($cert) = @_;
    my $der = openssl($cert->openssl('-pubkey'), 'pkey', '-pubin', '-outform',
                      'DER');
    return openssl($der, 'dgst', '-sha256', '-r') =~ /^(\w+)/ ? $1 : undef;
}

sub end_of {
    my ($cert) = @_;
    my ($month, @rest) = $cert->openssl('-enddate')
        =~ /notAfter=(\w+) +(\d+) ([\d:]+) (\d+) GMT/ or return;
    my %number = map { (qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec))
                       [$_ - 1] => $_ } 1 .. 12;
    return ($number{$month}, @rest);
}

sub not_after_of {
    my ($cert) = @_;
    my ($month, $day, $clock, $year) = end_of($cert);
    return sprintf '%04d-%02d-%02dT%sZ', $year, $month, $day, $clock;
}

# whole days, negative from the second of the end on
sub days_left_of {
    my ($cert) = @_;
    my ($month, $day, $clock, $year) = end_of($cert);
    my ($hour, $minute, $second) = split /:/, $clock;
    my $end = timegm($second, $minute, $hour, $day, $month - 1, $year);
    my $left = $end - time();
    my $days = floor($left / DAY);
    return qr/^$days$/;
}
