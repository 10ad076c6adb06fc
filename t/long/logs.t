#!/usr/bin/perl

# Lines of "aop_json" travel: through syslog into Debian's rsyslog and journald
# and out again they are whole, aopctl report reads them in each form, and the
# databases in docs/fleet.md give its answer.  What is run is what stands there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp;
use JSON::PP ();
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);
use AOP::Test;
use AOP::Test::Aopctl;

use constant {
    DOCS      => "$FindBin::Bin/../../docs/fleet.md",
    RSYSLOGD  => '/usr/sbin/rsyslogd',
    JOURNALD  => '/lib/systemd/systemd-journald',
    NAMESPACE => 'unshare',
    DUCKDB    => '@duckdb/node-api@1.5.6-r.1',
    LINE      => 8000,                  # with its line break
    LIMIT     => 8095,                  # of rsyslog's own, with its header
    HOST      => 64,                    # characters of a host name, at most
    TIMEOUT   => 30,
};

plan skip_all => 'no rsyslog, package rsyslog' unless -x RSYSLOGD;

alarm 600;

my $docs  = slurp(DOCS);
my $ca    = ca('Edge CA');
my $good  = $ca->leaf('edge');
my $long  = ca([ map { (O => $_ x 60) } 'a' .. 'i' ])->leaf(
               [ map { (OU => $_ x 60) } 'a' .. 'i' ]);
my $nginx = nginx();
my $dir   = $nginx->dir;
my ($tls, $udp, $short) = $nginx->ports(3);
my $listen = $nginx->listen_tls($tls, 'proxy_protocol');
my @running;
my %pid;

mkdir "$dir/$_" for qw(journal socket);

# the lines of the document, at addresses of our own

my ($local, $remote) = $docs =~ /^ {4}(access_log syslog:\S+ aop_json;)$/mg;

$remote =~ s/192\.0\.2\.10:514/127.0.0.1:$udp/ or die "not known: $remote";
$local  =~ s{/dev/log}{$dir/socket/log} or die "not known: $local";

my $journal = $local =~ s{socket/log}{journal/dev-log}r;

my $sinks = "$remote $local $journal"
            . " access_log syslog:server=127.0.0.1:$short,tag=aop aop_json;"
            . ' access_log plain.log aop_json;';

$nginx->write('ca.pem', $ca);
$nginx->configure(<<"CONF");
    aop_ca ca.pem;
    large_client_header_buffers 4 32k;
    log_format pad escape=none '\$http_x_pad';
    server {
        $listen server_name site.test; aop optional;
        $sinks
        location / { return 200; }
        location = /pad { @{[ $sinks =~ s/aop_json/pad/gr ]} return 200; }
    }
CONF

# rsyslog: as in the document, and with its own limit

my ($rsyslog) = fence('rsyslog');

receiver('ours', ($rsyslog =~ s{192\.0\.2\.10}{127.0.0.1}r
                           =~ s{"514"}{"$udp"}r =~ s{/var/log}{$dir}r), <<"CONF");
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="$dir/socket/log" ruleset="local")
ruleset(name="local") {
    action(type="omfile" file="$dir/prefix.log")
    action(type="omfile" file="$dir/local.log" template="aop")
}
CONF

receiver('plain', <<"CONF", '');
module(load="imudp")
template(name="aop" type="string" string="%msg:2:\$%\\n")
input(type="imudp" address="127.0.0.1" port="$short")
action(type="omfile" file="$dir/short.log" template="aop")
CONF

# journald, in a mount namespace, where it has its own /run

my $journald = journald();

$nginx->start;

# of each kind; the longest that there is among them

ask(peer => '173.245.48.9', cert => $good) for 1 .. 120;
ask(peer => '173.245.48.9', path => '/a', host => 'other.test');
ask(peer => '10.0.0.7', path => '/health') for 1 .. 3;
ask(peer => '203.0.113.9');
ask(peer => '173.245.48.9', cert => $long, path => '/' . 'u' x 2000,
    host => 'h' x 300, headers => [ 'User-Agent' => "\xc3\xbc\"" x 800,
                                    'CF-Ray' => "\x7f" x 200 ]);

my $header = length('<190>Nov 28 17:03:48 aop: ') + 1;

pad($_) for LINE - 1, LIMIT - $header - length hostname(), LIMIT + 1000;
cmp_ok(LINE - 1 + $header + HOST, '<=', LIMIT,
       'rsyslog, its own limit: any line of aop_json has room');

my $lines  = 120 + 1 + 3 + 1 + 1 + 3;
my @plain  = lines('plain.log');
my @whole  = @plain[0 .. $#plain - 1];
my $biggest = (sort { $b <=> $a } map { length } @plain[0 .. $#plain - 3])[0];

is(scalar @plain, $lines, 'nginx has logged all of it');
cmp_ok($biggest, '>', 3000, "the longest of aop_json has $biggest bytes");

is_deeply([ lines('aop.log') ], \@plain, 'rsyslog, UDP: all lines, whole');
is_deeply([ lines('local.log') ], \@plain, 'rsyslog, socket: all lines, whole');

my @short = lines('short.log');

is_deeply([ @short[0 .. $#short - 1] ], \@whole,
          'rsyslog, its own limit: all lines of its size, whole');
cmp_ok(length $short[-1], '<', length $plain[-1],
       'rsyslog, its own limit: one that is too long is cut');

# aopctl report

my @aop   = grep { /^\{"time"/ } @plain;
my $right = report(join '', map { "$_\n" } @aop);

is($right->{servers}[0]{ready}, 'no', 'the answer');
is_deeply(report(slurp("$dir/prefix.log")), $right,
          "the same from rsyslog's own format");
like(slurp("$dir/prefix.log"), qr/^\S+ \S+ aop: \{/,
     "which has a prefix");

SKIP: {
    skip 'no journald, or no mount namespace', 3 unless $journald;

    my ($command) = grep { /journalctl/ } fence('bash');

    $command =~ s/journalctl/$& -D \$DIR/ or die "not known: $command";
    $command =~ s/aopctl report .*/cat/;

    my @out = split /\n/, journalctl($command);

    is_deeply(\@out, \@plain, 'journald: all lines, whole');
    is_deeply(report(journalctl("journalctl -D \$DIR -t aop -o $_")), $right,
              "journalctl -o $_: the same answer") for qw(short-iso short-full);
}

# databases: how many requests of what kind would be rejected

my @would = answers(map { JSON::PP->new->utf8->decode($_) } @aop);

cmp_ok(scalar @would, '==', 3, 'three kinds of requests would be rejected');

my ($duckdb, $create, $clickhouse) = fence('sql');

$nginx->write('aop_json.log', join '', map { "$_\n" } @aop);

SKIP: {
    my @row = duckdb($duckdb =~ s{/var/log/aop\.log}{$dir/aop_json.log}r)
        or skip 'no npm, or nothing in its reach', 1;

    is_deeply([ sort @row ], \@would, 'DuckDB: the same');
}

SKIP: {
    skip 'no ClickHouse, package clickhouse-server', 1
        unless -x '/usr/sbin/clickhouse-server' && -x '/usr/bin/clickhouse-client';

    my ($insert) = grep { /clickhouse-client/ } fence('bash');

    $insert =~ s{/var/log/aop\.log}{$dir/aop_json.log} or die;

    is_deeply([ sort(clickhouse($create, $insert, $clickhouse)) ], \@would,
              'ClickHouse: the same');
}

is(stop_all(), '', 'all of them end');
$nginx->finish;
done_testing();


sub ask {
    my (%opt) = @_;

    my $peer = delete $opt{peer};

    get($tls, sni => 'site.test',
        prelude => "PROXY TCP4 $peer 127.0.0.1 1 2\r\n", %opt);

    return;
}

# a line of so many bytes
sub pad {
    my ($n) = @_;

    return ask(peer => '10.0.0.7', path => '/pad',
               headers => [ 'X-Pad' => 'x' x $n ]);
}

# lines($file): once there are as many as have been sent
sub lines {
    my ($file) = @_;

    within(sub { ($nginx->read($file) =~ tr/\n//) >= $lines });

    return split /\n/, $nginx->read($file);
}

# what aopctl says of these lines
sub report {
    my ($text) = @_;

    my $run  = aopctl({ input => $text }, 'report', '--json', '--name',
                      'site.test');
    my $json = eval { JSON::PP->new->ascii->decode($run->{out}) } || {};

    return { servers => $json->{servers}, status => $run->{status} };
}

# the rows that the queries ask for: all but the time
sub answers {
    my (@line) = @_;

    my %count;

    for (@line) {
        next if $_->{status} ne 'REJECTED_DRY_RUN' || $_->{peer} eq 'direct';
        $count{ join ' ', map { utf8::encode(my $t = $_); $t }
                @{$_}{qw(origin server peer verdict host)} }++;
    }

    return sort map { "$_ $count{$_}" } keys %count;
}

# fence($lang): the blocks of the document in that language
sub fence {
    my ($lang) = @_;

    return $docs =~ /^```$lang\n(.*?)^```$/gms;
}

sub receiver {
    my ($name, @conf) = @_;

    $nginx->write("$name.conf", join '', @conf);
    run($name, RSYSLOGD, '-n', '-f', "$dir/$name.conf",
        '-i', "$dir/$name.pid");

    within(sub { -s "$dir/$name.pid" })
        or die "rsyslog did not start: " . $nginx->read("$name.out");

    # the pid file may come before the sockets

    sleep 1;

    return;
}

# starts it; whether it takes messages
sub journald {
    return unless -x JOURNALD && $> == 0;

    # what it leaves in the namespace is in the folder all the same

    run('journald', NAMESPACE, '--mount', 'sh', '-ec', <<"SH");
mount -t tmpfs none /run
mkdir -p /run/systemd/journal /run/log/journal
mkdir -p $dir/kept
mount --bind $dir/journal /run/systemd/journal
mount --bind $dir/kept /run/log/journal
exec @{[ JOURNALD ]}
SH

    return within(sub { -S "$dir/journal/dev-log" }, 5);
}

# what a command with journalctl prints
sub journalctl {
    my ($command) = @_;

    local $ENV{DIR} = "$dir/kept";

    return scalar `$command 2> $dir/journalctl.out`;
}

sub duckdb {
    my ($sql) = @_;

    my $at = File::Temp->newdir;

    return if system("cd $at && npm install --no-audit --no-fund --silent "
                     . DUCKDB . ' > npm.log 2>&1');

    put("$at/query.sql", $sql);
    put("$at/query.mjs", <<'JS');
import { DuckDBInstance } from '@duckdb/node-api';
import { readFileSync } from 'fs';
const connection = await (await DuckDBInstance.create(':memory:')).connect();
const result = await connection.runAndReadAll(readFileSync('query.sql', 'utf8'));
for (const row of result.getRows())
    console.log([...row.slice(0, 6)].join(' '));
process.exit(0);
JS

    return split /\n/, scalar `cd $at && node query.mjs 2>&1`;
}

# the rows of the last command
sub clickhouse {
    my ($create, $insert, $query) = @_;

    my ($tcp, $http) = $nginx->ports(2);
    my $client = "clickhouse-client --host 127.0.0.1 --port $tcp";

    $nginx->write('clickhouse.xml', <<"XML");
<yandex>
<logger><level>warning</level><log>$dir/clickhouse.log</log></logger>
<listen_host>127.0.0.1</listen_host>
<tcp_port>$tcp</tcp_port><http_port>$http</http_port>
<path>$dir/clickhouse/</path><tmp_path>$dir/clickhouse/tmp/</tmp_path>
<users_config>users.xml</users_config>
<default_profile>default</default_profile>
<mark_cache_size>100000000</mark_cache_size>
</yandex>
XML
    $nginx->write('users.xml', <<'XML');
<yandex>
<profiles><default/></profiles><quotas><default/></quotas>
<users><default><password/><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></default></users>
</yandex>
XML

    run('clickhouse', '/usr/sbin/clickhouse-server',
        "--config-file=$dir/clickhouse.xml");
    within(sub { !system("$client -q 'SELECT 1' > /dev/null 2>&1") })
        or return ('it did not start: ' . $nginx->read('clickhouse.out'));

    put("$dir/create.sql", $create);
    put("$dir/query.sql", $query);

    return split /\n/, scalar `( $client --multiquery < $dir/create.sql
        @{[ $insert =~ s/clickhouse-client/$client/r ]}
        $client --multiquery < $dir/query.sql | cut -f 1-6 | tr '\\t' ' ' ) 2>&1`;
}

sub hostname {
    chomp(my $name = `hostname`);
    return $name;
}

sub run {
    my ($name, @command) = @_;

    my $child = fork();
    die "fork() failed: $!\n" unless defined $child;

    if ($child == 0) {
        chdir $dir;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$dir/$name.out";
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }

    $pid{$child} = $name;

    return;
}

# stop_all(): which of them had to be killed
sub stop_all {
    my @killed;

    for my $child (sort keys %pid) {
        my $name = delete $pid{$child};

        kill TERM => $child;
        next if within(sub { waitpid($child, WNOHANG) != 0 });

        kill KILL => $child;
        waitpid $child, 0;
        push @killed, $name;
    }

    return join ' ', @killed;
}

sub within {
    my ($what, $seconds) = @_;

    my $end = time() + ($seconds || TIMEOUT);

    while (time() < $end) {
        return 1 if $what->();
        sleep 0.1;
    }

    return 0;
}

sub put {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "cannot write $file: $!\n";
    print {$fh} $text;
    close $fh or die "cannot write $file: $!\n";

    return;
}

sub slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or return '';
    local $/;
    my $text = <$fh>;

    return defined $text ? $text : '';
}

END {
    my $status = $?;

    stop_all();
    $? = $status;
}
