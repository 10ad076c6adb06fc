#!/usr/bin/perl

# "aopctl probe": is the site open at its address under other names?  What is
# the site's page, and what is that of another one?

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;

my $nginx = nginx();
my ($port, $http) = $nginx->ports(2);

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

# the results of other names over TLS, as "SNI Host result"
sub names {
    my ($answer) = @_;

    return [ map { join ' ', $_->{sni} || '-', @$_{qw(authority result)} }
             grep { $_->{scheme} eq 'https' } @{ $answer->{names} } ];
}

sub refused { return "aop on; location / { $_[0] }" }

# What there is at the address beside an enforced site: exit status without a
# certificate and with one that passes, what is said without and with it.

my $open   = qr/^not enforced: the same site is served under other names at/;
my $hidden = qr/but the site may be served under others/;
my $closed = qr/^enforced: clients without a valid certificate are rejected/;

my $says_reject = qr/"ssl_reject_handshake" does not check the Host/;

# nginx 1.19.4

my $rejects = $nginx->knows('ssl_reject_handshake');

for (
    [ 'the same server', refused($page), '', 0, 0, $closed, $closed ],
    [ 'closes', refused($page), "server { $default return 444; }", 0, 0,
      $closed, $closed ],
    [ 'redirects elsewhere', refused($page),
      "server { $default return 301 https://site.test\$request_uri; }", 0, 0,
      $closed, $closed ],
    [ 'redirects to where one is', refused($page),
      "server { $default return 301 https://\$host\$request_uri; }", 1, 0,
      $hidden, $closed ],
    [ 'another page', refused($page), "server { $default $other }", 1, 0,
      $hidden, $closed ],
    [ 'no page', refused($page), "server { $default return 404; }", 1, 0,
      $hidden, $closed ],
    [ 'the same page', refused($page), "server { $default $page }", 1, 2,
      $hidden, $open ],
    [ 'the same page with another token',
      refused($page =~ s/words/words \$request_id/r),
      "server { $default @{[ $page =~ s/words/words \$request_id/r ]} }", 1, 2,
      $hidden, $open ],
    [ 'a page that always changes', refused('return 200 $request_id;'),
      "server { $default return 200 \$request_id; }", 1, 1, $hidden, $hidden ],
    [ 'an empty page', refused('return 200;'),
      "server { $default return 200; }", 1, 2, $hidden, $open ],
    [ 'the same redirect to itself', refused('return 302 /login;'),
      "server { $default return 302 /login; }", 1, 2, $hidden, $open ],
    [ 'the same redirect to the site', refused('return 302 /login;'),
      "server { $default return 302 https://site.test/login; }", 0, 2, $closed,
      $open ],
    [ 'the same page after a redirect', refused($page),
      "server { $default location = / { return 302 /home; } "
      . "location /home { $page } }", 1, 2, $hidden, $open ],
    [ 'another page after a redirect', refused($page),
      "server { $default location = / { return 302 /home; } "
      . "location /home { $other } }", 1, 0, $hidden, $closed ],
    [ 'redirects without end', refused($page),
      "server { $default rewrite ^(.*) \$1x redirect; }", 1, 0, $hidden,
      $closed ],
    !$rejects ? () : (
        [ 'rejects and closes', refused($page), "server { $default "
          . 'ssl_reject_handshake on; return 444; }', 0, 0, $closed, $closed ],
        [ 'rejects, and shows the same page to another Host', refused($page),
          "server { $default ssl_reject_handshake on; $page }", 1, 2, $hidden,
          qr/$open .*\(SNI site.*; $says_reject/ ],
      [ 'rejects, and shows another page', refused($page),
          "server { $default ssl_reject_handshake on; $other }", 1, 0, $hidden,
          $closed ]),
) {
    my ($name, $site, $rest, $without, $with, $says, $says_with) = @$_;

    origin($site, $rest);

    my $answer = probe();

    is($answer->{status}, $without, "$name: exit status");
    like($answer->{why}, $says, "$name: said");

    $answer = probe('--cert', $good);

    is($answer->{status}, $with, "$name: exit status, with a certificate");
    like($answer->{why}, $says_with, "$name: said, with a certificate");
}

origin(refused($page), "server { $default $page }");

is_deeply(names(probe('--cert', $good)), [
    '- 127.0.0.1 served',
    '- site.test refused',
    '- site.test refused',
    'unrelated.invalid unrelated.invalid served',
    'unrelated.invalid site.test refused',
    'site.test 127.0.0.1 served',
    'site.test unrelated.invalid served',
], 'the names that are tried, and what they get');

# the name's own page, which strangers get, is one to compare with

origin("aop optional; location / { $page }", "server { $default $page }");

is(names(probe())->[0], '- 127.0.0.1 served', 'an open site is known again');

origin("aop optional; location / { $page }", "server { $default $other }");

is(names(probe())->[0], '- 127.0.0.1 another_page', 'as is what is not it');

# for people: no two lines are the same, and no word has an underscore

my $text  = aopctl('probe', "127.0.0.1:$port", '--sni', 'site.test',
                   '--no-http')->{out};
my @names = $text =~ /^( .*Host .*)$/mg;
my %seen;

like($text, qr/^  without SNI, Host 127\.0\.0\.1: another page, /m, 'in words');
like($text, qr/^  TLS $_, without SNI, Host site\.test: /m, "with TLS $_")
    for '1.2', '1.3';
is(scalar(grep { $seen{$_}++ } @names), 0, 'no line twice');

$nginx->finish;
done_testing();
