#!/usr/bin/perl

# Other modules in the same nginx, loaded before ours or after: none of them
# answers, redirects or ends a phase ahead of us, and none of them takes a
# request into a protected location unseen.  (t/phases.t has the plain ones.)

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $helper = $ENV{AOP_TEST_MODULE}
    || AOP::Test::checkout() . '/build/ngx_http_aop_test_module.so';

plan skip_all => "no test module at $helper" unless -e $helper;

my $ca   = ca('Edge CA');
my $good = $ca->leaf('edge');
my $bad  = ca('Foreign')->leaf('stranger');
my $show = show();

my $secret = 'location /redirected { aop on; return 200 secret; }';

# server => [ what it consists of, what it shows, status with a good one ]

my %server = (
    answers => [ 'aop off; aop_test answer_preaccess; location / { aop on; }',
                 'PREACCESS: another one answers', 204 ],

    changed => [ 'aop off; aop_test answer_preaccess;'
                 . ' aop_test_location @strict;'
                 . ' location @strict { aop on; }',
                 'PREACCESS: another one answers in a changed location', 204 ],

    skips   => [ 'aop off; aop_test skip_preaccess;'
                 . ' aop_test_location @strict;'
                 . ' location @strict { aop on; }',
                 'PREACCESS: another one ends the phase', 200 ],

    first   => [ "aop on; aop_test redirect_post_read; $secret",
                 'POST_READ: another one redirects', 200 ],

    before  => [ "aop off; aop_test redirect_post_read; $secret",
                 'POST_READ: another one redirects to a stricter one', 200 ],

    varying => [ "aop \$on; aop_test redirect_post_read; $secret",
                 'POST_READ: another one redirects, by a variable', 200 ],

    relaxed => [ 'aop on; aop_test redirect_post_read; location / { aop off; }'
                 . " $secret",
                 'POST_READ: another one redirects, relaxed server', 200 ],

    later   => [ "aop off; aop_test redirect_access; $secret",
                 'ACCESS: another one redirects to a stricter one', 200 ],

    all     => [ 'aop on; aop_test skip_post_read answer_server_rewrite'
                 . ' answer_rewrite answer_preaccess;',
                 'everything at once', 204 ],

    var_all => [ 'aop $on; aop_test skip_post_read answer_server_rewrite'
                 . ' answer_rewrite answer_preaccess;',
                 'everything at once, by a variable', 204 ],
);

with('after ours', load => [ $helper ]);
with('before ours', module => 0,
     load => [ $helper, AOP::Test::Nginx::module() ]);

done_testing();


sub with {
    my ($order, %load) = @_;

    my $nginx  = nginx(%load);
    my $port   = $nginx->ports;
    my $listen = $nginx->listen_tls($port);

    $nginx->write('ca.pem', $ca);
    $nginx->write('html/file', 'secret');

    $nginx->configure(join "\n", $show, 'aop_ca ca.pem;',
        'map $host $on { default on; }',
        map { "server { $listen server_name $_; $server{$_}[0] }" }
            sort keys %server)->start;

    my $ask = sub {
        my ($name, $http, $cert) = @_;
        return seen(get($port, sni => $name, http => $http, cert => $cert,
                        path => '/file'));
    };

    for my $http ('1.1', '2') {
        for my $name (sort keys %server) {
            my (undef, $what, $status) = @{ $server{$name} };
            my $where = "loaded $order, HTTP/$http: $what";

            is($ask->($name, $http), '400 on none REJECTED', "$where: none");
            is($ask->($name, $http, $bad), '400 on untrusted REJECTED',
               "$where: bad");
            is($ask->($name, $http, $good), "$status on ok PASSED",
               "$where: good");
        }
    }

    # each configuration that is read has its own order of handlers

    ok($nginx->reload, "loaded $order: reloaded");

    for my $name (sort keys %server) {
        is($ask->($name, '1.1'), '400 on none REJECTED',
           "loaded $order, reloaded: $server{$name}[1]");
    }

    $nginx->finish;

    return;
}
