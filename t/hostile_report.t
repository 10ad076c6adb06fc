#!/usr/bin/perl

# Names that a stranger, or another customer of a CA, chooses for a certificate,
# and what peers send beside it: each field that the status page shows of them
# comes out of its three formats escaped and cut.  The formats are read by
# readers that are stricter than those they are for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode ();
use Test::More;
use AOP::Test;
use AOP::Test::Report;

use constant {
    UTF8STRING => 12,
    T61STRING  => 20,
    IA5STRING  => 22,
    SUBJECT    => 160,          # bytes that are kept of each
    HOST       => 64,
    URI        => 80,
    AGENT      => 64,
    EXPIRY     => 'nginx_aop_certificate_expiry_timestamp_seconds',
    EDGE       => 'Failures from Cloudflare and private addresses',
};

# a part of it that is to be seen, in the end: as it is, or as RFC 2253 has it

my @case = (
    [ 'no byte', UTF8STRING, '', qr/^O=y,CN=$/ ],
    [ 'one space', UTF8STRING, ' ', qr/CN=\\? $/ ],
    [ 'a NUL byte', UTF8STRING, "edge\0.evil", qr/CN=edge.*\.evil/ ],
    [ 'NUL bytes alone', UTF8STRING, "\0" x 20, qr/CN=/ ],
    [ 'line breaks', UTF8STRING, "a\r\nb\n\nc", qr/CN=a.*b.*c/ ],
    [ 'all of C0, DEL and bytes', T61STRING, pack('C*', 1 .. 31, 127 .. 255),
      qr/CN=/ ],
    [ 'C1', UTF8STRING, "\xc2\x9b2J\xc2\x85", qr/2J/ ],
    [ 'a command of a terminal', UTF8STRING, "\e]0;owned\a", qr/owned/ ],
    [ 'no UTF-8', T61STRING, "a\xff\xc0\xaf\xed\xa0\x80b", qr/CN=a.*b/ ],
    [ 'from right to left', UTF8STRING, "a\xe2\x80\xaetset.live\xe2\x80\xac",
      qr/tset\.live/ ],
    [ 'signs that join', UTF8STRING, "z\xcc\xb4" x 40, qr/CN=z/ ],
    [ 'an element', UTF8STRING, '<script>alert(1)</script>',
      qr/script.*alert/ ],
    [ 'an attribute', UTF8STRING, '"><img src=x onerror=alert(1)>',
      qr/onerror=alert/ ],
    [ 'the end of a cell', UTF8STRING, '</td></tr></table><h1>x</h1>',
      qr/table/ ],
    [ 'an entity', UTF8STRING, '&lt;&#60;&amp;', qr/&lt\\?;&\\?#60/ ],
    [ 'a comment', UTF8STRING, '--><!-- ]]>', qr/!--/ ],
    [ 'the end of a string', UTF8STRING, '\\","ready":"yes","x":"', qr/ready/ ],
    [ 'another metric', UTF8STRING, "\"} 1\nnginx_aop_ready{server=\"x\"} 1",
      qr/nginx_aop_ready/ ],
    [ 'a format', UTF8STRING, '%s%n%V%Z{{7*7}}${x}', qr/\{\{7\*7\}\}/ ],
    [ 'a byte of another set', IA5STRING, "x\xe9y", qr/x.*y/ ],
    [ '60,000 bytes', UTF8STRING, 'x' x 60_000, qr/CN=x{100,157}$/ ],
    [ 'characters of four bytes', UTF8STRING, "\xf0\x9f\x8e\x89" x 5000,
      qr/CN=/ ],
    [ 'escapes', UTF8STRING, '"\\<,+' x 5000, qr/CN=\\"\\\\/ ],
);

my $ca    = ca('Edge CA');
my $nginx = nginx();
my ($tls, $plain, $admin) = $nginx->ports(3);
my $listen = $nginx->listen_tls($tls, 'proxy_protocol')
             . " listen 127.0.0.1:$plain proxy_protocol;";

# anchors and a CRL with such names, but those that are long: they are the
# administrator's

my @anchor = map { ca([ CN => [ @$_[1, 2] ], OU => "anchor $_->[0]" ]) }
             grep { length $_->[2] < 1000 } @case;

$nginx->write('ca.pem', $ca);
$nginx->write('names.pem', [ $ca, @anchor ]);
$nginx->write('names.crl', [ map { $_->crl } $ca, @anchor ]);

# and names of servers, of which nginx itself takes few characters

my @name = ('"<b>x</b>.test"', '"a&amp;\'.test"', "\"\xff\xfe.test\"",
            "\"\xe2\x80\xaeevil.test\"");

$nginx->configure(join "\n", 'aop_ca ca.pem; aop_edge 173.245.48.0/20;',
    'server_names_hash_bucket_size 256; large_client_header_buffers 4 64k;',
    (map { "server { $listen server_name s$_.test; aop optional;"
           . ' location / { return 200; } }' } 0 .. $#case),
    (map { "server { $listen server_name $_; aop on; }" } @name),
    "server { $listen server_name anchors.test; aop on; aop_ca names.pem;"
        . ' aop_crl names.crl; location / { return 200; } }',
    "server { listen 127.0.0.1:$admin; location / { aop_report; } }")->start;

# shown, each to a server of its own

for my $i (0 .. $#case) {
    my ($what, $type, $bytes) = @{ $case[$i] };
    my $cert = $ca->leaf([ CN => [ $type, $bytes ], O => 'y' ]);

    is(get($tls, sni => "s$i.test", cert => $cert, prelude => proxy(1))->status,
       200, "$what: passes");

    # a peer that fails, with the same bytes in all that it sends
    my $text = $bytes =~ s/[\0\r\n]//gr;
    $text = substr $text, 0, 10_000;
    my $path = $text =~ s/[\x00-\x20\x7f?#%]//gr;

    client($plain, tls => 0, prelude => proxy(2))->talk(
        "GET /$path?secret HTTP/1.1\r\nHost: s$i.test\r\nUser-Agent: $text\r\n"
        . "Connection: close\r\n\r\n");
}

get($tls, sni => 'anchors.test', prelude => proxy(1),
    cert => $anchor[0]->leaf('by the first'));

my $n = @case;
my $report;

until_counted(sub {
    $report = report($admin, query => 'show=all', timeout => 60);

    return $n == grep { grep { $_->{kind} eq 'client' }
                        @{ $_->{certificates} } }
                 grep { $_->{name} =~ /^s\d/ } @{ $report->json->{servers} };
});

# no format has a character that it should not have

my %text = map { ($_ => Encode::decode('UTF-8', $report->text($_),
                                       Encode::FB_CROAK)) }
           qw(json prometheus html);

for my $format (sort keys %text) {
    unlike($text{$format}, qr/[\x00-\x09\x0b-\x1f\x7f-\x9f]/,
           "$format: no control character");
    unlike($text{$format}, qr/secret/, "$format: no query");
}

# of the page every element and attribute is one of ours

my %ours = map { ($_ => 1) } qw(html head meta title style body header main
    section footer h1 h2 p a b div span small details summary table thead tbody
    tr th td time svg path ul li dl dt dd pre wbr);
my %attribute = map { ($_ => 1) } qw(lang charset name content class href id
    open role data-th datetime title viewBox aria-hidden d);

my (%element, %has, @href);

while ($text{html} =~ /<([a-z0-9]+)((?:\s[^<>]*)?)>/g) {
    my ($name, $rest) = ($1, $2);

    $element{$name}++;

    while ($rest =~ s/^\s+([\w-]+)(?:="([^"]*)")?//) {
        $has{$1}++;
        push @href, $2 if $1 eq 'href';
    }

    is($rest, '', "<$name>: attributes are well-formed") if length $rest;
}

is(join(' ', grep { !$ours{$_} } sort keys %element), '',
   'the page has no element of theirs');
is(join(' ', grep { !$attribute{$_} } sort keys %has), '', 'nor attribute');
is(join(' ', grep { !/^(?:\?format=[\w%.&;=~-]+|#[\w-]+)$/ } @href), '',
   'nor link');
cmp_ok(length $text{html}, '<', 500_000, 'nor is it long');

# each certificate, the same in all of them

my %row;

for my $row (@{ $report->table('Certificates') }) {
    push @{ $row{ $row->{'SHA-256'} } }, $row;
}

my %metric = map { /fingerprint="(\w+)".*subject="(.*)"\}$/ ? ($1 => $2) : () }
             grep { index($_, EXPIRY) == 0 && /server="s\d/ }
             keys %{ $report->metrics };

for my $i (0 .. $#case) {
    my ($what, $type, $bytes, $seen) = @{ $case[$i] };
    my ($cert) = grep { $_->{kind} eq 'client' }
                 @{ $report->server("s$i.test 127.0.0.1:$tls")->{certificates} };

    certificate("$what: client", $cert, $seen);
    cmp_ok(length Encode::encode('UTF-8', $cert->{subject}), '<', SUBJECT,
           "$what: client: cut");

    my $labelled = decoded($metric{ $cert->{fingerprint} });

    is($labelled =~ s/\\(["\\n])/$1 eq 'n' ? "\n" : $1/ger,
       shown($cert->{subject}), "$what: client: in Prometheus");
}

# each anchor and CRL

for my $cert (@{ $report->server("anchors.test 127.0.0.1:$tls")
                        ->{certificates} })
{
    certificate("$cert->{kind} " . substr($cert->{fingerprint}, 0, 8), $cert,
                qr/=/);
}

# each peer, the same in all of them

my %peer = map { ($_->{Server} => $_) } @{ $report->table(EDGE) };

for my $i (0 .. $#case) {
    my $what  = $case[$i][0];
    my $name  = "s$i.test 127.0.0.1:$tls";
    my ($top) = grep { $_->{server} eq $name }
                @{ $report->json->{failing_edge} };

    next unless $top;       # nginx itself has refused the request

    for (map { [ split / / ] } 'host Last_host', 'uri Last_URI',
                               'user_agent Last_user_agent')
    {
        my ($key, $title) = @$_;

        is(decoded($peer{$name}{ $title =~ tr/_/ /r }), shown($top->{$key}),
           "$what: $key on the page");
    }

    cmp_ok(length Encode::encode('UTF-8', $top->{host}), '<', HOST,
           "$what: host is cut");
    cmp_ok(length Encode::encode('UTF-8', $top->{uri}), '<', URI,
           "$what: URI is cut");
    cmp_ok(length Encode::encode('UTF-8', $top->{user_agent}), '<', AGENT,
           "$what: user agent is cut");
}

cmp_ok(scalar(keys %peer), '>', $n / 2, 'most of the peers are there');

# a server's own name is in its link, and leads back to it

my @link = map { s/&amp;/&/gr }
           grep { /server=/ && /%3C|%EF%BF|%E2|%27/ } @href;

cmp_ok(scalar @link, '>=', 4, 'names of servers are in links');

for my $href (@link) {
    my $page = get($admin, tls => 0, path => "/$href")->body;

    is(scalar @{ servers_of($page) }, 1, "$href leads to its server");
}

$nginx->finish;
done_testing();


# certificate($what, $cert, $seen): what JSON has of it is on the page.
sub certificate {
    my ($what, $cert, $seen) = @_;

    like($cert->{subject}, $seen, "$what: in JSON");
    unlike($cert->{subject}, qr/[\x00-\x1f\x7f-\x9f]/, "$what: all printable");

    my ($row) = grep { $_->{Kind} eq $cert->{kind} }
                @{ $row{ $cert->{fingerprint} } };

    is(decoded($row->{Subject}), shown($cert->{subject}), "$what: on the page");
    is(decoded($row->{'Trust anchor'}), shown($cert->{anchor}),
       "$what: its anchor on the page");
    is(decoded($row->{Key}), shown($cert->{key}), "$what: its key on the page");
}

# JSON has an escape for each control character, the others have one for all
sub shown {
    my ($text) = @_;

    return $text =~ s/[\x00-\x1f\x7f-\x9f]/\x{fffd}/gr;
}

sub decoded {
    my ($text) = @_;

    utf8::decode($text);

    return $text;
}

sub proxy { return "PROXY TCP4 173.245.48.$_[0] 127.0.0.1 1234 443\r\n" }
