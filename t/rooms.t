#!/usr/bin/perl

# The rooms of src and aopctl, as docs/architecture.md draws them: t/tools/
# check-rooms finds nothing wrong with what was built, and does find what is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use File::Basename qw(basename dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;

my $top   = abs_path("$FindBin::Bin/..");
my $check = "$top/t/tools/check-rooms";
my $build = dirname($ENV{AOP_MODULE} // "$top/build/ngx_http_aop_module.so");
my $cc    = $ENV{CC} // 'cc';
my $kept  = tempdir(CLEANUP => 1);      # what is compiled more than once


# check($folder, @objects): the status, and what was printed.
sub check {
    my ($folder, @objects) = @_;

    my $pid = open my $out, '-|' // die "fork() failed: $!\n";

    if (!$pid) {
        open STDERR, '>&', \*STDOUT or die "open() failed: $!\n";
        chdir $folder or die "$folder: $!\n";
        exec $check, @objects or die "$check: $!\n";
    }

    my $said = do { local $/; <$out> };
    close $out;

    return ($? >> 8, $said);
}


# tree(%files): what check-rooms says of a tree of these files, compiled.
sub tree {
    my (%files) = @_;

    my $dir = tempdir(CLEANUP => 1);

    for my $path (keys %files) {
        make_path(dirname("$dir/$path"));
        open my $fh, '>', "$dir/$path" or die "$path: $!\n";
        print $fh $files{$path};
        close $fh or die "$path: $!\n";
    }

    make_path("$dir/objs");

    for my $path (grep { /\.c$/ } keys %files) {
        my $object = "$dir/objs/" . $path =~ s{^(?:src|aopctl)/}{}r
                     =~ s/\.c$/.o/r;

        make_path(dirname($object));

        my $kept = "$kept/" . sha256_hex("$path $files{$path}");

        system($cc, '-w', '-c', '-o', $kept,
               map({ "-I$dir/$_" } qw(src/core src/conn src/stats)),
               "$dir/$path") == 0 or die "$path was not compiled\n"
            unless -f $kept;

        link $kept, $object or die "$object: $!\n";
    }

    return check($dir, "$dir/objs");
}


SKIP: {
    skip 'aopctl is not built', 2 unless -d "$build/ctl";

    my ($status, $said) = check($top, "$build/nginx/objs", "$build/ctl");

    is($status, 0, 'the rooms are in order') or diag $said;

    my ($names, $calls) = $said =~ /(\d+) external names, (\d+) calls/;
    cmp_ok($calls // 0, '>', 100, 'there was something to check');
    note $said;
}


my %good = (
    'src/core/ngx_aop_a.h'      => "int ngx_aop_a(void);\n",
    'src/core/ngx_aop_a.c'      => "int ngx_aop_a(void)\n{\n    return 1;\n}\n",
    'src/conn/ngx_http_aop_b.c' => qq(#include "ngx_aop_a.h"\n)
                        . "int ngx_http_aop_b(void)\n{\n    return ngx_aop_a();\n}\n",
);

my ($status, $said) = tree(%good);

is($status, 0, 'a tree in order') or diag $said;
like($said, qr/^rooms: 3 files, 1 includes, 2 external names, 1 calls/m,
     'it was looked at');

# what is wrong, what makes it so, and what is said of it

my @wrong = (
    [ 'an include upward', qr/^src\/core\/ngx_aop_c\.c:1: includes \S+_d\.h/m,
      'src/core/ngx_aop_c.c' => qq(#include "ngx_http_aop_d.h"\n),
      'src/conn/ngx_http_aop_d.h' => "\n" ],

    [ 'a call upward', qr/^src\/core\/ngx_aop_c\.c: calls ngx_http_aop_b /m,
      'src/core/ngx_aop_c.c' => "int ngx_http_aop_b(void);\n"
               . "int ngx_aop_c(void)\n{\n    return ngx_http_aop_b();\n}\n" ],

    [ 'a circle', qr/^src\/core\/ngx_aop_c\.c: depends on itself/m,
      'src/core/ngx_aop_c.c' => "int ngx_aop_d(void);\n"
               . "int ngx_aop_c(void)\n{\n    return ngx_aop_d();\n}\n",
      'src/core/ngx_aop_d.c' => "int ngx_aop_c(void);\n"
               . "int ngx_aop_d(void)\n{\n    return ngx_aop_c();\n}\n" ],

    [ 'a wrong name', qr/external name ngx_aop_other does not begin with/,
      'src/core/ngx_aop_c.c' => "int ngx_aop_other;\n" ],

    [ 'a longer name', qr/external name ngx_aop_cd does not begin with/,
      'src/core/ngx_aop_c.c' => "int ngx_aop_cd;\n" ],

    [ 'a long line', qr/^src\/core\/ngx_aop_c\.h:2: more than 80 columns/m,
      'src/core/ngx_aop_c.h' => '/' . '*' x 78 . "/\n/" . '*' x 79 . "/\n" ],

    [ 'a long function', qr/^src\/core\/ngx_aop_c\.c:2: a function of 65/m,
      'src/core/ngx_aop_c.c' => "int ngx_aop_c(void)\n{\n"
               . "    ;\n" x 62 . "    return 1;\n}\n" ],

    [ 'a tab', qr/^src\/core\/ngx_aop_c\.h:1: a tab, or a blank/m,
      'src/core/ngx_aop_c.h' => "int\tngx_aop_c;\n" ],

    [ 'a blank at the end', qr/^src\/core\/ngx_aop_c\.h:2: a tab, or a blank/m,
      'src/core/ngx_aop_c.h' => "\nint  ngx_aop_c; \n" ],

    [ 'one empty line', qr/^src\/core\/ngx_aop_c\.c:7: not two empty lines/m,
      'src/core/ngx_aop_c.c' => "int\nngx_aop_c(void)\n{\n    return 1;\n}\n"
               . "\nint  ngx_aop_c_d;\n" ],

    [ 'one blank after a type', qr/^src\/core\/ngx_aop_c\.c:4: a declaration/m,
      'src/core/ngx_aop_c.c' => "int\nngx_aop_c(void)\n{\n"
               . "    int n;\n\n    n = 1;\n    return n;\n}\n" ],

    [ 'names in two columns', qr/^src\/core\/ngx_aop_c\.c:5: a declaration/m,
      'src/core/ngx_aop_c.c' => "int\nngx_aop_c(void)\n{\n"
               . "    int  n;\n    char  *p;\n\n    n = 1;\n    return n;\n}\n" ],

    [ 'an unknown room', qr/^src\/attic\/ngx_aop_c\.h: no such room/m,
      'src/attic/ngx_aop_c.h' => "\n" ],
);

for my $wrong (@wrong) {
    my ($name, $finding, %files) = @$wrong;

    ($status, $said) = tree(%good, %files);

    is($status, 1, "$name: exit status");
    like($said, $finding, "$name: found");
}

($status, $said) = check($top);

is($status, 1, 'nothing compiled: exit status');
like($said, qr/^src\/core\/ngx_aop_cert\.c: was not compiled$/m, 'found');


# A file that moves takes the tools that name it along; nginx has a src/core too.

for my $tool ("$top/Makefile", "$top/config", glob "$top/t/tools/*") {
    open my $fh, '<', $tool or die "$tool: $!\n";

    my @paths = map {
        m{(?<![\w/])((?:aopctl|src|t)/[a-z_/]+\.(?:[ch]|t|p[lm]))\b}g
    } <$fh>;
    my @gone  = grep {
        !m{^src/core/(?:nginx|angie)\.h$} && !-e "$top/$_"
    } @paths;

    is("@gone", '', basename($tool) . ': the files that it names exist')
        if @paths;
}

done_testing();
