#!/usr/bin/perl

# Each call of the module to nginx or to a library fails, as when memory is
# short: it alone, or with all that follow.  A configuration is then refused,
# and nginx ends in good order; a request is answered as ever or with an error,
# the worker lives on, and nobody is served who would be refused otherwise.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;
use AOP::Test::Fault;

my ($ca, $other) = (ca('Edge CA'), ca('Other CA'));
my $inter = $ca->intermediate('Intermediate');
my $fault = AOP::Test::Fault->new;
my $nginx = nginx();
my ($tls, $admin) = $nginx->ports(2);

$nginx->write('ca.pem', $ca);
$nginx->write('other.pem', $other);
$nginx->write('crl.pem', $ca->crl);
$nginx->write('html/index.html', "served\n");

my $show   = show();
my $listen = $nginx->listen_tls($tls);
my @pin    = ('cert-sha256:' . '00' x 32, 'spki-sha256:' . '11' x 32);

my $http = <<"CONF";
    $show
    log_format done done;
    access_log done.log done;
    aop_zone 256k;
    aop_edge cloudflare 192.0.2.0/24 proxy=198.51.100.0/24;
    ssl_session_cache shared:cache:1m;
    map \$host \$mode {
        default on;
    }
    server {
        $listen
        server_name www.test;
        aop on;
        aop_ca ca.pem;
        aop_verify_depth 3;
        aop_expiry_warning 9d 3d;
        error_page 495 /page;
        access_log aop.log aop_json;
        access_log done.log done;
        location /mode {
            aop \$mode;
        }
        location /page {
            aop off;
        }
    }
    server {
        listen 127.0.0.1:$tls ssl;
        server_name other.test;
        aop \$mode;
        aop_ca other.pem cloudflare;
    }
    server {
        listen 127.0.0.1:$tls ssl;
        server_name pinned.test;
        aop optional;
        aop_ca ca.pem;
        aop_crl crl.pem;
        aop_pin @pin;
    }
    server {
        listen 127.0.0.1:$tls ssl;
        server_name status.test;
        aop on;
        aop_ca ca.pem;
        aop_status 404;
    }
    server {
        listen 127.0.0.1:$admin;
        location / {
            aop_report;
        }
    }
CONF


# the configuration

# What leaves only something unsaid, or a certificate that is not known to be
# one of Cloudflare's, or a server that is not counted.
my $MAY = qr/^(?:EVP_Digest|X509_digest|X509_NAME_print_ex
                 |X509_STORE_CTX_new|X509_STORE_CTX_init
                 |ngx_slab_calloc_locked)$/x;

# Of these one call is for the system's store, without which it is not said
# that this system trusts a CA for websites.
my %once = (ngx_pool_cleanup_add => 1, X509_STORE_new => 1);

$nginx->configure($http);

my @config = $fault->run(sub {
    return $fault->each(once => sub { return [ $nginx->test_config ] });
});

# the zone is made when error.log is there
$nginx->write('error.log', '');

my @says = (
    [ 'a file: opening', qr/cannot load "aop_ca" file .*: Cannot allocate/ ],
    [ 'a file: reading', qr/cannot load "aop_ca" file .*: out of memory/ ],
    [ 'a CRL', qr/cannot load "aop_crl" file .*: out of memory/ ],
    [ 'the CA that is built in', qr/cannot load the built-in "aop_ca/ ],
    [ 'the policy', qr/cannot prepare the certificates of "aop_ca"/ ],
    [ 'the names of the anchors', qr/SSL_CTX_add_client_CA\(\) failed/ ],
    [ 'the session callbacks', qr/cannot set the session callbacks of "aop"/ ],
    [ 'the zone', qr/"aop_zone" is too small/ ],
    [ 'the zone: a server', qr/"aop_zone" is full: requests to 1 of 4 servers/ ],
);

cmp_ok(@config, '>', 150, 'configuration: many calls can fail');

is(join(' ', map { "$_->[1]: $_->[0][0]" }
             grep { $_->[0][0] != 1 && $_->[1] !~ $MAY && !$once{ $_->[1] }-- }
             @config),
   '', 'configuration: refused');

for my $case (@says) {
    my ($name, $line) = @$case;

    ok(scalar(grep { $_->[0][1] =~ $line } @config), "says so: $name");
}

# so many CA names that their list is replaced with an empty one

my $many  = nginx();
my $empty = AOP::Test::Fault->new('OPENSSL_sk_new_null');
my $at    = $many->listen_tls($many->ports);

$many->write('many.pem', [ map { ca("CA $_", key => $ca) } 1 .. 101 ]);
$many->configure("server { $at aop on; aop_ca many.pem; }");

my @names = $empty->run(sub {
    return $empty->each(once => sub { return [ $many->test_config ] });
});

ok(scalar(grep { $_->[0][0] == 1
                 && $_->[0][1] =~ /cannot set the CA names of "aop_ca"/ }
               @names), 'says so: no list of CA names');


# requests

my %cert = (
    good      => $ca->leaf('good'),
    below     => $inter->leaf('below'),
    untrusted => $other->leaf('untrusted'),
);

my %www  = (sni => 'www.test');
my @good = (%www, cert => $cert{good});

$fault->run(sub { $nginx->start });

my $worker = join ' ', $nginx->worker_pids;

# TLS 1.2: its session is there with the handshake
my (undef, $session) = visit($tls, @good, tls => '1.2');

# What is done after the answer is out is of that request still.
sub to_its_end {
    my ($get) = @_;

    my $size = -s $nginx->path('done.log');
    my $answer = $get->();

    for (1 .. 200) {
        last if -s $nginx->path('done.log') > $size;
        select undef, undef, undef, 0.01;
    }

    return $answer;
}


# Name, request, its answer; where memory is short, that or 500.
my @requests = (
    [ 'good', '200 on ok PASSED', sub { get($tls, @good) } ],
    [ 'good, HTTP/2', '200 on ok PASSED', sub { get($tls, @good, http => 2) } ],
    [ 'good, resumed', '200 on ok PASSED',
      sub { get($tls, @good, tls => '1.2', session => $session) } ],
    [ 'good, by a variable', '404 on ok PASSED',
      sub { get($tls, %www, cert => $cert{below}, chain => [ $inter ],
                path => '/mode') } ],
    [ 'none', '400 on none REJECTED', sub { get($tls, %www) } ],
    [ 'none, HTTP/2', '400 on none REJECTED',
      sub { get($tls, %www, http => 2) } ],
    [ 'untrusted, with a page', '404 on untrusted REJECTED',
      sub { get($tls, %www, cert => $cert{untrusted}) } ],
    [ 'misdirected', '421 on misdirected REJECTED',
      sub { get($tls, sni => 'other.test', host => 'www.test',
                cert => $cert{untrusted}) } ],
    [ 'with aop_status', '404 on untrusted REJECTED',
      sub { get($tls, sni => 'status.test', cert => $cert{untrusted}) } ],
    [ 'would be refused', '200 optional pin REJECTED_DRY_RUN',
      sub { get($tls, sni => 'pinned.test', cert => $cert{good}) } ],
);

for my $case (@requests) {
    my ($name, $answer, $get) = @$case;

    my $try = sub {
        my $seen = seen(to_its_end($get));

        return $seen eq $answer ? 'as ever' : $seen;
    };

    my %once = map { $_->[0] => 1 } $fault->each(once => $try);
    my %from = map { $_->[0] => 1 } $fault->each(from => $try);

    my @other = grep { !/^(?:500 |200 optional error )/ }
                sort keys %{{ %once, %from }};

    is("@other", 'as ever', "$name: as ever, or an error");
    isnt(scalar keys %from, 1, "$name: an error");

    # "aop_status" is for what a client can help

    next if $name ne 'with aop_status';

    is(join(', ', grep { / error / } keys %{{ %once, %from }}),
       '500 on error REJECTED', "$name: an error of ours is 500");
}

for my $format (qw(json prometheus html)) {
    my $get = sub {
        return get($admin, tls => 0, path => "/?format=$format");
    };

    # but for the subject of a CRL
    my $least = 0.98 * length $get->()->body;

    my %each = map { $_->[0] => 1 } $fault->each(once => sub {
        my $answer = $get->();

        return $answer->status && $answer->status != 200 ? $answer->status
             : length $answer->body == 0                 ? 'nothing'
             : length $answer->body >= $least            ? 'all' : 'half';
    });

    is(join(' ', sort keys %each), '500 all',
       "report, $format: whole or not at all");
}

is(join(' ', $nginx->worker_pids), $worker, 'no worker died');

$nginx->finish;
done_testing();
