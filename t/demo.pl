#!/usr/bin/perl

# The rollout of Authenticated Origin Pulls, with real requests to a real nginx
# on loopback: the origin is probed and open, observed until the status page
# reports that it is safe to enforce, enforced, and probed again.  Then the
# details: lines in error.log, a canary, and a rotation.  A small certificate
# authority stands in for Cloudflare, whose key nobody else has.
#
# Exits 0 only if each answer, and each line in error.log, is as it should be.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Text::Wrap ();
use AOP::Test;
use AOP::Test::Aopctl;
use AOP::Test::Report;

use constant {
    CLOUDFLARE  => '172.64.0.7',    # an address of Cloudflare's edge
    ENOUGH      => 20,          # requests, of which a real rollout needs more
    VISITORS    => 100,
    PERCENT     => 20,
    TOLERANCE   => 10,
    WIDTH       => 78,
};

my %COLOR = (bold => 1, dim => 2, red => 31, green => 32);
my $colored = -t STDOUT && !length($ENV{NO_COLOR} || '');

$Text::Wrap::columns = WIDTH;
$Text::Wrap::huge = 'overflow';
$Text::Wrap::unexpand = 0;

my $edge    = ca([ O => 'Example Ltd', CN => 'Origin pull CA' ]);
my $good    = $edge->leaf('edge.example.com', key => 'rsa');
my $foreign = ca([ O => 'Somebody else', CN => 'Another CA' ])
              ->leaf('scanner.example.net');

my $nginx = nginx();
my $new   = ca([ O => 'Example Ltd', CN => 'Origin pull CA 2' ]);
my $next  = $new->leaf('edge.example.com', key => 'rsa');
my $wrong = 0;

my ($port, $proxied, $admin) = $nginx->ports(3);

$nginx->write('my-ca.pem', $edge);
$nginx->write('new-ca.pem', $new);
$nginx->write('edge.pem', [ $good, $good->key_pem ]);

heading('Authenticated Origin Pulls, from observing to enforcing');
text('Packaged nginx (' . version() . ') with load_module '
     . "ngx_http_aop_module.so, listening on 127.0.0.1:$port.");
text('A certificate authority made a moment ago stands in for Cloudflare: '
     . 'the key of the real one never leaves Cloudflare.');


heading('1. Before: the origin serves clients that bypass Cloudflare');
configure("aop off;\n");
probe(2, qr/^not enforced: /);


heading('2. Observe: no requests are rejected');
configure(<<'EOF');
aop_ca    my-ca.pem;    # the CA of a certificate uploaded to Cloudflare
aop       optional;
aop_ready requests=20 time=1s;      # for this demo; 100 requests in 1 h
EOF
traffic($good, CLOUDFLARE, ENOUGH);
traffic(undef, '203.0.113.9', 3);
ready('yes');


heading('3. Enforce: only Cloudflare is served');
configure(<<'EOF');
aop_ca my-ca.pem;
aop    on;
EOF
request('from Cloudflare, with its certificate', $good, 200);
probe(0, qr/^enforced: /, '--cert', $nginx->path('edge.pem'));
text('This is the rollout. The details follow: log lines, a canary, a rotation.');


heading('4. In error.log: requests that would be rejected, and what to do');
configure(<<'EOF');
aop optional;       # the built-in Cloudflare CA is the default
EOF
request('from Cloudflare, without a certificate', undef, 200,
        qr/would be refused: none: /);
request('with a certificate of another CA', $foreign, 200,
        qr/would be refused: untrusted: /, '203.0.113.9');
say_line('');


heading('5. A canary: enforce for ' . PERCENT . '% of the clients');
configure(<<'EOF', <<'MAP');
aop_ca my-ca.pem;
aop    $canary;
EOF
split_clients $http_cf_connecting_ip $canary {
    80%  optional;
    *    on;
}
MAP
canary('without a certificate', undef, VISITORS * PERCENT / 100);
canary('from Cloudflare', $good, 0);
say_line('');
text('The same client always gets the same answer; lower the percentage of '
     . '"optional" step by step.');


heading('6. A rotation: no request is rejected in between');
configure(<<'EOF');
aop_ca my-ca.pem new-ca.pem;
aop    on;
EOF
request('with the old certificate', $good, 200);
request('with the new certificate', $next, 200);
say_line('');
configure(<<'EOF');
aop_ca new-ca.pem;
aop    on;
EOF
request('with the new certificate', $next, 200);
request('with the old certificate', $good, 400, qr/refused: untrusted: /);


say_line('');
heading('Done');
check('nginx has stopped', $nginx->stop);
check('error.log holds no alert',
      !grep { /\[alert\]|\[emerg\]|exited on signal/ } $nginx->log_since(0));

say_line('');

if ($wrong) {
    say_line(color(red => "$wrong of these were not as they should be."));
    exit 1;
}

say_line(color(green => 'All as it should be.'));
exit 0;


# configure($directives, $map): the server's configuration from now on.
sub configure {
    my ($directives, $map) = @_;

    $map = '' unless defined $map;

    my $http = <<"EOF";
$map
server {
    listen 127.0.0.1:$port ssl;
    listen 127.0.0.1:$proxied ssl proxy_protocol;
    server_name www.example.com;
    $directives
    location / { return 200 "hello from the origin\\n"; }
}
server {
    listen 127.0.0.1:$port ssl default_server;
    return 444;
}
server {
    listen 127.0.0.1:$admin;
    location / { aop_report; }
}
EOF

    for (split /\n/, $map . $directives) {
        say_line('    ' . color(bold => $_));
    }

    say_line('');

    if ($nginx->pid) {
        check('nginx has reloaded', $nginx->reload($http));

    } else {
        $nginx->configure($http)->start;
        check('nginx has started', 1);
    }
}


# request($what, $certificate, $status, $line, $from): one request, its answer,
# and the line it left in error.log; none without $line.
sub request {
    my ($what, $cert, $status, $line, $from) = @_;

    my $mark   = $nginx->mark;
    my $answer = get_from($from || CLOUDFLARE, $cert);
    my $logged = $line ? $nginx->wait_log(qr/aop:/, $mark)
                       : join "\n", grep { /aop:/ } $nginx->log_since($mark);

    check("GET / $what", $answer->status == $status
          && ($line ? $logged =~ $line : $logged eq ''));

    detail('answer', described($answer));
    detail('log', ours($logged) || 'nothing');
}


# probe($status, $conclusion, @options): the result of aopctl.
sub probe {
    my ($status, $conclusion, @options) = @_;

    my $run = aopctl('probe', '--quiet', "127.0.0.1:$port", '--sni',
                     'www.example.com', '--no-http', @options);

    check("aopctl probe 127.0.0.1:$port --sni www.example.com",
          $run->{status} == $status && $run->{out} =~ $conclusion);
    detail('result', ($run->{out} || $run->{err}) =~ s/\s+\z//r);
    say_line('');
}


# traffic($certificate, $address, $n): requests from an address on the internet.
sub traffic {
    my ($cert, $address, $n) = @_;

    my $served = grep { get_from($address, $cert)->status == 200 } 1 .. $n;

    check("$n requests from $address, "
          . ($cert ? 'Cloudflare' : 'without a certificate')
          . ": $served served", $served == $n);
}


# ready($answer): the answer of the status page.
sub ready {
    my ($answer) = @_;
    my $server;

    for (1 .. 50) {
        ($server) = grep { $_->{name} =~ /^www\.example\.com/ }
                    @{ report($admin)->json->{servers} };
        last if $server->{ready} eq $answer;
        select undef, undef, undef, 0.1;
    }

    check("status page: ready: $server->{ready}", $server->{ready} eq $answer);
    detail('why', $server->{why});
    say_line('');
}


# canary($what, $certificate, $refused): many clients, about so many rejected.
sub canary {
    my ($what, $cert, $refused) = @_;

    my %count;

    for my $visitor (1 .. VISITORS) {
        $count{ get_from(CLOUDFLARE, $cert, "198.51.100.$visitor")->status }++;
    }

    my $served  = $count{200} || 0;
    my $got     = $count{400} || 0;
    my $near    = $refused ? TOLERANCE : 0;

    check(VISITORS . " clients $what: $served served, $got rejected",
          $served + $got == VISITORS && abs($got - $refused) <= $near);
}


# get_from($address, $certificate, $visitor): the answer to a request from an
# address on the internet, for a visitor of Cloudflare's.
sub get_from {
    my ($address, $cert, $visitor) = @_;

    return get($proxied, sni => 'www.example.com', cert => $cert,
               prelude => "PROXY TCP4 $address 127.0.0.1 1024 443\r\n",
               headers => [ 'CF-Connecting-IP' => $visitor || '198.51.100.1' ]);
}


sub described {
    my ($answer) = @_;

    return 'no answer, ' . $answer->error unless $answer->status;

    # nginx's own page for 495 and 496 has the reason in its second line
    my ($why) = $answer->body =~ m{<center>([^<]+)</center>\s*<hr>};
    my ($body) = $answer->body =~ /^([^<].*)/;

    return $answer->status . ', "' . ($why || $body || '') . '"';
}


# of a line in error.log the part that is ours
sub ours {
    my ($logged) = @_;

    return $logged =~ /(aop: .*), client: / ? $1 : $logged;
}


sub detail {
    my ($what, $text) = @_;

    say_line(color(dim => Text::Wrap::wrap(sprintf('         %-8s', $what),
                                            ' ' x 17, $text)));
}


sub check {
    my ($what, $good) = @_;

    $wrong++ unless $good;

    say_line(($good ? color(green => '   ok    ')
                    : color(red   => '   WRONG ')) . $what);
}


sub heading {
    my ($text) = @_;

    say_line(color(bold => $text));
    say_line('');
}


sub text {
    my ($text) = @_;

    say_line(Text::Wrap::wrap('', '', $text));
    say_line('');
}


sub say_line { print "$_[0]\n" }


sub color {
    my ($name, $text) = @_;

    return $colored ? "\e[$COLOR{$name}m$text\e[0m" : $text;
}


sub version {
    my $number = AOP::Test::Nginx::version();

    return join '.', int($number / 1_000_000), int($number / 1000) % 1000,
           $number % 1000;
}
