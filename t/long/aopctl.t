#!/usr/bin/perl

# "aopctl report" on a log of the size that logs have: how fast, and that its
# memory does not grow with the log, whatever variety strangers put into it.
# AOP_LOG_MB makes the log larger.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Compress::Gzip qw(gzip);
use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;
use AOP::Test::Log;

use constant {
    MB       => 1e6,
    MIN_RATE => 500,        # MB a minute
    GROWTH   => 2048,       # kB, from a log of 100 MB to one of 400
    MEMORY   => 49152,      # kB
};

my $size  = $ENV{AOP_LOG_MB} || 400;
my $nginx = nginx(tls => 0);

alarm 900;

sub told {
    my ($what, $run, $mb) = @_;

    diag sprintf '%s: %.0f MB in %.1f s, %.0f MB a minute, %.1f MB of memory',
                 $what, $mb, $run->{seconds}, $mb / $run->{seconds} * 60,
                 $run->{rss} / 1024;
}

my ($small, $big) = map { $nginx->path($_) } 'small.log', 'big.log';

log_file($small, $size / 4);

my $lines  = log_file($big, $size);

my $little = aopctl({ timeout => 600 }, 'report', '--json', $small);
my $much   = aopctl({ timeout => 600 }, 'report', '--json', $big);
my $mb     = (-s $big) / MB;

told('report', $much, $mb);

like($much->{out}, qr/"judged": $lines,/, 'all lines were judged');
is($much->{status}, 2, 'and found not ready');
cmp_ok($much->{rss} - $little->{rss}, '<', GROWTH,
       'the memory does not grow with the log');
cmp_ok($much->{rss}, '<', MEMORY, 'nor is it much');
cmp_ok($mb / $much->{seconds} * 60, '>', MIN_RATE, 'throughput');

# the same, compressed; a bomb is not read to its end

my $gz = $nginx->path('big.log.gz');

gzip($big, $gz, -Level => 1) or die 'gzip failed';

my $packed = aopctl({ timeout => 600 }, 'report', '--json', $gz);

told('gzip', $packed, $mb);

like($packed->{out}, qr/"judged": $lines,/, 'gzip: all lines');
cmp_ok($packed->{rss} - $little->{rss}, '<', GROWTH, 'gzip: memory');
cmp_ok($mb / $packed->{seconds} * 60, '>', MIN_RATE, 'gzip: throughput');

{
    my $bomb = $nginx->path('bomb.gz');
    my $pack = IO::Compress::Gzip->new($bomb) or die 'gzip failed';

    $pack->print("\0" x MB) for 1 .. 200;
    $pack->close;

    my $run = aopctl({ timeout => 600 }, 'report', '--json', $bomb);

    told('bomb', $run, 200);

    is($run->{status}, 66, 'a bomb: cannot be read');
    like($run->{out}, qr/"error": "not a log, a line is too long"/,
         'a bomb: because');
    cmp_ok($run->{rss} - $little->{rss}, '<', GROWTH, 'a bomb: memory');
}

done_testing();
