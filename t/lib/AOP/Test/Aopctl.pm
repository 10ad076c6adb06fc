package AOP::Test::Aopctl;

# aopctl as a user runs it: its exit status and both of its streams; and lines
# of a log as the module writes them.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use File::Spec;
use File::Temp;
use JSON::PP ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(aopctl answer binary log_line probed);

use constant {
    TIMEOUT => 60,
    TICK    => 0.005,
};


# binary(): the aopctl that is tested.
sub binary {
    return $ENV{AOPCTL}
        || File::Spec->catfile(AOP::Test::checkout(), 'build', 'aopctl');
}


# aopctl(\%options, @arguments): { status, out, err, seconds, rss (kB, the most
# it had) }; status is "signal N" if it was killed.  Options may be left out:
#   input    what it reads from standard input ('')
#   env      { variables => values }
#   command  [ what to run in its place, before its arguments ]
sub aopctl {
    my %opt = ref $_[0] ? %{ shift() } : ();
    my @arg = @_;

    my ($in, $out, $err) = map { File::Temp->new } 1 .. 3;

    binmode $in;
    print {$in} $opt{input} if defined $opt{input};
    close $in;

    my $start = time();
    my $pid   = fork();
    croak "fork() failed: $!" unless defined $pid;

    if ($pid == 0) {
        $ENV{$_} = $opt{env}{$_} for keys %{ $opt{env} || {} };
        open STDIN, '<', $in->filename;
        open STDOUT, '>', $opt{out} || $out->filename;
        open STDERR, '>', $err->filename;
        exec @{ $opt{command} || [ binary() ] }, @arg or POSIX::_exit(127);
    }

    my $rss = 0;

    until (waitpid($pid, WNOHANG)) {
        my ($seen) = _slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m;

        # the mark starts anew with exec(), and ends with the process

        $rss = $seen if $seen;

        if (time() - $start > ($opt{timeout} || TIMEOUT)) {
            kill KILL => $pid;
            waitpid $pid, 0;
            last;
        }

        sleep TICK;
    }

    return {
        status  => $? & 127 ? 'signal ' . ($? & 127) : $? >> 8,
        out     => _slurp($out->filename),
        err     => _slurp($err->filename),
        seconds => time() - $start,
        rss     => $rss,
    };
}


# answer(...): what aopctl(..., '--json') answers, decoded; its exit status and
# how long it took are there as "status" and "seconds".
sub answer {
    my $run  = aopctl(@_, '--json');
    my $json = eval { JSON::PP->new->ascii->decode($run->{out}) }
        or croak "no JSON: $run->{out}$run->{err}";

    return { %$json, status => $run->{status}, seconds => $run->{seconds} };
}


# probed(...): what "aopctl probe" answers of its only address, with the exit
# status and the conclusion of the whole.
sub probed {
    my $answer = answer('probe', @_);
    my ($address, @more) = @{ delete $answer->{addresses} };

    croak 'more than one address' if @more;

    return { %{ $address || {} }, %$answer };
}


# log_line(%fields): a line of a log in the format aop_json, of a request that
# passed; "none => class" is one that would be refused for want of a
# certificate, from a peer of that class.
sub log_line {
    my (%field) = @_;

    if (my $peer = delete $field{none}) {
        %field = (status => 'REJECTED_DRY_RUN', verdict => 'none',
                  peer => $peer, subject => '', %field);
    }

    my %line = (
        time        => '2030-01-31T12:00:00+00:00',
        server      => 'example.test',
        mode        => 'optional',
        status      => 'PASSED',
        verdict     => 'ok',
        reason      => '',
        peer        => 'edge',
        peer_addr   => '172.64.0.1',
        client_ip   => '203.0.113.7',
        host        => 'example.test',
        sni         => 'example.test',
        method      => 'GET',
        uri         => '/',
        http_status => '200',
        tls         => 'TLSv1.3',
        resumed     => '.',
        anchor      => 'cloudflare',
        subject     => 'CN=origin-pull.cloudflare.net',
        issuer      => 'CN=origin-pull.cloudflare.net',
        serial      => '01',
        fingerprint => '00' x 32,
        not_after   => '2031-01-01T00:00:00Z',
        ray         => '',
        ua          => 'Mozilla/5.0',
        %field,
    );

    return JSON::PP->new->utf8->canonical->encode(\%line) . "\n";
}


sub _slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or return '';
    local $/;
    my $text = <$fh>;

    return defined $text ? $text : '';
}


1;
