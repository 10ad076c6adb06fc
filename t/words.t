#!/usr/bin/perl

# t/tools/check-words: each of its rules finds a text that breaks it, where it
# is, and lets plain English and the fixed words of logs and JSON pass.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Cwd qw(abs_path);
use File::Path qw(make_path);
use File::Temp qw(tempdir);

use Test::More;

my $check = abs_path("$FindBin::Bin/tools/check-words");
my $tree  = tempdir(CLEANUP => 1);

plan skip_all => 'no git' if system('git init -q ' . $tree . ' 2> /dev/null');

make_path("$tree/src/core", "$tree/docs", "$tree/aopctl");

# found($file => $text, ...): what is found in a tree of these files alone.
sub found {
    my %file = @_;

    unlink map { "$tree/$_" } split /\n/, `git -C $tree ls-files`;

    for my $file (keys %file) {
        open my $out, '>', "$tree/$file" or die "cannot write $file: $!";
        print $out $file{$file};
        close $out;
    }

    system("git -C $tree add -A") == 0 or die 'git add has failed';

    my $output = `'$check' '$tree'`;

    return ($? >> 8, $output);
}

for (
    [ 'it is no CA', '"is not a"' ],
    [ 'they are refusing it', 'reject' ],
    [ 'it turns such requests away', 'reject' ],
    [ 'it is judged again', 'verify' ],
    [ 'the log tells why', 'report' ],
    [ 'it asks for a certificate', 'request' ],
    [ 'as the log says', 'describe' ],
    [ 'the client shows a certificate', 'present' ],
    [ 'the CA has ended', 'expire' ],
    [ 'nobody can connect', 'noun' ],
    [ 'a list of what was found', 'noun' ],
    [ 'Read it. What depends on it fails.', 'noun' ],
    [ 'served to strangers', 'clients' ],
    [ 'a server beside it', 'same address' ],
    [ 'open by intent', 'plain words' ],
    [ '"--help" helps', 'try' ],
    [ 'it expires in 1 days', 'singular' ],
    [ 'its behaviour', 'American' ],
) {
    my ($text, $remedy) = @$_;
    my ($status, $output) = found('README.md' => "First line.\n\n$text\n");

    is($status, 1, "$text: exit status");
    like($output, qr/^README\.md:3: .*\Q$remedy\E.*\nwords: 1 to reword\n\z/,
         "$text: found");
}

for (
    'aop: client certificate refused: none', 'it would be refused',
    'cannot tell: no server', 'there is no CA', 'it is no longer used',
    'the field `judged` of the JSON', 'in 1 day', 'in 21 days',
    'What is a CA? A certificate.', 'it helps you',
) {
    my ($status, $output) = found('README.md' => "$_\n");

    is("$status $output", "0 words: clean\n", "$_: passes");
}

my $c = <<'EOC';
/* nobody asks: a comment */
static const char  *text = "not a CA, "
    "which is "
    "no CA";
static const char  *key = "judged";
EOC

my ($status, $output) = found('src/core/x.c' => $c);
like($output, qr{\Asrc/core/x\.c:2: .*\nwords: 1 to reword\n\z},
     'C: a message in pieces, no comment, no key');

(undef, $output) = found('README.md' => "One.\n\n> it is\n> no CA\n");
like($output, qr/^README\.md:3: .*\nwords: 1 /, 'a phrase in two lines');

my $changes = "\nChanges with x 0.2.0\n\n    *) %s.\n\n\n"
              . "Changes with x 0.1.0\n\n    *) it judges.\n";

is((found(CHANGES => sprintf $changes, 'fixed'))[0], 0,
   'CHANGES: what was released stays');
is((found(CHANGES => sprintf $changes, 'it judges'))[0], 1,
   'CHANGES: the newest version');
is((found('aopctl/aopctl.1' => "It asks.\n"))[0], 1, 'the manual page');

done_testing;
