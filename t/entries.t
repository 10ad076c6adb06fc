#!/usr/bin/perl

# Every way into protected content: without a good certificate none of them
# gets there, with one each of them does, which shows that it is a way.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(make_path);
use Test::More;
use AOP::Test;

my $nginx = nginx();
my ($port, $backend, $early, $dead) = $nginx->ports(4);
my $listen       = $nginx->listen_tls($port);
my $listen_early = $nginx->listen_tls($early);
my $show = show();

my $ca   = ca('Edge CA');
my $good = $ca->leaf('edge');
my $bad  = ca('Foreign')->leaf('stranger');

my @bad = ([ 'none', undef ], [ 'untrusted', $bad ]);

# A server of each kind: what protects the location that is to be entered, and
# what exempts the locations that lead to it.

my %kind = (
    stricter => { server => 'aop off;', open => '', strict => 'aop on;' },
    relaxed  => { server => 'aop on;', open => 'aop off;', strict => '' },
    variable => { server => 'aop off;', open => '', strict => 'aop $on;' },
    both     => { server => 'aop $on;', open => 'aop $off;', strict => '' },
);

# From an exempt location into a protected one: path or request, and what the
# location consists of.

my @redirect = (

    # rewrite

    [ 'rewrite last',      '/rewrite', 'rewrite ^ /strict last;' ],
    [ 'rewrite, twice',    '/twice', 'rewrite ^ /rewrite last;' ],
    [ 'rewrite in if',     '/if?x',
      'if ($args = x) { rewrite ^ /strict? last; }' ],
    [ 'a set variable',    '/set',
      'set $to /strict; rewrite ^ $to last;' ],

    # try_files, index

    [ 'try_files',         '/try', 'try_files /nowhere /strict;' ],
    [ 'try_files, named',  '/tryn', 'try_files /nowhere @strict;' ],
    [ 'index',             '/dir/', 'index file; root html;' ],
    [ 'index elsewhere',   '/sub/', 'index /strict; root html;' ],
    ([ 'random_index',     '/any/', 'random_index on; root html;' ])
        x $nginx->knows('random_index'),

    # error_page

    [ 'error_page 404',    '/e404', 'error_page 404 /strict; return 404;' ],
    [ 'error_page =200',   '/e200',
      'error_page 404 =200 /strict; return 404;' ],
    [ 'error_page, named', '/e404n',
      'error_page 404 = @strict; return 404;' ],
    [ 'error_page, twice', '/e2', 'recursive_error_pages on;'
                           . ' error_page 418 = /e404; return 418;' ],
    [ 'error_page, no file', '/nofile', 'error_page 404 = /strict; root html;'],
    [ 'error_page 403, limit_except', '/except',
      'error_page 403 = @strict; limit_except HEAD { deny all; }' ],
    [ 'error_page 401, auth_request', '/auth',
      'error_page 401 = @strict; auth_request /no;'
      . ' root html; try_files /large =404;' ],
    [ 'error_page 404, upstream', '/up404', 'error_page 404 = /strict;'
      . ' proxy_intercept_errors on; proxy_pass $backend/404;' ],
    [ 'error_page 502, upstream', '/up502', 'error_page 502 = @strict;'
      . ' proxy_pass http://127.0.0.1:$dead;' ],
    [ 'error_page 413', '/e413',
      'client_max_body_size 1; error_page 413 = /strict;'
      . ' proxy_pass $backend/free;',
      method => 'POST', body => 'xx' ],
    [ 'error_page 405', '/large', 'error_page 405 = /strict;',
      method => 'POST', body => 'xx' ],

    # X-Accel-Redirect

    [ 'X-Accel-Redirect', '/accel', 'proxy_pass $backend/strict;' ],
    [ 'X-Accel-Redirect to a named one', '/acceln',
      'proxy_pass $backend/@strict;' ],
    [ 'X-Accel-Redirect to an internal one', '/acceli',
      'proxy_pass $backend/internal;' ],
    [ 'X-Accel-Redirect of an error', '/accele', 'proxy_pass $backend/e404n;' ],
);

# Into a server that is protected as a whole.

my @direct = (
    [ 'return of the server', 'returns', '/' ],
    [ 'return of the server, by a variable', 'varying', '/' ],
    [ 'rewrite of the server', 'rewrites', '/any' ],
    [ 'if of the server', 'ifs', '/' ],
    [ 'return of a location', 'locations', '/return' ],
    [ 'rewrite break', 'locations', '/break' ],
    [ 'return in if', 'locations', '/if' ],
    [ 'file in if', 'locations', '/iffile' ],
    [ 'limit_except', 'locations', '/except' ],
    [ 'internal by error_page', 'locations', '/nowhere' ],
    [ 'satisfy any', 'locations', '/satisfy' ],
    [ 'main request of auth_request', 'locations', '/auth' ],
    [ 'main request of SSI', 'locations', '/page.html' ],
    [ 'main request of mirror', 'locations', '/mirror' ],
    [ 'main request of slice', 'locations', '/slice' ],
    [ 'alias', 'locations', '/alias/secret.txt' ],
    [ 'OPTIONS', 'locations', '/return', method => 'OPTIONS' ],
    [ 'PUT', 'locations', '/return', method => 'PUT', body => 'x' ],
    [ 'unknown method', 'locations', '/return', method => 'BREW' ],
    [ 'error_page 405', 'locations', '/break', method => 'POST', body => 'x' ],
    [ 'a body', 'locations', '/return', method => 'POST',
      body => 'x' x 30_000 ],
);

# Requests word for word, to /return or what error_page makes of them.

my %raw = (
    'HTTP/1.0'          => "GET /return HTTP/1.0\r\nHost: locations\r\n\r\n",
    'an absolute URI'   => "GET https://locations/return HTTP/1.1\r\n"
                           . "Host: exempt\r\n\r\n",
    'another Host'      => "GET /return HTTP/1.1\r\nHost: LOCATIONS.\r\n\r\n",
    'a Host with port'  => "GET /return HTTP/1.1\r\nHost: locations:1\r\n\r\n",
    'a chunked body'    => "POST /return HTTP/1.1\r\nHost: locations\r\n"
                           . "Transfer-Encoding: chunked\r\n\r\n"
                           . "3\r\nabc\r\n0\r\n\r\n",
    'a bare LF'         => "GET /return HTTP/1.1\nHost: locations\n\n",
    'an escaped path'   => "GET /%72eturn HTTP/1.1\r\nHost: locations\r\n\r\n",
    'a path with ..'    => "GET /free/../return HTTP/1.1\r\n"
                           . "Host: locations\r\n\r\n",
    'slashes'           => "GET //return HTTP/1.1\r\nHost: locations\r\n\r\n",
    'TRACE'             => "TRACE /free HTTP/1.1\r\nHost: locations\r\n\r\n",
    'CONNECT'           => "CONNECT /free HTTP/1.1\r\n"
                           . "Host: locations\r\n\r\n",
    'an unknown version' => "GET /return HTTP/7.1\r\nHost: locations\r\n\r\n",
    'an unknown coding' => "GET /return HTTP/1.1\r\nHost: locations\r\n"
                           . "Transfer-Encoding: x\r\n\r\n",
    'two ways of length' => "GET /return HTTP/1.1\r\nHost: locations\r\n"
                           . "Content-Length: 1\r\n"
                           . "Transfer-Encoding: chunked\r\n\r\n",
    'a body too large'  => "POST /small HTTP/1.1\r\nHost: locations\r\n"
                           . "Content-Length: 9999\r\n\r\n",
    'a header too large' => "GET /free HTTP/1.1\r\nHost: locations\r\nX: "
                           . 'x' x 9_000 . "\r\n\r\n",
);

$nginx->write('ca.pem', $ca);
make_path(map { $nginx->path("html/$_") } qw(dir sub any));
$nginx->write("html/$_", 'secret') for qw(secret.txt dir/file any/file);
$nginx->write('html/large', 'free');
$nginx->write('html/long.txt', 'x' x 99 . 'secret');
$nginx->write('html/page.html', 'secret <!--# include virtual="/sub" -->');

$nginx->configure(join "\n", <<"EOF", map { kind($_) } sort keys %kind)->start;
    aop_ca ca.pem;
    $show

    map \$host \$on { default on; }
    map \$host \$off { default off; }
    map \$host \$backend { default http://127.0.0.1:$backend; }

    log_format early '\$request_uri \$status \$aop_verdict \$ssl_early_data'
                     ' \$aop_resumed';

    server {
        $listen
        server_name exempt;
        aop off;
        return 200 free;
    }

    server { $listen server_name returns; aop on; return 200 secret; }

    server { $listen server_name varying; aop \$on; return 200 secret; }

    server {
        $listen
        server_name posts;
        aop on;
        post_action /hook;
        location / { try_files /large =404; root html; }
        location = /hook { proxy_pass http://127.0.0.1:$backend/hook; }
    }

    server {
        $listen
        server_name loops;
        aop on;
        recursive_error_pages on;
        error_page 495 496 = /blocked;
        location / { return 200 secret; }
        location = /blocked { rewrite ^ /elsewhere last; }
    }

    server {
        $listen
        server_name rewrites;
        aop on;
        rewrite ^ /to;
        location / { return 404; }
        location /to { return 200 secret; }
    }

    server {
        $listen
        server_name ifs;
        aop on;
        if (\$host) { return 200 secret; }
    }

    server {
        $listen
        server_name locations;
        aop on;
        recursive_error_pages on;
        error_page 400 404 405 413 494 501 505 =200 /hidden;

        location / { root html; }
        location /return { return 200 secret; }
        location /small { client_max_body_size 1; root html; }
        location = /hidden { internal; return 200 secret; }
        location /break { rewrite ^ /secret.txt break; root html; }
        location /if { if (\$request_uri) { return 200 secret; } }
        location /iffile {
            root html;
            if (\$request_uri) { rewrite ^ /secret.txt break; }
        }
        location /except { limit_except GET { deny all; } return 200 secret; }
        location /satisfy { satisfy any; allow all; return 200 secret; }
        location /alias/ { alias html/; }
        location /auth {
            auth_request /sub;
            rewrite ^ /secret.txt break;
            root html;
        }
        location /page.html { root html; ssi on; ssi_types *; }
        location /mirror {
            mirror /sub;
            rewrite ^ /secret.txt break;
            root html;
        }
        location /slice {
            slice 2;
            proxy_set_header Range \$slice_range;
            proxy_pass http://127.0.0.1:$backend/secret.txt;
        }
        location /sub { return 204; }
    }

    server {
        $listen
        server_name page_return;
        aop on;
        error_page 495 496 = /blocked;
        return 200 secret;
    }

    server {
        $listen
        server_name page_variable;
        aop \$on;
        error_page 495 496 = /blocked;
        return 200 secret;
    }

    server {
        $listen
        server_name page_rewrite;
        aop on;
        error_page 495 496 = /blocked;
        rewrite ^ /app;
        location /app { return 200 secret; }
        location /blocked { return 403 blocked; }
    }

    server {
        $listen
        server_name tls497;
        aop on;
        error_page 497 =200 /moved;
        return 200 secret;
        location / { return 200 secret; }
        location = /moved { internal; rewrite ^/x /y; error_page 404 /hidden;
                            return 404; }
        location = /hidden { internal; return 200 secret; }
    }

    server {
        $listen_early
        server_name early;
        ssl_early_data on;
        ssl_session_timeout 1h;
        aop on;
        access_log early.log early;
        return 200 secret;
    }

    server {
        listen 127.0.0.1:$backend;
        location / { add_header X-Accel-Redirect \$uri; return 200 free; }
        location /\@ { add_header X-Accel-Redirect \@strict; return 200; }
        location /e { add_header X-Accel-Redirect \$uri always; return 500; }
        location /404 { return 404; }
        location = /secret.txt { root html; }
        location = /hook { access_log hook.log; return 200; }
    }
EOF

# kind($name): the configuration of a server of that kind.
sub kind {
    my ($name) = @_;
    my $kind = $kind{$name};
    my (%seen, @location);

    for (@redirect) {
        my (undef, $path, $what) = @$_;

        $path =~ s/\?.*//;
        $what =~ s/\$dead/$dead/;

        # one location for several entries
        push @{ $seen{$path} }, $what;
    }

    push @location, map {
        my $open = $_ =~ m{/\z} ? "= $_" : $_;
        "location $open { $kind->{open} @{ $seen{$_} } }";
    } sort keys %seen;

    return <<"EOF";
    server {
        $listen
        server_name $name;
        $kind->{server}
        root html;
        @location
        location /short {
            $kind->{open}
            error_page 416 = /long;
            try_files /large =404;
        }
        location /long {
            $kind->{strict}
            try_files /long.txt =404;
        }
        location /no { $kind->{open} return 401; }
        location /post_action {
            $kind->{open}
            post_action /hook;
            root html;
            try_files /large =404;
        }
        location = /hook {
            $kind->{strict}
            proxy_pass http://127.0.0.1:$backend/hook;
        }
        location /strict { $kind->{strict} return 200 secret; }
        location /internal { internal; $kind->{strict} return 200 secret; }
        location \@strict { $kind->{strict} return 200 secret; }
        location = /dir/file { $kind->{strict} }
        location = /any/file { $kind->{strict} }
    }
EOF
}

# from an exempt location into a protected one

for my $name (sort keys %kind) {
    for my $http ('1.1', '2') {
        for (@redirect) {
            my ($what, $path, undef, %opt) = @$_;

            refused("$name, HTTP/$http: $what", $http, $name, $path, %opt);
        }

        # a filter that finds fault with what an exempt location answers

        my @range = (sni => $name, http => $http, path => '/short',
                     headers => [ Range => 'bytes=99-' ]);

        unlike(get($port, @range, cert => $_)->body, qr/secret/,
               "$name, HTTP/$http: error_page 416, no secret") for undef, $bad;
        like(get($port, @range, cert => $good)->body, qr/^secret/,
             "$name, HTTP/$http: error_page 416, good");
    }

    get($port, sni => $name, path => '/post_action', cert => $_)
        for undef, $bad;

    is($nginx->read('hook.log'), '', "$name: post_action");

    get($port, sni => $name, path => '/post_action', cert => $good);

    like($nginx->wait_file('hook.log', qr{ /hook }), qr/ 200 /,
         "$name: post_action, good");
    truncate $nginx->path('hook.log'), 0;
}

# what a server does after each request, it does not do after a refusal

get($port, sni => 'posts', cert => $_) for undef, $bad;
is($nginx->read('hook.log'), '', 'post_action of a refused request');

get($port, sni => 'posts', cert => $good);
like($nginx->wait_file('hook.log', qr{ /hook }), qr/ 200 /,
     'post_action of a request that was served');

# directly

for my $http ('1.1', '2') {
    for (@direct) {
        my ($what, $name, $path, %opt) = @$_;

        refused("HTTP/$http: $what", $http, $name, $path, %opt);
    }
}

# word for word

for my $what (sort keys %raw) {
    my $raw = sub {
        return client($port, sni => 'locations', cert => $_[0])
               ->raw($raw{$what});
    };

    for (@bad) {
        my ($verdict, $cert) = @$_;
        my $answer = $raw->($cert);

        is(seen($answer), "400 on $verdict REJECTED", "$what: $verdict");
        unlike($answer->body, qr/secret/, "$what: $verdict, no secret");
    }

    is($raw->($good)->body, 'secret', "$what: good");
}

# without Host: the default server of the port takes it

for my $request ("GET /\r\n", "GET / HTTP/1.0\r\n\r\n") {
    my ($what) = $request =~ m{(HTTP/1.0)} ? $1 : 'HTTP/0.9';
    my $talk = sub {
        return client($early, cert => $_[0])->talk($request);
    };

    for (@bad) {
        my ($verdict, $cert) = @$_;
        my $text = $talk->($cert);

        like($text, qr/\b400 Bad Request\b/, "$what: $verdict");
        unlike($text, qr/secret/, "$what: $verdict, no secret");
    }

    like($talk->($good), qr/^secret\z/m, "$what: good");
}

my $continue = "POST /return HTTP/1.1\r\nHost: locations\r\n"
               . "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n";

is(seen(client($port, sni => 'locations')->raw($continue)),
   '400 on none REJECTED', '100-continue: refused at once');

# plain HTTP where TLS is spoken

my $answer = client($port, tls => 0)
             ->raw("GET / HTTP/1.1\r\nHost: tls497\r\n\r\n");

unlike($answer->body, qr/secret/, '497: no secret');

# HTTP/1: pipelining, HTTP/2: streams: each request by its own

for my $http ('1.1', '2') {
    my $client = client($port, sni => 'stricter', http => $http);
    my @answer = $client->get_all([ '/large' ], [ '/try' ], [ '/strict' ]);

    is(seen($answer[0]), '200 off none -', "HTTP/$http: exempt one served");
    is(seen($answer[1]), '400 on none REJECTED', "HTTP/$http: second refused");
    is(scalar(grep { ($_->body // '') =~ /secret/ } @answer), 0,
       "HTTP/$http: no secret behind it");
}

my @answer = $nginx->whole(sub {
    client($port, sni => 'stricter', http => '2', cert => $bad)
    ->get_all(map { [ $_ % 3 ? '/strict' : '/large' ] } 1 .. 30)
});

is(join(' ', map { seen($_) } @answer),
   join(' ', map { $_ % 3 ? '400 on untrusted REJECTED' : '200 off untrusted -'
                 } 1 .. @answer), 'HTTP/2: 30 streams');

# the page of a refusal that leads elsewhere, over and over

for my $http ('1.1', '2') {
    my $mark = $nginx->mark;

    is(seen(get($port, sni => 'loops', http => $http)),
       '400 on none REJECTED', "HTTP/$http: page that redirects, once");
    $nginx->wait_log(qr/aop: /, $mark);
    is(scalar(grep { /aop: / } $nginx->log_since($mark)), 1,
       "HTTP/$http: page that redirects, logged once");
}

# the page of a refusal, where the server itself answers or rewrites

for my $http ('1.1', '2') {
    for my $name (qw(page_return page_rewrite page_variable)) {
        for (@bad) {
            my ($verdict, $cert) = @$_;
            my $answer = get($port, sni => $name, http => $http,
                             cert => $cert);

            unlike($answer->body, qr/secret/,
                   "HTTP/$http: $name, $verdict: no secret");
        }
    }
}

# early data of TLS 1.3
#
# OpenSSL sends it only with a session of the same server name; by the time the
# request is logged the handshake may be over

like(early('good', $good), qr{^/good 200 ok [1-] r},
     'early data: good, in the first flight');

for (@bad) {
    my ($verdict, $cert) = @$_;

    is(early($verdict, $cert), "/$verdict-again 400 $verdict - .",
       "early data: $verdict, session not resumed");
}

$nginx->finish;

done_testing();


# early($name, $cert): what is logged of a request for /$name in the first
# flight of a resumed handshake, or if that was not taken of the one for
# /$name-again behind it: path, status, verdict, $ssl_early_data, $aop_resumed.
sub early {
    my ($name, $cert) = @_;

    my $session = $nginx->path('session.pem');
    my $text    = " HTTP/1.1\r\nHost: early\r\nConnection: close\r\n\r\n";
    my @connect = ('s_client', '-quiet', '-ign_eof', '-tls1_3', '-connect',
                   "127.0.0.1:$early", '-servername', 'early');

    if ($cert) {
        $nginx->write('client.pem', [ $cert, $cert->key_pem ]);
        push @connect, '-cert', $nginx->path('client.pem');
    }

    unlink $session;
    openssl("GET /first$text", @connect, '-sess_out', $session);

    return 'no session' unless -s $session;

    $nginx->write('request', "GET /$name$text");

    openssl("GET /$name-again$text", @connect, '-sess_in', $session,
            '-early_data', $nginx->path('request'));

    return $nginx->wait_file('early.log', qr{^/\Q$name\E\b});
}


# refused($what, $http, $host, $path, %options): each bad credential is, and
# the good one gets there.
sub refused {
    my ($what, $http, $host, $path, %opt) = @_;

    my $ask = sub {
        return get($port, sni => $host, http => $http, path => $path,
                   cert => $_[0], %opt);
    };

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    for (@bad) {
        my ($verdict, $cert) = @$_;
        my $answer = $ask->($cert);

        like(seen($answer), qr/^4\d\d on $verdict REJECTED$/,
             "$what, $verdict");
        unlike($answer->body, qr/secret/, "$what, $verdict: no secret");
    }

    like($ask->($good)->body, qr/^secret/, "$what, good");
}
