#!/usr/bin/perl

# $ssl_client_verify and stock ssl_verify_client beside "aop": neither may say
# what is not true, nor lend the other its result.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $stock = ca('Stock CA');
my $edge  = ca('Edge CA');
my $inter = $edge->intermediate('Intermediate');

my $nginx = nginx();
my $port  = $nginx->ports;
my $listen = $nginx->listen_tls($port);
my $show  = show();

$nginx->write('stock.pem', $stock);
$nginx->write('edge.pem', $edge);
$nginx->write('inter.pem', $inter);

my $verify = 'ssl_client_certificate stock.pem; ssl_verify_client';

$nginx->configure(join "\n", $show,
    'add_header X-Verify $ssl_client_verify always;',
    map {
        my ($name, $rest) = @$_;
        "server { $listen server_name $name; $rest"
        . ' location / { return 200; } }';
    } (
        [ 'nothing', '' ],
        [ 'optional', 'aop optional; aop_ca edge.pem;' ],
        [ 'on', 'aop on; aop_ca edge.pem;' ],
        [ 'off', 'aop off; aop_ca edge.pem;' ],
        [ 'partial', 'aop on; aop_ca inter.pem;' ],
        [ 'stock', "$verify optional;" ],
        [ 'watched', "$verify optional_no_ca; aop optional; aop_ca edge.pem;" ],
        [ 'enforced', "$verify optional_no_ca; aop on; aop_ca edge.pem;" ],
        [ 'strict', "$verify on; aop optional; aop_ca edge.pem;" ],
        [ 'lenient', "$verify optional; aop optional; aop_ca edge.pem;" ],
        [ 'equal', "$verify on; aop on; aop_ca stock.pem;" ],
    ));
$nginx->start;

my $none;
my $of_edge   = $edge->leaf('of edge');
my $of_stock  = $stock->leaf('of stock');
my $of_nobody = self_signed('of nobody');
my $expired   = $edge->leaf('expired', not_after => time() - 60);
my $server    = $edge->leaf('server', eku => 'serverAuth');
my $below     = $inter->leaf('below');

my $bad   = qr/FAILED:(?:unable to|self.signed|certificate|un\w+ )/;
my $dry   = 'REJECTED_DRY_RUN';

for my $tls ('1.2', '1.3') {
    for (

        # server, certificate, answer, $ssl_client_verify, what

        # ours alone

        [ 'nothing', $of_edge, '200 off - -', qr/NONE/, 'not asked' ],
        [ 'off', $of_edge, '200 off - -', qr/NONE/, 'off, not asked' ],
        [ 'optional', $none, "200 optional none $dry", qr/NONE/, 'none' ],
        [ 'optional', $of_edge, '200 optional ok PASSED', qr/SUCCESS/,
          'good' ],
        [ 'optional', $of_nobody, "200 optional untrusted $dry", $bad,
          'self-signed' ],
        [ 'optional', $of_stock, "200 optional untrusted $dry", $bad,
          'foreign' ],
        [ 'optional', $expired, "200 optional expired $dry",
          qr/FAILED:certificate has expired/, 'expired' ],
        [ 'optional', $server, "200 optional purpose $dry", qr/FAILED:un/,
          'purpose' ],
        [ 'on', $of_edge, '200 on ok PASSED', qr/SUCCESS/, 'on, good' ],
        [ 'on', $of_nobody, '400 on untrusted REJECTED', $bad, 'on, bad' ],
        [ 'partial', $below, '200 on ok PASSED', qr/SUCCESS/,
          'anchor that is no root' ],

        # stock alone: untouched

        [ 'stock', $none, '200 off - -', qr/NONE/, 'stock alone, none' ],
        [ 'stock', $of_stock, '200 off - -', qr/SUCCESS/,
          'stock alone, good' ],
        [ 'stock', $of_edge, '400 off - -', $bad, 'stock alone, bad' ],

        # both, of different opinions

        [ 'watched', $none, "200 optional none $dry", qr/NONE/,
          'both, none' ],
        [ 'watched', $of_stock, "200 optional untrusted $dry", qr/SUCCESS/,
          'both, good for stock' ],
        [ 'watched', $of_edge, '200 optional ok PASSED', $bad,
          'both, good for us' ],
        [ 'watched', $of_nobody, "200 optional untrusted $dry", $bad,
          'both, bad for both' ],
        [ 'enforced', $of_stock, '400 on untrusted REJECTED', qr/SUCCESS/,
          'both, on: good for stock' ],
        [ 'enforced', $of_edge, '200 on ok PASSED', $bad,
          'both, on: good for us' ],
        [ 'equal', $of_stock, '200 on ok PASSED', qr/SUCCESS/,
          'both, good for both' ],

        # stock refuses by itself, before any mode is applied

        [ 'strict', $none, '400 - none -', qr/NONE/, 'stock on, none' ],
        [ 'strict', $of_edge, '400 - ok -', $bad,
          'stock on, good for us' ],
        [ 'strict', $of_stock, "200 optional untrusted $dry", qr/SUCCESS/,
          'stock on, good for stock' ],
        [ 'lenient', $of_edge, '400 - ok -', $bad,
          'stock optional, good for us' ],
        [ 'lenient', $none, "200 optional none $dry", qr/NONE/,
          'stock optional, none' ])
    {
        my ($name, $cert, $expected, $truth, $what) = @$_;

        my $answer = get($port, tls => $tls, sni => $name, cert => $cert,
                         chain => $cert && $cert == $below ? [ $inter ] : []);
        is(seen($answer), $expected, "TLS $tls: $what");
        like($answer->header('X-Verify'), qr/^$truth/,
             "TLS $tls: $what, as nginx calls it");
    }
}

my ($code, $output) = $nginx->test_config;

is($code, 0, 'nginx -t accepts it');
is(scalar(() = $output =~ /\[warn\].*"ssl_verify_client" is used with "aop"/g), 3,
   'nginx -t: three servers where stock refuses by itself');

$nginx->finish;

done_testing();
