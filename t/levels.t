#!/usr/bin/perl

# OpenSSL's security level is part of what a verdict is of: a certificate whose
# key is too short, or whose signature is too weak, for the server that a
# request selects does not pass there, whatever server the handshake ran for,
# and however the session came about.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $ca   = ca('Edge CA', key => 'rsa:3072');
my %cert = (
    'RSA-1024' => $ca->leaf('short', key => 'rsa:1024'),
    'SHA-1'    => $ca->leaf('old', key => 'rsa:3072', digest => 'sha1'),
    good       => $ca->leaf('good', key => 'rsa:3072'),
);

# with a key as cheap as P-256 no ticket pays in TLS 1.3
my $dear  = AOP::Test::Cert->new(subject => 'server.test', key => 'rsa:3072');
my $nginx = nginx(tls => 0);
my $show  = show() . ' add_header X-Resumed $aop_resumed always;';

$nginx->write('ca.pem', $ca);
$nginx->write('server.crt', $dear);
$nginx->write('server.key', $dear->key_pem);
$nginx->write('ticket.key', 'k' x 80);

my $own = 'ssl_certificate server.crt; ssl_certificate_key server.key;';

my %keep = (
    ticket => 'ssl_session_ticket_key ticket.key; ssl_session_cache none;',
    cache  => 'ssl_session_tickets off; ssl_session_cache shared:L:2m;',
);

my %server = (
    legacy => "$own ssl_ciphers ALL:\@SECLEVEL=0; aop on;",
    loose  => "$own ssl_ciphers ALL:\@SECLEVEL=0; aop on;",
    strict => "$own ssl_ciphers ALL:\@SECLEVEL=2; aop on;",
    equal  => "$own ssl_ciphers ALL:\@SECLEVEL=2; aop optional;",
    none   => 'aop on;',                # that of the default server
);

my %port;
my @way = ('legacy ticket', 'legacy cache', 'strict ticket', 'strict cache');

@port{@way} = $nginx->ports(scalar @way);

sub configuration {
    my ($change) = @_;
    my @http;

    for my $way (@way) {
        my ($first, $keep) = split / /, $way;
        my $listen = $nginx->listen_tls($port{$way});

        push @http, map {
            my $directives = $server{$_};
            $directives = $change->($_, $directives) if $change;
            "server { $listen server_name $_; $keep{$keep} $directives"
            . ' location / { return 200; } }'
        } $first, grep { $_ ne $first } sort keys %server;
    }

    # "http2 on" may stand once only

    my $listen = join ' ', map { $nginx->listen_tls($port{$_}) } @way;
    my $http2  = $listen =~ s/ http2 on;//g ? 'http2 on;' : '';

    push @http, "server { $listen $http2",
                'server_name spread; aop on; location / { return 200; } }';

    return join "\n", 'aop_ca ca.pem;', $show, @http;
}

$nginx->configure(configuration())->start;

my $served      = '200 on ok PASSED full';
my $again       = '200 on ok PASSED resumed';
my $weak        = qr/^400 on weak REJECTED full$/;
my $misdirected = '421 on misdirected REJECTED';

for my $way (@way) {
    my $port = $port{$way};

    for my $tls ('1.2', '1.3') {
        for my $what ('RSA-1024', 'SHA-1') {
            my $where = "$way, TLS $tls, $what";
            my %how   = (tls => $tls);
            my $cert  = $cert{$what};

            # directly

            my ($got, $session) = visit($port, %how, sni => 'legacy',
                                        cert => $cert);

            is($got, $served, "$where: level 0");
            like((visit($port, %how, sni => 'strict', cert => $cert))[0],
                 $weak, "$where: level 2");

            # the session of the one is none for the other

            is((visit($port, %how, sni => 'legacy', session => $session))[0],
               $again, "$where: resumed where it passed");
            is((visit($port, %how, sni => 'loose', session => $session))[0],
               $again, "$where: resumed at an equal server");
            is((visit($port, %how, sni => 'strict', session => $session))[0],
               '400 on none REJECTED full',
               "$where: not resumed at level 2");
            like((visit($port, %how, sni => 'strict', session => $session,
                        cert => $cert))[0], $weak,
                 "$where: not resumed at level 2, sent again");
            is((visit($port, %how, sni => 'legacy', host => 'strict',
                      session => $session))[0],
               "$misdirected resumed", "$where: resumed, Host of level 2");

            # in any order of Hosts on one connection

            my $client = client($port, %how, http => '2', sni => 'legacy',
                                cert => $cert);

            is(join(', ', map { seen($client->get('/', host => $_)) }
                          qw(legacy strict legacy equal loose strict)),
               join(', ', '200 on ok PASSED', $misdirected,
                    '200 on ok PASSED',
                    '200 optional misdirected REJECTED_DRY_RUN',
                    '200 on ok PASSED', $misdirected),
               "$where: Hosts of both, from level 0");

            $client = client($port, %how, http => '2', sni => 'equal',
                             cert => $cert);

            like(join(', ', map { seen($client->get('/', host => $_)) }
                            qw(equal legacy equal)),
                 qr/^(200 optional \w+ REJECTED_DRY_RUN), 200 on ok PASSED, \1$/,
                 "$where: Hosts of both, from level 2");

            # without an SSL_CTX of its own it has the default server's level

            like((visit($port, %how, sni => 'none', cert => $cert))[0],
                 $way =~ /^strict/ ? $weak : qr/^$served$/,
                 "$where: level of the default server");
            like((visit($port, %how, sni => 'spread', cert => $cert))[0],
                 $weak, "$where: strictest level of the default servers");
        }

        # good everywhere

        my %how = (tls => $tls, cert => $cert{good});

        for my $sni (qw(legacy strict equal none spread)) {
            my $client = client($port, %how, http => '2', sni => $sni);

            is(join(', ', map { seen($client->get('/', host => $_)) }
                          qw(legacy strict none spread equal)),
               '200 on ok PASSED, ' x 4 . '200 optional ok PASSED',
               "$way, TLS $tls: good at both levels, SNI $sni");
        }
    }
}

# a session outlives its configuration, the level that it passed does not

my %session;

for my $way (@way) {
    for my $tls ('1.2', '1.3') {
        for my $what (sort keys %cert) {
            (undef, $session{$way}{$tls}{$what})
                = visit($port{$way}, tls => $tls, sni => 'legacy',
                        cert => $cert{$what});
        }
    }
}

ok($nginx->reload(configuration(sub {
    my ($name, $directives) = @_;
    $directives =~ s/SECLEVEL=0/SECLEVEL=2/ if $name eq 'legacy';
    return $directives;
})), 'reload with another level');

for my $way (@way) {
    for my $tls ('1.2', '1.3') {
        for my $what (sort keys %cert) {
            my %how = (tls => $tls, session => $session{$way}{$tls}{$what});

            is((visit($port{$way}, %how, sni => 'legacy'))[0],
               '400 on none REJECTED full',
               "$way, TLS $tls, $what: not resumed after the reload");

            # its own server has to agree as well

            is((visit($port{$way}, %how, sni => 'loose'))[0],
               '400 on none REJECTED full',
               "$way, TLS $tls, $what: nor where the level is the old one");
        }
    }
}

$nginx->finish;
done_testing();
