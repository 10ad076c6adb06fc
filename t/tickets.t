#!/usr/bin/perl

# How many TLS 1.3 tickets a connection is given: as many as pay, which depends
# on the keys of both; none for a certificate that failed; never more than
# were configured; and those that early data or stock verification rely on.
#
# The key file has nginx send tickets; what stands in their place where a worker
# keeps the sessions is in objects.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Net::SSLeay;
use Test::More;
use AOP::Test;

my $ca    = ca('Edge CA');
my $nginx = nginx();

my %cert = (
    good      => $ca->leaf('good'),
    short     => $ca->leaf('short', key => 'rsa'),
    large     => $ca->leaf('large', key => 'rsa:4096'),
    dear      => $ca->leaf('dear', key => 'ec:secp384r1'),
    untrusted => ca('Other CA')->leaf('untrusted'),
);

$nginx->write('ca.pem', $ca);
$nginx->write('ticket.key', 'k' x 80);

for my $key ('ec', 'ec:secp384r1', 'rsa') {
    my $cert = AOP::Test::Cert->new(subject => 'localhost', key => $key,
                                    eku => 'serverAuth');
    $nginx->write("$key.crt", $cert);
    $nginx->write("$key.key", $cert->key_pem);
}

for my $name (keys %cert) {
    $nginx->write("$name.crt", $cert{$name});
    $nginx->write("$name.key", $cert{$name}->key_pem);
}

# name, key of the server, its directives, tickets for each certificate

my $aop   = 'aop_ca ca.pem; aop on; ssl_session_ticket_key ticket.key;';
my $dear  = Net::SSLeay::SSLeay() >= 0x30000000
            && Net::SSLeay::SSLeay() < 0x30500000 ? 1 : 0;
my $stock = 'ssl_client_certificate ca.pem; ssl_verify_client';

my @case = (
    [ 'stock, as OpenSSL does it', 'ec', '',
      { none => 2, good => 2, untrusted => 2 } ],
    [ 'EC: resuming costs more than it saves in OpenSSL 3.0', 'ec', $aop,
      { none => 2, good => 1 - $dear, short => 1 - $dear, large => 1,
        dear => 1, untrusted => 0 } ],
    [ 'RSA: resuming pays', 'rsa', $aop,
      { none => 2, good => 1, untrusted => 0 } ],
    [ 'P-384: resuming pays', 'ec:secp384r1', $aop,
      { none => 2, good => 1, untrusted => 0 } ],
    [ 'optional', 'rsa', 'aop_ca ca.pem; aop optional;',
      { none => 2, good => 1, untrusted => 0 } ],
    [ 'sessions that are never resumed', 'rsa', "$aop aop_session_timeout 0;",
      { good => 0, untrusted => 0 } ],
    [ 'fewer were configured', 'rsa', "$aop ssl_conf_command NumTickets 0;",
      { none => 0, good => 0, untrusted => 0 } ],
    [ 'more were configured', 'rsa', "$aop ssl_conf_command NumTickets 4;",
      { none => 4, good => 1, untrusted => 0 } ],
    [ 'tickets off: the sessions of a cache count too', 'rsa',
      "$aop ssl_session_tickets off; ssl_session_cache shared:SSL:1m;",
      { none => 2, good => 1, untrusted => 0 } ],
    [ 'an object', 'ec', 'aop_ca ca.pem; aop on;',
      { none => 2, good => 1, untrusted => 0 } ],
    [ 'neither tickets nor a cache', 'rsa',
      'aop_ca ca.pem; aop on; ssl_session_tickets off;',
      { none => 2, good => 0, untrusted => 0 } ],
    [ 'early data', 'ec', "$aop ssl_early_data on;",
      { none => 2, good => 2, untrusted => 2 } ],
    [ 'stock verification in the same server', 'ec',
      "$aop $stock optional_no_ca;",
      { none => 2, good => 2, untrusted => 2 } ],
);

@case = grep { $_->[2] !~ /ssl_conf_command/ } @case
    unless $nginx->knows('ssl_conf_command');

my @port = $nginx->ports(scalar @case);

$nginx->configure(join "\n", map {
    my ($name, $key, $directives) = @{ $case[$_] };

    "server {
        listen 127.0.0.1:$port[$_] ssl;
        ssl_certificate $key.crt;
        ssl_certificate_key $key.key;
        $directives
    }"
} 0 .. $#case)->start;

for my $i (0 .. $#case) {
    my ($name, undef, undef, $expected) = @{ $case[$i] };

    is(tickets($port[$i], $_), $expected->{$_}, "$name: $_")
        for sort keys %$expected;
}

# TLS 1.2 has promised its one ticket before the certificate came, or not

my ($object) = grep { $case[$_][0] eq 'an object' } 0 .. $#case;

is(tickets($port[1], 'good', '-tls1_2'), 1, 'TLS 1.2: as ever');
is(tickets($port[$object], 'good', '-tls1_2'), 0, 'TLS 1.2: an object');

$nginx->finish;
done_testing();


# How many NewSessionTicket messages come with an answer.
sub tickets {
    my ($port, $name, $tls) = @_;

    my @cert = $name eq 'none' ? ()
             : ('-cert', $nginx->path("$name.crt"),
                '-key', $nginx->path("$name.key"));

    my $output = openssl("GET / HTTP/1.0\r\n\r\n", 's_client', '-connect',
                         "127.0.0.1:$port", '-msg', '-ign_eof',
                         $tls || '-tls1_3', @cert);

    return () = $output =~ /^<<<.*NewSessionTicket/gm;
}
