#!/usr/bin/perl

# "aopctl lint --ca": a client certificate, verified by exactly what nginx will
# trust, alone and with its chain; and its private key.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(encode_base64);
use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;

use constant DAY => 86400;

my $nginx = nginx();
my $now   = time();

sub file {
    my ($name, $content) = @_;

    return $nginx->path($nginx->write($name, $content));
}

# the words of all findings of an answer
sub words {
    my ($answer) = @_;

    my @part = map { $_, @{ $_->{certificates} || [] }, @{ $_->{crls} || [] } }
               @{ $answer->{files} };

    return join ' ', sort map { $_->{word} } map { @{ $_->{findings} || [] } }
                     $answer, @part;
}

# der($tag, @content): one element of DER
sub der {
    my ($tag, @content) = @_;
    my $content = join '', @content;
    my $len     = length $content;

    return pack('C', $tag)
           . ($len < 128 ? pack('C', $len) : pack('Cn', 0x82, $len))
           . $content;
}

# ml_dsa($number, $octets): a private key in PKCS #8, of the algorithm
# 2.16.840.1.101.3.4.3.$number
sub ml_dsa {
    my ($number, $octets) = @_;
    my $der = der(0x30, "\x02\x01\x00",
        der(0x30, der(0x06, "\x60\x86\x48\x01\x65\x03\x04\x03",
                      pack 'C', $number)),
        der(0x04, $octets));

    return "-----BEGIN PRIVATE KEY-----\n" . encode_base64($der)
           . "-----END PRIVATE KEY-----\n";
}

my $ca    = ca('Own CA');
my $inter = $ca->intermediate('Inter');
my $deep  = $inter->intermediate('Deep');
my $plain = $ca->leaf('plain');
my $leaf  = $inter->leaf('edge');
my $low   = $deep->leaf('low');
my $other = ca('Other CA');
my $seed  = der(0x80, 's' x 32);

my %file = (
    ca       => file('ca.pem', $ca),
    other    => file('other.pem', $other),
    inter    => file('inter.pem', $inter),
    plain    => file('plain.pem', $plain),
    leaf     => file('leaf.pem', $leaf),
    full     => file('full.pem', [ $leaf, $inter ]),
    all      => file('all.pem', [ $leaf, $inter, $ca ]),
    low      => file('low.pem', [ $low, $deep, $inter ]),
    stray    => file('stray.pem', [ $other->leaf('x'), $other ]),
    two      => file('two.pem', [ $plain, $leaf ]),
    ended    => file('ended.pem', $ca->leaf('e', not_after => $now - DAY)),
    soon     => file('soon.pem', $ca->leaf('s', not_after => $now + 9 * DAY)),
    servers  => file('servers.pem', $ca->leaf('w', eku => 'serverAuth')),
    alone    => file('self.pem', self_signed('self')),
    together => file('together.pem', $plain->pem . $plain->key_pem),
    crl      => file('crl.pem', $ca->crl),
    revoked  => file('revoked.pem', $ca->crl(revoked => [ $plain ])),
    missing  => $nginx->path('missing.pem'),

    key      => file('key.pem', $plain->key_pem),
    rsa_key  => file('rsa.key', openssl('', 'genrsa', 2048)),
    wrong    => file('wrong.pem', $leaf->key_pem),
    keys     => file('keys.pem', $plain->key_pem x 2),
    locked   => file('locked.pem', openssl($plain->key_pem, 'pkcs8', '-topk8',
                                           '-passout', 'pass:secret')),
    old_lock => file('old.pem', openssl($plain->key_pem, 'ec', '-aes128',
                                        '-passout', 'pass:secret')),
    ec       => file('ec.pem', openssl($plain->key_pem, 'ec')),
    seed     => file('seed.pem', ml_dsa(18, $seed)),
    expanded => file('expanded.pem', ml_dsa(17, der(0x04, 'k' x 2560))),
    both     => file('both.pem', ml_dsa(19, der(0x30, der(0x04, 's' x 32),
                                                      der(0x04, 'k' x 4896)))),
    slh_dsa  => file('slh.pem', ml_dsa(20, 'k' x 64)),
);

my ($pin) = answer('lint', $file{plain})->{files}[0]{certificates}[0]{spki};

# name, arguments, exit status, words, verdict alone, verdict with the chain

for (
    [ 'a leaf of the CA', '--ca ca plain', 0, '', 'ok' ],
    [ 'the built-in CA', '--ca cloudflare plain', 2, 'would_be_refused',
      'untrusted' ],
    [ 'another CA', '--ca other plain', 2, 'would_be_refused', 'untrusted' ],
    [ 'several CAs', '--ca other --ca ca plain', 0, '', 'ok' ],
    [ 'the client certificate as its own anchor', '--ca plain plain', 0, '',
      'ok' ],
    [ 'a leaf without its intermediate', '--ca ca leaf', 2,
      'would_be_refused', 'untrusted' ],
    [ 'a leaf and its intermediate', '--ca ca full', 1, 'needs_chain',
      'untrusted', 'ok' ],
    [ 'with its root, too', '--ca ca all', 1, 'needs_chain', 'untrusted',
      'ok' ],
    [ 'the intermediate is trusted', '--ca inter full', 0, '', 'ok', 'ok' ],
    [ 'both are', '--ca ca --ca inter full', 0, '', 'ok', 'ok' ],
    [ 'two intermediates', '--ca ca low', 2, 'would_be_refused', 'untrusted',
      'depth' ],
    [ 'two, and --depth', '--ca ca --depth 2 low', 1, 'needs_chain',
      'untrusted', 'ok' ],
    [ 'one, and --depth 0', '--ca ca --depth 0 full', 2, 'would_be_refused',
      'untrusted', 'depth' ],
    [ 'its own CA in its file', '--ca ca stray', 2, 'would_be_refused',
      'untrusted', 'untrusted' ],
    [ 'self-signed', '--ca ca alone', 2, 'would_be_refused', 'untrusted' ],
    [ 'a second leaf in the file', '--ca ca two', 1, 'not_presented', 'ok',
      'ok' ],
    [ 'a CA for a client certificate', '--ca ca inter', 2,
      'client_ca would_be_refused', 'purpose' ],
    [ 'the CA itself', '--ca ca ca', 2, 'client_ca would_be_refused',
      'purpose' ],
    [ 'ended', '--ca ca ended', 2, 'ended would_be_refused', 'expired' ],
    [ 'ends soon', '--ca ca --days 10 soon', 1, 'ends_soon', 'ok' ],
    [ 'for servers', '--ca ca servers', 2, 'would_be_refused', 'purpose' ],
    [ 'a CRL', '--ca ca --crl crl plain', 0, '', 'ok' ],
    [ 'revoked', '--ca ca --crl revoked plain', 2, 'would_be_refused',
      'revoked' ],
    [ 'no CRL of the issuer', '--ca ca --crl crl full', 2, 'would_be_refused',
      'untrusted', 'crl' ],
    [ 'a pin', "--ca ca --pin spki-sha256:$pin plain", 0, '', 'ok' ],
    [ 'another pin', '--ca ca --pin spki-sha256:' . '00' x 32 . ' plain', 2,
      'would_be_refused', 'pin' ],
    [ 'one of two pins', "--ca ca --pin spki-sha256:$pin --pin cert-sha256:"
      . '00' x 32 . ' plain', 0, '', 'ok' ],
    [ 'a missing CA', '--ca missing plain', 2, 'unreadable would_be_refused',
      'untrusted' ],
    [ 'a CRL for a CA', '--ca crl plain', 2, 'unreadable would_be_refused',
      'untrusted' ],
    [ 'a CA for a CRL', '--ca ca --crl ca plain', 2, 'unreadable', 'ok' ],
    [ 'a missing client', '--ca ca missing', 2, 'unreadable' ],
    [ 'a CRL for a client', '--ca ca crl', 2, 'unreadable' ],
    [ 'the client with its key', '--ca ca together', 0, '', 'ok' ],

    [ 'its key', '--ca ca --key key plain', 0, '', 'ok' ],
    [ 'its key, beside it', '--ca ca --key together together', 0, '', 'ok' ],
    [ 'its key in SEC1', '--ca ca --key ec plain', 0, '', 'ok' ],
    [ 'another key', '--ca ca --key wrong plain', 2, 'key_mismatch', 'ok' ],
    [ 'a key of another kind', '--ca ca --key rsa_key plain', 2,
      'key_mismatch', 'ok' ],
    [ 'the key of the second', '--ca ca --key wrong two', 2,
      'key_mismatch not_presented', 'ok', 'ok' ],
    [ 'two keys', '--ca ca --key keys plain', 2, 'several_keys', 'ok' ],
    [ 'no key', '--ca ca --key plain plain', 2, 'no_key', 'ok' ],
    [ 'a missing key', '--ca ca --key missing plain', 2, 'unreadable', 'ok' ],
    [ 'a passphrase', '--ca ca --key locked plain', 2, 'key_encrypted', 'ok' ],
    [ 'a passphrase of old', '--ca ca --key old_lock plain', 2,
      'key_encrypted', 'ok' ],
) {
    my ($name, $arg, $status, $words, @verdict) = @$_;
    my $answer = answer('lint', map { $file{$_} || $_ } split / /, $arg);
    my ($client) = grep { $_->{role} eq 'client' } @{ $answer->{files} };
    my $cert = $client->{certificates}[0] || {};

    is("$answer->{status} " . words($answer), "$status $words", $name);
    is(join(' ', grep { defined } $cert->{verdict},
                 ($cert->{with_chain} || {})->{verdict}),
       join(' ', @verdict), "$name: verdict");
}

# the form of an ML-DSA key; whether it belongs is known from OpenSSL 3.5 on

for (
    [ 'seed', qr/^key_(?:unknown|mismatch)$/ ],
    [ 'expanded', qr/^key_form/ ],
    [ 'both', qr/^key_form/ ],
    [ 'slh_dsa', qr/^key_(?:unknown|mismatch)$/ ],
) {
    my ($key, $words) = @$_;

    like(words(answer('lint', '--ca', @file{'ca', 'plain'}, '--key',
                      $file{$key})), $words, "the form of a key: $key");
}

SKIP: {
    my @new = ('genpkey', '-algorithm', 'ML-DSA-44', '-provparam');
    my $key = eval { openssl('', @new, 'ml-dsa.output_formats=seed-only') };

    skip 'no ML-DSA', 3 unless $key;

    my $full = openssl('', @new, 'ml-dsa.output_formats=seed-priv');
    my $pem  = file('pq.pem', openssl($key, 'req', '-x509', '-new', '-key',
        '/dev/stdin', '-subj', '/CN=pq', '-addext',
        'basicConstraints=CA:false'));
    my @arg  = ('lint', '--ca', $pem, $pem, '--key');

    is(words(answer(@arg, file('pq.key', $key))), '', 'ML-DSA: a seed');
    is(words(answer(@arg, file('full.key', $full))), 'key_form key_mismatch',
       'ML-DSA: another key, with more than its seed');
    like(aopctl(@arg, $nginx->path('full.key'))->{out}, qr/only the seed/,
         'ML-DSA: in words');
}

# without roles, a file that begins with a leaf adds no anchors

for (
    [ 'fullchain beside its root', 'ca full', 1, 'needs_chain', 'untrusted' ],
    [ 'beside another CA', 'other full', 1, 'would_be_refused', 'untrusted' ],
    [ 'beside the intermediate', 'inter full', 0, '', 'ok' ],
    [ 'alone', 'full', 1, 'no_ca', 'ok' ],
) {
    my ($name, $files, $status, $words, $verdict) = @$_;
    my $answer = answer('lint', map { $file{$_} } split / /, $files);

    is("$answer->{status} " . words($answer), "$status $words",
       "no roles: fullchain $name");
    is($answer->{files}[-1]{certificates}[0]{verdict}, $verdict,
       "no roles: fullchain $name: verdict");
}

# the same verdicts as nginx's, with and without the chain

my $port = $nginx->ports;

$nginx->write('combined.pem', [ $ca, $other ]);
$nginx->configure(<<"CONF")->start;
    aop optional;
    aop_ca combined.pem;
    add_header X-Verdict \$aop_verdict;
    server { listen 127.0.0.1:$port ssl; return 200; }
CONF

for (
    [ 'plain', $plain ],
    [ 'full', $leaf, $inter ],
    [ 'low', $low, $deep, $inter ],
    [ 'stray', $other->leaf('x') ],
    [ 'ended', $ca->leaf('e', not_after => $now - DAY) ],
) {
    my ($name, $cert, @chain) = @$_;
    my $lint  = answer('lint', '--ca', $nginx->path('combined.pem'),
                       $file{$name})->{files}[1]{certificates}[0];

    is($lint->{verdict}, get($port, cert => $cert)->header('X-Verdict'),
       "$name: as nginx has it");
    is($lint->{with_chain}{verdict},
       get($port, cert => $cert, chain => \@chain)->header('X-Verdict'),
       "$name: and with the chain") if @chain;
}

$nginx->finish;

# a CA of the system's store

{
    local $ENV{SSL_CERT_FILE} = $file{other};
    local $ENV{SSL_CERT_DIR}  = $nginx->path('nothing');

    is(words(answer('lint', '--ca', @file{'other', 'stray'})), 'public_ca',
       'a CA that the system trusts');
    is(words(answer('lint', $file{other})), 'public_ca', 'also without roles');
    is(words(answer('lint', '--ca', @file{'ca', 'plain'})), '',
       'one that it does not');
}

# one line

for (
    [ '--ca ca plain', qr/\Aok\n\z/ ],
    [ '--ca ca full',
      qr/\Awarning: \S+full\.pem is accepted only if .*presents it with its chain/ ],
    [ '--ca ca --days 10 ended',
      qr/\Aerror: \S+ended\.pem would be refused if presented by Cloudflare, .*\n\z/ ],
    [ '--ca ca --key keys inter',
      qr/\Aerror: \S+inter\.pem is a CA, .*\(and 2 more\)\n\z/ ],
    [ 'ca missing', qr/\Aerror: \S+missing\.pem No such file.*\n\z/ ],
) {
    my ($arg, $line) = @$_;
    my @arg = map { $file{$_} || $_ } split / /, $arg;

    like(aopctl('lint', '--quiet', @arg)->{out}, $line, "--quiet $arg");
    like(aopctl('lint', '-q', @arg)->{out}, $line, "-q $arg");
}

my $text = aopctl('lint', '--ca', @file{'ca', 'full'})->{out};

like($text, qr/^\S+ca\.pem \(aop_ca\)$/m, 'text: the role of a CA');
like($text, qr/^\S+full\.pem \(client certificate\)$/m, 'and of a client');
like($text, qr/^     verdict +untrusted\n.*^     with chain +ok$/ms,
     'text: both verdicts');

# wrong arguments

for (
    [ '--ca ca', qr/missing client certificate/ ],
    [ '--crl crl plain', qr/"--crl" requires "--ca"/ ],
    [ '--key key plain', qr/"--key" requires "--ca"/ ],
    [ '--depth 1 plain', qr/"--depth" requires "--ca"/ ],
    [ '--ca ca --depth 101 plain', qr/invalid depth "101"/ ],
    [ '--ca ca --depth -1 plain', qr/invalid depth "-1"/ ],
    [ '--ca ca --pin md5:00 plain', qr/invalid pin "md5:00": / ],
    [ '--ca ca --key key plain leaf', qr/"--key" cannot be used with more than one client/ ],
    [ '--ca ca ' x 65 . 'plain', qr/more than 64 files/ ],
    [ '--ca ca ' . "--pin spki-sha256:$pin " x 65 . 'plain',
      qr/more than 64 pins/ ],
) {
    my ($arg, $expected) = @$_;
    my $run  = aopctl('lint', map { $file{$_} || $_ } split / /, $arg);
    my $name = 'wrong: ' . substr $arg, 0, 40;

    is($run->{status}, 64, "$name: exit status");
    like($run->{err}, qr/^aopctl: lint: .*$expected.*--help"$/, $name);
}

done_testing();
