#!/usr/bin/perl

# The pages hang together: each link leads to a file and a heading that exist,
# README stays short, each page can be reached from it, and nobody need guess what
# kind of block is run by a test.

use strict;
use warnings;

use FindBin;
use File::Basename qw(dirname);
use Test::More;

my $top = "$FindBin::Bin/..";

# what t/docs.t, t/certificates.t, and t/long/*.t run, and what they cannot

my %language = map { $_ => 1 } qw(nginx sh bash hcl promql rsyslog sql yaml cron
                                  toml ini logql haproxy apache caddyfile);

my @pages = map { s{^\Q$top\E/}{}r }
            grep { !m{/CHANGES$} } glob "$top/*.md $top/docs/*.md";
my %text  = map { $_ => slurp($_) } @pages;

cmp_ok(scalar @pages, '>', 12, 'the pages are found');
cmp_ok(scalar(() = $text{'README.md'} =~ /\n/g), '<=', 180,
       'README has at most 180 lines');

for my $page (@pages) {
    my @links = links($text{$page});
    my %known = map { $_ => 1 } anchors($page);

    is_deeply([ grep { !leads($page, $_) } @links ], [], "$page: each link");

    is_deeply([ grep { !$language{$_} } $text{$page} =~ /^ *```(\w+)$/gm ], [],
              "$page: each block is of a kind that is known");
}

my %reached = map { s/#.*//r => 1 }
              map { links($text{$_}) } 'README.md', 'SECURITY.md';

is_deeply([ grep { $_ ne 'README.md' && !$reached{$_} } @pages ], [],
          'each page can be reached');

# each alert has the section that it links to, each recorded series its row

my $rules  = slurp('contrib/prometheus/aop.rules.yml');
my @alerts = $rules =~ /^ *- alert: (\w+)$/mg;
my %series = map { $_ => 1 } $rules =~ /^ *- record: (\S+)$/mg;

cmp_ok(scalar @alerts, '>', 10, 'the alerts are found');
is_deeply([ grep { $rules !~ /\/fleet\.md#\L$_\E$/m } @alerts ], [],
          'alerts: each links to its section');
is_deeply([ grep { $text{'docs/fleet.md'} !~ /^### $_$/m } @alerts ], [],
          'alerts: each section exists');
is_deeply([ grep { $text{'docs/fleet.md'} !~ /^\| `$_` \|/m } keys %series ],
          [], 'recorded series: each is described');

# that a link which leads nowhere is found

ok(!leads('README.md', 'docs/nowhere.md'), 'no such page');
ok(!leads('README.md', 'docs/status.md#nowhere'), 'no such heading');
ok(!leads('docs/status.md', '#nowhere'), 'no such heading here');
ok(leads('docs/status.md', '#ready'), 'a heading here');
ok(leads('docs/status.md', '../README.md#limits'), 'a heading there');

done_testing();


sub slurp {
    my ($file) = @_;

    open my $fh, '<', "$top/$file" or die "cannot open $file: $!";
    local $/;

    return scalar <$fh>;
}


# without_code($text): what is code holds no link and no heading.
sub without_code {
    my ($text) = @_;

    return $text =~ s/^( *)```.*?^\1```$//gmsr =~ s/^    .*//gmr;
}


sub links {
    my ($text) = @_;

    return grep { !/^\w+:/ }
           (without_code($text) =~ s/`[^`]*`//gr) =~ /\]\(([^)\s]+)\)/g;
}


# anchors($page): as GitHub makes them of headings.
sub anchors {
    my ($page) = @_;

    my %seen;

    return map {
        my $slug = lc s/\[(.*?)\]\(.*?\)/$1/gr =~ s/[^\w\- ]//gr =~ tr/ /-/r;

        $seen{$slug}++ ? "$slug-" . ($seen{$slug} - 1) : $slug;
    } without_code($text{$page}) =~ /^#+ (.*)$/gm;
}


# leads($page, $link): whether it leads somewhere.
sub leads {
    my ($page, $link) = @_;

    my ($file, $anchor) = split /#/, $link, 2;

    $file = $file eq '' ? $page : (dirname($page) . "/$file") =~ s{^\./}{}r;
    1 while $file =~ s{[^/]+/\.\./}{};

    return 0 unless -e "$top/$file";
    return 1 unless defined $anchor;

    return scalar grep { $_ eq $anchor } anchors($file);
}
