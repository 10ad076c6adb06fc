#!/usr/bin/perl

# "aopctl probe": each address of a name is visited, and the worst tells.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;

my $nginx = nginx();
my ($port) = $nginx->ports(1);

my $ca = ca('Own CA');

$nginx->write('ca.pem', $ca);

my $tls = $nginx->listen_tls($port);

my ($second, $third) = map { $tls =~ s/127\.0\.0\.1/$_/r } '127.0.0.2', '[::1]';

my $resolver = resolver();

sub resolved {
    my ($addresses, @arg) = @_;

    return aopctl({ env => { LD_PRELOAD => $resolver,
                             AOP_ADDRESSES => $addresses } },
                  'probe', "site.test:$port", '--no-http', @arg);
}

$nginx->configure(<<"CONF")->start;
    aop_ca ca.pem;
    server { $tls aop on; }
    server { $second aop on; }
    server { $third aop optional; return 200; }
CONF

my $all = resolved('127.0.0.1 127.0.0.2');

is($all->{status}, 0, 'two addresses: exit status');
like($all->{out}, qr/^127\.0\.0\.1: enforced.*\n127\.0\.0\.2: enforced.*\n/m,
     'two addresses: a line each');

$all = resolved('127.0.0.1 ::1 127.0.0.2');

is($all->{status}, 2, 'one of three is open: exit status');
is(join(' ', $all->{out} =~ /^(\S+): (?:enforced|not enforced)/mg),
   '127.0.0.1 ::1 127.0.0.2 ::1', 'one of three is open: a line each');
like($all->{out}, qr/^::1: not enforced: the origin serves [^\n]*\n\z/m,
     'one of three is open: the last line');
is(resolved('127.0.0.1 ::1', '-q')->{out} =~ tr/\n//, 1,
   'one of two is open: --quiet');

$all = resolved('127.0.0.1 127.0.0.3', '-q');

is("$all->{status} $all->{out}", '1 cannot tell: 127.0.0.3: cannot connect: '
   . "Connection refused\n", 'one of two is not there');

$all = resolved('127.0.0.3 127.0.0.4', '-q');

is($all->{status}, 3, 'none of two is there');

$all = resolved('127.0.0.1 104.16.0.1');

is($all->{status}, 0, 'one is Cloudflare\'s: the other counts');
like($all->{out}, qr/^104\.16\.0\.1: an address of Cloudflare's edge/m,
     'one is Cloudflare\'s: said');

like(resolved('104.16.0.1 104.16.0.2', '-q')->{out},
     qr/^cannot tell: 104\.16\.0\.1: an address of Cloudflare's edge/,
     'all are Cloudflare\'s');

$all = resolved(join(' ', ('127.0.0.1') x 17), '-q', '--timeout', 30);

is($all->{status}, 1, 'too many addresses: exit status');
like($all->{out}, qr/too many addresses \(probe each/,
     'too many addresses: said');

# an address is no name: it is bracketed as a Host

like(aopctl('probe', "[::1]:$port", '--no-http')->{out},
     qr/^::1 port $port, SNI \(none\), Host \[::1\], \//, 'IPv6: its Host');

$nginx->finish;
done_testing();

# resolver(): a library that makes each name one with the addresses in the
# environment.
sub resolver {
    my $source = $nginx->path($nginx->write('resolver.c', <<'END'));
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    int  (*real)(const char *, const char *, const struct addrinfo *,
                 struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    char  *list, *address;

    list = strdup(getenv("AOP_ADDRESSES"));

    for (address = strtok(list, " "); address; address = strtok(NULL, " ")) {
        if (real(address, service, hints, res) != 0) {
            return EAI_FAIL;
        }

        res = &(*res)->ai_next;
    }

    return 0;
}
END

    my $library = $nginx->path('resolver.so');

    system($ENV{CC} || 'cc', '-shared', '-fPIC', '-o', $library, $source,
           '-ldl') == 0 or die 'cannot compile the resolver';

    return $library;
}
