#!/usr/bin/perl

# HTTP/3, where nginx and curl have it: the same question, the same answers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

plan skip_all => 'this nginx has no HTTP/3'
    if `@{[ AOP::Test::Nginx->binary ]} -V 2>&1` !~ /--with-http_v3_module/;
plan skip_all => 'this curl has no HTTP/3'
    if `curl --version 2>&1` !~ /\bHTTP3\b/;

my $nginx = nginx();
my $port  = $nginx->ports;
my $ca    = ca('Edge CA');

my %credential = (
    good => $ca->leaf('edge'),
    bad  => ca('Foreign')->leaf('stranger'),
    none => undef,
);

$nginx->write('ca.pem', $ca);
$nginx->write('stock.pem', ca('Stock CA'));

for my $name (grep { $credential{$_} } keys %credential) {
    $nginx->write("$name.pem", $credential{$name});
    $nginx->write("$name.key", $credential{$name}->key_pem);
}

my $listen = "listen 127.0.0.1:$port quic; " . $nginx->listen_tls($port);

$nginx->configure(<<"EOC")->start;
    aop_ca ca.pem;
    log_format seen '\$host \$status \$server_protocol \$aop_mode \$aop_verdict';
    log_format address '\$uri \$remote_addr|\$remote_port|'
                       '\$aop_peer_addr|\$aop_peer';
    access_log seen.log seen;

    server { $listen server_name on.test; aop on;
             location / { return 200 served; } }
    server { $listen server_name optional.test; aop optional;
             location / { return 200 served; } }
    server { $listen server_name silent.test; aop on; aop_status 444;
             location / { return 200 served; } }
    server { $listen server_name address.test; aop optional; aop_real_ip on;
             access_log seen.log seen; access_log address.log address;
             location / { return 200 served; } }
    server { $listen server_name off.test;
             location / { return 200 served; } }
    server { $listen server_name stock.test;
             ssl_client_certificate stock.pem; ssl_verify_client on;
             location / { return 200 served; } }
EOC

# ask($host, $credential, @paths): the status of each request, on one connection
# if nginx keeps it; and how many connections that took.
sub ask {
    my ($host, $name, @path) = @_;

    return curl($name, map { [ "https://$host:$port$_", '--resolve',
                               "$host:$port:127.0.0.1" ] } @path);
}


# ask_hosts($credential, @hosts): the same for requests to these hosts, on a
# connection that was made without a name.
sub ask_hosts {
    my ($name, @host) = @_;

    return curl($name, map { [ "https://127.0.0.1:$port/", '-H', "Host: $_" ] }
                       @host);
}


# curl($credential, [ $url, @options ], ...): what these say.
sub curl {
    my ($name, @request) = @_;

    my @cert = $credential{$name}
        ? ('--cert', $nginx->path("$name.pem"),
           '--key', $nginx->path("$name.key")) : ();
    my @command = ('curl', map { ('--next', '-sk', '--http3-only',
        '--max-time', 10, @cert, '-w', '%{http_code} %{num_connects} ',
        '-o', '/dev/null', @$_) } @request);

    splice @command, 1, 1;

    my $said;

    # nginx 1.26 by itself, without the module, now and then ends the second
    # request of a connection before it has read it: "400 -" in its log

    for (1 .. 5) {
        open my $curl, '-|', @command or die "cannot run curl: $!";
        $said = join '', <$curl>;
        close $curl;

        last if $said !~ /\b000\b/;
    }

    my @word = split ' ', $said;
    my $connections = 0;
    $connections += $word[$_] for grep { $_ % 2 } 0 .. $#word;

    return join(' ', map { $word[$_] } grep { $_ % 2 == 0 } 0 .. $#word)
           . ", $connections connected";
}

is(ask('on.test', 'good', '/', '/'), '200 200, 1 connected',
   'on: good, kept alive');
is(ask('on.test', 'none', '/'), '400, 1 connected', 'on: none');
is(ask('on.test', 'bad', '/'), '400, 1 connected', 'on: another CA');
is(ask('on.test', 'none', '/', '/'), '400 400, 2 connected',
   'on: a refused connection is not kept');
is(ask('optional.test', 'none', '/', '/'), '200 200, 1 connected',
   'optional: none');
is(ask('optional.test', 'bad', '/'), '200, 1 connected',
   'optional: another CA');
is(ask('off.test', 'none', '/'), '200, 1 connected', 'off');

# without an answer

like(ask('silent.test', 'none', '/'), qr/^000,/, '444: none');
is(ask('silent.test', 'good', '/'), '200, 1 connected', '444: good');

# the client's address: each request its own

my $resolve = "address.test:$port:127.0.0.1";

for ([ 'good', '203.0.113.7', '203.0.113.7||' ],
     [ 'good', '2001:db8::7', '2001:db8::7||' ],
     [ 'none', '203.0.113.7', '127.0.0.1|N|' ],
     [ 'bad',  '203.0.113.7', '127.0.0.1|N|' ])
{
    my ($name, $address, $seen) = @$_;

    my $path = "/$name/$address";

    curl($name, [ "https://address.test:$port$path", '--resolve', $resolve,
                  '-H', "CF-Connecting-IP: $address" ],
                [ "https://address.test:$port$path/none", '--resolve',
                  $resolve ]);

    for ([ $path, "$path ${seen}127.0.0.1|private" ],
         [ "$path/none", "$path/none 127.0.0.1|N|127.0.0.1|private" ])
    {
        my ($uri, $expected) = @$_;

        is($nginx->wait_file('address.log', qr/^\Q$uri\E /)
           =~ s/\|\d+\|/|N|/r, $expected, "aop_real_ip: $uri");
    }
}

# a neighbour with "ssl_verify_client", after a request that passed

is(ask_hosts('good', 'on.test', 'stock.test'), '200 400, 1 connected',
   'on, then a server that verifies by itself');
is(ask_hosts('good', 'on.test', 'optional.test'), '200 200, 1 connected',
   'on, then optional');

$nginx->wait_file('seen.log', qr/^off\.test /);

is(join(', ', grep { !m{ HTTP/3\.0 | 400 - } } split /\n/,
                   $nginx->read('seen.log')), '', 'all of it was HTTP/3');
like($nginx->read('seen.log'), qr{^on\.test 400 HTTP/3\.0 on untrusted$}m,
     'as logged');

$nginx->finish;

done_testing();
