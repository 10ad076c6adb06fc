#!/usr/bin/perl

# Which server decides on a session.  It has a name of its own, and up to TLS
# 1.2 nginx takes that for the connection's, whatever the ClientHello says; so
# the session is resumed only if the servers of both names agree.  And a session
# that its own server would not resume is not stored.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $ca  = ca('Edge CA');
my $bad = ca('Other CA')->leaf('bad');

my $none;
my $good  = $ca->leaf('good');
my $good2 = $ca->leaf('good too');

# with a key as cheap as P-256 no ticket pays in TLS 1.3
my $dear  = AOP::Test::Cert->new(subject => 'server.test', key => 'rsa');
my $nginx = nginx();
my $two   = nginx(workers => 2);
my $show  = show() . ' add_header X-Resumed $aop_resumed always;'
            . ' add_header X-SNI $ssl_server_name always;';

for my $n ($nginx, $two) {
    $n->write('ca.pem', $ca);
    $n->write('server.crt', $dear);
    $n->write('server.key', $dear->key_pem);
}

$nginx->write('ticket.key', 'k' x 80);

my %keep = (
    object => 'ssl_session_tickets on; ssl_session_cache none;',
    ticket => 'ssl_session_ticket_key ticket.key; ssl_session_cache none;',
    cache  => 'ssl_session_tickets off; ssl_session_cache shared:S:2m;',
    small  => 'ssl_session_tickets off; ssl_session_cache shared:F:32k;',
);

# what each worker keeps, and both have in the cache that is added
$keep{added} = $keep{object};

my %server = (
    'hour.test' => 'aop on;',
    'zero.test' => 'aop on; aop_session_timeout 0;',
    'off.test'  => 'aop off;',
);

my @added = map { "$_ added" } sort keys %server;
my @way   = map { my $keep = $_; map { "$_ $keep" } sort keys %server }
            'object', 'ticket', 'cache';
my %port;

@port{@way, @added, 'small'} = $nginx->ports(@way + @added + 1);

sub servers {
    my ($port, $keep, $default) = @_;
    my $listen = $nginx->listen_tls($port);

    return map {
        "server { $listen server_name $_; $keep{$keep} $server{$_}"
        . ' location / { return 200; } }';
    } $default, grep { $_ ne $default } sort keys %server;
}

$two->configure(join "\n", 'aop_ca ca.pem;', $show,
    map { my ($default, $keep) = split / /;
          servers($port{$_}, $keep, $default) } @added)->start;

$nginx->configure(join "\n", 'aop_ca ca.pem;', $show,
    (map { my ($default, $keep) = split / /;
           servers($port{$_}, $keep, $default) } @way),
    'server {', $nginx->listen_tls($port{small}),
    "$keep{small} server_name optional.test; aop optional;",
    ' location / { return 200; } }')->start;

my $served = '200 on ok PASSED full';
my $again  = '200 on ok PASSED resumed';
my $asked  = '400 on none REJECTED full';
my $off    = '200 off - - full';

for my $way (@way, @added) {
    my $port = $port{$way};
    my ($default) = split / /, $way;

    for my $tls ('1.2', '1.3') {

        # the name of the session, the name offered with it, the answer

        for (
            [ 'hour.test', 'hour.test', $again ],
            [ 'hour.test', 'HOUR.test', $again ],
            [ 'HOUR.test', 'hour.test', $again ],
            [ 'hour.test', 'zero.test', $asked ],
            [ 'hour.test', 'off.test', $off ],
            [ 'zero.test', 'hour.test', $asked ],
            [ 'zero.test', 'zero.test', $asked ],
            [ 'ZERO.test', 'hour.test', $asked ],
            [ 'zero.test', undef, $default eq 'off.test' ? $off : $asked ],
            [ 'zero.test', 'unknown.test',
              $default eq 'off.test' ? $off : $asked ],
            [ 'hour.test', undef, $default eq 'hour.test' ? $again
                                : $default eq 'zero.test' ? $asked : $off ],
            [ undef, 'hour.test',
              $default eq 'hour.test' ? $again : $asked ],
            [ 'unknown.test', 'hour.test',
              $default eq 'hour.test' ? $again : $asked ],
            [ undef, 'zero.test', $asked ],
            [ 'off.test', 'hour.test', $asked ])
        {
            my ($first, $then, $expected) = @$_;
            my %how = (tls => $tls);

            my (undef, $session) = visit($port, %how, sni => $first,
                host => 'hour.test', cert => $good);

            my ($got) = visit($port, %how, sni => $then, session => $session,
                host => $expected =~ /off/ ? 'off.test' : 'hour.test');

            # the server of the handshake did not use the module, or does not
            # now: what is asked is another question

            $got =~ s/^421 on misdirected/400 on none/;

            is($got, $expected, sprintf 'default %s, TLS %s: session of %s, '
               . 'resumed for %s', $way, $tls,
               map { defined $_ ? $_ : 'no name' } $first, $then);
        }

        # a Host of another server with an equal policy is not misdirected,
        # whatever its aop_session_timeout

        my %how = (tls => $tls, sni => 'hour.test');
        my (undef, $session) = visit($port, %how, cert => $good);

        is((visit($port, %how, session => $session, host => 'zero.test'))[0],
           $again, "default $way, TLS $tls: resumed, Host zero.test");
    }
}

# one session is good: 200 handshakes that are not must not push it out

for my $tls ('1.2', '1.3') {
    my $port = $port{small};
    my %how  = (tls => $tls, sni => 'optional.test');

    for my $case ([ 'bad', $bad ], [ 'no', $none ]) {
        my ($name, $cert) = @$case;

        my ($got, $session) = visit($port, %how, cert => $good);
        is($got, '200 optional ok PASSED full', "TLS $tls: a good session");

        my $made = 0;

        for (1 .. 200) {
            my $client = client($port, %how, cert => $cert);
            $made += $client->connect ? 1 : 0;
            $client->close;
        }

        is($made, 200, "TLS $tls: 200 handshakes with $name certificate");
        is((visit($port, %how, session => $session))[0],
           '200 optional ok PASSED resumed',
           "TLS $tls: the good session is resumed after them");
    }
}

$_->finish for $nginx, $two;
done_testing();
