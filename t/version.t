#!/usr/bin/perl

# One version everywhere: the header says which.  And nothing is without a name
# in the documents or without a test: a directive, a variable, a verdict.

use strict;
use warnings;

use FindBin;
use Test::More;

my $top = "$FindBin::Bin/..";

# text($file): what is in a file of the tree.
sub text {
    my ($file) = @_;

    open my $fh, '<', "$top/$file" or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

my ($version) = text('src/core/ngx_aop_version.h')
                =~ /^#define NGX_HTTP_AOP_VERSION\s+"([\d.]+)"$/m;

like($version, qr/^\d+\.\d+\.\d+$/, 'the header has a version');

my ($changes) = text('CHANGES')
                =~ /\A\nChanges with ngx_http_aop_module (\S+) .*\d{4}$/m;

is($changes, $version, 'CHANGES begins with it');

my ($package) = text('debian/changelog')
                =~ /\A\S+ \(([\d.]+)-\d+\) /;

is($package, $version, 'debian/changelog begins with it');

my $spec = text('contrib/rpm/nginx-module-aop.spec');

is(($spec =~ /^Version:\s+(\S+)$/m)[0], $version, 'the RPM spec has it');
is(($spec =~ /^%changelog\n\* .* - ([\d.]+)-\d+$/m)[0], $version,
   'and its changelog begins with it');

is((text('contrib/pkg-oss/Makefile.module-aop')
    =~ /^MODULE_VERSION_aop=\s+(\S+)$/m)[0], $version,
   "nginx.org's packaging has it");
is(join(' ', text('contrib/pkg-oss/README') =~ /module-([\d.]+\d)/g),
   "$version $version", 'and its README');

SKIP: {
    my $aopctl = $ENV{AOPCTL} || '';

    skip 'aopctl is not built', 1 unless -x $aopctl;

    like(scalar `$aopctl --version`, qr/^aopctl \Q$version\E[, ]/,
         'aopctl says it');
}

# Every directive, variable and verdict.

my @directives = text('ngx_http_aop_module.c') =~ /ngx_string\("(aop\w*)"\)/g;
my @variables  = grep { /^aop_/ } text('src/request/ngx_http_aop_variables.c')
                                  =~ /"(aop_\w+)"/g;
my @verdicts   = text('src/core/ngx_aop_verdict.c')
                 =~ /^ {4}\[NGX_AOP_\w+\] = \{\s+"(\w+)",/mg;

# each of a row, as the compiler counts them
is(scalar @verdicts, scalar(() = text('src/core/ngx_aop_verdict.h')
                                 =~ /^ {4}NGX_AOP_VERDICT_\w+(?: = 0)?,/mg),
   'the verdicts are found');
is(scalar @variables, scalar(() = text('src/request/ngx_http_aop_variables.c')
                                  =~ /^ {4}ngx_http_aop_var\(/mg),
   'the variables are found');
cmp_ok(@directives, '>', 0, 'the directives are found');

# the man page is made of the documents

is(text('debian/ngx_http_aop_module.5'), scalar `"$top/t/tools/man-page"`,
   'the man page is that of the documents: else "make man"');

SKIP: {
    skip 'no man(1)', 1 unless grep { -x "$_/man" } split /:/, $ENV{PATH};

    is(scalar `man --warnings -E UTF-8 -Tutf8 -l "$top/debian/ngx_http_aop_module.5" 2>&1 > /dev/null`,
       '', 'and has no fault');
}

# whoever adds one has something to do: what is missing is named

my $tests = join '', map { text(s{^\Q$top\E/}{}r) }
            grep { !m{/version\.t$} } glob "$top/t/*.t $top/t/lib/AOP/*.pm";

my %document = map { $_ => text($_) }
               qw(docs/directives.md docs/variables.md docs/troubleshooting.md
                  CHANGES);

is_deeply([ grep { $tests !~ /\b$_\b/ } @directives ], [],
          'each directive has a test');
is_deeply([ grep { $tests !~ /\b$_\b/ } @variables ], [],
          'each variable has a test');
is_deeply([ grep { $tests !~ /\b$_\b/ } @verdicts ], [],
          'each verdict has a test');

for my $file ('docs/directives.md', 'CHANGES') {
    is_deeply([ grep { $document{$file} !~ /\b$_\b/ } @directives ], [],
              "each directive is in $file");
}

is_deeply([ grep { $document{'docs/directives.md'} !~ /^## $_$/m }
            @directives ], [], 'each directive has a heading');
is_deeply([ grep { $document{'docs/variables.md'} !~ /^\| `\$$_` \| /m }
            @variables ], [], 'each variable is in docs/variables.md');
is_deeply([ grep { $document{'docs/troubleshooting.md'} !~ /^### $_$/m }
            @verdicts ], [], 'each verdict has a heading to link to');

done_testing();
