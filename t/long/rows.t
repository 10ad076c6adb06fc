#!/usr/bin/perl

# A row more: what to do for a new verdict or directive is what the tests say.
# In a copy of the tree each gets its row, and no test fails but those that ask
# for its documents and for a test; with these none does.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp qw(tempdir);
use Test::More;
use AOP::Test;

use constant WORD => 'unheard_of';

my $top  = AOP::Test::checkout();
my $tree = tempdir(CLEANUP => 1);
my ($said, %output);

alarm 3600;

delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};

$ENV{AOP_MODULE} = "$tree/build/ngx_http_aop_module.so";
$ENV{AOPCTL}     = "$tree/build/aopctl";

system("$top/t/tools/copy-tree", $tree) == 0 or die "no copy of the tree\n";

# the verdict: its enumerator, and its row

edit('src/core/ngx_aop_verdict.h',
     qr/(?=    NGX_AOP_VERDICT_ERROR,\n)/,
     '    NGX_AOP_VERDICT_' . uc(WORD) . ",\n");
edit('src/core/ngx_aop_verdict.c',
     qr/(?=    \[NGX_AOP_VERDICT_ERROR\] = \{\n)/, <<'ROW' =~ s/WORD/WORD/er);
    [NGX_AOP_VERDICT_UNHEARD_OF] = {
        "WORD",
        "there is something new about the certificate",
        NGX_AOP_CERT_ERROR,
        { ngx_aop_anyone("see the reason, and issue it again") },
        { NULL, NULL, NULL }
    },

ROW

like(make(q(test TESTS="$(echo t/unit/*.c)")), qr/^Result: PASS$/m,
     'a verdict more: the unit tests');

is_deeply(failed(qw(t/modes.t t/report.t t/json.t t/version.t t/docs.t
                    t/zone.t)), {
    't/version.t' => [ 'each verdict has a test',
                       'each verdict has a heading to link to' ],
    't/docs.t'    => [ 'verdicts' ],
    't/zone.t'    => [ 'a server takes that much' ],
}, 'without documents and a test of it: what fails') or diag values %output;

# what was asked for

my ($kb) = $output{'t/zone.t'} =~ /a server takes that much.*?'(\d+)/s;

edit('docs/troubleshooting.md', qr/(?=### error\n)/,
     '### ' . WORD . "\n\nCode 495. There is something new.\n\n");
edit('docs/directives.md', qr/server takes \K\d+(?= KB)/, $kb);
edit('t/modes.t', qr/(?=\ndone_testing)/, "\n# " . WORD . "\n");
make('man');

is_deeply(failed(qw(t/version.t t/docs.t t/zone.t)), {}, 'with these: nothing')
    or diag values %output;

# a directive

edit('ngx_http_aop_module.c', qr/(?=    \{ ngx_string\("aop_crl"\),\n)/, <<'ROW');
    { ngx_string("aop_unheard_of"),
      NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_aop_ca_set_crl,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

ROW

my @asked = ('each directive has a test',
             'each directive is in docs/directives.md',
             'each directive is in CHANGES', 'each directive has a heading');

is_deeply(failed('t/version.t'), { 't/version.t' => \@asked },
          'a directive more: what fails');

edit('docs/directives.md', qr/\z/, "\n## aop_unheard_of\n\nNew.\n");
edit('CHANGES', qr/\z/, "\n    *) Feature: aop_unheard_of.\n");
edit('t/modes.t', qr/(?=\ndone_testing)/, "\n# aop_unheard_of\n");

is_deeply(failed('t/version.t'), { 't/version.t' =>
              [ 'the man page is that of the documents: else "make man"' ] },
          'with these: the man page');

make('man');

is_deeply(failed('t/version.t'), {}, 'with it: nothing');

done_testing();


# edit($file, $where, $text): puts the text there, which must be one place.
sub edit {
    my ($file, $where, $text) = @_;

    open my $in, '<', "$tree/$file" or die "$file: $!\n";
    my $content = do { local $/; <$in> };

    ($content =~ s/$where/$text/) == 1 or die "$file: there is no such place\n";

    open my $out, '>', "$tree/$file" or die "$file: $!\n";
    print $out $content;
    close $out or die "$file: $!\n";
}


# make($arguments): what "make" in the copy says.
sub make {
    my ($arguments) = @_;

    my $output = `cd '$tree' && make $arguments 2>&1`;

    BAIL_OUT("make $arguments: $output") if $?;

    return $output;
}


# failed(@tests): the files that fail, and the names of what does in each.
sub failed {
    my (@tests) = @_;
    my %failed;

    for my $test (@tests) {
        $said = `cd '$tree' && perl -It/lib $test 2>&1`;

        my @names = $said =~ /^not ok \d+ - (.*)$/mg;

        push @names, "ended with status $?" if $? && !@names;
        $failed{$test} = \@names if @names;
        $output{$test} = $said;
    }

    return \%failed;
}
