#!/usr/bin/perl

# README.md and the pages of docs/ tell the truth: each configuration in them
# passes `nginx -t` and does what the text around it says, each command runs, and
# their tables are those of the sources.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Basename qw(dirname);
use File::Path qw(make_path);
use JSON::PP qw(decode_json);
use POSIX ();
use Test::More;
use AOP::Test;
use AOP::Test::Aopctl ();

alarm 900;

my $checkout = AOP::Test::checkout();
my @pages    = ('README.md', map { "docs/$_.md" }
                qw(install rollout certificates directives variables
                   troubleshooting status fleet internals builds));
my %page     = map { $_ => slurp($_) } @pages;

# the rest of this page is run by t/certificates.t

$page{'docs/certificates.md'} =~ s/^## The levels\n.*//ms
    or die 'docs/certificates.md has no levels';

my $docs   = join "\n", map { $page{$_} } @pages;
my @blocks = map { blocks($page{$_}, $_) } @pages;

my $nginx = nginx();
my ($tls, $plain, $status, $backend) = $nginx->ports(4);
my $dir   = $nginx->dir;
my $work  = "$dir/work";        # where the commands run
my $mark  = 0;                  # of error.log, before the last request

my $edge    = ca('Edge CA');
my $new     = ca('New CA');
my $good    = $edge->leaf('example.com by Cloudflare');
my $foreign = ca('Another CA')->leaf('scanner');
my $none;

make_path($work, "$dir/aop", "$dir/bin", "$dir/root");

# the commands "nginx" and "aopctl" are those under test
symlink AOP::Test::Aopctl::binary(), "$dir/bin/aopctl"
    or die "symlink() failed: $!";
$nginx->write('bin/nginx', "#!/bin/sh\nunset NGINX\nexec "
    . AOP::Test::Nginx::binary()
    . qq( -p "$dir/" -c "$dir/nginx.conf" "\$@"\n));
$nginx->write('bin/systemctl', <<'END');
#!/bin/sh
test "$*" = 'reload-or-restart nginx' && exec nginx -s reload
END
chmod 0755, map { "$dir/bin/$_" } qw(nginx systemctl);

$nginx->write('html/index.html', "the page\n");
$nginx->write('html/decoy.html', "another page\n");
$nginx->write('fastcgi_params', '');
$nginx->write('aop/ca.pem', $edge);
$nginx->write('aop/new-ca.pem', $new);
$nginx->write('aop/crl.pem', $edge->crl);

# What each block is, a pattern only it has, the warning it has to give, and
# what it has to do.

my @configurations = (

    [ 'the site at first', qr/\A# in the server\{\} of your/, undef,
      \&first_site ],
    [ 'its status page', qr/\Aserver \{ +# in \S+aop\.conf\n/, undef,
      \&first_page ],
    [ 'plain HTTP', qr/listen 80;/, undef, \&plain_http ],
    [ 'watching', qr/\A\s*aop optional;\n\s*access_log/, undef, \&watching ],
    [ 'canary', qr/split_clients/, undef, \&canary ],
    [ 'on', qr/error_page 495/, qr/less strict/, \&enforcing ],
    [ 'own CA', qr/\A\s*aop optional;\n\s*aop_ca \S+ca\.pem;\n*\z/, undef,
      \&watching_own_ca ],
    [ 'pins', qr/aop_pin/, undef, \&pins ],
    [ 'CRL', qr/aop_crl/, undef, \&revocation ],
    [ 'rotation', qr/new-ca\.pem/, undef, \&rotation ],
    [ 'rehearsal', qr/aop_ready/, undef, \&rehearsal ],
    [ 'PROXY protocol', qr/proxy_protocol;/, undef, \&proxy_protocol ],
    [ 'variables', qr/if=\$aop_failed/, undef, \&variables_used ],

    # what these do, t/recipes.t shows

    [ 'exempt', qr/geo \$aop_peer_addr/, undef, \&closed ],
    [ 'decoy', qr/aop_status 418/, undef, sub { closed($_[0], 200) } ],
    [ 'real address', qr/aop_real_ip on/, undef, \&closed ],
    [ 'handed on', qr/X-AOP-Verdict/, undef, \&handed_on ],
    [ 'status page', qr/allow 127/, undef, \&status_page ],
    [ 'remote status page', qr/listen 10\.0\.0\.1/, undef, \&remote_page ],
);

# Commands that are not run here, and why.

my %elsewhere = (
    'make test'  => 'this file is a part of it',
    'make build' => 'all this is done with the module that it has made',
    'make deb'   => 't/long/package.t and "make matrix" do',
);

# Those of aopctl that were run: each has to be.

my %aopctl;


subtest 'commands that make a certificate' => sub {
    like(sh(sh_block(qr/openssl req -x509/)), qr/\S/, 'they tell something');
    like(sh('openssl verify -purpose sslclient -CAfile ca.pem client.pem'),
         qr/client\.pem: OK/, 'openssl takes the certificate');
    like(sh(line(qr/aopctl lint --ca ca\.pem --key/)), qr/verdict +ok\b/,
         'and so does aopctl');

    $nginx->write('work/crl.pem', $edge->crl);
};


subtest 'configurations' => sub {
    my @nginx = grep { $_->{lang} eq 'nginx' } @blocks;

    for my $block (@nginx) {
        my @known = grep { $block->{text} =~ $_->[1] } @configurations;

        is(scalar @known, 1, "$block->{where}: it is known what for");
        next unless @known == 1;

        my ($name, $pattern, $warning, $check) = @{ $known[0] };

        $nginx->configure(http($block->{text}));

        my ($code, $output) = $nginx->test_config;
        my @said = grep { /\[(?:warn|error|crit|alert|emerg)\]/ }
                   split /\n/, $output;

        is($code, 0, "$name: nginx -t") or diag $output;

        $warning ? like("@said", $warning, "$name: its warning")
                 : is("@said", '', "$name: without a warning");

        unlink map { "$dir/$_" } qw(example.aop.log aop-failed.log);

        $nginx->pid ? ok($nginx->reload, "$name: a reload") : $nginx->start;
        $check->($name);
    }

    for my $known (@configurations) {
        ok((grep { $_->{text} =~ $known->[1] } @nginx), "there is: $known->[0]");
    }
};


# The first configuration of README: a site that exists, whose configuration nginx
# reads after conf.d, gets two lines, and the status page is in conf.d.

sub first_site {
    my ($name) = @_;

    my $site  = sub { return get($tls, sni => 'example.com')->body };
    my $lines = block(qr/\A# in the server/);
    my $log   = promised(qr/Debian's is `(access_log .*?;)`/);

    cmp_ok(scalar(() = join('', map { $_->{text} } grep {
               $_->{lang} eq 'nginx' && $_->{where} =~ /^README/
           } @blocks) =~ /\n/g), '<=', 12, "$name: few lines");

    debian('', '');
    is($site->(), "my real site\n", "$name: before");

    for (['', 'no'], [$log, 'a']) {
        my ($own, $how_many) = @$_;

        unlink map { "$dir/$_" } qw(access.log example.aop.log);
        debian('', "$lines $own", block(qr/# in \S+aop\.conf/));
        is($site->(), "my real site\n", "$name: served as before");
        told(qr/certificate would be refused: none: /);
        is(scalar access_log(), 1, "$name: a line in the new access log");
        is(scalar(() = $nginx->read('access.log') =~ /\n/g), length $own && 1,
           "$name: $how_many line in the inherited one");
    }

    like(sh(line(qr/systemctl/)), qr/successful/, "$name: the commands");
}


# debian($http, $lines, $page): nginx.conf as Debian has it, with directives of
# http{}, the lines in the server of the site, and a file in conf.d.
sub debian {
    my ($http, $lines, $page) = @_;

    $mark = $nginx->mark;
    make_path("$dir/conf.d", "$dir/sites-enabled", "$dir/site");
    $nginx->write('site/index.html', "my real site\n");
    $nginx->write('conf.d/aop.conf', here($page || ''));
    $nginx->write('sites-enabled/site', here(<<"END"));
        server {
            listen 443 ssl default_server;
            server_name example.com;
            ssl_certificate     /etc/ssl/certs/example.com.pem;
            ssl_certificate_key /etc/ssl/private/example.com.key;
            root site;
            $lines
        }
END
    $nginx->configure("$http\ninclude conf.d/*.conf; include sites-enabled/*;");

    my ($code, $output) = $nginx->test_config;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($code, 0, 'nginx -t') or diag $output;
    unlike($output, qr/\[warn\]/, 'without a warning');
    ok($nginx->reload, 'a reload');
}


# first(): both of them, for http().
sub first {
    return "server { listen 443 ssl; server_name example.com;\n"
           . block(qr/\A# in the server/) . "}\n" . block(qr/# in \S+aop\.conf/);
}


sub first_page {
    my ($name) = @_;

    my @page = map { block($_) } qr/\A# in the server/, qr/# in \S+aop\.conf/;
    my $open = sub {
        my ($when) = @_;

        my $page = get($status, tls => 0);
        is($page->status, 200, "$name, $when: it answers");
        like($page->body, qr/<html/i, "$name, $when: with a page");
        is(get($status, tls => 0, host => 'rebound.test')->status, 0,
           "$name, $when: not under the name of another site");
    };

    $nginx->reload(http(first()));
    is(ask($none)->status, 200, "$name: no certificate, served");
    told(qr/certificate would be refused: none: /);
    is(ask($foreign)->status, 200, "$name: a foreign one, served");
    told(qr/certificate would be refused: untrusted: /);

    my @line = access_log();
    is(scalar @line, 2, "$name: two lines in the access log");
    is($line[0]{status}, 'REJECTED_DRY_RUN', "$name: what would be done");

    $open->('at first');
    unlike(get($status, tls => 0)->body,
           qr/(?:src|href)\s*=\s*["']?(?:https?:)?\/\//i,
           "$name: the page needs nothing from elsewhere");

    my $fields = promised(qr/Its fields, all strings: (.*?)\.\n/s);
    is(join(' ', sort keys %{ $line[0] }),
       join(' ', sort $fields =~ /`(\w+)`/g), 'the fields of aop_json');
    is(scalar(grep { ref } values %{ $line[0] }), 0, 'all are strings');

    # with a certificate for all servers, as SECURITY.md and the rollout advise

    debian('aop on;', '', $page[1]);
    $open->('"aop on" in http{}');
    is(ask($none)->status, 400, "$name: and the site is closed");

    # what the report answers at first

    unlink "$dir/example.aop.log";
    debian('aop_edge 127.0.0.1;', @page);
    sh(q(touch /var/log/nginx/example.aop.log));
    like(sh(line(qr/aopctl report/), 3), qr/cannot tell/,
         "$name: the report without a request");
    ask($none);
    like(sh(line(qr/aopctl report/), 2), qr/ready: no/,
         "$name: while Cloudflare presents no certificate");
}


sub plain_http {
    my ($name) = @_;

    my $answer = get($plain, tls => 0, host => 'example.com');

    is($answer->status, 301, "$name: redirected");
    is($answer->header('Location'), 'https://example.com/', "$name: to TLS");

    # why it is there
    my $block = block(qr/listen 80;/) =~ s/aop off/aop on/r;
    $nginx->configure(http($block));
    like(($nginx->test_config)[1], qr/rejects all requests to the plain HTTP/,
         "$name: \"aop on\" is warned of");
    $nginx->reload;
    is(get($plain, tls => 0, host => 'example.com')->status, 403,
       "$name: \"aop on\" answers 403");
}


sub watching {
    my ($name) = @_;

    is(ask($none)->status, 200, "$name: no certificate");
    told(qr/certificate would be refused: none/);
    is(ask($good)->status, 200, "$name: of another CA");
    told(qr/certificate would be refused: untrusted/);
}


sub canary {
    my ($name) = @_;

    my $visit = sub {
        return ask($none, headers => [ 'CF-Connecting-IP' => "192.0.2.$_[0]" ])
               ->status;
    };

    my @first   = map { $visit->($_) } 1 .. 200;
    my @second  = map { $visit->($_) } 1 .. 200;
    my $refused = grep { $_ == 400 } @first;

    cmp_ok($refused, '>', 200 * 0.03, "$name: $refused of 200 refused");
    cmp_ok($refused, '<', 200 * 0.20, "$name: and not many more than 10%");
    is($refused + (grep { $_ == 200 } @first), 200, "$name: others served");
    is("@second", "@first", "$name: a visitor always gets the same answer");
    is(ask($none)->status, 200, "$name: a request without the header, served");

    $nginx->reload(http(block(qr/split_clients/) =~ s/optional/nonsense/r));
    is(scalar(grep { $visit->($_) == 200 } 1 .. 20), 0,
       "$name: what is no mode is taken as \"on\"");
    told(qr/aop: invalid mode "nonsense"/);
}


sub enforcing {
    my ($name) = @_;

    my $answer = ask($none);
    is($answer->status, 495, "$name: the page of error_page");
    is($answer->body, "This site is at https://example.com/\n",
       "$name: its text");
    told(qr/certificate refused: none: /);
    is(ask($foreign)->status, 495, "$name: a foreign certificate");

    $answer = ask($none, path => '/health');
    is($answer->status . $answer->body, "200healthy\n", "$name: exempt");
    is(ask($none, path => '/health/../admin')->status, 495,
       "$name: not by a detour");
    told(qr{refused: none.*/admin});
    is(scalar(grep { m{GET /health } } $nginx->log_since(0)), 0,
       "$name: what is exempt leaves no line");

    # without a page of one's own
    $nginx->reload(http(block(qr/error_page/) =~ s/error_page.*//r));
    is(ask($none)->status, 400, "$name: without error_page 400");

    # with an answer that is anything else's as well
    $nginx->reload(http(block(qr/error_page/) =~ s/=\K495(?= \@)//r));
    is(ask($none)->status, 403, "$name: 403 with =");
    like(sh(step(5, qr/aopctl probe/), 1), qr/^cannot tell: /m,
         "$name: which does not tell");
}


sub own_ca {
    my ($name) = @_;

    is(ask($good)->status, 200, "$name: a good certificate");
    is(ask($none)->status, 400, "$name: none");
    told(qr/certificate refused: none: /);
    is(ask($foreign)->status, 400, "$name: a foreign one");
    told(qr/certificate refused: untrusted: /);
}


sub watching_own_ca {
    my ($name) = @_;

    my $block = block(qr/\A\s*aop optional;\n\s*aop_ca \S+ca\.pem;/);

    is(ask($_)->status, 200, "$name: served") for $good, $none, $foreign;
    told(qr/certificate would be refused: untrusted: /);

    $nginx->reload(http($block =~ s/optional/on/r));
    own_ca("$name, enforcing");
}


sub rehearsal {
    my ($name) = @_;

    $nginx->write('aop/ca.pem', $nginx->read('work/ca.pem'));
    ok($nginx->reload, "$name: with the CA of one's own");

    like(sh(sh_block(qr/seq 25/)), qr/ready: yes/, "$name: ready");
    is(join(' ', map { "$_->{peer} $_->{verdict}" } (access_log())[0, -1]),
       'edge ok edge ok', "$name: from Cloudflare");

    my $last = sh_block(qr/curl.*--interface.*\n.*--brief/);

    like(sh($last, 2), qr/\bno\b/, "$name: not ready");
    is((access_log())[-1]{peer}, 'edge', "$name: by a request from Cloudflare");

    sh(($last =~ /(.*)\n/)[0] =~ s/ --interface \S+//r);
    is((access_log())[-1]{peer}, 'private', "$name: not as private");

    $nginx->write('aop/ca.pem', $edge);
}


# remote_page($name): 127.0.0.2 is the origin's own address here, and 127.0.0.1
# that of the machine that reads.
sub remote_page {
    my ($name) = @_;

    my $url = "http://127.0.0.2:$status";

    $nginx->reload(http(block(qr/listen 10\.0\.0\.1/)
                        . 'server { listen 443 ssl; aop on; }'));

    like(sh("aopctl status $url/"), qr/^good: 1 of 1 server is enforced$/m,
         "$name: aopctl status");
    like(sh("curl -s $url/metrics"), qr/^nginx_aop_mode_info/m,
         "$name: Prometheus");
    is(sh("curl -so /dev/null -w '%{http_code}' --interface 127.0.0.3 $url/"),
       403, "$name: not for other machines");
    sh("curl -s -H 'Host: rebound.test' $url/", 52);
    like(sh("aopctl status http://127.1.1.1:$status/", 3), qr/unread/,
         "$name: not at other addresses");
}


sub pins {
    my ($name) = @_;

    own_ca($name);

    my $second = $edge->leaf('renewed, with the same key', key => $good);
    my $other  = $edge->leaf('another one of the same CA');

    is(ask($second)->status, 200, "$name: renewed with the same key");
    is(ask($other)->status, 400, "$name: another one of the same CA");
    told(qr/certificate refused: pin: /);

    $nginx->reload(http(block(qr/aop_pin/) =~ s/spki-sha256\S+(?=;)//r));
    is(ask($good)->status, 200, "$name: the certificate's hash alone");
    is(ask($second)->status, 400, "$name: does not hold for the renewed one");
}


sub revocation {
    my ($name) = @_;

    is(ask($good)->status, 200, "$name: a good certificate");

    $nginx->write('aop/crl.pem', $edge->crl(revoked => [ $good ]));
    is(ask($good)->status, 200, "$name: a new file alone changes nothing");
    ok($nginx->reload, "$name: a reload");
    is(ask($good)->status, 400, "$name: a revoked one");
    told(qr/certificate refused: revoked: /);

    $nginx->write('aop/crl.pem', $new->crl);
    ok($nginx->reload, "$name: a CRL of another CA");
    is(ask($good)->status, 400, "$name: nothing passes");
    told(qr/certificate refused: crl: /);

    $nginx->write('aop/crl.pem', $edge->crl);
}


sub rotation {
    my ($name) = @_;

    is(ask($good)->status, 200, "$name: the old one");
    is(ask($new->leaf('new'))->status, 200, "$name: the new one");
    is(join(', ', map { $_->{anchor} } access_log()),
       'CN=Edge CA, CN=New CA', "$name: told apart in the log");

    $nginx->configure(http('aop on; aop_ca cloudflare aop/new-ca.pem;'));
    my ($code, $output) = $nginx->test_config;
    is($code, 0, "$name: beside the built-in one");
    like($output, qr/\[warn\].*CA shared by all Cloudflare customers/,
         "$name: which is warned of");
}


sub proxy_protocol {
    my %class = ('162.158.1.1' => 'edge', '8.8.8.8' => 'direct',
                 '10.1.2.3' => 'private');

    for (sort keys %class) {
        ask($none, prelude => proxy($_));
        told(qr/peer: \Q$_\E \($class{$_}\)/);
    }
}


sub variables_used {
    my ($name) = @_;

    my $address = '2001:db8::1';
    my @header  = ('CF-Connecting-IP' => $address);

    # the certificate is of a CA that has to be named
    $nginx->reload(http(block(qr/if=\$aop_failed/) . 'aop_ca aop/ca.pem;'));

    is(ask($good, headers => \@header)->body, "X-Real-IP: $address",
       "$name: the address that Cloudflare names");
    is(ask($good, headers => [ @header, @header ])->body,
       'X-Real-IP: 127.0.0.1', "$name: not if there are two");
    is(ask($none)->status, 400, "$name: a failure");
    is(join(' ', map { $_->{verdict} } access_log('aop-failed.log')), 'none',
       "$name: only failures in that log");
}


sub closed {
    my ($name, $code) = @_;

    is(ask($none)->status, $code || 400, "$name: none");
    told(qr/certificate refused: none: /);
}


sub handed_on {
    my ($name) = @_;

    is(ask($none)->body, 'X-Real-IP: ', "$name: it is passed on");
}


sub status_page {
    my ($name) = @_;

    my %type = ('/' => 'text/html', '/metrics' => 'text/plain',
                '/?format=json' => 'application/json',
                '/?format=html' => 'text/html',
                '/?format=prometheus' => 'text/plain');

    for (sort keys %type) {
        my $answer = get($status, tls => 0, path => $_);

        is($answer->status, 200, "$name: $_");
        like($answer->header('Content-Type'), qr/^\Q$type{$_}\E/, 'its type');
        is($answer->header('Cache-Control'), 'no-store', 'never cached');
    }

    is(get($status, tls => 0, method => 'HEAD')->status, 200, "$name: HEAD");
    is(get($status, tls => 0, method => 'POST')->status, 405, "$name: POST");

    $nginx->reload(http(block(qr/allow 127/) =~ s/allow 127\.0\.0\.1;//r));
    is(get($status, tls => 0)->status, 403, "$name: denied");
}


# Configurations that the package and the image have.

subtest 'examples' => sub {
    for my $file ('debian/aop.conf', 'contrib/docker/aop.conf') {
        my $text = slurp($file) =~ s{tls/cert\.pem}{server.crt}r
                                =~ s{tls/key\.pem}{server.key}r
                                =~ s{/dev/stdout}{/dev/null}r;

        my ($code, $output) = $nginx->configure(http($text))->test_config;

        is($code, 0, "$file: nginx -t") or diag $output;
        unlike($output, qr/\[warn\]/, "$file: without a warning");

        for ('optional', 'on') {
            $nginx->reload("aop $_; " . http($text));
            is(get($status, tls => 0)->status, 200, "$file: the status page");
            is(get($status, tls => 0, host => 'rebound.test')->status, 0,
               "$file: not under the name of another site");
        }
    }
};


subtest 'commands' => sub {
    my $conf = http(first());

    $nginx->reload("aop_edge 127.0.0.1; $conf");
    ask($none);
    told(qr/aop:/);

    for my $block (grep { $_->{lang} eq 'sh' } @blocks) {

        # done before; with aopctl; on a Debian of its own by check-package

        next if $block->{text}
                =~ /openssl req|apt-get|apt-mark|^mv |--interface/m;

        run($_) for grep { !$elsewhere{$_} && !/^(?:aopctl|cd) / }
                    map { s/\s+#.*//r } split /\n/, $block->{text};
    }

    # the list is kept if the commands run again, and a certificate is revoked
    # but once

    my $revoked = sub {
        return sh('openssl crl -in crl.pem -noout -text')
               =~ /Serial Number:/;
    };

    ok($revoked->(), 'the CRL has the certificate');
    sh(sh_block(qr/touch index/));
    ok($revoked->(), 'and still after it was renewed');
    like(sh(line(qr/openssl ca .*-revoke/), 1), qr/Already revoked/,
         'it is revoked already');
};


# run($command): one of a page; "make" with the module that is tested.
sub run {
    my ($command) = @_;

    if ($command =~ /^git clone /) {
        clones($command);
        return;
    }

    if ($command !~ /^make (\w+)$/) {
        my $output = sh($command);

        like($output, qr/\S/, 'it tells something')
            if $command !~ / > \S+\z|^(?:touch|mkdir) /;
        return;
    }

    my ($target, $module) = ($1, AOP::Test::Nginx::module());
    my $build = dirname($module);

    SKIP: {
        skip "make $target: the module is not in a folder of builds", 1
            unless -e $module && -e "$build/nginx.facts";

        my $output = sh("make -C $checkout -o build $target BUILD=$build"
                        . " DESTDIR=$dir/root NGINX="
                        . AOP::Test::Nginx::binary());

        last SKIP if $target ne 'install';

        my ($path) = $output =~ /load_module (\S+);/;
        ok($path && -s "$dir/root$path", 'it is where it says');

        sh("make -C $checkout uninstall BUILD=$build DESTDIR=$dir/root NGINX="
           . AOP::Test::Nginx::binary() . ' && echo done');
        is(join(' ', grep { -f } glob "$dir/root/*/*/* $dir/root/*/*/*/*"
                . " $dir/root/*/*/*/*/* $dir/root/*/*/*/*/*/*"), '',
           'and is gone after "make uninstall"');
    }
}


# clones($command): that of README gets the tree. What is run then is run in the
# checkout, which has been built.
sub clones {
    my ($command) = @_;

    SKIP: {
        skip 'the checkout is not a repository', 2 unless -e "$checkout/.git";

        sh($command =~ s/ REPOSITORY / -q $checkout /r);
        ok(-s "$work/ngx_http_aop_module/Makefile", 'the tree is there');
    }
}


subtest 'trying a certificate' => sub {
    my $command = line(qr/^curl -ksi/);
    my $without = $command =~ s/--cert \S+ --key \S+//r;
    my $own_ca  = block(qr/\A\s*aop optional;\n\s*aop_ca \S+ca\.pem;\n*\z/)
                  . block(qr/\A\s*aop optional;\n\s*access_log/)
                    =~ s/aop optional;//r;
    my $page    = 'server { listen 127.0.0.1:8081; location / { aop_report; } }';

    unlink "$dir/example.aop.log";
    $nginx->write('aop/ca.pem', $nginx->read('work/ca.pem'));
    $nginx->reload("aop_zone 5m;\n$page\n"
                   =~ s/8081/$status/r . http($own_ca));

    like(sh($command), qr{\AHTTP/\S+ 200 .*the page}s, 'with it: the page');
    is((access_log())[-1]{verdict}, 'ok', 'with it: the log');
    is(ready(), 'unknown', 'with it: no harm');
    like(sh($without), qr{\AHTTP/\S+ 200 }, 'without: the page');
    counted(2);
    is(ready(), 'no', 'without: taken for a health check');

    ok($nginx->stop, 'nginx has stopped');
    $nginx->start;
    is(ready(), 'unknown', 'a restart forgets it');

    $nginx->reload(http($own_ca =~ s/optional/on/r));

    like(sh($command), qr{\AHTTP/\S+ 200 .*the page}s, 'on, with it: the page');
    like(sh($without), qr{\AHTTP/\S+ 400 }, 'on, without: 400');

    like(sh(line(qr/aopctl probe.*--cert/)),
         qr/enforced: clients without a valid certificate are rejected, the given certificate is accepted/,
         'and aopctl says so');

    $nginx->write('aop/ca.pem', $edge);
};


# From an origin that serves everybody to one that serves Cloudflare alone, with
# the commands of each step.

subtest 'the rollout' => sub {
    my $edge_is_here = "aop_edge 127.0.0.1;\n";
    my $with         = sub { $nginx->reload($edge_is_here . http($_[0])) };
    my $own_ca       = "aop_ca aop/ca.pem;\n";
    my $probe        = step(0, qr/probe/);
    my $open         = promised(qr/last\s+line\s+begins\s+with\s+`(.*?)`/);
    my $closed       = promised(qr/now\s+ends\s+in\s+`(.*?)`/);

    unlink "$dir/example.aop.log";

    $with->(<<'END');
        server { listen 443 ssl; server_name example.com; }
        server { listen 80; server_name example.com; }
END
    like(sh($probe, 2), qr/^$open/m, 'before: open');

    like(sh(step(1, qr/aopctl lint/)), qr/^ok$/m, 'a certificate of ours');

    my $plain   = block(qr/listen 80;/);
    my $watched = 'server { listen 443 ssl; server_name example.com;'
                  . block(qr/\A\s*aop optional;\n\s*access_log/) . $own_ca
                  . '}';

    my $apart = promised(qr/has\s+a\s+line\s+`(.*?)80: refused`/);

    $with->("$plain server { listen 443 ssl; server_name example.com; }");
    like(sh(step(2, qr/probe/), 2), qr/^ *\Q$apart\E\d+: refused/m,
         'plain HTTP apart');

    $with->($plain . $watched);
    like(sh(step(3, qr/aopctl report/), 3), qr/cannot tell/,
         'watching: nothing was logged yet');

    visits($good, 100);
    like(sh(step(3, qr/aopctl report/)), qr/ready: yes/,
         'watching: nothing failed');
    like(sh($probe, 2), qr/^$open/m, 'watching: still open');

    $with->($plain . block(qr/split_clients/) =~ s/(?=aop \$)/$own_ca/r);
    visits($good, 100);
    like(sh(step(4, qr/aopctl report/)), qr/ready: yes/,
         'canary: visits of aopctl do not decide');

    like(sh($probe, 2), qr/^$open/m, 'canary: which is not protection');

    $with->($plain . block(qr/split_clients/) =~ s/(?=aop \$)/$own_ca/r
                     =~ s/90%( +)optional/10%$1on/r =~ s/\*( +)on/*$1optional/r);
    like(sh($probe, 2), qr/^not enforced: the origin .*"aop \$variable"/m,
         'canary: nor the other way round');
    $with->($plain . block(qr/split_clients/) =~ s/(?=aop \$)/$own_ca/r);

    unlink "$dir/example.aop.log";
    ok($nginx->reload, 'canary: a new log');
    visits($good, 100);
    like(sh(step(4, qr/aopctl report/)), qr/ready: yes/,
         'canary: nothing failed');

    $with->($plain . block(qr/error_page/) =~ s/(?=error_page)/$own_ca/r);
    is(ask($good)->status, 200, 'enforcing: Cloudflare is served');
    like(sh(step(5, qr/aopctl probe/)), qr/^$closed/m, 'enforcing: closed');

    like(sh(step(6, qr/aopctl probe/)), qr/\A$closed.*\n\z/,
         'after: a monitor, one line');
    like(sh(step(6, qr/aopctl lint/)), qr/^ok$/m, 'after: what ends');

    # Debian's default site, and the remedies

    my $conf    = block(qr/error_page/) =~ s/(?=error_page)/$own_ca/r;
    my $default = promised(qr/`(server \{ listen 80 default_server;.*?)`/);
    my $other   = 'server { listen 80 default_server; server_name _; }';

    $with->("$plain $other $conf");
    sh(step(5, qr/aopctl probe/), 1);
    like(sh(step(5, qr/aopctl probe/) . ' --no-http'), qr/^$closed/m,
         'enforcing: without a look at plain HTTP');
    $with->("$plain $default $conf");
    like(sh(step(5, qr/aopctl probe/)), qr/^$closed/m,
         'enforcing: with a default server of port 80');

    # jobs of cron print nothing where all is well, else a line

    my ($jobs) = map { $_->{text} } grep { $_->{lang} eq 'cron' } @blocks;
    my @job    = $jobs =~ /^\d+ \S+ \* \* \* daemon (.*)$/mg;

    is(scalar @job, 2, 'cron: two jobs');
    $nginx->write('aop/client.pem', $good);
    is(sh($_), '', 'cron: silent') for @job;

    $nginx->write('aop/client.pem', $foreign);
    $with->('server { listen 443 ssl; server_name example.com; }');
    like(sh($_), qr/\A.+\n\z/, 'cron: a line') for @job;

    my $page = 'server { listen 127.0.0.1:8081; location / { aop_report; } }';

    # a server for other names

    for (['', 1], ['aop off;', 0]) {
        my ($mode, $code) = @$_;

        $with->("aop_zone 6m;\n$page server { listen 443 ssl; aop on;"
                . "$own_ca } server { listen 443 ssl default_server; $mode"
                . ' return 444; }');
        like(sh("aopctl status http://127.0.0.1:8081/", $code),
             $code ? qr/^unprotected/m : qr/\A(?!.*unprotected)/s,
             "enforcing: return 444 with '$mode'");
    }

    $nginx->write('work/origins.txt', "http://127.0.0.1:$status/\n");
    $with->("$page server { listen 443 ssl; aop on; $own_ca }");
    like(sh(line(qr/aopctl status/), 0),
         qr/^good: 1 of 1 server is enforced$/m, 'after: the status pages');

    $with->("aop on; $own_ca server { listen 443 ssl; }");
    is(ask($none)->status, 400, 'after: on in http{}, a new server has it');

    $with->($plain . $watched);
    is(ask($none)->status, 200, 'back');
};


# A renewal and a new CA, by the commands of the page, which overwrite nothing.

subtest 'renewal and a new CA' => sub {
    my $first   = sh_block(qr/test ! -e ca\.key/);
    my $renewal = sh_block(qr/test ! -e next\.key/);
    my $new_ca  = sh_block(qr/^mkdir new-ca/);
    my @keys    = qw(work/ca.key work/ca.pem work/client.key);
    my $keys    = join '', map { $nginx->read($_) } @keys;

    like(sh($renewal), qr/^ok$/m, 'renewal: it passes under the CA');
    like(sh($new_ca), qr/./, 'a new CA');
    like(sh('aopctl lint --ca new-ca/ca.pem --key new-ca/client.key'
            . ' new-ca/client.pem'), qr/^ok$/m, 'a new CA: its certificate');

    my @renewed = map { $nginx->read("work/$_") } qw(next.key new-ca/ca.key);

    sh($_, 1) for $first, $new_ca, $renewal =~ s/^aopctl .*//mr;
    is(join('', map { $nginx->read($_) } @keys), $keys, 'no key was changed');
    is(join('', map { $nginx->read("work/$_") } qw(next.key new-ca/ca.key)),
       join('', @renewed), 'nor a new one, by a second time');

    # both, and the renewed one, pass next to each other

    unlink "$dir/example.aop.log";
    $nginx->write("aop/$_->[0]", $nginx->read("work/$_->[1]"))
        for [ 'ca.pem', 'ca.pem' ], [ 'new-ca.pem', 'new-ca/ca.pem' ];
    $nginx->reload(http(block(qr/new-ca\.pem/)));

    for (qw(client next new-ca/client)) {
        like(sh("curl -ksi --resolve example.com:443:127.0.0.1 --cert $_.pem"
                . " --key $_.key https://example.com/"), qr{\AHTTP/\S+ 200 },
             "$_: served");
    }

    is(join(', ', map { $_->{anchor} =~ /CN=([^,]*)/ } access_log()),
       'Example origin pull CA, Example origin pull CA, Example origin pull CA 2',
       'by these anchors');
    is(scalar(keys %{{ map { $_->{fingerprint} => 1 } access_log() }}), 3,
       'three certificates');

    sh(sh_block(qr/^mv /));
    is($nginx->read('work/client.key'), $renewed[0], 'renamed');

    $nginx->write('aop/ca.pem', $edge);
    $nginx->write('aop/new-ca.pem', $new);
};


# README's table of steps has the commands that were run above.

{
    my %step = $page{'README.md'} =~ /^\| \[(\d)\. (.*)$/gm;

    is(join(' ', sort keys %step), '0 1 2 3 4 5 6', 'the steps in README');

    for my $n (sort keys %step) {
        for my $command ($step{$n} =~ /`(aopctl .*?)`/g) {
            is(step($n, qr/\A\Q$command\E\z/), $command, "step $n: $command");
        }
    }
}


# step($n, $pattern): the command of that step of the rollout.
sub step {
    my ($n, $pattern) = @_;

    my ($step) = $page{'docs/rollout.md'} =~ /^## $n\. .*?\n(.*?)^## /ms
        or die "docs/rollout.md has no step $n";

    return line($pattern, blocks($step));
}


# line($pattern, @blocks): the one command that matches.
sub line {
    my ($pattern, @among) = @_;

    my @found = grep { $_ =~ $pattern }
                map { split /\n/, $_->{text} } grep { $_->{lang} eq 'sh' }
                @among ? @among : @blocks;

    die "there is no such command: $pattern" unless @found;

    return $found[0];
}


# visits($cert, $n): so many requests, which are in the log when it returns.
sub visits {
    my ($cert, $n) = @_;

    my $lines  = sub { scalar(() = $nginx->read('example.aop.log') =~ /\n/g) };
    my $before = $lines->();

    for (1 .. $n) {
        ask($cert, headers => [ 'CF-Connecting-IP' => '192.0.2.1' ]);

        # the log is longer than "--time 1s"
        select undef, undef, undef, 2.1 if $_ == 1;
    }

    for (1 .. 200) {
        return if $lines->() >= $before + $n;
        select undef, undef, undef, 0.02;
    }

    die 'the access log is short of lines';
}


subtest 'lines of error.log' => sub {
    my ($sample) = $docs =~ /\n((?:    aop: client certificate.*\n)+)/;
    my $proxied  = block(qr/proxy_protocol;/);

    for my $expected (map { s/^    //r } split /\n/, $sample) {
        my ($address) = $expected =~ /peer: (\S+)/;
        my $mode = $expected =~ /would be/ ? 'optional' : 'on';
        my $cert = $expected =~ /untrusted/ ? $foreign : $none;

        $nginx->reload(http($proxied =~ s/aop optional/aop $mode/r));
        ask($cert, prelude => proxy($address));

        my $line = $nginx->wait_log(qr/aop:/, $mark);

        $line =~ s/.*?(?=aop:)//;
        $line =~ s/serial: \K\w+/1F2E/;
        $line =~ s/, client: \K.*/.../;

        # where OpenSSL has no ML-DSA, the hint goes on

        $line =~ s/; a post-quantum certificate is presented only .*?(?=, peer)//;

        is($line, $expected, 'as shown: ' . substr $expected, 0, 56);
    }

    # some are held back, and the next one says so
    $nginx->reload('aop_log_interval 2s;' . http($proxied));
    ask($none, prelude => proxy('8.8.4.4')) for 1 .. 3;
    sleep 3;
    ask($none, prelude => proxy('8.8.4.4'));

    my $form = promised(qr/`\(1284 (.*?)10s\)`/);
    told(qr/\(2 \Q$form\E2s\)/);
};


subtest 'readiness' => sub {
    my $conf = sub {
        return http(<<"END");
            aop_edge 127.0.0.1;
            aop_ready time=1s;
            aop_zone $_[0];
            server { listen 443 ssl; server_name example.com;
                     aop optional; aop_ca aop/ca.pem; }
            server { listen 127.0.0.1:8081; location / { aop_report; } }
END
    };

    $nginx->reload($conf->('2m'));
    is(ready(), 'unknown', 'nothing was seen: unknown');

    my $client = client($tls, sni => 'example.com', cert => $good);
    $client->get('/') for 1 .. 99;
    $client->close;
    counted(99);
    is(ready(), 'unknown', '99 requests from the edge: unknown');

    ask($good);
    counted(100);
    sleep 1;
    is(ready(), 'yes', '100: yes');

    ask($none, host => 'other.test', headers => [ 'CF-Ray' => 'x' ]);
    counted(101);
    is(ready(), 'yes', 'a failure for a host of others: still');

    ask($none);
    counted(102);
    is(ready(), 'no', 'a failure: no');
    ok($nginx->reload, 'a reload');
    is(ready(), 'no', 'still no');
    ok($nginx->reload($conf->('3m')), 'another size of aop_zone');
    is(ready(), 'unknown', 'a new window');
};


subtest 'names in the report' => sub {
    $nginx->reload(http(<<"END"));
        aop_edge 127.0.0.1;
        aop_zone 4m;
        server { listen 443 ssl; server_name example.com; aop on; }
        server { listen 127.0.0.1:8081; location / { aop_report; } }
END
    ask($none);
    counted(1);

    my ($json)  = $page{'docs/status.md'} =~ /^## JSON\n(.*?)^## /ms;
    my %named   = map { $_ => 1 } $json =~ /`(\w+)`/g;
    my %key;
    keys_of(report(), \%key);
    is(join(' ', grep { !$named{$_} } sort keys %key), '', 'JSON: each key');

    my @metric = $docs =~ /^\| `(nginx_aop_\w+)`.*?\| (?=`)/gm;
    my $text   = get($status, tls => 0, path => '/?format=prometheus')->body;
    is(join(' ', sort @metric), join(' ', sort $text =~ /^# TYPE (\S+)/gm),
       'Prometheus: each metric');

    while ($text =~ /^(nginx_aop_\w+)\{(.*?)\} /gm) {
        my ($metric, $labels) = ($1, $2);
        my ($row) = $docs =~ /^\| `$metric`.*\| (.*) \|$/m;

        is(join(' ', sort $labels =~ /(\w+)="/g),
           join(' ', sort $row =~ /`(\w+)`/g), "labels of $metric");
    }
};


subtest 'what stock nginx does' => sub {
    my $stock   = 'ssl_client_certificate aop/stock.pem; ssl_verify_client';
    my $expired = ca('Old CA', not_before => 0, not_after => time() - 60);

    for ([ 'has expired' => $expired ],
         [ 'is a bare client certificate' => $good ])
    {
        $nginx->write('aop/stock.pem', $_->[1]);
        $nginx->configure(http("$stock on;"));
        is(($nginx->test_config)[0], 0, "it takes a CA that $_->[0]");
    }

    $nginx->write('aop/stock.pem', $edge);
    $nginx->reload(http("$stock optional;"));
    is(ask($foreign)->status, 400, 'optional: 400 to a bad certificate');
    is(join("\n", $nginx->log_since($mark)), '', 'and no line of it');

    my %other = (
        'is not yet valid' => $edge->leaf('x', not_before => time() + 86400),
        'has expired'      => $edge->leaf('x', not_before => 0,
                                          not_after => time() - 60),
        'is for a server'  => $edge->leaf('x', eku => 'serverAuth'),
        'is revoked'       => $good,
    );

    $nginx->write('aop/revoked.pem', $edge->crl(revoked => [ $good ]));
    $nginx->reload(http("$stock optional_no_ca; ssl_crl aop/revoked.pem;"));
    is(ask($foreign)->status, 200, 'optional_no_ca: one of an unknown CA');
    is(ask($other{$_})->status, 400, "optional_no_ca: not one that $_")
        for sort keys %other;
};


subtest 'directives' => sub {
    my $source = slurp('ngx_http_aop_module.c');
    my %context;

    while ($source =~ /\{\ ngx_string\("(aop\w*)"\),\n\s+(NGX_[\w|]+),/g) {
        my ($name, $flags) = ($1, $2);

        $context{$name} = join ', ',
            map { $_->[1] } grep { $flags =~ /\b$_->[0]_CONF\b/ }
            [ NGX_HTTP_MAIN => 'http' ], [ NGX_HTTP_SRV => 'server' ],
            [ NGX_HTTP_LOC => 'location' ];
    }

    cmp_ok(scalar keys %context, '>', 8, 'the table of commands was read');

    my %documented;

    while ($page{'docs/directives.md'} =~ /^\#\#\ (aop\w*)\n\n
               \|\ \|\ \|\n\|---\|---\|\n
               \|\ Syntax:\ \|\ `(aop\w*)\ .*;`\ \|\n
               \|\ Default:\ \|\ (.*)\ \|\n
               \|\ Context:\ \|\ ([a-z,\ ]+)\ \|\n\n[A-Z]/gmx)
    {
        my ($name, $syntax, $default, $where) = ($1, $2, $3, $4);

        $documented{$name} = $where;
        is($syntax, $name, "$name: its syntax");

        next if $default !~ /^`(.*)`$/;

        my $line = $1;
        $line = "server { listen 127.0.0.1:$status; location / { $line } }"
            if $where eq 'location';

        $nginx->configure(http('') . $line);
        is(($nginx->test_config)[0], 0, "$name: nginx accepts its default");
    }

    is_deeply(\%documented, \%context, 'they are those of the module');

    # the last one is a label of Prometheus

    my %known = (%context, map { $_ => 1 } 'aop_json', variables(), 'aop_docs');
    is(join(' ', grep { !$known{$_} } $docs =~ /\b(aop_[a-z_]+)\b/g), '',
       'no name that there is not');
};


subtest 'variables' => sub {
    my %known = map { $_ => 1 } variables();

    cmp_ok(scalar keys %known, '>', 12, 'the table of variables was read');

    like($docs, qr/^\| .*`\$$_`.* \| /m, "\$$_ is in the table")
        for sort keys %known;

    is(join(' ', grep { !$known{$_} } $docs =~ /\$(aop_[a-z_]+)/g), '',
       'no variable that there is not');
};


subtest 'verdicts' => sub {
    my $source = slurp('src/core/ngx_aop_verdict.c');
    my %number = $source =~ /^#define (NGX_AOP_\w+)\s+(\d{3})\b/gm;
    my %answer;

    while ($source =~ /\[NGX_AOP_\w+\]\ =\ \{\s+"(\w+)",.*?"
                       ,\s+(\w+),\s+\{/gsx)
    {
        $answer{$1} = $2 eq '0' ? 'served' : $number{$2};
    }

    cmp_ok(scalar keys %answer, '>', 12, 'the table of verdicts was read');

    my %row;

    while ($page{'docs/troubleshooting.md'}
           =~ /^### (\w+)\n\n(?:(Served)|Code (\d+))\. /gm)
    {
        $row{$1} = $2 ? 'served' : $3;
    }

    is_deeply(\%row, \%answer, 'the headings are those of the module');
};


subtest 'errors and warnings' => sub {
    my $all = join '', map { slurp($_) }
              glob("$checkout/*.c"), glob("$checkout/src/{,*/}*.c");

    $all =~ s/"\s*\n\s*"//g;
    $all =~ s/\\"/"/g;

    my ($tables) = $page{'docs/troubleshooting.md'}
                   =~ /^## Configuration errors.*?\n(.*)/ms;
    my @quoted   = $tables =~ /^\| `(.*?)`/gm;

    cmp_ok(scalar @quoted, '>', 15, 'the tables were read');

    for (@quoted) {
        next if /is not allowed here/;          # nginx's own

        for my $part (split / ?\.\.\."? ?/) {
            $part =~ s/^contains (?=the|Cloud)//;
            ok(index($all, $part) >= 0, "the module says: $part");
        }
    }

    my @warned = $all =~ /\(NGX_LOG_WARN, [^;"]*"(.*?)",\s/g;

    # what ends so takes its words from the core's table, of which nginx says
    # all but that a key is weak

    is(scalar(grep { / %s$/ } @warned), 2, 'warnings by the table of findings');

    my %table = $all =~ /NGX_AOP_LINT_WARNING, "(\w+)",\s*"(.*?)"\s*\}/g;

    delete $table{weak};
    @warned = ((grep { !/ %s$/ } @warned), values %table);

    cmp_ok(scalar @warned, '>', 8, 'the warnings were read');

    for my $warning (@warned) {
        ok((grep { index($warning, (split / ?\.\.\./)[0]) >= 0 } @quoted),
           "explained: $warning");
    }

    $nginx->configure(http('location / { if ($arg_a) { aop on; } }'));
    like(($nginx->test_config)[1], qr/"aop" directive is not allowed here/,
         'and nginx says what is its');
};


subtest 'fingerprints' => sub {
    my $source  = slurp('src/core/ngx_aop_cloudflare.c');
    my ($lines) = $source =~ /^static\ const\ char\s+ngx_aop_cloudflare_pem\[\]
                              \ =(.*?);$/msx;

    $nginx->write('work/ca.pem',
                  join '', map { s/\\n/\n/r } $lines =~ /"(.*?)"/g);

    my ($cert) = $docs =~ /^\| A, certificate \| `(.*)`/m;
    my ($key)  = $docs =~ /^\| A and B, key.*`(.*)`/m;
    my $look   = sh(sh_block(qr/x509 -in ca\.pem.*-subject/));

    like($look, qr/Fingerprint=\Q$cert\E$/m, 'A is the built-in CA');
    like($look, qr/OU ?= ?Origin Pull,.*CN ?= ?origin-pull\.cloudflare\.net/,
         'A: its subject');
    like($look, qr/notAfter=Nov  1 .* 2029 /, 'A: its end');
    like($look, qr/CA:TRUE/, 'A: it is a CA');
    like(sh(sh_block(qr/x509 -in ca\.pem.*-pubkey/)), qr/= \Q$key\E$/m,
         'A: its key');

    (my $bytes = lc $source) =~ s/0x|[\s,]//g;

    for ($docs =~ /^\| (?:B, certificate|[CD], Origin CA.*?) \| `(.*)`/gm) {
        my $hex = lc s/://gr;

        ok(index($bytes, $hex) >= 0,
           'the module knows ' . substr($hex, 0, 8) . '...');
    }

    ok(index($source, qq("$_")) >= 0, "the module knows $_")
        for $docs =~ /`(CloudFlare Origin SSL[^`]*)`/g;
};


subtest 'packages, targets' => sub {
    my ($list) = slurp('t/tools/install-packages') =~ /packages=\(\n(.*?)\n\)/s;

    $list =~ s/"[^"]*"//g;
    like($docs, qr/`\Q$_\E`/, "package $_") for split ' ', $list;

    my %target = map { $_ => 1 }
                 sh("make -s -C $checkout help") =~ /^([a-z-]+)  /gm;
    ok($target{$_}, "make $_") for $docs =~ /(?:^|`)make ([a-z-]+)/gm;
};


is(join(', ', grep { !$aopctl{$_} } map { /^(aopctl .*)$/gm }
              map { $_->{text} } grep { $_->{lang} eq 'sh' } @blocks), '',
   'each command of aopctl was run');

$nginx->finish;
done_testing();


# slurp($file): of the checkout.
sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file =~ m{^/} ? $file : "$checkout/$file"
        or die "cannot open $file: $!";
    local $/;

    return scalar <$fh>;
}


# promised($pattern): what the pages say in its brackets.
sub promised {
    my ($pattern) = @_;

    my ($said) = $docs =~ $pattern;

    die "the pages do not say: $pattern" if !defined $said;

    return $said;
}


# blocks($text, $page): the fenced ones: { lang, text, where }.
sub blocks {
    my ($in, $page) = @_;

    my @found;

    while ($in =~ /^( *)```(\w+)\n(.*?)^\1```$/gms) {
        my ($indent, $lang, $lines) = ($1, $2, $3);
        my $line = 1 + (substr($in, 0, $-[0]) =~ tr/\n//);

        push @found, { lang => $lang, text => $lines =~ s/^$indent//gmr,
                       where => ($page || '') . ":$line" };
    }

    return @found;
}


# block($pattern), sh_block($pattern): the text that it matches.
sub block    { return first_block('nginx', @_) }
sub sh_block { return first_block('sh', @_) }


sub first_block {
    my ($lang, $pattern) = @_;

    my ($block) = grep { $_->{lang} eq $lang && $_->{text} =~ $pattern }
                  @blocks;

    die "there is no such block: $pattern" unless $block;

    return $block->{text};
}


# http($text): a block as what goes into http{}, with another server that it may
# be a proxy of.
sub http {
    my ($text) = @_;

    $text = "server {\nlisten 443 ssl;\nserver_name example.com;\n$text\n}\n"
        unless $text =~ /^\s*server \{/m;

    return here($text) . <<"END";
server {
    listen 127.0.0.1:$backend;
    location / { return 200 "X-Real-IP: \$http_x_real_ip"; }
}
END
}


# here($text): with the ports and the files that there are here.
sub here {
    my ($text) = @_;

    my %port = (443 => $tls, 80 => $plain, 8081 => $status);

    $text =~ s/\blisten 10\.0\.0\.1:8081\b/listen 127.0.0.2:$status/g;
    $text =~ s/\b10\.0\.0\.([12])\b/'127.0.0.' . (3 - $1)/ge;
    $text =~ s/\blisten\ (?:127\.0\.0\.1:)?(443|80|8081)\b
              /\nlisten 127.0.0.1:$port{$1}/gx;
    $text =~ s{/etc/ssl/certs/example\.com\.pem}{server.crt}g;
    $text =~ s{/etc/ssl/private/example\.com\.key}{server.key}g;
    $text =~ s{/etc/nginx/}{$dir/}g;
    $text =~ s{/var/log/nginx/}{$dir/}g;
    $text =~ s{/var/www/(?:example\.com|decoy)}{$dir/html}g;
    $text =~ s{127\.0\.0\.1:8080}{127.0.0.1:$backend}g;
    $text =~ s/CERT_SHA256/hash_of(qr{x509 -in client.*-fingerprint})/ge;
    $text =~ s/SPKI_SHA256/hash_of(qr{x509 -in client.*-pubkey})/ge;

    return $text;
}


# hash_of($pattern): of the good certificate, by that command of a page.
sub hash_of {
    my ($pattern) = @_;

    my ($command) = grep { $_ =~ $pattern } split /\n/, sh_block($pattern);

    $nginx->write('work/good.pem', $good);

    my ($hash) = sh($command =~ s/client\.pem/good.pem/r)
                 =~ /= ?([0-9A-Fa-f:]+)$/m;

    return $hash;
}


sub ask {
    my ($cert, %opt) = @_;

    $mark = $nginx->mark;

    return get($tls, sni => 'example.com', cert => $cert, %opt);
}


# told($pattern): error.log has it, since the last request.
sub told {
    my ($pattern) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($nginx->wait_log($pattern, $mark), "in error.log: $pattern")
        or diag join "\n", $nginx->log_since($mark);
}


sub proxy { return "PROXY TCP4 $_[0] 127.0.0.1 1 443\r\n" }


# access_log($name): its lines, as soon as no more are added: nginx writes them
# after it has answered.
sub access_log {
    my ($name) = @_;
    my $text = '';

    for (1 .. 100) {
        my $now = $nginx->read($name || 'example.aop.log');

        last if length $now && $now eq $text;

        $text = $now;
        select undef, undef, undef, 0.05;
    }

    return map { decode_json($_) } split /\n/, $text;
}


sub report { return decode_json(get($status, tls => 0)->body) }


sub ready { return report()->{servers}[0]{ready} }


# counted($n): waits: nginx counts a request after it has answered.
sub counted {
    my ($n) = @_;

    for (1 .. 200) {
        my $sum = 0;
        $sum += $_->{count} for @{ report()->{servers}[0]{requests} };

        return if $sum == $n;
        select undef, undef, undef, 0.02;
    }
}


sub keys_of {
    my ($value, $key) = @_;

    if (ref $value eq 'HASH') {
        $key->{$_} = 1 for keys %$value;
        keys_of($_, $key) for values %$value;

    } elsif (ref $value eq 'ARRAY') {
        keys_of($_, $key) for @$value;
    }
}


# The names of all variables but those that only the format aop_json needs: they
# are in another file.
sub variables {
    return slurp('src/request/ngx_http_aop_variables.c')
           =~ /ngx_http_aop_var\("(aop_\w+)"/g;
}


# sh($command, $expected): its output, both streams; another exit status than
# that, or 0, fails the test.
sub sh {
    my ($command, $expected) = @_;

    $aopctl{$_} = 1 for $command =~ /^(aopctl .*)$/gm;

    $command =~ s{\bprobe \K(.*)127\.0\.0\.1}
                 {${1}127.0.0.1:$tls --http-port $plain};
    $command =~ s{\b(example\.com:)443:}{$1$tls:}g;
    $command =~ s{(https://example\.com)/}{$1:$tls/}g;
    $command =~ s{\baopctl report\K(?!.*--time)}{ --time 1s};
    $command =~ s{127\.0\.0\.1:8081}{127.0.0.1:$status}g;
    $command =~ s{/var/log/nginx/|/etc/nginx/}{$dir/}g;

    my $pid = open my $fh, '-|';
    die "fork() failed: $!" unless defined $pid;

    if ($pid == 0) {
        chdir $work;
        delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};
        $ENV{PATH} = "$dir/bin:$ENV{PATH}";

        open STDIN, '<', '/dev/null';
        open STDERR, '>&', \*STDOUT;

        exec 'bash', '-e', '-o', 'pipefail', '-c', $command
            or POSIX::_exit(127);
    }

    local $/;
    my $output = <$fh>;
    close $fh;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($?, ($expected || 0) << 8, 'runs: ' . (split /\n/, $command)[0])
        or diag $output;

    return defined $output ? $output : '';
}
