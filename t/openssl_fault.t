#!/usr/bin/perl

# OpenSSL 4.0.0 to 4.0.2 take every certificate that has the name of its issuer
# for self-signed (their issue 32793), as Cloudflare's shared one is.  Where nginx
# or aopctl runs with such a version it is named, with the one that is fixed: a
# library that is loaded first says here that OpenSSL is of this version.
#
# What is made of such certificates then, t/unit/selfissued.c looks at.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;

my $LIBRARY = <<'EOC';
unsigned long OpenSSL_version_num(void) { return VERSION; }
const char *OpenSSL_version(int type) { return "OpenSSL " NAME; }
EOC

my $nginx = nginx();
my $port  = $nginx->ports;
my $ca    = ca('Same');
my $same  = $ca->leaf('Same');
my $other = $ca->leaf('Other');

$nginx->write('version.c', $LIBRARY);

my ($anchor, $affected, $unaffected) = map { $nginx->path($_) }
    $nginx->write('ca.pem', $ca), $nginx->write('same.pem', $same),
    $nginx->write('other.pem', $other);


# preloaded($name, $number): for LD_PRELOAD.
sub preloaded {
    my ($name, $number) = @_;

    my $library = $nginx->path("version-$name.so");

    is(system($ENV{CC} || 'cc', '-shared', '-fPIC', "-DVERSION=$number",
              "-DNAME=\"$name\"", '-o', $library,
              $nginx->path('version.c')), 0, "a library that says $name");

    return join ' ', grep { defined && length } $ENV{LD_PRELOAD}, $library;
}


# found($certificate): level and words of what lint finds.
sub found {
    my ($file) = @_;

    my $answer = answer('lint', '--ca', $anchor, $file);

    return join ' ', $answer->{status},
           map { "$_->{word}: $_->{text}" }
           map { @{ $_->{findings} || [] } }
           map { $_, @{ $_->{certificates} || [] } } @{ $answer->{files} };
}


my $BY    = 'by OpenSSL 4.0.2: "aop" accepts it, "ssl_verify_client" does not';
my $FIXED = 'update to OpenSSL 4.0.3';

$nginx->configure(<<"EOF");
    aop_ca ca.pem;
    server { @{[ $nginx->listen_tls($port) ]} aop on; }
EOF

{
    local $ENV{LD_PRELOAD} = preloaded('4.0.2', '0x40000020UL');

    like(found($affected), qr/^1 openssl: .* \Q$BY ($FIXED)\E$/,
         '4.0.2: lint names it and the fixed version');
    is(found($unaffected), '0', '4.0.2: a certificate of another name');
    like(($nginx->test_config)[1], qr/^.*\[warn\].* OpenSSL 4\.0\.2 rejects .*\($FIXED\)$/m,
         '4.0.2: nginx -t names it');
}

{
    local $ENV{LD_PRELOAD} = preloaded('4.0.3', '0x40000030UL');

    is(found($affected), '0', '4.0.3: lint finds nothing');
    unlike(($nginx->test_config)[1], qr/4\.0\.3/, '4.0.3: nor does nginx -t');
}

done_testing();
