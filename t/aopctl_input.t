#!/usr/bin/perl

# "aopctl report": whatever a log comes in - Docker, Kubernetes, syslog,
# journald, compressed, through a pipe - and which part of it is asked for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use POSIX qw(mkfifo strftime);
use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;

my $nginx = nginx(tls => 0);

sub file {
    my ($name, $content) = @_;

    return $nginx->path($nginx->write($name, $content));
}

sub report {
    my ($log, @arg) = @_;

    return answer({ input => $log }, 'report', @arg);
}

sub json {
    return JSON::PP->new->utf8->canonical->encode($_[0]) . "\n";
}

# the counts of an answer: judged, damaged, of another format
sub counts {
    return join ' ', @{ $_[0] }{qw(judged damaged other)};
}

my $line = log_line();
my $bare = $line =~ s/\n//r;
my $iso  = '2030-01-31T12:00:00';

# what is put around a line

my %around = (
    'Docker, a file' => sub {
        json({ log => $_[0], stream => 'stdout', time => "${iso}.123456789Z" })
    },
    'Docker, a file with attributes' => sub {
        json({ log => $_[0], stream => 'stdout', attrs => { tag => 'x' },
               time => "${iso}Z" })
    },
    'docker logs -t' => sub { "${iso}.123456789Z $_[0]" },
    'docker compose logs' => sub { "nginx-1  | $_[0]" },
    'docker compose logs, old' => sub { "app_nginx_1 | $_[0]" },
    'docker compose logs, in color' => sub { "\e[36mnginx-1  | \e[0m$_[0]" },
    'docker compose logs -t' => sub { "nginx-1  | ${iso}.1Z $_[0]" },
    'CRI' => sub { "${iso}.123456789+00:00 stdout F $_[0]" },
    'kubectl logs --prefix' => sub { "[pod/web-7d/nginx] $_[0]" },
    'kubectl logs --prefix --timestamps' => sub {
        "[pod/web-7d/nginx] ${iso}.123Z $_[0]"
    },
    'RFC 3164' => sub { "<190>Jan 31 12:00:00 web nginx: $_[0]" },
    'RFC 3164, without a host' => sub { "<190>Jan 31 12:00:00 nginx: $_[0]" },
    'RFC 3164, one digit' => sub { "<13>Feb  1 12:00:00 web nginx[12]: $_[0]" },
    'a file of syslog' => sub { "Jan 31 12:00:00 web nginx: $_[0]" },
    'a file of rsyslog' => sub { "${iso}.123456+01:00 web nginx: $_[0]" },
    'RFC 5424' => sub { "<165>1 ${iso}.003Z web.test nginx 12 ID47 - $_[0]" },
    'RFC 5424, structured data' => sub {
        qq(<165>1 $iso+00:00 web nginx - - )
        . qq([a\@1 b="{\\"x\\"" c="\\]"][d\@1] \xef\xbb\xbf$_[0])
    },
    'journalctl' => sub { "Jan 31 12:00:00 web nginx[12]: $_[0]" },
    'journalctl -o short-precise' => sub {
        "Jan 31 12:00:00.123456 web nginx[12]: $_[0]"
    },
    'journalctl -o short-iso' => sub { "$iso+0000 web nginx[12]: $_[0]" },
    'journalctl -o short-full' => sub {
        "Thu 2030-01-31 12:00:00 UTC web nginx[12]: $_[0]"
    },
    'journalctl -o json' => sub {
        json({ MESSAGE => $_[0] =~ s/\n//r, __REALTIME_TIMESTAMP => '1' })
    },
    'a collector' => sub { json({ message => $_[0], kubernetes => {} }) },
);

for my $name (sort keys %around) {
    my $put    = $around{$name};
    my $failed = log_line(none => 'edge', uri => '/cart');
    my $log    = join '', map { $put->($_) }
                          ($line) x 100, $failed, substr($bare, 0, 200) . "\n",
                          "2030/01/31 12:00:00 [warn] x\n";
    my $answer = report($log);

    is(counts($answer), '101 1 1', "$name: read");
    is("$answer->{servers}[0]{ready} "
       . $answer->{servers}[0]{behind}{paths}[0]{text}, 'no /cart',
       "$name: and understood");
}

is(counts(report(json({ MESSAGE => undef }) . json({ log => 1 }) . $line)),
   '1 2 0', 'what a wrapper leaves out is damaged');

# a line without a verdict has the texts of no other line: this long, what was
# freed is not there any more

is(counts(report(log_line(uri => '/' . 'x' x 900_000)
                 . log_line(status => '', verdict => '', mode => 'off',
                            mode_from => 'variable'))),
   '1 0 0', 'a request that was not verified after one with a long path');

is(counts(report("{}\n" . json({ msg => 'x', status => 200 }) . $line)),
   '1 0 2', 'the JSON of another program is of another format');

# JSON that a stranger wrote into another log is not ours

for (
    qq(192.0.2.1 - - [31/Jan/2030:12:00:00 +0000] "GET / HTTP/1.1" 200 5 $bare),
    qq(2030/01/31 12:00:00 [error] 1#1: *1 open() failed, request: $bare),
    qq(Jan 31 12:00:00 web app: user said $bare),
    qq($iso+00:00 user said $bare),
    qq(hello | hello $bare),
    qq(<165>1 $iso+00:00 web nginx - - [a b="] $bare),
    json({ note => $line }),
    json({ log => { log => $line } }),
    json({ log => json({ log => $line }) }),
) {
    is(report("$_\n")->{judged}, 0, 'not ours: ' . substr $_, 0, 40);
}

my $long = report(('[a b="' x 100_000) . "$bare\n<1>1 - a b c d "
                  . ('[x y="z"]' x 20_000) . " x\n$line");

is($long->{judged}, 1, 'long prefixes end');

# compressed

my %tool = (gz => 'gzip', xz => 'xz', zst => 'zstd', bz2 => 'bzip2');

for my $type (sort keys %tool) {
    SKIP: {
        skip "no $tool{$type}", 12
            unless grep { -x "$_/$tool{$type}" } split /:/, $ENV{PATH};

        my $random = join '', map { log_line(ray => rand) } 1 .. 2000;
        my $plain  = file('plain.log', $random);
        my $packed = aopctl({ command => [ $tool{$type} ] }, '-c', $plain)
                     ->{out};

        my $file = file("whole.$type", $packed);
        my $two  = file("two.$type", $packed x 2);

        is(counts(answer('report', $file)), '2000 0 0', "$type: a file");
        is(counts(report($packed)), '2000 0 0', "$type: standard input");
        is(counts(answer('report', $two)), '4000 0 0', "$type: two in one");

        for my $len (1, length($packed) / 2, length($packed) - 1) {
            my $cut    = file("cut.$type", substr $packed, 0, $len);
            my $answer = answer('report', $plain, $cut);

            if ($len > 1) {
                is($answer->{status}, 66, "$type: $len bytes of it");
                isnt($answer->{files}[1]{error}, undef, "$type: said");
            }

            isnt($answer->{ready}, 'yes', "$type: and is no ground for a yes")
                if $len > 1;
        }

        my $answer = answer('report', file("tail.$type", $packed
                                           . substr $packed, 0, 3));

        is($answer->{status}, 66, "$type: a second one of three bytes");
        isnt($answer->{files}[0]{error}, undef, "$type: also said");
    }
}

# what has no end

for (
    [ 'a device', [], [ 'report', '/dev/zero' ], qr/a device, not a log/ ],
    [ 'a device as standard input', [ 'timeout', '-k', 1, 50, 'sh', '-c' ],
      [ binary() . ' report < /dev/zero' ], qr/a device, not a log/ ],
    [ 'a line without an end', [ 'timeout', '-k', 1, 50, 'sh', '-c' ],
      [ "tr '\\0' x < /dev/zero | " . binary() . ' report' ],
      qr/not a log, a line is too long/ ],
    [ 'lines without an end', [ 'timeout', '-k', 1, 50, 'sh', '-c' ],
      [ 'yes | ' . binary() . ' report -' ], qr/the first 16 MB contain no lines/ ],
) {
    my ($name, $command, $arg, $err) = @$_;
    my $run = aopctl({ @$command ? (command => $command) : () }, @$arg);

    is($run->{status}, 66, "$name: exit status");
    like($run->{err}, qr/^aopctl: cannot read "\S+": $err/, "$name: said");
    cmp_ok($run->{rss}, '<', 100_000, "$name: in bounded memory");
}

is(aopctl('report', '/dev/null')->{status}, 3, '/dev/null is an empty log');

my $fifo = $nginx->path('fifo');
mkfifo($fifo, 0600) or die "mkfifo: $!";

my $run = aopctl('report', $fifo);

is($run->{status}, 66, 'a FIFO that nobody writes to: exit status');
like($run->{err}, qr/a FIFO without a writer/, 'and said');
cmp_ok($run->{seconds}, '<', 20, 'and it ends');

my $pid = fork();

if ($pid == 0) {
    open my $out, '>', $fifo or POSIX::_exit(1);
    print {$out} $line x 50;
    $out->flush;
    sleep 1;
    print {$out} $line x 50;
    close $out;
    POSIX::_exit(0);
}

is(counts(answer('report', $fifo)), '100 0 0', 'a FIFO that is written slowly');
waitpid $pid, 0;

# names, in each form of server_name

my $hosts = join '', map { log_line(host => $_, none => 'edge') }
            qw(example.test www.example.test Example.TEST:443 example.test.
               other.test 192.0.2.1);

for (
    [ 'example.test', 3 ],
    [ 'EXAMPLE.test', 3 ],
    [ '*.example.test', 1 ],
    [ '.example.test', 4 ],
    [ 'www.*', 1 ],
    [ 'example.*', 3 ],
    [ '~^(www\.)?example\.test$', 4 ],
    [ '~^WWW\.', 1 ],
    [ '~\d+$', 1 ],
    [ '_', 6 ],
    [ '192.0.2.1', 1 ],
) {
    my ($name, $own) = @$_;

    is(report($hosts, '--name', $name)->{servers}[0]{window}{other_hosts},
       6 - $own, "--name $name");
}

is(report(join('', map { log_line(host => 'a' x 60 . '!', none => 'edge') }
               1 .. 3), '--name', '~^(a+)+$')
       ->{servers}[0]{window}{other_hosts}, 0,
   '--name: what takes too long counts as the server\'s own');

for (
    [ '', qr/invalid name "": empty/ ],
    [ 'a.*.test', qr/not a valid name or wildcard/ ],
    [ '*', qr/not a valid name or wildcard/ ],
    [ 'a..test', qr/not a valid name or wildcard/ ],
    [ '~', qr/the regular expression is empty/ ],
    [ '~(', qr/invalid name "~\(": missing closing parenthesis/ ],
    [ '$hostname', qr/variables are known only to nginx/ ],
) {
    my $bad = aopctl('report', '--name', $$_[0]);

    is($bad->{status}, 64, "wrong: --name '$$_[0]': exit status");
    like($bad->{err}, $$_[1], "wrong: --name '$$_[0]': said");
}

# some servers only, in short, and the last line

my $servers = join '', map {
    my $name = $_;
    map { log_line(server => $name, host => $name,
                   time => "2030-01-31T1$_:00:00+00:00") } 0, (2) x 99
} qw(a.test b.test c.test);

$servers .= log_line(server => 'b.test', none => 'edge', host => 'b.test')
            . log_line(server => 'd.test') . log_line(server => '');

my $some = report($servers, '--server', 'A.test', '--server', 'c.test');

is(join(' ', $some->{status}, map { $_->{name} } @{ $some->{servers} }),
   '0 a.test c.test', '--server');
is($some->{other_servers}, 103, '--server: the others are counted');
is($some->{why}, 'all 2 servers in the log are ready', '--server: the end');
is(report($servers, '--server', '')->{servers}[0]{judged}, 1,
   '--server: the one without a name');
like(report($servers, '--server', 'x.test')->{why}, qr/to the server in --server/,
     '--server: one that is not in the log');

is(report($servers)->{why}, '1 of 5 servers is not ready (b.test); '
   . 'no answer yet for 2 of 5 servers (d.test, no server_name)',
   'the end counts and names');
is(report($servers, '--server', 'a.test')->{why},
   'the server in the log is ready', 'the end, of one server');
like(report(join '', log_line(),
            map { log_line(server => "s$_", none => 'edge') } 1 .. 9)->{why},
     qr/^9 of 10 servers are not ready \(s1, s2, s3, s4, s5 and 4 more\)/,
     'the end, of many');

my $brief = aopctl({ input => $servers }, 'report', '--brief');

is($brief->{status}, 2, '--brief: exit status');
like($brief->{out}, qr/\Aa\.test:\ yes:\ .*\nb\.test:\ no:\ .*
                       \nc\.test:\ yes:\ .*
                       \nd\.test:\ unknown:\ .*\nno\ server_name:\ unknown:\ .*
                       \nready:\ no:\ 1\ of\ 5\ .*\n\z/x, '--brief: a line each');
unlike(aopctl({ input => log_line(server => "x\e[31m\ny") }, 'report',
              '--brief')->{out}, qr/[^\x20-\x7e\n]/, '--brief: hostile names');

# a date

my $days = log_line(time => '2030-01-30T23:59:59+00:00')
           . log_line(time => '2030-01-31T00:00:00+00:00')
           . log_line(time => '2030-01-31T00:30:00+01:00');

is(report($days, '--since', '2030-01-31')->{judged}, 1, '--since a date');

# which certificates passed, and when last

my @old = (fingerprint => 'aa' x 32, subject => 'CN=old', anchor => 'CN=Old');
my @new = (fingerprint => 'bb' x 32, subject => 'CN=new', anchor => 'CN=New');

my $rotated = join '',
    (map { log_line(@old, time => "2030-01-31T10:0$_:00+00:00") } 0 .. 5),
    (map { log_line(@new, time => "2030-01-31T11:0$_:00+00:00") } 0 .. 2),
    log_line(@old, time => '2030-01-31T10:30:00+00:00'),
    log_line(none => 'edge', fingerprint => 'cc' x 32);

is(join(', ', map { join ' ', substr($_->{fingerprint}, 0, 2),
                    @$_{qw(subject anchor count first last)} }
              @{ report($rotated)->{servers}[0]{certificates} }),
   'bb CN=new CN=New 3 2030-01-31T11:00:00Z 2030-01-31T11:02:00Z, '
   . 'aa CN=old CN=Old 7 2030-01-31T10:00:00Z 2030-01-31T10:30:00Z',
   'certificates that passed, the latest first');
like(aopctl({ input => $rotated }, 'report')->{out},
     qr/^\ \ client\ certificates\ that\ passed
        \n\ +3\ \ last\ 2030-01-31T11:02:00Z\ \ CN=new,\ issued\ under\ CN=New,
        \ expires\ \S+,\ b{16}\n\ +7\ /mx, 'and in words');

my $many = report(join '', map {
    log_line(fingerprint => sprintf('%064x', $_),
             time => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(1896177600 + $_))) }
    1 .. 100)->{servers}[0]{certificates};

is(scalar @$many . " $many->[0]{fingerprint}", '32 ' . sprintf('%064x', 100),
   'the list is bounded, and holds the latest');
is(scalar @{ report($line =~ s/"fingerprint":"0+",//r)->{servers}[0]
                 {certificates} }, 1, 'a line without a fingerprint is read');

# wrapped to the terminal, and nowhere else

SKIP: {
    skip 'no script(1)', 3 unless grep { -x "$_/script" } split /:/, $ENV{PATH};

    my $log  = file('wrap.log', $servers);
    my $seen = aopctl({ command => [ 'script', '-qec' ],
                        env => { TERM => 'xterm', NO_COLOR => 1 } },
                      "stty cols 60; " . binary() . " report $log",
                      '/dev/null')->{out};

    my @lines = map { s/\r//gr } split /\n/, $seen =~ s/^.*\e\[K//sr;

    is((grep { length > 60 } @lines), 0, 'wrapped to 60 columns');
    like("@lines", qr/ready: yes: 100 requests from/, 'at spaces');
    is(join(' ', map { s/^ +//r } @lines) =~ s/ +/ /gr,
       join(' ', map { s/^ +//r } split /\n/, aopctl('report', $log)->{out})
           =~ s/ +/ /gr, 'and nothing is lost');
}

done_testing();
