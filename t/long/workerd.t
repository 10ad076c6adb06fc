#!/usr/bin/perl

# Cloudflare's own TLS stack as the edge: workerd, the runtime of its Workers,
# fetches through a binding that shows a client certificate, the way that its
# edge does.  By npm, into a folder of this test.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use AOP::Test;

use constant {
    LIMIT    => 600,
    INSTALL  => 300,
    WAIT     => 60,
    REQUESTS => 1000,
    PACKAGE  => '@cloudflare/workerd-linux-64',
};

plan skip_all => 'no npm, package npm' if !`which npm 2>/dev/null`;

alarm LIMIT;

my $nginx  = nginx();
my $dir    = $nginx->dir;
my $binary = "$dir/npm/node_modules/${\ PACKAGE }/bin/workerd";
my ($tls, $edge) = $nginx->ports(2);

system("timeout ${\ INSTALL } npm install --no-audit --no-fund"
       . " --prefix '$dir/npm' ${\ PACKAGE } > '$dir/npm.log' 2>&1");

plan skip_all => 'npm cannot install ' . PACKAGE if !-x $binary;

my $version = `'$binary' --version 2>&1`;

plan skip_all => "workerd does not run here: $version" if $?;

diag($version =~ s/\n.*//sr);

my $ca   = ca('Edge CA');
my $site = ca('Site CA');
my $cert = $site->leaf('www.test', eku => 'serverAuth',
                       ext => [ subjectAltName => 'DNS:www.test' ]);

# name of a binding => the certificate that it shows

my %shown = (
    good    => $ca->leaf('edge'),
    rsa     => $ca->leaf('edge, RSA', key => 'rsa'),
    foreign => ca('Other CA')->leaf('stranger'),
    none    => undef,
);

$nginx->write('ca.pem', $ca);
$nginx->write('site.pem', $site);
$nginx->write('site.crt', $cert);
$nginx->write('site.key', $cert->key_pem);

for my $name (grep { $shown{$_} } keys %shown) {
    $nginx->write("$name.pem", $shown{$name});
    $nginx->write("$name.key", $shown{$name}->key_pem);
}

my $listen = $nginx->listen_tls($tls);

$nginx->configure(<<"CONF")->start;
    aop_ca ca.pem;
    access_log json.log aop_json;
    ssl_certificate site.crt;
    ssl_certificate_key site.key;
    keepalive_requests 10000;
    log_format keepalive '\$connection \$aop_verdict';
    server { $listen server_name www.test; aop on;
             access_log json.log aop_json; access_log keep.log keepalive;
             add_header X-Verdict \$aop_verdict always;
             add_header X-Method \$request_method always;
             location / { return 200 "\$aop_client_subject"; } }
CONF

$nginx->write('worker.js', <<'WORKER');
export default {
    async fetch(request, env) {
        const url = new URL(request.url);
        const edge = env[url.searchParams.get("edge")];
        const n = Number(url.searchParams.get("n") || 1);
        const seen = {};

        for (let i = 0; i < n; i++) {
            const answer = await edge.fetch("https://www.test/" + i, {
                method: request.method,
                body: request.method === "POST" ? "x".repeat(5000) : undefined
            });
            const text = await answer.text();
            const what = [ answer.status, answer.headers.get("X-Verdict"),
                           answer.headers.get("X-Method"),
                           answer.status === 200 ? text : "" ].join("|");

            seen[what] = (seen[what] || 0) + 1;
        }

        return Response.json(seen);
    }
};
WORKER

$nginx->write('edge.capnp', capnp());

my $pid = start_workerd();

# who, method, number: what the Worker saw, and how often

for (
    [ 'good', 'GET', 1, '200|ok|GET|CN=edge' ],
    [ 'good', 'POST', 1, '200|ok|POST|CN=edge' ],
    [ 'rsa', 'GET', 1, '200|ok|GET|CN=edge\, RSA' ],
    [ 'none', 'GET', 1, '400|none|GET|' ],
    [ 'none', 'POST', 1, '400|none|POST|' ],
    [ 'foreign', 'GET', 1, '400|untrusted|GET|' ],
    [ 'foreign', 'POST', 1, '400|untrusted|POST|' ],
    [ 'foreign', 'GET', 20, '400|untrusted|GET|' ],
    [ 'good', 'GET', REQUESTS, '200|ok|GET|CN=edge' ],
    [ 'good', 'POST', 100, '200|ok|POST|CN=edge' ],
) {
    my ($name, $method, $n, $expected) = @$_;

    is_deeply(fetch($name, $method, $n), { $expected => $n },
              "$name, $method, $n");
}

# its connections are kept

my %used;

$nginx->wait_file('keep.log', qr/ ok\n(?:.*\n)*\z/);
$used{$_}++ for $nginx->read('keep.log') =~ /^(\d+) ok$/mg;

my ($most) = sort { $b <=> $a } values %used;

cmp_ok($most, '>=', 100, 'a connection that is kept alive')
    or diag(explain(\%used));

kill TERM => $pid;
waitpid $pid, 0;

$nginx->finish;
done_testing();


# fetch($edge, $method, $n): what a Worker saw that came as it.
sub fetch {
    my ($name, $method, $n) = @_;

    my $answer = HTTP::Tiny->new(timeout => WAIT)->request($method,
        "http://127.0.0.1:$edge/?edge=$name&n=$n");

    return eval { JSON::PP::decode_json($answer->{content}) }
           || "$answer->{status} $answer->{content}";
}


# capnp(): an edge for each certificate.
sub capnp {
    my (@service, @binding);

    for my $name (sort keys %shown) {
        my $keypair = $shown{$name}
            ? "keypair = ( privateKey = embed \"$name.key\","
              . " certificateChain = embed \"$name.pem\" ),"
            : '';

        push @service, <<"SERVICE";
        ( name = "$name", external = (
            address = "127.0.0.1:$tls",
            https = ( certificateHost = "www.test", tlsOptions = ( $keypair
                trustedCertificates = [ embed "site.pem" ] ) ) ) ),
SERVICE
        push @binding, qq{( name = "$name", service = "$name" ),};
    }

    return <<"CAPNP";
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
    services = [
        ( name = "main", worker = .worker ),
@service    ],
    sockets = [ ( name = "http", address = "127.0.0.1:$edge", http = (),
                  service = "main" ) ]
);

const worker :Workerd.Worker = (
    modules = [ ( name = "worker.js", esModule = embed "worker.js" ) ],
    compatibilityDate = "2024-01-01",
    bindings = [ @binding ]
);
CAPNP
}


sub start_workerd {
    my $child = fork();

    die "fork() failed: $!" unless defined $child;

    if ($child == 0) {
        chdir $dir;
        alarm LIMIT;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', 'workerd.log';
        open STDERR, '>&', \*STDOUT;
        exec $binary, 'serve', 'edge.capnp' or POSIX::_exit(127);
    }

    for (1 .. WAIT * 10) {
        return $child if IO::Socket::INET->new(PeerAddr => "127.0.0.1:$edge");
        last if waitpid($child, POSIX::WNOHANG()) == $child;
        sleep 0.1;
    }

    kill KILL => $child;
    BAIL_OUT('workerd does not start: ' . $nginx->read('workerd.log'));
}
