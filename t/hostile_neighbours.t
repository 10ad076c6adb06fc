#!/usr/bin/perl

# Servers with "ssl_verify_client" beside one with "aop", at one address: what
# they refuse without the module they refuse with it, whatever was requested
# before on the connection, by whichever name, over whichever protocol; and
# $ssl_client_verify says the same at each place in the order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $edge  = ca('Edge CA');
my $stock = ca('Stock CA');

my %cert = (
    none   => undef,
    edge   => $edge->leaf('of edge'),
    stock  => $stock->leaf('of stock'),
    nobody => self_signed('of nobody'),
);

# the server's key is one that makes resuming pay

my $server = AOP::Test::Cert->new(subject => 'server', key => 'rsa');

my $aop    = 'aop_ca edge.pem; aop';
my $verify = 'ssl_client_certificate stock.pem; ssl_verify_client';

# what each server has without the module

my %neighbour = (
    edge     => '',
    plain    => '',
    on       => "$verify on;",
    optional => "$verify optional;",
    no_ca    => "$verify optional_no_ca;",
    equal    => 'ssl_client_certificate edge.pem; ssl_verify_client on;',
    both     => "$verify optional_no_ca;",
);

my @hosts = sort keys %neighbour;

my $say   = 'add_header X-Verify $ssl_client_verify always;';


# instance(%options): nginx with those servers, 'first' as the default one, and
# 'mode' in the server that uses "aop"; module => 0: the same without it.
sub instance {
    my (%opt) = @_;

    my $nginx  = nginx(module => $opt{module});
    my $port   = $nginx->ports;
    my $listen = $nginx->listen_tls($port);
    my $config = "$say map \$host \$mode { default optional; }";

    $nginx->write(@$_) for [ 'server.crt', $server ],
        [ 'server.key', $server->key_pem ], [ 'edge.pem', $edge ],
        [ 'stock.pem', $stock ];

    my %ours = $opt{module} ? (edge => "$aop $opt{mode};",
                               both => "$aop optional;") : ();
    my $in = '';

    if ($opt{module} && $opt{mode} eq 'in a location') {
        $ours{edge} = "$aop off;";
        $in = 'aop on;';
    }

    for my $name ($opt{first}, grep { $_ ne $opt{first} } @hosts) {
        $config .= " server { $listen server_name $name.test;"
                   . " $neighbour{$name} " . ($ours{$name} || '')
                   . ' location / { ' . ($name eq 'edge' ? $in : '')
                   . ' return 200; } }';
    }

    $nginx->configure($config)->start;

    return ($nginx, $port);
}


# answer($response): its status and what nginx says of the certificate.
sub answer {
    my ($response) = @_;

    return $response->status
           ? $response->status . ' ' . $response->header('X-Verify') : undef;
}


# visits($port, %options): { host => { answer => 1, ... } } of all orders on
# connections of one kind, full and resumed.
sub visits {
    my ($port, %opt) = @_;

    my %answers;

    my $go = sub {
        my ($client, @order) = @_;

        for my $host (@order) {
            my $answer = answer($client->get('/', host => "$host.test"));
            last unless defined $answer;
            $answers{$host}{$answer} = 1;
            last if $client->{http} ne '2' && $answer !~ /^200 /;
        }

        return $client;
    };

    my $client = $go->(client($port, %opt, http => '2'), @hosts,
                       reverse @hosts);
    my $session = $client->session;
    $client->close;

    for my $order ([ 'edge', 'on' ], [ 'edge', 'optional' ], [ 'on', 'edge' ],
                   [ 'plain', 'edge', 'plain', 'on' ], [ 'both', 'edge' ])
    {
        $go->(client($port, %opt), @$order)->close;
    }

    $go->(client($port, %opt, session => $session), 'edge', 'on')->close;
    $go->(client($port, %opt, http => '2', session => $session),
          'on', 'edge', 'no_ca')->close;

    return \%answers;
}


for (

    # default server, mode of "aop", names in the handshake

    [ 'edge', 'optional', undef, 'on.test', 'edge.test', 'unknown.test' ],
    [ 'edge', 'on', undef ],
    [ 'edge', '$mode', undef ],
    [ 'edge', 'in a location', undef ],
    [ 'on', 'optional', undef, 'edge.test' ],
    [ 'plain', 'on', undef, 'edge.test' ])
{
    my ($first, $mode, @names) = @$_;

    my ($nginx, $port) = instance(first => $first, mode => $mode,
                                  module => 1);
    my ($bare, $bare_port) = instance(first => $first, mode => $mode,
                                      module => 0);

    for my $tls ('1.2', '1.3') {
        for my $sni (@names) {
            for my $cert (sort keys %cert) {
                my %how = (tls => $tls, sni => $sni, cert => $cert{$cert});

                compare(join(', ', "default $first, aop $mode", "TLS $tls",
                             defined $sni ? "SNI $sni" : 'no SNI',
                             "certificate $cert"),
                        visits($port, %how), visits($bare_port, %how));
            }
        }
    }

    exact($port) if $first eq 'edge' && $mode eq 'optional';

    $_->finish for $nginx, $bare;
}

early();
without_certificate();
other_session();
other_module();

done_testing();


# compare($where, $answers, $bare): those of nginx with the module and without.
sub compare {
    my ($where, $answers, $bare) = @_;

    my (@changing, @opened);

    for my $host (@hosts) {
        my @answer = sort keys %{ $answers->{$host} || {} };

        push @changing, map { "$host: $_" } @answer if @answer > 1;

        # a server that verifies: nginx's own result, or a failure; 421 is the
        # answer of the server that the handshake was for

        next unless $neighbour{$host};

        push @opened, map { "$host: $_" }
            grep { !$bare->{$host}{$_} && !/^(?:400 (?!SUCCESS)|421 )/ }
            @answer;
    }

    is("@changing", '', "$where: the same in each order");
    is("@opened", '', "$where: nothing opened");

    return;
}


# exact($port): what is said on a connection that was made without a name.
sub exact {
    my ($port) = @_;

    my $local = 'FAILED:unable to get local issuer certificate';
    my $first = 'FAILED:unable to verify the first certificate';
    my $ours  = 'FAILED:application verification failure';

    for (
        [ 'edge', 'edge', '200 SUCCESS' ],
        [ 'edge', 'on', "400 $ours" ],
        [ 'edge', 'optional', "400 $ours" ],
        [ 'edge', 'no_ca', "400 $ours" ],
        [ 'edge', 'equal', "400 $ours" ],
        [ 'edge', 'plain', "200 $ours" ],
        [ 'stock', 'edge', "200 $local" ],
        [ 'stock', 'on', "400 $ours" ],
        [ 'stock', 'no_ca', "400 $ours" ],
        [ 'none', 'edge', '200 NONE' ],
        [ 'none', 'on', '400 NONE' ],
        [ 'none', 'optional', '200 NONE' ])
    {
        my ($cert, $host, $expected) = @$_;

        is(answer(get($port, cert => $cert{$cert}, host => "$host.test")),
           $expected, "certificate $cert, no SNI, Host $host.test");
    }

    # with its own name a server has its own result

    for (
        [ 'stock', 'on', '200 SUCCESS' ],
        [ 'edge', 'on', "400 $first" ],
        [ 'edge', 'no_ca', "200 $first" ],
        [ 'edge', 'equal', '200 SUCCESS' ],
        [ 'none', 'on', '400 NONE' ])
    {
        my ($cert, $host, $expected) = @$_;

        is(answer(get($port, cert => $cert{$cert}, sni => "$host.test")),
           $expected, "certificate $cert, SNI and Host $host.test");
    }

    # a certificate that is good for the server of the request, though not for
    # the one of the handshake, and the other way around

    is(answer(get($port, cert => $cert{edge}, sni => 'plain.test',
                  host => 'edge.test')), '200 NONE',
       'SNI of a server that requests no certificate, Host edge.test');
    is(answer(get($port, cert => $cert{edge}, sni => 'on.test',
                  host => 'edge.test')), '200 SUCCESS',
       'SNI on.test, Host edge.test, good for this one');
    is(answer(get($port, cert => $cert{stock}, sni => 'on.test',
                  host => 'edge.test')), "200 $local",
       'SNI on.test, Host edge.test, good for that one');

    return;
}


# early(): requests that end before any module sees them.
sub early {
    my $nginx  = nginx();
    my $port   = $nginx->ports;
    my $listen = $nginx->listen_tls($port);

    $nginx->write('edge.pem', $edge);

    $nginx->configure(<<"EOC")->start;
        $aop on;
        $say
        log_format early '\$status \$ssl_client_verify \$aop_verdict';
        access_log early.log early;
        client_header_timeout 1s;
        large_client_header_buffers 2 1k;
        server { $listen return 200; }
EOC

    my %early = (
        400 => "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        408 => "GET / HTTP/1.1\r\nHo",
        414 => 'GET /' . 'a' x 4000 . " HTTP/1.1\r\nHost: a\r\n\r\n",
        405 => "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
    );

    for my $tls ('1.2', '1.3') {
        for (
            [ 'edge', qr/^SUCCESS ok$/ ],
            [ 'nobody', qr/^FAILED:self.signed certificate untrusted$/ ],
            [ 'none', qr/^NONE none$/ ])
        {
            my ($cert, $expected) = @$_;

            for my $status (sort keys %early) {
                $nginx->write('early.log', '');
                client($port, tls => $tls, cert => $cert{$cert})
                    ->talk($early{$status});

                my $line = $nginx->wait_file('early.log', qr/^\d/);
                my ($seen, $said) = $line =~ /^(\d+) (.*)/;

                is($seen, $status, "TLS $tls, $cert: $status");
                like($said, $expected, "TLS $tls, $cert, $status, as logged");
            }
        }
    }

    $nginx->finish;

    return;
}


# without_certificate(): a server that verifies but has no certificate of its
# own is in the hands of the default server's, whose CAs are not for clients.
sub without_certificate {
    my $nginx  = nginx(tls => 0);
    my $port   = $nginx->ports;
    my $listen = $nginx->listen_tls($port);

    $nginx->write(@$_) for [ 'server.crt', $server ],
        [ 'server.key', $server->key_pem ], [ 'edge.pem', $edge ],
        [ 'stock.pem', $stock ];

    $nginx->configure(<<"EOC")->start;
        $say
        server {
            $listen
            server_name edge.test;
            ssl_certificate server.crt;
            ssl_certificate_key server.key;
            ssl_trusted_certificate stock.pem;
            $aop optional;
            location / { return 200; }
        }
        server {
            $listen
            server_name on.test;
            $verify on;
            location / { return 200; }
        }
        server {
            $listen
            server_name no_ca.test;
            $verify optional_no_ca;
            location / { return 200; }
        }
EOC

    for my $tls ('1.2', '1.3') {
        for my $cert (qw(edge stock nobody)) {
            for my $sni (undef, 'on.test') {
                like(answer(get($port, tls => $tls, cert => $cert{$cert},
                                sni => $sni, host => 'on.test')),
                     qr/^400 FAILED:/, "TLS $tls, $cert: not verified by the "
                     . 'default server, SNI ' . (defined $sni ? $sni : 'none'));
            }

            unlike(answer(get($port, tls => $tls, cert => $cert{$cert},
                              sni => 'no_ca.test')),
                   qr/SUCCESS/, "TLS $tls, $cert: optional_no_ca");
        }

        is(answer(get($port, tls => $tls, sni => 'on.test')), '400 NONE',
           "TLS $tls, none: not verified by the default server");
    }

    $nginx->finish;

    return;
}


# other_session(): one of a server that has both, "aop" and "ssl_verify_client",
# holds a result of nginx's own, which is not to come with it to another.
sub other_session {
    for my $how ('', 'ssl_session_tickets off; ssl_session_cache shared:S:1m;')
    {
        my $nginx  = nginx();
        my $port   = $nginx->ports;
        my $listen = $nginx->listen_tls($port);

        $nginx->write(@$_) for [ 'server.crt', $server ],
            [ 'server.key', $server->key_pem ], [ 'edge.pem', $edge ],
            [ 'stock.pem', $stock ];

        $nginx->configure(<<"EOC")->start;
            $say
            $how
            server {
                $listen
                server_name edge.test;
                $aop on;
                location / { return 200; }
            }
            server {
                $listen
                server_name both.test;
                $aop on;
                ssl_client_certificate edge.pem;
                ssl_verify_client on;
                location / { return 200; }
            }
            server {
                $listen
                server_name on.test;
                $verify on;
                location / { return 200; }
            }
EOC

        for my $tls ('1.2', '1.3') {
            my $where  = "TLS $tls, " . ($how ? 'session cache' : 'tickets');
            my $client = client($port, tls => $tls, sni => 'both.test',
                                cert => $cert{edge});

            is(answer($client->get('/')), '200 SUCCESS', "$where: both");

            my $session = $client->session;
            $client->close;

            for my $sni (undef, 'edge.test', 'unknown.test', 'on.test') {
                my %how = (tls => $tls, sni => $sni, host => 'on.test',
                           cert => $cert{edge}, session => $session);
                my $other = client($port, %how);

                # nginx itself may end such a handshake, or answer 421

                unlike(answer($other->get('/')) || '',
                       qr/^(?!421 ).*(?:200|SUCCESS)/,
                       "$where: its session in another server, SNI "
                       . (defined $sni ? $sni : 'none'));
                ok(!$other->resumed, "$where: a full handshake");
                $other->close;
            }
        }

        $nginx->finish;
    }

    return;
}


# other_module(): one that verifies by a callback of its own, and fails every
# certificate with the very error that the module leaves in OpenSSL: its result
# is that of its server, and of no other.
sub other_module {
    my $module = $ENV{AOP_TEST_MODULE}
        || AOP::Test::checkout() . '/build/ngx_http_aop_test_module.so';

  SKIP: {
    skip "no $module", 1 unless -e $module;

    my $nginx  = nginx(load => [ $module ]);
    my $port   = $nginx->ports;
    my $listen = $nginx->listen_tls($port);
    my $show   = show();

    $nginx->write(@$_) for [ 'server.crt', $server ],
        [ 'server.key', $server->key_pem ], [ 'edge.pem', $edge ],
        [ 'stock.pem', $stock ];

    $nginx->configure(<<"EOC")->start;
        $say
        $show
        $aop on;
        server {
            $listen
            server_name other.test;
            aop_test verify;
            location / { return 200; }
        }
        server { $listen server_name edge.test; location / { return 200; } }
        server {
            $listen
            server_name on.test;
            aop off;
            $verify on;
            location / { return 200; }
        }
EOC

    my $theirs = 'FAILED:application verification failure';

    for my $tls ('1.2', '1.3') {
        my %how = (tls => $tls, cert => $cert{edge});

        for (
            [ undef, 'other.test', '200 on ok PASSED', $theirs ],
            [ undef, 'edge.test', '200 on ok PASSED', 'SUCCESS' ],
            [ undef, 'on.test', '400 off - -', $theirs ],
            [ 'edge.test', 'other.test', '200 on ok PASSED', 'SUCCESS' ])
        {
            my ($sni, $host, $expected, $said) = @$_;

            my $answer = get($port, %how, sni => $sni, host => $host);
            my $where  = "TLS $tls, a module verifies, SNI "
                         . (defined $sni ? $sni : 'none') . ", Host $host";

            is(seen($answer), $expected, $where);
            is($answer->header('X-Verify'), $said, "$where, as nginx says");
        }

        my (undef, $session) = visit($port, %how, sni => 'other.test');

        is((visit($port, %how, sni => 'edge.test', session => $session))[0],
           '200 on ok PASSED full', "TLS $tls: its session does not resume");
    }

    $nginx->finish;
  }

    return;
}
