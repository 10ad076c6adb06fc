package AOP::Test::Log;

# A log of the size that logs have: each line with texts that no other has, one
# of five of a request that failed, and more servers than aopctl tells apart.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use POSIX qw(strftime);

use AOP::Test::Aopctl qw(log_line);

our @EXPORT = qw(log_file);

use constant {
    MB    => 1e6,
    LINES => 4000,          # of a block
    START => 1896177600,
};


# log_file($file, $mb): writes a log of that size, in the format aop_json, and
# returns how many lines it has.
sub log_file {
    my ($file, $mb) = @_;
    my ($written, $lines, $first) = (0, 0, 0);

    open my $fh, '>', $file or croak "cannot write $file: $!";

    while ($written < $mb * MB) {
        my $block = _block($first);

        # the same again, with other texts: making lines takes longer than
        # reading them

        for my $turn ('a' .. 'h') {
            last if $written >= $mb * MB;

            my $text = $block =~ s{"(/path/|agent/|h)(\d)}{"$1$turn$2}gr;

            print {$fh} $text;
            $written += length $text;
            $lines += LINES;
        }

        $first += LINES;
    }

    close $fh or croak "cannot write $file: $!";

    return $lines;
}


sub _block {
    my ($first) = @_;

    return join '', map {
        log_line($_ % 5 ? () : (none => 'edge'),
                 time      => strftime('%Y-%m-%dT%H:%M:%S+00:00',
                                       gmtime(START + $_ * 60)),
                 server    => 's' . $_ % 400 . '.test',
                 peer_addr => join('.', 172, 64, ($_ >> 8) & 255, $_ & 255),
                 uri       => "/path/$_/" . 'x' x 40,
                 host      => "h$_.test",
                 ua        => "agent/$_")
    } $first .. $first + LINES - 1;
}


1;
