#!/usr/bin/perl

# What the module costs beside stock nginx that does not ask for a certificate
# ("off") and stock nginx that verifies it ("on": ssl_verify_client on): three
# nginx side by side, which take turns in each case.  At the end, how fast
# "aopctl report" reads a log, and in how much memory.
#
#     make bench [BENCH=quick] [CASES="returning|full, TLS 1.3"]
#
# Instructions are callgrind's count, which nothing else on the machine changes;
# CPU is what the kernel accounts to the server, the median of several turns.
# "Tickets" are of a key file, with which a worker keeps no sessions itself.
# Every answer is checked: a server that lets in what it should refuse is not
# timed.  CASES is a pattern of their names.  BENCH=instructions counts these
# alone.  Environment: NGINX, AOP_MODULE, BENCH, CASES, BENCH_KEEP.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../lib";

use File::Temp;
use IO::Compress::Gzip qw(gzip);
use IO::Socket::INET;
use List::Util qw(first max min);
use Storable qw(fd_retrieve store_fd);

use constant TIME_LIMIT => 3600;

# the tests' own limit, which AOP::Test sets when a certificate needs it
BEGIN { $ENV{AOP_TEST_WATCHDOG} = TIME_LIMIT }

use AOP::Bench::Client;
use AOP::Bench::Server;
use AOP::Test::Aopctl;
use AOP::Test::Cert;
use AOP::Test::Log;

my $quick = ($ENV{BENCH} || '') eq 'quick';
my $count = ($ENV{BENCH} || '') eq 'instructions';

my %size = $quick || $count
         ? (count => 8,  turn => 25,  turns => 3, requests => 2000,
            logs => [ 4, 40 ])
         : (count => 25, turn => 100, turns => 7, requests => 20000,
            logs => [ 16, 160 ]);

use constant {
    WARM_CONNECTIONS => 5,
    WARM_REQUESTS    => 2000,
    IDLE             => 200,
    LAYOUTS          => 10,
    WARM_LAYOUT      => 50,
};

my @VARIANTS = qw(off on module);

# an address of Cloudflare's, and what it adds to a browser's request
use constant EDGE => '173.245.48.9';

my @HEADERS = (
    'Accept-Encoding: gzip, br', 'CF-Ray: 8f0a5c2d7e3b1a2c-FRA',
    'X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: https',
    'CF-Visitor: {"scheme":"https"}', 'CF-Connecting-IP: 203.0.113.9',
    'CDN-Loop: cloudflare; loops=1', 'CF-IPCountry: DE',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101'
    . ' Firefox/140.0',
    'Accept: text/html,application/xhtml+xml', 'Accept-Language: en',
    'Cookie: session=0123456789abcdef0123456789abcdef',
);

my $REST = ', no malloc';

my @reserved;

my $module = $ENV{AOP_MODULE} or die "AOP_MODULE names no module\n";
my $folder = File::Temp->newdir('aop-bench-XXXXXXXX', TMPDIR => 1,
                                CLEANUP => !$ENV{BENCH_KEEP});

local $SIG{ALRM} = sub { die 'this took longer than ' . TIME_LIMIT . " s\n" };
local $SIG{INT}  = local $SIG{TERM} = local $SIG{HUP} = sub { exit 1 };
local $SIG{PIPE} = 'IGNORE';
alarm TIME_LIMIT;


# certificates: the anchor is RSA-4096, as Cloudflare's is,
# and the client is called what its CA is called, as Cloudflare's is

my @who = (C => 'US', ST => 'California', L => 'San Francisco',
           O => 'CloudFlare, Inc.', OU => 'Origin Pull',
           CN => 'origin-pull.cloudflare.net');

my $ca    = AOP::Test::Cert->ca(\@who, key => 'rsa:4096');
my $other = AOP::Test::Cert->ca('Other CA', key => 'rsa:4096');
my $false = AOP::Test::Cert->ca(\@who, key => 'rsa:4096', key_ids => 0);

my %cert = (
    rsa       => $ca->leaf(\@who, key => 'rsa'),
    ec        => $ca->leaf(\@who, key => 'ec'),
    untrusted => $other->leaf(\@who, key => 'rsa'),
    chain     => $other->leaf(\@who, key => 'rsa'),
    expired   => $ca->leaf(\@who, key => 'rsa', not_after => time() - 60),
    imposter  => $false->leaf(\@who, key => 'rsa', key_ids => 0),
    none      => undef,
);

my @pq = grep { AOP::Test::Cert->has($_) } qw(ML-DSA-44 ML-DSA-65);

$cert{$_} = $ca->leaf(\@who, key => $_) for @pq;

my %chain = (chain => $other);
my @bad   = qw(none untrusted chain expired imposter);

my %host = map { $_ => AOP::Test::Cert->new(subject => 'bench.test',
                                            eku => 'serverAuth', key => $_) }
           qw(ec rsa);


# cases: those of one connection each, and those of one request each

my @cases;

for my $tls ('1.3', '1.2') {
    for my $key (qw(ec rsa)) {
        for my $leaf ($quick ? 'rsa' : ('rsa', 'ec'),
                      $tls eq '1.3' ? @pq : ())
        {
            push @cases, { what => 'full', tls => $tls, key => $key,
                           leaf => $leaf, tickets => $_ } for qw(on off);
            push @cases, { what => 'returning', tls => $tls, key => $key,
                           leaf => $leaf, tickets => $_, resume => 1 }
                for qw(on file);
        }
    }
}

my %request = (what => 'request', tls => '1.3', key => 'ec', leaf => 'rsa',
               requests => 1);

push @cases, map { +{ %request, tickets => $_ } } qw(on edge facts);

for my $leaf (qw(none untrusted chain expired)) {
    push @cases, { what => 'refused', tls => '1.3', key => 'ec',
                   leaf => $leaf, tickets => $_ } for qw(on off);
}

# an address that has failed is looked for when it passes
push @cases, { %request, tickets => 'on', failed => 1 };

$_->{name} = name($_) for @cases;

@cases = grep { $_->{name} =~ /$ENV{CASES}/ } @cases if $ENV{CASES};


# the work

my %server = map { $_ => server($_, 0) } @VARIANTS;

check($_, $server{$_}) for qw(on module);

print "counting instructions\n";

my $instructions = in_parallel(\&count_instructions);

my (%memory, $cpu);

if (!$count) {
    print "measuring CPU and memory\n";

    $cpu = take_turns();

    # of new ones: the holes in a heap that was used hold many connections
    %server = ();
    %memory = map { $_ => idle_memory(server($_, 0)) } @VARIANTS;
}

print "\n";
report();

if (!$count) {
    report_cpu();

    print "\nreading logs\n\n";
    logs();
}


# server($variant, $callgrind): an nginx with all its listeners.
sub server {
    my ($variant, $callgrind) = @_;

    my $dir = "$folder/" . ($callgrind ? 'callgrind' : 'cpu') . "-$variant";
    my (@http, %port);

    mkdir $dir;
    write_file("$dir/ca.pem", $ca->pem);
    write_file("$dir/ticket.key", 'k' x 80);

    for my $key (sort keys %host) {
        write_file("$dir/$key.crt", $host{$key}->pem);
        write_file("$dir/$key.key", $host{$key}->key_pem);

        for my $tickets (qw(on off file facts edge)) {
            my $port = $port{"$key $tickets"} = free_port();

            push @http, listener($variant, $port, $key, $tickets);
        }
    }

    my $server = AOP::Bench::Server->new(
        dir       => $dir,
        http      => join('', log_format($variant), @http),
        callgrind => $callgrind,
        module    => $variant eq 'module' ? $module : undef,
    );

    return { variant => $variant, nginx => $server, port => \%port };
}


sub listener {
    my ($variant, $port, $key, $tickets) = @_;

    my %ask = (
        off    => '',
        on     => 'ssl_client_certificate ca.pem; ssl_verify_client on;',
        module => 'aop_ca ca.pem; aop on;',
    );

    my %session = (off  => 'ssl_session_tickets off;',
                   file => 'ssl_session_ticket_key ticket.key;');
    my $session = $session{$tickets} || '';
    my $log     = $tickets eq 'facts' ? 'access_log access.log facts;' : '';
    my $proxy   = $tickets eq 'edge' ? ' proxy_protocol' : '';

    return <<"CONF";
    server {
        listen 127.0.0.1:$port ssl$proxy;
        server_name bench.test;
        ssl_certificate $key.crt;
        ssl_certificate_key $key.key;
        $ask{$variant} $session $log
        location / {
            return 200 ok;
        }
    }
CONF
}


# The same facts, in the words of each.
sub log_format {
    my ($variant) = @_;

    my @name = $variant eq 'module'
             ? map { "aop_client_$_" } qw(subject issuer serial fingerprint
                                          not_after)
             : map { "ssl_client_$_" } qw(s_dn i_dn serial fingerprint v_end);

    return '    log_format facts \'$remote_addr "$request" $status '
           . join(' ', map { "\$$_" } @name) . "';\n";
}


# client($server, $case): who does what the case says to that server.
sub client {
    my ($server, $case) = @_;

    my $asks = $server->{variant} ne 'off';
    my $bad  = grep { $_ eq $case->{leaf} } @bad;
    my $edge = $case->{tickets} eq 'edge';

    return AOP::Bench::Client->new(
        from    => $edge ? EDGE : undef,
        headers => $edge ? \@HEADERS : undef,
        port   => $server->{port}{"$case->{key} $case->{tickets}"},
        tls    => $case->{tls},
        cert   => $asks ? $cert{ $case->{leaf} } : undef,
        chain  => $chain{ $case->{leaf} },
        status => $asks && $bad ? 400 : 200,
        resume => $case->{resume},
    );
}


# check($variant, $server): dies unless the server refuses whom it should, also
# after it has seen a good client.
sub check {
    my ($variant, $server) = @_;

    for my $tls ('1.2', '1.3') {
        for my $listener (sort keys %{ $server->{port} }) {
            my ($key, $tickets) = split / /, $listener;

            for my $leaf ('rsa', 'ec', @bad, 'rsa') {
                client($server, { tls => $tls, key => $key, leaf => $leaf,
                                  tickets => $tickets })->connections(2);
            }
        }
    }

    return;
}


# count_instructions($variant): { case => [ instructions, resumed ] }.
sub count_instructions {
    my ($variant) = @_;

    my $server = server($variant, 1);
    my %result;

    for my $case (@cases) {
        my $client = client($server, $case);
        my $n      = $size{count};

        if ($case->{requests}) {
            my ($all, $rest) = count_requests($server, $client);

            $result{ $case->{name} }      = [ $all, 0 ];
            $result{"$case->{name}$REST"} = [ $rest, 0 ];
            next;
        }

        my $again = repeat($client, $case);
        my $total = $server->{nginx}->instructions(sub { $again->($n) });

        $result{ $case->{name} } = [ $total / $n, $client->resumed > 0 ];
    }

    return \%result;
}


# count_requests($server, $client): instructions of a request.  What malloc()
# and free() take of that depends on where there are holes in the memory, by up
# to 3 per cent, so it is the median over connections among more and more others;
# and without malloc() and free().
sub count_requests {
    my ($server, $client) = @_;

    my $n = $size{requests} / LAYOUTS;
    my (@other, @count, $rest);

    for my $layout (1 .. LAYOUTS) {
        push @other, map { $client->open } 1 .. $layout;
        $client->requests($_, 1) for @other;
        $client->close(splice @other, $layout / 2, 1);

        my $connection = $client->open;

        $client->requests($connection, WARM_LAYOUT);

        my ($all, $malloc) = $server->{nginx}->instructions(sub {
            $client->requests($connection, $n);
        });

        push @count, $all / $n;
        $rest = ($all - $malloc) / $n;

        push @other, $connection;
    }

    $client->close($_) for @other;

    return (median(@count), $rest);
}


# take_turns(): { variant => { case => [ seconds of CPU, ... ] } }.  Each server
# has idle connections meanwhile, as in use.  Without them the memory of a server
# is one piece after each connection, and the next one finds it in the processor's
# cache; for the module it is not, as that keeps sessions.
sub take_turns {
    my (%result, @idle);

    for my $variant (@VARIANTS) {
        my $client = client($server{$variant}, { tls => '1.3', key => 'ec',
                                                 leaf => 'rsa',
                                                 tickets => 'on' });

        for (1 .. IDLE) {
            push @idle, [ $client, $client->open ];
            $client->requests($idle[-1][1], 1);
        }
    }

    for my $case (@cases) {
        my $n = $case->{requests} ? $size{requests} / 4 : $size{turn};
        my %again = map { $_ => repeat(client($server{$_}, $case), $case) }
                    @VARIANTS;

        for my $turn (1 .. $size{turns}) {
            for my $variant (map { $VARIANTS[ ($_ + $turn) % @VARIANTS ] }
                             0 .. $#VARIANTS)
            {
                my $nginx = $server{$variant}{nginx};
                my $start = $nginx->cpu;

                $again{$variant}->($n);

                push @{ $result{$variant}{ $case->{name} } },
                     ($nginx->cpu - $start) / $n;
            }
        }
    }

    $_->[0]->close($_->[1]) for @idle;

    return \%result;
}


# repeat($client, $case): what does it so many times, all being warm.
sub repeat {
    my ($client, $case) = @_;

    if (!$case->{requests}) {
        $client->connections(WARM_CONNECTIONS);
        $client->resumed;

        return sub { $client->connections($_[0]) };
    }

    my $connection = $client->open;
    $client->requests($connection, WARM_REQUESTS);

    return sub { $client->requests($connection, $_[0]) };
}


# idle_memory($server): bytes for each of many connections that were served one
# request and are kept.
sub idle_memory {
    my ($server) = @_;

    my $client = client($server, { tls => '1.3', key => 'ec', leaf => 'rsa',
                                   tickets => 'on' });
    my (@connection, @memory);

    for (1 .. 3) {
        for (1 .. IDLE) {
            push @connection, $client->open;
            $client->requests($connection[-1], 1);
        }

        push @memory, $server->{nginx}->memory;
    }

    $client->close($_) for @connection;

    return ($memory[2] - $memory[0]) / (2 * IDLE);
}


# in_parallel($code): what the code returns for each variant, in a process each.
sub in_parallel {
    my ($code) = @_;

    my (%pipe, %pid, %result);

    for my $variant (@VARIANTS) {
        my $pid = $pid{$variant} = open $pipe{$variant}, '-|';
        die "fork() failed: $!" unless defined $pid;

        if ($pid == 0) {
            store_fd($code->($variant), \*STDOUT);
            exit 0;
        }
    }

    for my $variant (@VARIANTS) {
        $result{$variant} = eval { fd_retrieve($pipe{$variant}) };
        next if $result{$variant};

        kill TERM => values %pid;
        die "$variant: no result\n";
    }

    return \%result;
}


# report(): the table of instructions.
sub report {
    my ($nginx) = `@{[ AOP::Bench::Server::binary() ]} -V 2>&1`
                  =~ m{nginx/([\d.]+)};
    my ($openssl) = Net::SSLeay::SSLeay_version(0);

    print <<"HEAD";
nginx $nginx, $openssl; client certificates under an RSA-4096 CA

                                                       million instructions
                                                     off      on  module  module/on
HEAD

    for my $name (map { $_->{requests} ? ($_->{name}, "$_->{name}$REST")
                                       : $_->{name} } @cases) {
        my ($off, $on, $ours) = map { $instructions->{$_}{$name} } @VARIANTS;

        printf "%-48s%8s%8s%8s%11.2f\n", $name,
               (map { figure($_) } $off, $on, $ours), $ours->[0] / $on->[0];
    }

    print "\n(*: the session was resumed)\n";

    return;
}


sub report_cpu {
    print <<"HEAD";

                                            microseconds of CPU: median (min-max)
                                                         on            module  ratio
HEAD

    for my $case (@cases) {
        my ($on, $ours) = map { $cpu->{$_}{ $case->{name} } } qw(on module);

        printf "%-45s%16s%18s%7.2f\n", $case->{name}, spread($on),
               spread($ours), median(@$ours) / median(@$on);
    }

    printf "\n%-45s%8d%8d%8d%11.2f\n", 'bytes of memory for an idle connection',
           @memory{@VARIANTS}, $memory{module} / $memory{on};

    return;
}


# logs(): the table of "aopctl report", which is to be as small for a log that
# is ten times as long.
sub logs {
    if (!-x binary()) {
        print "aopctl was not built\n";
        return;
    }

    printf "%-45s%16s%17s\n", '', 'MB a minute', 'MB of memory';

    for my $mb (@{ $size{logs} }) {
        my $log   = "$folder/access.log";
        my $lines = log_file($log, $mb);
        my $bytes = -s $log;

        gzip($log, "$log.gz", -Level => 1) or die "gzip failed\n";

        for my $file ($log, "$log.gz") {
            my $run = read_log($file, $lines);

            printf "%-45s%16.0f%17.1f\n",
                   sprintf('aopctl report, %d MB%s', $bytes / 1e6,
                           $file eq $log ? '' : ', gzip'),
                   $bytes / 1e6 / $run->{seconds} * 60, $run->{rss} / 1024;
        }

        unlink $log, "$log.gz";
    }

    return;
}


# read_log($file, $lines): what it took, all lines having been read.
sub read_log {
    my ($file, $lines) = @_;

    my $run = aopctl({ timeout => 600 }, 'report', '--json', $file);

    die "aopctl report: $run->{status}, $run->{err}\n"
        unless $run->{status} eq '2' && $run->{out} =~ /"judged": $lines,/;

    return $run;
}


sub figure {
    my ($result) = @_;

    my $n = $result->[0] / 1e6;

    return sprintf($n < 1 ? '%.4f' : '%.2f', $n) . ($result->[1] ? '*' : '');
}


sub spread {
    my ($seconds) = @_;

    my @us     = map { 1e6 * $_ } @$seconds;
    my $format = median(@us) < 100 ? '%.1f' : '%.0f';

    return sprintf "$format ($format-$format)", median(@us), min(@us),
                   max(@us);
}


sub median {
    my @sorted = sort { $a <=> $b } @_;

    return $sorted[ @sorted / 2 ];
}


sub name {
    my ($case) = @_;

    my %request = (on => 'plain', facts => 'facts logged',
                   edge => 'from Cloudflare');

    return "kept-alive request, $request{ $case->{tickets} }"
           . ($case->{failed} ? ', has failed' : '')
        if $case->{requests};

    my %bad  = (chain => 'untrusted, with its CA');
    my $name = $case->{what} eq 'refused'
             ? 'refused: ' . ($bad{ $case->{leaf} } || $case->{leaf})
             : "$case->{what}, TLS $case->{tls}, " . uc($case->{key}) . ', '
               . uc($case->{leaf}) . ' leaf';

    my %tickets = (off => ', no tickets', file => ', tickets');

    return $name . ($tickets{ $case->{tickets} } || '');
}


# A socket stays bound without listening: nginx may bind there too, and the
# system hands the port to no one else.
sub free_port {
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                       LocalPort => 0, Proto => 'tcp',
                                       ReuseAddr => 1)
        or die "no free port: $!";

    push @reserved, $socket;

    return $socket->sockport;
}


sub write_file {
    my ($name, $content) = @_;

    open my $fh, '>', $name or die "cannot write $name: $!";
    print {$fh} $content;
    close $fh or die "cannot write $name: $!";

    return;
}
