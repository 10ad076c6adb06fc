#!/usr/bin/perl

# Each credential a client may show, in each mode, over each version of TLS and
# HTTP: what it is called, and whether it is served.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

use constant DAY => 86400;

my $now   = time();
my $root  = ca([ O => 'Edge', CN => 'Root' ]);
my $inter = $root->intermediate('Intermediate');
my $below = $inter->intermediate('Below the intermediate');
my $other = ca([ O => 'Edge', CN => 'Root' ]);
my $origin = ca([ C => 'US', O => 'CloudFlare, Inc.',
                  OU => 'CloudFlare Origin SSL Certificate Authority',
                  L => 'San Francisco', ST => 'California' ]);

my @credential = (

    # name, verdict, certificate, chain

    [ 'none', 'none' ],
    [ 'good RSA', 'ok', $root->leaf('edge', key => 'rsa') ],
    [ 'good EC', 'ok', $root->leaf('edge') ],
    [ 'good, no EKU', 'ok', $root->leaf('edge', eku => undef) ],
    [ 'good, no EKU, no KU', 'ok',
      $root->leaf('edge', eku => undef, ku => undef) ],
    [ 'good, EKU of client and server', 'ok',
      $root->leaf('edge', eku => 'clientAuth,serverAuth') ],
    [ 'through an intermediate', 'ok', $inter->leaf('edge'), [ $inter ] ],
    [ 'subject of its CA', 'ok',
      $root->leaf([ O => 'Edge', CN => 'Root' ]) ],
    [ 'other CA of the same name', 'untrusted', $other->leaf('edge') ],
    [ 'unknown CA', 'untrusted', ca('Unknown')->leaf('edge') ],
    [ 'unknown CA, sent along', 'untrusted', $other->leaf('edge'),
      [ $other ] ],
    [ 'self-signed', 'untrusted', self_signed('edge') ],
    [ 'self-signed, name of the CA', 'untrusted',
      self_signed([ O => 'Edge', CN => 'Root' ]) ],
    [ 'intermediate not sent', 'untrusted', $inter->leaf('edge') ],
    [ 'Origin CA by name', 'origin_ca', $origin->leaf('edge') ],
    [ 'expired', 'expired',
      $root->leaf('edge', not_before => $now - 9 * DAY,
                          not_after  => $now - DAY) ],
    [ 'expired a minute ago', 'expired',
      $root->leaf('edge', not_after => $now - 60) ],
    [ 'not yet valid', 'not_yet_valid',
      $root->leaf('edge', not_before => $now + DAY) ],
    [ 'serverAuth only', 'purpose',
      $root->leaf('edge', eku => 'serverAuth') ],
    [ 'too deep', 'depth', $below->leaf('edge'), [ $below, $inter ] ],
    [ 'below a leaf', 'invalid', below($root->leaf('no CA')) ],
);

my $nginx = nginx();
my %port;

@port{qw(off optional on)} = $nginx->ports(3);
$nginx->write('ca.pem', $root);

my $servers = join "\n", map {
    my $listen = $nginx->listen_tls($port{$_});
    "server { $listen aop $_; location / { return 200 served; } }";
} sort keys %port;

my $show = show();

$nginx->configure(<<"EOF")->start;
    aop_ca ca.pem;
    $show
    $servers
EOF

for my $tls ('1.2', '1.3') {
    for my $http ('1.1', '2') {
        for (@credential) {
            my ($name, $verdict, $cert, $chain) = @$_;
            my %client = (tls => $tls, http => $http, cert => $cert,
                          chain => $chain);
            my $where  = "TLS $tls, HTTP/$http: $name";
            my $good   = $verdict eq 'ok';

            is(seen(get($port{off}, %client)), '200 off - -', "$where: off");

            is(seen(get($port{optional}, %client)),
               "200 optional $verdict "
               . ($good ? 'PASSED' : 'REJECTED_DRY_RUN'),
               "$where: optional");

            my $answer = get($port{on}, %client);

            is(seen($answer), $good ? '200 on ok PASSED'
                                    : "400 on $verdict REJECTED",
               "$where: on");
            like($answer->body, body_of($verdict), "$where: on, its page");
        }
    }
}

$nginx->finish;

done_testing();


# what a client gets to see: nginx's own pages for 495 and 496
sub body_of {
    my ($verdict) = @_;

    return $verdict eq 'ok'   ? qr/^served$/
         : $verdict eq 'none' ? qr/No required SSL certificate was sent/
         :                      qr/The SSL certificate error/;
}


# a certificate signed by one that is no CA, and the latter as its chain
sub below {
    my ($leaf) = @_;

    return ($leaf->leaf('edge'), [ $leaf ]);
}
