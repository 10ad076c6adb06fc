#!/usr/bin/perl

# After a full TLS 1.3 handshake without a ticket the server has nothing to
# say.  A client with Nagle's algorithm on waits with its request for an
# acknowledgment, which Linux delays for 40 ms: it is to be served no later
# than by stock nginx, whose tickets carry the acknowledgment.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(min);
use Test::More;
use Time::HiRes qw(time);
use AOP::Test;

plan skip_all => 'acknowledgments are delayed otherwise' if $^O ne 'linux';

use constant { TURNS => 9, WITHIN => 0.010 };

my $ca    = ca('Edge CA');
my $leaf  = $ca->leaf('edge');
my $bad   = ca('Other CA')->leaf('bad');
my $long  = { cert => $leaf, chain => [ map { ca("CA $_") } 1 .. 8 ] };
my $nginx = nginx();

$nginx->write('ca.pem', $ca);

my %port;

@port{qw(stock ours)} = $nginx->ports(2);

my %ask = (
    stock => 'ssl_client_certificate ca.pem;'
             . ' ssl_verify_client optional_no_ca;',
    ours  => 'aop_ca ca.pem; aop optional;',
);

$nginx->configure(join "\n", map {
    'server { ' . $nginx->listen_tls($port{$_})
    . " $ask{$_} location / { return 200; } }"
} sort keys %ask)->start;

for my $case (
    [ 'a good certificate', { cert => $leaf } ],
    [ 'a bad certificate', { cert => $bad } ],
    [ 'a long chain', $long ],
    [ 'TLS 1.2', { cert => $leaf, tls => '1.2' } ])
{
    my ($name, $client) = @$case;
    my %seconds;

    for (1 .. TURNS) {
        push @{ $seconds{$_} }, seconds($port{$_}, $client)
            for qw(stock ours);
    }

    my ($stock, $ours) = map { min(@{ $seconds{$_} }) } qw(stock ours);

    cmp_ok($ours, '<', $stock + WITHIN,
           "$name: served as soon as by stock nginx");
}

$nginx->finish;
done_testing();


# seconds($port, $options): from the end of the handshake to the answer.
sub seconds {
    my ($port, $options) = @_;

    my $client = client($port, tls => '1.3', %$options, nagle => 1);

    $client->connect or die 'no connection: ' . $client->error;

    my $start  = time();
    my $answer = $client->get('/');

    die 'answered ' . $answer->status if $answer->status != 200;

    $client->close;

    return time() - $start;
}
