#!/usr/bin/perl

# Which nginx a module is built for, and from which headers: what cannot fit is
# refused before anything is compiled, with the file to fetch.  nginx is a script
# here that says what nginx, or one that was made from it, says of itself.

use strict;
use warnings;

use Test::More;

use AOP::Test;
use File::Path qw(make_path);
use File::Temp qw(tempdir);

my $checkout = AOP::Test::checkout();
my $cc       = $ENV{CC} || 'cc';
my $top      = tempdir(CLEANUP => 1);
my $folder   = "$top/a folder";

plan skip_all => "there is no $cc" if system "$cc --version > /dev/null 2>&1";


# "make test CONFIGURE=..." exports it
delete $ENV{CONFIGURE};

# apt knows of one version
$ENV{PATH} = "$folder/bin:$ENV{PATH}";


# put($file, $text, $mode): writes a file of the folder.
sub put {
    my ($file, $text, $mode) = @_;

    my ($in) = "$folder/$file" =~ m{^(.*)/};

    make_path($in);
    open my $out, '>', "$folder/$file" or die "$file: $!\n";
    print {$out} $text;
    close $out;
    chmod $mode || 0644, "$folder/$file";

    return "$folder/$file";
}


# facts($about, $headers, %env): what nginx-facts says of an nginx that says
# $about, with the defines in $headers.  OpenSSL's headers are 3.0's.
sub facts {
    my ($about, $headers, %env) = @_;

    local @ENV{keys %env} = values %env;

    my $ssl = put('include/openssl/opensslv.h',
                  "#define OPENSSL_VERSION_TEXT \"OpenSSL 3.0.1 1 Jan 2026\"\n");
    my ($include) = $ssl =~ m{^(.*)/openssl/};

    symlink $include, "$top/include" unless -e "$top/include";

    $about .= "\nbuilt with OpenSSL 3.0.2 1 Jan 2026 (running with OpenSSL"
              . ' 3.0.3 2 Jan 2026)' unless $about =~ /^built with|no TLS/m;
    $about =~ s/no TLS//;
    $about .= "\nconfigure arguments: --with-cc-opt='-I $top/include'"
              . ' --modules-path=/modules' unless $about =~ /^configure /m;

    my $nginx = put('nginx', "#!/bin/sh\ncat >&2 << 'END'\n$about\nEND\n",
                    0755);

    system 'rm', '-rf', "$folder/source";
    put('source/auto/options', '');
    put("source/src/core/$_", $headers->{$_}) for keys %$headers;

    open my $pipe, '-|', qq{'$checkout/t/tools/nginx-facts' '$nginx' \\
                            '$folder/source' 2>&1} or die;
    my $said = join '', <$pipe>;
    close $pipe;

    $said =~ s/\Q$folder\E/DIR/g;

    return $said;
}


put('bin/apt-cache', "#!/bin/sh\necho ' nginx-dev |   1.29.2-1 | site'\n", 0755);

my $plain = { 'nginx.h' => <<'END' };
#define NGINX_VERSION      "1.29.2"
#define NGINX_VER          "nginx/" NGINX_VERSION
END

my $ubuntu = { 'nginx.h' => <<'END' };
#define NGINX_VERSION      "1.29.2"
#define NGINX_VER          "nginx/" NGINX_VERSION " (Ubuntu)"
END

my $openresty = { 'nginx.h' => <<'END' };
#define NGINX_VERSION      "1.29.2"
#define NGINX_VER          "openresty/" NGINX_VERSION ".5"
END

my $angie = { 'nginx.h' => $plain->{'nginx.h'}, 'angie.h' => <<'END' };
#define ANGIE_VERSION      "1.12.0"
#define ANGIE_VER          "Angie/" ANGIE_VERSION
END

my $freenginx = { 'nginx.h' => <<'END' };
#define NGINX_VERSION      "1.29.2"
#define NGINX_VER          "freenginx/" NGINX_VERSION
END

my $tengine = { 'nginx.h' => $plain->{'nginx.h'} . <<'END' };
#define TENGINE_VERSION    "3.2.0"
#define TENGINE_VER        "Tengine/" TENGINE_VERSION
END

my @PRODUCTS = (
    [ 'nginx version: nginx/1.29.2', $plain, 'nginx/1.29.2',
      'https://nginx.org/download/nginx-1.29.2.tar.gz' ],
    [ 'nginx version: nginx/1.29.2 (Ubuntu)', $plain, 'nginx/1.29.2',
      'https://nginx.org/download/nginx-1.29.2.tar.gz' ],
    [ 'nginx version: nginx/1.29.2 (Ubuntu)', $ubuntu, 'nginx/1.29.2',
      'https://nginx.org/download/nginx-1.29.2.tar.gz' ],
    [ 'nginx version: openresty/1.29.2.5', $openresty, 'openresty/1.29.2.5',
      'https://openresty.org/download/openresty-1.29.2.5.tar.gz' ],
    [ 'Angie version: Angie/1.12.0', $angie, 'Angie/1.12.0',
      'https://download.angie.software/files/angie-1.12.0.tar.gz' ],
    [ 'freenginx version: freenginx/1.29.2', $freenginx, 'freenginx/1.29.2',
      'https://freenginx.org/download/freenginx-1.29.2.tar.gz' ],
    [ "Tengine version: Tengine/3.2.0\nnginx version: nginx/1.29.2", $tengine,
      'Tengine/3.2.0',
      'https://tengine.taobao.org/download/tengine-3.2.0.tar.gz' ],
);

for my $product (@PRODUCTS) {
    my ($about, $headers, $name, $site) = @$product;

    like(facts($about, $headers), qr/\Anginx: \Q$name\E, /,
         "$name: its own headers");

    my $other = { 'nginx.h' => $headers->{'nginx.h'} =~ s/1\.29\.2/1.29.1/r
                                                 =~ s/3\.2\.0/3.1.0/r };
    $other->{'angie.h'} = $headers->{'angie.h'} =~ s/1\.12/1.11/r
        if $headers->{'angie.h'};

    like(facts($about, $other),
         qr/^The\ headers\ are\ not\ those\ of\ this\ nginx:\n
            \ +DIR\S*\ is\ \Q$name\E\n .* ^unpack\ \Q$site\E$/msx,
         "$name: headers of another version");
    like(facts($about, {}),
         qr/^There\ are\ no\ nginx\ headers\ in .* ^unpack\ \Q$site\E$/msx,
         "$name: no headers");
}

like(facts('nginx version: openresty/1.29.2.5', $plain),
     qr{headers are in bundle/nginx-1\.29\.2},
     'OpenResty: where its headers are');
like(facts('nginx version: nginx/1.29.2', $freenginx),
     qr/are not those of this nginx/, 'headers of another nginx of that version');

my $nginx = 'nginx version: nginx/1.29.2';

for my $library ('OpenSSL 1.1.1 (compatible; BoringSSL) (running with BoringSSL)',
                 'OpenSSL 1.1.1 (compatible; AWS-LC 1.51.0)', 'LibreSSL 4.1.0',
                 'OpenSSL 1.0.2k-fips  26 Jan 2017', 'OpenSSL 1.1.0l') {
    like(facts("$nginx\nbuilt with $library", $plain),
         qr/was built with \Q$library\E;\nthis module needs OpenSSL 1\.1\.1 or/,
         "nginx with $library");
}

like(facts("$nginx\nno TLS", $plain), qr/it has no TLS at all/,
     'nginx without TLS');
like(facts("$nginx\nbuilt with OpenSSL 4.0.3 1 Jan 2026", $plain),
     qr/nginx was built with OpenSSL 4\.0\.3\n +the headers are of OpenSSL 3/,
     'OpenSSL of another series');

my $facts = facts($nginx, $plain);

like($facts, qr/^openssl: OpenSSL 3\.0\.1, nginx was built with OpenSSL 3\.0\.2$/m,
     "OpenSSL's headers are looked up with nginx's own -I");
like($facts, qr{^modules: /modules$}m, 'the folder of the modules');

like(facts("$nginx\nconfigure arguments: --with-cc-opt=-specs=/none/hardened",
           $plain),
     qr/rejects the flags.*redhat-rpm-config/s, 'flags of a package not there');

like(facts($nginx, {}), qr/^Install nginx-dev \("make deps" does\), or$/m,
     'no headers, where a package has them');
like(facts('nginx version: nginx/1.29.20', {}),
     qr/\AThere are no nginx headers in \S+\nunpack/,
     'no headers, where the package is of another version');

# What the headers are configured with: the arguments of nginx, but for what
# belongs to others.

# configured($arguments, %env): what nginx-configure hands to configure.
sub configured {
    my ($arguments, %env) = @_;

    local @ENV{keys %env} = values %env;

    my $nginx = put('nginx', "#!/bin/sh\ncat >&2 << 'END'\n"
                             . "configure arguments: $arguments\nEND\n", 0755);

    system 'rm', '-rf', "$folder/source", "$folder/tree";
    put('source/configure', "#!/bin/sh\nprintf '%s\\n' \"\$@\" > arguments\n"
                            . "touch pcre/touched zlib/touched\n"
                            . "echo \"\$AOP_CFLAGS\" > flags\n", 0755);
    put('module/config', "ngx_addon_name=ngx_some_module\n");

    system "$checkout/t/tools/nginx-configure", $nginx, "$folder/source",
           "$folder/tree", "$folder/module";

    open my $file, '<', "$folder/tree/arguments" or return 'not configured';
    chomp(my @arguments = <$file>);
    close $file;

    s/\Q$folder\E/DIR/g for @arguments;

    return join ' | ', @arguments;
}

is(configured("--prefix=/x --with-cc-opt='-O2 -g' --with-http_v2_module"),
   '--prefix=/x | --with-http_v2_module | --with-cc-opt=-O2 -g'
   . ' | --add-dynamic-module=aop/ngx_some_module',
   "configured with nginx's own arguments");
is(configured('--with-http_v2_module --add-module=/x --add-dynamic-module=/y'
              . ' --with-stream=dynamic --with-http_perl_module'),
   '--with-http_v2_module | --add-dynamic-module=aop/ngx_some_module',
   'but for other modules');
is(configured('--with-http_v2_module',
              CONFIGURE => '--with-compat --with-http_ssl_module'),
   '--with-compat | --with-http_ssl_module'
   . ' | --add-dynamic-module=aop/ngx_some_module',
   'or with those of CONFIGURE');

put("$_/marker", '') for qw(openssl/.openssl/include pcre zlib);

is(configured("--with-pcre='$folder/pcre' --with-openssl='$folder/openssl'"
              . " --with-zlib='$folder/zlib' --with-pcre-opt=-O3"),
   '--with-pcre=pcre | --with-zlib=zlib'
   . ' | --with-cc-opt= -IDIR/openssl/.openssl/include'
   . ' | --add-dynamic-module=aop/ngx_some_module',
   'the trees of libraries are copied, of OpenSSL only headers are used');
ok(-e "$folder/tree/pcre/touched" && !-e "$folder/pcre/touched"
   && !-e "$folder/zlib/touched", 'and are not touched');
is(configured('--with-pcre=/none/pcre --with-openssl=/none/openssl'),
   '--add-dynamic-module=aop/ngx_some_module',
   'trees that are not there any more are not asked for');

put('bin/aop-ccache', "#!/bin/sh\nexec \"\$@\"\n", 0755);

like(facts($nginx, $plain, CC => "aop-ccache $cc"),
     qr/^compiler: \S/m, 'a compiler of two words');
like(facts($nginx, $plain, CC => 'aop-none gcc'),
     qr/^There is no C compiler \(aop-none gcc\)\.$/m, 'no compiler');

done_testing();
