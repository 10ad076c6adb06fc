#!/usr/bin/perl

# A request is counted, logged and listed once, as what became of it, and as
# soon as that is settled: one that is in progress for hours, such as an
# upgraded one, is seen at once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Test::More;
use AOP::Test;
use AOP::Test::Report;

use constant EDGE => '173.245.48.9';

my $ca    = ca('Edge CA');
my $good  = $ca->leaf('edge');
my $nginx = nginx();
my ($port, $admin, $upstream) = $nginx->ports(3);
my $listen = $nginx->listen_tls($port, 'proxy_protocol');
my $root   = $nginx->path('html');

my $backend = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$upstream",
                                    Listen => 20, ReuseAddr => 1);

$nginx->write('ca.pem', $ca);
$nginx->write('html/here', 'here');

# the same server, with one mode and with several

my %server = (
    plain => 'aop optional;',
    mixed => 'aop optional; location /strict { aop on; return 200 strict; }',
    part  => 'aop $part;',
    on    => 'aop on;',
    some  => 'location /left { aop on; rewrite ^ /open last; }',
);

my $servers = join "\n", map { <<"CONF" } sort keys %server;
server {
    $listen
    server_name $_.test;
    aop_ca ca.pem;
    $server{$_}
    root $root;
    location / { return 200; }
    location /slow {
        proxy_pass http://127.0.0.1:$upstream;
        proxy_http_version 1.1;
        proxy_set_header Upgrade \$http_upgrade;
        proxy_set_header Connection upgrade;
    }
    location /try { try_files /none /strict; }
    location /again { try_files /none /here; }
    location /here { error_page 412 /strict; }
    location /gone { error_page 404 = /strict; return 404; }
    location /lenient { error_page 404 = /here; return 404; }
    location /accel { proxy_pass http://127.0.0.1:$upstream; }
    if (\$uri = /early) { return 204; }
}
CONF

$nginx->configure(<<"CONF");
aop_log_interval 0;
map \$uri \$part { volatile; default optional; ~slow off; ~strict on; }
$servers
server { listen 127.0.0.1:$admin; location / { aop_report; } }
CONF

$nginx->start;

my %lines;

# connections that are upgraded and stay open

for my $case ([ plain => undef, 'none', 1 ], [ mixed => undef, 'none', 1 ],
              [ plain => $good, 'ok', 0 ], [ mixed => $good, 'ok', 0 ],
              [ on => $good, 'ok', 0, 'on' ]) {
    my ($name, $cert, $verdict, $lines, $mode) = @$case;
    my $before = count($name, $mode || 'optional', $verdict);
    my @open   = map { upgraded($name, $cert) } 1 .. 10;

    is(count($name, $mode || 'optional', $verdict), $before + 10,
       "$name, $verdict: open requests are counted");
    is(logged(), 10 * $lines, "$name, $verdict: and logged");
    is(listed($name), $name eq 'on' ? 0 : 10, "$name, $verdict: and listed");

    undef @open;
}

for my $name (qw(plain mixed)) {
    like(answer($name)->{why}, qr/^10 of 20 requests from Cloudflare failed/,
         "$name: and in the answer");
}

# the rule does not overlook those that no mode was applied to

{
    my @open = map { upgraded('part', undef) } 1 .. 10;

    like(answer('part')->{why}, qr/^10 of 10 .* were not verified/,
         'open requests that are not verified');
}

# a request whose response has not begun

{
    my ($client, $there) = begun('plain', undef, '/slow');

    is(count('plain', 'optional', 'none'), 11, 'a response that is late');
    is(logged(), 1, 'a response that is late: logged');
    print $there "HTTP/1.0 200 OK\r\n\r\n";
    close $there;
    $client->close;
    ok(until_counted(sub { logged_all() == 31 - 10 }), 'and once only');
}

# a server's list is its own: others that fail more do not push its peers out

{
    my $rows = listed('mixed');

    connection('on', undef, "173.245.49.$_")->get('/') for 1 .. 60;
    ok(until_counted(sub { count('on', 'on', 'none') == 60 }), 'many peers');
    is(listed('mixed'), $rows, 'they are in a list of their own');
    is(scalar(grep { $_->{server} =~ /^on\.test / }
              @{ report($admin)->json->{failing_edge} }), 16, 'of 16 places');
}

# redirects: what is refused in the end is refused, and nothing else

for my $case ([ mixed => '/try', 'refused' ], [ mixed => '/gone', 'refused' ],
              [ mixed => '/here', 'refused', 'If-Match' => '"x"' ],
              [ part => '/try', 'refused' ], [ part => '/gone', 'refused' ],
              [ mixed => '/again', 'would be refused' ],
              [ mixed => '/lenient', 'would be refused' ],
              [ plain => '/again', 'would be refused' ],
              [ plain => '/lenient', 'would be refused' ],
              [ plain => '/try', 'would be refused' ],
              [ mixed => '/early', 'would be refused' ],
              [ plain => '/early', 'would be refused' ],
              [ on => '/early', 'refused' ], [ on => '/try', 'refused' ]) {
    my ($name, $uri, $what, @header) = @$case;
    my @before = map { count($name, $_, 'none') } qw(optional on);
    my $mark   = $nginx->mark;

    connection($name, undef)->get($uri, headers => [ @header ])->status
        or BAIL_OUT("$name$uri: no answer");

    ok(until_counted(sub {
           count($name, 'optional', 'none') + count($name, 'on', 'none')
               > $before[0] + $before[1];
       }), "$name$uri: counted");

    my @after = map { count($name, $_, 'none') } qw(optional on);
    my @line  = grep { /aop: client certificate/ } $nginx->log_since($mark);

    is("@after", join(' ', $before[0] + ($what ne 'refused'),
                      $before[1] + ($what eq 'refused')),
       "$name$uri: counted as $what, once");
    is(scalar @line, 1, "$name$uri: one line") or diag(@line);
    like($line[0], qr/aop: client certificate $what: none/,
         "$name$uri: it says $what");
}

# what passed in a location that the request left again has decided nothing

{
    my $before = count('some', 'on', 'ok');

    is(connection('some', $good)->get('/left')->status, 200, 'rewritten');
    is(connection('some', undef)->get('/left')->status, 400, 'and refused');
    ok(until_counted(sub { count('some', 'on', 'none') == 1 }), 'counted');
    is(count('some', 'on', 'ok'), $before, 'but not what passed');
}

# X-Accel-Redirect, of one that a certificate would have let pass and one not

for my $case ([ undef, 'on', 'none' ], [ $good, 'on', 'ok' ]) {
    my ($cert, $mode, $verdict) = @$case;
    my $before = count('mixed', $mode, $verdict);
    my ($client, $there) = begun('mixed', $cert, '/accel');

    is(count('mixed', $mode, $verdict), $before, "$verdict: not settled yet");
    print $there "HTTP/1.0 200 OK\r\nX-Accel-Redirect: /strict\r\n\r\n";
    close $there;
    ok(until_counted(sub {
           count('mixed', $mode, $verdict) == $before + 1;
       }), "$verdict: counted as what X-Accel-Redirect leads to");
    $client->close;
}

# one that was counted as passed, and is redirected: with a certificate that has
# expired meanwhile, and with one that is still good

for my $case ([ 'expired', 4 ], [ 'ok', 0 ]) {
    my ($verdict, $wait) = @$case;
    my $cert = $wait ? $ca->leaf('soon', not_after => int(time()) + $wait - 1)
                     : $good;
    my @before = map { count('plain', 'optional', $_) } qw(ok expired);
    my ($client, $there) = begun('plain', $cert, '/accel');

    is(count('plain', 'optional', 'ok'), $before[0] + 1,
       "$verdict after a redirect: counted as passed before");

    sleep $wait;
    print $there "HTTP/1.0 200 OK\r\nX-Accel-Redirect: /here\r\n\r\n";
    close $there;
    is($client->_read_response('GET')->status, 200, "$verdict: served");
    $client->close;

    my $now = $before[1] + ($wait > 0);

    ok(until_counted(sub { count('plain', 'optional', 'expired') == $now }),
       "$verdict: then as what it is");
    is(count('plain', 'optional', 'ok'), $before[0] + 1,
       "$verdict: and once as passed");
}

$nginx->write('error.log', '');
$nginx->finish;

done_testing();


sub connection {
    my ($name, $cert, $from) = @_;

    $from ||= EDGE;

    return client($port, sni => "$name.test", cert => $cert,
                  prelude => "PROXY TCP4 $from 127.0.0.1 1 2\r\n");
}

# begun($name, $cert, $uri): the connections at both ends of a request that
# has reached the backend.
sub begun {
    my ($name, $cert, $uri) = @_;

    my $client = connection($name, $cert);

    $client->connect;
    $client->_write("GET $uri HTTP/1.1\r\nHost: $name.test\r\n"
                    . "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n");

    my $there = $backend->accept or BAIL_OUT('no request');
    $there->autoflush(1);

    return ($client, $there);
}

sub upgraded {
    my ($name, $cert) = @_;

    my ($client, $there) = begun($name, $cert, '/slow');

    print $there "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n"
                 . "Connection: upgrade\r\n\r\n";

    $client->_read_response('GET')->status == 101 or BAIL_OUT('no upgrade');

    return [ $client, $there ];
}

sub answer { report($admin)->server("$_[0].test 127.0.0.1:$port") }

sub count {
    my ($name, $mode, $verdict) = @_;
    my $sum = 0;

    $sum += $_->{count}
        for grep { $_->{mode} eq $mode && $_->{verdict} eq $verdict }
            @{ answer($name)->{requests} };

    return $sum;
}

sub logged_all { scalar grep { /aop: client cert/ } $nginx->log_since(0) }

# logged(): the lines since it was last called.
sub logged {
    my $n   = logged_all();
    my $new = $n - ($lines{seen} || 0);

    $lines{seen} = $n;

    return $new;
}

sub listed {
    my ($name) = @_;
    my $sum = 0;

    $sum += $_->{count}
        for grep { $_->{server} =~ /^\Q$name\E\.test / }
            @{ report($admin)->json->{failing_edge} };

    return $sum;
}
