#!/usr/bin/perl

# Anything named in "aop_ca" is an anchor: a root, an intermediate, or the
# client's own certificate; and nothing else is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

use constant DAY => 86400;

my $root  = ca([ O => 'Acme', CN => 'Root' ]);
my $inter = $root->intermediate('Intermediate');
my $below = $inter->intermediate('Below');
my $other = ca('Other');
my $rolled = ca([ O => 'Acme', CN => 'Root' ]);

my $direct   = $root->leaf('direct');
my $one_down = $inter->leaf('one down');
my $two_down = $below->leaf('two down');
my $own      = self_signed('own', eku => undef);
my $twin     = self_signed('own', eku => undef);
my $server   = self_signed('server', eku => 'serverAuth');

my $weak     = $root->leaf('weak', key => 'rsa:1024');
my $old      = ca('Old', not_before => time() - 9 * DAY,
                         not_after => time() - DAY);
my $narrow   = ca('Narrow', pathlen => 0);
my $wide     = $narrow->intermediate('Against its CA');
my $same_name = ca([ O => 'CloudFlare, Inc.', OU => 'Origin Pull',
                     CN => 'origin-pull.cloudflare.net' ]);

my $nginx = nginx();
my $port  = $nginx->ports;
my $listen = $nginx->listen_tls($port);
my $show  = show();

my %file = (
    root => $root, inter => $inter, other => $other, own => $own,
    leaf => $one_down, server => $server, old => $old, narrow => $narrow,
    bundle => [ $other, $root, $inter ], rolled => [ $rolled, $root ],
);

$nginx->write("$_.pem", $file{$_}) for keys %file;

my %server = (
    root        => 'aop_ca root.pem;',
    inter       => 'aop_ca inter.pem;',
    leaf        => 'aop_ca leaf.pem;',
    own         => 'aop_ca own.pem;',
    server      => 'aop_ca server.pem;',
    old         => 'aop_ca old.pem;',
    narrow      => 'aop_ca narrow.pem; aop_verify_depth 5;',
    bundle      => 'aop_ca bundle.pem;',
    rolled      => 'aop_ca rolled.pem;',
    files       => 'aop_ca other.pem root.pem;',
    builtin     => '',
    mixed       => 'aop_ca root.pem cloudflare;',
    depth0      => 'aop_ca root.pem; aop_verify_depth 0;',
    depth2      => 'aop_ca root.pem; aop_verify_depth 2;',
    depth0inter => 'aop_ca inter.pem; aop_verify_depth 0;',
    depth0leaf  => 'aop_ca leaf.pem; aop_verify_depth 0;',
    weak        => 'aop_ca root.pem; ssl_ciphers HIGH:@SECLEVEL=0;',
    strong      => 'aop_ca root.pem; ssl_ciphers HIGH:@SECLEVEL=2;',
);

# What system the tests run on must not matter, nor what it trusts: what would
# have OpenSSL trust the roots of all tests is set for nginx too.

$nginx->write('all.pem', [ $root, $other, $inter, $rolled, $narrow ]);
$ENV{SSL_CERT_FILE} = $nginx->path('all.pem');
$nginx->{main} = 'env SSL_CERT_FILE;';

$nginx->configure(join "\n", $show, 'aop on;',
    'add_header X-Anchor $aop_anchor always;',
    map { "server { $listen server_name $_; $server{$_}"
          . ' location / { return 200; } }' } sort keys %server)->start;

my $root_name = 'CN=Root,O=Acme';

for (

    # server, certificate, chain, verdict, anchor

    [ 'root', $direct, [], 'ok', $root_name ],
    [ 'root', $one_down, [ $inter ], 'ok', $root_name ],
    [ 'root', $one_down, [ $inter, $root ], 'ok', $root_name ],
    [ 'root', $one_down, [ $other, $inter ], 'ok', $root_name ],
    [ 'root', $one_down, [], 'untrusted' ],
    [ 'root', $two_down, [ $below, $inter ], 'depth' ],
    [ 'root', $two_down, [ $inter ], 'untrusted' ],
    [ 'root', $root->leaf('x', digest => 'sha384'), [], 'ok', $root_name ],

    [ 'inter', $one_down, [], 'ok', 'CN=Intermediate' ],
    [ 'inter', $one_down, [ $inter, $root ], 'ok', 'CN=Intermediate' ],
    [ 'inter', $two_down, [ $below ], 'ok', 'CN=Intermediate' ],
    [ 'inter', $direct, [], 'untrusted' ],
    [ 'inter', $direct, [ $root ], 'untrusted' ],

    [ 'leaf', $one_down, [], 'ok', 'CN=one down' ],
    [ 'leaf', $one_down, [ $inter, $root ], 'ok', 'CN=one down' ],
    [ 'leaf', $inter->leaf('one down'), [ $inter ], 'untrusted' ],
    [ 'leaf', $one_down->leaf('below a leaf'), [], 'invalid' ],

    [ 'own', $own, [], 'ok', 'CN=own' ],
    [ 'own', $twin, [], 'untrusted' ],
    [ 'server', $server, [], 'purpose' ],

    [ 'old', $old->leaf('x'), [], 'expired' ],
    [ 'narrow', $narrow->leaf('x'), [], 'ok', 'CN=Narrow' ],
    [ 'narrow', $wide->leaf('x'), [ $wide ], 'invalid' ],

    [ 'bundle', $direct, [], 'ok', $root_name ],
    [ 'bundle', $other->leaf('x'), [], 'ok', 'CN=Other' ],
    [ 'bundle', $one_down, [], 'ok', 'CN=Intermediate' ],
    [ 'rolled', $direct, [], 'ok', $root_name ],
    [ 'rolled', $rolled->leaf('x'), [], 'ok', $root_name ],
    [ 'files', $direct, [], 'ok', $root_name ],
    [ 'files', $other->leaf('x'), [], 'ok', 'CN=Other' ],
    [ 'files', $own, [], 'untrusted' ],

    [ 'builtin', $direct, [], 'untrusted' ],
    [ 'builtin', $direct, [ $root ], 'untrusted' ],
    [ 'builtin', $same_name->leaf('x'), [ $same_name ], 'untrusted' ],
    [ 'mixed', $direct, [], 'ok', $root_name ],
    [ 'mixed', $other->leaf('x'), [], 'untrusted' ],

    [ 'depth0', $direct, [], 'ok', $root_name ],
    [ 'depth0', $one_down, [ $inter ], 'depth' ],
    [ 'depth2', $two_down, [ $below, $inter ], 'ok', $root_name ],
    [ 'depth0inter', $one_down, [ $inter, $root ], 'ok', 'CN=Intermediate' ],
    [ 'depth0inter', $two_down, [ $below, $inter ], 'depth' ],
    [ 'depth0leaf', $one_down, [ $inter ], 'ok', 'CN=one down' ],

    [ 'weak', $weak, [], 'ok', $root_name ],
    [ 'strong', $weak, [], 'weak' ],
    [ 'strong', $direct, [], 'ok', $root_name ])
{
    my ($name, $cert, $chain, $verdict, $anchor) = @$_;

    my $answer = get($port, sni => $name, cert => $cert, chain => $chain);
    my ($subject) = $cert->openssl('-subject') =~ /subject=\s*(.*)/;
    my $where = "anchor \"$name\", $subject with " . @$chain . ' more';

    is(seen($answer), $verdict eq 'ok' ? '200 on ok PASSED'
                                       : "400 on $verdict REJECTED",
       $where);
    is($answer->header('X-Anchor'), defined $anchor ? $anchor : '',
       "$where, anchor");
}

$nginx->finish;

done_testing();
