#!/usr/bin/perl

# What a hostile peer may send: certificates that are large, long, weak or
# misshapen, proofs that do not hold, tickets that were altered or forged.  Each
# ends in a clean refusal, in the handshake or of the request, and harms nobody.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(hmac_sha256);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Math::BigInt;
use Net::SSLeay;
use Test::More;
use AOP::Test;

use constant {
    CERTIFICATE         => 11,
    CERTIFICATE_VERIFY  => 15,
    UTF8STRING          => 12,
    T61STRING           => 20,
    TICKET_NAME         => 16,
    TICKET_IV           => 16,
    TICKET_MAC          => 32,
    TAG_PEER            => 0xa3,    # of an SSL_SESSION in DER
    TAG_TICKET          => 0xaa,
    TAG_APPDATA         => 0xb2,
};

my $ca    = ca('Edge CA');
my $rsa   = ca('Edge RSA CA', key => 'rsa');
my $rival = ca('Foreign');
my $good  = $ca->leaf('edge');
my $bad   = $rival->leaf('stranger');

my $nginx = nginx();
my ($port, $stock, $weak) = $nginx->ports(3);
my $listen       = $nginx->listen_tls($port);
my $listen_stock = $nginx->listen_tls($stock);
my $listen_weak  = $nginx->listen_tls($weak);
my $show = show();

my $key = pack 'C*', map { int rand 256 } 1 .. 80;

# with a key as cheap as P-256 no ticket pays in TLS 1.3
my $dear  = AOP::Test::Cert->new(subject => 'server.test',
                                 key => 'ec:secp384r1');

$nginx->write('server.crt', $dear);
$nginx->write('server.key', $dear->key_pem);
$nginx->write('ca.pem', [ $ca, $rsa ]);
$nginx->write('ticket.key', $key);

$nginx->configure(<<"EOF")->start;
    aop_ca ca.pem;
    ssl_session_ticket_key ticket.key;
    access_log json.log aop_json;
    $show

    server {
        $listen
        server_name on;
        ssl_ciphers DEFAULT:\@SECLEVEL=2;      # upstream's default is 1
        aop on;
        location / { return 200 secret; }
        location /free { aop off; return 200 free; }
    }

    server {
        $listen_stock
        ssl_verify_client optional_no_ca;
        return 200;
    }

    server {
        $listen_weak
        ssl_ciphers ALL:\@SECLEVEL=0;
        aop on;
        return 200 secret;
    }
EOF

# who is refused in the handshake may notice it while writing
$SIG{PIPE} = 'IGNORE';

certificates();
proofs();
malformed();
renegotiation();
altered_tickets();
forged_stamps();

# after all that

is(seen(get($port, sni => 'on', cert => $good)), '200 on ok PASSED',
   'a good one is served still');
unlike($nginx->read('error.log'), qr/[^\x20-\x7e\n]/,
       'error.log is made of printable characters');
is(scalar(grep { length > 2048 } split /\n/, $nginx->read('error.log')), 0,
   'error.log has no line that nginx had to cut');
unlike($nginx->read('error.log'), qr/^forged/m, 'error.log has no forged line');

my @line = split /\n/, $nginx->read('json.log');

cmp_ok(scalar @line, '>', 100, 'aop_json has a line for each');
is(scalar(grep { !eval { JSON::PP->new->utf8->decode($_) } } @line), 0,
   'each is one JSON object');
is(scalar(grep { length >= 8000 } @line), 0, 'none is longer than it may be');
unlike("@line", qr/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]/,
       'none holds a control character');

my @refused = grep { /aop: client certificate refused/ } split /\n/,
              $nginx->read('error.log');

is(scalar(grep { !/, client: 127\.0\.0\.1, server: / } @refused), 0,
   'nginx\'s own words are at the end of each line of error.log');

$nginx->finish;
idle();

done_testing();


# idle(): a large certificate that was logged takes no more memory, as long as
# the connection is open, than one that was not.
sub idle {
    my $cert = $ca->leaf([ O => [ T61STRING, "\xff" x 60_000 ] ]);
    my ($silent, $logged) = map { idle_size($cert, $_) } 'off',
                                                         'json.log aop_json';

    SKIP: {
        skip 'ASan holds what was freed', 1 if $ENV{ASAN_OPTIONS};

        cmp_ok($logged - $silent, '<', 60,
               "idle: $logged KB each, $silent KB where it is not logged");
    }

    return;
}


# idle_size($cert, $log): what an open connection takes, in KB.
sub idle_size {
    my ($cert, $log) = @_;

    my $own   = nginx();
    my $port  = $own->ports;
    my $first = $own->listen_tls($port);
    my (@client, $before);

    $own->write('ca.pem', $ca);
    $own->configure("aop_ca ca.pem; access_log $log; server { $first"
                    . ' aop on; location / { return 200; } }')->start;

    my ($pid) = $own->worker_pids;

    for (0 .. 40) {
        push @client, client($port, cert => $cert);
        $client[-1]->get('/');
        $before = resident($pid) if @client == 1;
    }

    my $size = int((resident($pid) - $before) / 40);

    is($client[$_]->get('/')->status, 200, 'idle: still open') for 0, 39;
    $_->close for @client;
    $own->finish;

    return $size;
}


# resident($pid): of a process, in KB.
sub resident {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/status" or return 0;
    my ($size) = map { /^VmRSS:\s+(\d+)/ } <$fh>;

    return $size;
}


# certificates(): what is judged, or too much to be read.
sub certificates {
    my $deep = chain($ca, 50);
    my $odd  = pack 'C*', 1 .. 31, 127 .. 255;

    my %subject = (
        'a NUL byte'           => "edge\0.evil",
        'a line break'         => "x\nforged [alert] line",
        'control bytes'        => [ T61STRING, $odd ],
        'a name of 60,000'     => 'x' x 60_000,
        'nothing'              => '',
        'a quote and a %s'     => '", peer: %s%n%V \\',
        'a C1 control'         => "\xc2\x9b2J",
    );

    my %case = (
        '50-deep chain'
            => [ $deep->[0], 'depth', chain => [ @$deep[1 .. 50] ] ],
        '50-deep foreign chain'
            => [ map { $_->[0], 'depth', chain => [ @$_[1 .. 50] ] }
                 chain($rival, 50) ],
        '50-deep chain, out of order'
            => [ $deep->[0], 'depth', chain => [ reverse @$deep[1 .. 50] ] ],
        '50 certificates that do not belong to it'
            => [ $good, 'ok', chain => [ (@$deep[1 .. 50]) ] ],
        'its own authority, 60 times'
            => [ $good, 'ok', chain => [ ($ca) x 60 ] ],
        'authorities that issue each other'
            => [ $bad, 'depth', chain => [ circle() ] ],
        'a name of 3,000 parts'
            => [ $rival->leaf([ map { +(OU => "part $_") } 1 .. 3000 ]),
                 'untrusted' ],
        'a serial number of 900 bytes'
            => [ $rival->leaf('serial', serial => '7F' . 'AB' x 899),
                 'untrusted' ],
        'good one with a serial number of 900 bytes'
            => [ $ca->leaf('serial', serial => '7F' . 'AB' x 899), 'ok' ],
        'a serial number of zero'
            => [ $rival->leaf('zero', serial => '00'), 'untrusted' ],
        'a date that cannot be parsed'
            => [ $rival->leaf('date')->edited(sub {
                     $_[0] =~ s/(.*\x17\x0d)\d{12}Z/$1not a date :)/sr }),
                 'untrusted' ],
        'MD5 signature'  => [ $rsa->leaf('md5', digest => 'md5'), 'weak' ],
        'SHA-1 signature' => [ $rsa->leaf('sha1', digest => 'sha1'),
                               'weak' ],
        'RSA-16384'      => [ $rival->leaf('huge', key => huge_key()),
                              'untrusted', timeout => 20 ],
        (map {
            my $what = $_;
            my $name = ref $subject{$_} ? $subject{$_}
                                        : [ UTF8STRING, $subject{$_} ];

            "subject with $what"
                => [ $rival->leaf([ CN => $name ]), 'untrusted' ],
            "good one with $what"
                => [ $ca->leaf([ O => $name ]), 'ok' ],
        } sort keys %subject),
    );

    for my $what (sort keys %case) {
        my ($cert, $verdict, %opt) = @{ $case{$what} };

        is(seen(get($port, sni => 'on', cert => $cert, %opt)),
           $verdict eq 'ok' ? '200 on ok PASSED'
                            : "400 on $verdict REJECTED", $what);
    }

    # what the security level of the handshake would not have

    for my $case ([ 'RSA-512', $ca->leaf('small', key => 'rsa:512') ],
                  [ 'RSA-1024', $ca->leaf('medium', key => 'rsa:1024') ])
    {
        my ($what, $cert) = @$case;

        is(seen(get($port, sni => 'on', tls => '1.2', cert => $cert)),
           '400 on weak REJECTED', "$what, key too small");
        is(seen(get($weak, tls => '1.2', cert => $cert)), '200 on ok PASSED',
           "$what, where the administrator allows it");
    }

    # 100 KB is OpenSSL's limit

    my @large = map { ca([ O => [ UTF8STRING, 'x' x 14_000 ] ]) } 1 .. 4;

    for my $tls ('1.2', '1.3') {
        my %how = (sni => 'on', tls => $tls);

        is(seen(get($port, %how, cert => $bad, chain => [ @large[0, 1] ])),
           '400 on untrusted REJECTED', "TLS $tls: 60 KB of certificates");
        is(seen(get($port, %how, cert => $good, chain => [ @large[0, 1] ])),
           '200 on ok PASSED', "TLS $tls: 60 KB beside a good one");
        is(get($port, %how, cert => $good, chain => \@large)->status, 0,
           "TLS $tls: 120 KB");
    }

    return;
}


# proofs(): a certificate is nothing without the proof of its key.
sub proofs {
    for my $tls ('1.2', '1.3') {
        my $cert = $ca->leaf('stolen', key => 'rsa');
        my $answer;

        # OpenSSL 4 reads no alert if the request could not be written any more

        for (1 .. 5) {
            $answer = get($port, sni => 'on', tls => $tls, cert => $cert,
                          chain => [ Exchange->new($cert) ]);

            last if $answer->status || $answer->error =~ /alert/;
        }

        is($answer->status, 0, "TLS $tls: the key of another");
        like($answer->error, qr/alert/, "TLS $tls: said so");
    }

    my %edit = (
        'CertificateVerify altered' => sub {
            my ($type, $body) = @_;

            substr($body, -1) ^= "\x01" if $type == CERTIFICATE_VERIFY;
            return $body;
        },
        'CertificateVerify left out' => sub {
            my ($type, $body) = @_;

            return $type == CERTIFICATE_VERIFY ? undef : $body;
        },
        'CertificateVerify empty' => sub {
            my ($type, $body) = @_;

            return $type == CERTIFICATE_VERIFY ? '' : $body;
        },
        'certificate exchanged for a good one' => sub {
            my ($type, $body) = @_;

            return $type == CERTIFICATE ? certificate_list(der($good)) : $body;
        },
        'certificate sent twice' => sub {
            my ($type, $body) = @_;

            return $type == CERTIFICATE ? ($body, $body) : $body;
        },
    );

    # and the control

    is(tampered($port, sub { $_[1] }), 'handshake done', 'TLS 1.2: untouched');

    for my $what (sort keys %edit) {
        like(tampered($port, $edit{$what}), qr/alert|closed/,
             "TLS 1.2: $what");
    }

    return;
}


# malformed(): a certificate that is none; nginx alone does the same with it.
sub malformed {
    my $der = der($good);

    my %list = (
        'a broken tag'        => certificate_list("\x31" . substr $der, 1),
        'half a certificate'  => certificate_list(substr $der, 0, 200),
        'an empty one'        => certificate_list(''),
        'garbage'             => certificate_list('garbage' x 20),
        'bytes behind it'     => certificate_list($der . 'x'),
        'a length too long'   => pack('xn', 9000) . $der,
        'a list cut short'    => "\0\0",
        'a broken second one' => certificate_list($der, substr $der, 1),
        'invalid UTF-8 in it' =>
            certificate_list($der =~ s/edge/\xff\xfe\xc0\x80/r),
        'indefinite lengths'  => certificate_list("\x30\x80" x 40_000),
    );

    # each byte of the outer structure

    for my $at (0 .. 15) {
        my $altered = $der;

        substr($altered, $at, 1) ^= "\x80";
        $list{"byte $at altered"} = certificate_list($altered);
    }

    for my $what (sort keys %list) {
        my $edit = sub {
            my ($type, $body) = @_;

            return $type == CERTIFICATE ? $list{$what} : $body;
        };

        my $result = tampered($port, $edit);

        like($result, qr/alert|closed/, "certificate: $what");
        is($result, tampered($stock, $edit), "certificate: $what, as stock");
    }

    return;
}


# renegotiation(): nginx allows none; a verdict is for the whole connection.
sub renegotiation {
    for my $cert (undef, $good) {
        my $client = client($port, sni => 'on', tls => '1.2', cert => $cert,
                            timeout => 2);
        my $what   = $cert ? 'good' : 'none';

        is($client->get('/free')->status, 200, "renegotiation, $what: before");

        Net::SSLeay::renegotiate($client->{ssl});
        Net::SSLeay::do_handshake($client->{ssl});

        unlike($client->get('/')->body // '', qr/secret/,
               "renegotiation, $what: after") unless $cert;
    }

    return;
}


# altered_tickets(): a ticket that is not ours is no ticket.
sub altered_tickets {
    my %edit = (
        'key name altered' => sub { substr($_[0], 0, 1) ^= "\1"; $_[0] },
        'IV altered'       => sub { substr($_[0], 20, 1) ^= "\1"; $_[0] },
        'content altered'  => sub { substr($_[0], 60, 1) ^= "\1"; $_[0] },
        'MAC altered'      => sub { substr($_[0], -1) ^= "\1"; $_[0] },
        'one byte short'   => sub { substr $_[0], 0, -1 },
        'only its name'    => sub { substr $_[0], 0, TICKET_NAME },
        'one byte'         => sub { 'x' },
        'doubled'          => sub { $_[0] . $_[0] },
        'of 15,000 bytes'  => sub { $_[0] . 'x' x 15_000 },
    );

    for my $tls ('1.2', '1.3') {
        for my $what (sort keys %edit) {
            resumes("TLS $tls: ticket, $what", $tls, 0,
                    sub { $edit{$what}->("$_[0]") });
        }
    }

    return;
}


# forged_stamps(): with the ticket key, any session can be written.
sub forged_stamps {
    my %edit = (
        'none'            => sub { undef },
        'empty'           => sub { '' },
        'its magic only'  => sub { substr $_[0], 0, 4 },
        'of 0.1.0'        => sub { substr($_[0], 3, 1) = "\1"; $_[0] },
        'other version'   => sub { substr($_[0], 3, 1) = "\2"; $_[0] },
        'one byte less'   => sub { substr $_[0], 0, -1 },
        'one byte more'   => sub { "$_[0]x" },
        'doubled'         => sub { $_[0] . $_[0] },
        'of 10,000 bytes' => sub { $_[0] . 'x' x 10_000 },
        'other verdict'   => sub { substr($_[0], 4, 1) = "\1"; $_[0] },
        'unknown verdict' => sub { substr($_[0], 4, 1) = "\xff"; $_[0] },
        'other policy'    => sub { substr($_[0], 5, 1) ^= "\1"; $_[0] },
        'of the future'   => sub { substr($_[0], -10, 5) = "\xff" x 5; $_[0] },
        'of long ago'     => sub { substr($_[0], -10, 5) = "\0" x 5; $_[0] },
        'past its end'    => sub { substr($_[0], -5) = "\0" x 5; $_[0] },
    );

    for my $tls ('1.2', '1.3') {
        resumes("TLS $tls: stamp untouched", $tls, 1,
                sub { rewritten($_[0], TAG_APPDATA, sub { $_[0] }) });

        for my $what (sort keys %edit) {
            resumes("TLS $tls: stamp, $what", $tls, 0, sub {
                rewritten($_[0], TAG_APPDATA, sub { $edit{$what}->("$_[0]") });
            });
        }

        # a stamp is for one leaf

        my ($without) = resumed($tls, sub {
            rewritten($_[0], TAG_PEER, sub { undef });
        });
        my ($beside) = resumed($tls, sub {
            rewritten($_[0], TAG_PEER, sub { der($bad) });
        });

        is($without, '400 on none REJECTED',
           "TLS $tls: stamp without its leaf");
        is($beside, '400 on untrusted REJECTED',
           "TLS $tls: stamp beside another leaf");
    }

    return;
}


# resumes($what, $tls, $resumed, $edit): a session whose ticket was edited is
# resumed or not, and a full handshake takes place of it.
sub resumes {
    my ($what, $tls, $resumed, $edit) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is(join(' ', resumed($tls, $edit, cert => $good)),
       "200 on ok PASSED $resumed", "$what: good");
    is(join(' ', resumed($tls, $edit)),
       $resumed ? '200 on ok PASSED 1' : '400 on none REJECTED 0',
       "$what: none");

    return;
}


# resumed($tls, $edit, %options): what is answered to a client that offers a
# good session whose ticket was edited, and whether that was resumed.
sub resumed {
    my ($tls, $edit, %opt) = @_;

    my $first = client($port, sni => 'on', tls => $tls, cert => $good);

    $first->get('/');

    my $session = Net::SSLeay::i2d_SSL_SESSION($first->session);
    my $edited  = edited($session, TAG_TICKET, $edit);
    my $second  = client($port, sni => 'on', tls => $tls,
                         session => Net::SSLeay::d2i_SSL_SESSION($edited),
                         %opt);

    return (seen($second->get('/')), $second->resumed);
}


# rewritten($ticket, $tag, $edit): the same ticket of nginx, with one field of
# the session in it edited.
sub rewritten {
    my ($ticket, $tag, $edit) = @_;

    my ($name, $mac_key, $aes_key) = unpack 'a16a32a32', $key;

    my $iv   = substr $ticket, TICKET_NAME, TICKET_IV;
    my $text = substr $ticket, TICKET_NAME + TICKET_IV, -TICKET_MAC();

    my @aes = ('enc', '-aes-256-cbc', '-K', unpack('H*', $aes_key),
               '-iv', unpack('H*', $iv));

    $text = openssl(edited(openssl($text, @aes, '-d'), $tag, $edit), @aes);

    return $name . $iv . $text . hmac_sha256($name . $iv . $text, $mac_key);
}


# edited($session, $tag, $edit): an SSL_SESSION in DER with one of its explicit
# fields edited; undef: left out.  A peer is a certificate, all else is bytes.
sub edited {
    my ($session, $tag, $edit) = @_;

    my (undef, $rest) = take_der(\$session);
    my $content = '';

    while (length $rest) {
        my ($field, $value) = take_der(\$rest);

        if ($field == $tag) {
            my $inner = $tag == TAG_PEER ? $value : (take_der(\$value))[1];

            $inner = $edit->($inner);
            next unless defined $inner;

            $value = $tag == TAG_PEER ? $inner : make_der(0x04, $inner);
        }

        $content .= make_der($field, $value);
    }

    return make_der(0x30, $content);
}


sub take_der {
    my ($bytes) = @_;

    my ($tag, $length) = unpack 'CC', $$bytes;
    my $head = 2;

    if ($length > 0x80) {
        my $n = $length - 0x80;

        $length = hex unpack 'H*', substr $$bytes, 2, $n;
        $head += $n;
    }

    my $value = substr $$bytes, $head, $length;
    substr($$bytes, 0, $head + $length) = '';

    return ($tag, $value);
}


sub make_der {
    my ($tag, $value) = @_;

    my $n = length $value;

    return pack 'C a* a*', $tag,
           $n < 0x80 ? pack('C', $n) : pack('C n', 0x82, $n), $value;
}


# tampered($port, $edit): a TLS 1.2 handshake with a bad certificate whose
# messages, until they are encrypted, are what $edit->($type, $body) makes of
# them; undef: left out.  Returns how it ended.
sub tampered {
    my ($to, $edit) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $to) or die "connect: $!";
    my $ctx = Net::SSLeay::CTX_new();

    Net::SSLeay::CTX_set_max_proto_version($ctx, 0x0303);
    Net::SSLeay::CTX_use_certificate($ctx, $bad->x509);
    Net::SSLeay::CTX_use_PrivateKey($ctx, $bad->key);

    my $ssl = Net::SSLeay::new($ctx);
    my ($in, $out) = map { Net::SSLeay::BIO_new(Net::SSLeay::BIO_s_mem()) }
                         1 .. 2;

    Net::SSLeay::set_bio($ssl, $in, $out);
    Net::SSLeay::set_tlsext_host_name($ssl, 'on');

    my $state  = { plain => 1 };
    my $result = 'closed';

    for (1 .. 50) {
        my $rc = Net::SSLeay::connect($ssl);

        if (my $n = Net::SSLeay::BIO_pending($out)) {
            local $SIG{PIPE} = 'IGNORE';
            syswrite $socket,
                tamper($state, $edit, Net::SSLeay::BIO_read($out, $n));
        }

        if ($rc == 1) {
            $result = 'handshake done';
            last;
        }

        if (my $code = Net::SSLeay::ERR_get_error()) {
            $result = Net::SSLeay::ERR_error_string($code);
            last;
        }

        IO::Select->new($socket)->can_read(5)
            && sysread $socket, my $bytes, 65536
            or last;

        Net::SSLeay::BIO_write($in, $bytes);
    }

    Net::SSLeay::free($ssl);
    Net::SSLeay::CTX_free($ctx);

    return $result;
}


# the records of one flight; those after ChangeCipherSpec are as they are
sub tamper {
    my ($state, $edit, $flight) = @_;

    my ($messages, $result) = ('', '');

    while (length $flight) {
        my ($type, undef, $length) = unpack 'C n n', $flight;
        my $record = substr $flight, 0, 5 + $length, '';

        if ($type == 22 && $state->{plain}) {
            $messages .= substr $record, 5;

            while (length $messages >= 4) {
                my ($kind, $high, $low) = unpack 'CCn', $messages;
                my $n = ($high << 16) + $low;

                last if length $messages < 4 + $n;

                my $body = substr substr($messages, 0, 4 + $n, ''), 4;

                $result .= records($kind, $_)
                    for grep { defined } $edit->($kind, $body);
            }

            next;
        }

        $state->{plain} = 0;
        $result .= $record;
    }

    return $result;
}


sub records {
    my ($kind, $body) = @_;

    my $n     = length $body;
    my $bytes = pack('CCn', $kind, $n >> 16, $n & 0xffff) . $body;

    return join '', map { pack 'C n n/a*', 22, 0x0303, $_ }
                    unpack '(a16384)*', $bytes;
}


sub certificate_list {
    my $list = join '', map { length24($_) . $_ } @_;

    return length24($list) . $list;
}


sub length24 {
    my $n = length $_[0];

    return pack 'Cn', $n >> 16, $n & 0xffff;
}


sub der {
    my ($cert) = @_;

    return openssl($cert->pem, 'x509', '-outform', 'DER');
}


# chain($ca, $n): a leaf and $n authorities between it and that one.
sub chain {
    my ($top, $n) = @_;

    my @chain = ($top);

    unshift @chain, $chain[0]->intermediate("level $_") for 1 .. $n;

    return [ $chain[0]->leaf('deep'), @chain[0 .. $n - 1] ];
}


# circle(): authorities that vouch for one another, and for the bad one.
sub circle {
    my $first  = ca('Foreign', key => $rival);
    my $second = $first->intermediate('Second');

    return ($second->intermediate('Foreign', key => $rival),
            $first->intermediate('Second', key => $second), $second);
}


# huge_key(): an RSA key of 16384 bits.  Its modulus is a product of many small
# primes: quickly made, and not to be told from another one.
sub huge_key {
    my $p = Math::BigInt->new(65539);
    my $e = Math::BigInt->new(65537);
    my ($q, $phi) = map { Math::BigInt->new(1) } 1 .. 2;

    while ((my $left = 16384 - length +($p * $q)->to_bin) > 1) {
        my $bits    = $left < 1000 ? $left : 512;
        my ($prime) = openssl('', qw(prime -generate -bits), $bits) =~ /(\d+)/;

        $q   *= $prime;
        $phi *= Math::BigInt->new($prime) - 1;
    }

    my $all = $phi * ($p - 1);
    my $k   = ($e - $all % $e)->bmodinv($e);
    my $d   = (1 + $k * $all) / $e;

    my $der = make_der(0x30, join '', map { make_der(0x02, integer($_)) }
        0, $p * $q, $e, $d, $p, $q, $d % ($p - 1), $d % $phi,
        ($q % $p)->bmodinv($p));

    my $bio = Net::SSLeay::BIO_new(Net::SSLeay::BIO_s_mem());

    Net::SSLeay::BIO_write($bio, "-----BEGIN RSA PRIVATE KEY-----\n"
        . encode_base64($der) . "-----END RSA PRIVATE KEY-----\n");

    return { key => Net::SSLeay::PEM_read_bio_PrivateKey($bio) };
}


sub integer {
    my $hex = Math::BigInt->new($_[0])->to_hex;

    $hex = "0$hex" if length($hex) % 2;

    return pack 'H*', $hex =~ /^[89a-f]/ ? "00$hex" : $hex;
}


# A certificate of a chain.  When it is asked for, after OpenSSL has compared
# the client's key with its certificate, it exchanges that key.

package Exchange;

sub new {
    my ($class, $cert) = @_;

    return bless { cert => $cert }, $class;
}


sub pem {
    my ($self) = @_;

    Net::SSLeay::EVP_PKEY_assign_RSA($self->{cert}->key,
        Net::SSLeay::RSA_generate_key(2048, 65537));

    return $self->{cert}->pem;
}
