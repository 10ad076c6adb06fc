#!/usr/bin/perl

# A binary upgrade: two masters share the sockets for a while.  Whichever of
# them answers enforces, and nothing is lost on the way there or back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw(sleep time);
use AOP::Test;

my $ca   = ca('Edge CA');
my $good = $ca->leaf('edge');
my $bad  = ca('Foreign')->leaf('stranger');
my $show = show();

my $nginx  = nginx(workers => 2);
my $port   = $nginx->ports;
my $listen = $nginx->listen_tls($port);

# with a key as cheap as P-256 no ticket pays in TLS 1.3
my $dear  = AOP::Test::Cert->new(subject => 'server.test',
                                 key => 'ec:secp384r1');

$nginx->write('server.crt', $dear);
$nginx->write('server.key', $dear->key_pem);
$nginx->write('ca.pem', $ca);
$nginx->write('ticket.key', pack 'C*', map { int rand 256 } 1 .. 80);

my $server = "$show aop_ca ca.pem; ssl_session_ticket_key ticket.key;"
             . " server { $listen server_name on; aop on; return 200 secret; }";

# nginx refuses the signal while its parent is who started it

$nginx->configure($server);
$nginx->write('nginx.conf', $nginx->read('nginx.conf') =~ s/daemon off;//r);

my ($session, $old, $new) = (undef, 0, 0);

{
    local $ENV{NGINX};
    delete $ENV{NGINX};

    system(AOP::Test::Nginx::binary(), '-p', $nginx->dir . '/', '-c',
           $nginx->path('nginx.conf')) == 0 or die "nginx did not start\n";
}

until_true(sub {
    $old = ($nginx->read('nginx.pid') || 0) + 0;
    return $old && children($old) >= 2;
});

enforces('before');

# there, and back again

$new = upgrade();

enforces('both masters');

kill WINCH => $old;
gone($old);
enforces('the new one alone');

kill HUP => $old;
until_true(sub { children($old) >= 2 });
kill QUIT => $new;
until_true(sub { ($nginx->read('nginx.pid') || 0) == $old });
enforces('back to the old one');

# there, to stay

my $before = client($port, sni => 'on');

$before->connect;

$new = upgrade();

kill WINCH => $old;
is(seen($before->get('/')), '400 on none REJECTED',
   'a connection to the old one, while it ends');
gone($old);
kill QUIT => $old;

ok(until_true(sub { !kill 0 => $old }), 'the old master ends');
$old = 0;
enforces('the new one for good');

# the new master is nobody's child any more

kill HUP => $new;
sleep 0.5;
enforces('reloaded');

kill QUIT => $new;
ok(until_true(sub { !-e $nginx->path('nginx.pid') }), 'the new master ends');
$new = 0;

$nginx->finish;

done_testing();

# a test that dies must not leave servers behind
END { kill KILL => map { $_, children($_) } grep { $_ } $old, $new }


# enforces($when): eight requests of each kind, so that each worker has some.
sub enforces {
    my ($when) = @_;

    for my $case ([ 'none', undef, '400 on none REJECTED' ],
                  [ 'bad', $bad, '400 on untrusted REJECTED' ],
                  [ 'good', $good, '200 on ok PASSED' ])
    {
        my ($what, $cert, $expected) = @$case;

        is(join(', ', map { seen(get($port, sni => 'on', cert => $cert)) }
                      1 .. 8),
           join(', ', ($expected) x 8), "$when: $what");
    }

    # a session from before, whoever made it

    my $client = client($port, sni => 'on', session => $session,
                        $session ? () : (cert => $good));

    is(seen($client->get('/')), '200 on ok PASSED', "$when: session");
    is($client->resumed, 1, "$when: session resumed") if $session;

    $session ||= $client->session;

    return;
}


# upgrade(): starts another binary beside the one that runs; its master.
sub upgrade {
    my $from = $nginx->read('nginx.pid') + 0;

    kill USR2 => $from;

    my $pid;

    until_true(sub {
        $pid = $nginx->read('nginx.pid') || 0;
        return $pid && $pid != $from && children($pid) >= 2;
    }) or die "no second master\n";

    return $pid + 0;
}


# gone($master): waits until its workers are.
sub gone {
    my ($master) = @_;

    until_true(sub { !children($master) });
}


# children($master): its workers, and not a master that it has started.
sub children {
    my ($master) = @_;

    my @pid;

    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $stat or next;

        my ($pid, $of) = (<$fh> // '') =~ /^(\d+) \(.*\) [^Z] (\d+) /;

        push @pid, $pid if $of && $of == $master
                           && $pid != ($new // 0);
    }

    return @pid;
}


sub until_true {
    my ($done) = @_;

    my $end = time() + 10;

    until ($done->()) {
        return 0 if time() > $end;
        sleep 0.02;
    }

    return 1;
}
