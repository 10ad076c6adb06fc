#!/usr/bin/perl

# The rollout of Authenticated Origin Pulls, with real requests to a real nginx
# on loopback: observe with the built-in CA, enforce with one's own, and in
# between enforce for a part of the visitors.  A small certificate authority
# stands in for Cloudflare, whose key nobody else has.
#
# Exits 0 only if each answer, and each line in error.log, is as it should be.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Text::Wrap ();
use AOP::Test;

use constant {
    VISITORS    => 100,
    PERCENT     => 20,
    TOLERANCE   => 10,
    WIDTH       => 78,
};

my %COLOUR = (bold => 1, dim => 2, red => 31, green => 32);
my $coloured = -t STDOUT && !length($ENV{NO_COLOR} || '');

$Text::Wrap::columns = WIDTH;
$Text::Wrap::huge = 'overflow';
$Text::Wrap::unexpand = 0;

my $edge    = ca([ O => 'Example Ltd', CN => 'Origin pull CA' ]);
my $good    = $edge->leaf('edge.example.com', key => 'rsa');
my $foreign = ca([ O => 'Somebody else', CN => 'Another CA' ])
              ->leaf('scanner.example.net');

my $nginx = nginx();
my $port  = $nginx->ports;
my $wrong = 0;

$nginx->write('my-ca.pem', $edge);

heading('Authenticated Origin Pulls, from observing to enforcing');
text('Packaged nginx (' . version() . ') with load_module '
     . "ngx_http_aop_module.so, listening on 127.0.0.1:$port.");
text('A certificate authority made a moment ago stands in for Cloudflare: '
     . 'the key of the real one never leaves Cloudflare.');


heading('1. Observe: nothing is refused, everything is told');
configure(<<'EOF');
aop optional;       # the built-in Cloudflare CA is the default
EOF
request('without a certificate', undef, 200, qr/would be refused: none: /);
request('with a certificate of another CA', $foreign, 200,
        qr/would be refused: untrusted: /);
say_line('');
text('Visitors notice nothing. The two lines are what "aop on" would turn '
     . 'away: no more of them from Cloudflare means that enforcing is safe.');


heading('2. A canary: enforce for ' . PERCENT . '% of the visitors');
configure(<<'EOF', <<'MAP');
aop_ca my-ca.pem;   # the CA of a certificate uploaded to Cloudflare
aop    $canary;
EOF
split_clients $http_user_agent $canary {
    20%  on;
    *    optional;
}
MAP
canary('without a certificate', undef, VISITORS * PERCENT / 100);
canary('through the edge', $good, 0);
say_line('');
text('The same visitor always gets the same answer; raise the percentage as '
     . 'confidence grows.');


heading('3. Enforce: only the edge is served');
configure(<<'EOF');
aop_ca my-ca.pem;
aop    on;
EOF
request('through the edge, with its certificate', $good, 200);
request('without a certificate', undef, 400, qr/refused: none: /);
request('with a certificate of another CA', $foreign, 400,
        qr/refused: untrusted: /);


say_line('');
heading('Done');
check('nginx has stopped', $nginx->stop);
check('error.log holds no alert',
      !grep { /\[alert\]|\[emerg\]|exited on signal/ } $nginx->log_since(0));

say_line('');

if ($wrong) {
    say_line(colour(red => "$wrong of these were not as they should be."));
    exit 1;
}

say_line(colour(green => 'All as it should be.'));
exit 0;


# configure($directives, $map): what the server is told from now on.
sub configure {
    my ($directives, $map) = @_;

    $map = '' unless defined $map;

    my $http = <<"EOF";
$map
server {
    listen 127.0.0.1:$port ssl;
    server_name www.example.com;
    $directives
    location / { return 200 "hello from the origin\\n"; }
}
EOF

    for (split /\n/, $map . $directives) {
        say_line('    ' . colour(bold => $_));
    }

    say_line('');

    if ($nginx->pid) {
        check('nginx has reloaded', $nginx->reload($http));

    } else {
        $nginx->configure($http)->start;
        check('nginx has started', 1);
    }
}


# request($what, $certificate, $status, $line): one request, its answer, and
# the line it left in error.log; none without $line.
sub request {
    my ($what, $cert, $status, $line) = @_;

    my $mark   = $nginx->mark;
    my $answer = ask($cert, 'demo');
    my $logged = $line ? $nginx->wait_log(qr/aop:/, $mark)
                       : join "\n", $nginx->log_since($mark);

    check("GET / $what", $answer->status == $status
          && ($line ? $logged =~ $line : $logged eq ''));

    detail('answer', told($answer));
    detail('log', ours($logged) || 'nothing');
}


# canary($what, $certificate, $refused): many visitors, about so many refused.
sub canary {
    my ($what, $cert, $refused) = @_;

    my %count;

    for my $visitor (1 .. VISITORS) {
        $count{ ask($cert, "visitor $visitor")->status }++;
    }

    my $served  = $count{200} || 0;
    my $got     = $count{400} || 0;
    my $near    = $refused ? TOLERANCE : 0;

    check(VISITORS . " visitors $what: $served served, $got refused",
          $served + $got == VISITORS && abs($got - $refused) <= $near);
}


sub ask {
    my ($cert, $visitor) = @_;

    return get($port, sni => 'www.example.com', cert => $cert,
               headers => [ 'User-Agent' => $visitor ]);
}


sub told {
    my ($answer) = @_;

    return 'no answer, ' . $answer->error unless $answer->status;

    # nginx's own page for 495 and 496 says in its second line what is wrong
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

    say_line(colour(dim => Text::Wrap::wrap(sprintf('         %-8s', $what),
                                            ' ' x 17, $text)));
}


sub check {
    my ($what, $good) = @_;

    $wrong++ unless $good;

    say_line(($good ? colour(green => '   ok    ')
                    : colour(red   => '   WRONG ')) . $what);
}


sub heading {
    my ($text) = @_;

    say_line(colour(bold => $text));
    say_line('');
}


sub text {
    my ($text) = @_;

    say_line(Text::Wrap::wrap('', '', $text));
    say_line('');
}


sub say_line { print "$_[0]\n" }


sub colour {
    my ($name, $text) = @_;

    return $coloured ? "\e[$COLOUR{$name}m$text\e[0m" : $text;
}


sub version {
    my $number = AOP::Test::Nginx::version();

    return join '.', int($number / 1_000_000), int($number / 1000) % 1000,
           $number % 1000;
}
