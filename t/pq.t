#!/usr/bin/perl

# Post-quantum client certificates: ML-DSA leaves and CAs, behind intermediates
# and in mixed chains, and SLH-DSA; where OpenSSL has them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(sleep);
use AOP::Test;
use AOP::Test::Aopctl;
use AOP::Test::Report;

use constant {
    FIRST  => 700,                  # bytes
    VISITS => 40,
};

plan skip_all => 'this OpenSSL has no ML-DSA'
    if !AOP::Test::Cert->has('ML-DSA-44');

my @KEYS   = qw(ML-DSA-44 ML-DSA-65 ML-DSA-87);
my @CLIENT = qw(subject issuer serial fingerprint spki not_after days_left);

my $classical = ca('Old CA');
my $pq        = ca('PQ CA', key => 'ML-DSA-65');
my $other     = ca('Other PQ CA', key => 'ML-DSA-44');
my $inter     = $pq->intermediate('PQ Inter', key => 'ML-DSA-87');
my $mixed     = $pq->intermediate('Old Inter');
my %ca        = map { $_ => ca("CA of $_", key => $_) } @KEYS;
my %leaf      = map { $_ => $ca{$_}->leaf("edge $_", key => $_) } @KEYS;
my %gone      = map { $_ => $ca{$_}->leaf("gone $_", key => $_) } @KEYS;

my $slh = AOP::Test::Cert->has('SLH-DSA-SHA2-128f')
          ? ca('SLH CA', key => 'SLH-DSA-SHA2-128f') : undef;

my %cert = (
    pq        => $pq->leaf('edge', key => 'ML-DSA-44'),
    revoked   => $pq->leaf('revoked', key => 'ML-DSA-44'),
    stranger  => $other->leaf('stranger', key => 'ML-DSA-44'),
    old       => $classical->leaf('old edge'),
    old_leaf  => $pq->leaf('old leaf of PQ CA'),
    old_ca    => $classical->leaf('PQ leaf of old CA', key => 'ML-DSA-44'),
    behind    => $inter->leaf('behind', key => 'ML-DSA-44'),
    old_inter => $mixed->leaf('PQ leaf of old inter', key => 'ML-DSA-44'),
    past      => $pq->leaf('past', key => 'ML-DSA-44',
                           not_before => time() - 9 * 86400,
                           not_after  => time() - 86400),
);

my $nginx = nginx();
my ($port, $admin) = $nginx->ports(2);

my %port;

@port{qw(tickets cache kem)} = $nginx->ports(3);

my $relay = $nginx->ports;

my $http3  = `@{[ AOP::Test::Nginx->binary ]} -V 2>&1` =~ /http_v3_module/
             && `curl --version 2>&1` =~ /\bHTTP3\b/;
my $listen = $nginx->listen_tls($port)
             . ($http3 ? " listen 127.0.0.1:$port quic;" : '');

$nginx->write('pq.pem', $pq);
$nginx->write('old.pem', $classical);
$nginx->write('each.pem', [ values %ca ]);
$nginx->write('pq.crl', $pq->crl(revoked => [ $cert{revoked} ]));
$nginx->write('each.crl', join '', map { $ca{$_}->crl(revoked => [ $gone{$_} ]) }
                                   @KEYS);
$nginx->write('slh.pem', $slh || $pq);

my $pin = spki_of($cert{pq});

# name => directives; all of them have one port

my %server = (
    on       => 'aop on; aop_ca pq.pem;',
    each     => 'aop on; aop_ca each.pem;',
    crls     => 'aop on; aop_ca each.pem; aop_crl each.crl;',
    both     => 'aop on; aop_ca pq.pem old.pem;',
    require  => 'aop on; aop_ca pq.pem old.pem; aop_require post_quantum;',
    optional => 'aop optional; aop_ca pq.pem old.pem;'
                . ' aop_require post_quantum;',
    deep     => 'aop on; aop_ca pq.pem; aop_verify_depth 2;'
                . ' aop_require post_quantum;',
    pinned   => "aop on; aop_ca pq.pem; aop_pin spki-sha256:$pin;",
    crl      => 'aop on; aop_ca pq.pem; aop_crl pq.crl;',
    slh      => 'aop on; aop_ca slh.pem;',
    excluded => 'aop on; aop_ca each.pem; ssl_conf_command'
                . ' ClientSignatureAlgorithms ECDSA+SHA256:RSA-PSS+SHA256;',
    (map { +"level$_" => 'aop on; aop_ca each.pem;'
           . " ssl_ciphers ALL:\@SECLEVEL=$_; ssl_certificate pq.crt;"
           . ' ssl_certificate_key pq.key;' } 1 .. 5),
);

# with a level above 2 the server's own certificate has to be as strong

my $site = AOP::Test::Cert->self_signed('server.test', key => 'ML-DSA-87');

$nginx->write('pq.crt', $site);
$nginx->write('pq.key', $site->key_pem);

$nginx->write('pq-client.crt', $cert{pq});
$nginx->write('pq-client.key', $cert{pq}->key_pem);

$nginx->write('old-client.crt', $cert{old});
$nginx->write('old-client.key', $cert{old}->key_pem);

my %keep = (
    tickets => 'ssl_session_cache none;',
    cache   => 'ssl_session_tickets off; ssl_session_cache shared:C:1m;',
    kem     => 'ssl_ecdh_curve X25519MLKEM768:prime256v1;'
               . ' add_header X-Curve $ssl_curve always; ' . show(),
);

my $show = show() . ' add_header X-Key $aop_client_key always;'
           . ' add_header X-Resumed $aop_resumed always;'
           . ' add_header X-Reason $aop_reason always;'
           . join '', map { " add_header X-Client-$_ \$aop_client_$_ always;" }
                      @CLIENT;

$nginx->configure(join "\n", $show, 'access_log json.log aop_json;',
    'aop_log_interval 0; aop_edge 127.0.0.1;',
    (map { "server { $listen server_name $_.test; $server{$_}"
           . ' location / { return 200; } }' } sort keys %server),
    (map { "server { " . $nginx->listen_tls($port{$_}) . " server_name $_.test;"
           . " aop on; aop_ca pq.pem; $keep{$_}"
           . ' location / { return 200; } }' } sort keys %port),
    "server { listen 127.0.0.1:$admin; location / { aop_report; } }")->start;

# each kind of key

for my $key (@KEYS) {
    for my $http ('1.1', '2') {
        my $answer = get($port, sni => 'each.test', http => $http,
                         cert => $leaf{$key});

        is(seen($answer), '200 on ok PASSED', "$key, HTTP/$http");
        is($answer->header('X-Key'), $key, "$key, HTTP/$http: its name");
    }

    is(seen(get($port, sni => 'on.test', cert => $leaf{$key})),
       '400 on untrusted REJECTED', "$key of another CA");

    is(seen(get($port, sni => 'crls.test', cert => $leaf{$key})),
       '200 on ok PASSED', "$key, not on the CRL that it signed");
    is(seen(get($port, sni => 'crls.test', cert => $gone{$key})),
       '400 on revoked REJECTED', "$key, on the CRL that it signed");
}

# all that is known of a client, as OpenSSL has it

for my $key (@KEYS) {
    my $answer = get($port, sni => 'each.test', cert => $leaf{$key});
    my $text   = $leaf{$key}->openssl('-serial', '-fingerprint', '-sha256');
    my ($serial)      = $text =~ /^serial=(\w+)/m;
    my ($fingerprint) = $text =~ /Fingerprint=([\w:]+)/;

    is($answer->header('X-Client-subject'), "CN=edge $key", "$key: subject");
    is($answer->header('X-Client-issuer'), "CN=CA of $key", "$key: issuer");
    is($answer->header('X-Client-serial'), $serial, "$key: serial");
    is($answer->header('X-Client-fingerprint'),
       lc $fingerprint =~ s/://gr, "$key: fingerprint");
    is($answer->header('X-Client-spki'), spki_of($leaf{$key}), "$key: spki");
    like($answer->header('X-Client-not_after'),
         qr/^\d{4}-\d\d-\d\dT[\d:]{8}Z$/, "$key: not_after");
    like($answer->header('X-Client-days_left'), qr/^\d+$/, "$key: days_left");
}

# a chain that was verified is not verified again

my $hits = hits();

is(seen(get($port, sni => 'on.test', cert => $cert{pq})), '200 on ok PASSED',
   "cache: time $_") for 1, 2;
cmp_ok(hits(), '>', $hits, 'cache: a hit');

# server, certificate, chain, what comes of it

for (
    [ 'on', 'pq', [], '200 on ok PASSED' ],
    [ 'on', 'stranger', [], '400 on untrusted REJECTED' ],
    [ 'on', 'past', [], '400 on expired REJECTED' ],
    [ 'on', 'old', [], '400 on untrusted REJECTED' ],
    [ 'on', 'old_leaf', [], '200 on ok PASSED' ],
    [ 'on', 'behind', [ $inter ], '200 on ok PASSED' ],
    [ 'on', 'behind', [], '400 on untrusted REJECTED' ],
    [ 'on', 'old_inter', [ $mixed ], '200 on ok PASSED' ],
    [ 'both', 'old', [], '200 on ok PASSED' ],
    [ 'both', 'old_ca', [], '200 on ok PASSED' ],
    [ 'require', 'pq', [], '200 on ok PASSED' ],
    [ 'require', 'behind', [ $inter ], '200 on ok PASSED' ],
    [ 'require', 'old', [], '400 on weak REJECTED', 'certificate' ],
    [ 'require', 'old_leaf', [], '400 on weak REJECTED', 'certificate' ],
    [ 'require', 'old_ca', [], '400 on weak REJECTED', 'CA of the chain' ],
    [ 'require', 'old_inter', [ $mixed ], '400 on weak REJECTED',
      'CA of the chain' ],
    [ 'require', 'stranger', [], '400 on untrusted REJECTED' ],
    [ 'optional', 'old', [], '200 optional weak REJECTED_DRY_RUN',
      'certificate' ],
    [ 'optional', 'pq', [], '200 optional ok PASSED' ],
    [ 'pinned', 'pq', [], '200 on ok PASSED' ],
    [ 'pinned', 'revoked', [], '400 on pin REJECTED' ],
    [ 'crl', 'pq', [], '200 on ok PASSED' ],
    [ 'crl', 'revoked', [], '400 on revoked REJECTED' ],
) {
    my ($server, $name, $chain, $expected, $whose) = @$_;

    # the second time the cache is asked

    for my $time ('first', 'again') {
        my $answer = get($port, sni => "$server.test", cert => $cert{$name},
                         chain => $chain);

        is(seen($answer), $expected,
           "$server, $name, chain of ${\ scalar @$chain}, $time");
        is($answer->header('X-Reason'),
           "the key of " . ($whose eq 'certificate' ? 'the ' : 'a ')
           . "$whose is not post-quantum", "$server, $name, $time: reason")
            if $whose;
    }
}

# Levels of OpenSSL: ML-DSA-44 has the strength of 3, -65 of 4, -87 of 5.  From
# one above a server does not ask for such a certificate.

for my $level (1 .. 5) {
    for my $key (@KEYS) {
        my $answer = get($port, sni => "level$level.test",
                         cert => $leaf{$key});
        my $strong = { 'ML-DSA-44' => 3, 'ML-DSA-65' => 4,
                       'ML-DSA-87' => 5 }->{$key};

        is(seen($answer), $level <= $strong ? '200 on ok PASSED'
                                            : '400 on none REJECTED',
           "level $level, $key");
    }
}

# why there is none: to Cloudflare it may be what the server offers

is(seen(get($port, sni => "$_.test", cert => $leaf{'ML-DSA-44'})),
   $_ eq 'level3' ? '200 on ok PASSED' : '400 on none REJECTED',
   "$_: a certificate is presented, or not") for qw(level3 level4 excluded);

for (qw(level3 level4 excluded)) {
    my $mark = $nginx->mark;

    get($port, sni => "$_.test");

    my $line = $nginx->wait_log(qr/refused: none: .*server: \Q$_\E\.test/,
                                $mark);

    $_ eq 'level3'
        ? unlike($line, qr/post-quantum/, "$_: not because of the key")
        : like($line, qr/;\ a\ post-quantum\ certificate\ is\ presented\ only\ to
                         \ a\ server\ with\ OpenSSL\ 3\.5\ and\ TLS\ 1\.3,\ if\ its
                         \ security\ level\ and\ signature\ algorithms/x,
               "$_: maybe because of the key");
}

# sessions: where one is resumed, what passed passes; and nowhere else

my ($got, $session) = visit($port, sni => 'on.test', cert => $cert{pq});

is($got, '200 on ok PASSED full', 'a session');
is((visit($port, sni => 'on.test', session => $session))[0],
   '200 on ok PASSED resumed', 'resumed');
is((visit($port, sni => 'require.test', session => $session))[0],
   '400 on none REJECTED full', 'not resumed by another policy');

(undef, $session) = visit($port, sni => 'both.test', cert => $cert{old});

is((visit($port, sni => 'require.test', session => $session))[0],
   '400 on none REJECTED full', 'a classical session is not resumed there');

# tickets hold them, and so does a worker that keeps the session itself

for my $keep ('tickets', 'cache') {
    my $sni = "$keep.test";

    for my $tries (1 .. 2) {
        (my $first, $session) = visit($port{$keep}, sni => $sni,
                                      cert => $cert{pq});
        is($first, '200 on ok PASSED full', "$keep: full");
    }

    is((visit($port{$keep}, sni => $sni, session => $session))[0],
       '200 on ok PASSED resumed', "$keep: the next");
}

# that worker alone has it, unless nginx's cache takes 8192 bytes

{
    my $two  = nginx(workers => 2);
    my $port = $two->ports;
    my $made = '';
    my (%seen, $session);

    $two->write('pq.pem', $pq);
    $two->configure(show() . ' add_header X-Pid $pid always; server { '
                    . $two->listen_tls($port, 'reuseport')
                    . ' aop on; aop_ca pq.pem; ssl_session_tickets off;'
                    . ' ssl_session_cache shared:C:1m;'
                    . ' location / { return 200; } }')->start;

    for (1 .. VISITS) {
        my $client = client($port, cert => $cert{pq}, session => $session);
        my $pid    = $client->get('/')->header('X-Pid');

        $seen{($pid eq $made ? 'the same' : 'another') . ' worker: '
              . ($client->resumed ? 'resumed' : 'full')}++ if $made;

        ($made, $session) = ($pid, $client->session);
        $client->close;
    }

    is(join(', ', sort keys %seen), 'another worker: '
       . ($two->startup_output =~ /resumed only by the worker process/
          ? 'full' : 'resumed') . ', the same worker: resumed',
       'tickets off, two workers: as nginx says') or diag(explain(\%seen));
    $two->finish;
}

# a client with a post-quantum key agreement, also after a HelloRetryRequest

for my $groups ('X25519MLKEM768', 'P-521:X25519MLKEM768') {
    my ($crt, $key) = map { $nginx->path("pq-client.$_") } qw(crt key);
    my $said = `curl -ksi --tlsv1.3 --curves $groups --cert $crt --key $key \\
                --resolve kem.test:$port{kem}:127.0.0.1 \\
                https://kem.test:$port{kem}/ 2>&1`;

    like($said, qr/^HTTP\/\S+ 200.*^X-Verdict: ok\r?$/msi,
         "$groups: passed");
    like($said, qr/^X-Curve: (?:X25519MLKEM768|0x11ec)/mi,
         "$groups: agreed on");
    is(agreed(), 'X25519MLKEM768', "$groups: in the report");
}

# that there is one: the client sends its hello twice

my $hellos = openssl('', 's_client', '-connect', "127.0.0.1:$port{kem}", '-msg',
                     '-servername', 'kem.test', '-groups',
                     'P-521:X25519MLKEM768', '-cert',
                     $nginx->path('pq-client.crt'), '-key',
                     $nginx->path('pq-client.key'));

is(scalar(() = $hellos =~ /^>>> .*ClientHello$/mg), 2,
   'HelloRetryRequest: two ClientHellos');
like($hellos, qr/^>>> .*CertificateVerify$/m,
     'HelloRetryRequest: the certificate is presented');

# in two packets, as that of a client with more extensions

my $pid = relay($relay, $port{kem});

like(`curl -ksi --tlsv1.3 --curves X25519MLKEM768 \\
      --cert @{[ $nginx->path('pq-client.crt') ]} \\
      --key @{[ $nginx->path('pq-client.key') ]} \\
      --resolve kem.test:$relay:127.0.0.1 https://kem.test:$relay/`,
     qr/^X-Verdict: ok\r?$/mi, 'a ClientHello in two packets: passed');
cmp_ok($nginx->read('hello'), '>', 1216, 'it is as large as its key share');

waitpid $pid, 0;

like(`curl -ksSi --curves P-256 --cert @{[ $nginx->path('pq-client.crt') ]} \\
      --key @{[ $nginx->path('pq-client.key') ]} \\
      --resolve kem.test:$port{kem}:127.0.0.1 https://kem.test:$port{kem}/ 2>&1`,
     qr/^X-Verdict: ok\r?$/mi, 'classical key agreement: passed');
is(agreed(), 'secp256r1', 'classical key agreement: in the report');

# HTTP/3

SKIP: {
    skip 'this nginx or this curl has no HTTP/3', 2 if !$http3;

    for my $name ('pq-client', 'old-client') {
        my ($crt, $key) = map { $nginx->path("$name.$_") } qw(crt key);
        my $said = `curl -ksi --http3-only --cert $crt --key $key \\
                    --resolve require.test:$port:127.0.0.1 \\
                    https://require.test:$port/ 2>&1`;

        like($said, $name eq 'pq-client' ? qr{^HTTP/3 200.*^x-verdict: ok}msi
                                         : qr{^HTTP/3 400.*^x-verdict: weak}msi,
             "HTTP/3, $name");
    }
}

# "aopctl probe" with such a certificate: server, certificate, what comes of it

$nginx->write('stranger.crt', $cert{stranger});
$nginx->write('stranger.key', $cert{stranger}->key_pem);

for (
    [ 'on', 'pq-client', 0, qr/the given certificate is accepted/ ],
    [ 'require', 'pq-client', 0, qr/the given certificate is accepted/ ],
    [ 'on', 'stranger', 1, qr/client with the given certificate is, too/ ],
    [ 'require', 'old-client', 1, qr/client with the given certificate is, too/ ],
    [ 'excluded', 'pq-client', 1,
      qr/no signature algorithm for the key of the given certificate/ ],
) {
    my ($server, $name, $status, $why) = @$_;
    my $probe = answer('probe', "127.0.0.1:$port", '--sni', "$server.test",
                       '--no-http', '--cert', $nginx->path("$name.crt"),
                       '--key', $nginx->path("$name.key"));

    is($probe->{status}, $status, "probe, $server, $name: exit status");
    like(JSON::PP::encode_json($probe), $why, "probe, $server, $name: why")
        or diag(explain($probe));
}

# one connection, Hosts with and without the requirement

my $client = client($port, http => '2', sni => 'both.test',
                    cert => $cert{old});

is(join(', ', map { seen($client->get('/', host => "$_.test")) }
              qw(both require both)),
   '200 on ok PASSED, 421 on misdirected REJECTED, 200 on ok PASSED',
   'Hosts of both on one connection');

# SLH-DSA: TLS has no signature of it that OpenSSL offers, so it is for CAs

SKIP: {
    skip 'this OpenSSL has no SLH-DSA', 4 if !$slh;

    is(seen(get($port, sni => 'slh.test',
                cert => $slh->leaf('edge', key => 'ML-DSA-44'))),
       '200 on ok PASSED', 'a leaf of an SLH-DSA CA');
    is(seen(get($port, sni => 'slh.test', cert => $slh->leaf('old'))),
       '200 on ok PASSED', 'a classical leaf of an SLH-DSA CA');

    for my $key ('SLH-DSA-SHA2-128f', 'ML-DSA-44') {
        $nginx->write('slh-leaf.pem', $slh->leaf('edge', key => $key));

        my $lint = answer('lint', '--ca', $nginx->path('slh.pem'),
                          $nginx->path('slh-leaf.pem'));
        my $word = join ' ', map { $_->{word} }
                   @{ $lint->{files}[1]{certificates}[0]{findings} };

        is("$lint->{status} $word", $key eq 'ML-DSA-44' ? '0 '
                                                        : '2 key_not_in_tls',
           "lint: a client certificate with $key");
    }
}

# the log, the report

$nginx->wait_file('json.log', qr/"both\.test".*"misdirected"/);

my @line = map { JSON::PP::decode_json($_) }
           split /\n/, $nginx->read('json.log');
my %key  = map { $_->{key} => 1 } @line;

ok($key{$_}, "log: $_") for @KEYS, 'EC-P-256';
like(join('', $nginx->log_since(0)),
     qr/aop:\ client\ certificate\ would\ be\ refused:\ weak:\ the\ key\ of
        \ the\ certificate\ is\ not\ post-quantum;/x,
     'error.log: weak, and its hint');

my $report = report($admin);
my %kind   = map { +"$_->{kind} $_->{subject}" => $_->{key} }
             map { @{ $_->{certificates} } } @{ $report->json->{servers} };

is($kind{'anchor CN=PQ CA'}, 'ML-DSA-65', 'report: key of an anchor');
is($kind{'client CN=edge'}, 'ML-DSA-44', 'report: key of a client');
like($report->text('html'), qr/>ML-DSA-65</, 'report: key on the page');

# lint knows what they are

my $file = $nginx->write('client.pem', $cert{pq});
my $lint = answer('lint', '--ca', $nginx->path('pq.pem'), '--require',
                  'post_quantum', $nginx->path('client.pem'));

is($lint->{status}, 0, 'lint: passes');
is($lint->{files}[0]{certificates}[0]{what}, 'a root CA, not Cloudflare\'s',
   'lint: a root CA');
is($lint->{files}[1]{certificates}[0]{key}, 'ML-DSA-44', 'lint: its key');

$nginx->write('client.pem', $cert{old});
$lint = answer('lint', '--ca', $nginx->path('old.pem'), '--ca',
               $nginx->path('pq.pem'), '--require', 'post_quantum',
               $nginx->path('client.pem'));

is($lint->{status}, 2, 'lint: a classical one would be refused');
is($lint->{files}[2]{certificates}[0]{verdict}, 'weak', 'lint: weak');

$lint = answer('lint', '--ca', $nginx->path('old.pem'), '--require',
               'post_quantum', $nginx->path('client.pem'));

is(join(' ', map { $_->{word} } @{ $lint->{findings} }), 'no_post_quantum_key',
   'lint: nothing could pass');

$nginx->finish;
done_testing();


# relay($port, $to): passes one connection on to a port; what the client sends
# first, its ClientHello, is cut in two, and its size written to a file.
sub relay {
    my ($from, $to) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$from",
                                       Listen => 1, ReuseAddr => 1)
        or die "cannot listen: $@";
    my $child = fork();

    die "fork() failed: $!" unless defined $child;
    return $child if $child;

    $SIG{ALRM} = 'DEFAULT';
    alarm 30;

    my $client = $listen->accept;
    my $server = IO::Socket::INET->new("127.0.0.1:$to");

    $server->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);

    sysread $client, my $hello, 65536;
    $nginx->write('hello', length $hello);
    syswrite $server, $hello, FIRST;
    sleep 0.3;
    syswrite $server, $hello, length($hello) - FIRST, FIRST;

    my $both = IO::Select->new($client, $server);

    for (;;) {
        for my $from ($both->can_read) {
            my $n = sysread $from, my $bytes, 65536;

            POSIX::_exit(0) if !$n;
            syswrite $from == $client ? $server : $client, $bytes;
        }
    }
}


# hits(): of the cache of verified chains
sub hits {
    my ($row) = grep { $_->{result} eq 'hit' }
                @{ report($admin)->json->{verify_cache} };

    return $row->{count};
}


# agreed(): the key agreement of the client's last full handshake
sub agreed {
    my ($server) = grep { $_->{name} =~ /kem/ }
                   @{ report($admin)->json->{servers} };
    my ($client) = grep { $_->{kind} eq 'client' }
                   @{ $server->{certificates} };

    return $client->{key_agreement};
}


sub spki_of {
    my ($cert) = @_;

    my $der = openssl($cert->openssl('-pubkey'), 'pkey', '-pubin', '-outform',
                      'DER');

    return openssl($der, 'dgst', '-sha256', '-r') =~ /^(\w+)/ ? $1 : undef;
}
