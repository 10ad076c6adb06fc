#!/usr/bin/perl

# "aopctl probe": does this origin serve strangers?  Against nginx in each mode.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

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
# that closes, a plain one, and more directives of http{}
sub origin {
    my ($site, $plain, $more) = @_;

    $plain = 'return 301 https://site.test/;' unless defined $plain;
    $more  = '' unless defined $more;

    my $conf = <<"CONF";
    aop_ca ca.pem;
    $more
    log_format sni "sni=\$ssl_server_name,\$https;"
                   " \$http_user_agent";
    access_log sni.log sni;
    server { @{[ $tls =~ s/( ssl[^;]*)/$1 default_server/r ]} return 444; }
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
    return probed("127.0.0.1:$port", '--http-port', $http,
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
is($on->{why}, 'enforced: clients without a valid certificate are rejected',
   'on: in words');
ok($on->{asks}, 'on: asks for a certificate');
is(join(' ', map { $_->{result} } @{ $on->{visits} }, @{ $on->{names} }),
   join(' ', ('refused') x 16),
   'on: each visit is refused');
is(join(' ', map { "$_->{tls}/$_->{http}" } @{ $on->{visits} }),
   '1.3/1.1 1.3/1.1 1.2/1.1 1.2/1.1 1.3/2 1.3/2 1.2/2 1.3/1.1',
   'on: over each protocol, and in the end');
is(scalar(grep { $_->{scheme} eq 'https' && !defined $_->{sni} }
          @{ $on->{names} }), 3, 'on: also without SNI');
ok($nginx->wait_file('sni.log', qr/^sni=-,on; aopctl\//),
   'on: and really so, with a user agent that tells of it');
ok($nginx->wait_file('sni.log', qr/^sni=site\.test,on; aopctl\//),
   'on: the others with it');
is("@{ $on->{ca_names} }", 'CN=Own CA', 'on: the names it tells');
is($on->{plain_http}{result}, 'refused', 'on: HTTP redirects');
is(join(' ', map { $_->{result} } @{ $on->{visitors} }),
   join(' ', ('refused') x 16), 'on: whichever visitor is told of');
is_deeply([ grep { $_->{with_session}{result} eq 'served' }
            @{ $on->{visits} } ], [], 'on: no session gets around it');

my $given = probe('--cert', $good);

is("$given->{status} $given->{conclusion}", '0 enforced', 'on, good one');
is(visits($given, 'given') =~ s{/\w+}{}gr, 'served served served served',
   'on: the given certificate is served');
like($given->{why}, qr/given certificate is accepted/, 'on: and that is said');

$given = probe('--cert', $wrong);

is("$given->{status} $given->{conclusion}", '1 enforced_but',
   'on, another one: exit status');
like($given->{why}, qr/the client with the given certificate is, too/,
     'on, another one: said');

# the self-signed certificate bears the name of the CA

like($nginx->wait_log(qr/refused: untrusted.*subject: "CN=Own CA"/),
     qr/issuer: "CN=Own CA"/, 'the stranger takes the name of the CA');

# holes

origin('aop optional; location / { return 200; }');

my $optional = probe();

is("$optional->{status} $optional->{conclusion} $optional->{asks}",
   '2 not_enforced 1', 'optional: not enforced, but asked');
like($optional->{why},
     qr/^not enforced: the origin serves clients without a valid certificate.*optional/,
     'optional: in words');

origin('aop off; location / { return 404; }');

my $off = probe();

is("$off->{status} $off->{conclusion} $off->{asks}", '2 not_enforced 0',
   'off: not enforced, not even asked');
like($off->{why}, qr/it does not request one/, 'off: in words');
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

my $beside = probed("127.0.0.1:$alone", '--no-http', '--sni',
                    'open.test');

is(join(' ', map { $_->{asked} ? 'asked' : 'not' } @{ $beside->{visits} },
             @{ $beside->{names} }),
   join(' ', ('not') x 7, ('asked') x 5, ('not') x 2), 'beside: who was asked');
is("$beside->{status} $beside->{conclusion} $beside->{asks}",
   '2 not_enforced 0', 'beside: this server asks nobody');
is($beside->{why}, 'not enforced: the origin serves clients without a valid '
   . 'certificate; the server with this name does not request a certificate, '
   . 'another one at this address does ("aop" missing?)', 'beside: in words');
is(probed("127.0.0.1:$alone", '--no-http', '--sni',
          'enforcing.test')->{status}, 0, 'beside: the other one enforces');

origin('aop on; location / { return 200; }', 'return 200;');

my $plain = probe();

is("$plain->{status} $plain->{conclusion}", '1 enforced_but',
   'plain HTTP: exit status');
like($plain->{why}, qr/the result over plain HTTP is unclear/,
     'plain HTTP: said');
is(probe('--no-http')->{status}, 0, 'plain HTTP: not asked for');

origin('aop on; location / { return 200; } location /open { aop off; '
       . 'return 200; }');

my $open = probe('--path', '/open');

is("$open->{status} $open->{conclusion}", '1 enforced_but',
   'an open location: exit status');
is($open->{why}, 'clients without a valid certificate are served on this '
   . 'path, but rejected on "/" (is the path exempt?)',
   'an open location: said');
is(join(' ', map { $_->{result} } @{ $open->{names} }),
   join(' ', ('refused') x 8), 'an open location: / under other names');
is(probe('--path', '/open', '--cert', $good)->{status}, 1,
   'an open location, good one');

origin('aop optional; location / { return 200; } location /open { aop off; '
       . 'return 200; }');

is(probe('--path', '/open')->{status}, 2, 'an open location, others as well');
is(probe('--path', '/open', '--cert', $good)->{status}, 2,
   'an open location, others as well, good one');

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
    like($some->{why}, qr/for some addresses in CF-Connecting-IP/,
         "$name: said");
    is($some->{visitors}[-1]{result}, 'served', "$name: who is served");
    like(aopctl('probe', "127.0.0.1:$port", '--no-http', '--sni',
                'site.test')->{out},
         qr/^  with \d+ addresses .*, the last one 192\.0\.2\.\d+: served, /m,
         "$name: text");
}

# refused by other means

origin('aop off; location / { return 403; }');

my $other_means = probe();

is("$other_means->{status} $other_means->{conclusion}", '1 cannot_tell',
   'refused without being asked: exit status');
like($other_means->{why}, qr/did not request one/, 'refused without being asked: said');

origin('aop on; error_page 495 496 =503 /x; location / { return 200; } '
       . 'location /x { aop off; return 503; }');

is(probe()->{conclusion}, 'cannot_tell', 'overloaded: cannot tell');

# what everybody gets is no refusal: nobody is let in, and nothing is told

mkdir $nginx->path('empty');
$nginx->write('file.txt', 'served');

my $folder  = 'root ' . $nginx->path('empty') . ';';
my $blocked = 'error_page 495 496 = @blocked; '
              . 'location @blocked { return 403; } ';
my ($untold, $enforced) = qw(cannot_tell enforced);

my $no_ca   = 'aop off; ssl_verify_client optional_no_ca; '
              . 'ssl_client_certificate ca.pem; ';

for (

    # name, site, conclusion without and with the right certificate (untold: it
    # is not served either), what is said without it

    [ 'optional, a folder without an index', "aop optional; $folder", $untold,
      $untold,
      qr/status 403, which may be served to all clients \(try .*--path.*--cert/ ],
    [ 'optional, 400', 'aop optional; location / { return 400; }', $untold,
      $untold,
      qr/status 400, which may be served to all clients/ ],
    [ 'optional, 421', 'aop optional; location / { return 421; }', $untold,
      $untold,
      qr/status 421, which may be served to all clients/ ],
    [ 'optional, closed without an answer',
      'aop optional; location / { return 444; }', $untold, $untold,
      qr/(?:closed|eof).*, which may be served to all clients/ ],
    [ 'optional, plain HTTP to an HTTPS port behind it',
      "aop optional; location / { proxy_pass http://127.0.0.1:$port; }",
      $untold, $untold,
      qr/status 400, which may be served to all clients/ ],
    [ 'on, a folder without an index', "aop on; $folder", $enforced,
      'enforced_but',
      qr/^enforced: / ],
    [ 'on, a page of its own',
      "aop on; $blocked location / { return 200; }", $untold, $enforced,
      qr/status 403, which may be served to all clients/ ],
    [ 'on, a page of its own, and a folder without an index',
      "aop on; $blocked $folder", $untold, $untold, qr/status 403, which may/ ],
    [ 'on, a page of its own with status 400', 'aop on; '
      . 'error_page 495 496 =400 /x; location / { return 200; } '
      . 'location = /x { aop off; return 400 no; }', $untold, $enforced,
      qr/status 400, which may/ ],
    [ 'on, closed without an answer', 'aop on; '
      . 'error_page 495 496 = @gone; location / { return 200; } '
      . 'location @gone { return 444; }', $untold, $enforced,
      qr/(?:closed|eof).*, which may/ ],
    [ 'any certificate is let in', "$no_ca $folder "
      . 'if ($ssl_client_verify = NONE) { return 496; }', $untold, $untold,
      qr/status 403, which may/ ],
) {
    my ($name, $site, $without, $with, $why) = @$_;

    origin($site);

    my $told = probe();

    is($told->{conclusion}, $without, "$name: conclusion");
    like($told->{why}, $why, "$name: said");

    $told = probe('--cert', $good);

    is($told->{conclusion}, $with, "$name: with a certificate");
    like($told->{why}, qr/given certificate is not served either.*--path/,
         "$name: with a certificate, said") if $with eq $untold;
    like($told->{why}, qr/with the given certificate is unclear/,
         "$name: with a certificate, said") if $with eq 'enforced_but';
}

origin("aop on; $blocked location / { return 200; }");

is(visits(probe('--cert', $wrong), 'no certificate') =~ s{/\w+}{}gr,
   'unclear unclear unclear unclear',
   'a page of its own: a wrong certificate');
is(probe('--cert', $wrong)->{conclusion}, $untold,
   'a page of its own: tells nothing');

# a limit of the rate of requests turns away who comes late: six requests are
# those of the given certificate

$nginx->write('index.html', 'served');

origin('aop off; return 404;', undef, <<"CONF");
    limit_req_zone \$binary_remote_addr zone=few:1m rate=1r/m;
    server {
        @{[ $nginx->listen_tls($alone) ]}
        aop optional;
        root @{[ $nginx->path('.') ]};
        limit_req zone=few burst=5 nodelay;
        limit_req_status 444;
    }
CONF

my $late = probed("127.0.0.1:$alone", '--no-http', '--cert', $good);

is("$late->{status} $late->{conclusion}", '1 cannot_tell',
   'a limit of the rate: cannot tell');
like($late->{why}, qr/finally .* was, too \(is the request rate/,
     'a limit of the rate: said');
is(visits($late, 'given') =~ s{/\w+}{}gr, 'served served served unclear',
   'a limit of the rate: the given certificate once more');

origin('aop on; location / { return 200; }', 'return 403;');

my $forbidden = probe('--cert', $good);

is("$forbidden->{status} $forbidden->{plain_http}{result}", '0 refused',
   'plain HTTP, 403 for strangers only: refused');

$forbidden = probe();

is("$forbidden->{status} $forbidden->{plain_http}{result}", '1 unclear',
   'plain HTTP, 403: unclear');
like($forbidden->{why}, qr/the result over plain HTTP is unclear/,
     'plain HTTP, 403: said');
is(probe('--http-port', $port)->{plain_http}{result}, 'refused',
   'plain HTTP to the HTTPS port: refused');

# 421 says nothing of who connects under the right name

my $astray = probe('--sni', 'elsewhere.test', '--host', 'site.test');

is("$astray->{status} $astray->{visits}[0]{status}", '1 421',
   'the name of another server: cannot tell');
is(join(' ', map { $_->{status} } @{ $on->{names} }[1, 2]), '421 421',
   'without SNI: 421 is refused');

# text for a person

origin('aop on; return 200;', undef, <<"CONF");
    server { @{[ $nginx->listen_tls($alone) ]} return 404; }
CONF

my $text = aopctl('probe', "127.0.0.1:$alone", '--http-port', $http);

like($text->{out}, qr/^127\.0\.0\.1 port $alone, SNI \(none\), Host 127\.0/,
     'text: who was asked');
like($text->{out},
     qr/^  TLS 1\.3, HTTP\/1\.1, no certificate: served, HTTP status 404$/m,
     'text: the visits');
like($text->{out}, qr/^  SNI unrelated\.invalid, Host 127\.0\.0\.1: served, /m,
     'text: the other names');
like($text->{out}, qr/^not enforced: the origin serves [^\n]*\n\z/m,
     'text: the conclusion comes last');
unlike($text->{out}, qr/\e/, 'text: no colors in a file');

my ($last) = $text->{out} =~ /^([^\n]+\n)\z/m;

for (qw(-q --quiet)) {
    my $quiet = aopctl('probe', $_, "127.0.0.1:$alone", '--http-port', $http);

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

done_testing();
