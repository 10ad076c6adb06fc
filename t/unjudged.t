#!/usr/bin/perl

# A certificate that cannot be judged is not one that passed: while a function
# of OpenSSL's fails, as it does when memory is short, mode "on" answers 500 and
# says so, and "optional" serves.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

# EVP_Digest() is what the module asks for the leaf's fingerprint, if it has not
# seen it before; nginx and OpenSSL do without it in a handshake.

my $SHIM = <<'EOC';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <unistd.h>

int
EVP_Digest(const void *data, size_t len, unsigned char *md,
    unsigned int *size, const void *type, void *engine)
{
    int         (*next)(const void *, size_t, unsigned char *, unsigned int *,
                    const void *, void *);

    if (access(FAIL, F_OK) == 0) {
        return 0;
    }

    next = (int (*)(const void *, size_t, unsigned char *, unsigned int *,
                const void *, void *))
           dlsym(RTLD_NEXT, "EVP_Digest");

    return next(data, len, md, size, type, engine);
}
EOC

my $nginx = nginx();
my $port  = $nginx->ports;
my $ca    = ca('Edge CA');
my $known = $ca->leaf('known');

$nginx->write('ca.pem', $ca);
$nginx->write('shim.c', $SHIM);

my ($source, $shim) = map { $nginx->path($_) } qw(shim.c shim.so);

# nginx clears its environment: the path of the switch is compiled in

is(system($ENV{CC} || 'cc', '-shared', '-fPIC',
          '-DFAIL="' . $nginx->path('fail') . '"', '-o', $shim, $source,
          '-ldl'), 0, 'a library that fails');

my $listen = $nginx->listen_tls($port);
my $show   = show();

$nginx->configure(<<"EOC");
    $show
    aop_ca ca.pem;
    server { $listen server_name on; aop on;
             location / { return 200 served; } }
    server { $listen server_name optional; aop optional;
             location / { return 200 served; } }
    server { $listen server_name page; aop on; error_page 500 /sorry;
             location / { return 200 served; }
             location = /sorry { return 500 "sorry: \$aop_verdict"; } }
EOC

{
    local $ENV{LD_PRELOAD} = join ' ', grep { defined && length }
                             $ENV{LD_PRELOAD}, $shim;
    $nginx->start;
}

for my $http ('1.1', '2') {
    my @how = (cert => $ca->leaf('new'), http => $http);

    is(seen(get($port, sni => 'on', http => $http, cert => $known)),
       '200 on ok PASSED', "HTTP/$http: as long as all is well");

    $nginx->write('fail', '');

    my $answer = get($port, sni => 'on', @how);

    is(seen($answer), '500 on error REJECTED', "HTTP/$http: on");
    unlike($answer->body, qr/served/, "HTTP/$http: on, nothing served");
    is(seen(get($port, sni => 'optional', @how)),
       '200 optional error REJECTED_DRY_RUN', "HTTP/$http: optional");
    is(get($port, sni => 'page', @how)->body, 'sorry: error',
       "HTTP/$http: error_page");
    is(seen(get($port, sni => 'on', http => $http)), '400 on none REJECTED',
       "HTTP/$http: none is none");

    like($nginx->wait_log(qr/refused: error/),
         qr/aop: client certificate refused: error: .+; internal error: out of memory or OpenSSL failure, see the preceding log entries, peer: /,
         "HTTP/$http: it says so");

    unlink $nginx->path('fail');

    is(seen(get($port, sni => 'on', @how)), '200 on ok PASSED',
       "HTTP/$http: and well again");
}

$nginx->finish;

done_testing();
