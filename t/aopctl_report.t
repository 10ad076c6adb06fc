#!/usr/bin/perl

# "aopctl report": what a log says, whatever is in it: rotated, compressed, cut
# off, damaged, or written by strangers.  Ready is told by the module's rule.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Compress::Gzip qw(gzip);
use POSIX qw(strftime);
use Test::More;
use AOP::Test;
use AOP::Test::Aopctl;

my $nginx = nginx(tls => 0);

sub file {
    my ($name, $content) = @_;

    return $nginx->path($nginx->write($name, $content));
}

sub gz {
    my ($plain) = @_;

    gzip(\$plain => \my $gz) or die 'gzip failed';
    return $gz;
}

# report($log, @arguments): the answer to a log on standard input
sub report {
    my ($log, @arg) = @_;

    return answer({ input => $log }, 'report', @arg);
}

# at($hours): a time of the log, so many hours before its end
sub at {
    return strftime('%Y-%m-%dT%H:%M:%S+00:00',
                    gmtime(1896177600 - 3600 * $_[0]));
}

# two hours of it

my $passed = join '', map { log_line(time => at(2 - $_ / 50)) } 1 .. 100;
my $failed = log_line(none => 'edge', time => at(0), host => 'shop.test',
                      uri => '/cart', ua => 'curl/8',
                      peer_addr => '172.64.9.9');

# the rule: name, log, arguments, exit status, ready, why

for (
    [ 'all passed', $passed, [], 0, 'yes', qr/^100 requests from Cloudflare passed in 118 min, none failed/ ],
    [ 'one failed from the edge', $passed . $failed, [], 2, 'no',
      qr/^1 of 101 .*\bnone 1.*shop\.test/ ],
    [ 'one failed from a private address',
      $passed . log_line(none => 'private', time => at(0)), [], 2, 'no',
      qr/^1 request from private addresses failed: none 1; addresses: 172/ ],
    [ 'direct ones failed',
      $passed . log_line(none => 'direct', time => at(0)) x 9, [], 0, 'yes',
      qr/would reject 9 requests from other/ ],
    [ 'too few', $passed =~ s/\n.*\n\z/\n/r, [], 1, 'unknown',
      qr/not enough traffic: 99 of 100 requests from Cloudflare in 1\d\d min/ ],
    [ 'resumed only', $passed =~ s/"resumed":"\."/"resumed":"r"/gr, [], 1,
      'unknown', qr/no full handshake/ ],
    [ 'passed from elsewhere', $passed . log_line(peer => 'direct',
      time => at(0)), [], 1, 'unknown', qr/"aop_edge"/ ],
    [ 'failed two days ago',
      log_line(none => 'edge', time => at(48)) . $passed, [], 0, 'yes',
      qr/^100 requests/ ],
    [ 'failed 22 hours ago, and was put right',
      log_line(none => 'edge', time => at(22)) . $passed, [], 0, 'yes',
      qr/^100 .*failures before are settled/ ],
    [ 'failed 22 hours ago, and nothing shows that it is over',
      log_line(none => 'edge', time => at(22), host => 'b.test') . $passed,
      [], 2, 'no', qr/^1 of 101 .*b\.test.*settled at 2030-02-01T14:00:00Z if/ ],
    [ 'the order does not matter',
      $passed . log_line(none => 'edge', time => at(22)), [], 0, 'yes',
      qr/^100 requests/ ],
    [ 'half an hour', join('', map { log_line(time => at(0.5 - $_ / 200)) }
                               1 .. 100), [], 1, 'unknown',
      qr/^watched for 29 min of 1 h/ ],
    [ 'half an hour is enough, and less than a hundred', join('', map {
          log_line(time => at(0.5 - $_ / 40)) } 1 .. 20),
      [ '--time', '20m', '--requests', 20 ], 0, 'yes', qr/^20 requests/ ],
    [ 'the mode variable said off', $passed . log_line(time => at(0),
      status => '', verdict => '', mode => 'off', mode_from => 'variable'),
      [], 1, 'unknown', qr/^1 of 101 requests .*variable was "off"/ ],
    [ 'only a location asks', $passed . log_line(time => at(0),
      status => '', verdict => '', mode => 'off', mode_from => 'server'),
      [], 1, 'unknown', qr/^1 of 101 requests .*1 were for locations/ ],
    [ 'an exempt location', $passed . log_line(time => at(0),
      status => '', verdict => '', mode => 'off', mode_from => 'location'),
      [], 0, 'yes', qr/^100 requests/ ],
    [ 'the tool itself', $passed . log_line(none => 'private', time => at(0),
      peer_addr => '127.0.0.1', ua => 'aopctl/0.2.0'), [], 0, 'yes', qr/^100/ ],
    [ 'the name of the tool, from elsewhere', $passed . log_line(
      none => 'edge', time => at(0), ua => 'aopctl/0.2.0'), [], 2, 'no',
      qr/^1 of 101/ ],
    [ 'a relay', join('', map {
          my %relay = (peer => 'private', peer_addr => '172.17.0.1');
          (log_line(%relay, time => at(2 - $_ / 50), ray => "ray$_"),
           log_line(%relay, none => 'private', time => at(2 - $_ / 50),
                    uri => "/scan$_"))
      } 1 .. 100), [], 0, 'yes',
      qr/^100 .* lost behind 172\.17\.0\.1 .*would reject 100 without$/ ],
    [ 'a relay that checks its backend', join('', map {
          my %relay = (peer => 'private', peer_addr => '172.17.0.1');
          (log_line(%relay, time => at(2 - $_ / 50), ray => "ray$_"),
           log_line(%relay, none => 'private', time => at(2 - $_ / 50)))
      } 1 .. 100), [], 1, 'unknown',
      qr/^at least 100 .* alike failed.* health check .* lost behind/ ],
    [ 'another zone', $passed . $failed =~ s/\+00:00/+05:30/r, [], 2, 'no',
      qr/^1 of 101/ ],
    [ 'enforced and refused',
      $passed . $failed =~ s/REJECTED_DRY_RUN/REJECTED/r, [], 2, 'no',
      qr/^1 of 101/ ],
    [ 'failed for another host', $passed . $failed,
      [ '--name', 'example.test' ], 0, 'yes',
      qr/not names of this server: shop\.test \(1\)/ ],
    [ 'failed for a host of the name', $passed . $failed,
      [ '--name', 'Shop.test' ], 2, 'no', qr/^1 of 1 request .*shop\.test/ ],
    [ 'failed for a host below the name', $passed . $failed,
      [ '--name', '*.test' ], 2, 'no', qr/^1 of 101/ ],
    [ 'failed for a host as the client wrote it',
      $passed . $failed =~ s/"shop.test"/"Shop.Test.:8443"/r,
      [ '--name', 'shop.test', '--name', 'example.test' ], 2, 'no',
      qr/^1 of 101/ ],
    [ 'failed without a host', $passed . $failed =~ s/"shop.test"/""/r,
      [ '--name', 'example.test' ], 2, 'no', qr/^1 of 101/ ],
    [ 'a name of other letters', $passed . $failed,
      [ '--name', '*.op.test', '--name', 'example.test' ], 0, 'yes', qr/^100/ ],
    [ 'a name that nothing passed for', $passed . $failed,
      [ '--name', 'exmaple.test' ], 1, 'unknown',
      qr/traffic: 0 of .*, without 101 for hosts that are not names/ ],
    [ 'a name that too little passed for',
      $passed . log_line(host => 'shop.test', time => at(0)) x 99,
      [ '--name', 'shop.test' ], 1, 'unknown', qr/: 99 of .*, without 100 / ],
    [ 'names that enough passed for', $passed, [ '--name', '*.test' ], 0, 'yes',
      qr/^100/ ],
    [ 'failed before --since',
      log_line(none => 'edge', time => at(5), host => 'b.test') . $passed,
      [ '--since', at(3) ], 0, 'yes', qr/^100 .*none failed/ ],
    [ 'everything fails', $failed x 200, [], 2, 'no',
      qr/^200 of 200 requests from Cloudflare failed \(100%\)/ ],
) {
    my ($name, $log, $arg, $status, $ready, $why) = @$_;
    my $answer = report($log, @$arg);
    my $server = $answer->{servers}[0];

    is($answer->{status}, $status, "$name: exit status");
    is($server->{ready}, $ready, "$name: ready $ready");
    is($answer->{ready}, $ready, "$name: and so in all");
    like($server->{why}, $why, "$name: because");
}

# the name of one server is none of another

my $two = report($passed . join('', map {
    log_line(server => 'two.test', host => "$_.two.test", time => at(0)),
    log_line(server => 'two.test', host => 'shop.two.test', time => at(0),
             none => 'edge') } 1 .. 200), '--name', 'example.test');

# where an address hides others, nothing advises to let it in

unlike(aopctl({ input => join '', map {
           log_line(none => 'private', peer_addr => '172.17.0.1',
                    ray => "ray$_") } 1 .. 9 }, 'report')->{out},
       qr/aop off/, 'hints of a relay');

# two origins are two answers, each at the end of its own log, and the worst
# decides

my %log = (
    good => $passed =~ s/\{/{"origin":"good",/gr,
    bad  => ($passed . $failed) =~ s/\{/{"origin":"bad",/gr,
    old  => $passed =~ s/2030-01-31/2030-01-29/gr =~ s/\{/{"origin":"old",/gr,
);

is(join(' ', map { "$_->{origin} $_->{ready}" } @{ $_->{servers} }),
   'good yes bad no old yes', 'origins'), is($_->{status}, 2, 'the worst')
    for report(join '', @log{qw(good bad old)});
is(report(join '', @log{qw(old good)})->{status}, 0, 'origins that are ready');

# files as the shell sorts them: the newest first

is(answer('report', file('access.log', $passed),
          file('access.log.1', log_line(none => 'edge', time => at(5))))
       ->{servers}[0]{ready}, 'yes', 'a failure that is read late');
is(answer('report', file('access.log', $passed),
          file('access.log.1', log_line(none => 'edge', time => at(0.1))))
       ->{servers}[0]{ready}, 'no', 'and one that is not settled');

is(join(' ', $two->{status}, map { $_->{ready} } @{ $two->{servers} }),
   '1 yes unknown', 'two servers, the name of one');

# no answer

for (
    [ 'an empty log', '', qr/the log contains no verified requests/ ],
    [ 'nothing judged', log_line(status => '', verdict => '', peer => '',
                                 mode => 'off') x 3, qr/the log contains no verified/ ],
    [ 'another format', qq(1.2.3.4 - - [x] "GET / HTTP/1.1" 200\n) x 200,
      qr/the log contains no verified requests/ ],
    [ 'nothing passed', log_line(none => 'direct', time => at(0)) x 200,
      qr/^no requests have passed yet \(or .*"if=\$aop_failed"/ ],
    [ 'two of a hundred are damaged', $passed . '{"time":' . "\n" . "{\n",
      qr/damaged/ ],
) {
    my ($name, $log, $why) = @$_;
    my $answer = report($log);

    is("$answer->{status} $answer->{ready}", '3 cannot_tell', $name);
    like($answer->{why}, $why, "$name: because");
}

is(report($passed . $failed . "{\n" x 9)->{status}, 2,
   'what failed is told however much is damaged');

# damaged lines: counted, and nothing else

my $line = log_line();

for (
    [ 'cut off', substr($line, 0, 200) . "\n" ],
    [ 'without its beginning', substr($line, 60) ],
    [ 'an array', "[1,\"verdict\":\"ok\"]\n" ],
    [ 'rubbish behind it', "{\"a\":1} x\n" ],
    [ 'two objects', $line =~ s/\n/$line/r ],
    [ 'zeros', "\0" x 5000 . $line ],
    [ 'nothing but zeros', "\0" x 5000 . "\n" ],
    [ 'a zero in it', $line =~ s/GET/G\0T/r ],
    [ 'no UTF-8', $line =~ s/GET/G\xffT/r ],
    [ 'overlong UTF-8', $line =~ s/GET/G\xc0\x80T/r ],
    [ 'a surrogate', $line =~ s/GET/\\ud800/r ],
    [ 'a control character', $line =~ s/GET/\x01/r ],
    [ 'a key twice', $line =~ s/\{/{"verdict":"ok",/r ],
    [ 'a number for a text', $line =~ s/"verdict":"ok"/"verdict":1/r ],
    [ 'a verdict that is none', log_line(verdict => 'fine') ],
    [ 'a peer that is none', log_line(peer => 'moon') ],
    [ 'a status that is none', log_line(status => 'MAYBE') ],
    [ 'passed, but not ok', log_line(verdict => 'none') ],
    [ 'ok, but refused', log_line(status => 'REJECTED') ],
    [ 'no time', log_line(time => 'yesterday') ],
    [ 'a time before all times', log_line(time => '1900-01-01T00:00:00Z') ],
    [ 'nested deeply', '{"time":' . '[' x 100_000 . "\n" ],
    [ 'huge', '{"time":"' . 'x' x 3_000_000 . "\"}\n" ],
    [ 'huge, of no format', 'x' x 3_000_000 . "\n" ],
) {
    my ($name, $bad) = @$_;
    my $answer = report($passed . $bad . $line);

    is(join(' ', @$answer{qw(lines judged damaged other)}), '102 101 1 0',
       "damaged: $name");
}

is(join(' ', @{ report("\nhello\n$line\n") }{qw(lines judged damaged other)}),
   '4 1 0 3', 'lines of another format are told apart');
is(report($passed . $line =~ s/\n//r)->{judged}, 101,
   'the last line may lack its end');
is(report($line =~ s/"GET"/"\\u0000"/r)->{judged}, 1,
   'an escaped zero is a character');

# files: plain, gzip, several, standard input

my @part = (file('a.log', $passed), file('b.log.gz', gz($failed)),
            file('c.log', ''), file('d.log.gz', gz($passed) . gz($passed)));
my $all  = answer({ input => $failed }, 'report', @part, '-');

is("$all->{lines} $all->{judged} $all->{would_be_refused}", '302 302 2',
   'plain, gzip, empty, gzip twice, and standard input');
is(join(' ', map { $_->{lines} } @{ $all->{files} }), '100 1 0 200 1',
   'each counted');
is(report(gz($passed))->{judged}, 100, 'gzip on standard input');

my $random = join '', map { log_line(ray => rand) } 1 .. 2000;
my $bad    = gz($random);
my $cut    = file('cut.gz', substr $bad, 0, length($bad) / 2);

substr $bad, length($bad) / 2, 100, "\xff" x 100;

for (
    [ 'a truncated gzip', $cut, qr/truncated/ ],
    [ 'a damaged gzip', file('bad.gz', $bad), qr/damaged/ ],
    [ 'a missing file', $nginx->path('missing'), qr/No such file/ ],
    [ 'a folder', $nginx->path('temp'), qr/directory/ ],
) {
    my ($name, $file, $expected) = @$_;
    my $run    = aopctl('report', $file, $part[0]);
    my $answer = answer('report', $file, $part[0]);

    is($answer->{status}, 66, "$name: exit status");
    like($run->{err}, qr/^aopctl: cannot read "\Q$file\E": .*$expected/,
         "$name: said");
    like($answer->{files}[0]{error}, $expected, "$name: and in the answer");
    cmp_ok($answer->{judged}, '>=', 100, "$name: the rest is read");
    is($answer->{ready}, 'cannot_tell', "$name: and is no ground for a yes");
}

is(answer('report', $nginx->path('missing'), file('bad.log', $passed . $failed))
       ->{ready}, 'no', 'a missing file: what failed is told');
cmp_ok(answer('report', $cut)->{judged}, '>', 200,
       'a truncated gzip: what there is of it');

# counts, in all directions

my @line = (
    (map { log_line(time => at(3)) } 1 .. 5),
    (map { log_line(none => 'edge', time => at(2), uri => "/$_",
                    peer_addr => '172.64.0.2') } 1 .. 3),
    log_line(none => 'direct', peer_addr => '203.0.113.5', time => at(1)),
    log_line(status => 'REJECTED', verdict => 'expired', peer => 'private',
             mode => 'on', peer_addr => '10.0.0.1', time => at(0),
             host => 'health', ua => ''),
    log_line(server => 'other.test', status => '', verdict => '', peer => ''),
);

my $counts = report(join('', @line), '--top', 2);
my ($server, $other) = @{ $counts->{servers} };

is(join(' ', map { "$_ $counts->{$_}" }
             qw(lines judged passed would_be_refused refused off)),
   'lines 11 judged 10 passed 5 would_be_refused 4 refused 1 off 1', 'counts');
is("$server->{name} $server->{mode} $server->{judged}", 'example.test on 10',
   'a server, and its mode by the last line');
is("@{ $server->{modes} }", 'optional on', 'and all that it had');
is("@{ report($passed . log_line(mode => 'no'))->{servers}[0]{modes} }",
   'optional', 'what is no mode is none of them');
is("$other->{name} $other->{judged} " . exists $other->{ready},
   'other.test 0 ', 'a server that was not judged is not ready or not');
is(join(', ', map { "$_->{verdict} $_->{peer} $_->{count}" }
              @{ $server->{requests} }),
   'ok edge 5, none edge 3, none direct 1, expired private 1',
   'by verdict and peer');
like($server->{requests}[1]{hint}, qr/^Cloudflare sent no certificate/,
     'with the module\'s hints');
is(join(', ', map { join ' ', substr($_->{from}, 11, 2),
                    @$_{qw(seconds passed failed failed_direct)} }
              @{ $server->{over_time} }),
   '09 3600 5 0 0, 10 3600 0 3 0, 11 3600 0 0 1, 12 3600 0 1 0', 'over time');

my $behind = $server->{behind};

is(join(', ', map { "$_->{text} $_->{verdict} $_->{peer} $_->{count}" }
              @{ $behind->{addresses} }),
   '172.64.0.2 none edge 3, 10.0.0.1 expired private 1',
   'addresses behind the failures, not the direct ones');
is(join(', ', map { "$_->{text} $_->{count}" } @{ $behind->{hosts} }),
   'example.test 3, health 1', 'hosts');
is(scalar @{ $behind->{paths} }, 2, 'paths, no more than --top');
is(join(', ', map { "$_->{text} $_->{count}" } @{ $behind->{user_agents} }),
   'Mozilla/5.0 3,  1', 'user agents, also none');

# times: of any zone, in any order

is(report(log_line(time => '2030-01-31T02:00:00+05:30'))->{first},
   '2030-01-30T20:30:00Z', 'a zone east of Greenwich');
is(report(log_line(time => '2030-01-31T20:00:00-08:00'))->{last},
   '2030-02-01T04:00:00Z', 'a zone west of it');

my $backwards = report(join '', map { log_line(time => at($_)) }
                                1, 1, 0, 0, 0, 3);

is(join(' ', map { substr($_->{from}, 11, 2) . "=$_->{passed}" }
             @{ $backwards->{servers}[0]{over_time} }), '09=1 10=0 11=2 12=3',
   'the latest lines first');

# a server that has been silent since is not judged by what was

my $silent = report($failed . join '', map {
    log_line(server => 'busy.test', time => at(-48)) } 1 .. 100);

is($silent->{servers}[0]{ready}, 'unknown', 'a server that fell silent');

# hosts that are not the server's are not named

my $named = report($passed . $failed . log_line(none => 'edge', time => at(0),
                                                host => 'own.test'),
                   '--name', 'own.test');

like($named->{servers}[0]{why}, qr/own\.test/, 'its own hosts are named');
unlike($named->{servers}[0]{why}, qr/shop\.test/, 'others are not');

# over time: as many slots for years as for hours

my $years = report(join '', map { log_line(time => at($_ * 24)) }
                            reverse 0 .. 800);
my @slot  = @{ $years->{servers}[0]{over_time} };
my $sum   = 0;

$sum += $_->{passed} for @slot;

cmp_ok(scalar @slot, '<=', 24, 'years: few slots');
is($sum, 801, 'years: nothing lost');
is(scalar(grep { !$_->{passed} } @slot), 0, 'years: each slot where it belongs');
cmp_ok($slot[0]{from}, 'le', $years->{first}, 'years: from the first');
is(report(log_line(time => at(0)) . log_line(time => at(40)))
       ->{servers}[0]{over_time}[0]{seconds}, 7200, 'two days: two hours each');

# the lists are bounded, and what is frequent stays in them

my $many = report(join('', $passed, map {
    log_line(none => 'edge', uri => "/$_", time => at(0)),
    $_ % 3 ? () : log_line(none => 'edge', uri => '/hot', time => at(0))
} 1 .. 900), '--top', 64);
my ($hot) = @{ $many->{servers}[0]{behind}{paths} };

is(scalar @{ $many->{servers}[0]{behind}{paths} }, 64, 'a list is bounded');
is($hot->{text}, '/hot', 'the most frequent path is first');
cmp_ok($hot->{count}, '<=', 300, 'its count, at least');
cmp_ok($hot->{count} + $hot->{error}, '>=', 300, 'its count, at most');

my $servers = report(join '', map { log_line(server => "s$_.test") } 1 .. 400);

is(scalar @{ $servers->{servers} }, 256, 'the servers are bounded');
is($servers->{servers}[255]{judged}, 145, 'the others are counted in one');

# ages

sub ago {
    return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time() - $_[0]));
}

my $ages = join '', map { log_line(time => ago($_)) } 30, 1800, 80_000, 500_000;

is(report($ages, '--since', $$_[0])->{judged}, $$_[1], "--since $$_[0]")
    for [ '90s', 1 ], [ '40m', 2 ], [ '23h', 3 ], [ '6d', 4 ], [ '5d', 3 ];
like(aopctl({ input => $ages }, 'report', '--since', '40m')->{out},
     qr/^lines that are older than --since: 2$/m, '--since: how many were older');

# hostile text does not reach a terminal

my $evil  = "\e]0;x\a\e[2J\r\n\x{9b}31m\x{202e}\x{7f}";
my $nasty = log_line(none => 'edge', map { $_ => $evil }
                     qw(host uri ua server mode peer_addr));
my $text  = aopctl({ input => $passed . $nasty }, 'report');

unlike($text->{out}, qr/[^\x20-\x7e\n]/, 'text: printable ASCII');
like($text->{out}, qr/\\x1b\]0;x/, 'text: the rest is escaped');
unlike(aopctl({ input => $nasty }, 'report', '--json')->{out},
       qr/[^\x20-\x7f\n]/, 'JSON: ASCII');
is(report($nasty)->{servers}[0]{behind}{hosts}[0]{text}, $evil,
   'JSON: what was in the log');
like(aopctl({ input => $passed }, 'report', "\e[31m")->{err},
     qr/^aopctl: cannot read "\\x1b\[31m"/, 'a hostile file name');

# text for a person

my $person = aopctl({ input => join '', $passed, $failed, @line, "{\n", "x\n" },
                    'report')->{out};

like($person, qr/^$_/m, "text: $_") for (
    'lines: 114, verified requests: 111, ', 'damaged lines: 1',
    'lines that are not in the aop_json format: 1', 'example\.test\n  ready: no: ',
    '  aop optional and on: 111 verified, 105 passed, 5 would be refused, 1 ref',
    ' +4  none +edge\n', '  none, edge: Cloudflare sent no',
    '  addresses behind', ' +3  none +edge +last \S+Z  172\.64\.0\.2',
    'other\.test\n  not verified: 1 request', 'ready: no: 1 of 1 server is not ready \(example.test\)'
);

unlike($person, qr/\e/, 'text: no colors in a file');
like(aopctl({ input => $passed }, 'report')->{out},
     qr/^lines: 100, verified requests: 100, \S+Z to \S+Z\n.*^  aop optional: /ms,
     'text: from when to when, in one mode');
like(aopctl({ input => '' }, 'report')->{out},
     qr/^lines: 0, verified requests: 0\n\nready: cannot tell: the log /,
     'text: an empty log');
like(aopctl({ input => log_line(none => 'direct') }, 'report')->{out},
     qr/^  ready: unknown: .*^ready: cannot tell: no requests have passed yet \(/ms,
     'text: nothing passed');
like(aopctl({ input => $many = join '', $passed, map {
         log_line(none => 'edge', uri => "/$_", time => at(0)) } 1 .. 900 },
     'report')->{out}, qr/paths behind[^\n]*\n +many, none is frequent/,
     'text: where nothing is frequent, that is said');

# the progress bar: on a terminal only, and gone at the end

my $big = file('big.log', $passed x 300);

is(aopctl('report', $big)->{err}, '', 'no progress bar in a file');

SKIP: {
    skip 'no script(1)', 2 unless grep { -x "$_/script" } split /:/, $ENV{PATH};

    my $seen = aopctl({ command => [ 'script', '-qec' ],
                        env => { TERM => 'xterm' } },
                      binary() . " report $big > /dev/null", '/dev/null');

    like($seen->{out}, qr/\r\[#*\.+\] +\d+%, \d+ MB\/s\e\[K/,
         'a progress bar on a terminal');
    like($seen->{out}, qr/\r\e\[K\s*\z/, 'and gone at the end');
}

# what the module itself has written is understood

my $port = $nginx->ports;
my $ca   = ca('CA');
my $cert = AOP::Test::Cert->server('server.test');

$nginx->write('ca.pem', $ca);
$nginx->write('server.crt', $cert->pem);
$nginx->write('server.key', $cert->key_pem);

$nginx->configure(<<"CONF")->start;
    ssl_certificate server.crt;
    ssl_certificate_key server.key;
    aop_edge 127.0.0.0/8;
    server {
        listen 127.0.0.1:$port ssl;
        server_name site.test;
        aop optional;
        aop_ca ca.pem;
        access_log aop.log aop_json;
        location /off { aop off; return 200; }
        location / { return 200; }
    }
CONF

get($port, cert => $ca->leaf('edge'), sni => 'site.test') for 1 .. 3;
get($port, sni => 'site.test', path => '/open?secret',
    headers => [ 'User-Agent' => "\xff\e[31m\"" ]);
get($port, sni => 'site.test', path => '/off');
$nginx->wait_file('aop.log', qr{/off});

my $real = answer('report', $nginx->path('aop.log'));

is("@$real{qw(lines judged passed would_be_refused off damaged)}",
   '5 4 3 1 1 0', 'the module\'s own log');
is($real->{servers}[0]{behind}{paths}[0]{text}, '/open', 'its path');
is($real->{servers}[0]{behind}{user_agents}[0]{text}, "\x{fffd}\e[31m\"",
   'its user agent');
is("$real->{status} $real->{ready}", '2 no', 'its answer');

$nginx->finish;

done_testing();
