#!/usr/bin/perl

# An nginx that the module cannot support is refused when nginx is configured,
# in one line and before anything is compiled.  "config" is run as nginx's
# auto/modules runs it, in a tree that has just what it looks at.

use strict;
use warnings;

use Test::More;

use AOP::Test;
use File::Path qw(make_path);
use File::Temp qw(tempdir);

my $checkout = AOP::Test::checkout();
my $cc       = $ENV{CC} || 'cc';

plan skip_all => "there is no $cc" if system "$cc --version > /dev/null 2>&1";


# put($file, $text): writes a file, and the folders it is in.
sub put {
    my ($file, $text) = @_;

    my ($folder) = $file =~ m{^(.*)/};

    make_path($folder);
    open my $out, '>', $file or die "$file: $!\n";
    print {$out} $text;
    close $out;
}


# configured(%nginx): what is said.  version: nginx's, as a number; ssl, http:
# configured with; openssl: --with-openssl=DIR, with these files in it;
# headers: files in a folder that --with-cc-opt names; link: DYNAMIC or ADDON.
sub configured {
    my (%nginx) = (version => 1018000, ssl => 'YES', http => 'YES',
                   link => 'DYNAMIC', @_);

    my $tree = tempdir(CLEANUP => 1);
    my $opt  = '';
    my $dir  = 'NONE';

    put("$tree/src/core/nginx.h",
        "#define nginx_version      $nginx{version}\n");
    put("$tree/auto/module", "echo taken: \$ngx_module_incs\n");
    put("$tree/objs/empty", '');

    for my $name (keys %{ $nginx{headers} || {} }) {
        put("$tree/headers/openssl/$name", $nginx{headers}{$name});
        $opt = '-I headers';
    }

    for my $name (keys %{ $nginx{openssl} || {} }) {
        put("$tree/openssl/$name", $nginx{openssl}{$name});
        $dir = 'openssl';
    }

    make_path(map { "$tree/$_" } @{ $nginx{folders} || [] });

    my $said = qx{cd $tree && HTTP=$nginx{http} HTTP_SSL=$nginx{ssl} \\
                  OPENSSL=$dir NGX_CC_OPT='$opt' CC='$cc' NGX_OBJS=objs \\
                  NGX_AUTOTEST=objs/autotest \\
                  NGX_AUTOCONF_ERR=objs/autoconf.err \\
                  ngx_module_link=$nginx{link} \\
                  ngx_addon_dir='$checkout' \\
                  sh -c '. "\$ngx_addon_dir/config"' ./configure 2>&1};

    $said =~ s/^\s+|\s+$//g;

    return $said;
}


# text($file): the text of a file of the checkout.
sub text {
    my ($name) = @_;

    open my $in, '<', "$checkout/$name" or die "$name: $!\n";
    local $/;

    return scalar <$in>;
}


my $REFUSED = './configure: error: ngx_http_aop_module requires';

my %libressl = ('opensslv.h' => <<'END');
#define LIBRESSL_VERSION_NUMBER 0x4010000fL
#define OPENSSL_VERSION_NUMBER  0x20000000L
END

my %boringssl = (
    'opensslv.h' => "#include \"base.h\"\n",
    'base.h'     => "#define OPENSSL_IS_BORINGSSL\n"
                    . "#define OPENSSL_VERSION_NUMBER 0x1010107f\n",
);

my %awslc = (
    'opensslv.h' => "#include \"base.h\"\n",
    'base.h'     => "#define OPENSSL_IS_AWSLC\n"
                    . "#define OPENSSL_VERSION_NUMBER 0x1010107f\n",
);

my %old = ('opensslv.h' => "#define OPENSSL_VERSION_NUMBER 0x100020dfL\n");
my %new = ('opensslv.h' => "#define OPENSSL_VERSION_NUMBER 0x1010100fL\n");


# in_tree(%headers): the same in a tree that --with-openssl=DIR names.
sub in_tree {
    my (%header) = @_;

    return { map { ("include/openssl/$_" => $header{$_}) } keys %header };
}


for my $link (qw(DYNAMIC ADDON)) {
    my $is = sub {
        my ($nginx, $wanted, $name) = @_;

        is(configured(%$nginx, link => $link), $wanted, "$link: $name");
    };

    like(configured(link => $link), qr/^taken: /, "$link: nginx 1.18.0");

    $is->({ version => 1017010 }, "$REFUSED nginx 1.18.0 or later",
          'nginx 1.17.10');
    $is->({ http => 'NO' },
          "$REFUSED HTTP (remove --without-http from the arguments)",
          'nginx without HTTP');
    $is->({ ssl => 'NO' },
          "$REFUSED --with-http_ssl_module (add it to the arguments)",
          'nginx without TLS');

    $is->({ headers => \%libressl },
          "$REFUSED OpenSSL, and does not work with LibreSSL", 'LibreSSL');
    $is->({ headers => \%boringssl },
          "$REFUSED OpenSSL, and does not work with BoringSSL", 'BoringSSL');
    $is->({ headers => \%awslc },
          "$REFUSED OpenSSL, and does not work with AWS-LC", 'AWS-LC');
    $is->({ headers => \%old }, "$REFUSED OpenSSL 1.1.1 or later",
          'OpenSSL 1.0.2');
    like(configured(headers => \%new, link => $link), qr/^taken: /,
         "$link: OpenSSL 1.1.1");

    $is->({ openssl => in_tree(%libressl) },
          "$REFUSED OpenSSL, and does not work with LibreSSL",
          'LibreSSL in --with-openssl=DIR');
    $is->({ openssl => in_tree(%boringssl) },
          "$REFUSED OpenSSL, and does not work with BoringSSL",
          'BoringSSL in --with-openssl=DIR');
    $is->({ openssl => in_tree(%old) }, "$REFUSED OpenSSL 1.1.1 or later",
          'OpenSSL 1.0.2 in --with-openssl=DIR');
    like(configured(openssl => in_tree(%new), link => $link), qr/^taken: /,
         "$link: OpenSSL 1.1.1 in --with-openssl=DIR");
}

like(configured(openssl => { 'VERSION.dat' => "MAJOR=3\n" },
                headers => \%libressl),
     qr/^taken: /, 'OpenSSL 3 that is not built yet, whatever else is there');

like(configured(folders => ['src/http/v2', 'src/http/v3']),
     qr{ src/http/v2 src/http/v3$},
     'the headers of HTTP/2 and HTTP/3 are found where they are not asked for');

# What aopctl is compiled with is asked for wherever it is built: a header of
# the Makefile's list is in a package of each.

my %PACKAGED = (
    'archive.h'         => [qw(libarchive-dev libarchive-devel libarchive-dev)],
    'curl/curl.h'       => [qw(libcurl4-openssl-dev libcurl-devel curl-dev)],
    'jansson.h'         => [qw(libjansson-dev jansson-devel jansson-dev)],
    'nghttp2/nghttp2.h' => [qw(libnghttp2-dev libnghttp2-devel nghttp2-dev)],
    'pcre2.h'           => [qw(libpcre2-dev pcre2-devel pcre2-dev)],
    'zlib.h'            => [qw(zlib1g-dev zlib-devel zlib-dev)],
);

my ($headers) = text('Makefile') =~ /^tool_has .* '(?:.*?)' ((?:.*\\\n)+?)\s*\|/m;

is_deeply([ sort grep { /\.h$/ } split ' ', $headers ], [ sort keys %PACKAGED ],
          'the headers that aopctl needs');

for my $header (sort keys %PACKAGED) {
    my ($deb, $rpm, $apk) = @{ $PACKAGED{$header} };

    like(text('debian/control'), qr/^ *(?:Build-Depends: )?\Q$deb\E,?$/m,
         "$header: debian/control");
    like(text('contrib/rpm/nginx-module-aop.spec'),
         qr/^BuildRequires: +\Q$rpm\E$/m, "$header: the RPM spec");
    like(text('contrib/docker/Dockerfile'), qr/ \Q$deb\E[ ;]/,
         "$header: Dockerfile, Debian");
    like(text('contrib/docker/Dockerfile'), qr/ \Q$apk\E[ ;]/,
         "$header: Dockerfile, Alpine");
}

# The module builder of nginx.org's packaging tool searches it for these.

open my $file, '<', "$checkout/config" or die "config: $!\n";
my @lines = <$file>;
close $file;

is(scalar(grep { m{\.\sauto/module} } @lines), 1, 'found to be dynamic');
is_deeply([ map { /ngx_module_name=(.*)/ ? $1 : () } @lines ],
          ['ngx_http_aop_module'], 'the name of the .so is found');

done_testing();
