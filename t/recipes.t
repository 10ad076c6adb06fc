#!/usr/bin/perl

# The recipes of the documents do what the text around them says: what an
# application is handed on, decoys, exemptions by address, the client's address.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use POSIX ();
use Test::More;
use AOP::Test;

my $nginx = nginx();
my ($port, $backend) = $nginx->ports(2);
my $dir    = $nginx->dir;
my $text   = join '', map {
    open my $fh, '<', AOP::Test::checkout() . "/docs/$_.md" or die $!;
    local $/;
    <$fh>;
} qw(directives variables);

my $fastcgi = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16)
    or die "listen() failed: $!";
my $cgi_port = $fastcgi->sockport;
my $cgi_pid  = fork;

die "fork() failed: $!" unless defined $cgi_pid;

if ($cgi_pid == 0) {
    serve_fastcgi();
    POSIX::_exit(0);
}

END { kill 'KILL', $cgi_pid if $cgi_pid }

my $ca   = ca('Edge CA');
my $good = $ca->leaf('edge');
my $bad  = ca('Foreign')->leaf('stranger');
my $none;

my $client = '203.0.113.7';

$nginx->write('ca.pem', $ca);
$nginx->write('html/decoy.html', 'a decoy');
$nginx->write('html/index.html', 'the site');
$nginx->write('fastcgi_params', 'fastcgi_param REMOTE_ADDR $remote_addr;');

# what is handed on

my @forged = ('CF-Connecting-IP' => $client, 'X-AOP-Verdict' => 'PASSED',
              'CF-Connecting-IP' => $client, 'X-AOP-Verdict' => 'PASSED',
              'x-aop-verdict' => 'PASSED', 'CF_Connecting_IP' => $client,
              'X_AOP_Verdict' => 'PASSED');

for my $mode ('optional', 'on', 'off') {
    run(block(qr/X-AOP-Verdict/) =~ s/aop optional/aop $mode/r);

    for my $http ('1.1', '2') {
        for my $path ('/', '/php/') {
            my $is = "$mode, HTTP/$http, $path";

            my $see = sub {
                my ($cert, @header) = @_;
                return get($port, sni => 'example.com', cert => $cert,
                           http => $http, path => $path,
                           headers => \@header)->body;
            };

            my $passed = $mode eq 'off' ? 'ip 127.0.0.1 verdict '
                                        : "ip $client verdict PASSED";
            my $failed = 'ip 127.0.0.1 verdict '
                         . ($mode eq 'off' ? '' : 'REJECTED_DRY_RUN');

            is($see->($good, 'CF-Connecting-IP' => $client), $passed,
               "$is: verified");
            is($see->($good, 'CF-Connecting-IP' => $client,
                      'X-AOP-Verdict' => 'REJECTED'), $passed,
               "$is: verified, with a forged verdict");

            next if $mode eq 'on';

            for my $cert ($none, $bad) {
                is($see->($cert, 'CF-Connecting-IP' => $client,
                          'X-AOP-Verdict' => 'PASSED'), $failed,
                   "$is: forged");
                is($see->($cert, @forged), $failed, "$is: forged, often");
                is($see->($cert), $failed, "$is: nothing sent");
            }
        }
    }
}

# a decoy, and what else has an error page

run(block(qr/aop_status 418/));

is(ask($none), '200 a decoy', 'decoy: none');
is(ask($bad, path => '/nowhere'), '200 a decoy', 'decoy: a bad certificate');
is(ask($good), '200 the site', 'decoy: the site for others');
like(ask($good, path => '/nowhere'), qr/^404 .*404 Not Found/s,
     'decoy: not for them');
like(ask($good, path => '/decoy.html'), qr/^404 /, 'decoy: nor by its name');

# without an answer

for my $code (444, 408, 499) {
    # nginx itself rejects an error_page for 499
    my $page = $code == 499 ? '' : "error_page $code /decoy.html;";

    run("aop on; aop_status $code; $page");

    is(ask($none, http => $_), '0 ', "$code, HTTP/$_: none") for '1.1', '2';
    is(ask($good), '200 the site', "$code: good");
}

# the client's address

run(block(qr/aop_real_ip on/) . 'location /ip { return 200 $remote_addr; }');

is(ask($good, path => '/ip', headers => [ 'CF-Connecting-IP' => $client ]),
   "200 $client", 'aop_real_ip: verified');
like(ask($none, path => '/ip', headers => [ 'CF-Connecting-IP' => $client ]),
     qr/^400 /, 'aop_real_ip: not');

# exempt by address: only by the connection's own

my ($built) = AOP::Test::Nginx::_run(AOP::Test::Nginx::binary(), '-V');

SKIP: {
    skip 'nginx without realip', 8 unless $built =~ /http_realip_module/;

    my $safe = block(qr/geo \$aop_peer_addr/) =~ s/172\.16\.0\.0/127.0.0.0/r;
    my $hole = $safe =~ s/geo \$aop_peer_addr/geo/r;
    my @from = (headers => [ 'X-Forwarded-For' => '10.20.30.1' ]);

    run($safe, 'proxy_protocol');
    like(ask($none, @from, prelude => proxy('203.0.113.1')), qr/^400 /,
         'exempt: a header does not');
    like(ask($none, @from, prelude => proxy('10.0.0.1')), qr/^400 /,
         'exempt: nor another private address');
    is(ask($none, prelude => proxy('10.20.30.1')), '200 the site',
       'exempt: the address itself');
    is(ask($good, @from, prelude => proxy('203.0.113.1')), '200 the site',
       'exempt: others with a certificate');

    # why

    for my $source ('', '$remote_addr') {
        run($hole =~ s/geo/geo $source/r, 'proxy_protocol');
        is(ask($none, @from, prelude => proxy('203.0.113.1')), '200 the site',
           "the hole: geo $source");
    }

    my $map = $hole =~ s/geo \$mode.*?\}/map \$remote_addr \$mode {
                         default on; 10.20.30.1 off; }/sr;

    run($map, 'proxy_protocol');
    is(ask($none, @from, prelude => proxy('203.0.113.1')), '200 the site',
       'the hole: map');
}

# the server certificate is shown, unless the handshake is rejected

SKIP: {
    skip 'nginx without ssl_reject_handshake', 3
        unless $nginx->knows('ssl_reject_handshake');

    run('aop on; aop_status 444;', 'default_server', 'server { '
        . $nginx->listen_tls($port) . ' server_name _; '
        . 'ssl_reject_handshake on; }');

    ok(handshake('example.com'), 'a handshake for the name of the site');

    run('aop on; aop_status 444;', '', 'server { '
        . $nginx->listen_tls($port, 'default_server') . ' server_name _; '
        . 'ssl_reject_handshake on; }');

    ok(handshake('example.com'), 'ssl_reject_handshake: the name of the site');
    ok(!handshake('other.test'), 'ssl_reject_handshake: another name');
    ok(!handshake(undef), 'ssl_reject_handshake: no name');
}

$nginx->finish;

done_testing();


# block($pattern): the one of the documents that matches.
sub block {
    my ($pattern) = @_;

    my @found = grep { $_ =~ $pattern } $text =~ /^```nginx\n(.*?)^```$/gms;

    die 'there are ' . @found . " blocks: $pattern" unless @found == 1;

    return $found[0];
}


# run($text, $listen, $before): a block of the documents from now on.
sub run {
    my ($text, $extra, $before) = @_;

    my $listen = $nginx->listen_tls($port, $extra);

    $text = "server {\nlisten 443 ssl;\nserver_name example.com;\n$text\n}\n"
        unless $text =~ /^\s*server \{/m;

    $text =~ s/listen 443 ssl;/\n$listen/;
    $text =~ s{^\s*ssl_certificate.*}{}gm;
    $text =~ s{/var/log/nginx/}{}g;
    $text =~ s{/var/www/decoy}{html}g;
    $text =~ s{127\.0\.0\.1:8080}{127.0.0.1:$backend};
    $text =~ s{127\.0\.0\.1:9000}{127.0.0.1:$cgi_port};

    my $http = "aop_ca ca.pem;\n" . ($before || '') . $text . <<"END";
server {
    listen 127.0.0.1:$backend;
    underscores_in_headers on;
    return 200 "ip \$http_cf_connecting_ip verdict \$http_x_aop_verdict";
}
END

    return $nginx->configure($http)->start unless $nginx->pid;

    $nginx->reload($http) or die 'no reload: ' . $nginx->read('error.log');
}


sub ask {
    my ($cert, %opt) = @_;

    my $answer = get($port, sni => 'example.com', cert => $cert, %opt);

    return $answer->status . ' ' . ($answer->status ? $answer->body : '');
}


sub proxy { return "PROXY TCP4 $_[0] 127.0.0.1 1 443\r\n" }


# handshake($name): whether there is one.
sub handshake {
    my ($name) = @_;

    my $client = client($port, sni => $name);
    my $made   = $client->connect;

    $client->close;

    return $made;
}


# An application that speaks FastCGI: it says what it was handed on.

sub serve_fastcgi {
    local $SIG{ALRM} = 'DEFAULT';
    alarm 120;

    while (my $socket = $fastcgi->accept) {
        my ($params, $end) = ('', 0);

        while (!$end) {
            my ($type, $id, $content) = record($socket) or last;

            $params .= $content if $type == 4;
            $end = $type == 5 && $content eq '';
        }

        my %param = pairs($params);
        my $body  = "Content-Type: text/plain\r\n\r\n"
                    . join ' ', 'ip', $param{HTTP_CF_CONNECTING_IP} // '',
                                'verdict', $param{HTTP_X_AOP_VERDICT} // '';

        print {$socket} pack('CCnnCC', 1, 6, 1, length $body, 0, 0), $body,
                        pack('CCnnCC', 1, 3, 1, 8, 0, 0), "\0" x 8;
        close $socket;
    }
}


# record($socket): type, request and content of one.
sub record {
    my ($socket) = @_;

    return unless read($socket, my $head, 8) == 8;

    my (undef, $type, $id, $length, $padding) = unpack 'CCnnC', $head;
    my ($content, $rest) = ('', '');

    return if $length && read($socket, $content, $length) != $length;
    return if $padding && read($socket, $rest, $padding) != $padding;

    return ($type, $id, $content);
}


# pairs($bytes): the names and values of FastCGI parameters.
sub pairs {
    my ($bytes) = @_;

    my %value;

    while (length $bytes) {
        my @length = map {
            my $n = unpack 'C', $bytes;
            my $size = $n & 0x80 ? 4 : 1;

            $n = unpack('N', $bytes) & 0x7fffffff if $size == 4;
            substr($bytes, 0, $size) = '';
            $n;
        } 1 .. 2;

        my $name = substr $bytes, 0, $length[0], '';

        # of two, an application takes one or the other
        $value{$name} .= substr $bytes, 0, $length[1], '';
    }

    return %value;
}
