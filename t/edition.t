#!/usr/bin/perl

# The 2015 edition of Cloudflare's origin-pull CA is refused by the module and
# found by aopctl.  It is known by its digest only, which another certificate is
# given here.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;

use constant DIGEST => '062465eea14401f48be7d9a873f2ee67'
                     . '4f96806584225d50c04f761d4480b8ba';

my $nginx = nginx();
my $port  = $nginx->ports;
my $file  = $nginx->path($nginx->write('edition.pem', ca('Edition')));
my $other = $nginx->path($nginx->write('other.pem', ca('Other CA')));
my $bytes = join ', ', map { "0x$_" } DIGEST =~ /../g;

$nginx->write('digest.c', <<"EOF");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <openssl/x509.h>

int
X509_digest(const X509 *x509, const EVP_MD *md, unsigned char *digest,
    unsigned int *len)
{
    char  name[64] = "";
    int   (*next)(const X509 *, const EVP_MD *, unsigned char *,
                  unsigned int *);

    static const unsigned char  edition[] = { $bytes };

    *(void **) &next = dlsym(RTLD_NEXT, "X509_digest");

    if (!next(x509, md, digest, len)) {
        return 0;
    }

    X509_NAME_oneline(X509_get_subject_name(x509), name, sizeof(name));

    /* OpenSSL itself asks for SHA-1 */

    if (md == EVP_sha256() && strcmp(name, "/CN=Edition") == 0) {
        memcpy(digest, edition, sizeof(edition));
    }

    return 1;
}
EOF

system($ENV{CC} || 'cc', '-O2', '-shared', '-fPIC', '-o',
       $nginx->path('digest.so'), $nginx->path('digest.c'), '-ldl') == 0
    or die "cannot compile the digest\n";

local $ENV{LD_PRELOAD} = join ' ', grep { defined && length }
                         $ENV{LD_PRELOAD}, $nginx->path('digest.so');

# check($file): `nginx -t` with this file
sub check {
    return $nginx->configure(<<"CONF")->test_config;
    server { listen 127.0.0.1:$port ssl; aop on; aop_ca $_[0]; }
CONF
}

my ($code, $output) = check($file);

is($code, 1, 'nginx -t: refused');
like($output, qr/\[emerg\] .*"aop_ca" file "\Q$file\E" .*the edition of /,
     'nginx -t: said');
like($output, qr/use the built-in "aop_ca cloudflare"/,
     'nginx -t: what to do');
is((check($other))[0], 0, 'nginx -t: another one is accepted');

my $answer = answer('lint', $file);

is($answer->{status}, 2, 'aopctl lint: an error');
is(join(' ', map { $_->{kind}, map { $_->{word} } @{ $_->{findings} } }
             map { @{ $_->{certificates} } } @{ $answer->{files} }),
   'origin_pull_ca_2015 origin_pull_ca_2015', 'aopctl lint: what it is');

done_testing();
