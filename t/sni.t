#!/usr/bin/perl

# SNI selects the server of the handshake, Host that of the request, and either
# can be spelt in many ways.  Whatever they say: the server that the request
# selects is the one that judges, and a session is resumed where it was good.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my ($a, $b) = (ca('CA A'), ca('CA B'));

my $none;
my $of_a = $a->leaf('of A');
my $of_b = $b->leaf('of B');

# with a key as cheap as P-256 no ticket pays in TLS 1.3
my $dear  = AOP::Test::Cert->new(subject => 'server.test',
                                 key => 'rsa');
my $nginx = nginx();
my ($off_first, $on_first, $alone, $rejecting, $variable) = $nginx->ports(5);
my $rejects = $nginx->knows('ssl_reject_handshake');
my $show = show() . ' add_header X-Resumed $aop_resumed always;';

$nginx->write('server.crt', $dear);
$nginx->write('server.key', $dear->key_pem);
$nginx->write('a.pem', $a);
$nginx->write('b.pem', $b);
$nginx->write('both.pem', [ $a, $b ]);
$nginx->write('mixed.pem', join "# a comment\n\n", map { $_->pem } $b, $a,
              $b);
$nginx->write("$_.crt", $nginx->read('server.crt')) for qw(off a b);

# one server for each way to write a name, all with the policy of A

my @named = (
    [ 'exact.test', 'exact' ],
    [ '*.wild.test', 'wildcard' ],
    [ '.dot.test', 'name and wildcard' ],
    [ 'tail.*', 'wildcard at the end' ],
    [ '~^(?<which>\w+)\.regex\.test$', 'regex' ],
    [ '127.0.0.9', 'address' ],
);

my $policy  = 'aop on; aop_ca a.pem;';
my $content = 'location / { return 200 $server_name; }';

sub servers {
    my ($port, @server) = @_;
    my $listen = $nginx->listen_tls($port);
    return map { my ($name, $rest) = @$_;
                 "server { $listen server_name $name; $rest $content }" }
           @server;
}

my @off = ([ 'off.test', '' ], [ '*.off.test', '' ],
           [ '~^off\w+\.regex\.test$', '' ]);
my @on  = map { [ $$_[0], $policy ] } @named;

$nginx->configure(join "\n", $show,
    servers($off_first, @off, @on,
        [ 'b.test', 'aop on; aop_ca b.pem;' ],
        [ 'both.test', 'aop on; aop_ca both.pem;' ],
        [ 'files.test', 'aop on; aop_ca b.pem a.pem;' ],
        [ 'mixed.test', 'aop on; aop_ca mixed.pem; aop_session_timeout 5m;' ],
        [ 'watched.test', 'aop optional; aop_ca a.pem b.pem;' ]),
    servers($on_first, [ 'a.test', $policy ], @off, @on),
    servers($alone, [ 'a.test', $policy ]),
    $rejects ? servers($rejecting, [ '""', 'ssl_reject_handshake on;' ],
                       @off, @on) : (),
    servers($variable,
        [ 'off', 'ssl_certificate $ssl_server_name.crt;' ],
        [ 'a', "$policy ssl_certificate \$ssl_server_name.crt;" ],
        [ 'b', 'aop on; aop_ca b.pem;'
               . ' ssl_certificate $ssl_server_name.crt;' ]));

$nginx->start;

my $served   = '200 on ok PASSED full';
my $again    = '200 on ok PASSED resumed';
my $asked    = '400 on none REJECTED full';
my $bad      = '400 on untrusted REJECTED full';
my $off      = '200 off - - full';
my $off_again = '200 off - - resumed';
my $misdirected = '421 on misdirected REJECTED full';

# how a client may write the names above

my @spelling = (

    # SNI, what

    [ 'exact.test', 'exact' ],
    [ 'EXACT.Test', 'upper case' ],
    [ 'exact.test.', 'trailing dot' ],
    [ 'EXACT.TEST.', 'upper case, trailing dot' ],
    [ 'x.wild.test', 'wildcard' ],
    [ 'x.y.WILD.test.', 'wildcard, two labels, trailing dot' ],
    [ 'dot.test', 'name and wildcard: name' ],
    [ 'x.dot.test.', 'name and wildcard: wildcard' ],
    [ 'tail.anything', 'wildcard at the end' ],
    [ 'tail.any.thing.', 'wildcard at the end, trailing dot' ],
    [ 'some.regex.test', 'regex' ],
    [ 'SOME.regex.TEST.', 'regex, upper case, trailing dot' ],
    [ '127.0.0.9', 'an address' ],
);

for my $case ([ $off_first, 'default off' ], [ $on_first, 'default on' ],
              ([ $rejecting, 'default rejecting' ]) x $rejects)
{
    my ($port, $default) = @$case;

    for my $tls ('1.2', '1.3') {
        my $ask = sub {
            my ($name, %opt) = @_;
            return visit($port, tls => $tls, sni => $name, host => $name,
                         %opt);
        };

        for (@spelling) {
            my ($name, $what) = @$_;
            my $where = "TLS $tls, $default, $what";

            my ($got, $session) = $ask->($name, cert => $of_a);

            is($got, $served, "$where: good");
            is(($ask->($name))[0], $asked, "$where: none");
            is(($ask->($name, cert => $of_b))[0], $bad, "$where: bad");
            # in TLS 1.3 a session is good for one connection

            ($got, $session) = $ask->($name, session => $session);
            is($got, $again, "$where: resumed");

            ($got, $session) = $ask->('exact.test', session => $session);
            is($got, $again, "$where: resumed at another name");

            is(($ask->('off.test', session => $session))[0], $off,
               "$where: resumed nowhere else");
        }

        # a session that is made where nothing is asked

        for (
            [ 'off.test', 'off' ],
            [ 'OFF.test.', 'off, upper case, trailing dot' ],
            [ 'x.off.test', 'off, wildcard' ],
            [ 'offline.regex.test.', 'off, regex' ])
        {
            my ($name, $what) = @$_;
            my ($got, $session) = $ask->($name);

            is($got, $off, "TLS $tls, $default, $what");
            is(($ask->($name, session => $session))[0], $off_again,
               "TLS $tls, $default, $what: resumed");

            for (@spelling) {
                my ($other, $how) = @$_;

                is(($ask->($other, session => $session, cert => $of_a))[0],
                   $served, "TLS $tls, $default, $what, then $how: good");
                is(($ask->($other, session => $session))[0], $asked,
                   "TLS $tls, $default, $what, then $how: none");
            }

            # nginx takes the port off, OpenSSL leaves it

            is(($ask->('exact.test:443', session => $session))[0], $asked,
               "TLS $tls, $default, $what, then with a port: none");
        }
    }
}

# names that select no server, or none: the default server

my %default = ($off_first => 'default off', $on_first => 'default on',
               $alone => 'one server');

for my $port (sort keys %default) {
    my @expected = $port == $off_first ? ($off, $off, $off_again)
                                       : ($served, $asked, $again);

    for my $tls ('1.2', '1.3') {
        for (
            [ undef, 'no SNI' ],
            [ 'unknown.test', 'unknown name' ],
            [ 'unknown.test.', 'unknown name, trailing dot' ],
            [ '127.0.0.1', 'an address' ],
            [ 'wild.test', 'wildcard without its label' ],
            [ 'off..test', 'two dots' ],
            [ 'o ff.test', 'a space' ],
            [ '[::1]', 'an IPv6 address' ],
            [ 'off.test/x', 'a slash' ],
            [ 'unknown.test:443', 'a port' ],
            [ 'xn--bcher-kva.test', 'punycode' ],
            [ '_dmarc.test', 'underscore' ],
            [ 'x' x 240 . '.test', 'long name' ])
        {
            my ($name, $what) = @$_;
            my %how = (tls => $tls, sni => $name, host => 'unknown.test');
            my $where = "TLS $tls, $default{$port}, $what";

            my ($got, $session) = visit($port, %how, cert => $of_a);

            is($got, $expected[0], "$where: good");
            is((visit($port, %how))[0], $expected[1], "$where: none");

            # a name that nginx takes and we do not know: not resumed

            my $odd = defined $name && $name =~ m{[^\w.-]|\.\.};

            is((visit($port, %how, session => $session, cert => $of_a))[0],
               $odd ? $expected[0] : $expected[2], "$where: resumed");
        }
    }
}

# Host is spelt in many ways, too

for my $tls ('1.2', '1.3') {
    for my $http ('1.1', '2') {
        for (
            [ undef, 'unknown.test', $off ],
            [ undef, 'exact.test', $misdirected ],
            [ 'off.test', 'exact.test', $misdirected ],
            [ 'off.test', 'EXACT.test', $misdirected ],
            [ 'off.test', 'exact.test.', $misdirected ],
            [ 'off.test', 'exact.test:443', $misdirected ],
            [ 'off.test', 'x.wild.test', $misdirected ],
            [ 'off.test', 'some.regex.test', $misdirected ],
            [ 'off.test', 'tail.x', $misdirected ],
            [ 'off.test', 'both.test', $misdirected ],
            [ 'unknown.test', 'dot.test', $misdirected ],
            [ 'exact.test', 'EXACT.test.:443', $served ],
            [ 'exact.test', 'x.wild.test', $served ],
            [ 'exact.test', 'some.regex.test.', $served ],
            [ 'tail.x', 'dot.test', $served ],
            [ 'exact.test', 'off.test', $off ],
            [ 'exact.test', 'b.test', $misdirected ],
            [ 'b.test', 'exact.test', $served ])
        {
            my ($sni, $host, $expected) = @$_;

            is((visit($off_first, tls => $tls, http => $http, sni => $sni,
                      host => $host, cert => $of_a))[0], $expected,
               sprintf 'TLS %s, HTTP/%s: SNI %s, Host %s', $tls, $http,
                       defined $sni ? $sni : 'none', $host);
        }
    }
}

# equal policies: never misdirected, whatever was shown

my @equal = map { "$_.test" } qw(both files mixed watched);

for my $sni (@equal) {
    for my $host (@equal) {
        for (
            [ $of_a, 'ok', 'good' ],
            [ $of_b, 'ok', 'good, of the other' ],
            [ $none, 'none', 'none' ],
            [ ca('Foreign')->leaf('x'), 'untrusted', 'bad' ])
        {
            my ($cert, $verdict, $what) = @$_;

            my $expected = $verdict eq 'ok'
                ? ($host eq 'watched.test' ? '200 optional ok PASSED full'
                                           : $served)
                : $host eq 'watched.test'
                ? "200 optional $verdict REJECTED_DRY_RUN full"
                : "400 on $verdict REJECTED full";

            is((visit($off_first, sni => $sni, host => $host,
                      cert => $cert))[0], $expected,
               "equal policies: SNI $sni, Host $host, $what");
        }
    }
}

# HTTP/2: it is one stream that is misdirected; the others are served, and the
# connection goes on

my $client = client($off_first, http => '2', sni => 'off.test',
                    cert => $of_a);

is(join(', ', map { seen($_) } $client->get_all(
        [ '/', host => 'off.test' ], [ '/', host => 'exact.test' ],
        [ '/', host => 'off.test' ], [ '/', host => 'b.test' ],
        [ '/', host => 'off.test' ])),
   join(', ', ('200 off - -', '421 on misdirected REJECTED') x 2,
        '200 off - -'), 'HTTP/2: SNI off, streams side by side');
ok(!$client->goaway(0.1), 'HTTP/2: SNI off, no GOAWAY');
is(seen($client->get('/', host => 'off.test')), '200 off - -',
   'HTTP/2: SNI off, goes on');

$client = client($off_first, http => '2', sni => 'exact.test',
                 cert => $of_a);

is(join(', ', map { seen($_) } $client->get_all(
        [ '/', host => 'exact.test' ], [ '/', host => 'b.test' ],
        [ '/', host => 'tail.x' ], [ '/', host => 'off.test' ],
        [ '/', host => 'both.test' ])),
   join(', ', '200 on ok PASSED', '421 on misdirected REJECTED',
        '200 on ok PASSED', '200 off - -', '200 on ok PASSED'),
   'HTTP/2: SNI on, streams side by side');
ok(!$client->goaway(0.1), 'HTTP/2: SNI on, no GOAWAY');
is(seen($client->get('/')), '200 on ok PASSED', 'HTTP/2: SNI on, goes on');

# ssl_reject_handshake: the default server has no part in it

for my $tls (('1.2', '1.3') x $rejects) {
    for my $sni (undef, 'unknown.test') {
        like((visit($rejecting, tls => $tls, sni => $sni))[0],
             qr/^no answer: handshake failed: .*unrecognized name/,
             "TLS $tls, ssl_reject_handshake: SNI "
             . (defined $sni ? $sni : 'none'));
    }

    is((visit($rejecting, tls => $tls, sni => 'off.test',
              host => 'exact.test', cert => $of_a))[0], $misdirected,
       "TLS $tls, ssl_reject_handshake: Host of another server");
    is((visit($rejecting, tls => $tls, sni => 'exact.test',
              host => 'unknown.test', cert => $of_a))[0],
       '200 off - - full',
       "TLS $tls, ssl_reject_handshake: Host of the default server");
}

# ssl_certificate with a variable

for my $tls ('1.2', '1.3') {
    my %how = (tls => $tls);
    my $where = "TLS $tls, certificate by a variable";

    my ($got, $session) = visit($variable, %how, sni => 'a', cert => $of_a);

    is($got, $served, "$where: good");
    is((visit($variable, %how, sni => 'a'))[0], $asked, "$where: none");
    is((visit($variable, %how, sni => 'a', cert => $of_b))[0], $bad,
       "$where: bad");
    is((visit($variable, %how, sni => 'off'))[0], $off, "$where: off");
    is((visit($variable, %how, sni => 'a', session => $session))[0], $again,
       "$where: resumed");
    is((visit($variable, %how, sni => 'b', session => $session,
              cert => $of_b))[0], $served, "$where: other CA");
    is((visit($variable, %how, sni => 'b', session => $session))[0], $asked,
       "$where: other CA, none");
    is((visit($variable, %how, sni => 'off', session => $session))[0], $off,
       "$where: to off");
    is((visit($variable, %how, sni => 'off', host => 'a', cert => $of_a))[0],
       $misdirected, "$where: Host of another");
}

$nginx->finish;

# Servers without a certificate of their own use the default server's, which
# then asks, and nginx -t says so; they are judged by their own policy.

my $bare = nginx(tls => 0);
my ($asking, $used) = $bare->ports(2);

$bare->write($_, $nginx->read($_)) for qw(a.pem b.pem server.crt server.key);

my $cert = 'ssl_certificate server.crt; ssl_certificate_key server.key;';

$bare->configure(join "\n", $show,
    servers($asking, [ 'off', $cert ], [ 'off2', '' ], [ 'a', $policy ],
        [ 'b', 'aop on; aop_ca b.pem;' ], [ '*.a', $policy ]),
    servers($used, [ 'a', "$policy $cert" ], [ 'off', '' ],
        [ 'b', 'aop on; aop_ca b.pem;' ], [ 'optional',
        'aop optional; aop_ca b.pem;' ]));
$bare->start;

my $output = ($bare->test_config)[1];

is(scalar(() = $output =~ /\[warn\] .*default for \S+:$asking, requests a client/g), 3,
   'no certificate: nginx -t warns of each server that makes the default ask');
unlike($output, qr/$used, requests/,
       'no certificate: and not of a default that asks for itself');

for my $tls ('1.2', '1.3') {
    for my $port ($asking, $used) {
        my $where = sprintf 'TLS %s, no certificate, default %s', $tls,
                            $port == $asking ? 'off' : 'on';

        my @first = map { [ visit($port, tls => $tls, sni => $$_[0],
                                  cert => $$_[1]) ] }
                    [ 'a', $of_a ], [ 'b', $of_b ], [ 'off', $of_a ],
                    [ 'off', $none ];

        is(join(', ', map { $$_[0] } @first), "$served, $served, $off, $off",
           "$where: first");

        for (
            [ 'a', 0, $none, $again, 'resumed' ],
            [ 'b', 1, $none, $again, 'resumed, other CA' ],
            [ 'off', 2, $none, $off_again, 'resumed, off' ],
            [ 'off', 3, $none, $off_again, 'resumed, off, none' ],
            [ 'b', 0, $none, $asked, 'other CA' ],
            [ 'b', 0, $of_b, $served, 'other CA, good' ],
            [ 'b', 0, $of_a, $bad, 'other CA, bad' ],
            [ 'a', 1, $of_a, $served, 'other CA, back' ],
            [ 'a', 2, $none, $asked, 'off to on' ],
            [ 'a', 3, $none, $asked, 'off to on, none' ],
            [ 'a', 3, $of_a, $served, 'off to on, good now' ],
            [ 'off', 0, $none, $off, 'on to off' ])
        {
            my ($sni, $i, $then, $expected, $what) = @$_;

            is((visit($port, tls => $tls, sni => $sni, cert => $then,
                      session => $first[$i][1]))[0], $expected,
               "$where: $what");
        }

        is((visit($port, tls => $tls, sni => 'off', host => 'a',
                  cert => $of_b))[0], $misdirected,
           "$where: Host of another");
    }
}

is((visit($asking, sni => 'off', host => 'a', cert => $of_a))[0],
   $served, 'no certificate: what was shown is good for the Host');

$bare->finish;

done_testing();
