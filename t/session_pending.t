#!/usr/bin/perl

# A session that is being looked up elsewhere: with some patched builds of
# OpenSSL, a get_session callback may answer with a magic pointer, "not yet",
# and is called again later.  That pointer is not a session, and is handed on as
# it is.
#
# OpenSSL here has no such patch, so a library plays its part: it puts a
# callback of nginx before ours that says "not yet" each other time, and one of
# OpenSSL behind it that asks again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $ca    = ca('Edge CA');
my $good  = $ca->leaf('edge');
my $nginx = nginx();
my ($own, $plain) = $nginx->ports(2);
my $show  = show();

$nginx->write('ca.pem', $ca);
$nginx->write('ticket.key', 'k' x 80);
$nginx->write('magic.c', magic());
$nginx->write('magic.log', '');

system($ENV{CC} || 'cc', '-O2', '-shared', '-fPIC', '-o',
       $nginx->path('magic.so'), $nginx->path('magic.c'), '-ldl') == 0
    or die "cannot compile the library\n";

sub server {
    my ($port, $mode) = @_;

    my $listen = $nginx->listen_tls($port);

    # with a key of its own a worker keeps no sessions itself

    return "server { $listen ssl_protocols TLSv1.2; ssl_session_tickets off;
                     ssl_session_ticket_key ticket.key;
                     ssl_session_cache shared:S:1m; aop $mode;
                     location / { return 200; } }";
}

$nginx->configure(join "\n", $show, 'aop_ca ca.pem;', server($own, 'on'),
                  server($plain, 'optional'));

{
    local $ENV{AOP_TEST_MAGIC} = $nginx->path('magic.log');
    local $ENV{LD_PRELOAD} = join ' ', grep { defined && length }
                             $ENV{LD_PRELOAD}, $nginx->path('magic.so');
    $nginx->start;
}

my $worker = join ' ', $nginx->worker_pids;

for my $port ($own, $plain) {
    my $mode = $port == $own ? 'on' : 'optional';
    my ($first, $session) = visit($port, cert => $good);

    is($first, "200 $mode ok PASSED full", "$mode: a session");

    for my $time (1 .. 3) {
        $nginx->write('magic.log', '');

        is((visit($port, session => $session))[0],
           "200 $mode ok PASSED resumed", "$mode: resumed, time $time");
        is($nginx->read('magic.log'), "not yet\nfound\n",
           "$mode: OpenSSL was told so, time $time");
    }
}

# what is not found then is no session, as without it

my ($first, $session) = visit($plain);

is($first, '200 optional none REJECTED_DRY_RUN full', 'no certificate');
$nginx->write('magic.log', '');
is((visit($plain, session => $session))[0],
   '200 optional none REJECTED_DRY_RUN full', 'not resumed');
is($nginx->read('magic.log'), "not yet\nnot found\n", 'OpenSSL was told so');

is(join(' ', $nginx->worker_pids), $worker, 'no worker died');

$nginx->finish;

done_testing();


# magic(): the library.
sub magic {
    return <<'EOC';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/ssl.h>

typedef SSL_SESSION *(*get_pt)(SSL *, const unsigned char *, int, int *);

static FILE   *out;
static get_pt  nginx, module;
static char    magic;


/* nginx clears the environment */

static void __attribute__((constructor))
start(void)
{
    out = fopen(getenv("AOP_TEST_MAGIC"), "a");

    if (out == NULL) {
        abort();
    }
}


SSL_SESSION *
SSL_magic_pending_session_ptr(void)
{
    return (SSL_SESSION *) &magic;
}


static void
say(const char *what)
{
    fprintf(out, "%s\n", what);
    fflush(out);
}


static SSL_SESSION *
before(SSL *ssl, const unsigned char *id, int len, int *copy)
{
    static int  times;

    if (times++ % 2 == 0) {
        *copy = 0;
        return SSL_magic_pending_session_ptr();
    }

    return nginx(ssl, id, len, copy);
}


static SSL_SESSION *
behind(SSL *ssl, const unsigned char *id, int len, int *copy)
{
    SSL_SESSION  *session;

    session = module(ssl, id, len, copy);

    while (session == SSL_magic_pending_session_ptr()) {
        say("not yet");
        session = module(ssl, id, len, copy);
    }

    say(session ? "found" : "not found");

    return session;
}


SSL_SESSION *
(*SSL_CTX_sess_get_get_cb(SSL_CTX *ctx))(SSL *, const unsigned char *, int,
    int *)
{
    static get_pt  (*next)(SSL_CTX *);

    next = (get_pt (*)(SSL_CTX *)) dlsym(RTLD_NEXT, "SSL_CTX_sess_get_get_cb");
    nginx = next(ctx);

    return nginx ? before : NULL;
}


/* it is set by nginx first, then by the module */

void
SSL_CTX_sess_set_get_cb(SSL_CTX *ctx, get_pt cb)
{
    static void  (*next)(SSL_CTX *, get_pt);

    next = (void (*)(SSL_CTX *, get_pt)) dlsym(RTLD_NEXT,
                                               "SSL_CTX_sess_set_get_cb");

    if (nginx != NULL) {
        module = cb;
        cb = behind;
    }

    next(ctx, cb);
}
EOC
}
