#!/usr/bin/perl

# What an earlier build left behind does not break the next one: a header or a
# source of the core that was moved or renamed.  A small tree is built, with the
# Makefile of the real one.

use strict;
use warnings;

use FindBin;

use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;

my $dir  = tempdir(CLEANUP => 1);
my $core = "$dir/src/core";

make_path($core, "$dir/t/tools", "$dir/src/conn");
copy("$FindBin::Bin/../Makefile", "$dir/Makefile") or die "Makefile: $!\n";

put('ngx_aop_a.h', "int ngx_aop_a(void);\n");
put('ngx_aop_a.c', qq(#include "ngx_aop_a.h"\n\nint\nngx_aop_a(void)\n{\n)
                   . "    return 1;\n}\n");
put('ngx_aop_b.c', qq(#include "ngx_aop_a.h"\n\nint  ngx_aop_b = 1;\n));

builds('a first time', qw(ngx_aop_a.o ngx_aop_b.o));

# of what it is made of, only the header is newer than the object

my $object = "$dir/b/unit/core/ngx_aop_b.o";
my $now    = time;

age(200, glob("$core/*"), "$dir/b/tool.facts");
age(100, glob("$dir/b/unit/core/*"), "$dir/b/unit/core.a");
age(50, "$core/ngx_aop_a.h");

builds('after a change of a header', qw(ngx_aop_a.o ngx_aop_b.o));

cmp_ok((stat $object)[9], '>', $now - 50, 'what includes it is compiled again');

rename "$core/ngx_aop_a.h", "$core/ngx_aop_c.h" or die "rename: $!\n";
put("ngx_aop_$_.c", get("ngx_aop_$_.c") =~ s/_a\.h/_c.h/r) for qw(a b);

builds('after a header was renamed', qw(ngx_aop_a.o ngx_aop_b.o));

rename "$core/ngx_aop_a.c", "$core/ngx_aop_c.c" or die "rename: $!\n";

builds('after a source was renamed', qw(ngx_aop_b.o ngx_aop_c.o));

rename "$core/ngx_aop_c.h", "$dir/src/conn/ngx_aop_c.h" or die "rename: $!\n";

builds('after a header was moved to another room', qw(ngx_aop_b.o ngx_aop_c.o));

done_testing();


# builds($when, @objects): make builds the core, of these.
sub builds {
    my ($when, @objects) = @_;

    local $ENV{MAKEFLAGS};
    delete $ENV{MAKEFLAGS};

    my $said = qx{make -C '$dir' BUILD=b b/unit/core.a 2>&1};

    is($?, 0, "it builds $when") or diag $said;
    is(join(' ', sort split ' ', qx{ar t '$dir/b/unit/core.a'}), "@objects",
       "of what there is $when");
}


# age($seconds, @files): makes them as old as that.
sub age {
    my ($seconds, @files) = @_;

    utime($now - $seconds, $now - $seconds, $_) or die "$_: $!\n" for @files;
}


sub put {
    my ($name, $text) = @_;

    open my $fh, '>', "$core/$name" or die "$name: $!\n";
    print {$fh} $text;
    close $fh or die "$name: $!\n";
}


sub get {
    my ($name) = @_;

    open my $fh, '<', "$core/$name" or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}
