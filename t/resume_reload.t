#!/usr/bin/perl

# Sessions live longer than a configuration: their tickets by a key file, or
# they themselves in a shared cache.  What a session proved under the old one
# counts under the new one if the policy is the same, and not otherwise; the
# client is then asked again, and served if it has what is wanted now.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my ($old, $other) = (ca('Edge CA'), ca('Other CA'));
my $rekeyed = ca('Edge CA');
my $inter   = $old->intermediate('Intermediate');

my $none;
my $leaf    = $old->leaf('edge');
my $second  = $old->leaf('edge too');
my $renewed = $rekeyed->leaf('edge');
my $foreign = $other->leaf('edge');
my $chain   = { cert => $inter->leaf('below'), chain => [ $inter ] };

# with a key as cheap as P-256 no ticket pays in TLS 1.3
my $dear  = AOP::Test::Cert->new(subject => 'server.test',
                                 key => 'rsa');
my $nginx = nginx();
my $show  = show() . ' add_header X-Resumed $aop_resumed always;'
            . ' add_header X-Verify $ssl_client_verify always;';

$nginx->write('server.crt', $dear);
$nginx->write('server.key', $dear->key_pem);
$nginx->write('old.pem', $old);
$nginx->write('copy.pem', [ $old, $old ]);
$nginx->write('file.pem', $old);
$nginx->write('other.pem', $other);
$nginx->write('crl.pem', $old->crl(revoked => [ $leaf ]));
$nginx->write('empty.crl', $old->crl);
$nginx->write("key$_", join '', map { chr int rand 256 } 1 .. 80) for 1, 2;

sub pin {
    my ($hex) = $_[0]->openssl('-fingerprint', '-sha256') =~ /=(.*)/;
    $hex =~ tr/://d;
    return "aop_pin cert-sha256:$hex;";
}

my ($on, $optional) = map { "aop $_; aop_ca old.pem;" } qw(on optional);

my $served  = '200 on ok PASSED full';
my $again   = '200 on ok PASSED resumed';
my $asked   = '400 on none REJECTED full';
my $off     = '200 off - - full';

sub refused { return "400 on $_[0] REJECTED full" }

my @history = (

    # what is done, the server before, a certificate and its answer, the server
    # after, certificates and their answers

    [ 'nothing', $on, $leaf, $served,
      $on, $none, $again ],
    [ 'nothing, intermediate', $on, $chain, $served,
      $on, $none, $again ],
    [ 'nothing, none', $on, $none, $asked,
      $on, $none, $asked, $leaf, $served ],
    [ 'nothing, bad', $optional, $foreign,
      '200 optional untrusted REJECTED_DRY_RUN full',
      $optional, $none, '200 optional none REJECTED_DRY_RUN full',
      $leaf, '200 optional ok PASSED full' ],
    [ 'the same CA in another file', $on, $leaf, $served,
      'aop on; aop_ca copy.pem;', $none, $again ],
    [ 'the same CAs in another order',
      'aop on; aop_ca old.pem other.pem;', $leaf, $served,
      'aop on; aop_ca other.pem copy.pem;', $none, $again ],
    [ 'optional to on', $optional, $leaf, '200 optional ok PASSED full',
      $on, $none, $again ],
    [ 'optional to on, bad', $optional, $foreign,
      '200 optional untrusted REJECTED_DRY_RUN full',
      $on, $none, $asked, $foreign, refused('untrusted'), $leaf, $served ],
    [ 'optional to on, none', $optional, $none,
      '200 optional none REJECTED_DRY_RUN full',
      $on, $none, $asked, $leaf, $served ],
    [ 'a location to on', 'location /x { aop on; } aop_ca old.pem;',
      $leaf, '200 off ok - full', $on, $none, $again ],

    [ 'CA replaced, same name', 'aop on; aop_ca file.pem;', $leaf, $served,
      'aop on; aop_ca file.pem;', $none, $asked, $leaf, refused('untrusted'),
      $renewed, $served ],
    [ 'CA replaced, other name', $on, $leaf, $served,
      'aop on; aop_ca other.pem;', $none, $asked, $leaf,
      refused('untrusted'), $foreign, $served ],
    [ 'CA added', $on, $leaf, $served,
      'aop on; aop_ca old.pem other.pem;', $none, $asked, $leaf, $served ],
    [ 'CA removed', 'aop on; aop_ca old.pem other.pem;', $foreign, $served,
      $on, $none, $asked, $foreign, refused('untrusted'), $leaf, $served ],
    [ 'depth', "$on aop_verify_depth 2;", $chain, $served,
      "$on aop_verify_depth 0;", $none, $asked, $chain, refused('depth'),
      $leaf, $served ],

    [ 'CRL added, revoked', $on, $leaf, $served,
      "$on aop_crl crl.pem;", $none, $asked, $leaf, refused('revoked'),
      $second, $served ],
    [ 'CRL added, not revoked', $on, $second, $served,
      "$on aop_crl crl.pem;", $second, $served ],
    [ 'CRL replaced, revoked', "$on aop_crl empty.crl;", $leaf, $served,
      "$on aop_crl crl.pem;", $none, $asked, $leaf, refused('revoked'),
      $second, $served ],
    [ 'pin added', $on, $leaf, $served,
      $on . pin($second), $none, $asked, $leaf, refused('pin'), $second,
      $served ],
    [ 'pin changed', $on . pin($leaf), $leaf, $served,
      $on . pin($second), $none, $asked, $leaf, refused('pin'), $second,
      $served ],
    [ 'pin kept', $on . pin($leaf), $leaf, $served,
      $on . pin($leaf), $none, $again ],

    [ 'off to on', 'aop off;', $leaf, $off,
      $on, $none, $asked, $leaf, $served, $foreign, refused('untrusted') ],
    [ 'off to optional', 'aop off;', $none, $off,
      $optional, $none, '200 optional none REJECTED_DRY_RUN full', $leaf,
      '200 optional ok PASSED full' ],
    [ 'on to off', $on, $leaf, $served, 'aop off;', $none, $off ],
    [ 'off to off', 'aop off;', $none, $off,
      'aop off;', $none, '200 off - - resumed' ],
    [ 'ssl_verify_client added', $on, $leaf, $served,
      "$on ssl_verify_client on; ssl_client_certificate other.pem;",
      $none, '400 - none - full', $leaf, '400 - ok - full' ],
    [ 'timeout 0', $on, $leaf, $served,
      "$on aop_session_timeout 0;", $none, $asked, $leaf, $served ],
    [ 'timeout no longer 0', "$on aop_session_timeout 0;", $none, $asked,
      $on, $none, $asked, $leaf, $served ],
);

my ($ticket, $cache, $lost, $rotated) = $nginx->ports(4);

my $tickets = 'ssl_session_cache none; ssl_session_ticket_key';

my %before = (
    $ticket  => "$tickets key1;",
    $cache   => 'ssl_session_tickets off; ssl_session_cache shared:SSL:2m;',
    $lost    => 'ssl_session_cache none;',
    $rotated => "$tickets key1;",
);

my %after = (%before, $rotated => "$tickets key2; ssl_session_ticket_key key1;");
my %later = (%after, $rotated => "$tickets key2;");

# the name of the server of a history

sub name { return "n$_[0].test" }

# configuration(\%sessions, $n): with each history's server before (1), after (4)

sub configuration {
    my ($keep, $n) = @_;

    return join "\n", $show, map {
        my $port   = $_;
        my $listen = $nginx->listen_tls($port);

        map { "server { $listen server_name $$_[0]; $keep->{$port} $$_[1]"
              . ' location / { return 200; } }' }
            [ 'off', '' ],
            map { [ name($_), $history[$_][$n] ] } 0 .. $#history;
    } sort keys %$keep;
}

sub shown {
    my ($cert) = @_;
    return ref $cert eq 'HASH' ? %$cert : (cert => $cert, chain => []);
}

$nginx->configure(configuration(\%before, 1))->start;

# a session of each history, for each way to keep it

my %way = ($ticket => 'ticket', $cache => 'cache');
my %session;

for my $port (sort keys %before) {
    for my $tls ('1.2', '1.3') {
        for my $i (0 .. $#history) {
            my ($what, undef, $cert, $answer) = @{ $history[$i] };

            (my $got, $session{$port}{$tls}[$i])
                = visit($port, tls => $tls, sni => name($i), shown($cert));

            is($got, $answer, "TLS $tls, $way{$port}: before: $what")
                if $way{$port};
        }
    }
}

$nginx->write('file.pem', $rekeyed);
ok($nginx->reload(configuration(\%after, 4)), 'reload');

for my $port (sort keys %way) {
    for my $tls ('1.2', '1.3') {
        for my $i (0 .. $#history) {
            my ($what, undef, undef, undef, undef, @then) = @{ $history[$i] };

            while (my ($cert, $answer) = splice @then, 0, 2) {
                is((visit($port, tls => $tls, sni => name($i), shown($cert),
                          session => $session{$port}{$tls}[$i]))[0],
                   $answer, "TLS $tls, $way{$port}: $what: $answer");
            }
        }
    }
}

# without a key file a reload loses the tickets: nothing is worse than that

for my $tls ('1.2', '1.3') {
    is((visit($lost, tls => $tls, sni => name(0), cert => $leaf,
              session => $session{$lost}{$tls}[0]))[0], $served,
       "TLS $tls: ticket of a lost key");
    is((visit($lost, tls => $tls, sni => 'off',
              session => $session{$lost}{$tls}[0]))[0], $off,
       "TLS $tls: ticket of a lost key, off");
}

# a key that is being rotated out: the ticket is used, and renewed

my %new;

for my $tls ('1.2', '1.3') {
    (my $got, $new{$tls}) = visit($rotated, tls => $tls, sni => name(0),
                                  session => $session{$rotated}{$tls}[0]);
    is($got, $again, "TLS $tls: ticket of an older key");
}

ok($nginx->reload(configuration(\%later, 1)), 'reload, back again');

for my $tls ('1.2', '1.3') {
    my %how = (tls => $tls, sni => name(0));

    is((visit($rotated, %how, session => $new{$tls}))[0], $again,
       "TLS $tls: ticket that was renewed");
    is((visit($rotated, %how, session => $session{$rotated}{$tls}[0]))[0],
       $asked, "TLS $tls: ticket of a key that is gone");
}

# on to off and back

my ($i) = grep { $history[$_][0] eq 'on to off' } 0 .. $#history;

for my $port (sort keys %way) {
    for my $tls ('1.2', '1.3') {
        is((visit($port, tls => $tls, sni => name($i),
                  session => $session{$port}{$tls}[$i]))[0], $again,
           "TLS $tls, $way{$port}: on to off and back");
    }
}

# The whole address off, and the module gone: nobody looks at the sessions
# there.  What they prove to a server that uses the module stays the same.

my $bare = nginx();
my %keep = map { scalar $bare->ports => $_ }
           $before{$cache}, 'ssl_session_cache none;'
                            . ' ssl_session_ticket_key key1;';

$bare->write($_, $nginx->read($_))
    for qw(server.crt server.key old.pem key1);

sub alone {
    my ($server) = @_;
    return join "\n", map { my $listen = $bare->listen_tls($_);
        "server { $listen server_name a; $keep{$_} $server"
        . ' location / { return 200; } }' } sort keys %keep;
}

my $aop = 'add_header X-Resumed $aop_resumed always; ' . show();

$bare->configure(alone("$aop $on"))->start;

my (%made, %unproved);

for my $port (keys %keep) {
    for my $tls ('1.2', '1.3') {
        my %how = (tls => $tls, sni => 'a');

        (undef, $made{"$port $tls"}) = visit($port, %how, cert => $leaf);
    }
}

for my $step ([ 'address off', 1, $aop ], [ 'no module', 0, '' ]) {
    my ($what, $module, $server) = @$step;

    $bare->{module} = $module;
    ok($bare->reload(alone($server)), "$what: reload");

    for my $port (keys %keep) {
        for my $tls ('1.2', '1.3') {
            my %how = (tls => $tls, sni => 'a');

            like((visit($port, %how, session => $made{"$port $tls"}))[0],
                 qr/^200 .* resumed$/, "TLS $tls, $what: resumed");

            (my $got, $unproved{"$port $tls"})
                = visit($port, %how, cert => $leaf);

            like($got, qr/^200 .* full/, "TLS $tls, $what: new session");
        }
    }
}

$bare->{module} = 1;
ok($bare->reload(alone("$aop $on")), 'module back: reload');

for my $port (keys %keep) {
    for my $tls ('1.2', '1.3') {
        my %how = (tls => $tls, sni => 'a');

        is((visit($port, %how, session => $made{"$port $tls"}))[0], $again,
           "TLS $tls, module back: resumed");
        is((visit($port, %how, session => $unproved{"$port $tls"}))[0],
           $asked, "TLS $tls, module back: session made without it");
        is((visit($port, %how, session => $unproved{"$port $tls"},
                  cert => $leaf))[0],
           $served, "TLS $tls, module back: and a certificate");
    }
}

$bare->finish;
$nginx->finish;

done_testing();
