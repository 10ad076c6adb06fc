#!/usr/bin/perl

# Whose TLS directives a post-quantum certificate depends on: those of the
# default server before SNI, those of the server that SNI selects after that, if
# it has a certificate of its own.  A client tries it; "nginx -t" warns where
# none is presented, and nowhere else.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

plan skip_all => 'this OpenSSL has no ML-DSA'
    if !AOP::Test::Cert->has('ML-DSA-44');

my $nginx = nginx(tls => 0);
my $ca    = ca('PQ CA', key => 'ML-DSA-44');
my $leaf  = $ca->leaf('edge', key => 'ML-DSA-44');

my $site = AOP::Test::Cert->self_signed('server.test', key => 'ec:secp521r1',
                                        digest => 'sha512');

$nginx->write('pq.pem', $ca);
$nginx->write('site.crt', $site);
$nginx->write('site.key', $site->key_pem);

my $own     = 'ssl_certificate site.crt; ssl_certificate_key site.key; ';
my $old     = 'ssl_protocols TLSv1.2; ';
my $max     = 'ssl_conf_command MaxProtocol TLSv1.2; ';
my $without = 'ssl_conf_command Protocol -TLSv1.3; ';
my $none    = 'ssl_conf_command ClientSignatureAlgorithms RSA-PSS+SHA256; ';
my $names   = 'ssl_conf_command SignatureAlgorithms ECDSA+SHA512:ML-DSA-44; ';
my $level   = 'ssl_ciphers ALL:@SECLEVEL=4; ';
my $by_id   = 'ssl_session_tickets off; ';
my $cache   = 'ssl_session_cache shared:S:1m; ';

# from nginx 1.29.2 on SNI also selects "ssl_protocols"

my $late = AOP::Test::Nginx->version >= 1029002;

# name, the default server, the server, whose warning is expected: the default
# server's, its own, or none; and what it is about

my @case = (
    [ 'all there', $own, '', '' ],
    [ 'all there, own certificate', $own, $own, '' ],
    [ 'old version', "$own$old", '', 'default', 'ssl_protocols' ],
    [ 'old version, own certificate', "$own$old", $own,
      $late ? '' : 'default', 'ssl_protocols' ],
    [ 'old version of its own, no certificate', $own, $old, '' ],
    [ 'old version of its own', $own, "$own$old", $late ? 'server' : '',
      'ssl_protocols' ],
    [ 'old version of both', "$own$old", "$own$old",
      $late ? 'server' : 'default', 'ssl_protocols' ],
    [ 'a catch-all of an old version', "ssl_reject_handshake on; $old", $own,
      $late ? '' : 'default', 'ssl_protocols' ],
    [ 'largest version', "$own$max", '', 'default', 'ssl_conf_command' ],
    [ 'largest version, own certificate', "$own$max", $own, 'default',
      'ssl_conf_command' ],
    [ 'largest version of its own', $own, "$own$max", '' ],
    [ 'version taken away', "$own$without", '', 'default',
      'ssl_conf_command' ],
    [ 'version taken away, own certificate', "$own$without", $own,
      $late ? '' : 'default', 'ssl_conf_command' ],
    [ 'signatures', "$own$none", '', 'default', 'signature algorithms' ],
    [ 'signatures by other names', "$own$names", '', '' ],
    [ 'signatures, own certificate', "$own$none", $own, '' ],
    [ 'signatures of its own, no certificate', $own, $none, '' ],
    [ 'signatures of its own', $own, "$own$none", 'server',
      'signature algorithms' ],
    [ 'level', "$own$level", '', 'default', 'security level' ],
    [ 'level, own certificate', "$own$level", $own, '' ],
    [ 'level of its own, no certificate', $own, $level, '' ],
    [ 'level of its own', $own, "$own$level", 'server', 'security level' ],
    [ 'a level of the default and signatures of its own', "$own$level",
      "$own$none", 'server', 'signature algorithms' ],
);

my @port = $nginx->ports(@case + 2);
my @conf = ('aop_log_interval 0; aop_edge 127.0.0.1;', show());

for my $i (0 .. $#case) {
    my ($name, $first, $server) = @{ $case[$i] };

    push @conf, "server { listen 127.0.0.1:$port[$i] ssl; server_name d.test;"
                . " $first }",
                "server { listen 127.0.0.1:$port[$i] ssl; server_name s.test;"
                . " aop on; aop_ca pq.pem; $server location / { return 200; } }";
}

$nginx->configure(join "\n", @conf)->start;

my @line    = split /\n/, $nginx->read('nginx.conf');
my @warning = grep { /\[warn\].*post-quantum|\[warn\].*ML-DSA/ }
              split /\n/, $nginx->startup_output;

for my $i (0 .. $#case) {
    my ($name, undef, undef, $whose, $what) = @{ $case[$i] };
    my ($default, $server) = grep { $line[$_ - 1] =~ /:$port[$i] ssl/ }
                             1 .. @line;
    my @said = grep { /nginx\.conf:(?:$default|$server)\b/ } @warning;

    my $mark   = $nginx->mark;
    my $answer = get($port[$i], sni => 's.test', cert => $leaf);

    is(seen($answer), $whose ? '400 on none REJECTED' : '200 on ok PASSED',
       "$name: a client with such a certificate");
    is(scalar @said, $whose ? 1 : 0, "$name: warnings") or diag("@said");

    next if !$whose;

    like("@said", $whose eq 'server'
         ? qr/the server in \S*nginx\.conf:$server (?!which)/
         : qr/the\ server\ in\ \S*nginx\.conf:$default,\ which\ also\ applies
              \ to\ the\ server\ in\ \S*nginx\.conf:$server,/x,
         "$name: whose it is");
    like("@said", qr/\Q$what\E/, "$name: what it is");
    like($nginx->wait_log(qr/refused: none: .*server: s\.test/, $mark),
         qr/a post-quantum certificate is presented only/,
         "$name: the hint of \"none\"");
}

$nginx->stop;

# one warning for all servers that have it of the default server, and the
# default server alone if it trusts such a certificate itself

for ([ '', qr/:\d+, which also applies to the server in \S+:\d+,/ ],
     [ 'aop on; aop_ca pq.pem;', qr/:\d+ does not include/ ])
{
    my ($first, $named) = @$_;
    my $listen = "listen 127.0.0.1:$port[-1] ssl";

    my ($code, $output) = $nginx->configure(
        "server { $listen; server_name d.test; $own$old $first }"
        . join '', map { "server { $listen; server_name s$_.test; aop on;"
                         . ' aop_ca pq.pem; }' } 1 .. 3)->test_config;
    my @said = grep { /does not include TLSv1\.3/ } split /\n/, $output;

    is($code, 0, 'several servers: nginx starts');
    is(scalar @said, 1, 'several servers: one warning');
    like("@said", qr/"ssl_protocols" of the server in \S+$named/,
         'several servers: whose');
}

# sessions are too large for the cache of the default server, up to some version

my $large = AOP::Test::Nginx->version >= 1028000;

for ([ "$own$cache", "$own$by_id", 1 ], [ "$own$by_id$cache", '', 1 ],
     [ $own, "$own$by_id$cache", 0 ], [ "$own$cache", $own, 0 ],
     [ "$own$cache", $by_id, 0 ])
{
    my ($first, $server, $warned) = @$_;
    my ($code, $output) = $nginx->configure(<<"CONF")->test_config;
        server { listen 127.0.0.1:$port[-1] ssl; server_name d.test; $first }
        server { listen 127.0.0.1:$port[-1] ssl; server_name s.test; aop on;
                 aop_ca pq.pem; $server }
CONF

    is(scalar(() = $output =~ /"ssl_session_tickets off" of .* 4096 bytes/g),
       $large ? 0 : $warned, "sessions: $first, $server");
}

$nginx->finish;
done_testing();
