#!/usr/bin/perl

# aopctl status: what the status pages of many origins mean together, whatever
# answers at their URLs.  What was not read, or not looked at, is never good.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use POSIX qw(strftime);
use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;
use AOP::Test::Origin;

my $nginx = nginx();                    # for its folder and ports
my $now   = time;

# date($ago): a time as the page writes it
sub date { return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime($now - $_[0])) }

# server(%fields): a server of a page of this version, which observes
sub server {
    return {
        name => 'a.test', mode => 'optional', ready => 'unknown',
        why => 'not enough traffic', since => date(90000),
        state => 'observing', settles => undef, refused => [],
        would_be_refused => [], requests => [], connections => [],
        certificates => [], @_,
    };
}

sub enforced { return server(mode => 'on', state => 'enforced', @_) }

# page(\@servers, %fields)
sub page {
    my ($servers, @field) = @_;

    return JSON::PP->new->utf8->canonical->encode({
        module => '0.2.0', nginx => '1.22.1', openssl => 'OpenSSL 3.0.17',
        time => date(0), servers => $servers, verify_cache => [], @field,
    });
}

# refused($peer, $ago, %fields): a row of what was refused
sub refused {
    my ($peer, $ago, @field) = @_;

    return { verdict => 'none', peer => $peer, count => 3,
             first => date($ago + 100), last => date($ago), @field };
}

sub cert {
    my ($days, @field) = @_;

    return { kind => 'anchor', subject => 'CN=ca', fingerprint => '00',
             anchor => '', not_after => undef, days_left => $days,
             last => undef, @field };
}

# What 0.1.0 writes has no "state".
sub old {
    my $server = server(@_);

    delete @{$server}{qw(state settles)};

    return page([$server], module => '0.1.0');
}

my $good = page([ enforced() ]);

# Pages: path, body, exit status, answer of the server or why it is not read.
my @page = (
    [ enforced => $good, 0, 'enforced' ],
    [ yes => page([ server(ready => 'yes', why => 'none failed') ]), 0,
      'yes' ],
    [ partly => page([ server(ready => 'yes', state => 'partly') ]), 0,
      'yes' ],
    [ unknown => page([ server() ]), 1, 'unknown' ],
    [ no => page([ server(ready => 'no', why => '3 of 9 failed') ]), 2, 'no' ],
    [ 'enforced-no' => page([ enforced(ready => 'no') ]), 2, 'no' ],
    [ worst => page([ enforced(), server(), server(ready => 'no') ]), 2,
      'enforced unknown no' ],

    # what an enforced server refused
    [ edge => page([ enforced(refused => [ refused(edge => 60) ]) ]), 2,
      'rejecting' ],
    [ 'edge-yes' => page([ enforced(ready => 'yes',
                           refused => [ refused(edge => 86000) ]) ]), 2,
      'rejecting' ],
    [ 'edge-before' => page([ enforced(refused => [ refused(edge => 86500) ])
                            ]), 0, 'enforced' ],
    [ 'edge-policy' => page([ enforced(since => date(50), refused => [
                           refused(edge => 60, verdict => 'untrusted') ]) ]),
      0, 'enforced' ],
    [ 'edge-none' => page([ enforced(since => date(50), refused => [
                           refused(edge => 60) ]) ]), 2, 'rejecting' ],
    [ strangers => page([ enforced(refused => [ refused(direct => 60) ]) ]),
      0, 'enforced' ],
    [ 'no-last' => page([ enforced(refused => [ refused(edge => 60,
                          last => undef) ]) ]), 2, 'rejecting' ],

    # what is not known
    [ uncounted => page([ enforced(since => undef, why => 'not counted') ]),
      1, 'unknown' ],
    [ 'yes-uncounted' => page([ server(ready => 'yes', since => undef) ]), 1,
      'unknown' ],
    [ state => page([ server(ready => 'yes', state => 'dreaming') ]), 1,
      'unknown' ],
    [ stale => page([ server(ready => 'yes') ], time => date(700)), 1,
      'unknown' ],
    [ 'stale-enforced' => page([ enforced() ], time => date(-700)), 1,
      'unknown' ],
    [ 'stale-no' => page([ server(ready => 'no') ], time => date(700)), 2,
      'no' ],

    # an older version
    [ old => old(), 1, 'unknown' ],
    [ 'old-yes' => old(ready => 'yes'), 1, 'unknown' ],
    [ 'old-no' => old(ready => 'no'), 2, 'no' ],
    [ 'old-on' => old(mode => 'on'), 1, 'unknown' ],
    [ 'old-edge' => old(mode => 'on', refused => [ refused(edge => 9) ]), 2,
      'rejecting' ],

    # what is not a page of the module
    [ none => page([]), 3, qr/without servers/ ],
    [ 'no-servers' => '{"module":"0.2.0"}', 3, qr/not a status page/ ],
    [ other => '{"status":"ok","servers":[{"name":"a"}]}', 3,
      qr/not a status page/ ],
    [ array => '[]', 3, qr/not a status page/ ],
    [ html => '<!DOCTYPE html><title>ok</title>', 3, qr/^HTML/ ],
    [ metrics => "# HELP nginx_aop_ready\n", 3, qr/not a status page|instead of JSON/ ],
    [ empty => '', 3, qr/empty/ ],
    [ cut => substr($good, 0, -1), 3, qr/incomplete/ ],
    [ more => "$good$good", 3, qr/damaged/ ],
    [ twice => do { (my $t = page([ server(ready => 'no') ]))
                    =~ s/"ready":"no"/"ready":"no","ready":"yes"/; $t }, 3,
      qr/damaged/ ],
    [ deep => '[' x 100000, 3, qr/not a status page|instead of JSON/ ],
    [ many => '[' . '0,' x 3000000 . '0]', 3, qr/values/ ],
    map({ my ($key, $value) = @$_;
          [ "type-$key-" . (defined $value ? ref $value || $value : 'null'),
            page([ enforced($key => $value) ]), 3, qr/unknown type/ ] }
        [ name => 1 ], [ mode => undef ], [ ready => 'maybe' ],
        [ ready => JSON::PP::true ], [ why => {} ], [ state => 1 ],
        [ state => undef ], [ since => 'soon' ], [ refused => {} ],
        [ refused => [ 1 ] ], [ refused => undef ], [ certificates => 'x' ],
        [ certificates => [ {} ] ]),
    [ 'type-count' => page([ enforced(refused => [ refused(edge => 1,
                             count => '3') ]) ]), 3, qr/unknown type/ ],
    [ 'type-servers' => page({ a => 1 }), 3, qr/not a status page/ ],
    [ 'type-server' => page([ enforced(), 1 ]), 3, qr/unknown type/ ],
    [ 'type-time' => page([ enforced() ], time => 1), 3,
      qr/not a status page/ ],
    [ 'type-unprotected' => page([ enforced() ], unprotected => 1), 3,
      qr/unknown type/ ],

    # what stands beside it
    [ unprotected => page([ enforced() ], unprotected => [ {
        name => 'w.test', file => '/etc/nginx.conf', line => 7,
        explicit => JSON::PP::false, beside => ['a.test'] } ]), 1,
      'enforced unprotected' ],
    [ explicit => page([ enforced() ], unprotected => [ {
        name => 'w.test', file => '/etc/nginx.conf', line => 7,
        explicit => JSON::PP::true, beside => ['a.test'] } ]), 0,
      'enforced off' ],
    [ alone => page([ enforced() ], unprotected => [ {
        name => 'w.test', file => '/etc/nginx.conf', line => 7,
        explicit => JSON::PP::false, beside => [] } ]), 0, 'enforced off' ],
);

my %body = map { ("/$_->[0]" => $_->[1]) } @page;

my $ok = "HTTP/1.1 200 OK\r\nConnection: close\r\n";

# What else may answer; each gets the socket and the head of the request.
my %hostile = (
    401 => sub { return "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n" },
    403 => sub { return "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n" },
    404 => sub { return "HTTP/1.1 404 No\r\nContent-Length: " . length($good)
                        . "\r\n\r\n$good" },
    500 => sub { return "HTTP/1.1 500 No\r\n\r\n$good" },
    204 => sub { return "HTTP/1.1 204 No\r\n\r\n" },
    redirect => sub { return "HTTP/1.1 302 Go\r\nLocation: /enforced\r\n"
                             . "Content-Length: 0\r\n\r\n" },
    file => sub { return "HTTP/1.1 302 Go\r\nLocation: file:///etc/passwd\r\n"
                         . "Content-Length: 0\r\n\r\n" },
    old09 => sub { return $good },
    short => sub { return "${ok}Content-Length: 99999\r\n\r\n$good" },
    mute => sub { sleep 30; return '' },
    closes => sub { return '' },
    drip => sub { print { $_[0] } "$ok\r\n";
                  for (1 .. 300) {
                      select undef, undef, undef, 0.1;
                      print { $_[0] } ' ' or last;
                  }
                  return '' },
    headers => sub { print { $_[0] } "HTTP/1.1 200 OK\r\n";
                     my $line = 'X-A: ' . 'a' x 1000 . "\r\n";
                     for (1 .. 100000) { print { $_[0] } $line or last }
                     return '' },
    interim => sub { for (1 .. 100000) {
                         print { $_[0] } "HTTP/1.1 100 Continue\r\nX: "
                                         . 'a' x 1000 . "\r\n\r\n" or last }
                     return '' },
    endless => sub { print { $_[0] } "$ok\r\n";
                     my $part = ' ' x 65536;
                     for (1 .. 2000) { print { $_[0] } $part or last }
                     return '' },
    basic => sub { my $user = encode_base64('monitor:secret', '');
                   return $_[1] =~ /^Authorization: Basic \Q$user\E\r$/m
                          ? "$ok\r\n$good"
                          : "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n" },
    agent => sub { return $_[1] =~ m{^User-Agent: aopctl/[0-9.]+\r$}m
                          ? "$ok\r\n$good" : "HTTP/1.1 400 No\r\n\r\n" },
);

my $handler = sub {
    my ($client, $head) = @_;

    my ($path, $query) = $head =~ m{^GET (/[^\s?]*)(?:\?(\S*))? HTTP/1\.1\r\n}
        or return "HTTP/1.1 400 No\r\n\r\n";

    return "HTTP/1.1 400 No\r\n\r\n"
        unless ($query || '') =~ /(?:^|&)format=json$/;

    return $hostile{$1}->($client, $head)
        if $path =~ m{^/([^/]+)} && $hostile{$1};

    return exists $body{$path}
           ? "${ok}Content-Length: " . length($body{$path})
             . "\r\n\r\n$body{$path}"
           : "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
};

my ($port, $tls_port, $closed) = $nginx->ports(3);
my $origin = AOP::Test::Origin->start($port, $handler);
my $url    = "http://127.0.0.1:$port";


# Each page alone, and in a fleet with a good one: not better than alone.

for (@page) {
    my ($path, undef, $status, $expected) = @$_;

    my $answer = answer('status', "$url/$path");
    my ($page) = @{ $answer->{origins} };
    my $told   = join ' ', map { $_->{answer} }
                 map { @{ $page->{$_} } } qw(servers unprotected);

    if (ref $expected) {
        is("$page->{answer} $answer->{status} $told", "unread $status ",
           "$path: not read");
        like($page->{reason}, $expected, "$path: why");

    } else {
        is("$page->{answer} $told $answer->{status}",
           "read $expected $status", "$path: $expected");
    }

    is(aopctl('status', '-q', "$url/enforced", "$url/$path", "$url/yes")
       ->{status}, $status, "$path: decides beside good ones")
        if $path !~ /^(?:enforced|yes|many|deep|type-.*)$/;
}


# What is no page: never good, and bounded in time and memory.

for ([ 401 => qr/status 401 .*--netrc-file/ ], [ 403 => qr/status 403/ ],
     [ 404 => qr/status 404/ ], [ 500 => qr/status 500/ ],
     [ 204 => qr/status 204/ ],
     [ redirect => qr{redirect, which is not followed, to http://127.*enf} ],
     [ file => qr{redirect, which is not followed, to file:} ],
     [ old09 => qr/HTTP\/0\.9/ ], [ short => qr/transfer closed|end of response/ ],
     [ mute => qr/no response within 2 seconds/ ],
     [ closes => qr/Empty reply/ ],
     [ drip => qr/no complete response within 2 seconds/ ],
     [ headers => qr/./ ], [ interim => qr/./ ],
     [ endless => qr/more than 64 MB|within 2 seconds/ ])
{
    my ($path, $reason) = @$_;

    my $run    = aopctl('status', '--timeout', 2, '--json', "$url/$path");
    my $answer = JSON::PP->new->decode($run->{out});

    is("$answer->{origins}[0]{answer} $run->{status}", 'unread 3',
       "$path: not read");
    like($answer->{origins}[0]{reason}, $reason, "$path: why");
    cmp_ok($run->{seconds}, '<', 15, "$path: in time");
    cmp_ok($run->{rss}, '<', 200_000, "$path: in memory");
}

my $run = aopctl('status', "http://127.0.0.1:$closed/", "$url/no");
is($run->{status}, 2, 'a "no" goes before an origin that does not answer');
like($run->{out}, qr/^unread \(http:.*:$closed\/\): Could(?:n't| not) connect/m,
     'which is named');

is(aopctl('status', "$url/unknown", "http://127.0.0.1:$closed/")->{status}, 3,
   'which goes before "unknown"');

is(aopctl('status', 'http://origin.invalid/', "$url/enforced")->{status}, 3,
   'a name without an address');


# The list.

sub list { return $nginx->path($nginx->write('list', join "\n", @_)) }

$run = aopctl('status', '--file',
              list('# the fleet', '', "  $url/enforced  \r", "$url/yes"));
is($run->{status}, 0, 'a file of URLs');
like($run->{out}, qr/^yes, observing: a\.test \(.*yes\)/m, 'each is read');
like($run->{out}, qr/^good: 1 of 2 servers is ready; 1 of 2 servers is enforced\n\z/m,
     'the last line');

is(aopctl({ input => "$url/no\n" }, 'status', '--file', '-')->{status}, 2,
   'standard input');

for ([ 'ftp://a/' => 'only http and https' ], [ 'file:///etc/passwd' =>
     'only http and https' ], 
     [ 'a.test/aop' => 'not a URL' ], [ 'http://' => 'not a URL' ],
     [ 'http://a/' . 'a' x 2050 => 'too long' ],
     [ "http://a/\e[31m" => 'not a URL' ])
{
    $run = aopctl('status', "$url/enforced", $_->[0]);
    is($run->{status}, 64, "$_->[1]: an error");
    like($run->{err}, qr/^aopctl: status: invalid URL ".*": $_->[1]/,
         "$_->[1]: why");
    unlike($run->{err}, qr/\e/, "$_->[1]: printable");
}

$run = aopctl('status', 'http://user:secret@a/');
is($run->{status}, 64, 'a password in a URL: an error');
like($run->{err}, qr/invalid URL: contains a user name/, 'said');
unlike($run->{err}, qr/secret/, 'not printed');

for ([ 'a line with two', "$url/yes $url/no", qr/more than one URL in .*:1/ ],
     [ 'a wrong one', "$url/yes\nnonsense", qr/"nonsense": .* in .*:2/ ],
     [ 'a long line', 'http://' . 'a' x 5000, qr/too long line in .*:1/ ],
     [ 'too many lines', "\n" x 100_001, qr/too many lines in/ ],
     [ 'nothing', "# none\n", qr/missing URL/ ])
{
    my ($name, $text, $why) = @$_;

    $run = aopctl('status', '--file', list($text));
    is($run->{status}, 64, "a list with $name: an error");
    like($run->{err}, $why, "a list with $name: why");
}

for ([ '--file', '/dev/null/x' ], [ '--cacert', '/nowhere' ],
     [ '--netrc-file', '/nowhere' ], [ '--file', '/tmp' ],
     [ '--cacert', '/tmp' ])
{
    $run = aopctl('status', @$_, "$url/enforced");
    is($run->{status}, 66, "@$_: cannot be read");
    like($run->{err}, qr/^aopctl: cannot read "/, "@$_: said");
}

is(aopctl('status')->{status}, 64, 'no URL: an error');
is(aopctl('status', '--timeout', $_, $url)->{status}, 64, "timeout $_: an error")
    for '0', '301', 'x', '';

$run = aopctl('status', "$url/enforced", "$url/enforced#top", "$url/enforced");
is($run->{status}, 0, 'a duplicate URL');
is(scalar(() = $run->{err} =~ /duplicate URL/g), 2, 'is told');
like($run->{out}, qr/^good: 1 of 1 server is enforced$/m, 'and read once');


# Lines that agree are one.

$body{"/many-$_"} = page([ enforced(certificates => [ cert(30) ]) ])
    for 1 .. 9;
$body{'/many-10'} = page([ enforced(certificates => [ cert(30), cert(5) ]) ]);

$origin->stop;
$origin = AOP::Test::Origin->start($port, $handler);

$run = aopctl('status', map { "$url/many-$_" } 1 .. 10);
is(scalar(() = $run->{out} =~ /^enforced: a\.test/mg), 1,
   'ten equal lines are one');
like($run->{out}, qr/^enforced: a\.test \(10: \S+-1, \S+-2, \S+-3 and 7 more\)/m,
     'with their number');
is(scalar(@{ answer('status', map { "$url/many-$_" } 1 .. 10)->{origins} }),
   10, 'in JSON they are all there');


# What the other side wrote.

my %evil = (
    'days of what is in use' => [
        enforced(certificates => [
            cert(3, kind => 'client', subject => 'CN=c', last => date(9000)),
            cert(200, kind => 'client', subject => 'CN=c', last => date(5)),
            cert(undef), cert(99) ]), qr/; 99 days left;/ ],
    'control characters' => [
        enforced(name => "a\e[2J\x{9b}b\nyes: c"),
        qr/^enforced: a\\x1b\[2J\\xc2\\x9bb\\x0ayes: c/ ],
    'long texts' => [
        server(ready => 'no', name => 'n' x 9000, why => 'w' x 9000),
        qr/^no, observing: n{300} \(\S+\): w{240} \.\.\.;/ ],
    'no name' => [ enforced(name => ''), qr/^enforced: no server_name \(/ ],
    'big numbers' => [
        enforced(refused => [ map { refused(edge => 5, count => 1 << 62,
                                    verdict => 'v' x 900) } 1 .. 40 ]),
        qr/^rejecting, enforced: a\.test/ ],
);

# path($name): its URL
sub path { return '/evil-' . join '-', split / /, $_[0] }

$body{ path($_) } = page([ $evil{$_}[0] ]) for keys %evil;

$origin->stop;
$origin = AOP::Test::Origin->start($port, $handler);

for (sort keys %evil) {
    $run = aopctl('status', $url . path($_));
    like($run->{out}, $evil{$_}[1], $_);
    unlike($run->{out}, qr/[^\n\x20-\x7e]/, "$_: printable");
}


# A password, and the page's own format.

my $netrc = $nginx->path($nginx->write('netrc',
                "machine 127.0.0.1 login monitor password secret\n"));

is(aopctl('status', "$url/basic")->{status}, 3, 'a password is missing');
is(aopctl('status', '--netrc-file', $netrc, "$url/basic")->{status}, 0,
   'a password in --netrc-file');
is(aopctl('status', "$url/basic?a=b")->{status}, 3, 'a query is kept');
is(aopctl('status', "$url/agent")->{status}, 0, 'the user agent');


# TLS.

my $ca    = ca('Own CA');
my $other = ca('Own CA');
my $cert  = $ca->leaf('127.0.0.1', eku => 'serverAuth',
                      ext => [ subjectAltName => 'IP:127.0.0.1' ]);

my %file = map { $_->[0] => $nginx->path($nginx->write(@$_)) } (
    [ 'ca.pem', $ca ], [ 'other.pem', $other ],
    [ 'origin.pem', $cert->pem . $cert->key_pem ],
    [ 'broken.pem', "-----BEGIN CERTIFICATE-----\nAA\n" ],
);

my $secure = AOP::Test::Origin->start($tls_port, $handler,
                                      $file{'origin.pem'});
my $https  = "https://127.0.0.1:$tls_port";

is(aopctl('status', '--cacert', $file{'ca.pem'}, "$https/enforced")->{status},
   0, 'https, by --cacert');

for ([ 'another CA of the same name', '--cacert', $file{'other.pem'} ],
     [ 'a broken CA file', '--cacert', $file{'broken.pem'} ],
     [ 'the CAs of the system' ])
{
    my ($name, @arg) = @$_;

    $run = aopctl('status', @arg, "$https/enforced");
    is($run->{status}, 3, "https, by $name: not read");
    like($run->{out}, qr/^unread \(https:/m, "https, by $name: said");
}

is(aopctl('status', '--cacert', $file{'ca.pem'},
          "https://localhost:$tls_port/enforced")->{status}, 3,
   'https, another name');
is(aopctl('status', "http://127.0.0.1:$tls_port/enforced")->{status}, 3,
   'http to a port of https');
is(aopctl('status', "https://127.0.0.1:$port/enforced")->{status}, 3,
   'https to a port of http');

$secure->stop;
$origin->stop;

is(aopctl('status', "$url/enforced")->{status}, 3,
   'nobody is there any more');

done_testing();
