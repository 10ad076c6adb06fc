#!/usr/bin/perl

# Client certificates that several workers see for the first time at once: each
# is in the report, once, with its own facts, and is warned of once.
#
# A worker looks whether it knows the certificate, reads it, and writes it down.
# A library holds each of them while it reads, until all of them do; then it
# lets them go one after the other.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep);
use AOP::Test;
use AOP::Test::Report;

use constant {
    WORKERS => 4,
    PLACES  => 8,
    DAY     => 86400,
    TICK    => 0.01,
};

my $ca  = ca('Edge CA');
my $now = time();

my @cert = map { $ca->leaf("edge $_", not_before => $now - 900 * DAY,
                           not_after => expires($_)) } 0 .. PLACES + WORKERS;

my $nginx = nginx(workers => WORKERS, log_level => 'warn');
my ($port, $other, $admin) = $nginx->ports(3);

$nginx->write('ca.pem', $ca);
$nginx->write('hold.c', hold());
set_hold(0, 0);

system($ENV{CC} || 'cc', '-O2', '-shared', '-fPIC', '-o',
       $nginx->path('hold.so'), $nginx->path('hold.c'), '-ldl') == 0
    or die "cannot compile the library\n";

$nginx->configure(<<"EOC");
    aop_ca ca.pem;
    ssl_session_tickets off;
    server { listen 127.0.0.1:$port ssl; server_name a.test; aop on;
             location / { return 200; } }
    server { listen 127.0.0.1:$other ssl; server_name b.test; aop on;
             location / { return 200; } }
    server { listen 127.0.0.1:$admin; location / { aop_report; } }
EOC

{
    local $ENV{AOP_TEST_HOLD} = $nginx->path('hold');
    local $ENV{LD_PRELOAD} = join ' ', grep { defined && length }
                             $ENV{LD_PRELOAD}, $nginx->path('hold.so');
    $nginx->start;
}

at_once('the same certificate', $port, [ (0) x WORKERS ], [ 0 ], 0);
at_once('certificates', $port, [ 1 .. WORKERS ], [ 1 .. WORKERS ],
        0 .. WORKERS);

# there is one free place, and none is taken that is in use

get($other, cert => $cert[$_]) for 1 .. PLACES - 1;
at_once('certificates, and one place', $other,
        [ PLACES .. PLACES + WORKERS - 1 ], [ PLACES ], 1 .. PLACES);

$nginx->finish;

done_testing();


# at_once($what, $to, \@shown, \@warned, @edge): each worker is shown one of these
# at once; some are warned of, and the report then has the last ones.
sub at_once {
    my ($what, $to, $shown, $warned, @edge) = @_;

    my $mark = $nginx->mark;
    my @client;

    set_hold(scalar @$shown, 0);

    # a worker that is held accepts no other connection

    for my $n (@$shown) {
        my $client = client($to, cert => $cert[$n], timeout => 20);

        $client->connect;
        $client->_write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

        push @client, $client;

        for (1 .. 5 / TICK) {
            last if held() == @client;
            sleep TICK;
        }
    }

    is(held(), scalar @$shown, "$what: each in a worker of its own");
    $_->_fill for @client;
    set_hold(0, 0);
    $_->close for @client;

    my ($server) = grep { $_->{name} =~ ($to == $port ? qr/^a/ : qr/^b/) }
                   @{ report($admin)->json->{servers} };
    my @known = grep { $_->{kind} eq 'client' } @{ $server->{certificates} };

    is_deeply({ map { $_->{subject} => $_->{not_after} } @known },
              { map { ("CN=edge $_" => iso(expires($_))) } @edge },
              "$what: in the report");
    is(scalar @known, scalar @edge, "$what: each of them once");

    is(join(' ', sort map { /client certificate "CN=edge (\d+)"/ }
                      $nginx->log_since($mark)),
       join(' ', sort keys %{ { map { $_ => 1 } @$warned } }),
       "$what: each is warned of once");
}


# expires($n): when the certificate of that number does.
sub expires { return $now + 60 + 600 * $_[0] }

sub iso { return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]) }


# set_hold($workers, $held), held(): so many are to be held; and are.
sub set_hold {
    open my $fh, -e $nginx->path('hold') ? '+<:raw' : '>:raw',
        $nginx->path('hold') or die "hold: $!";
    syswrite $fh, pack 'l!2', @_;
    close $fh or die "hold: $!";

    return;
}

sub held { return (unpack 'l!2', $nginx->read('hold'))[1] }


# hold(): the library.
sub hold {
    return <<'EOC';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <openssl/x509.h>

#define TURN  200000                /* microseconds */

static volatile struct {
    long  wanted;
    long  held;
} *hold;


static void __attribute__((constructor))
start(void)
{
    int  fd;

    fd = open(getenv("AOP_TEST_HOLD"), O_RDWR);
    hold = mmap(NULL, sizeof(*hold), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    if (hold == MAP_FAILED) {
        abort();
    }

    close(fd);
}


const ASN1_TIME *
X509_get0_notBefore(const X509 *x509)
{
    int         i;
    long        turn;
    Dl_info     caller;
    static const ASN1_TIME  *(*next)(const X509 *);

    if (next == NULL) {
        next = (const ASN1_TIME *(*)(const X509 *))
               dlsym(RTLD_NEXT, "X509_get0_notBefore");
    }

    /* not where OpenSSL verifies it */

    if (hold->wanted
        && dladdr(__builtin_return_address(0), &caller) != 0
        && strstr(caller.dli_fname, "ngx_http_aop_module") != NULL)
    {
        turn = __atomic_add_fetch(&hold->held, 1, __ATOMIC_SEQ_CST);

        for (i = 0; i < 1000 && hold->held < hold->wanted; i++) {
            usleep(10000);
        }

        usleep(turn * TURN);
    }

    return next(x509);
}
EOC
}
