#!/usr/bin/perl

# "aopctl lint": what is in a CA file, and what nginx would make of it.  And
# what all commands have in common: help, wrong arguments, colors, output that
# cannot be written.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;

use constant {
    DAY        => 86400,
    UTF8STRING => 12,
};

my $folder = AOP::Test->checkout;
my $nginx  = nginx(tls => 0);
my $now    = time();

sub file {
    my ($name, $content) = @_;

    return $nginx->path($nginx->write($name, $content));
}

sub slurp {
    my ($file) = @_;

    open my $fh, '<', "$folder/$file" or die "$file: $!";
    local $/;
    return scalar <$fh>;
}

# the words of all findings of an answer
sub words {
    my ($answer) = @_;

    return join ' ', sort map { $_->{word} } findings($answer);
}

sub findings {
    my ($answer) = @_;

    my @part = map { $_, @{ $_->{certificates} || [] }, @{ $_->{crls} || [] } }
               @{ $answer->{files} };

    return map { @{ $_->{findings} || [] } } $answer, @part;
}

sub kinds {
    my ($answer) = @_;

    return join ' ', map { $_->{kind} }
                     map { @{ $_->{certificates} } } @{ $answer->{files} };
}

# "openssl x509" of OpenSSL 4 takes the settings below for extensions

my $root = origin_ca();

# Debian's OpenSSL has security level 2, others may have 1, and accept such keys

$ENV{OPENSSL_CONF} = file('openssl.cnf', <<'EOF');
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = system
[system]
CipherString = DEFAULT@SECLEVEL=2
[req]
distinguished_name = name
[name]
EOF

my $builtin = join '', map { "$_\n" }
              slurp('src/core/ngx_aop_cloudflare.c') =~ /^    "([^"]+)\\n"/mg;

my $ca      = ca('Own CA');
my $inter   = $ca->intermediate('Inter');
my $leaf    = $ca->leaf('edge');
my $origin  = ca([ O => 'CloudFlare, Inc.',
                   OU => 'CloudFlare Origin SSL Certificate Authority' ]);

my %file = (
    builtin  => file('builtin.pem', $builtin),
    own      => file('own.pem', $ca),
    leaf     => file('leaf.pem', $leaf),
    inter    => file('inter.pem', $inter),
    expired  => file('expired.pem', ca('Old', not_before => $now - 9 * DAY,
                                              not_after  => $now - DAY)),
    future   => file('future.pem', ca('New', not_before => $now + DAY)),
    server   => file('server.pem', $ca->leaf('s', eku => 'serverAuth')),
    past     => file('past.pem', $ca->leaf('p', not_before => $now - 9 * DAY,
                                                not_after  => $now - DAY)),
    hour     => file('hour.pem', $ca->leaf('h', not_after => $now - 3600)),
    stranger => file('stranger.pem', ca('Other CA')->leaf('x')),
    root     => file('root.pem', $root),
    origin   => file('origin.pem', $origin->leaf('www.example.test')),
    weak     => file('weak.pem', ca('Weak', key => 'rsa:1024')),
    servers  => file('servers.pem', ca('Server CA', eku => 'serverAuth')),
    critical => file('critical.pem', ca('Critical CA', ext => [
                     nsCaPolicyUrl => 'critical,http://ca.test/' ])),
    key      => file('key.pem', $ca->pem . $ca->key_pem),
    many     => file('many.pem', [ map { ca("CA $_") } 1 .. 11 ]),
    crl      => file('crl.pem', $ca->crl),
    old_crl  => file('old crl.pem', $ca->crl(last_update => $now - 9 * DAY,
                                             next_update => $now - DAY)),
    unknown  => file('unknown.pem', ca('Unknown')->unsupported),
    unknown_inter => file('unknown inter.pem', $inter->unsupported),
    empty    => file('empty.pem', ''),
    broken   => file('broken.pem', substr $ca->pem, 0, 200),
    der      => file('der.pem', openssl($ca->pem, 'x509', '-outform', 'DER')),
    missing  => $nginx->path('missing.pem'),
    folder   => $nginx->path('temp'),
);

# name, files, exit status, kinds of the certificates, words of the findings

for (
    [ 'the built-in CA', 'builtin', 0, 'origin_pull_ca', '' ],
    [ 'an own CA', 'own', 0, 'root_ca', '' ],
    [ 'an intermediate', 'inter', 0, 'intermediate_ca', '' ],
    [ 'a leaf, its own anchor', 'leaf', 0, 'leaf', '' ],
    [ 'a leaf and its CA', 'own leaf', 0, 'root_ca leaf', '' ],
    [ 'the order does not matter', 'leaf own', 0, 'leaf root_ca', '' ],
    [ 'a leaf and another CA', 'own stranger', 1, 'root_ca leaf',
      'would_be_refused' ],
    [ 'a leaf for servers', 'own server', 1, 'root_ca leaf',
      'would_be_refused' ],
    [ 'a leaf that ended', 'own past', 1, 'root_ca leaf',
      'ended would_be_refused' ],
    [ 'a certificate of the Origin CA', 'origin', 1, 'origin_ca_certificate',
      'origin_ca_certificate' ],
    [ 'the root of the Origin CA', 'root', 2, 'origin_ca_root', 'origin_ca' ],
    [ 'an expired CA', 'expired', 1, 'root_ca', 'ended' ],
    [ 'a CA of tomorrow', 'future', 1, 'root_ca', 'not_yet_valid' ],
    [ 'a short key', 'weak', 1, 'root_ca', 'weak' ],
    [ 'a CA for servers', 'servers', 1, 'root_ca', 'purpose' ],
    [ 'a CA with a critical extension', 'critical', 1, 'root_ca', 'critical' ],
    [ 'a key that no OpenSSL knows', 'unknown', 2, 'root_ca',
      'no_supported_key unsupported_key' ],
    [ 'the same below a CA', 'unknown_inter', 2, 'intermediate_ca',
      'no_supported_key unsupported_key' ],
    [ 'one key that no OpenSSL knows', 'own unknown', 1, 'root_ca root_ca',
      'unsupported_key' ],
    [ 'a private key', 'key', 1, 'root_ca', 'private_key' ],
    [ 'own and shared', 'own builtin', 1, 'root_ca origin_pull_ca', 'mixed' ],
    [ 'a bundle', 'many', 1, join(' ', ('root_ca') x 11), 'many' ],
    [ 'a CRL', 'crl', 0, '', '' ],
    [ 'a CA and its CRL', 'own crl', 0, 'root_ca', '' ],
    [ 'a CA without its CRL', 'weak crl', 1, 'root_ca', 'no_crl weak' ],
    [ 'two CAs, a CRL of one', 'own builtin crl', 1,
      'root_ca origin_pull_ca', 'mixed no_crl' ],
    [ 'an old CRL', 'old_crl', 1, '', 'ended' ],
    [ 'a leaf that no CRL can revoke', 'leaf crl', 1, 'leaf',
      'crl_not_asked' ],
    (map { [ $_, $_, 2, '', 'unreadable' ] }
         qw(empty broken der missing folder)),
    [ 'one good, one bad', 'own missing', 2, 'root_ca', 'unreadable' ],
) {
    my ($name, $files, $status, $kinds, $words) = @$_;
    my $answer = answer('lint', map { $file{$_} } split / /, $files);

    is($answer->{status}, $status, "$name: exit status");
    is($answer->{level}, (qw(ok warning error))[$status], "$name: level");
    is(kinds($answer), $kinds, "$name: what it is");
    is(words($answer), $words, "$name: what is wrong with it");
}

# nginx says the same of the same files, word for word

for (
    [ 'own', '' ],
    [ 'expired', '' ],
    [ 'future', '' ],
    [ 'root', '' ],
    [ 'origin', '' ],
    [ 'servers', '' ],
    [ 'critical', '' ],
    [ 'key', '' ],
    [ 'unknown', '' ],
    [ 'own unknown', '' ],
    [ 'many', '' ],
    [ 'own builtin', '' ],
    [ 'leaf', 'crl' ],
    [ 'own', 'old_crl' ],
    [ 'servers', 'crl' ],
) {
    my ($cas, $crls) = @$_;
    my $name    = "nginx -t and lint, $cas $crls";
    my @ca      = map { qq("$file{$_}") } split / /, $cas;
    my @crl     = map { qq(aop_crl "$file{$_}";) } split / /, $crls;
    my $listen  = 'unix:' . $nginx->path('socket');
    my $answer  = answer('lint', map { $file{$_} } split / /, "$cas $crls");
    my @finding = findings($answer);

    my ($code, $output) = $nginx->configure(
        "server { listen $listen; aop on; aop_ca @ca; @crl }")->test_config;

    is($code, $answer->{status} == 2 ? 1 : 0, "$name: who is to start");
    is(scalar(() = $output =~ /^[^"]*"aop_c\w+" /gm), scalar @finding,
       "$name: as many lines");
    like($output, qr/^[^"]*"aop_c\w+" .*\Q$_->{text}\E(?: in |$)/m,
         "$name: $_->{word}") for @finding;
}

# the facts of a certificate are those that openssl tells

my $cert = answer('lint', $file{own})->{files}[0]{certificates}[0];
my ($sha) = $ca->openssl('-fingerprint', '-sha256') =~ /=(.*)/;

is($cert->{fingerprint}, lc $sha =~ s/://gr, 'fingerprint');
is($cert->{subject}, 'CN=Own CA', 'subject');
is($cert->{serial}, $ca->serial, 'serial');
like($cert->{days_left}, qr/^36[45]$/, 'days left');
like($cert->{spki}, qr/^[0-9a-f]{64}$/, 'public key');
is($cert->{key}, 'EC-P-256', 'kind of the public key');

is(answer('lint', $file{hour})->{files}[0]{certificates}[0]{days_left}, -1,
   'an hour after the end: the days of $aop_client_days_left');

my $judged = answer('lint', @file{qw(own leaf)})->{files}[1]{certificates}[0];

is("$judged->{verdict} by $judged->{anchor}", 'ok by CN=Own CA',
   'a leaf is judged by the CA beside it');
is(answer('lint', @file{qw(own server)})
       ->{files}[1]{certificates}[0]{verdict}, 'purpose', 'and not passed');

# text for a person

my $text = aopctl('lint', @file{qw(own missing)});

like($text->{out}, qr/^\Q$file{own}\E\n  1: a root CA/m, 'text: what it is');
like($text->{out}, qr/^  error: No such file/m, 'text: what is wrong');
like($text->{out}, qr/^error\n\z/m, 'text: the level comes last');
unlike($text->{out}, qr/\e/, 'text: no colors in a file');
is($text->{err}, '', 'text: nothing on standard error');

# names in certificates are text that a stranger wrote

my $evil = file('evil.pem', AOP::Test::Cert->ca([ CN => [ UTF8STRING,
    "\e]0;owned\a\e[31m\x{c2}\x{9b}31m\nok" ] ]));
my $named = aopctl('lint', "$evil\e[2J", $evil);

unlike($named->{out}, qr/[^\x20-\x7e\n]/, 'hostile name: printable ASCII');
like($named->{out}, qr/\\x1b\[2J$/m, 'hostile file name: escaped');
unlike(aopctl('lint', '--json', $evil)->{out}, qr/[^\x20-\x7e\n]/,
       'hostile name: also in JSON');

# colors: on a terminal only, and not if they are not wanted

sub on_terminal {
    my ($env) = @_;

    return aopctl({ command => [ 'script', '-qec' ],
                    env => { TERM => 'xterm', NO_COLOR => '', %$env } },
                  binary() . " lint $file{own}", '/dev/null')->{out};
}

SKIP: {
    skip 'no script(1)', 3 unless grep { -x "$_/script" } split /:/, $ENV{PATH};

    like(on_terminal({}), qr/\e\[32mok\e\[0m/, 'colors on a terminal');
    unlike(on_terminal({ NO_COLOR => 1 }), qr/\e/, 'none with NO_COLOR');
    unlike(on_terminal({ TERM => 'dumb' }), qr/\e/, 'none on a dumb one');
}

# wrong arguments

for (
    [ [], qr/missing command/ ],
    [ [ 'frobnicate' ], qr/unknown command "frobnicate"/ ],
    [ [ '--frobnicate' ], qr/unknown option "--frobnicate"/ ],
    [ [ "\e[31m" ], qr/unknown command "\\x1b\[31m"/ ],
    [ [ 'help', 'frobnicate' ], qr/unknown command "frobnicate"/ ],
    [ [ 'lint' ], qr/missing file/ ],
    [ [ 'lint', '--frobnicate', 'x' ], qr/invalid option "--frobnicate"/ ],
    [ [ 'lint', '--json=x', 'x' ], qr/invalid option "--json=x"/ ],
    [ [ 'lint', '-x', 'x' ], qr/invalid option "-x"/ ],
    [ [ 'report', '--since' ], qr/option "--since" requires a value/ ],
    (map { [ [ 'report', '--since', $_ ], qr/invalid time "\Q$_\E"/ ] }
         '', '12', '12w', '-1h', '2030-13-31', '2030-01-3',
         '2030-01-31T12:00:00Zx', '99999999999999999999h'),
    (map { [ [ 'report', '--top', $_ ], qr/invalid number "\Q$_\E"/ ] }
         '', '0', '65', '1x', '-1'),
    [ [ 'report', map { ('--name', 'x') } 1 .. 257 ], qr/more than 256 names/ ],
    [ [ 'probe' ], qr/missing host/ ],
    [ [ 'probe', 'a', 'b' ], qr/more than one host/ ],
    [ [ 'probe', '--key', 'x', 'a' ], qr/"--key" requires "--cert"/ ],
    (map { [ [ 'probe', $_ ], qr/invalid host or port/ ] }
         '', 'a b', ':1', 'a:', 'a:x', 'a:0', 'a:65536', '[::1', '[::1]x',
         "a\nb"),
    (map { [ [ 'probe', '--timeout', $_, 'a' ], qr/invalid timeout/ ] }
         '0', '301', 'x'),
    [ [ 'probe', '--http-port', '0', 'a' ], qr/invalid port "0"/ ],
    [ [ 'probe', '--path', 'x', 'a' ], qr/invalid path "x"/ ],
    [ [ 'probe', '--path', "/ HTTP/1.1\r\nX: y", 'a' ], qr/invalid path/ ],
    [ [ 'probe', '--host', "x\r\ny", 'a' ], qr/a name/ ],
    [ [ 'probe', '--sni', '', 'a' ], qr/a name/ ],
) {
    my ($arg, $expected) = @$_;
    my $run  = aopctl(@$arg);
    my $name = join ' ', 'wrong:', @$arg > 9 ? 'many' : @$arg;

    $name =~ s/[^ -~]/?/g;

    is($run->{status}, 64, "$name: exit status");
    like($run->{err}, qr/^aopctl: .*$expected.*--help"\n\z/,
         "$name: said on standard error");
    is($run->{out}, '', "$name: and nothing else");
}

my $none = aopctl('probe', '--cert', $nginx->path('crl.pem'), '127.0.0.1:1');

is($none->{status}, 66, 'wrong: a CRL for a certificate: exit status');
like($none->{err}, qr/^aopctl: cannot read ".*crl\.pem": no certificate in it$/,
     'wrong: a CRL for a certificate: said on standard error');

is(aopctl('lint', '--', '--json')->{status}, 2, '"--" ends the options');
is(aopctl('lint', $file{own}, '--json')->{out} =~ /^\{/, 1,
   'options may follow the arguments');

# help, version, man page and completion know the same options

like(aopctl('--version')->{out}, qr/^aopctl \d+\.\d+\.\d+, OpenSSL /,
     'version');
is(aopctl('--version')->{out} =~ s/^aopctl (\S+),.*/$1/sr,
   slurp('src/core/ngx_aop_version.h') =~ /_VERSION\s+"(.*)"/ && $1,
   'the version is that of the module');

my $man        = slurp('aopctl/aopctl.1') =~ s/\\-/-/gr;
my $completion = slurp('aopctl/aopctl.bash-completion');

for my $command (qw(lint probe report status)) {
    my $help = aopctl($command, '--help');

    is($help->{status}, 0, "$command --help: exit status");
    like($help->{out}, qr/^Usage: aopctl $command /, "$command --help");
    is((grep { length > 80 } split /\n/, $help->{out}), 0,
       "$command --help: not too wide");
    is($help->{out}, aopctl($command, '-h', 'x')->{out}, "$command -h");

    my ($section) = $man =~ /^\.SS aopctl $command(.*?)^\.S[SH]/ms;
    my ($complete) = $completion =~ /^        $command\)(.*?);;/ms;

    my ($zsh)  = slurp('aopctl/_aopctl') =~ /^        $command\)(.*?);;/ms;
    my ($fish) = join '', slurp('aopctl/aopctl.fish')
                          =~ /^(.*(?:from $command'|-l help).*\n)/mg;

    is(aopctl('help', $command)->{out}, $help->{out}, "help $command");

    for my $option ($help->{out} =~ /^ {2,}(?:-\w, )?(--[\w-]+)/mg) {
        my $word = $option =~ s/--//r;

        like($zsh, qr/--$word\b/, "$command: $option completed by zsh");
        like($fish, qr/ -l $word\b/, "$command: $option completed by fish");
        like($complete, qr/\Q$option\E\b/, "$command: $option completed");

        like($section, qr/^\.BI? \Q$option\E\b/m, "$command: $option in man")
            unless $option eq '--help';
    }
}

like(aopctl('--help')->{out}, qr/^Usage: aopctl COMMAND/, '--help');
is(aopctl('help')->{out}, aopctl('--help')->{out}, 'help');
is(aopctl('version')->{out}, aopctl('--version')->{out}, 'version');

# the completion, as bash runs it

sub completed {
    my (@word) = @_;

    my $run = aopctl({ command => [ 'bash', '-c' ] }, join "\n",
        "cd '$folder'", '. aopctl/aopctl.bash-completion',
        "COMP_WORDS=(@{[ map { qq('$_') } @word ]})", 'COMP_CWORD=' . $#word,
        '_aopctl', 'echo "${COMPREPLY[*]}"');

    return "$run->{out}$run->{err}" =~ s/\n\z//r;
}

is(completed('aopctl', ''),
   'lint probe report status help version --help --version',
   'completion: commands');
is(completed('aopctl', 'p'), 'probe', 'completion: a command');
is(completed('aopctl', 'report', '--si'), '--since', 'completion: an option');
is(completed('aopctl', 'help', 'p'), 'probe', 'completion: help of a command');
is(completed('aopctl', 'lint', 'src/core/ngx_aop_lint.'),
   'src/core/ngx_aop_lint.c src/core/ngx_aop_lint.h', 'completion: files');
is(completed('aopctl', 'probe', '--key', 'LICEN'), 'LICENSE',
   'completion: the value of an option');
is(completed('aopctl', 'no', ''), '', 'completion: no command');

SKIP: {
    skip 'no fish', 2 unless grep { -x "$_/fish" } split /:/, $ENV{PATH};

    my @fish = ({ command => [ 'fish', '--no-config', '-c' ] });

    like(aopctl(@fish, ". $folder/aopctl/aopctl.fish; complete -C 'aopctl l'")
         ->{out}, qr/\Alint\t/, 'completion: a command, by fish');
    like(aopctl(@fish, ". $folder/aopctl/aopctl.fish;"
                       . "complete -C 'aopctl report --si'")
         ->{out}, qr/\A--since\t/, 'completion: an option, by fish');
}

SKIP: {
    skip 'no zsh', 1 unless grep { -x "$_/zsh" } split /:/, $ENV{PATH};

    my $zsh = aopctl({ command => [ 'zsh', '-f', '-c' ] }, join "\n",
        'autoload -Uz compinit && compinit -u -D',
        "fpath=($folder/aopctl \$fpath)", 'autoload +X -U _aopctl',
        'print loaded');

    is("$zsh->{out}$zsh->{err}", "loaded\n", 'completion: zsh can read it');
}

SKIP: {
    skip 'no man(1)', 1 unless grep { -x "$_/man" } split /:/, $ENV{PATH};

    is(aopctl({ command => [ 'man', '--warnings', '-E', 'UTF-8', '-Tutf8',
                             '-l' ] }, "$folder/aopctl/aopctl.1")->{err}, '',
       'man page: no warnings');
}

# an answer that did not arrive is no answer

my $full = aopctl({ out => '/dev/full' }, 'lint', $file{own});

is($full->{status}, 74, 'a full disk: exit status');
like($full->{err}, qr/cannot write: No space/, 'a full disk: said');

# what ends soon, of what can end

my $short = $now + 10 * DAY;
my $ends  = ca('Ends', not_after => $short);

%file = (%file,
    soon     => file('soon.pem', $ends),
    soon_crl => file('soon crl.pem', $ends->crl(next_update => $short)),
    lasting  => file('lasting.pem', $ends->leaf('y')),
);

# days, files, exit status, words of the findings

for (
    [ undef, 'soon soon_crl', 0, '' ],
    [ 0, 'soon soon_crl', 0, '' ],
    [ 9, 'soon soon_crl', 0, '' ],
    [ 11, 'soon', 1, 'ends_soon' ],
    [ 11, 'soon_crl', 1, 'ends_soon' ],
    [ 11, 'soon lasting', 1, 'ends_soon' ],
    [ 11, 'own leaf crl', 0, '' ],
    [ 400, 'own leaf', 1, 'ends_soon ends_soon' ],
    [ 11, 'own past', 1, 'ended would_be_refused' ],
    [ 11, 'soon missing', 2, 'ends_soon unreadable' ],
    [ 3650, 'expired', 1, 'ended' ],
) {
    my ($days, $files, $status, $words) = @$_;
    my $name   = (defined $days ? "--days $days" : 'no --days') . ", $files";
    my $answer = answer('lint', defined $days ? ('--days', $days) : (),
                        map { $file{$_} } split / /, $files);

    is("$answer->{status} " . words($answer), "$status $words", $name);
}

like(aopctl('lint', '--days', 14, $file{soon})->{out},
     qr/^ +warning: expires on \S+Z, in 9 days \(replace it before\)\nwarning\n\z/m,
     '--days: in words');

for ('', '-1', '3651', '1d') {
    my $run = aopctl('lint', '--days', $_, $file{own});

    is($run->{status}, 64, "wrong: --days '$_': exit status");
    like($run->{err}, qr/invalid number of days "\Q$_\E", use 0 to 3650,/,
         "wrong: --days '$_': said");
}

done_testing();
