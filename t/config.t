#!/usr/bin/perl

# What `nginx -t` accepts, warns of and refuses; an error names the directive
# and, where there is one, the file.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

use constant DAY => 86400;

my $nginx = nginx();
my ($port, $other) = $nginx->ports(2);
my $dir = $nginx->dir;
my $now = time();

my $ca      = ca('Edge CA');
my $second  = ca('Second CA');
my $expired = ca('Old CA', not_before => $now - 9 * DAY,
                           not_after  => $now - DAY);
my $future  = ca('Future CA', not_before => $now + DAY);
my $leaf    = $ca->leaf('edge');
my $pem     = $ca->pem;

$nginx->write('ca.pem', $ca);
$nginx->write('second.pem', $second);
$nginx->write('expired.pem', $expired);
$nginx->write('future.pem', $future);
$nginx->write('leaf.pem', $leaf);
$nginx->write('text.pem', "Subject: CN=Edge CA\n\n$pem\nand a remark\n");
$nginx->write('crlf.pem', $pem =~ s/\n/\r\n/gr);
$nginx->write('bom.pem', "\xef\xbb\xbf$pem");
$nginx->write('with key.pem', $ca->key_pem . $pem);
$nginx->write('many.pem', [ map { ca("CA $_") } 1 .. 11 ]);
$nginx->write('server of origin CA.pem',
    ca([ OU => 'CloudFlare Origin SSL Certificate Authority' ])
    ->leaf('example.com'));
$nginx->write('ten.pem', [ map { ca("CA $_") } 1 .. 10 ]);

$nginx->write('origin ca.pem', $pem . origin_ca());

# an algorithm that no OpenSSL has, and one that not every OpenSSL has

my $ml_dsa = AOP::Test::Cert->has('ML-DSA-44');

$nginx->write('unknown.pem', $ca->unsupported);
$nginx->write('quantum.pem', $ml_dsa ? ca('PQ CA', key => 'ML-DSA-44')
                                     : $ca->unsupported(0x11));

$nginx->write('strong.pem', ca('Strong CA',
                               key => $ml_dsa ? 'ML-DSA-87' : 'ec'));

my $p521 = ca('P-521 CA', key => 'ec:secp521r1');

$nginx->write('p521.pem', $p521);
$nginx->write('p521.key', $p521->key_pem);

$nginx->write('empty.pem', '');
$nginx->write('blank.pem', "\n\n");
$nginx->write('words.pem', "This is not a certificate.\n");
$nginx->write('key.pem', $ca->key_pem);
$nginx->write('request.pem', openssl('', 'req', '-new', '-newkey', 'ec',
    '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout',
    '/dev/null', '-subj', '/CN=x'));
$nginx->write('crl.pem', $ca->crl);
$nginx->write('der.pem', openssl($pem, 'x509', '-outform', 'DER'));
$nginx->write('cut.pem', substr $pem, 0, length($pem) / 2);
$nginx->write('half.pem', $pem . substr $pem, 0, length($pem) / 2);
$nginx->write('base64.pem', $pem =~ s/^(M.{20})./$1!/mr);
$nginx->write('asn1.pem', $pem =~ s/^MII/AAA/mr);
$nginx->write('second broken.pem', $pem . ($pem =~ s/^MII/AAA/mr));
$nginx->write('no end.pem', $pem =~ s/-----END.*//sr);
$nginx->write('garbage.pem', join '', map { chr int rand 256 } 1 .. 2000);
mkdir $nginx->path('folder.pem');

# a server whose own certificate is as strong as each level wants it

my $strong = 'ssl_certificate p521.pem; ssl_certificate_key p521.key;'
             . ' ssl_ciphers ALL:';
my $stock = 'ssl_client_certificate ca.pem; ssl_verify_client';

# configuration, [ what goes into http{}, server{}, location{} ]

my @good = (
    [ 'off', '', 'aop off;', '' ],
    [ 'optional', '', 'aop optional;', '' ],
    [ 'on', '', 'aop on;', '' ],
    [ 'a variable', '', 'aop $arg_mode;', '' ],
    [ 'a variable in braces', '', 'aop ${arg_mode};', '' ],
    [ 'quotes', '', 'aop "on";', '' ],
    [ 'everywhere', 'aop optional;', 'aop on;', 'aop on;' ],
    [ 'a file', '', 'aop on; aop_ca ca.pem;', '' ],
    [ 'an absolute path', '', "aop on; aop_ca $dir/ca.pem;", '' ],
    [ 'several files', '', 'aop on; aop_ca ca.pem second.pem;', '' ],
    [ 'a file for http', 'aop on; aop_ca ca.pem;', '', '' ],
    [ 'the built-in CA', '', 'aop on; aop_ca cloudflare;', '' ],
    [ 'a leaf as an anchor', '', 'aop on; aop_ca leaf.pem;', '' ],
    [ 'text around', '', 'aop on; aop_ca text.pem;', '' ],
    [ 'ends of lines of DOS', '', 'aop on; aop_ca crlf.pem;', '' ],
    [ 'a byte order mark', '', 'aop on; aop_ca bom.pem;', '' ],
    [ 'depth 0', '', 'aop on; aop_verify_depth 0;', '' ],
    [ 'aop_ready', 'aop_ready requests=7;',
      'aop on; aop_ready requests=1000 time=2d;', '' ],
    [ 'depth 100', '', 'aop on; aop_verify_depth 100;', '' ],
    (map { [ "log level $_", '', "aop on; aop_log_level $_;", '' ] }
         qw(info notice warn error)),
    [ 'log level of a location', 'aop_log_level warn;', 'aop on;',
      'aop_log_level info;' ],
);

my @bad = (
    [ 'no mode', 'server', 'aop;',
      qr/invalid number of arguments in "aop" directive/ ],
    [ 'two modes', 'server', 'aop on off;',
      qr/invalid number of arguments in "aop" directive/ ],
    (map { [ "mode $_", 'server', "aop $_;",
             qr/invalid value "\Q${\ s{"}{}gr }\E" in "aop" directive/ ] }
         qw(yes ON Off optional_no_ca 1 true "" onn o)),
    [ 'an unknown variable', 'server', 'aop $no_such_variable;',
      qr/unknown "no_such_variable" variable/ ],
    [ 'a bad variable', 'server', 'aop $;', qr/invalid variable name/ ],
    [ 'a mode twice', 'server', 'aop on; aop off;',
      qr/"aop" directive is duplicate/ ],
    [ 'a mode in if', 'location', 'if ($arg_x) { aop on; }',
      qr/"aop" directive is not allowed here/ ],
    [ 'a mode in if of a server', 'server', 'if ($arg_x) { aop on; }',
      qr/"aop" directive is not allowed here/ ],
    [ 'a mode in limit_except', 'location', 'limit_except GET { aop on; }',
      qr/"aop" directive is not allowed here/ ],
    [ 'a mode in upstream', 'http', 'upstream u { aop on; }',
      qr/"aop" directive is not allowed here/ ],

    [ 'no file', 'server', 'aop on; aop_ca;',
      qr/invalid number of arguments in "aop_ca" directive/ ],
    [ 'an empty name', 'server', 'aop on; aop_ca "";', qr/"aop_ca"/ ],
    [ 'a CA twice', 'server', 'aop_ca ca.pem; aop_ca ca.pem;',
      qr/"aop_ca" directive is duplicate/ ],
    [ 'a CA in a location', 'location', 'aop_ca ca.pem;',
      qr/"aop_ca" directive is not allowed here/ ],

    (map { [ "file: $$_[0]", 'server', qq(aop on; aop_ca "$$_[0]";),
             qr/"aop_ca".*"\Q$dir\/$$_[0]\E".*$$_[1]/ ] }
         [ 'missing.pem', 'No such file' ],
         [ 'folder.pem', 'not a regular file' ],
         [ 'empty.pem', 'empty' ],
         [ 'blank.pem', 'no PEM' ],
         [ 'words.pem', 'no PEM' ],
         [ 'garbage.pem', 'no PEM' ],
         [ 'key.pem', 'no certificate' ],
         [ 'request.pem', 'not a certificate' ],
         [ 'crl.pem', 'no certificate' ],
         [ 'der.pem', 'DER' ],
         [ 'cut.pem', 'broken' ],
         [ 'half.pem', 'block 2.*broken' ],
         [ 'base64.pem', 'broken' ],
         [ 'asn1.pem', 'broken' ],
         [ 'second broken.pem', 'block 2.*broken' ],
         [ 'no end.pem', 'broken' ]),
    [ "file: Cloudflare's Origin CA", 'server',
      'aop on; aop_ca "origin ca.pem";',
      qr/"aop_ca".*"\Q$dir\E\/origin ca\.pem" contains Cloudflare's Origin CA, /
      . qr/.* \(use the built-in "aop_ca cloudflare"/ ],
    [ 'file: a good and a bad one', 'server',
      'aop on; aop_ca ca.pem empty.pem;',
      qr/"aop_ca".*"\Q$dir\E\/empty\.pem".*empty/ ],
    [ 'file: below a file', 'server', 'aop on; aop_ca ca.pem/x;',
      qr/"aop_ca".*"\Q$dir\E\/ca\.pem\/x".*Not a directory/ ],
    [ 'file: also where the mode is off', 'server', 'aop_ca missing.pem;',
      qr/"aop_ca".*missing\.pem/ ],
    [ 'file: of http', 'http', 'aop_ca missing.pem;',
      qr/"aop_ca".*missing\.pem/ ],

    [ 'no depth', 'server', 'aop_verify_depth;',
      qr/invalid number of arguments in "aop_verify_depth" directive/ ],
    (map { [ "aop_ready $_", 'server', "aop_ready $_;",
             qr/invalid parameter "\Q$_\E"/ ] }
        'requests=0', 'requests=x', 'requests=', 'time=0', 'time=1x', 'hour=1',
        'time'),
    [ 'aop_ready with a parameter twice', 'server',
      'aop_ready requests=1 requests=2;', qr/invalid parameter "requests=2"/ ],
    [ 'aop_ready twice', 'server', 'aop_ready time=1h; aop_ready time=1h;',
      qr/"aop_ready" directive is duplicate/ ],
    [ 'two depths', 'server', 'aop_verify_depth 1 2;',
      qr/invalid number of arguments in "aop_verify_depth" directive/ ],
    (map { [ "depth $_", 'server', "aop_verify_depth $_;",
             qr/"aop_verify_depth" directive|value must be/ ] }
         qw(-1 x 1k 1.5 "" 101 99999999999999999999)),
    [ 'a depth twice', 'server', 'aop_verify_depth 1; aop_verify_depth 1;',
      qr/"aop_verify_depth" directive is duplicate/ ],
    [ 'a depth in a location', 'location', 'aop_verify_depth 1;',
      qr/"aop_verify_depth" directive is not allowed here/ ],

    [ 'no log level', 'server', 'aop_log_level;',
      qr/invalid number of arguments in "aop_log_level" directive/ ],
    (map { [ "log level $_", 'server', "aop_log_level $_;",
             qr/invalid value "\Q${\ s{"}{}gr }\E"/ ] }
         qw(debug crit alert emerg errors off "")),
    [ 'a log level twice', 'server',
      'aop_log_level info; aop_log_level warn;',
      qr/"aop_log_level" directive is duplicate/ ],
    [ 'a log level in if', 'location', 'if ($arg_x) { aop_log_level info; }',
      qr/"aop_log_level" directive is not allowed here/ ],

    [ 'ssl_ocsp without ssl_verify_client', 'server',
      'aop on; ssl_ocsp on; resolver 127.0.0.1;',
      qr/"ssl_ocsp" without "ssl_verify_client".*"aop"/ ],
);

push @bad, (
    [ 'a key that no OpenSSL knows', 'server', 'aop on; aop_ca unknown.pem;',
      qr/"aop_ca".*contains only certificates that cannot be verified,.* /
      . qr/\(2\.16\.840\.1\.101\.3\.4\.3\.99: this OpenSSL \([\d.]+\w*\) /
      . qr/cannot verify it\)/ ],
    [ 'a wrong requirement', 'server', 'aop_require ml_dsa;',
      qr/invalid value "ml_dsa"/ ],
    [ 'two requirements', 'server', 'aop_require off; aop_require off;',
      qr/"aop_require" directive is duplicate/ ],
    [ 'a requirement of a location', 'location', 'aop_require off;',
      qr/"aop_require" directive is not allowed here/ ],
);

push @bad, (
    [ 'ML-DSA-44, which this OpenSSL does not have', 'server',
      'aop on; aop_ca quantum.pem;',
      qr/"aop_ca".*\(ML-DSA-44: this OpenSSL \([\d.]+\w*\) cannot verify /
      . qr/it, OpenSSL 3\.5 or later is required\)/ ],
    [ 'a requirement that this OpenSSL does not meet', 'server',
      'aop_require post_quantum;',
      qr/"aop_require post_quantum" requires ML-DSA, which this OpenSSL/ ],
) if !$ml_dsa;

push @bad, (
    [ 'only classical keys where others are required', 'server',
      'aop optional; aop_ca ca.pem second.pem; aop_require post_quantum;',
      qr/"aop_ca".*only certificates whose key is not post-quantum, such as /
      . qr/"CN=(?:Edge|Second) CA" and 1 more: with "aop_require post_quantum" all/ ],
    [ 'the shared CA where post-quantum keys are required', 'server',
      'aop on; aop_require post_quantum;', qr/such as "cloudflare": with/ ],
) if $ml_dsa;

my @warned = (
    [ 'one key that no OpenSSL knows', 'aop on; aop_ca ca.pem unknown.pem;',
      '', qr/"aop_ca".*unknown\.pem": the certificate of "CN=Edge CA" has a key /
          . qr/that cannot be verified /
          . qr/\(2\.16\.840\.1\.101\.3\.4\.3\.99: this OpenSSL/ ],
    [ 'post-quantum and classical keys', 'aop on; aop_ca ca.pem quantum.pem;',
      '', qr/"aop_ca".*both post-quantum and classical keys,.*"CN=Edge CA"/ ],
    ($ml_dsa
     ? ([ 'a classical key beside aop_require', 'aop on; '
         . 'aop_require post_quantum; aop_ca ca.pem quantum.pem;', '',
         qr/"aop_ca".*trusts "CN=Edge CA", whose key is not post-quantum/ ],
       [ 'a post-quantum key without TLS 1.3', 'aop on; aop_ca quantum.pem; '
         . 'ssl_protocols TLSv1.2;', '',
         qr/"ssl_protocols".*does not include TLSv1\.3/ ],
       [ 'signatures without ML-DSA', 'aop on; aop_ca quantum.pem; '
         . 'ssl_conf_command SignatureAlgorithms ECDSA+SHA256:RSA-PSS+SHA256;',
         '', qr/"ssl_conf_command".* only .*"ECDSA\+SHA256:RSA-PSS\+SHA256"/ ],
       [ 'signatures of clients without ML-DSA', 'aop on; aop_ca quantum.pem; '
         . 'ssl_conf_command SignatureAlgorithms mldsa44:ECDSA+SHA256; '
         . 'ssl_conf_command ClientSignatureAlgorithms RSA-PSS+SHA256;',
         '', qr/"ssl_conf_command".* only .*"RSA-PSS\+SHA256"/ ],
       [ 'a level without ML-DSA-44',
         "aop on; aop_ca strong.pem; $strong\@SECLEVEL=4;", '',
         qr/level of the server in .*:\d+ is 4, .*an ML-DSA-44 key/ ],
       [ 'a level without ML-DSA-65',
         "aop on; aop_ca strong.pem; $strong\@SECLEVEL=5;", '',
         qr/level of the server in .*:\d+ is 5, .*ML-DSA-44 or ML-DSA-65 key/ ],
       [ 'an anchor below the level',
         "aop on; aop_ca strong.pem quantum.pem; $strong\@SECLEVEL=4;", '',
         qr/"aop_ca".*trusts "CN=PQ CA", whose key is too weak for the/ ])
     : ()),
    [ 'a classical anchor below the level',
      "aop on; aop_ca ca.pem second.pem p521.pem; $strong\@SECLEVEL=4;", '',
      qr/"aop_ca".*"CN=(?:Edge|Second) CA" and 1 more, whose key is too weak for /
      . qr/the security level/ ],
    [ 'a key beside the certificate', 'aop on; aop_ca "with key.pem";', '',
      qr/"aop_ca".*with key\.pem".*private key/ ],
    [ 'an expired anchor', 'aop optional; aop_ca expired.pem;', '',
      qr/"aop_ca".*expired\.pem.*CN=Old CA.*(?:expired|ended)/ ],
    [ 'an anchor of tomorrow', 'aop optional; aop_ca future.pem;', '',
      qr/"aop_ca".*future\.pem.*CN=Future CA.*not.*valid/ ],
    [ 'own anchors beside the shared one', 'aop on; aop_ca ca.pem cloudflare;',
      '', qr/"aop_ca".*cloudflare/i ],
    [ 'a server certificate of the Origin CA',
      'aop on; aop_ca "server of origin CA.pem";', '',
      qr/"aop_ca".*of origin CA\.pem".*"CN=example\.com" is a Cloudflare Origin CA server/ ],
    [ 'eleven anchors', 'aop on; aop_ca many.pem;', '', qr/"aop_ca".*11/ ],
    [ 'a relaxed location', 'aop on;', 'aop off;',
      qr/less strict.*nginx\.conf:\d+.*after the location is selected/ ],
    [ 'a relaxed location, optional', 'aop on;', 'aop optional;',
      qr/less strict/ ],
    [ 'a relaxed location, by a variable', 'aop on;', 'aop $arg_x;',
      qr/less strict/ ],
    [ 'stock verification', "aop on; $stock on;", '',
      qr/"ssl_verify_client" is used with "aop"/ ],
    [ 'stock verification, optional', "aop on; $stock optional;", '',
      qr/"ssl_verify_client" is used with "aop"/ ],
    [ 'the builtin session cache', 'aop on; ssl_session_cache builtin;', '',
      qr/"ssl_session_cache builtin"/ ],
);

my @unwarned = (
    ($ml_dsa
     ? ([ 'a post-quantum key', 'aop on; aop_ca quantum.pem;', '' ],
        [ 'a level with ML-DSA-44',
          "aop on; aop_ca quantum.pem; ssl_ciphers ALL:\@SECLEVEL=3;", '' ],
        [ 'signatures with ML-DSA', 'aop on; aop_ca quantum.pem; '
          . 'ssl_conf_command ClientSignatureAlgorithms mldsa44:RSA-PSS+SHA256;',
          '' ],
        [ 'large sessions in tickets', 'aop on; aop_ca quantum.pem; '
          . 'ssl_session_cache shared:S:1m;', '' ],
        [ 'a post-quantum key is required', 'aop on; aop_ca quantum.pem; '
          . 'aop_require post_quantum;', '' ])
     : ()),
    [ 'ten anchors', 'aop on; aop_ca ten.pem;', '' ],
    [ 'a stricter location', 'aop optional;', 'aop on;' ],
    [ 'a location as its server', 'aop on;', 'aop on;' ],
    [ 'stock verification, optional_no_ca',
      "aop on; $stock optional_no_ca;", '' ],
    [ 'the shared session cache',
      'aop on; ssl_session_cache shared:SSL:1m;', '' ],
    [ 'stock verification without aop', "aop off; $stock on;", '' ],
    [ 'ssl_ocsp without aop', 'aop off; ssl_ocsp on; resolver 127.0.0.1;',
      '' ],
    [ 'the builtin session cache without aop',
      'ssl_session_cache builtin;', '' ],
);

# check($http, $server, $location): exit code and output of nginx -t
sub check {
    my ($http, $server, $location) = @_;

    return $nginx->configure(<<"EOF")->test_config;
    $http
    server {
        listen 127.0.0.1:$port ssl;
        server_name a.test;
        $server
        location / { $location }
    }
EOF
}

if (!$nginx->knows('ssl_ocsp')) {
    @$_ = grep { "@$_" !~ /ssl_ocsp/ } @$_ for \(@bad, @unwarned);
}

for (@good) {
    my ($name, @part) = @$_;
    my ($code, $output) = check(@part);

    is($code, 0, "good: $name");
    is(join("\n", grep { /\[(?:warn|error|crit|alert|emerg)\]/ }
                  split /\n/, $output), '', "good: $name, nothing to say");
}

for (@bad) {
    my ($name, $where, $directive, $expected) = @$_;
    my ($code, $output) = check(map { $_ eq $where ? $directive : '' }
                                qw(http server location));
    my @emerg = grep { /\[emerg\]/ } split /\n/, $output;

    is($code, 1, "bad: $name");
    is(scalar @emerg, 1, "bad: $name, one error");
    like("@emerg", qr/\[emerg\].*(?:$expected)/, "bad: $name, in words");

    # of a variable nginx itself says no more than its name
    like("@emerg", qr{ in \Q$dir\E/nginx\.conf:\d+}, "bad: $name, and place")
        unless $name eq 'an unknown variable';
}

for (@warned) {
    my ($name, $server, $location, $expected) = @$_;
    my ($code, $output) = check('', $server, $location);

    is($code, 0, "warned: $name");
    like($output, qr/\[warn\].*(?:$expected)/, "warned: $name, in words");
}

for (@unwarned) {
    my ($name, $server, $location) = @$_;
    my ($code, $output) = check('', $server, $location);

    is($code, 0, "not warned: $name");
    unlike($output, qr/\[warn\]/, "not warned: $name");
}

# a CA that issues certificates for anyone: of the system's store, which is a
# file here, or of the server's own chain

my $public = ca('Public CA');
my $issuer = $public->intermediate('Public Issuer');
my $site   = $issuer->leaf('site', eku => 'serverAuth');

$nginx->write('public.pem', $public);
$nginx->write('issuer.pem', $issuer);
$nginx->write('two of many.pem', [ $ca, $issuer, $public ]);
$nginx->write('site.crt', [ $site, $issuer ]);
$nginx->write('site.key', $site->key_pem);

my $own_chain = 'ssl_certificate site.crt; ssl_certificate_key site.key;';

sub public_cas {
    my ($server) = @_;

    local $ENV{SSL_CERT_FILE} = $nginx->path('public.pem');
    local $ENV{SSL_CERT_DIR}  = $nginx->path('nothing');

    my ($code, $output) = check('', "aop optional; $server", '');

    is($code, 0, "$server: nginx starts");
    my @said = $output =~ /\[warn\].*? (trusts ".*)/g;

    return join "\n", map { s/(and \d more|this system|its own).*/$1/r } @said;
}

is(public_cas(@$_[0]), $$_[1], "public CA: $$_[0]") for (
    [ 'aop_ca ca.pem;', '' ],
    [ 'aop_ca cloudflare;', '' ],
    [ 'aop_ca public.pem;', 'trusts "CN=Public CA", which this system' ],
    [ 'aop_ca ca.pem issuer.pem;',
      'trusts "CN=Public Issuer", which this system' ],
    [ "aop_ca cloudflare; $own_chain", '' ],
    [ "aop_ca ca.pem; $own_chain", '' ],
);

like(public_cas("aop_ca 'two of many.pem';"),
     qr/^trusts "CN=Public (?:CA|Issuer)" and 1 more$/, 'public CA: two');
like(public_cas("aop_ca issuer.pem; $own_chain"),
     qr/^trusts "CN=Public Issuer", which issued its own$/m,
     'the CA of the server\'s own certificate');

# and said once for all servers that have one policy

my @many = map { "server { listen 127.0.0.1:$port ssl; server_name $_.test; }" }
           1 .. 5;
my ($code, $said) = $nginx->configure(
    "aop on; aop_ca issuer.pem; $own_chain @many")->test_config;

is($code, 0, 'own chain: nginx starts');
is(scalar(() = $said =~ /which issued its own/g), 1, 'own chain: said once');

# what was accepted yesterday starts today

$nginx->configure(<<"EOF")->start;
    aop optional;
    aop_ca expired.pem future.pem;
    add_header X-Verdict \$aop_verdict;
    server { listen 127.0.0.1:$port ssl; return 200; }
EOF

is(get($port, cert => $expired->leaf('x'))->header('X-Verdict'), 'expired',
   'an expired anchor: requests are told');
is(get($port, cert => $future->leaf('x'))->header('X-Verdict'),
   'not_yet_valid', 'an anchor of tomorrow: requests are told');

# a reload with an error keeps what runs

my $good = "aop on; aop_ca ca.pem; server { listen 127.0.0.1:$port ssl; }";
my $mark = $nginx->mark;

ok(!$nginx->reload('aop_ca empty.pem;'), 'a reload with an error');
like($nginx->wait_log(qr/\[emerg\]/, $mark),
     qr/"aop_ca".*empty\.pem.*empty/, 'is said in error.log');
is(get($port)->header('X-Verdict'), 'none', 'and the old one goes on');

ok($nginx->stop, 'nginx stops when asked to');
is(scalar(grep { /\[alert\]|exited on signal/ } $nginx->log_since(0)), 0,
   'no alert');

done_testing();
