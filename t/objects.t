#!/usr/bin/perl

# Sessions that a worker keeps as objects: to the client such a session has an
# id in place of a ticket.  Which sessions are kept so, who can resume them and
# how often, and that servers without "aop" send the tickets they always did.
# What a session proves is in resumption.t, whatever it is kept in.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Net::SSLeay;
use Test::More;
use AOP::Test;
use AOP::Test::Clock;

use constant {
    OPENSSL_3_0 => 0x30000000,
    OPENSSL_3_5 => 0x30500000,
    MANY        => 1000,        # about as many as fill the table
    OPEN        => 100,
    MANY_KB     => 1200,        # 2300 and more if each had a certificate
    DER_TICKET  => qr/\xaa\x22\x04\x20(.{32})/s,
    DER_ID      => qr/\x04\x20(.{32})(?=\x04\x30)/s,
};

my $ca    = ca('Edge CA');
my $leaf  = $ca->leaf('edge');
my $names = join ',', map { "DNS:$_." . 'x' x 50 } 1 .. 140;
my ($large, $large384, $large3072) = map {
    $ca->leaf('large', key => $_, ext => [ subjectAltName => $names ])
} qw(ec ec:secp384r1 rsa:3072);
my $long  = { cert => $leaf, chain => [ map { ca("CA $_") } 1 .. 40 ] };
my $bad   = ca('Other CA')->leaf('bad');
my $show  = show() . ' add_header X-Resumed $aop_resumed always;'
            . ' add_header X-Pid $pid always;';
my $full  = '200 on ok PASSED full';
my $again = '200 on ok PASSED resumed';
my $asked = '400 on none REJECTED full';

my %host = map { $_ => AOP::Test::Cert->new(subject => 'localhost', key => $_,
                                            eku => 'serverAuth') } qw(ec rsa);

kinds();
one_worker();
an_id($_) for 1, 2;
identities();
tickets_off();
neighbours($_) for 1, 2;
several_workers();
adopted();
added_cache();
expiry();
certificates();
memory();
idle();

done_testing();


# start($workers, @servers): an nginx with these servers.
sub start {
    my ($workers, @servers) = @_;

    my $nginx = nginx(workers => $workers);

    $nginx->write('ca.pem', $ca);
    $nginx->write('stock.pem', $ca);
    $nginx->write('ticket.key', 'k' x 80);

    for my $key (keys %host) {
        $nginx->write("$key.crt", $host{$key});
        $nginx->write("$key.key", $host{$key}->key_pem);
    }

    my @port = $nginx->ports(scalar @servers);

    $nginx->configure(join "\n", $show, 'aop_ca ca.pem;', map {
        my ($key, $directives) = @{ $servers[$_] };
        my $listen = join ' ', 'ssl', $workers > 1 ? 'reuseport' : ();

        "server { listen 127.0.0.1:$port[$_] $listen;"
        . " ssl_certificate $key.crt; ssl_certificate_key $key.key;"
        . " $directives location / { return 200; } }"
    } 0 .. $#servers);

    return ($nginx, @port);
}


# kind($session): what the client has: 'id', 'ticket', or 'none' (TLS 1.3; in TLS
# 1.2 an id that is good for nothing cannot be told from another).
sub kind {
    my ($session) = @_;

    my $der = der($session);

    return 'id' if $der =~ DER_TICKET;
    return 'ticket' if $der =~ /\xaa(?:\x81.\x04\x81|\x82..\x04\x82)/s;
    return $der =~ /\A.{1,4}\x02\x01\x01\x02\x02\x03\x03.{4}\x04\x20/s
           ? 'id' : 'none';
}


sub der { return Net::SSLeay::i2d_SSL_SESSION($_[0]) }


# kinds(): what is sent to the client where.
sub kinds {
    my $cache = 'ssl_session_cache shared:S:1m;';
    my $dear  = Net::SSLeay::SSLeay() >= OPENSSL_3_0
                && Net::SSLeay::SSLeay() < OPENSSL_3_5;

    # workers, what, directives, key of the server, certificate, TLS 1.3, 1.2

    my @case = (
        [ 1, 'tickets', 'aop on;', 'rsa', $leaf, 'id', 'id' ],
        [ 1, 'tickets, cheap key', 'aop on;', 'ec', $leaf, 'id', 'id' ],
        [ 1, 'a cache', "aop on; $cache", 'rsa', $leaf, 'id', 'id' ],
        [ 1, 'a cache alone', "aop on; $cache ssl_session_tickets off;",
          'rsa', $leaf, 'id', 'id' ],
        [ 1, 'keys of a file', 'aop on; ssl_session_ticket_key ticket.key;',
          'rsa', $leaf, 'ticket', 'ticket' ],
        [ 1, 'tickets off', 'aop on; ssl_session_tickets off;', 'rsa', $leaf,
          'none', undef ],
        [ 1, 'cache off, too', 'aop on; ssl_session_cache off;', 'rsa', $leaf,
          'ticket', 'ticket' ],
        [ 1, 'a long chain', 'aop on;', 'rsa', $long, 'ticket', undef ],
        [ 1, 'early data', 'aop on; ssl_early_data on;', 'rsa', $leaf,
          'ticket', 'ticket' ],
        [ 1, 'never resumed', 'aop on; aop_session_timeout 0;', 'rsa', $leaf,
          'none', undef ],
        [ 1, 'a bad certificate', 'aop optional;', 'rsa', $bad, 'none',
          undef ],
        [ 1, 'stock verification, too',
          'aop on; ssl_verify_client on; ssl_client_certificate stock.pem;',
          'rsa', $leaf, 'ticket', 'ticket' ],
        [ 1, 'without "aop"', 'aop off;', 'rsa', $leaf, 'ticket', 'ticket' ],
        [ 2, 'tickets', 'aop on;', 'rsa', $leaf, 'id', 'id' ],
        [ 2, 'tickets, cheap key', 'aop on;', 'ec', $leaf, 'id', 'id' ],
        [ 2, 'a cache', "aop on; $cache", 'rsa', $leaf, 'id', 'id' ],
        [ 2, 'too large for the cache', 'aop on;', 'rsa', $large, 'ticket',
          'id' ],
        [ 2, 'the same, cheap key', 'aop on;', 'ec', $large,
          $dear ? 'id' : 'ticket', 'id' ],
        [ 2, 'the same, cheap key, dear leaf', 'aop on;', 'ec', $large384,
          'ticket', 'id' ],
        [ 2, 'the same, cheap key, long leaf', 'aop on;', 'ec', $large3072,
          'ticket', 'id' ],
        [ 2, 'a long chain', 'aop on;', 'rsa', $long, 'ticket', 'id' ],
        [ 2, 'keys of a file', 'aop on; ssl_session_ticket_key ticket.key;',
          'rsa', $leaf, 'ticket', 'ticket' ],
        [ 2, 'tickets off', 'aop on; ssl_session_tickets off;', 'rsa', $leaf,
          'none', undef ],
        [ 2, 'cache off', 'aop on; ssl_session_cache off;', 'rsa', $leaf,
          'ticket', 'ticket' ],
        [ 2, 'early data', 'aop on; ssl_early_data on;', 'rsa', $leaf,
          'ticket', 'ticket' ],
        [ 2, 'without "aop"', 'aop off;', 'rsa', $leaf, 'ticket', 'ticket' ],
    );

    for my $workers (1, 2) {
        my @mine = grep { $_->[0] == $workers } @case;
        my ($nginx, @port) = start($workers, map { [ @$_[3, 2] ] } @mine);

        $nginx->start;

        for my $i (0 .. $#mine) {
            my (undef, $what, undef, undef, $cert, @expected) = @{ $mine[$i] };

            for my $tls ('1.3', '1.2') {
                my $expected = shift @expected;
                next unless defined $expected;

                my (undef, $session) = visit($port[$i], tls => $tls,
                    ref $cert eq 'HASH' ? %$cert : (cert => $cert));

                is(kind($session), $expected,
                   "workers $workers, TLS $tls, $what: $expected");
            }
        }

        $nginx->finish;
    }

    return;
}


# one_worker(): how often a session is good, and for whom.
sub one_worker {
    my ($nginx, $port, $other) = start(1, [ 'rsa', 'aop on;' ],
                                       [ 'rsa', 'aop on;' ]);

    $nginx->start;

    # TLS 1.3: each session once, and each brings the next

    my %how = (tls => '1.3');
    my ($got, $session) = visit($port, %how, cert => $leaf);
    my $first = $session;

    is($got, $full, 'TLS 1.3: a full handshake');

    for my $n (1 .. 3) {
        ($got, my $next) = visit($port, %how, session => $session);

        is($got, $again, "TLS 1.3: resumed, $n");
        is(kind($next), 'id', 'TLS 1.3: by an id, for which there is another');
        is((visit($port, %how, session => $session))[0], $asked,
           'TLS 1.3: not resumed again');

        $session = $next;
    }

    is((visit($port, %how, session => $first))[0], $asked,
       'TLS 1.3: nor is the first one');

    # who has seen the id has not the key: the handshake fails, and the session
    # is as good as before

    my $client = client($port, %how, session => forged($session));

    ok(!$client->connect, 'TLS 1.3: an id without its key is of no use');
    $client->close;

    is((visit($port, %how, session => $session))[0], $again,
       'TLS 1.3: and does no harm');

    # TLS 1.2: as long as it is good

    %how = (tls => '1.2');
    ($got, $session) = visit($port, %how, cert => $leaf);

    is($got, $full, 'TLS 1.2: a full handshake');
    is((visit($port, %how, session => $session))[0], $again,
       "TLS 1.2: resumed, $_") for 1 .. 3;

    $client = client($port, %how, session => forged($session));

    ok(!$client->connect, 'TLS 1.2: an id without its key is of no use');
    $client->close;

    is((visit($port, %how, session => $session))[0], $asked,
       'TLS 1.2: but ends the session');

    # another address has another SSL_CTX

    for my $tls ('1.2', '1.3') {
        (undef, $session) = visit($port, tls => $tls, cert => $leaf);

        is((visit($other, tls => $tls, session => $session))[0], $asked,
           "TLS $tls: not resumed at another address");
    }

    # a configuration has its own

    my %session = map { $_ => (visit($port, tls => $_, cert => $leaf))[1] }
                  '1.2', '1.3';

    $nginx->reload;

    for my $tls ('1.2', '1.3') {
        is((visit($port, tls => $tls, session => $session{$tls}))[0], $asked,
           "TLS $tls: not resumed after a reload");
    }

    $nginx->finish;

    return;
}


# forged($session): a copy with another key.
sub forged {
    my ($session) = @_;

    my $der = der($session);

    $der =~ s/(\x04\x02[\x13\xc0\xcc].\x04(?:\x00|\x20.{32})\x04[\x20\x30])(.)
             /$1 . chr(ord($2) ^ 1)/sex or die 'no key in the session';

    return Net::SSLeay::d2i_SSL_SESSION($der);
}


# an_id(): who has seen the id of a session cannot have it dropped by sending it
# along with a ticket, where TLS 1.2 has the client choose the id.
sub an_id {
    my ($workers) = @_;

    my $nginx  = nginx(workers => $workers);
    my $port   = $nginx->ports;
    my $listen = $nginx->listen_tls($port);
    my $first  = $nginx->listen_tls($port, $workers > 1 ? 'reuseport' : '');

    $nginx->write('ca.pem', $ca);
    $nginx->configure(join "\n", $show, 'aop_ca ca.pem;',
        "server { $first server_name on.test; aop on;"
        . ' location / { return 200; } }',
        "server { $listen server_name off.test; aop off;"
        . ' location / { return 200; } }')->start;

    my %on  = (tls => '1.2', sni => 'on.test');
    my %off = (tls => '1.2', sni => 'off.test');

    my (undef, $session) = visit($port, %on, cert => $leaf);
    my (undef, $ticket)  = visit($port, %off);

    my ($id)  = der($session) =~ DER_ID or die 'no id in the session';
    my $other = der($ticket) =~ s/${\ DER_ID }/\x04\x20$id/r;

    my $mine = Net::SSLeay::d2i_SSL_SESSION($other);
    is((visit($port, %off, session => $mine))[0], '200 off - - resumed',
       "workers $workers: a ticket is resumed with the id of another session");

    my $client = client($port, %off, session => forged($mine));

    ok(!$client->connect, 'and the handshake fails');
    $client->close;

    # each worker is asked, but for one time in a million

    my %got = map { $_ => 1 }
              map { (visit($port, %on, session => $session))[0] } 1 .. 20;

    is_deeply([ keys %got ], [ $again ],
       'the session with that id is as good as before');

    $nginx->finish;

    return;
}


# identities(): pre-shared keys, which nginx does not know, beside a session.
sub identities {
    my $nginx  = nginx();
    my $port   = $nginx->ports;
    my $listen = $nginx->listen_tls($port);

    $nginx->write('ca.pem', $ca);
    $nginx->configure(join "\n", $show, 'aop_ca ca.pem;', map {
        "server { $listen server_name $_.test; aop $_;"
        . ' location / { return 200; } }'
    } qw(on off))->start;

    my %on  = (tls => '1.3', sni => 'on.test');
    my %off = (tls => '1.3', sni => 'off.test');

    for my $psk ('a key', 'x' x 32) {
        my $what = 'an identity of ' . length($psk) . ' octets';
        my ($got, $session) = visit($port, %on, cert => $leaf, psk => $psk);

        is($got, $full, "$what: a full handshake");
        is(kind($session), 'id', "$what: gets an id");

        ($got, my $next) = visit($port, %on, session => $session,
                                 psk => $psk);
        is($got, $again, "$what, after an id: resumed");
        is(kind($next), 'id', "$what, after an id: gets an id");

        ($got) = visit($port, %on, session => $session, psk => $psk);
        is($got, $asked, "$what, after an id that is gone: full");

        ($got, $session) = visit($port, %off, psk => $psk);
        is(kind($session), 'ticket', "$what, off: gets a ticket");

        ($got) = visit($port, %off, session => $session, psk => $psk);
        is($got, '200 off - - resumed', "$what, off: resumes it");
    }

    my ($session, $id);

    do {
        (undef, $session) = visit($port, %on, cert => $leaf);
        ($id) = der($session) =~ DER_TICKET or die 'no id in the session';
    } while $id =~ /\0/;

    my $client = client($port, %on, psk => $id);

    ok(!$client->connect, 'the id of a session is no pre-shared key');
    $client->close;

    is((visit($port, %on, session => $session))[0], $again,
       'and the session is as good as before');

    $nginx->finish;

    return;
}


# tickets_off(): the session that follows a resumed one is kept, too.  nginx's
# cache has none of such a certificate, which is too large for it.
sub tickets_off {
    my ($nginx, $port) = start(1, [ 'rsa', 'aop on; ssl_session_tickets off;'
                                           . ' ssl_session_cache shared:S:1m;'
                                  ]);

    $nginx->start;

    for my $tls ('1.2', '1.3') {
        my ($got, $session) = visit($port, tls => $tls, cert => $large);

        is($got, $full, "TLS $tls, tickets off: a full handshake");

        for my $n (1 .. 3) {
            ($got, my $next) = visit($port, tls => $tls, session => $session);

            is($got, $again, "TLS $tls, tickets off: resumed, $n");
            $session = $next if $tls eq '1.3';
        }
    }

    $nginx->finish;

    return;
}


# neighbours(): servers at the same address that do not use the module.
sub neighbours {
    my ($workers) = @_;

    for my $default ('aop', 'off') {
        my $nginx  = nginx(workers => $workers);
        my $port   = $nginx->ports;
        my $listen = $nginx->listen_tls($port);

        $nginx->write('ca.pem', $ca);

        my %server = (aop => "server { $listen server_name aop.test; aop on;"
                             . ' location / { return 200; } }',
                      off => "server { $listen server_name off.test; aop off;"
                             . ' location / { return 200; } }');

        $nginx->configure(join "\n", $show, 'aop_ca ca.pem;',
                          $server{$default},
                          map { $server{$_} } grep { $_ ne $default }
                          sort keys %server)->start;

        for my $tls ('1.2', '1.3') {
            my $what = "workers $workers, default $default, TLS $tls";
            my %off  = (tls => $tls, sni => 'off.test');
            my %aop  = (tls => $tls, sni => 'aop.test');

            my ($got, $session) = visit($port, %off);

            is(kind($session), 'ticket', "$what: off sends tickets");
            is((visit($port, %off, session => $session))[0],
               '200 off - - resumed', "$what: off resumes them");

            # an id that is known to nobody, and one that is known

            (undef, my $object) = visit($port, %aop, cert => $leaf);
            is(kind($object), 'id', "$what: aop has an id");

            ($got, $session) = visit($port, %off, session => $object);
            is($got, '200 off - - full', "$what: off does not take it");
            is(kind($session), 'ticket', "$what: and sends a ticket then");

            ($got) = visit($port, %aop, session => $object);
            is($got, $again, "$what: aop takes it after that");

            ($got, $session) = visit($port, %off, session => $object);
            is(kind($session), 'ticket',
               "$what: off sends a ticket for an id that is gone");

            next if $default ne 'off';

            (undef, $object) = visit($port, %aop, cert => $leaf);
            ($got, $session) = visit($port, tls => $tls, session => $object);
            is("$got, " . kind($session), '200 off - - full, ticket',
               "$what: and without a name");
        }

        $nginx->finish;
    }

    return;
}


# several_workers(): who makes a session has it; a cache has it for all.
sub several_workers {
    my @server = ([ 'rsa', 'aop on;' ],
                  [ 'rsa', 'aop on; ssl_session_cache shared:S:1m;' ]);

    my ($nginx, @port) = start(3, @server);

    $nginx->start;

    for my $i (0 .. $#port) {
        for my $tls ('1.2', '1.3') {
            my (%pid, %got, $session);

            for (1 .. 60) {
                my $client = client($port[$i], tls => $tls, cert => $leaf,
                                    session => $session);
                my $answer = $client->get('/');

                $pid{ $answer->header('X-Pid') } = 1;
                $got{ $client->resumed }++ if $session;
                $session = $client->session;
                $client->close;
            }

            my $what = "workers 3, TLS $tls, $server[$i][1]";

            cmp_ok(scalar keys %pid, '>', 1, "$what: several were asked");
            is_deeply(\%got, { 1 => 59 }, "$what: each resumes");
        }
    }

    $nginx->finish;

    return;
}


# adopted(): a session of TLS 1.2 that a worker has read from nginx's cache once,
# which then has lost it: 32 KB hold fewer than 100 sessions.
sub adopted {
    my ($nginx, $port) = start(2, [ 'rsa', 'aop on; ssl_session_tickets off;'
                                           . ' ssl_session_cache shared:S:32k;'
                                  ]);

    $nginx->start;

    my (undef, $session) = visit($port, tls => '1.2', cert => $leaf);

    my $come = sub {
        my (%pid, %resumed);

        for (1 .. 40) {
            my $client = client($port, tls => '1.2', session => $session);

            $pid{ $client->get('/')->header('X-Pid') } = 1;
            $resumed{ $client->resumed } = 1;
            $client->close;
        }

        return [ scalar keys %pid, keys %resumed ];
    };

    is_deeply($come->(), [ 2, 1 ], 'TLS 1.2: resumed by both workers');

    visit($port, tls => '1.2', cert => $leaf) for 1 .. 100;

    is_deeply($come->(), [ 2, 1 ], 'and when the cache has it no more');

    $nginx->finish;

    return;
}


# added_cache(): of several workers, where nginx has none.  It is for sessions of
# servers with "aop", outlives a reload, and only what the new policy would
# accept is resumed from it; one worker alone makes no use of it.
sub added_cache {
    my $nginx  = nginx(workers => 2);
    my @port   = $nginx->ports(2);
    my @listen = map { $nginx->listen_tls($_) } @port;
    my $port   = $port[0];

    $nginx->write('ca.pem', $ca);

    my $own  = 'ssl_certificate server.crt; ssl_certificate_key server.key;';
    my $http = sub {
        my ($aop, $off) = @_;

        return join "\n", $show, $aop, map {
            my ($listen, $name, $directives) = @$_;
            "server { $listen server_name $name.test; $directives"
            . ' location / { return 200; } }'
        } [ $listen[0], 'on', 'aop on;' ], [ $listen[0], 'off', 'aop off;' ],
          [ $listen[0], 'quiet', "aop on; ssl_session_tickets off; $own" ],
          [ $listen[1], 'on', "aop on; $off" ];
    };

    my $aop = 'aop_ca ca.pem;';
    my $one = $http->($aop, '');

    $nginx->configure($one)->start;

    for my $tls ('1.2', '1.3') {
        my %on  = (tls => $tls, sni => 'on.test');
        my %off = (tls => $tls, sni => 'off.test');
        my $is  = sub {
            my ($where, $session, $expected, $what) = @_;

            is((visit($where, %on, session => $session))[0], $expected,
               "TLS $tls: $what");
        };

        # TLS 1.2 without tickets: there is nothing to resume from at "off"

        my (undef, $session) = visit($port, %off, no_ticket => 1);

        is((visit($port, %off, no_ticket => 1, session => $session))[0],
           '200 off - - full', "TLS $tls: off stores nothing")
            if $tls eq '1.2';

        # a server without tickets, at an address that has them

        (undef, $session) = visit($port, %on, sni => 'quiet.test',
                                  cert => $leaf);
        is((visit($port, %on, sni => 'quiet.test', session => $session))[0],
           $asked, "TLS $tls: tickets off and no cache, not resumed");

        # the chain is not stored, however long

        (undef, $session) = visit($port, %on, %$long);
        $is->($port, $session, $again, 'a long chain');

        # a session that both workers can resume, after each reload

        (undef, $session) = visit($port, %on, cert => $leaf);

        $nginx->reload($one);
        $is->($port, $session, $again, 'resumed after a reload');

        $nginx->reload($http->("$aop aop_verify_depth 3;", ''));
        $is->($port, $session, $asked, 'not under another policy');

        $nginx->reload($http->($aop, 'aop_verify_depth 3;'));
        $is->($port, $session, $again, 'under the old one it is');
        $is->($port[1], $session, $asked,
              'not at another address with another policy');

        $nginx->reload($one =~ s/aop on;/ssl_verify_client on;
                                         ssl_client_certificate ca.pem;/gr);
        $is->($port, $session, '400 off - - full', 'not by ssl_verify_client');

        $nginx->reload($one);
        $is->($port, $session, $asked, 'it is gone with the last "aop"');

        # one worker: what it keeps is its own, and gone with it

        $nginx->{workers} = 1;
        $nginx->reload($one);

        (undef, $session) = visit($port, %on, cert => $leaf);
        $is->($port, $session, $again, 'one worker, resumed');

        (undef, $session) = visit($port, %on, cert => $leaf);
        $nginx->reload;
        $is->($port, $session, $asked, 'one worker, nothing was stored');

        $nginx->{workers} = 2;
        $nginx->reload($one);
    }

    $nginx->finish;

    return;
}


# expiry(): by a clock that is put forward.
sub expiry {
    my ($nginx, @port) = start(1,
        [ 'rsa', 'aop on; ssl_session_timeout 300;' ],
        [ 'rsa', 'aop on; ssl_session_timeout 1d; aop_session_timeout 300;' ]);
    my $clock = AOP::Test::Clock->new;

    $clock->start($nginx);

    my %session = map { my $port = $_; map { ("$port $_",
        (visit($port, tls => $_, cert => $leaf))[1]) } '1.2', '1.3' } @port;

    $clock->add(400);

    for my $i (0, 1) {
        for my $tls ('1.2', '1.3') {
            is((visit($port[$i], tls => $tls,
                      session => $session{"$port[$i] $tls"}))[0], $asked,
               "TLS $tls: " . ($i ? 'aop_session_timeout'
                                  : 'ssl_session_timeout') . ' holds');
        }
    }

    $nginx->finish;

    return;
}


# certificates(): those that sessions have in common are of the same bytes, and
# outlive the connection that brought them.
sub certificates {
    my ($nginx, $port) = start(1, [ 'rsa', "aop on; $show"
        . ' add_header X-Cert $ssl_client_escaped_cert always;'
        . ' add_header X-Fingerprint $aop_client_fingerprint always;' ]);

    $nginx->start;

    my @cert = ($leaf, map { $ca->leaf('edge', key => $leaf) } 1, 2);
    my $ask  = sub {
        my ($client, $cert) = @_;

        my $answer = $client->get('/');

        return join ' ', seen($answer), map { $_ ? 'right' : 'wrong' }
               $answer->header('X-Fingerprint') eq fingerprint($cert),
               $answer->header('X-Cert') =~ s/%([0-9A-F]{2})/chr hex $1/ger
                   eq $cert->pem;
    };

    for my $tls ('1.2', '1.3') {
        my @open;

        for my $n (1 .. 3) {
            for my $cert (@cert) {
                my $client = client($port, tls => $tls, cert => $cert);

                is($ask->($client, $cert), '200 on ok PASSED right right',
                   "TLS $tls: connection $n with a certificate");
                push @open, [ $client, $cert ];
            }
        }

        $_->[0]->close for splice @open, 0, @cert;

        for (@open) {
            my ($client, $cert) = @$_;

            is($ask->($client, $cert), '200 on ok PASSED right right',
               "TLS $tls: and after the first ones were closed");

            my $again = client($port, tls => $tls,
                               session => $client->session);

            is($ask->($again, $cert), '200 on ok PASSED right right',
               "TLS $tls: and resumed");
            ok($again->resumed, "TLS $tls: by its session");
            $_->close for $client, $again;
        }
    }

    $nginx->finish;

    return;
}


# memory(): all sessions of one certificate take less than 512 certificates do.
sub memory {
    my ($nginx, $port) = start(1, [ 'ec', 'aop on;' ]);

    $nginx->start;

    my ($worker) = $nginx->worker_pids;
    my $fill     = sub {
        my ($n) = @_;

        visit($port, tls => '1.3', cert => $leaf) for 1 .. $n;

        return anonymous($worker);
    };

    my $before = $fill->(20);
    my $more   = $fill->(MANY) - $before;

    SKIP: {
        skip 'ASan holds what was freed', 1 if $ENV{ASAN_OPTIONS};

        cmp_ok($more, '<', MANY_KB, "the sessions take $more KB more");
    }

    $nginx->finish;

    return;
}


# idle(): an open connection takes less than with stock nginx, where each has a
# certificate of its own.
sub idle {
    my %verify = (aop => 'aop on; aop_ca ca.pem;', stock =>
                  'ssl_verify_client on; ssl_client_certificate ca.pem;');
    my %kb;

    for my $kind (keys %verify) {
        my $nginx  = nginx($kind eq 'stock' ? (module => 0) : ());
        my $port   = $nginx->ports;
        my $listen = $nginx->listen_tls($port);

        $nginx->write('ca.pem', $ca);
        $nginx->configure("server { $listen $verify{$kind} }")->start;

        my ($worker) = $nginx->worker_pids;
        my (@client, $before);

        for my $n (1 .. 3 * OPEN) {
            my $client = client($port, tls => '1.3', cert => $leaf);

            $client->connect or die 'cannot connect: ', $client->error;
            $client->get('/');
            push @client, $client;
            $before = anonymous($worker) if $n == OPEN;
        }

        $kb{$kind} = (anonymous($worker) - $before) / (2 * OPEN);
        $_->close for @client;
        $nginx->stop;
    }

    SKIP: {
        skip 'ASan holds what was freed', 1 if $ENV{ASAN_OPTIONS};

        cmp_ok($kb{aop}, '<', $kb{stock} - 2,
               "idle: $kb{aop} KB each, with stock nginx $kb{stock}");
    }

    return;
}


# anonymous($pid): KB of memory that are the process's own.
sub anonymous {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/smaps_rollup" or die "no memory: $!\n";
    my ($kb) = map { /^Anonymous:\s+(\d+)/ } <$fh>;

    return $kb;
}


sub fingerprint {
    my ($cert) = @_;

    return lc Net::SSLeay::X509_get_fingerprint($cert->x509, 'sha256')
              =~ tr/://dr;
}
