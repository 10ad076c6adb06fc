#!/usr/bin/perl

# Each phase at which a request can enter, or be answered, without having been
# through the one before.  Each of these tests fails without our handler in the
# phase it is named after.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $helper = $ENV{AOP_TEST_MODULE}
    || AOP::Test::checkout() . '/build/ngx_http_aop_test_module.so';

my $nginx = nginx();
my ($port, $plain) = $nginx->ports(2);
my $listen = $nginx->listen_tls($port);
my $show  = show();

my $ca   = ca('Edge CA');
my $good = $ca->leaf('edge');
my $bad  = ca('Foreign')->leaf('stranger');

$nginx->write('ca.pem', $ca);

$nginx->configure(<<"EOF")->start;
    aop_ca ca.pem;
    $show

    map \$http_x_mode \$mode { default on; ~. \$http_x_mode; }

    # too long is then what still comes in one piece: what nginx leaves unread
    # when it closes the connection would make the answer unreadable
    client_header_buffer_size 1k;
    large_client_header_buffers 2 1k;

    server {
        $listen
        server_name malformed;
        aop on;
        error_page 400 414 494 /anything;
        return 200 secret;
    }

    server {
        $listen
        listen 127.0.0.1:$plain ssl;
        server_name variable;
        aop \$mode;
        return 200 secret;
    }

    server {
        $listen
        server_name moved;
        aop \$mode;
        return 301 /secret;
    }

    server {
        $listen
        server_name rewritten;
        aop \$mode;
        rewrite ^ /secret redirect;
    }

    server {
        $listen
        server_name named;
        aop off;
        error_page 404 = \@named;
        error_page 403 = \@optional;
        location / { return 404; }
        location /forbidden { return 403; }
        location \@named { aop on; return 200 secret; }
        location \@optional { aop optional; return 200 watched; }
    }

    server {
        $listen
        server_name badname;
        aop off;
        error_page 400 = \@named;
        location / { return 200 free; }
        location \@named { aop on; return 200 secret; }
    }

    server {
        $listen
        server_name satisfied;
        aop on;
        satisfy any;
        allow all;
        location / { return 200 secret; }
        location /file { alias html; allow all; }
    }
EOF

sub ask {
    my ($host, %opt) = @_;
    my $answer = get($port, sni => $host, %opt);
    return seen($answer) . ' ' . $answer->body =~ s/<.*//sr;
}

# SERVER_REWRITE: a malformed request has not been through POST_READ when
# error_page takes it to the server's own return

my %malformed = (
    'no Host'         => "GET / HTTP/1.1\r\n\r\n",
    'an invalid Host' => "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    'two lengths'     => "GET / HTTP/1.1\r\nHost: malformed\r\n"
                         . "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    'a long line'     => 'GET /' . 'x' x 4000 . " HTTP/1.1\r\n\r\n",
    'a long header'   => "GET / HTTP/1.1\r\nHost: malformed\r\nX: "
                         . 'x' x 4000 . "\r\n\r\n",
);

for my $what (sort keys %malformed) {
    my $raw = sub {
        return client($port, sni => 'malformed', cert => $_[0])
               ->raw($malformed{$what});
    };

    is(seen($raw->(undef)), '400 on none REJECTED',
       "SERVER_REWRITE: $what, without certificate");
    unlike($raw->(undef)->body, qr/secret/, "SERVER_REWRITE: $what, no secret");
    is(seen($raw->($bad)), '400 on untrusted REJECTED',
       "SERVER_REWRITE: $what, bad certificate");
    is($raw->($good)->body, 'secret',
       "SERVER_REWRITE: $what, good certificate");
}

# SERVER_REWRITE: the mode by a variable, before the server's own answer

is(ask('variable'), '400 on none REJECTED ', 'SERVER_REWRITE: return');
is(ask('variable', cert => $good), '200 on ok PASSED secret',
   'SERVER_REWRITE: return, good certificate');
is(ask('variable', headers => [ 'X-Mode' => 'off' ]),
   '200 off none - secret', 'SERVER_REWRITE: return, off');
is(ask('moved'), '400 on none REJECTED ', 'SERVER_REWRITE: return 301');
is(ask('moved', cert => $good), '301 on ok PASSED ',
   'SERVER_REWRITE: return 301, good certificate');
is(ask('rewritten'), '400 on none REJECTED ', 'SERVER_REWRITE: rewrite');
is(ask('rewritten', cert => $good), '302 on ok PASSED ',
   'SERVER_REWRITE: rewrite, good certificate');

# REWRITE: a named location is entered there

is(ask('named'), '400 on none REJECTED ', 'REWRITE: named location');
is(ask('named', cert => $bad), '400 on untrusted REJECTED ',
   'REWRITE: named location, bad certificate');
is(ask('named', cert => $good), '200 on ok PASSED secret',
   'REWRITE: named location, good certificate');
is(ask('named', path => '/forbidden'),
   '200 optional none REJECTED_DRY_RUN watched',
   'REWRITE: named location, optional');
is(ask('named', http => '2'), '400 on none REJECTED ',
   'REWRITE: named location, HTTP/2');

is(seen(client($port, sni => 'badname')->raw("GET / HTTP/1.1\r\n\r\n")),
   '400 on none REJECTED', 'REWRITE: malformed request to a named location');
is(client($port, sni => 'badname', cert => $good)
   ->raw("GET / HTTP/1.1\r\n\r\n")->body, 'secret',
   'REWRITE: malformed request to a named location, good certificate');

# ACCESS is not used: "satisfy any" must not overrule us

is(ask('satisfied'), '400 on none REJECTED ', 'satisfy any');
is(ask('satisfied', cert => $good), '200 on ok PASSED secret',
   'satisfy any, good certificate');

$nginx->finish;

# POST_READ and PREACCESS matter where another module answers, or changes the
# location, in between: it takes one to show that

SKIP: {
    skip "no test module at $helper", 1 unless -e $helper;

    with_others('loaded after ours', load => [ $helper ]);
    with_others('loaded before ours', module => 0,
                load => [ $helper, AOP::Test::Nginx::module() ]);
    other_phases();
}

done_testing();


sub with_others {
    my ($order, %load) = @_;

    my $nginx = nginx(%load);
    my $port  = $nginx->ports;
    my $listen = $nginx->listen_tls($port);

    $nginx->write('ca.pem', $ca);
    $nginx->write('html/file.txt', 'secret');

    my %server = (
        post_read      => 'aop on; aop_test answer_post_read;',
        skipped        => 'aop on; aop_test skip_post_read;'
                          . ' return 200 secret;',
        server_rewrite => 'aop $mode; aop_test answer_server_rewrite;',
        constant       => 'aop on; aop_test answer_server_rewrite;',
        rewrite        => 'aop off; aop_test answer_rewrite;'
                          . ' location / { aop on; return 200 secret; }',
        preaccess      => 'aop off; aop_test_location @strict;'
                          . ' location @strict { aop on; }',
        watched        => 'aop off; aop_test_location @watched;'
                          . ' location @watched { aop optional; }',
        relaxed        => 'aop on; aop_test_location @strict;'
                          . ' location / { aop off; }'
                          . ' location @strict { aop on; }',
    );

    $nginx->configure(join "\n", $show, 'aop_ca ca.pem;',
        'map $http_x_mode $mode { default on; ~. $http_x_mode; }',
        map { "server { $listen server_name $_; $server{$_} }" }
            sort keys %server)->start;

    for my $http ('1.1', '2') {
        my $ask = sub {
            my ($host, $cert, @headers) = @_;
            return seen(get($port, sni => $host, http => $http, cert => $cert,
                            path => '/file.txt', headers => \@headers));
        };

        for (
            [ 'POST_READ', 'post_read', 'another module answers', 204 ],
            [ 'POST_READ', 'skipped', 'another module ends the phase', 200 ],
            [ 'SERVER_REWRITE', 'server_rewrite', 'another module answers',
              204 ],
            [ 'POST_READ', 'constant', 'another module answers later', 204 ],
            [ 'REWRITE', 'rewrite', 'another module answers', 204 ],
            [ 'PREACCESS', 'preaccess', 'another module changes the location',
              200 ],
            [ 'PREACCESS', 'relaxed',
              'another module changes a relaxed location', 200 ])
        {
            my ($phase, $host, $what, $status) = @$_;
            my $where = "$phase, HTTP/$http: $what, $order";

            is($ask->($host), '400 on none REJECTED', "$where: none");
            is($ask->($host, $bad), '400 on untrusted REJECTED',
               "$where: bad");
            is($ask->($host, $good), "$status on ok PASSED", "$where: good");
        }

        is($ask->('watched'), '200 optional none REJECTED_DRY_RUN',
           "PREACCESS, HTTP/$http: to an optional location, $order");
        is($ask->('server_rewrite', undef, 'X-Mode' => 'off'),
           '204 off none -', "SERVER_REWRITE, HTTP/$http: off, $order");
    }

    $nginx->finish;
}


# other_phases(): not the phases that our handlers are made for.
sub other_phases {
    my %order = (
        'changed before ours' => [ $helper, AOP::Test::Nginx::module() ],
        'changed after ours'  => [ AOP::Test::Nginx::module(), $helper ],
    );

    for my $order (sort keys %order) {
        my $nginx = nginx(module => 0, load => $order{$order});
        my $at    = $nginx->ports;
        my $conf  = sub {
            my ($how) = @_;
            return "server { listen 127.0.0.1:$at ssl; $how return 200; }";
        };

        my ($code, $output) = $nginx->configure($conf->(
            'aop on; aop_test change_phases;'))->test_config;

        isnt($code, 0, "$order: nginx -t fails");
        like($output, qr/\[emerg\] .*unexpected order of request phases/,
             "$order: and tells why");

        ($code) = $nginx->configure($conf->('aop_test change_phases;'))
                        ->test_config;
        is($code, 0, "$order: without \"aop\" nobody minds");

        next unless $order =~ /before/;

        $nginx->configure($conf->('aop on;'))->start;
        ok(!$nginx->reload($conf->('aop on; aop_test change_phases;')),
           "$order: a reload is refused");
        is(get($at)->status, 400, "$order: nginx goes on");
        is(get($at, cert => ca('Foreign')->leaf('x'))->status, 400,
           "$order: and refuses");

        $nginx->write('error.log', '');
        $nginx->finish;
    }
}
