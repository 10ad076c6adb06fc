#!/usr/bin/perl

# The module is the same bytes in whatever folder it was built, also in one whose
# name has spaces: no path of the builder's is in it.  nginx's configure is a
# script here that does what counts: it takes "config" in, and writes a Makefile.

use strict;
use warnings;

use Test::More;

use AOP::Test;
use File::Path qw(make_path);
use File::Temp qw(tempdir);

my $checkout = AOP::Test::checkout();
my $cc       = $ENV{CC} || 'cc';
my $top      = tempdir(CLEANUP => 1);

plan skip_all => "there is no $cc" if system "$cc --version > /dev/null 2>&1";


# "make test CONFIGURE=..." exports it
delete @ENV{qw(AOP_CFLAGS CONFIGURE)};


# put($file, $text, $mode): writes a file, and the folders it is in.
sub put {
    my ($file, $text, $mode) = @_;

    my ($in) = "$top/$file" =~ m{^(.*)/};

    make_path($in);
    open my $out, '>', "$top/$file" or die "$file: $!\n";
    print {$out} $text;
    close $out;
    chmod $mode || 0644, "$top/$file";
}


# built($folder): the bytes of the module that is built in this folder.
sub built {
    my ($folder) = @_;

    make_path("$top/$folder");

    my $said = qx{cd '$top/$folder' && CC='$cc' \\
                  '$checkout/t/tools/nginx-configure' '$top/nginx' \\
                  '$top/source' "\$PWD/tree" '$top/module' 2>&1 \\
                  && make -s --no-print-directory -C tree -f objs/Makefile \\
                          modules 2>&1};

    is($said, '', "$folder: built without a word");

    open my $in, '<:raw', "$top/$folder/tree/objs/module.so" or return '';
    local $/;

    return scalar <$in>;
}


put('nginx', "#!/bin/sh\necho \"configure arguments: --with-compat\" >&2\n", 0755);

put('source/configure', <<'END', 0755);
#!/bin/sh

mkdir objs
NGX_OBJS=objs NGX_AUTOTEST=objs/autotest NGX_AUTOCONF_ERR=objs/autoconf.err
HTTP=YES HTTP_SSL=YES ngx_module_link=DYNAMIC

for argument do
    case $argument in
        --add-dynamic-module=*)
            ngx_addon_dir=${argument#*=}
            . $ngx_addon_dir/config ;;
    esac
done
END

put('source/auto/module', <<'END');
cat << MAKE > objs/Makefile
CFLAGS = -g -fPIC $CFLAGS
modules:
	$CC \$(CFLAGS) -shared -o objs/module.so $ngx_addon_dir/$ngx_addon_name.c
MAKE
END

put('source/src/core/nginx.h', "#define nginx_version      1018000\n");

put('module/ngx_http_aop_module.c',
    "const char  *module = __FILE__;\n");
make_path("$top/module/src");
system('cp', "$checkout/config", "$top/module") == 0 or die "no config: $!\n";

my $here = built('here');

like($here, qr/ngx_http_aop_module\.c/, 'names of files are in it');
unlike($here, qr/\Q$top\E/, 'and no path of the folder');

for my $folder ('over/there', 'two words', q{$and more}) {
    my $there = built($folder);

    if ($folder =~ /\$/) {
        isnt($there, '', "$folder: built, with its path in it");
        next;
    }

    ok($there eq $here, "$folder: the same bytes");
}

done_testing();
