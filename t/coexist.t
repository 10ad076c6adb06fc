#!/usr/bin/perl

# Beside other modules that touch the handshake, the address, or the way of a
# request: realip and the PROXY protocol, and headers-more, njs and Lua as
# Debian packages them, all loaded at the same time, before ours and after.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $modules = '/usr/lib/nginx/modules';

# package => modules, in an order in which nginx can load them

my @PACKAGES = (
    [ 'libnginx-mod-http-headers-more-filter',
      'ngx_http_headers_more_filter_module' ],
    [ 'libnginx-mod-http-js', 'ngx_http_js_module' ],
    [ 'libnginx-mod-http-lua', 'ndk_http_module', 'ngx_http_lua_module' ],
);

my $ca    = ca('Edge CA');
my $other = ca('Other CA');
my $good  = $ca->leaf('edge');
my $bad   = ca('Foreign')->leaf('stranger');
my $show  = show();

my @cases = ([ 'none', undef ], [ 'untrusted', $bad ]);

addresses();

SKIP: {
    my ($reason, @load) = packaged();

    skip $reason, 1 if $reason;

    with_packages('loaded after ours', load => \@load);
    with_packages('loaded before ours', module => 0,
                  load => [ @load, AOP::Test::Nginx::module() ]);
}

done_testing();


# addresses(): the mode and the log each have the address that is theirs.
sub addresses {
    my $nginx = nginx();
    my ($port, $proxied) = $nginx->ports(2);
    my $listen = $nginx->listen_tls($port);
    my $listen_proxied = $nginx->listen_tls($proxied, 'proxy_protocol');

    $nginx->write('ca.pem', $ca);

    $nginx->configure(<<"EOF")->start;
        aop_ca ca.pem;
        $show

        map \$remote_addr \$mode {
            203.0.113.9     off;
            127.0.0.1       optional;
            default         on;
        }

        set_real_ip_from 127.0.0.1;

        server {
            $listen
            server_name realip;
            real_ip_header X-Real-IP;
            aop \$mode;
            return 200 secret;
        }

        server {
            $listen_proxied
            server_name proxied;
            real_ip_header proxy_protocol;
            aop \$mode;
            return 200 secret;
        }
EOF

    my %mode = ('203.0.113.9' => '200 off none -',
                '127.0.0.1'   => '200 optional none REJECTED_DRY_RUN',
                '192.0.2.7'   => '400 on none REJECTED');

    for my $addr (sort keys %mode) {
        my $mark = $nginx->mark;

        is(seen(get($port, sni => 'realip',
                    headers => [ 'X-Real-IP' => $addr ])),
           $mode{$addr}, "realip: mode for $addr");

        next if $mode{$addr} =~ / off /;

        like($nginx->wait_log(qr/aop: .*"realip"/, $mark),
             qr/, peer: 127\.0\.0\.1 \(private\)/,
             "realip: peer for $addr is the connection's own");
    }

    for my $addr (sort keys %mode) {
        is(seen(get($proxied, sni => 'proxied',
                    prelude => "PROXY TCP4 $addr 127.0.0.1 9 9\r\n")),
           $mode{$addr}, "proxy_protocol: mode for $addr");
    }

    # a PROXY header decides nothing where it is not asked for, nor the lack of
    # one where it is

    is(get($port, sni => 'realip',
           prelude => "PROXY TCP4 203.0.113.9 127.0.0.1 9 9\r\n")->status, 0,
       'proxy_protocol: not spoken at this port');
    is(get($proxied, sni => 'proxied')->status, 0,
       'proxy_protocol: none sent');

    $nginx->finish;

    return;
}


# packaged(): why that cannot be tested, or '' and the modules to load.
sub packaged {
    my @load;

    for (@PACKAGES) {
        my ($package, @names) = @$_;

        for my $path (map { "$modules/$_.so" } @names) {
            return "package $package is not installed" unless -e $path;
            push @load, $path;
        }
    }

    my $nginx = nginx(module => 0, load => \@load, http => '');
    my ($code, $output) = $nginx->test_config;

    return $code ? "the packaged modules are of another nginx: $output"
                 : ('', @load);
}


sub with_packages {
    my ($order, %load) = @_;

    my $nginx = nginx(%load);
    my ($port, $lua, $verify, $backend, $alone) = $nginx->ports(5);
    my $listen        = $nginx->listen_tls($port);
    my $listen_lua    = $nginx->listen_tls($lua);
    my $listen_alone  = $nginx->listen_tls($alone);
    my $listen_verify = $nginx->listen_tls($verify);

    $nginx->write($_->[0], $_->[1]) for [ 'ca.pem', $ca ],
        [ 'other.pem', $other ], [ 'html/file', 'secret' ];

    $nginx->write('jump.js', <<'EOF');
        function jump(r) { r.internalRedirect('/strict'); }
        function named(r) { r.internalRedirect('@strict'); }
        function part(r) {
            r.subrequest('/strict', function (reply) {
                r.return(200, 'part ' + reply.status);
            });
        }
        function mode(r) { return r.headersIn['X-Mode'] || 'on'; }
        function filter(r) { r.headersOut['X-Njs'] = r.variables.aop_verdict; }
        export default { jump, named, part, mode, filter };
EOF

    my $strict = <<'EOF';
            location /strict { aop on; return 200 secret; }
            location @strict { aop on; return 200 secret; }
EOF

    $nginx->configure(<<"EOF")->start;
        aop_ca ca.pem;
        $show

        js_path .;
        js_import jump.js;
        js_set \$js_mode jump.mode;

        lua_shared_dict sessions 1m;

        # for all servers: from nginx 1.29.2 on Lua ends a handshake for a server
        # without this one, if the default server of the address has it

        ssl_client_hello_by_lua_block {
            require("ngx.ssl.clienthello").get_client_hello_server_name()
        }

        ssl_session_store_by_lua_block {
            local session = require "ngx.ssl.session"
            ngx.shared.sessions:set(session.get_session_id(),
                                    session.get_serialized_session())
        }

        ssl_session_fetch_by_lua_block {
            local session = require "ngx.ssl.session"
            local found = ngx.shared.sessions:get(session.get_session_id())
            if found then session.set_serialized_session(found) end
        }

        # headers-more

        server {
            $listen
            server_name more;
            aop off;
            more_set_headers "X-More: \$aop_verdict";
            more_set_input_headers "X-Mode: off" "Host: free";
            $strict
            location / { more_clear_input_headers Host; try_files /x /strict; }
        }

        server {
            $listen
            server_name more_on;
            aop on;
            more_set_input_headers "Host: free";
            more_set_headers -s '400 495 496' "X-More: \$aop_verdict";
            location / { return 200 secret; }
        }

        server { $listen server_name free; return 200 free; }

        # njs

        server {
            $listen
            server_name js;
            aop off;
            $strict
            location /filter {
                aop on;
                js_header_filter jump.filter;
                return 200 secret;
            }
            location /jump { js_content jump.jump; }
            location /named { js_content jump.named; }
            location /part { js_content jump.part; }
            location /content { aop on; js_content jump.part; }
        }

        server {
            $listen
            server_name js_mode;
            aop \$js_mode;
            return 200 secret;
        }

        # Lua, on the way of a request

        server {
            $listen
            server_name lua;
            aop off;
            $strict
            location /exec {
                rewrite_by_lua_block { ngx.exec("/strict") }
            }
            location /exec_access {
                access_by_lua_block { ngx.exec("/strict") }
            }
            location /exec_content {
                content_by_lua_block { ngx.exec("/strict") }
            }
            location /named {
                rewrite_by_lua_block { ngx.exec("\@strict") }
            }
            location /set_uri {
                rewrite_by_lua_block { ngx.req.set_uri("/strict", true) }
            }
            location /slow {
                rewrite_by_lua_block { ngx.sleep(0.01) ngx.exec("/strict") }
            }
            location /slow_uri {
                rewrite_by_lua_block {
                    ngx.sleep(0.01)
                    ngx.req.set_uri("/strict", true)
                }
            }
            location /rewrite {
                aop on;
                rewrite_by_lua_block { ngx.say("secret") }
            }
            location /content {
                aop on;
                content_by_lua_block { ngx.say("secret") }
            }
            location /include {
                content_by_lua_block {
                    ngx.say(ngx.location.capture("/strict").body)
                }
            }
        }

        server {
            $listen
            server_name lua_server;
            aop on;
            server_rewrite_by_lua_block { ngx.say("secret") ngx.exit(200) }
        }

        server {
            $listen
            server_name lua_mode;
            aop \$js_mode;
            server_rewrite_by_lua_block { ngx.say("secret") ngx.exit(200) }
        }

        # Lua, in the handshake

        server {
            $listen_lua
            server_name hello;
            ssl_session_cache shared:S:1m;
            ssl_session_tickets off;
            aop on;
            return 200 secret;
        }

        server {
            $listen_lua
            server_name slow;
            aop on;
            ssl_certificate_by_lua_block { ngx.sleep(0.02) }
            return 200 secret;
        }

        server { $listen_lua server_name lua_free; return 200 free; }

        server {
            $listen_alone
            ssl_certificate_by_lua_block { ngx.sleep(0.02) }
            return 200 free;
        }

        server {
            $listen_lua
            server_name lua_other;
            aop on;
            aop_ca other.pem;
            return 200 secret;
        }

        # Lua, that asks for a certificate of its own authority

        server {
            $listen_verify
            server_name verify;
            aop on;
            $show
            add_header X-Verify \$ssl_client_verify always;
            ssl_certificate_by_lua_block {
                local ssl = require "ngx.ssl"
                local file = io.open("@{[ $nginx->path('other.pem') ]}")
                local cert = ssl.parse_pem_cert(file:read("*a"))
                file:close()
                assert(ssl.verify_client(cert, 1))
            }
            location / { return 200 secret; }
        }
EOF

    for my $http ('1.1', '2') {
        for (
            [ 'more', '/' ], [ 'more_on', '/' ],
            [ 'js', '/jump' ], [ 'js', '/named' ], [ 'js', '/content' ],
            [ 'js_mode', '/' ],
            [ 'lua_server', '/' ], [ 'lua_mode', '/' ],
            map { [ 'lua', "/$_" ] }
                qw(exec exec_access exec_content named set_uri slow slow_uri
                   rewrite content))
        {
            my ($name, $path) = @$_;
            my $where = "$order, HTTP/$http: $name$path";
            my $ask = sub {
                return get($port, sni => $name, path => $path, http => $http,
                           cert => $_[0]);
            };

            for (@cases) {
                my ($verdict, $cert) = @$_;
                my $answer = $ask->($cert);

                is(seen($answer), "400 on $verdict REJECTED",
                   "$where: $verdict");
                unlike($answer->body, qr/secret/,
                       "$where: $verdict, no secret");
            }

            like($ask->($good)->body, qr/^(?:secret|part 200)$/,
                 "$where: good");
        }

        my $mode = get($port, sni => 'js_mode', http => $http,
                       headers => [ 'X-Mode' => 'optional' ]);

        is(seen($mode), '200 optional none REJECTED_DRY_RUN',
           "$order, HTTP/$http: mode by njs");
        is(get($port, sni => 'more_on', http => $http)->header('X-More'),
           'none', "$order, HTTP/$http: header of headers-more");
        is(get($port, sni => 'js', http => $http, path => '/filter')
           ->header('X-Njs'), 'none', "$order, HTTP/$http: header of njs");

        # a subrequest is a matter of the location that makes it

        like(get($port, sni => 'lua', path => '/include')->body, qr/^secret/,
             "$order: subrequest of Lua, which knows no HTTP/2")
            if $http eq '1.1';
        is(get($port, sni => 'js', http => $http, path => '/part')->body,
           'part 200', "$order, HTTP/$http: subrequest of njs");
    }

    # hooks of the handshake, and sessions that Lua keeps; some versions of Lua's
    # module cannot wait in a handshake, at an address without "aop" either

    my @hooked = get($alone)->status eq 200 ? qw(hello slow) : 'hello';

    diag 'left out: this Lua cannot wait in a handshake' if @hooked == 1;

    for my $tls ('1.2', '1.3') {
        for my $name (@hooked) {
            my %how   = (tls => $tls, sni => $name);
            my $where = "$order, TLS $tls, $name";

            for (@cases) {
                my ($verdict, $cert) = @$_;

                is(seen(get($lua, %how, cert => $cert)),
                   "400 on $verdict REJECTED", "$where: $verdict");
            }

            my ($first, $session) = session($lua, %how, cert => $good);
            my ($again, undef, $resumed) =
                session($lua, %how, session => $session, cert => $good);

            is("$first, $again", '200 on ok PASSED, 200 on ok PASSED',
               "$where: good, and again");
            is($resumed, 1, "$where: resumed from Lua's cache")
                if $tls eq '1.2';

            # not without showing a certificate, in another server

            is((session($lua, tls => $tls, sni => 'lua_other', host => $name,
                        session => $session))[0],
               '421 on misdirected REJECTED',
               "$where: its session by the name of another server");
            is((session($lua, tls => $tls, sni => 'lua_other',
                        session => $session, cert => $good))[0],
               '400 on untrusted REJECTED',
               "$where: its session in another server");

            # one that was made without a certificate lends nothing

            (undef, $session) = session($lua, tls => $tls, sni => 'lua_free');

            is((session($lua, %how, session => $session, cert => $good))[0],
               '200 on ok PASSED', "$where: after a session without one");
            is((session($lua, %how, session => $session))[0],
               '400 on none REJECTED',
               "$where: after a session without one, none");
        }

        # Lua asks for its own authority: each keeps its own opinion

        for (
            [ undef, '400 on none REJECTED', 'NONE', 'none' ],
            [ $bad, '400 on untrusted REJECTED', 'FAILED:', 'bad' ],
            [ $good, '200 on ok PASSED', 'FAILED:', 'good for us' ],
            [ $other->leaf('theirs'), '400 on untrusted REJECTED', 'SUCCESS',
              'good for Lua' ])
        {
            my ($cert, $expected, $theirs, $what) = @$_;
            my $answer = get($verify, tls => $tls, sni => 'verify',
                             cert => $cert);

            is(seen($answer), $expected,
               "$order, TLS $tls, ssl.verify_client: $what");
            like($answer->header('X-Verify'), qr/^$theirs/,
                 "$order, TLS $tls, ssl.verify_client: $what, as Lua sees it");
        }
    }

    $nginx->finish;

    return;
}


# session($port, %options): what was answered, the session, and whether that
# was a resumed one.
sub session {
    my ($port, %opt) = @_;

    my $client = client($port, %opt);
    my $answer = seen($client->get('/'));

    return ($answer, $client->session, $client->resumed);
}
