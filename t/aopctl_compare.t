#!/usr/bin/perl

# "aopctl probe": what only strangers get is a refusal, what everybody gets is
# none.  Over TLS and plain HTTP, before a server that refuses by itself, and
# with a certificate that not every protocol can carry.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;

my $nginx = nginx();
my ($port, $http, $behind) = $nginx->ports(3);

my $ca   = ca('Own CA');
my $leaf = $ca->leaf('edge');
my $good = $nginx->path($nginx->write('good.pem', $leaf->pem
                                                  . $leaf->key_pem));

$nginx->write('ca.pem', $ca);

my $tls     = $nginx->listen_tls($port);
my $default = $nginx->listen_tls($port, 'default_server');
my $page    = 'return 200 "the site has a page of some words, all of them its '
              . 'own, for those who come to read";';
my $other   = 'return 200 "Welcome to nginx: further configuration is required '
              . 'to serve anything";';

# origin($site, $rest, $plain): a server with a name, other servers, what port
# 80 does
sub origin {
    my ($site, $rest, $plain) = @_;

    my $conf = <<"CONF";
    aop_ca ca.pem;
    $rest
    server { $tls server_name site.test; $site }
    server { listen 127.0.0.1:$http; @{[ $plain || 'return 444;' ]} }
CONF

    $nginx->pid ? $nginx->reload($conf) : $nginx->configure($conf)->start;
}

sub probe {
    return probed("127.0.0.1:$port", '--http-port', $http, '--sni',
                  'site.test', @_);
}

sub refused { return "aop on; location / { $_[0] }" }

# What strangers get in place of the site, which is for them alone: without and
# with a certificate that passes.

for (
    [ 'closed', '495 496 = @for', 'return 444;', 1, 0 ],
    [ 'a decoy with 404', '495 496 =404 @for', $other, 1, 0 ],
    [ 'a decoy with 404 as of nginx', '495 496 =404 @for', 'return 404;', 1,
      0 ],
    [ 'an error that is mostly of load', '495 496 = @for', 'return 503;', 1,
      0 ],
    [ 'a decoy with 200', '495 496 =200 @for', $other, 2, 0 ],
    [ 'a redirect elsewhere', '495 496 = @for',
      'return 302 https://www.site.test/;', 1, 0 ],
    [ 'the site itself', '495 496 =200 @for', $page, 2, 2 ],
    [ 'the site itself with 404', '495 496 =404 @for', $page, 1, 2 ],
    [ 'a redirect to the site itself', '495 496 = @for',
      "return 302 /open; } location = /open { aop off; $page", 2, 2 ],
    [ 'a redirect to a decoy', '495 496 = @for',
      "return 302 /open; } location = /open { aop off; $other", 2, 0 ],
) {
    my ($name, $error_page, $for, $without, $with) = @$_;

    origin(refused($page) . "error_page $error_page; location \@for { $for }",
           'server { ' . $default . ' return 444; }');

    is(probe()->{status}, $without, "strangers get: $name");
    is(probe('--cert', $good)->{status}, $with,
       "strangers get: $name, with a certificate");
}

# Port 80.

for (
    [ 'closes', 'return 444;', 0, 0, 'refused' ],
    [ 'redirects to HTTPS', 'return 301 https://$host$request_uri;', 0, 0,
      'refused' ],
    [ '404', 'return 404;', 1, 0, 'refused' ],
    [ '403', 'return 403;', 1, 0, 'refused' ],
    [ 'another page', $other, 1, 1, 'another_page' ],
    [ 'the site', $page, 1, 2, 'served' ],
    [ 'the site, after a redirect to itself',
      "location = / { return 302 /home; } location /home { $page }", 1, 2,
      'served' ],
) {
    my ($name, $plain, $without, $with, $result) = @$_;

    origin(refused($page), '', "server_name site.test; $plain");

    is(probe()->{status}, $without, "plain HTTP: $name");

    my $answer = probe('--cert', $good);

    is("$answer->{status} $answer->{plain_http}{result}", "$with $result",
       "plain HTTP: $name, with a certificate");
}

origin(refused($page),
       "server { listen 127.0.0.1:$http default_server; $page }",
       'server_name site.test; return 301 https://$host$request_uri;');

my $plain = probe('--cert', $good);

is("$plain->{status} $plain->{names}[-1]{result}", '2 served',
   'plain HTTP: the site under another Host');
like($plain->{why}, qr/^not enforced: the origin serves .* over plain HTTP /,
     'plain HTTP: said');

# A server behind the front, which refuses the front: its page is not the
# front's, whether that asks for a certificate or not.

my $backend = 'server { ' . $nginx->listen_tls($behind) . ' aop on; }';
my $proxy   = "location / { proxy_pass https://127.0.0.1:$behind; "
              . 'proxy_ssl_verify off; }';
my $own     = 'proxy_intercept_errors off;';

for (
    [ 'asks', "aop optional; $proxy $own", qr/a server behind the origin/ ],
    [ 'asks, and the page has a status of its own', "aop optional; $proxy $own",
      qr/a server behind the origin/, 'error_page 495 496 =495 /refused; '
      . 'location /refused { aop off; return 495; }' ],
    [ 'asks nobody', "aop off; $proxy $own",
      qr/the origin did not request one/ ],
) {
    my ($name, $site, $says, $more) = @$_;

    origin($site, ($backend =~ s/(?=\}$)/$more || ''/er)
                  . "server { $default return 444; }");

    my $answer = probe();

    is($answer->{status}, 1, "a front that $name");
    like($answer->{why}, $says, "a front that $name: said");
    isnt(probe('--cert', $good)->{status}, 0,
         "a front that $name: with a certificate");
}

# HTTP/3.

origin(refused($page) . ' add_header Alt-Svc \'h3=":443"; ma=86400\' always;',
       '');

my $http3 = probe();

is("$http3->{status} $http3->{http3}", '0 1', 'HTTP/3 is announced');
is($http3->{why}, 'enforced: clients without a valid certificate are rejected '
   . '(HTTP/3 is announced but was not tested)', 'HTTP/3: said');
like(aopctl('probe', "127.0.0.1:$port", '--no-http', '--sni',
            'site.test')->{out},
     qr/^  HTTP\/3 \(announced by Alt-Svc\): not tested$/m, 'HTTP/3: a line');

# A protocol that cannot carry the given certificate says nothing of it.  Here
# it is TLS 1.3, which has one curve for a signature; ML-DSA is not for TLS 1.2.

SKIP: {
    skip 'nginx has no ssl_conf_command', 4
        unless $nginx->knows('ssl_conf_command');

    my $p384  = $ca->leaf('edge', key => 'ec:secp384r1');
    my $given = $nginx->path($nginx->write('p384.pem', $p384->pem
                                                       . $p384->key_pem));

    my $only  = 'ssl_conf_command ClientSignatureAlgorithms';

    origin(refused($page), "$only ECDSA+SHA256;");

    my $answer = probe('--cert', $given);

    is(join(' ', map { $_->{result} } grep { $_->{stranger} eq 'given' }
                 @{ $answer->{visits} }),
       'not_offered served not_offered', 'a protocol without its signature');
    is($answer->{status}, 0, 'a protocol without its signature: exit status');

    origin(refused($page), "$only RSA+SHA256;");

    $answer = probe('--cert', $given);

    is($answer->{status}, 1, 'no protocol with its signature: exit status');
    like($answer->{why}, qr/given certificate could not be presented/,
         'no protocol with its signature: said');
}

$nginx->finish;
done_testing();
