#!/usr/bin/perl

# A session that was made with "aop" proves nothing to a server that has only
# "ssl_verify_client" after a reload, with the module or without it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $nginx  = nginx();
my $server = AOP::Test::Cert->new(subject => 'server', key => 'rsa');
my $port   = $nginx->ports;
my $listen = $nginx->listen_tls($port);

my ($ours, $stock) = map { ca("CA $_") } qw(ours stock);
my $leaf = $ours->leaf('edge');

$nginx->write('server.crt', $server);
$nginx->write('server.key', $server->key_pem);
$nginx->write('ours.pem', $ours);
$nginx->write('stock.pem', $stock);
$nginx->write('ticket.key', join '', map { chr int rand 256 } 1 .. 80);

sub config {
    my ($how) = @_;

    return <<"EOC";
    ssl_session_ticket_key ticket.key;
    server { $listen server_name default; }
    server {
        $listen
        server_name protected;
        $how
        location / { return 200 \$ssl_client_verify; }
    }
EOC
}

for my $module (1, 0) {
    $nginx->{module} = 1;
    $nginx->configure(config('aop on; aop_ca ours.pem;'))->start;

    my %session;

    for my $tls ('1.2', '1.3') {
        my $client = client($port, sni => 'protected', tls => $tls,
                            cert => $leaf);

        is($client->get('/')->body, 'SUCCESS', "TLS $tls: passed");
        $session{$tls} = $client->session;
        $client->close;

        is(get($port, sni => 'protected', tls => $tls,
               session => $session{$tls})->body, 'SUCCESS',
           "TLS $tls: passed, resumed");
    }

    $nginx->{module} = $module;
    $nginx->reload(config('ssl_verify_client on;'
                          . ' ssl_client_certificate stock.pem;'));

    for my $tls ('1.2', '1.3') {
        is(get($port, sni => 'protected', tls => $tls,
               session => $session{$tls})->status, 400,
           "TLS $tls: stock refuses it, module " . ($module ? 'there' : 'gone'));
    }

    $nginx->stop;
}

$nginx->finish;

done_testing();
