#!/usr/bin/perl

# Which TLS sessions are resumed, and what is judged when one is: a session
# proves something only to servers with the policy it was made under, and only
# for a time.  What is not resumed is a full handshake, never a failed one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;
use AOP::Test::Clock;

my ($a, $b, $s, $t) = map { ca("CA $_") } qw(A B S T);
my $inter  = $a->intermediate('Intermediate of A');

my $none;
my $of_a   = $a->leaf('of A');
my $other  = $a->leaf('of A too');
my $of_b   = $b->leaf('of B');
my $of_s   = $s->leaf('of S');
my $of_t   = $t->leaf('of T');
my $below  = $inter->leaf('below the intermediate');
my $chain  = { cert => $below, chain => [ $inter ] };

# with a key as cheap as P-256 no ticket pays in TLS 1.3
my $dear   = AOP::Test::Cert->new(subject => 'server.test',
                                  key => 'rsa');
my $nginx  = nginx();
my $show   = join "\n", show(),
             'add_header X-Resumed $aop_resumed always;',
             'add_header X-Anchor $aop_anchor always;',
             'add_header X-Subject $aop_client_subject always;',
             'add_header X-Verify $ssl_client_verify always;';

my %file = ('a.pem' => $a, 'same.pem' => [ $a, $a ], 'b.pem' => $b,
            'ab.pem' => [ $a, $b ], 's.pem' => $s, 't.pem' => $t);

$nginx->write($_, $file{$_}) for keys %file;
$nginx->write('a.crl', $a->crl(revoked => [ $of_a ]));
certificate($nginx);

my %keep = (
    object => 'ssl_session_tickets on; ssl_session_cache none;',
    ticket => 'ssl_session_ticket_key ticket.key; ssl_session_cache none;',
    cache  => 'ssl_session_tickets off; ssl_session_cache shared:SSL:2m;',
    two    => 'ssl_session_tickets off;'
              . ' ssl_session_cache builtin:500 shared:SSL2:2m;',
);

my $stock = 'ssl_verify_client on; ssl_client_certificate';

my %server = (
    off    => 'aop off;',
    off2   => 'aop off;',
    a      => 'aop on; aop_ca a.pem;',
    same   => 'aop on; aop_ca same.pem;',
    watch  => 'aop optional; aop_ca a.pem;',
    b      => 'aop on; aop_ca b.pem;',
    ab     => 'aop on; aop_ca ab.pem;',
    deep   => 'aop on; aop_ca a.pem; aop_verify_depth 2;',
    place  => 'location /strict { aop on; } aop_ca a.pem;',
    pinned => 'aop on; aop_ca a.pem; aop_pin cert-sha256:' . '0' x 64 . ';',
    crl    => 'aop on; aop_ca a.pem; aop_crl a.crl;',
    flat   => 'aop on; aop_ca a.pem; aop_verify_depth 0;',
    never  => 'aop on; aop_ca a.pem; aop_session_timeout 0;',
    stock  => "$stock s.pem;",
    stock2 => "$stock t.pem;",
    strict => "aop on; aop_ca a.pem; $stock s.pem;",
    both   => 'aop on; aop_ca a.pem; ssl_client_certificate s.pem;'
              . ' ssl_verify_client optional_no_ca;',
);

# an address for each default server and each way to keep a session: it is the
# default server's SSL_CTX that OpenSSL asks about sessions

my (%port, @http);

for my $where ('off object', 'off ticket', 'off cache', 'off two', 'a object',
               'a ticket', 'a cache', 'stock object', 'stock ticket',
               'stock cache')
{
    my ($default, $keep) = split / /, $where;

    $port{$where} = $nginx->ports;
    push @http, servers($port{$where}, $keep, $default);
}

$nginx->configure(join "\n", $show, @http)->start;

sub servers {
    my ($port, $keep, $default) = @_;

    my $listen = $nginx->listen_tls($port);

    return map {
        "server { $listen server_name $_; $keep{$keep} $server{$_}"
        . ' location / { return 200 $server_name; } }';
    } $default, grep { $_ ne $default } sort keys %server;
}

sub certificate {
    my ($server) = @_;
    $server->write('server.crt', $dear);
    $server->write('server.key', $dear->key_pem);
    $server->write('ticket.key', 'k' x 80);
}

# shown($certificate): the options of a client that has it

sub shown {
    my ($cert) = @_;
    return ref $cert eq 'HASH' ? %$cert : (cert => $cert);
}


my $served  = '200 on ok PASSED full';
my $again   = '200 on ok PASSED resumed';
my $either  = '200 on ok PASSED full or resumed';
my $asked   = '400 on none REJECTED full';
my $refused = '400 on untrusted REJECTED full';
my $off     = '200 off - - full';
my $stocked = '400 off - - full';

my @history = (

    # the first connection: server, certificate, answer; the second, which
    # offers the session of the first

    # one server

    [ 'a', $of_a, $served, 'a', $none, $again, 'good' ],
    [ 'a', $chain, $served, 'a', $none, $again, 'below an intermediate' ],
    [ 'watch', $of_a, '200 optional ok PASSED full',
      'watch', $none, '200 optional ok PASSED resumed', 'optional, good' ],
    [ 'place', $of_a, '200 off ok - full',
      'place', $none, '200 off ok - resumed', 'location' ],
    [ 'a', $none, $asked, 'a', $of_a, $served, 'none before, good now' ],
    [ 'a', $none, $asked, 'a', $none, $asked, 'none before, none now' ],
    [ 'watch', $none, '200 optional none REJECTED_DRY_RUN full',
      'watch', $of_a, '200 optional ok PASSED full',
      'optional, none before, good now' ],
    [ 'watch', $none, '200 optional none REJECTED_DRY_RUN full',
      'watch', $none, '200 optional none REJECTED_DRY_RUN full',
      'optional, none before, none now' ],
    [ 'place', $none, '200 off none - full',
      'place', $of_a, '200 off ok - full', 'location, good now' ],
    [ 'a', $of_b, $refused, 'a', $of_a, $served, 'bad before, good now' ],
    [ 'a', $of_b, $refused, 'a', $none, $asked, 'bad before, none now' ],
    [ 'watch', $of_b, '200 optional untrusted REJECTED_DRY_RUN full',
      'watch', $none, '200 optional none REJECTED_DRY_RUN full',
      'optional, bad before' ],

    # servers of one policy

    [ 'a', $of_a, $served, 'same', $none, $again, 'same policy' ],
    [ 'a', $chain, $served, 'same', $none, $again,
      'same policy, intermediate' ],
    [ 'same', $of_a, $served, 'a', $none, $again, 'same policy, back' ],
    [ 'watch', $of_a, '200 optional ok PASSED full', 'a', $none, $again,
      'same policy, stricter' ],
    [ 'place', $of_a, '200 off ok - full', 'a', $none, $again,
      'same policy, by a location' ],
    [ 'watch', $none, '200 optional none REJECTED_DRY_RUN full',
      'a', $of_a, $served, 'same policy, none before' ],
    [ 'watch', $of_b, '200 optional untrusted REJECTED_DRY_RUN full',
      'a', $none, $asked, 'same policy, bad before' ],
    [ 'place', $none, '200 off none - full', 'a', $of_a, $served,
      'same policy, none in a location' ],
    [ 'place', $none, '200 off none - full', 'a', $none, $asked,
      'same policy, none at all' ],

    # servers of two policies

    [ 'a', $of_a, $served, 'b', $of_b, $served, 'other CA' ],
    [ 'a', $of_a, $served, 'b', $of_a, $refused, 'other CA, bad there' ],
    [ 'a', $of_a, $served, 'b', $none, $asked, 'other CA, none' ],
    [ 'b', $of_b, $served, 'a', $of_a, $served, 'other CA, back' ],
    [ 'b', $of_b, $served, 'a', $none, $asked, 'other CA, back, none' ],
    [ 'ab', $of_b, $served, 'a', $of_b, $refused, 'fewer CAs' ],
    [ 'ab', $of_a, $served, 'a', $other, $served, 'fewer CAs, good' ],
    [ 'ab', $of_b, $served, 'a', $none, $asked, 'fewer CAs, none' ],
    [ 'a', $of_a, $served, 'ab', $none, $asked, 'more CAs' ],
    [ 'deep', $chain, $served, 'a', $chain, $served, 'less depth' ],
    [ 'deep', $chain, $served, 'a', $none, $asked, 'less depth, none' ],

    # with servers that do not use the module

    [ 'off', $of_a, $off, 'a', $of_a, $served, 'from off' ],
    [ 'off', $of_a, $off, 'a', $none, $asked, 'from off, none' ],
    [ 'off', $none, $off, 'watch', $of_a, '200 optional ok PASSED full',
      'from off to optional' ],
    [ 'off', $none, $off, 'place', $of_a, '200 off ok - full',
      'from off to a location' ],
    [ 'a', $of_a, $served, 'off', $none, $off, 'to off' ],
    [ 'watch', $of_b, '200 optional untrusted REJECTED_DRY_RUN full',
      'off', $none, $off, 'to off, bad' ],
    [ 'off', $none, $off, 'off', $none, '200 off - - resumed', 'off' ],
    [ 'off', $none, $off, 'off2', $none, '200 off - - resumed',
      'from off to off' ],
    [ 'stock', $of_s, $off, 'stock', $none, '200 off - - resumed', 'stock' ],
    [ 'stock', $of_s, $off, 'a', $of_a, $served, 'from stock' ],
    [ 'stock', $of_s, $off, 'a', $none, $asked, 'from stock, none' ],
    [ 'stock', $of_s, $off, 'both', $none, $asked, 'from stock to both' ],
    [ 'a', $of_a, $served, 'stock', $of_s, $off, 'to stock' ],
    [ 'a', $of_a, $served, 'stock', $none, $stocked, 'to stock, none' ],
    [ 'a', $of_a, $served, 'stock', $of_a, $stocked, 'to stock, bad there' ],
    [ 'both', $of_a, $served, 'stock', $none, $stocked,
      'from both to stock' ],
    [ 'both', $of_a, $served, 'both', $of_a, $either, 'both' ],
    [ 'both', $none, $asked, 'both', $of_a, $served, 'both, none before' ],
    [ 'both', $of_b, $refused, 'both', $none, $asked, 'both, bad before' ],
    [ 'a', $of_a, $served, 'both', $of_a, $served, 'to both' ],
    [ 'a', $of_a, $served, 'strict', $of_a, '400 - ok - full',
      'to both, stock refuses' ],
    [ 'a', $of_a, $served, 'strict', $none, '400 - none - full',
      'to both, none' ],

    # aop_session_timeout 0

    [ 'never', $of_a, $served, 'never', $of_a, $served, 'never' ],
    [ 'never', $of_a, $served, 'never', $none, $asked, 'never, none' ],
    [ 'a', $of_a, $served, 'never', $none, $asked, 'to never' ],
    [ 'never', $of_a, $served, 'a', $of_a, $either, 'from never' ],
);

for my $where (sort keys %port) {
    for my $tls ('1.2', '1.3') {
        for my $history (@history) {
            my ($first, $cert, $expected, $second, $then, $what)
                = @$history[0 .. 4, 6];

            my %how = (tls => $tls, chain => []);

            my ($got, $session) = visit($port{$where}, %how, sni => $first,
                                        shown($cert));
            my ($now) = visit($port{$where}, %how, sni => $second,
                              session => $session, shown($then));

            $now =~ s/(?:full|resumed)$/full or resumed/
                if $history->[5] eq $either;

            is("$got, $now", "$expected, $history->[5]",
               "TLS $tls, default $where: $what");
        }
    }
}

# a resumed connection answers as the first: who it was, and which anchor

for my $where (sort keys %port) {
    for my $case (
        [ 'a', 'of A', $of_a, 'CA A' ],
        [ 'a', 'below the intermediate', $chain, 'CA A' ],
        [ 'ab', 'of A', $of_a, 'CA A' ],
        [ 'ab', 'of B', $of_b, 'CA B' ])
    {
        for my $tls ('1.2', '1.3') {
            my ($sni, $subject, $cert, $anchor) = @$case;
            my %how = (sni => $sni, tls => $tls);

            my ($first, $session) = visit($port{$where}, %how, shown($cert));
            my $answer = get($port{$where}, %how, session => $session);

            is(join(' | ', map { $answer->header("X-$_") }
                           qw(Resumed Subject Anchor Verify)),
               "r | CN=$subject | CN=$anchor | SUCCESS",
               "TLS $tls, default $where, $sni: facts of $subject");
        }
    }
}

# a resumed connection is for the server that the request selects, too

for my $where (sort keys %port) {
    for my $tls ('1.2', '1.3') {
        my %how = (sni => 'a', tls => $tls, chain => []);

        # an object has the chain; "cache" has objects as well

        my $chained = $where =~ /object|cache/
                    ? $again : '421 on misdirected REJECTED resumed';

        for (
            [ $of_a, 'same', $again, 'same policy' ],
            [ $chain, 'same', $again, 'same policy, intermediate' ],
            [ $of_a, 'b', '421 on misdirected REJECTED resumed', 'other CA' ],
            [ $of_a, 'ab', $again, 'more CAs' ],
            [ $chain, 'ab', $chained, 'more CAs, intermediate' ],
            [ $of_a, 'pinned', '421 on misdirected REJECTED resumed',
              'same CA, pin' ],
            [ $of_a, 'crl', '421 on misdirected REJECTED resumed',
              'same CA, revoked' ],
            [ $chain, 'flat', '421 on misdirected REJECTED resumed',
              'same CA, depth' ],
            [ $of_a, 'off', '200 off - - resumed', 'off' ])
        {
            my ($cert, $host, $expected, $what) = @$_;
            my ($first, $session) = visit($port{$where}, %how, shown($cert));

            is((visit($port{$where}, %how, host => $host,
                      session => $session))[0],
               $expected, "TLS $tls, default $where: Host of another, $what");
        }

        # a resumed session has no chain; on a connection for that server it is
        # presented again

        my ($first, $session) = visit($port{$where}, %how, shown($chain));

        is((visit($port{$where}, %how, sni => 'ab', session => $session,
                  shown($chain)))[0],
           '200 on ok PASSED full',
           "TLS $tls, default $where: a connection for another, more CAs");
    }
}

# a refusal drops the session, as stock does, except where another server might
# have liked it; a ticket is out of reach, but its own server has to agree

for my $where (sort keys %port) {
    for my $tls ('1.2', '1.3') {
        my %how  = (tls => $tls);

        my ($got, $session) = visit($port{$where}, %how, sni => 'a');

        is("$got, " . (visit($port{$where}, %how, sni => 'off',
                             session => $session))[0],
           "$asked, 200 off - - full",
           "TLS $tls, default $where: refused, at off then");

        ($got, $session) = visit($port{$where}, %how, sni => 'b',
                                 host => 'a', cert => $of_b);

        is("$got, " . (visit($port{$where}, %how, sni => 'b',
                             session => $session))[0],
           "421 on misdirected REJECTED full, $again",
           "TLS $tls, default $where: misdirected, at its own server then");
    }
}

# stock sessions: what nginx makes of them by itself, it makes of them still

my @stock = ([ 'off', $none ], [ 'stock', $of_s ], [ 'stock2', $of_t ]);

sub stock_histories {
    my ($server, $port) = @_;
    my %got;

    for my $tls ('1.2', '1.3') {
        for my $first (@stock) {
            for my $second (@stock) {
                my ($from, $cert) = @$first;
                my ($to, $then)   = @$second;

                my ($got, $session) = visit($port, tls => $tls, sni => $from,
                                            cert => $cert);
                my $client = client($port, tls => $tls, sni => $to,
                                    cert => $then, session => $session);
                my $answer = $client->get('/');

                $got{"TLS $tls, $from to $to"} = join ' ', $answer->status,
                    $answer->header('X-Verify'), $client->resumed;
                $client->close;
            }
        }
    }

    return \%got;
}

for my $keep ('object', 'ticket', 'cache') {
    my $plain = nginx(module => 0);
    my $port  = $plain->ports;

    $plain->write($_, $file{$_}) for 's.pem', 't.pem';
    certificate($plain);

    my $listen = $plain->listen_tls($port);

    $plain->configure(join "\n",
        'add_header X-Verify $ssl_client_verify always;',
        map { my $server = $_ eq 'off' ? '' : $server{$_};
              "server { $listen server_name $_; $keep{$keep} $server"
              . ' location / { return 200; } }' } qw(off stock stock2));
    $plain->start;

    is_deeply(stock_histories($nginx, $port{"off $keep"}),
              stock_histories($plain, $port),
              "stock, $keep: as without the module");
    $plain->finish;
}

$nginx->finish;

# What ends while it is in use, by a clock that is put forward, so that it does
# not matter how long all this takes: certificates and a CRL end at $end,
# sessions after SHORT, and a little after that all is asked again.

use constant { SHORT => 6000, STEP => 1100, LAST => 10_000 };

my $ending_nginx = nginx();

my $clock = AOP::Test::Clock->new;
my $end   = $clock->now + LAST;
my %way   = map { $_ => scalar $ending_nginx->ports }
            'object', 'ticket', 'cache';

certificate($ending_nginx);
$ending_nginx->write('a.pem', $a);
$ending_nginx->write('a.crl', $a->crl(next_update => $end));

$ending_nginx->configure(join "\n", $show,
                         'keepalive_timeout 600; ssl_session_timeout 1d;', map {
    my $port   = $way{$_};
    my $common = $ending_nginx->listen_tls($port) . " $keep{$_} aop_ca a.pem;"
                 . ' location / { return 200; }';

    "server { $common server_name on; aop on; aop_verify_depth 2; }
     server { $common server_name optional; aop optional; }
     server { $common server_name crl; aop on; aop_crl a.crl; }
     server { $common server_name short; aop on; aop_session_timeout "
              . SHORT . '; }';
} sort keys %way);

$clock->start($ending_nginx);

my $ending = $a->intermediate('Intermediate that ends', not_after => $end);

my $brief       = $a->leaf('ends', not_after => $end);
my $brief_below = { cert  => $inter->leaf('ends, below', not_after => $end),
                    chain => [ $inter ] };
my $below_brief = { cert  => $ending->leaf('below one that ends'),
                    chain => [ $ending ] };

my $dry     = '200 optional expired REJECTED_DRY_RUN';
my $expired = '400 on expired REJECTED';

# certificate, server, the answer on the open connection later, what

my @ending = (
    [ $brief, 'on', $expired, 'expires' ],
    [ $brief, 'optional', $dry, 'expires, optional' ],
    [ $brief_below, 'on', $expired, 'expires, below an intermediate' ],
    [ $below_brief, 'on', $expired, 'intermediate expires' ],
    [ $of_a, 'crl', '400 on crl REJECTED', 'CRL ends' ],
    [ $of_a, 'short', '200 on ok PASSED', 'session ends' ],
    [ $chain, 'short', '200 on ok PASSED',
      'session below an intermediate ends' ],
);

my @open;

for my $keep (sort keys %way) {
    for my $tls ('1.2', '1.3') {
        for my $http ('1.1', '2') {
            for my $case (@ending) {
                my ($cert, $sni, $later, $what) = @$case;
                my %how = (tls => $tls, http => $http, sni => $sni);

                my $full    = client($way{$keep}, %how, shown($cert));
                my $first   = seen($full->get('/'));
                my $session = $full->session;
                my $resumed = client($way{$keep}, %how, session => $session);
                my $second  = seen($resumed->get('/'));
                my $where   = "TLS $tls, $keep, HTTP/$http: $what";

                like("$first, $second", qr/^(200 \w+ ok PASSED), \1$/,
                     "$where: so far good");
                ok(!$full->resumed && $resumed->resumed, "$where: resumed");

                push @open, { full => $full, resumed => $resumed,
                              session => $session, cert => $cert,
                              how => \%how, port => $way{$keep},
                              later => $later, where => $where,
                              http => $http };
            }
        }
    }
}

# TLS 1.3 sends a new ticket with each resumption, and TLS 1.2 may: they do not
# outlive the full handshake's time

my %renewed;

for my $keep (sort keys %way) {
    for my $tls ('1.2', '1.3') {
        my %how = (tls => $tls, sni => 'short', cert => $other);
        my ($got, $session) = visit($way{$keep}, %how);

        $renewed{"TLS $tls, $keep"} = { port => $way{$keep}, how => \%how,
            session => $session, got => [ $got ] };
    }
}

for (my $passed = STEP; $passed < SHORT + STEP; $passed += STEP) {
    $clock->add(STEP);

    for my $chain (values %renewed) {
        my ($got, $session) = visit($chain->{port}, %{ $chain->{how} },
                                    session => $chain->{session});

        push @{ $chain->{got} }, $got;
        $chain->{session} = $session;
    }
}

for my $where (sort keys %renewed) {
    my $chain = $renewed{$where};

    is(join(', ', @{ $chain->{got} }),
       join(', ', $served, ($again) x 5, $served),
       "$where: renewed again and again, then a full handshake");
}

# and now all is over

$clock->add($end + 2 - $clock->now);

for my $open (@open) {
    my ($port, $how, $later, $where) = @$open{qw(port how later where)};

    for my $which ('full', 'resumed') {
        my $client = $open->{$which};

        is(seen($client->get('/')), $later, "$where: $which, later");

        next if $later =~ /^200/;
        ok($open->{http} eq '2' ? $client->goaway : $client->closed,
           "$where: $which, connection ends");
    }

    # its session is no way around

    (my $asked_again = $later) =~ s/ (?:ok PASSED|expired|crl)/ none/;
    $asked_again = $asked if $later =~ /PASSED|crl/;
    $asked_again =~ s/ full$//;

    is((visit($port, %$how, session => $open->{session}))[0],
       "$asked_again full", "$where: session, later");
    is((visit($port, %$how, session => $open->{session},
              shown($open->{cert})))[0],
       "$later full", "$where: session with the certificate, later");
}

$ending_nginx->finish;

done_testing();
