#!/usr/bin/perl

# "aopctl probe" against hosts that are slow, silent, hostile, no web servers at
# all, or not there: it ends in time, says so, and calls none of them enforced.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use IO::Socket::SSL;
use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;

my $nginx = nginx();        # for its folder only
my $ca    = ca('Own CA');
my $leaf  = $ca->leaf('edge');
my $good  = $nginx->path($nginx->write('good.pem', $leaf->pem
                                                  . $leaf->key_pem));
my $other = ca('Other CA')->leaf('stranger');

$nginx->write('ca.pem', $ca);

# one connection after another, each is talked to; $limited once somebody came
# under another name
my $limited = 0;


sub server {
    my ($talk, %opt) = @_;

    my $class  = $opt{tls} ? 'IO::Socket::SSL' : 'IO::Socket::INET';
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 20,
                                       ReuseAddr => 1) or die "listen: $!";
    my $pid = fork();
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        $SIG{PIPE} = 'IGNORE';
        alarm 60;

        # one context for all connections: a session can be resumed

        my $context = $opt{tls} && IO::Socket::SSL::SSL_Context->new(
            SSL_server => 1, SSL_session_id_context => 'x', %{ $opt{tls} });

        while (my $client = $listen->accept) {
            if ($opt{tls}) {
                $client = IO::Socket::SSL->start_SSL($client,
                    SSL_server => 1, SSL_reuse_ctx => $context) or next;

                while (<$client>) {
                    $limited = 1 if /^Host: unrelated/;
                    last if /^\r?\n/;
                }
            }
            $talk->($client);
        }

        POSIX::_exit(0);
    }

    return ($listen->sockport, $pid);
}

sub drip {
    my ($client, $bytes) = @_;

    for (split //, $bytes) {
        print {$client} $_ or return;
        select undef, undef, undef, 0.2;
    }
}

my $cert = AOP::Test::Cert->server('hostile.test');
my %tls  = (SSL_cert => $cert->x509, SSL_key => $cert->key);
my $full = "HTTP/1.1 200 OK\r\n";

for (
    [ 'silent', sub { sleep 30 }, undef, 3, qr/timed out/ ],
    [ 'slow', sub { my ($c) = @_; print {$c} "\x16" and sleep 1 for 1 .. 9 },
      undef, 3, qr/timed out/ ],
    [ 'closing', sub { close $_[0] }, undef, 3, qr/closed|reset|eof/i ],
    [ 'no TLS', sub { print { $_[0] } "220 mail.test ESMTP\r\n" }, undef, 3,
      qr/TLS failed/ ],
    [ 'plain HTTP', sub { print { $_[0] } "$full\r\n" }, undef, 3,
      qr/TLS failed: wrong version number: is this port plain HTTP\?$/ ],
    [ 'silent in TLS', sub { sleep 30 }, \%tls, 1, qr/timed out/ ],
    [ 'closing in TLS', sub { close $_[0] }, \%tls, 1,
      qr/closed|without a response|eof/i ],
    [ 'no HTTP in TLS', sub { print { $_[0] } "\e[2Jhello\r\n\r\n" }, \%tls, 1,
      qr/not HTTP/ ],
    [ 'status 99', sub { print { $_[0] } "HTTP/1.1 099 x\r\n\r\n" }, \%tls, 1,
      qr/not HTTP/ ],
    [ 'no status', sub { print { $_[0] } "HTTP/1.1 x\r\n\r\n" }, \%tls, 1,
      qr/not HTTP/ ],
    [ 'zeros', sub { print { $_[0] } "\0" x 100_000 }, \%tls, 1,
      qr/not HTTP/ ],
    [ 'an endless head', sub { my ($c) = @_; print {$c} $full;
                               print {$c} 'X: ' . 'y' x 1000 . "\r\n" or return
                                   for 1 .. 10_000 }, \%tls, 2,
      qr/serves clients without a valid certificate/ ],
    [ 'interim answers', sub { print { $_[0] } "HTTP/1.1 103 x\r\n\r\n" x 2000,
                               "HTTP/1.1 404 x\r\n\r\n" }, \%tls, 2,
      qr/serves clients without a valid certificate/ ],
    [ 'endless interim answers', sub {
          my ($c) = @_;
          print {$c} "HTTP/1.1 103 x\r\n\r\n" x 1000 or return for 1 .. 10_000;
      }, \%tls, 1, qr/too much data from the server|timed out/ ],
    [ 'a dripped line', sub { drip($_[0], $full) }, \%tls, 1, qr/^timed out$/ ],
    [ 'a dripped head', sub { print { $_[0] } $full; drip($_[0], $full) },
      \%tls, 2, qr/serves clients without a valid certificate/ ],
    [ 'a dripped body', sub { print { $_[0] } "$full\r\n"; drip($_[0], $full) },
      \%tls, 2, qr/serves clients without a valid certificate/ ],
    [ 'an endless body', sub { my ($c) = @_; print {$c} "$full\r\n";
                               print {$c} 'y' x 10_000 or return
                                   for 1 .. 10_000 }, \%tls, 2,
      qr/serves clients without a valid certificate/ ],
    [ 'endless chunks', sub { my ($c) = @_; print {$c} $full,
                                  "Transfer-Encoding: chunked\r\n\r\n";
                              print {$c} "0" x 10_000 or return
                                  for 1 .. 10_000 }, \%tls, 2,
      qr/serves clients without a valid certificate/ ],
    [ 'a chunk of more than there is', sub { print { $_[0] } $full,
          "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx" },
      \%tls, 2, qr/serves clients without a valid certificate/ ],
    [ 'no more than a line', sub { print { $_[0] } $full }, \%tls, 2,
      qr/serves clients without a valid certificate/ ],
) {
    my ($name, $talk, $tls_options, $status, $why) = @$_;
    my ($at, $pid) = server($talk, tls => $tls_options);

    my $answer = probed("127.0.0.1:$at", '--no-http', '--timeout', 1);

    is($answer->{status}, $status, "$name: exit status");
    like($answer->{why}, $why, "$name: said");
    cmp_ok($answer->{seconds}, '<', 3.5, "$name: in time");
    unlike(aopctl('probe', "127.0.0.1:$at", '--no-http', '--timeout', 1)->{out},
           qr/[^\x20-\x7e\n]/, "$name: printable") if $name =~ /no HTTP|zeros/;

    kill KILL => $pid;
    waitpid $pid, 0;
}

# one that insists in the handshake, with hostile names of CAs

my $evil = ca([ CN => [ 12, "\e[2J\nCN=ok" ] ]);

for my $version (qw(TLSv1_2 TLSv1_3)) {
    my ($at, $pid) = server(sub { print { $_[0] } "$full\r\n" }, tls => {
        %tls, SSL_version => $version, SSL_client_ca => [ $evil->x509 ],
        SSL_ca => [ $evil->x509 ],
        SSL_verify_mode => SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
    });

    my $run = aopctl('probe', "127.0.0.1:$at", '--no-http', '--timeout', 3);

    is($run->{status}, 0, "insisting in the handshake, $version");
    unlike($run->{out}, qr/[^\x20-\x7e\n]/, "hostile names, $version: escaped");

    kill KILL => $pid;
    waitpid $pid, 0;
}

# one that asks, and then closes or answers in the name of nginx

my $refusal = "HTTP/1.1 400 Bad Request\r\n\r\n"
              . '<title>400 No required SSL certificate was sent</title>';

for (
    [ 'asks and closes', sub { close $_[0] }, 1, qr/which may be served to all clients/ ],
    [ 'asks and answers as nginx', sub {
          print { $_[0] } "HTTP/1.1 400 Bad Request\r\n\r\n";
          select undef, undef, undef, 0.05;
          print { $_[0] } '<html><head><title>400 No required SSL ';
          select undef, undef, undef, 0.05;
          print { $_[0] } 'certificate was sent</title></head>';
      }, 0, qr/^enforced/ ],
    [ 'asks and takes its time', sub {
          select undef, undef, undef, 0.7;
          print { $_[0] } $refusal;
      }, 1, qr/^the time limit for all connections is exceeded/, 2 ],
    [ 'asks, and has too much to do in the end', sub {
          print { $_[0] } $limited ? "HTTP/1.1 429 x\r\n\r\n" : $refusal;
      }, 1, qr/HTTP status 429, which may be the site's page/ ],
    [ 'asks, and closes in the end', sub {
          print { $_[0] } $refusal unless $limited;
      }, 1, qr/, which may be served to all clients/ ],
    [ 'asks and talks of it in the head', sub {
          print { $_[0] } "HTTP/1.1 400 x\r\nX: <title>400 No required SSL "
                          . "certificate was sent</title>\r\n\r\n";
      }, 1, qr/status 400, which may/ ],
    [ 'asks and does not end', sub {
          my ($c) = @_;
          print {$c} "HTTP/1.1 400 x\r\n\r\n";
          print {$c} 'x' x 1000 or return for 1 .. 10_000;
      }, 1, qr/status 400, which may/ ],
) {
    my ($name, $talk, $status, $why, $timeout) = @$_;
    my ($at, $pid) = server($talk, tls => {
        %tls, SSL_client_ca => [ $evil->x509 ],
        SSL_verify_mode => SSL_VERIFY_PEER, SSL_verify_callback => sub { 1 } });

    my $answer = probed("127.0.0.1:$at", '--no-http', '--timeout',
                        $timeout || 3);

    is($answer->{status}, $status, "$name: exit status");
    like($answer->{why}, $why, "$name: said");

    kill KILL => $pid;
    waitpid $pid, 0;
}

# sessions that get around it: who was refused is served when it comes back

{
    my ($at, $pid) = server(sub {
        my ($c) = @_;
        my $code = $c->get_session_reused ? '200 OK' : '403 No';
        print {$c} "HTTP/1.1 $code\r\nContent-Length: 0\r\n\r\n";
    }, tls => { %tls, SSL_version => 'TLSv1_2' });

    my $answer = probed("127.0.0.1:$at", '--no-http', '--timeout', 3);

    is("$answer->{status} $answer->{conclusion}", '2 not_enforced',
       'a session gets around it');
    like($answer->{why}, qr/resume a session/, 'and that is said');

    kill KILL => $pid;
    waitpid $pid, 0;
}

# silent from the first visit, that of the given certificate

{
    my ($at, $pid) = server(sub { sleep 30 }, tls => \%tls);

    my $answer = probed("127.0.0.1:$at", '--no-http', '--timeout', 1,
                        '--cert', $good);

    is("$answer->{status} $answer->{why}", '1 timed out',
       'silent, with a certificate');

    kill KILL => $pid;
    waitpid $pid, 0;
}

# nobody there

my $nobody = probed('127.0.0.1:1', '--timeout', 1);

is("$nobody->{status} $nobody->{conclusion}", '3 cannot_tell',
   'nobody there: exit status');
like($nobody->{why}, qr/^127\.0\.0\.1: cannot connect: Connection refused/,
     'nobody there: said');

like(aopctl('probe', '127.0.0.1:1')->{out}, qr/^127\.0\.0\.1 port 1, SNI /,
     'nobody there: no address');

my $edge = probed('104.16.0.1', '--timeout', 1);

is($edge->{status}, 3, 'Cloudflare\'s edge: exit status');
like($edge->{why}, qr/Cloudflare's edge/, 'Cloudflare\'s edge: said');
is(probed('[2606:4700::1]:443')->{why} =~ /Cloudflare's edge/, 1,
   'Cloudflare\'s edge, IPv6');

my $unknown = aopctl('probe', 'no-such-host.invalid', '--timeout', 3);

is($unknown->{status}, 3, 'no such host: exit status');
like($unknown->{err}, qr/^aopctl: .*resolve/, 'no such host: said');

# what is no host and port is told as it was given

for (
    [ 'https://example.test',
      '"https://example.test" is a URL, use HOST[:PORT]' ],
    [ 'example.test/path', '"example.test/path" is a URL, use HOST[:PORT]' ],
    [ 'example.test:https', 'invalid host or port "example.test:https"' ],
    [ '[::1]:x', 'invalid host or port "[::1]:x"' ],
    [ '[]', 'invalid host or port "[]"' ],
) {
    my ($target, $said) = @$_;
    my $run = aopctl('probe', $target);

    is("$run->{status} $run->{err}", qq(64 aopctl: probe: $said, )
       . qq(try "aopctl probe --help"\n), "a target: $target");
}

# an address that takes no connection: a full backlog drops what comes

{
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 0);
    my @filler = map { IO::Socket::INET->new(Proto => 'tcp', Blocking => 0,
                           PeerAddr => '127.0.0.1',
                           PeerPort => $listen->sockport) } 1 .. 5;

    my $run = aopctl('probe', '127.0.0.1:' . $listen->sockport,
                     '--timeout', 1, '--json');

    is($run->{status}, 3, 'unreachable: exit status');
    like($run->{out}, qr/timed out/, 'unreachable: said');
    cmp_ok($run->{seconds}, '<', 3, 'unreachable: in time');
}

# files

$nginx->write('only key.pem', $leaf->key_pem);
$nginx->write('other key.pem', $other->key_pem);
$nginx->write('locked.pem', $leaf->pem . openssl($leaf->key_pem, 'pkcs8',
    '-topk8', '-passout', 'pass:secret'));

for (
    [ [ '--cert', '/no/such' ], qr/No such file/ ],
    [ [ '--cert', $nginx->path('only key.pem') ], qr/no certificate/ ],
    [ [ '--cert', $nginx->path('ca.pem') ],
      qr/no private key without a passphrase in ".*ca\.pem" \(use --key\)$/ ],
    [ [ '--cert', $good, '--key', $nginx->path('ca.pem') ],
      qr/no private key without a passphrase in ".*ca\.pem"$/ ],
    [ [ '--cert', $good, '--key', $nginx->path('other key.pem') ],
      qr/does not match the certificate/ ],
    [ [ '--cert', $good, '--key', '/no/such' ], qr/No such file/ ],
    [ [ '--cert', $nginx->path('locked.pem') ], qr/without a passphrase/ ],
) {
    my ($arg, $expected) = @$_;
    my $run = aopctl('probe', '127.0.0.1:1', @$arg);

    is($run->{status}, 66, "a wrong file: $expected");
    like($run->{err}, qr/^aopctl: .*$expected/, 'said on standard error');
}

done_testing();
