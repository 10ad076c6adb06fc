#!/usr/bin/perl

# "aopctl probe": does this origin serve strangers?  Against nginx in each mode,
# against servers that are slow, silent, hostile or no web servers at all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use IO::Socket::SSL;
use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;

my $nginx = nginx();
my ($port, $http, $alone) = $nginx->ports(3);

my $ca    = ca('Own CA');
my $leaf  = $ca->leaf('edge');
my $good  = $nginx->path($nginx->write('good.pem', $leaf->pem
                                                  . $leaf->key_pem));
my $other = ca('Other CA')->leaf('stranger');
my $wrong = $nginx->path($nginx->write('wrong.pem', $other->pem
                                                   . $other->key_pem));

$nginx->write('ca.pem', $ca);

my $tls = $nginx->listen_tls($port);

# origin($site, $plain, $more): a server with a name, before it a default one
# that does not use the module, a plain one, and more directives of http{}
sub origin {
    my ($site, $plain, $more) = @_;

    $plain = 'return 301 https://site.test/;' unless defined $plain;
    $more  = '' unless defined $more;

    my $conf = <<"CONF";
    aop_ca ca.pem;
    $more
    log_format sni "sni=\$ssl_server_name,\$https;";
    access_log sni.log sni;
    server { @{[ $tls =~ s/( ssl[^;]*)/$1 default_server/r ]} return 404; }
    server {
        $tls
        server_name site.test;
        $site
    }
    server { listen 127.0.0.1:$http; $plain }
CONF

    $nginx->pid ? $nginx->reload($conf) : $nginx->configure($conf)->start;
}

sub probe {
    return answer('probe', "127.0.0.1:$port", '--http-port', $http,
                  '--sni', 'site.test', @_);
}

# the visits of an answer: their results, the session's after a slash
sub visits {
    my ($answer, $stranger) = @_;

    return join ' ', map { "$_->{result}/$_->{with_session}{result}" }
                     grep { $_->{stranger} eq $stranger }
                     @{ $answer->{visits} };
}

# mode "on"

origin('aop on; location / { return 200; }');

my $on = probe();

is("$on->{status} $on->{conclusion}", '0 enforced', 'on: enforced');
is($on->{why}, 'enforced: strangers are refused', 'on: in words');
ok($on->{asks}, 'on: asks for a certificate');
is(join(' ', map { $_->{result} } @{ $on->{visits} }),
   join(' ', ('refused') x 9),
   'on: each visit is refused');
is(join(' ', map { "$_->{tls}/$_->{http}" } grep { $_->{sni} }
             @{ $on->{visits} }),
   '1.3/1.1 1.3/1.1 1.2/1.1 1.2/1.1 1.3/2 1.3/2 1.2/2',
   'on: over each protocol');
is(scalar(grep { !$_->{sni} } @{ $on->{visits} }), 2, 'on: also without SNI');
ok($nginx->wait_file('sni.log', qr/^sni=-,on;$/), 'on: and really so');
ok($nginx->wait_file('sni.log', qr/^sni=site\.test,on;$/),
   'on: the others with it');
is("@{ $on->{ca_names} }", 'CN=Own CA', 'on: the names it tells');
is($on->{plain_http}{result}, 'refused', 'on: HTTP redirects');
is(join(' ', map { $_->{result} } @{ $on->{visitors} }),
   join(' ', ('refused') x 16), 'on: whichever visitor is told of');
is_deeply([ grep { $_->{with_session}{result} eq 'served' }
            @{ $on->{visits} } ], [], 'on: no session gets around it');

my $given = probe('--cert', $good);

is("$given->{status} $given->{conclusion}", '0 enforced', 'on, good one');
is(visits($given, 'given') =~ s{/\w+}{}gr, 'served served served',
   'on: the given certificate is served');
like($given->{why}, qr/given certificate is served/, 'on: and that is said');

$given = probe('--cert', $wrong);

is("$given->{status} $given->{conclusion}", '1 enforced_but',
   'on, another one: exit status');
like($given->{why}, qr/so is the given certificate/, 'on, another one: said');

# the self-signed certificate bears the name of the CA

like($nginx->wait_log(qr/refused: untrusted.*subject: "CN=Own CA"/),
     qr/issuer: "CN=Own CA"/, 'the stranger takes the name of the CA');

# holes

origin('aop optional; location / { return 200; }');

my $optional = probe();

is("$optional->{status} $optional->{conclusion} $optional->{asks}",
   '2 not_enforced 1', 'optional: not enforced, but asked');
like($optional->{why},
     qr/^this origin serves strangers: not enforced.*optional/,
     'optional: in words');

origin('aop off; location / { return 404; }');

my $off = probe();

is("$off->{status} $off->{conclusion} $off->{asks}", '2 not_enforced 0',
   'off: not enforced, not even asked');
like($off->{why}, qr/does not even ask/, 'off: in words');
is($off->{visits}[0]{with_session}{resumed}, 1, 'off: sessions are resumed');

# a server beside one that enforces: who comes without SNI is asked by that one

origin('return 404;', undef, <<"CONF");
    server {
        @{[ $nginx->listen_tls($alone, 'default_server') ]}
        server_name enforcing.test;
        aop on;
    }
    server {
        @{[ $nginx->listen_tls($alone) ]}
        server_name open.test;
        ssl_certificate server.crt;
        ssl_certificate_key server.key;
        location / { return 200; }
    }
CONF

my $beside = answer('probe', "127.0.0.1:$alone", '--no-http', '--sni',
                    'open.test');

is(join(' ', map { $_->{asked} ? 'asked' : 'not' } @{ $beside->{visits} }),
   join(' ', ('not') x 7, 'asked', 'asked'), 'beside: who was asked');
is("$beside->{status} $beside->{conclusion} $beside->{asks}",
   '2 not_enforced 0', 'beside: this server asks nobody');
is($beside->{why}, 'this origin serves strangers: not enforced; the server of '
   . 'this name does not ask for a certificate, another one at this address '
   . 'does ("aop" missing?)', 'beside: in words');
is(answer('probe', "127.0.0.1:$alone", '--no-http', '--sni',
          'enforcing.test')->{status}, 0, 'beside: the other one enforces');

origin('aop on; location / { return 200; }', 'return 200;');

my $plain = probe();

is("$plain->{status} $plain->{conclusion}", '1 enforced_but',
   'plain HTTP: exit status');
like($plain->{why}, qr/served over plain HTTP/, 'plain HTTP: said');
is(probe('--no-http')->{status}, 0, 'plain HTTP: not asked for');

origin('aop on; location / { return 200; } location /open { aop off; '
       . 'return 200; }');

is(probe('--path', '/open')->{status}, 2, 'an open location');
is(probe('--host', 'elsewhere.test')->{status}, 2, 'another Host');

# a canary refuses some visitors and serves others

for (
    [ 'a canary of 10%', 'split_clients $http_cf_connecting_ip $canary { '
      . '10% on; * optional; }' ],
    [ 'a canary over HTTP/2', 'map $server_protocol:$http_cf_connecting_ip '
      . '$canary { ~^HTTP/2.*[0-9]$ optional; default on; }' ],
) {
    my ($name, $canary) = @$_;

    origin('aop $canary; location / { return 200; }', undef, $canary);

    my $some = probe();

    is("$some->{status} $some->{conclusion}", '2 not_enforced',
       "$name: exit status");
    like($some->{why}, qr/serves strangers who .*certain visitors/,
         "$name: said");
    is($some->{visitors}[-1]{result}, 'served', "$name: who is served");
    like(aopctl('probe', "127.0.0.1:$port", '--no-http', '--sni',
                'site.test')->{out},
         qr/^  for \d+ visitors .*, the last one 192\.0\.2\.\d+: served, /m,
         "$name: text");
}

# refused by other means

origin('aop off; location / { return 403; }');

my $other_means = probe();

is("$other_means->{status} $other_means->{conclusion}", '3 cannot_tell',
   'refused without being asked: exit status');
like($other_means->{why}, qr/did not ask/, 'refused without being asked: said');

origin('aop on; error_page 495 496 =503 /x; location / { return 200; } '
       . 'location /x { aop off; return 503; }');

is(probe()->{status}, 3, 'overloaded: cannot tell');

# what everybody gets is no refusal: nobody is let in, and nothing is told

mkdir $nginx->path('empty');
$nginx->write('file.txt', 'served');

my $folder  = 'root ' . $nginx->path('empty') . ';';
my $blocked = 'error_page 495 496 = @blocked; '
              . 'location @blocked { return 403; } ';
my $no_ca   = 'aop off; ssl_verify_client optional_no_ca; '
              . 'ssl_client_certificate ca.pem; ';

for (

    # name, site, exit status without and with the right certificate,
    # what is said without it

    [ 'optional, a folder without an index', "aop optional; $folder", 3, 3,
      qr/status 403, which may be for everybody: ask for.*--path.*--cert/ ],
    [ 'optional, 400', 'aop optional; location / { return 400; }', 3, 3,
      qr/status 400, which may be for everybody/ ],
    [ 'optional, 421', 'aop optional; location / { return 421; }', 3, 3,
      qr/status 421, which may be for everybody/ ],
    [ 'optional, closed without an answer',
      'aop optional; location / { return 444; }', 3, 3,
      qr/(?:closed|eof).*, which may be for everybody/ ],
    [ 'optional, plain HTTP to an HTTPS port behind it',
      "aop optional; location / { proxy_pass http://127.0.0.1:$port; }", 3, 3,
      qr/status 400, which may be for everybody/ ],
    [ 'on, a folder without an index', "aop on; $folder", 0, 1,
      qr/^enforced: / ],
    [ 'on, a page of its own',
      "aop on; $blocked location / { return 200; }", 3, 0,
      qr/status 403, which may be for everybody/ ],
    [ 'on, a page of its own, and a folder without an index',
      "aop on; $blocked $folder", 3, 3, qr/status 403, which may/ ],
    [ 'on, a page of its own with status 400', 'aop on; '
      . 'error_page 495 496 =400 /x; location / { return 200; } '
      . 'location = /x { aop off; return 400 no; }', 3, 0,
      qr/status 400, which may/ ],
    [ 'on, closed without an answer', 'aop on; '
      . 'error_page 495 496 = @gone; location / { return 200; } '
      . 'location @gone { return 444; }', 3, 0,
      qr/(?:closed|eof).*, which may/ ],
    [ 'any certificate is let in', "$no_ca $folder "
      . 'if ($ssl_client_verify = NONE) { return 496; }', 3, 3,
      qr/status 403, which may/ ],
) {
    my ($name, $site, $without, $with, $why) = @$_;

    origin($site);

    my $told = probe();

    is($told->{status}, $without, "$name: exit status");
    like($told->{why}, $why, "$name: said");

    $told = probe('--cert', $good);

    is($told->{status}, $with, "$name: with a certificate");
    like($told->{why}, qr/given certificate is not served either.*--path/,
         "$name: with a certificate, said") if $with == 3;
    like($told->{why}, qr/the given certificate is served is unclear/,
         "$name: with a certificate, said") if $with == 1;
}

origin("aop on; $blocked location / { return 200; }");

is(visits(probe('--cert', $wrong), 'no certificate') =~ s{/\w+}{}gr,
   'unclear unclear unclear unclear refused refused',
   'a page of its own: a wrong certificate');
is(probe('--cert', $wrong)->{status}, 3, 'a page of its own: tells nothing');

# a limit of the rate of requests turns away who comes late: four requests are
# those of the given certificate

$nginx->write('index.html', 'served');

origin('aop off; return 404;', undef, <<"CONF");
    limit_req_zone \$binary_remote_addr zone=few:1m rate=1r/m;
    server {
        @{[ $nginx->listen_tls($alone) ]}
        aop optional;
        root @{[ $nginx->path('.') ]};
        limit_req zone=few burst=3 nodelay;
        limit_req_status 444;
    }
CONF

my $late = answer('probe', "127.0.0.1:$alone", '--no-http', '--cert', $good);

is("$late->{status} $late->{conclusion}", '3 cannot_tell',
   'a limit of the rate: cannot tell');
like($late->{why}, qr/in the end .* was, too: is the rate/,
     'a limit of the rate: said');
is(visits($late, 'given') =~ s{/\w+}{}gr, 'served served served unclear',
   'a limit of the rate: the given certificate once more');

origin('aop on; location / { return 200; }', 'return 403;');

my $forbidden = probe('--cert', $good);

is("$forbidden->{status} $forbidden->{plain_http}{result}", '1 unclear',
   'plain HTTP, 403: unclear');
like($forbidden->{why}, qr/what plain HTTP would serve is unclear/,
     'plain HTTP, 403: said');
is(probe('--http-port', $port)->{plain_http}{result}, 'refused',
   'plain HTTP to the HTTPS port: refused');

# 421 says nothing of who connects under the right name

my $astray = probe('--sni', 'elsewhere.test', '--host', 'site.test');

is("$astray->{status} $astray->{visits}[0]{status}", '3 421',
   'the name of another server: cannot tell');
is(join(' ', map { $_->{status} } grep { !$_->{sni} } @{ $on->{visits} }),
   '421 421', 'without SNI: 421 is refused');

# text for a person

my $text = aopctl('probe', "127.0.0.1:$port", '--http-port', $http);

like($text->{out}, qr/^127\.0\.0\.1 port $port \(127\.0\.0\.1\), SNI \(none\)/,
     'text: who was asked');
like($text->{out},
     qr/^  TLS 1\.3, HTTP\/1\.1, no certificate, without SNI: served, HT/m,
     'text: the visits');
like($text->{out}, qr/^this origin serves strangers: not enforced[^\n]*\n\z/m,
     'text: the conclusion comes last');
unlike($text->{out}, qr/\e/, 'text: no colours in a file');

my ($last) = $text->{out} =~ /^([^\n]+\n)\z/m;

for (qw(-q --quiet)) {
    my $quiet = aopctl('probe', $_, "127.0.0.1:$port", '--http-port', $http);

    is("$quiet->{status} $quiet->{out}", "$text->{status} $last",
       "$_: the conclusion only");
}

is(aopctl('probe', '-q', '--json', '127.0.0.1:1')->{status}, 64,
   '--quiet with --json: wrong');
is(aopctl('probe', '-q', '127.0.0.1:1')->{out},
   "cannot tell: 127.0.0.1: cannot connect: Connection refused\n",
   '--quiet: nobody there');

# nginx's stock verification: a bad certificate is refused, none is served

origin('aop off; ssl_client_certificate ca.pem; ssl_verify_client on; '
       . 'location / { return 200; }');
is(probe('--host', 'site.test', '--cert', $good)->{status}, 0,
   'stock verification is enforcing, too');

$nginx->finish;

# servers that are not what they should be; each answers one connection after
# another

sub server {
    my ($talk, %opt) = @_;

    my $class  = $opt{tls} ? 'IO::Socket::SSL' : 'IO::Socket::INET';
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 20,
                                       ReuseAddr => 1) or die "listen: $!";
    my $pid = fork();
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        $SIG{PIPE} = 'IGNORE';
        alarm 60;

        # one context for all connections: a session can be resumed

        my $context = $opt{tls} && IO::Socket::SSL::SSL_Context->new(
            SSL_server => 1, SSL_session_id_context => 'x', %{ $opt{tls} });

        while (my $client = $listen->accept) {
            if ($opt{tls}) {
                $client = IO::Socket::SSL->start_SSL($client,
                    SSL_server => 1, SSL_reuse_ctx => $context) or next;
                while (<$client>) { last if /^\r?\n/ }
            }
            $talk->($client);
        }

        POSIX::_exit(0);
    }

    return ($listen->sockport, $pid);
}

my $cert = AOP::Test::Cert->server('hostile.test');
my %tls  = (SSL_cert => $cert->x509, SSL_key => $cert->key);
my $full = "HTTP/1.1 200 OK\r\n";

for (
    [ 'silent', sub { sleep 30 }, undef, 3, qr/timed out/ ],
    [ 'slow', sub { my ($c) = @_; print {$c} "\x16" and sleep 1 for 1 .. 9 },
      undef, 3, qr/timed out/ ],
    [ 'closing', sub { close $_[0] }, undef, 3, qr/closed|reset|eof/i ],
    [ 'no TLS', sub { print { $_[0] } "220 mail.test ESMTP\r\n" }, undef, 3,
      qr/TLS failed/ ],
    [ 'plain HTTP', sub { print { $_[0] } "$full\r\n" }, undef, 3,
      qr/^TLS failed: wrong version number: is this port plain HTTP\?$/ ],
    [ 'silent in TLS', sub { sleep 30 }, \%tls, 3, qr/timed out/ ],
    [ 'closing in TLS', sub { close $_[0] }, \%tls, 3,
      qr/closed|without an answer|eof/i ],
    [ 'no HTTP in TLS', sub { print { $_[0] } "\e[2Jhello\r\n\r\n" }, \%tls, 3,
      qr/not HTTP/ ],
    [ 'status 99', sub { print { $_[0] } "HTTP/1.1 099 x\r\n\r\n" }, \%tls, 3,
      qr/not HTTP/ ],
    [ 'no status', sub { print { $_[0] } "HTTP/1.1 x\r\n\r\n" }, \%tls, 3,
      qr/not HTTP/ ],
    [ 'zeros', sub { print { $_[0] } "\0" x 100_000 }, \%tls, 3,
      qr/not HTTP/ ],
    [ 'an endless head', sub { my ($c) = @_; print {$c} $full;
                               print {$c} 'X: ' . 'y' x 1000 . "\r\n" or return
                                   for 1 .. 10_000 }, \%tls, 2,
      qr/serves strangers/ ],
    [ 'no more than a line', sub { print { $_[0] } $full }, \%tls, 2,
      qr/serves strangers/ ],
) {
    my ($name, $talk, $tls_options, $status, $why) = @$_;
    my ($at, $pid) = server($talk, tls => $tls_options);

    my $answer = answer('probe', "127.0.0.1:$at", '--no-http', '--timeout', 1);

    is($answer->{status}, $status, "$name: exit status");
    like($answer->{why}, $why, "$name: said");
    unlike(aopctl('probe', "127.0.0.1:$at", '--no-http', '--timeout', 1)->{out},
           qr/[^\x20-\x7e\n]/, "$name: printable") if $name =~ /no HTTP|zeros/;

    kill KILL => $pid;
    waitpid $pid, 0;
}

# one that insists in the handshake, with hostile names of CAs

my $evil = ca([ CN => [ 12, "\e[2J\nCN=ok" ] ]);

for my $version (qw(TLSv1_2 TLSv1_3)) {
    my ($at, $pid) = server(sub { print { $_[0] } "$full\r\n" }, tls => {
        %tls, SSL_version => $version, SSL_client_ca => [ $evil->x509 ],
        SSL_ca => [ $evil->x509 ],
        SSL_verify_mode => SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
    });

    my $run = aopctl('probe', "127.0.0.1:$at", '--no-http', '--timeout', 3);

    is($run->{status}, 0, "insisting in the handshake, $version");
    unlike($run->{out}, qr/[^\x20-\x7e\n]/, "hostile names, $version: escaped");

    kill KILL => $pid;
    waitpid $pid, 0;
}

# one that asks, and then closes or answers in the name of nginx

for (
    [ 'asks and closes', sub { close $_[0] }, 3, qr/which may be for every/ ],
    [ 'asks and answers as nginx', sub {
          print { $_[0] } "HTTP/1.1 400 Bad Request\r\n\r\n";
          select undef, undef, undef, 0.05;
          print { $_[0] } '<html><head><title>400 No required SSL ';
          select undef, undef, undef, 0.05;
          print { $_[0] } 'certificate was sent</title></head>';
      }, 0, qr/^enforced/ ],
    [ 'asks and talks of it in the head', sub {
          print { $_[0] } "HTTP/1.1 400 x\r\nX: <title>400 No required SSL "
                          . "certificate was sent</title>\r\n\r\n";
      }, 3, qr/status 400, which may/ ],
    [ 'asks and does not end', sub {
          my ($c) = @_;
          print {$c} "HTTP/1.1 400 x\r\n\r\n";
          print {$c} 'x' x 1000 or return for 1 .. 10_000;
      }, 3, qr/status 400, which may/ ],
) {
    my ($name, $talk, $status, $why) = @$_;
    my ($at, $pid) = server($talk, tls => {
        %tls, SSL_client_ca => [ $evil->x509 ],
        SSL_verify_mode => SSL_VERIFY_PEER, SSL_verify_callback => sub { 1 } });

    my $answer = answer('probe', "127.0.0.1:$at", '--no-http', '--timeout', 3);

    is($answer->{status}, $status, "$name: exit status");
    like($answer->{why}, $why, "$name: said");

    kill KILL => $pid;
    waitpid $pid, 0;
}

# sessions that get around it: who was refused is served when it comes back

{
    my ($at, $pid) = server(sub {
        my ($c) = @_;
        my $code = $c->get_session_reused ? '200 OK' : '403 No';
        print {$c} "HTTP/1.1 $code\r\nContent-Length: 0\r\n\r\n";
    }, tls => { %tls, SSL_version => 'TLSv1_2' });

    my $answer = answer('probe', "127.0.0.1:$at", '--no-http', '--timeout', 3);

    is("$answer->{status} $answer->{conclusion}", '2 not_enforced',
       'a session gets around it');
    like($answer->{why}, qr/resume a session/, 'and that is said');

    kill KILL => $pid;
    waitpid $pid, 0;
}

# silent from the first visit, that of the given certificate

{
    my ($at, $pid) = server(sub { sleep 30 }, tls => \%tls);

    my $answer = answer('probe', "127.0.0.1:$at", '--no-http', '--timeout', 1,
                        '--cert', $good);

    is("$answer->{status} $answer->{why}", '3 timed out',
       'silent, with a certificate');

    kill KILL => $pid;
    waitpid $pid, 0;
}

# nobody there

my $nobody = answer('probe', '127.0.0.1:1', '--timeout', 1);

is("$nobody->{status} $nobody->{conclusion}", '3 cannot_tell',
   'nobody there: exit status');
like($nobody->{why}, qr/^127\.0\.0\.1: cannot connect: Connection refused/,
     'nobody there: said');

like(aopctl('probe', '127.0.0.1:1')->{out}, qr/^127\.0\.0\.1 port 1, SNI /,
     'nobody there: no address');

my $edge = answer('probe', '104.16.0.1', '--timeout', 1);

is($edge->{status}, 3, 'Cloudflare\'s edge: exit status');
like($edge->{why}, qr/Cloudflare's edge/, 'Cloudflare\'s edge: said');
is(answer('probe', '[2606:4700::1]:443')->{why} =~ /Cloudflare's edge/, 1,
   'Cloudflare\'s edge, IPv6');

my $unknown = aopctl('probe', 'no-such-host.invalid', '--timeout', 3);

is($unknown->{status}, 3, 'no such host: exit status');
like($unknown->{err}, qr/^aopctl: .*resolve/, 'no such host: said');

# what is no host and port is told as it was given

for (
    [ 'https://example.test', 'is a URL: give HOST[:PORT]' ],
    [ 'example.test/path', 'is a URL: give HOST[:PORT]' ],
    [ 'example.test:https', 'is no host and port' ],
    [ '[::1]:x', 'is no host and port' ],
    [ '[]', 'is no host and port' ],
) {
    my ($target, $said) = @$_;
    my $run = aopctl('probe', $target);

    is("$run->{status} $run->{err}", qq(64 aopctl: probe: "$target" $said; )
       . qq("aopctl probe --help" helps\n), "a target: $target");
}

# an address that takes no connection: a full backlog drops what comes

{
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 0);
    my @filler = map { IO::Socket::INET->new(Proto => 'tcp', Blocking => 0,
                           PeerAddr => '127.0.0.1',
                           PeerPort => $listen->sockport) } 1 .. 5;

    my $run = aopctl('probe', '127.0.0.1:' . $listen->sockport,
                     '--timeout', 1, '--json');

    is($run->{status}, 3, 'unreachable: exit status');
    like($run->{out}, qr/timed out/, 'unreachable: said');
    cmp_ok($run->{seconds}, '<', 3, 'unreachable: in time');
}

# files

$nginx->write('only key.pem', $leaf->key_pem);
$nginx->write('other key.pem', $other->key_pem);
$nginx->write('locked.pem', $leaf->pem . openssl($leaf->key_pem, 'pkcs8',
    '-topk8', '-passout', 'pass:secret'));

for (
    [ [ '--cert', '/no/such' ], qr/No such file/ ],
    [ [ '--cert', $nginx->path('only key.pem') ], qr/no certificate/ ],
    [ [ '--cert', $nginx->path('ca.pem') ],
      qr/no private key without a passphrase in ".*ca\.pem": .* with --key$/ ],
    [ [ '--cert', $good, '--key', $nginx->path('ca.pem') ],
      qr/no private key without a passphrase in ".*ca\.pem"$/ ],
    [ [ '--cert', $good, '--key', $nginx->path('other key.pem') ],
      qr/is not that of the certificate/ ],
    [ [ '--cert', $good, '--key', '/no/such' ], qr/No such file/ ],
    [ [ '--cert', $nginx->path('locked.pem') ], qr/without a passphrase/ ],
) {
    my ($arg, $expected) = @$_;
    my $run = aopctl('probe', '127.0.0.1:1', @$arg);

    is($run->{status}, 66, "a wrong file: $expected");
    like($run->{err}, qr/^aopctl: .*$expected/, 'said on standard error');
}

done_testing();
