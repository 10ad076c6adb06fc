#!/usr/bin/perl

# docs/comparison.md: what other servers do with a certificate. Each configuration
# in it runs, and its table has what was seen. A server that is not installed is
# skipped; the table is that of the versions that the page names.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use AOP::Test;

use constant DAY => 86400;

alarm 300;

my $page = do {
    open my $fh, '<', AOP::Test::checkout() . '/docs/comparison.md' or die $!;
    local $/;
    <$fh>;
};

my $nginx = nginx();
my $dir   = $nginx->dir;
my $ca    = ca('Edge CA');
my $old   = ca('Old CA', not_before => 0, not_after => time() - DAY);
my $good  = $ca->leaf('edge');
my $gone  = $ca->leaf('revoked');

my @client = (
    good      => $good,
    none      => undef,
    untrusted => ca('Another CA')->leaf('scanner'),
    expired   => $ca->leaf('expired', not_before => 0,
                           not_after => time() - DAY),
    purpose   => $ca->leaf('server', eku => 'serverAuth'),
    revoked   => $gone,
);

$nginx->write('ca.pem', $ca);
$nginx->write('old.pem', $old);
$nginx->write('crl.pem', $ca->crl(revoked => [ $gone ]));
$nginx->write('old-crl.pem', $old->crl);
$nginx->write('html/index.html', 'the site');
$nginx->write('site.pem', $nginx->read('server.crt')
                          . $nginx->read('server.key'));

# how each is run, and how it checks its configuration

my %server = (
    'nginx' => { binary => AOP::Test::Nginx::binary() },
    'nginx, this module' => { binary => AOP::Test::Nginx::binary() },
    'HAProxy' => {
        binary => '/usr/sbin/haproxy',
        run    => [ '-db', '-f', '%' ],
        check  => [ '-c', '-f', '%' ],
        conf   => \&haproxy,
    },
    'Apache' => {
        binary => '/usr/sbin/apache2',
        run    => [ '-X', '-d', $dir, '-f', '%' ],
        check  => [ '-t', '-d', $dir, '-f', '%' ],
        conf   => \&apache,
    },
    'Caddy' => {
        binary => '/usr/bin/caddy',
        run    => [ 'run', '--adapter', 'caddyfile', '--config', '%' ],
        check  => [ 'validate', '--adapter', 'caddyfile', '--config', '%' ],
        conf   => \&caddy,
    },
);

$ENV{XDG_DATA_HOME} = $ENV{XDG_CONFIG_HOME} = $ENV{HOME} = $dir;

my %block = blocks();
my %row   = $page =~ /^\| ([^|]*?, (?:enforcing|watching)) \| (.*) \|$/gm;
my %logs  = $page =~ /^\| ([^|]*?) \| `[^|]*` \| (.*) \|$/gm;
my $running;

END { local $?; stop() }

is(join('; ', sort keys %block), join('; ', sort keys %row),
   'each row has a configuration');

for my $name (sort keys %block) {
    my ($server, $does) = $name =~ /^(.*), (\w+)$/;
    my $it = $server{$server} or die "$server is unknown";

  SKIP: {
        skip "$server is not installed", 2 unless -x $it->{binary};

        my $port = $nginx->ports;

        # the clock decides, and no server looks at what it does to the CA

        my $stale = start($it, $block{$name} =~ s/\b(?=(?:ca|crl)\.pem)/old-/gr
                               =~ s/old-ca\.pem/old.pem/gr, $port, 1);

        unlink "$dir/access.log", "$dir/log";
        start($it, $block{$name}, $port);

        my @seen = map { seen_by($port, $client[2 * $_ + 1]) } 0 .. 5;
        my @said = $does eq 'watching' ? logged(@seen) : ();

        is(join(' | ', @seen, $stale), $row{$name}, $name)
            or diag $nginx->read('log');
        is(join(' | ', @said), $logs{$server}, "$server: its log")
            if $does eq 'watching';
        stop();
    }
}

done_testing();


# blocks(): name => text of the configurations; a comment in its first line has
# the name.
sub blocks {
    my %found;

    while ($page =~ /^```(\w+)\n# (\N*)\n(.*?)^```$/gms) {
        $found{$2} = $3;
    }

    return %found;
}


# seen_by($port, $cert): the status, or that there was none.
sub seen_by {
    my ($port, $cert) = @_;

    my $answer = get($port, sni => 'example.com', cert => $cert,
                     headers => [ Connection => 'close' ]);

    return $answer->status if $answer->status;

    return $answer->error =~ /alert/ ? 'TLS alert' : 'closed: ' . $answer->error;
}


# logged(@seen): what the log has of each request that was served.
sub logged {
    my (@seen) = @_;

    my $served = grep { $_ ne 'TLS alert' } @seen;
    my @line;

    for (1 .. 100) {
        @line = grep { /verify=|"verdict"|"handled request"/ }
                map { split /\n/, $nginx->read($_) }
                grep { -e "$dir/$_" } qw(access.log log);

        last if @line == $served;
        sleep 0.05;
    }

    is(scalar @line, $served, 'each is logged');

    # nginx logs a request that it rejects, too

    return map {
        $_ eq 'TLS alert' ? '-'
        : shift(@line) =~ /(?:verify=|"verdict":"|client_common_name":")
                           ([^"\n]*)/x ? $1 : ''
    } @seen;
}


# start($server, $text, $port, $only_check): runs it; or "yes" if it would.
sub start {
    my ($it, $text, $port, $only_check) = @_;

    $text = paths($text, $port);

    if (!$it->{conf}) {
        $nginx->configure("log_format verify 'verify=\$ssl_client_verify';
                           server { listen 127.0.0.1:$port ssl;
                           location / { return 200; } $text }");
        return ($nginx->test_config)[0] == 0 ? 'yes' : 'no' if $only_check;

        $nginx->start;
        return;
    }

    $nginx->write('conf', $it->{conf}->($text, $port));

    my @args = map { $_ eq '%' ? "$dir/conf" : $_ }
               @{ $it->{ $only_check ? 'check' : 'run' } };

    my $pid = fork;
    die "fork() failed: $!" unless defined $pid;

    if ($pid == 0) {
        open STDOUT, '>', "$dir/log";
        open STDERR, '>&', \*STDOUT;
        exec $it->{binary}, @args or POSIX::_exit(127);
    }

    if ($only_check) {
        waitpid $pid, 0;
        return $? == 0 ? 'yes' : 'no';
    }

    $running = $pid;

    for (1 .. 200) {
        return if IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
        sleep 0.05;
    }

    die 'it does not listen: ' . $nginx->read('log');
}


sub stop {
    $nginx->stop if $nginx && $nginx->pid;
    return unless $running;

    kill 'TERM', $running;

    for (1 .. 100) {
        last if waitpid($running, POSIX::WNOHANG()) != 0;
        kill 'KILL', $running if $_ == 90;
        sleep 0.05;
    }

    $running = undef;
}


# paths($text, $port): the files and the port that there are here.
sub paths {
    my ($text, $port) = @_;

    return $text =~ s{/etc/aop/}{$dir/}gr =~ s/:443\b/:$port/gr;
}


sub haproxy {
    my ($text) = @_;

    return <<"END";
global
    maxconn 100
defaults
    mode http
    timeout client 5s
    timeout connect 5s
    timeout server 5s
$text
    http-request return status 200
END
}


sub apache {
    my ($text, $port) = @_;

    my $modules = '/usr/lib/apache2/modules';

    return join("\n", map { "LoadModule ${_}_module $modules/mod_$_.so" }
                      qw(mpm_event authz_core dir ssl)) . <<"END";

ServerName example.com
DocumentRoot $dir/html
PidFile $dir/apache.pid
ErrorLog $dir/apache.log
Mutex file:$dir
Listen 127.0.0.1:$port
SSLEngine on
SSLSessionCache none
$text
END
}


sub caddy {
    my ($text) = @_;

    return "{\n    admin off\n    auto_https off\n}\n$text";
}
