#!/usr/bin/perl

# What is trusted: pins and CRLs at work, and what is said of wrong files.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

use constant { DAY => 86400, REVOKED => 360_000 };

my $now    = time();
my $root   = ca('Root');
my $inter  = $root->intermediate('Intermediate');
my $leaf   = $root->leaf('leaf');
my $other  = $root->leaf('other');
my $gone   = $root->leaf('revoked');
my $below  = $inter->leaf('below');
my $alone  = AOP::Test::Cert->self_signed('alone');
my $twin   = ca('Root');

# to OpenSSL it is a CA, but it is not marked as one
my $unmarked = AOP::Test::Cert->new(subject => 'unmarked', ca => undef,
                                    ku => 'keyCertSign,digitalSignature');

my $nginx = nginx();
my $port  = $nginx->ports;
my $dir   = $nginx->dir;

sub digest_of {
    my ($cert) = @_;
    return lc join '', $cert->openssl('-fingerprint', '-sha256') =~ /=(.*)/
        ? $1 =~ tr/://dr : '';
}

sub spki_of {
    my ($cert, $how) = @_;
    my $der = openssl(openssl($cert->pem, 'x509', '-noout', '-pubkey'),
                      'pkey', '-pubin', '-outform', 'DER');
    require Digest::SHA;
    return $how eq 'hex' ? Digest::SHA::sha256_hex($der)
                         : Digest::SHA::sha256_base64($der) . '=';
}

$nginx->write('root.pem', $root);
$nginx->write('twins.pem', [ $root, $twin ]);
$nginx->write('inter.pem', $inter);
$nginx->write('alone.pem', $alone);
$nginx->write('crl.pem', $root->crl(revoked => [ $gone ]));
$nginx->write('crls.pem', [ $root->crl(revoked => [ $gone ]), $inter->crl ]);
$nginx->write('crl-inter.pem',
              [ $root->crl(revoked => [ $inter ]), $inter->crl ]);
$nginx->write('crl-old.pem', $root->crl(last_update => $now - 9 * DAY,
                                        next_update => $now - DAY));
$nginx->write('crl-new.pem', $root->crl(last_update => $now + DAY));
$nginx->write('crl-forged.pem', $root->crl(signed_by => $twin));
$nginx->write('crl-other.pem', ca('Other')->crl);

$nginx->write('unmarked.pem', $unmarked);
$nginx->write('rejects.pem', openssl($root->pem, 'x509', '-trustout',
                                     '-addreject', 'clientAuth'));
# of 16 MB: CRLs grow
$nginx->write('crl-large.pem', $root->crl(revoked => [ $gone, map {
    sprintf '%08x' x 4, map { int rand 2 ** 31 } 1 .. 4
} 1 .. REVOKED ]));

my $pin  = 'cert-sha256:' . digest_of($leaf);
my $spki = 'spki-sha256:' . spki_of($leaf, 'hex');
my $b64  = 'spki-sha256:' . spki_of($leaf, 'base64');
(my $colons = 'cert-sha256:' . uc digest_of($leaf))
    =~ s/:\K(.*)/join ':', $1 =~ m{(..)}g/e;

my @case = (

    # server, its directives, certificate, chain, verdict

    [ 'pin',          "aop_pin $pin;", $leaf, [], 'ok' ],
    [ 'pin-other',    "aop_pin $pin;", $other, [], 'pin' ],
    [ 'pin-colons',   "aop_pin $colons;", $leaf, [], 'ok' ],
    [ 'pin-spki',     "aop_pin $spki;", $leaf, [], 'ok' ],
    [ 'pin-spki-no',  "aop_pin $spki;", $other, [], 'pin' ],
    [ 'pin-base64',   "aop_pin $b64;", $leaf, [], 'ok' ],
    [ 'pin-two',      "aop_pin $pin cert-sha256:" . digest_of($other) . ';',
                      $other, [], 'ok' ],
    [ 'pin-lines',    "aop_pin $pin; aop_pin cert-sha256:"
                      . digest_of($other) . ';', $other, [], 'ok' ],
    [ 'pin-renewed',  "aop_pin $spki;", $root->leaf('renewed', key => $leaf),
                      [], 'ok' ],
    [ 'pin-foreign',  "aop_pin $pin;", ca('Foreign')->leaf('x'), [],
                      'untrusted' ],

    [ 'crl',          'aop_crl crl.pem;', $leaf, [], 'ok' ],
    [ 'crl-revoked',  'aop_crl crl.pem;', $gone, [], 'revoked' ],
    [ 'crl-large',    'aop_crl crl-large.pem;', $leaf, [], 'ok' ],
    [ 'crl-large-revoked', 'aop_crl crl-large.pem;', $gone, [], 'revoked' ],
    [ 'crl-missing',  'aop_crl crl.pem;', $below, [ $inter ], 'crl' ],
    [ 'crls',         'aop_crl crls.pem;', $below, [ $inter ], 'ok' ],
    [ 'crl-inter',    'aop_crl crl-inter.pem;', $below, [ $inter ],
                      'revoked' ],
    [ 'crl-old',      'aop_crl crl-old.pem;', $leaf, [], 'crl' ],
    [ 'crl-new',      'aop_crl crl-new.pem;', $leaf, [], 'crl' ],
    [ 'crl-forged',   'aop_crl crl-forged.pem;', $leaf, [], 'crl' ],
    [ 'crl-other',    'aop_crl crl-other.pem;', $leaf, [], 'crl' ],

    # an anchor is trusted because it was named

    [ 'anchor-inter', 'aop_ca inter.pem; aop_crl crl-inter.pem;', $below, [],
                      'ok' ],
    [ 'anchor-alone', 'aop_ca alone.pem; aop_crl crl.pem;', $alone, [], 'ok' ],

    [ 'unmarked',     'aop_ca unmarked.pem;', $unmarked, [], 'ok' ],
    [ 'unmarked-below', 'aop_ca unmarked.pem;', $unmarked->leaf('x'), [],
                      'invalid' ],
    [ 'unmarked-sent', 'aop_ca root.pem unmarked.pem;', $unmarked->leaf('x'),
                      [ $unmarked ], 'invalid' ],

    # while a CA is being replaced by one of the same name

    [ 'twin-old',     'aop_ca twins.pem;',
                      $root->leaf('x', key_ids => 0), [], 'ok' ],
    [ 'twin-new',     'aop_ca twins.pem;',
                      $twin->leaf('x', key_ids => 0), [], 'ok' ],
);

my $listen = $nginx->listen_tls($port);
my $show   = show();

my $servers = join "\n", map {
    my ($name, $how) = @$_;
    my $ca = $how =~ /aop_ca/ ? '' : 'aop_ca root.pem;';
    "server { $listen server_name $name; aop on; aop_verify_depth 2; $ca $how"
    . " location / { return 200 served; } }";
} @case;

$nginx->configure("$show $servers")->start;

for (@case) {
    my ($name, undef, $cert, $chain, $verdict) = @$_;
    my $expected = $verdict eq 'ok' ? '200 on ok PASSED'
                                    : "400 on $verdict REJECTED";

    is(seen(get($port, sni => $name, cert => $cert, chain => $chain)),
       $expected, $name);
}

$nginx->stop;

# wrong files and arguments

$nginx->write('delta.pem', delta_crl());
$nginx->write('key.pem', $root->key_pem);
$nginx->write('text.pem', "nothing\n");

my $hex = 'ab' x 32;

for (
    [ 'aop_pin x;', qr/invalid pin "x" in "aop_pin": neither/ ],
    [ 'aop_pin cert-sha256:ab;', qr/"aop_pin": not 64 hexadecimal digits/ ],
    [ "aop_pin cert-sha256:${hex}ab;", qr/not 64 hexadecimal digits/ ],
    [ "aop_pin cert-sha256:$hex sha256:$hex;", qr/invalid pin "sha256:/ ],
    [ 'aop_pin spki-sha256:AAAA=;', qr/or 44 base64 characters/ ],
    [ 'aop_pin cert-sha256:' . ('A' x 43) . '=;', qr/not 64 hexadecimal/ ],
    [ 'aop_crl nowhere.pem;', qr/cannot load "aop_crl" file ".*nowhere\.pem"/ ],
    [ 'aop_crl key.pem;', qr/key\.pem": no CRL \(but a private key\) in it/ ],
    [ 'aop_ca key.pem;',
      qr/key\.pem": no certificate \(but a private key\) in it/ ],
    [ 'aop_ca rejects.pem;', qr/reject TLS client authentication/ ],
    [ 'aop_crl text.pem;', qr/text\.pem": no PEM CRL in it/ ],
    [ 'aop_ca text.pem;', qr/text\.pem": no PEM certificate in it/ ],
    [ 'aop_crl root.pem;', qr/no CRL in it, but a certificate/ ],
    [ 'aop_ca crl.pem;', qr/no certificate in it, but a CRL/ ],
    [ 'aop_crl delta.pem;', qr/contains a delta CRL/ ],
    [ 'aop_crl crl.pem; aop_crl crl.pem;', qr/"aop_crl" directive is dup/ ],
    [ 'aop_ca root.pem; aop_ca root.pem;', qr/"aop_ca" directive is dup/ ],
    [ 'aop_expiry_warning 1d; aop_expiry_warning 2d;', qr/is duplicate/ ],
) {
    my ($how, $words) = @$_;
    my ($code, $output) = $nginx->configure(
        "server { $listen aop on; $how }")->test_config;

    is($code, 1, "$how refused");
    like($output, $words, "$how in words");
    like($output, qr{nginx\.conf:\d+}, "$how where");
}

# what is allowed, but probably not meant; never an error, whatever the clock

$nginx->write('many.pem', [ map { ca("CA $_") } 1 .. 11 ]);
$nginx->write('ended.pem', ca('Ended', not_before => $now - 9 * DAY,
                              not_after => $now - DAY));
$nginx->write('early.pem', ca('Early', not_before => $now + DAY));
$nginx->write('keyed.pem', [ $root, $root->key_pem ]);
$nginx->write('origin.pem', ca([ O => 'CloudFlare, Inc.',
    OU => 'CloudFlare Origin SSL Certificate Authority' ])->leaf('www'));

for (
    [ 'aop_ca many.pem;', qr/contains 11 certificates, possibly a bundle/ ],
    [ 'aop_ca cloudflare root.pem;', qr/CA shared by all Cloudflare customers/ ],
    [ 'aop_ca ended.pem;',
      qr/ended\.pem": the certificate of "CN=Ended" expired on \d{4}-/ ],
    [ 'aop_ca early.pem;',
      qr/early\.pem": the certificate of "CN=Early" is not valid before \d/ ],
    [ 'aop_ca root.pem; aop_crl crl-old.pem;',
      qr/crl-old\.pem": the CRL of "CN=Root" expired on / ],
    [ 'aop_ca root.pem; aop_crl crl-new.pem;',
      qr/the CRL of "CN=Root" is not valid before / ],
    [ 'aop_ca alone.pem; aop_crl crl.pem;',
      qr/"CN=alone", which is a client certificate, not a CA: / ],
    [ 'aop_ca root.pem; aop_crl crl-other.pem;',
      qr/contains "CN=Root", for which there is no CRL in "aop_crl": certificates/
    ],
    [ 'aop_ca cloudflare root.pem; aop_crl crl.pem;',
      qr/contains "cloudflare", for which there is no CRL in/ ],
    [ 'aop_ca keyed.pem;', qr/keyed\.pem" contains a private key/ ],
    [ 'aop_ca unmarked.pem;',
      qr/the certificate of "CN=unmarked" is not marked as a CA/ ],
    [ 'aop_ca origin.pem;',
      qr/origin\.pem": the certificate of "CN=www" is a Cloudflare Origin CA server/ ],
) {
    my ($how, $words) = @$_;
    my ($code, $output) = $nginx->configure(
        "server { $listen aop on; $how }")->test_config;

    is($code, 0, "$how accepted");
    like($output, qr/\[warn\].*$words/, "$how warned of");
}

for (
    'aop_ca root.pem; aop_crl crls.pem;',
    'aop_ca root.pem inter.pem; aop_crl crls.pem;',
    'aop_ca twins.pem; aop_crl crl.pem;',
) {
    my ($code, $output) = $nginx->configure(
        "server { $listen aop on; $_ }")->test_config;

    is($code, 0, "$_ accepted");
    unlike($output, qr/\[warn\]/, "$_ without a warning");
}

# delta_crl(): a CRL with the extension of RFC 5280, 5.2.4.
sub delta_crl {
    $nginx->write('delta.cnf', <<'EOC');
[ca]
default_ca = one
[one]
database = index.txt
crlnumber = number
default_md = sha256
default_crl_days = 30
crl_extensions = delta
[delta]
deltaCRL = critical,ASN1:INTEGER:1
EOC
    $nginx->write('index.txt', '');
    $nginx->write('number', "01\n");
    $nginx->write('root.key', $root->key_pem);

    my $command = join ' ', "cd '$dir' &&", qw(openssl ca -config delta.cnf
        -gencrl -keyfile root.key -cert root.pem 2>/dev/null);

    return scalar `$command`;
}

$nginx->finish;

done_testing();
