#!/usr/bin/perl

# What a server has from the default server of its address: "ssl_early_data",
# in any case; and the handshake, if it has no certificate of its own, but not
# "ssl_verify_client", which nginx applies to requests.  A client tries it;
# "nginx -t" warns where it is so, and nowhere else.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $nginx = nginx(tls => 0);
my $ca    = ca('Edge CA');
my $leaf  = $ca->leaf('edge');
my $site  = AOP::Test::Cert->self_signed('server.test');

$nginx->write('ca.pem', $ca);
$nginx->write('edge.crt', $leaf);
$nginx->write('edge.key', $leaf->key_pem);
$nginx->write('site.crt', $site);
$nginx->write('site.key', $site->key_pem);

# OpenSSL's client sends early data in its first records, whatever the request

$nginx->write('request', "GET / HTTP/1.1\r\nHost: s.test\r\n"
                         . "Connection: close\r\n\r\n");

my $own   = 'ssl_certificate site.crt; ssl_certificate_key site.key; ';
my $early = 'ssl_early_data on; ';

# the default server, the server with "aop", whether early data is accepted

my @case = (
    [ $own, '', 0 ],
    [ $own, $own, 0 ],
    [ "$own$early", '', 1 ],
    [ "$own$early", $own, 1 ],
    [ "$own$early", "$own$early", 1 ],
    [ $own, "$own$early", 0 ],
    [ $own, $early, 0 ],
);

my @port = $nginx->ports(scalar @case);

$nginx->configure(join "\n", "client_header_timeout 1s;",
                  map { <<"CONF" } 0 .. $#case)->start;
    server { listen 127.0.0.1:$port[$_] ssl; server_name d.test; $case[$_][0] }
    server { listen 127.0.0.1:$port[$_] ssl; server_name s.test; $case[$_][1]
             aop on; aop_ca ca.pem; location / { return 200; } }
CONF

for my $i (0 .. $#case) {
    my ($first, $server, $accepted) = @{ $case[$i] };
    my $said = () = $nginx->startup_output
                    =~ /"ssl_early_data\ on".*\ "aop"\ at\ 127\.0\.0\.1:$port[$i]:
                        \ early\ data\ can\ be\ replayed/gx;

    is($said, $accepted, "$first, $server: warnings");
    is(early($port[$i]), $accepted ? 'accepted' : 'not sent',
       "$first, $server: early data");
}

$nginx->stop;

# "ssl_verify_client": the default server, the server with "aop", the answers
# with a good certificate and without any

my $verify = 'ssl_verify_client on; ssl_client_certificate ca.pem; ';

for (
    [ $own, '', '200 200' ],
    [ "$own$verify", '', '200 200' ],
    [ $own, $verify, '400 400' ],
    [ $own, "$own$verify", '200 400' ],
) {
    my ($first, $server, $answers) = @$_;

    $nginx->write('stderr.log', '');
    $nginx->configure(<<"CONF")->start;
    server { listen 127.0.0.1:$port[0] ssl; server_name d.test; $first }
    server { listen 127.0.0.1:$port[0] ssl; server_name s.test; $server
             aop optional; aop_ca ca.pem; location / { return 200; } }
CONF

    is(join(' ', map { get($port[0], sni => 's.test', @$_)->status }
                 [ cert => $leaf ], []), $answers, "$first, $server: answers");
    is($nginx->startup_output =~ /"ssl_verify_client" is used with "aop"/ ? 1 : 0,
       $answers eq '200 200' ? 0 : 1, "$first, $server: warning");

    $nginx->stop;
}

$nginx->finish;
done_testing();


# early($port): what becomes of early data in a session that is resumed.
sub early {
    my ($port) = @_;

    my $file = $nginx->path("session.$port");
    my @to   = ('s_client', '-connect', "127.0.0.1:$port", '-tls1_3',
                '-servername', 's.test', '-ign_eof', '-cert',
                $nginx->path('edge.crt'), '-key', $nginx->path('edge.key'));

    openssl($nginx->read('request'), @to, '-sess_out', $file);

    return 'no session' if !-s $file;

    my ($what) = openssl('', @to, '-sess_in', $file, '-early_data',
                         $nginx->path('request'))
                 =~ /^Early data was (.*)$/m;

    return defined $what ? $what : 'no answer';
}
