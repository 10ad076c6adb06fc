#!/usr/bin/perl

# aopctl when memory is short, or a call fails that rarely does: it says so and
# ends with a status of its own, and never tells half of an answer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;
use AOP::Test::Fault;

my $nginx = nginx();
my $port  = $nginx->ports;
my $ca    = ca('Own CA');
my $leaf  = $ca->leaf('edge');

my %file = map { $_->[0] => $nginx->path($nginx->write(@$_)) } (
    [ 'ca.pem', $ca ],
    [ 'crl.pem', $ca->crl ],
    [ 'leaf.pem', $leaf->pem . $leaf->key_pem ],
    [ 'aop.log', join '', log_line() x 20, log_line(none => 'direct') x 3 ],
);

my $listen = $nginx->listen_tls($port);

$nginx->configure("aop_ca ca.pem; server { $listen aop on; }")->start;

my @probe = ('--no-http', '--cert', $file{'leaf.pem'}, "127.0.0.1:$port");

# Arguments, calls that fail (all), exit statuses, what is said by some.
for (
    [ [ 'lint', @file{qw(ca.pem crl.pem)} ], [], [ 0, 2, 70, 74 ],
      'lint: out of memory', 'out of memory' ],

    [ [ 'report', $file{'aop.log'} ], [], [ 0, 66, 70, 74 ],
      'report: out of memory', 'out of memory',
      "cannot read \"$file{'aop.log'}\": out of memory",
      "cannot read \"$file{'aop.log'}\": Cannot allocate memory" ],

    [ [ 'probe', @probe ],
      [ qw(SSL_CTX_new SSL_new nghttp2_session_callbacks_new
           nghttp2_session_client_new nghttp2_submit_request poll) ],
      [ 1, 3, 70 ], 'probe: out of memory' ],
) {
    my ($arg, $calls, $status, @says) = @$_;

    my $fault = AOP::Test::Fault->new(@$calls);
    my $name  = $arg->[0];
    my $usual = aopctl(@$arg)->{status};

    my @run = map { { %{ $_->[0] }, call => $_->[1] } }
              $fault->run(sub {
                  return $fault->each(once => sub { aopctl(@$arg) });
              });

    my %allowed = map { $_ => 1 } @$status;

    is(join(' ', map { "$_->{call}: $_->{status}" }
                 grep { !$allowed{ $_->{status} } } @run),
       '', "$name: statuses");
    is(join(' ', map { $_->{call} }
                 grep { $_->{status} == 70
                        && !($_->{out} eq '' && length $_->{err}) } @run),
       '', "$name: failed, so nothing is told");
    is(join(' ', map { $_->{call} }
                 grep { $_->{status} == $usual && length $_->{err} } @run),
       '', "$name: as usual, so no error is told");

    for my $said (@says) {
        ok(scalar(grep { $_->{err} eq "aopctl: $said\n" } @run),
           "$name: says \"$said\"");
    }
}

$nginx->finish;
done_testing();
