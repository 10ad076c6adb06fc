#!/usr/bin/perl

# Where a mode comes from: http, server, location or a variable; and that a
# location's own mode holds for every way into it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $nginx = nginx();
my ($port, $split, $listed) = $nginx->ports(3);
my $listen = $nginx->listen_tls($port);
my $listen_split = $nginx->listen_tls($split);
my $listen_listed = $nginx->listen_tls($listed);
my $show = show();

my $ca   = ca('Edge CA');
my $good = $ca->leaf('edge');
my $bad  = ca('Foreign')->leaf('stranger');

$nginx->write('ca.pem', $ca);
mkdir $nginx->path("html/$_") for qw(static open);
$nginx->write('html/static/file.txt', 'static');
$nginx->write('html/open/file.txt', 'open');
$nginx->write('html/page.html', '(<!--# include virtual="/strict" -->)');

$nginx->configure(<<"EOF")->start;
    aop optional;
    aop_log_interval 10s;
    aop_ca ca.pem;
    $show

    map \$host \$mode_of_host {
        default             off;
        canary.variable     optional;
        strict.variable     on;
        empty.variable      '';
        wrong.variable      yes;
        upper.variable      ON;
        space.variable      'on ';
        open.variable       off;
    }

    map \$http_user_agent \$mode_of_agent {
        default             on;
        trusted             off;
    }

    split_clients \$arg_key \$mode_of_key {
        20%                 on;
        *                   optional;
    }

    map \$remote_addr \$mode_of_address {
        203.0.113.9         off;
        default             on;
    }

    # of http{}, and nothing said

    server { $listen server_name inherits; return 200 secret; }

    # each mode of a server, and its own return

    server { $listen server_name off; aop off; return 200 secret; }
    server { $listen server_name optional; aop optional; return 200 secret; }
    server { $listen server_name on; aop on; return 200 secret; }

    server {
        $listen
        server_name rewrites;
        aop on;
        rewrite ^/old\$ /new permanent;
        rewrite ^/inside\$ /new;
        location / { return 200 secret; }
    }

    # locations that are stricter than their server

    server {
        $listen
        server_name stricter;
        aop off;
        recursive_error_pages on;

        location / { return 200 free; }
        location /strict { aop on; return 200 secret; }
        location /file/ { aop on; alias html/static/; }
        location /watched { aop optional; return 200 secret; }
        location /nested { location /nested/strict { aop on; return 200 x; } }
        location /back { aop on; location /back/off { aop off; return 200 x; } }

        location /rewrite { rewrite ^ /strict last; }
        location /try { try_files /nowhere /strict; }
        location /try_named { try_files /nowhere \@strict; }
        location /error { error_page 404 /strict; return 404; }
        location /error_named { error_page 404 = \@strict; return 404; }
        location /accel { proxy_pass http://127.0.0.1:$listed/accel; }
        location /accel_named {
            proxy_pass http://127.0.0.1:$listed/accel_named;
        }
        location /dir/ { aop off; index file.txt; alias html/static/; }
        location = /dir/file.txt { aop on; alias html/static/file.txt; }

        location \@strict { aop on; return 200 secret; }

        location /page.html { ssi on; ssi_types *; }
        location /asks {
            auth_request /auth;
            proxy_pass http://127.0.0.1:$listed;
        }
        location /auth { aop on; return 204; }
        location /mirrored { mirror /strict; return 200 free; }
    }

    # locations that are more relaxed

    server {
        $listen
        server_name relaxed;
        aop on;

        location / { return 200 secret; }
        location /health { aop off; return 200 healthy; }
        location /watched { aop optional; return 200 watched; }
        location /to_secret { aop off; rewrite ^ /secret last; }
        location /to_named { aop off; try_files /nowhere \@secret; }
        location \@secret { return 200 secret; }
    }

    server {
        $listen
        server_name *.variable;
        aop \$mode_of_host;
        location / { return 200 served; }
        location /strict { aop on; return 200 secret; }
        location /agent { aop \$mode_of_agent; return 200 served; }
        location /twice { aop \$mode_of_agent; rewrite ^ /agent last; }
    }

    server {
        $listen
        server_name returns.by.variable;
        aop \$mode_of_agent;
        return 200 secret;
    }

    server {
        $listen
        server_name realip;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        aop \$mode_of_address;
        return 200 served;
    }

    server {
        $listen_split
        aop \$mode_of_key;
        return 200 served;
    }

    server {
        listen 127.0.0.1:$listed;
        aop off;
        location /accel {
            add_header X-Accel-Redirect /strict;
            return 200;
        }
        location /accel_named {
            add_header X-Accel-Redirect \@strict;
            return 200;
        }
        location /asks { return 200; }
    }

    server {
        $listen
        server_name nowhere;
        aop on;
        rewrite ^(.*)\$ \$1/x;
        try_files /none =404;
        add_header X-Uri \$uri always;
    }

EOF

sub ask {
    my ($host, $path, $cert, %opt) = @_;
    my $answer = get($port, sni => $host, path => $path, cert => $cert, %opt);
    return seen($answer) . ' ' . ($answer->status == 200 ? $answer->body : '');
}

# http and server

is(ask('inherits', '/'), '200 optional none REJECTED_DRY_RUN secret',
   'mode of http{}');
is(ask('off', '/'), '200 off - - secret', 'off: server-level return');
is(ask('optional', '/'), '200 optional none REJECTED_DRY_RUN secret',
   'optional: server-level return');
is(ask('on', '/'), '400 on none REJECTED ', 'on: before server-level return');
is(ask('on', '/', $good), '200 on ok PASSED secret', 'on: with certificate');
is(ask('rewrites', '/old'), '400 on none REJECTED ',
   'on: before server-level redirect');
is(ask('rewrites', '/old', $good), '301 on ok PASSED ',
   'on: redirect with certificate');
is(ask('rewrites', '/inside'), '400 on none REJECTED ',
   'on: before server-level rewrite');
is(ask('rewrites', '/inside', $good), '200 on ok PASSED secret',
   'on: rewrite with certificate');

# stricter locations

is(ask('stricter', '/'), '200 off none - free', 'stricter: other location');

for my $path (qw(/strict /file/file.txt /nested/strict /back /rewrite /try
    /try_named /error /error_named /accel /accel_named /dir/))
{
    is(ask('stricter', $path), '400 on none REJECTED ',
       "stricter: $path without certificate");
    is(ask('stricter', $path, $bad), '400 on untrusted REJECTED ',
       "stricter: $path with a bad one");
    like(ask('stricter', $path, $good), qr/^(?:200|404) on ok PASSED /,
         "stricter: $path with a good one");
}

# a subrequest is a matter of the location that makes it

is(ask('stricter', '/page.html'), '200 off none - (secret)',
   'subrequest: include');
is(get($port, sni => 'stricter', path => '/asks')->status, 200,
   'subrequest: auth_request');
is(ask('stricter', '/mirrored'), '200 off none - free', 'subrequest: mirror');

is(ask('stricter', '/watched'), '200 optional none REJECTED_DRY_RUN secret',
   'stricter: optional');
is(ask('stricter', '/back/off'), '200 off none - x', 'off inside on');

# more relaxed locations

is(ask('relaxed', '/'), '400 on none REJECTED ', 'relaxed: other location');
is(ask('relaxed', '/health'), '200 off none - healthy', 'relaxed: off');
is(ask('relaxed', '/health', $bad), '200 off untrusted - healthy',
   'relaxed: off, bad certificate');
is(ask('relaxed', '/watched'), '200 optional none REJECTED_DRY_RUN watched',
   'relaxed: optional');
is(ask('relaxed', '/to_secret'), '400 on none REJECTED ',
   'relaxed: rewrite to a strict one');
is(ask('relaxed', '/to_named'), '400 on none REJECTED ',
   'relaxed: named strict one');
is(ask('relaxed', '/health/../admin'), '400 on none REJECTED ',
   'relaxed: no way around by the path');
is(ask('relaxed', '/%68ealth'), '200 off none - healthy',
   'relaxed: an escaped path is the same');

# variables

is(ask('open.variable', '/'), '200 off none - served', 'map: off');
is(ask('canary.variable', '/'), '200 optional none REJECTED_DRY_RUN served',
   'map: optional');
is(ask('strict.variable', '/'), '400 on none REJECTED ', 'map: on');
is(ask('strict.variable', '/', $good), '200 on ok PASSED served',
   'map: on, with certificate');
is(ask('open.variable', '/strict'), '400 on none REJECTED ',
   'map: stricter location');
is(ask('open.variable', '/agent', undef,
       headers => [ 'User-Agent' => 'trusted' ]), '200 off none - served',
   'map in a location: off');
is(ask('open.variable', '/agent'), '400 on none REJECTED ',
   'map in a location: on');
is(ask('open.variable', '/twice', undef,
       headers => [ 'User-Agent' => 'trusted' ]), '200 off none - served',
   'map in two locations: off');
is(ask('returns.by.variable', '/'), '400 on none REJECTED ',
   'map: before server-level return');
is(ask('returns.by.variable', '/', undef,
       headers => [ 'User-Agent' => 'trusted' ]), '200 off none - secret',
   'map: off, server-level return');

is(ask('realip', '/'), '400 on none REJECTED ', 'address: not listed');
is(ask('realip', '/', undef, headers => [ 'X-Real-IP' => '203.0.113.9' ]),
   '200 off none - served', 'address: after realip');

# wrong values of a variable

my $mark = $nginx->mark;

is(ask('wrong.variable', '/'), '400 on none REJECTED ', 'wrong value: on');
like($nginx->wait_log(qr/aop: invalid mode/, $mark),
     qr/\[error\].*aop: invalid mode "yes" of variable "\$mode_of_host"/,
     'wrong value: logged');

is(ask('empty.variable', '/'), '400 on none REJECTED ', 'empty value: on');
is(ask('upper.variable', '/'), '400 on none REJECTED ', 'upper case: on');
is(ask('space.variable', '/'), '400 on none REJECTED ', 'with a space: on');
is(ask('wrong.variable', '/', $good), '200 on ok PASSED served',
   'wrong value: with certificate');

my @wrong = grep { /aop: invalid mode/ } $nginx->log_since($mark);

is(scalar @wrong, 1, 'wrong values: one line an interval');

# a server without locations: its rewrites run once, as without the module

is(get($port, sni => 'nowhere', cert => $good)->header('x-uri'), '//x',
   'no location: one rewrite');
is(get($port, sni => 'nowhere')->status, 400,
   'no location: refused');

# a canary by percentage

my %answer = map {
    my $client = client($split);
    $_ => seen($client->get("/?key=$_"));
} 1 .. 200;

my %count;
$count{$_}++ for values %answer;

is(join(', ', sort keys %count), '200 optional none REJECTED_DRY_RUN, '
   . '400 on none REJECTED', 'split_clients: two answers');
cmp_ok($count{'400 on none REJECTED'}, '>', 20, 'split_clients: not few');
cmp_ok($count{'400 on none REJECTED'}, '<', 60, 'split_clients: not many');
is(scalar(grep { seen(get($split, path => "/?key=$_")) ne $answer{$_} }
          1 .. 20), 0, 'split_clients: the same for the same client');

$nginx->finish;

done_testing();
