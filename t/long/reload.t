#!/usr/bin/perl

# 200 reloads under load: no good request is refused or lost, nothing crashes,
# and memory stays where it is.  Each other reload brings another policy, so
# that sessions fall back to full handshakes while clients use them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use AOP::Test;

use constant {
    RELOADS     => 200,
    WARM        => 40,
    MAX_GROWTH  => 1024,                # KB, of the master
};

alarm 1800;

my ($ca, $next) = (ca('Edge CA'), ca('Next CA'));
my $good = $ca->leaf('edge');
my $bad  = ca('Foreign')->leaf('stranger');

my $nginx = nginx(workers => 2);
my ($tickets, $cache) = $nginx->ports(2);
my $show  = show() . ' add_header X-Resumed $aop_resumed always;';

# with a key as cheap as P-256 no ticket pays in TLS 1.3
my $dear  = AOP::Test::Cert->new(subject => 'server.test',
                                 key => 'rsa');

$nginx->write('server.crt', $dear);
$nginx->write('server.key', $dear->key_pem);
$nginx->write('ca.pem', $ca);
$nginx->write('both.pem', [ $ca, $next ]);
$nginx->write('broken.pem', "-----BEGIN CERTIFICATE-----\nAAAA\n");
$nginx->write('key', join '', map { chr int rand 256 } 1 .. 80);

sub configuration {
    my ($file) = @_;
    return join "\n", $show, "aop_ca $file;", map {
        my ($port, $keep) = @$_;
        my $listen = $nginx->listen_tls($port);
        "server { $listen server_name off; $keep }
         server { $listen server_name on; aop on; $keep
                  location / { return 200; } }";
    } [ $tickets, 'ssl_session_cache none; ssl_session_ticket_key key;' ],
      [ $cache, 'ssl_session_tickets off; ssl_session_cache shared:S:2m;' ];
}

$nginx->configure(configuration('ca.pem'))->start;

# A client that goes on until it is told to stop: full, resumed, kept alive.
# Prints what it has seen.

my @clients = map { load($_) } 0 .. 3;

sub load {
    my ($i) = @_;

    my $pid = open my $pipe, '-|';
    die "fork() failed: $!\n" unless defined $pid;

    return $pipe if $pid;

    my (%seen, $session);
    my $parent = getppid;

    my %how = (tls => ('1.2', '1.3')[$i / 2], sni => 'on',
               timeout => 20);
    my $port = ($tickets, $cache)[$i % 2];

    until ($nginx->read('stop') || getppid != $parent) {
        (my $got, $session) = visit($port, %how, cert => $good,
                                    session => $session);
        $seen{$got}++;

        ($got) = visit($port, %how, cert => $bad);
        $seen{$got}++;

        # HTTP/2 streams: an old worker ends the connection with a GOAWAY

        my $client = client($port, %how, http => '2', cert => $good);

        for (1 .. 5) {
            my $answer = $client->get('/');
            $seen{ $answer->status ? seen($answer) : 'ended' }++;
            last unless $answer->status;
            sleep 0.01;
        }

        $client->close;
    }

    print map { "$seen{$_} $_\n" } sort keys %seen;
    close STDOUT;
    POSIX::_exit(0);
}

sub resident {
    my ($pid) = @_;
    open my $fh, '<', "/proc/$pid/status" or return 0;
    my ($kb) = map { /^RssAnon:\s+(\d+)/ } <$fh>;
    return $kb;
}

my ($reloaded, $before) = (0);

for my $i (1 .. RELOADS) {
    $reloaded++ if $nginx->reload(configuration($i % 4 < 2 ? 'ca.pem'
                                                           : 'both.pem'));
    $before = resident($nginx->pid) if $i == WARM;
}

is($reloaded, RELOADS, 'reloads');
cmp_ok(resident($nginx->pid) - $before, '<', MAX_GROWTH,
       'memory of the master');

# one that fails leaves all as it was

my ($code, $output) = $nginx->configure(configuration('broken.pem'))
                            ->test_config;

isnt($code, 0, 'a broken file is refused');
like($output, qr/broken\.pem/, 'and named');

kill HUP => $nginx->pid;
like($nginx->wait_log(qr/\[emerg\].*broken\.pem/), qr/broken\.pem/,
     'a reload that fails');
is((visit($tickets, sni => 'on', cert => $good))[0], '200 on ok PASSED full',
   'a reload that fails: good');
is((visit($tickets, sni => 'on', cert => $bad))[0],
   '400 on untrusted REJECTED full', 'a reload that fails: bad');

# a reload without the module, while connections that it judged are open

my @open = map { client($tickets, sni => 'on', cert => $good, http => $_) }
           '1.1', '2';
$_->get('/') for @open;

$nginx->write('stop', 'now');

my %seen;

for my $pipe (@clients) {
    while (<$pipe>) {
        my ($n, $what) = /^(\d+) (.*)/ or next;
        $seen{$what} += $n;
    }
}

my $good_again = delete $seen{'200 on ok PASSED resumed'};

cmp_ok($good_again || 0, '>', 100, 'resumed');
cmp_ok(delete $seen{'200 on ok PASSED full'} || 0, '>', 50, 'full');
cmp_ok(delete $seen{'200 on ok PASSED'} || 0, '>', 100, 'HTTP/2 streams');
cmp_ok(delete $seen{'400 on untrusted REJECTED full'} || 0, '>', 100,
       'bad ones refused');
diag('HTTP/2 connections ended by a reload: ' . (delete $seen{ended} || 0));
is_deeply(\%seen, {}, 'and nothing else');

my @fault = grep { !/broken\.pem/ } grep { /\[(?:alert|emerg)\]|on signal/ }
            $nginx->log_since(0);

is(join("\n", @fault), '', 'error.log tells of no fault so far');
$nginx->write('error.log', '');

$nginx->{module} = 0;

my $off = configuration('ca.pem');
$off =~ s/\baop\w* [\w.]+;|add_header X-\w+ \$aop_\w+ always;//gm;

ok($nginx->reload($off), 'a reload without the module');
is(client($tickets, sni => 'on')->get('/')->status, 200,
   'without the module: served');
$_->close for @open;

$nginx->{module} = 1;
ok($nginx->reload(configuration('ca.pem')), 'a reload with it again');
is((visit($tickets, sni => 'on', cert => $good))[0], '200 on ok PASSED full',
   'with the module: good');
is((visit($tickets, sni => 'on'))[0], '400 on none REJECTED full',
   'with the module: none');

$nginx->finish;

done_testing();
