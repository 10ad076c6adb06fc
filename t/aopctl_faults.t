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

alarm 300;

my $nginx = nginx();
my ($port, $plain, $page) = $nginx->ports(3);
my $ca    = ca('Own CA');
my $leaf  = $ca->leaf('edge');

my %file = map { $_->[0] => $nginx->path($nginx->write(@$_)) } (
    [ 'ca.pem', $ca ],
    [ 'crl.pem', $ca->crl ],
    [ 'leaf.pem', $leaf->pem . $leaf->key_pem ],
    [ 'aop.log', join '', log_line() x 20, log_line(none => 'direct') x 3 ],
);

my $listen = $nginx->listen_tls($port);

$nginx->configure(<<"CONF")->start;
    aop_ca ca.pem;
    server { $listen aop on; }
    server {
        listen 127.0.0.1:$plain;
        reset_timedout_connection on;
        return 444;
    }
    server { listen 127.0.0.1:$page; location / { aop_report; } }
CONF

my $probe = [ 'probe', '--timeout', 2, '--no-http', '--cert', $file{'leaf.pem'},
              "127.0.0.1:$port" ];

# Arguments, the call that fails (any), how often it is tried (always), exit
# statuses, what is said then.
for (
    [ [ 'lint', @file{qw(ca.pem crl.pem)} ], undef, undef, [ 0, 2, 70, 74 ],
      'lint: out of memory', 'out of memory' ],

    [ [ 'report', $file{'aop.log'} ], undef, undef, [ 0, 66, 70, 74 ],
      'report: out of memory', 'out of memory',
      "cannot read \"$file{'aop.log'}\": out of memory",
      "cannot read \"$file{'aop.log'}\": Cannot allocate memory" ],

    [ [ 'status', "http://127.0.0.1:$page/" ], undef, undef, [ 0, 3, 64, 70, 74 ],
      'out of memory', 'status: curl failed, or out of memory',
      'status: curl failed' ],

    [ $probe, 'SSL_CTX_new', 2, [ 70 ], 'probe: out of memory' ],

    (map { [ $probe, $_->[0], 2, [ 1, 3 ], $_->[1] ] }
         [ 'socket', 'cannot connect: Cannot allocate memory' ],
         [ 'connect', 'cannot connect: Cannot allocate memory' ],
         [ 'SSL_write', 'connection failed: Cannot allocate memory' ],
         [ 'poll', 'poll() failed: Cannot allocate memory' ],
         [ 'SSL_new', 'not supported by this OpenSSL' ],
         [ 'SSL_set_ex_data', 'not supported by this OpenSSL' ],
         [ 'SSL_set_fd', 'TLS failed: out of memory' ],
         [ 'nghttp2_session_callbacks_new', 'out of memory' ],
         [ 'nghttp2_session_client_new', 'out of memory' ],
         [ 'nghttp2_submit_request', 'out of memory' ]),
) {
    my ($arg, $call, $most, $status, @says) = @$_;

    my $fault = AOP::Test::Fault->new(defined $call ? $call : ());
    my $name  = join ': ', $arg->[0], defined $call ? $call : ();
    my $usual = aopctl(@$arg)->{status};

    my @run = map { { %{ $_->[0] }, call => $_->[1] } }
              $fault->run(sub {
                  return $fault->each(once => sub { aopctl(@$arg) }, $most);
              });

    my %allowed = map { $_ => 1 } @$status;

    is(join(' ', map { "$_->{call}: $_->{status}" }
                 grep { !$allowed{ $_->{status} } } @run),
       '', "$name: statuses");
    is(join(' ', map { $_->{call} }
                 grep { $_->{status} eq '70'
                        && !($_->{out} eq '' && length $_->{err}) } @run),
       '', "$name: failed, so nothing is told");
    is(join(' ', map { $_->{call} }
                 grep { $_->{status} eq $usual && length $_->{err} } @run),
       '', "$name: as usual, so no error is told");

    for my $said (@says) {
        ok(scalar(grep { "$_->{err}$_->{out}" =~ /\Q$said\E$/m } @run),
           "$name: says \"$said\"");
    }
}

# what is reset

my $reset = aopctl('probe', '--http-port', $plain, "127.0.0.1:$port");

is($reset->{status}, 0, 'plain HTTP is reset: nothing is served');
like($reset->{out}, qr/refused, connection failed: Connection reset by peer/,
     'plain HTTP is reset: why');

$nginx->finish;
done_testing();
