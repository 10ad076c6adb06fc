package AOP::Test;

# What a test of the module needs, in one `use`:
#
#     my $nginx = nginx();
#     my $port  = $nginx->ports;
#     my $ca    = ca('Edge CA');
#
#     $nginx->write('ca.pem', $ca);
#     $nginx->configure("server { ... }")->start;
#
#     is(get($port, cert => $ca->leaf('edge'))->status, 200, 'good: served');
#
#     $nginx->finish;
#     done_testing();

use strict;
use warnings;

use Carp qw(croak);
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Spec;
use File::Temp;
use POSIX ();

use AOP::Test::Cert;
use AOP::Test::Client;
use AOP::Test::Nginx;

our @EXPORT = qw(ca client get nginx openssl origin_ca request_for_certificate
    seen self_signed show visit);

use constant WATCHDOG => 600;

my $CHECKOUT = dirname(dirname(dirname(dirname(abs_path(__FILE__)))));

# one test that hangs must not hold up the others
my $watchdog = $ENV{AOP_TEST_WATCHDOG} || WATCHDOG;

$SIG{ALRM} = sub { die "test ran longer than $watchdog seconds\n" };
$SIG{INT} = $SIG{TERM} = $SIG{HUP} = $SIG{PIPE} = sub { exit 1 };
alarm $watchdog;


# checkout(): the folder of the project.
sub checkout { return $CHECKOUT }


# nginx(%options): see AOP::Test::Nginx.
sub nginx { return AOP::Test::Nginx->new(@_) }


# ca($subject, %options): a certificate authority, see AOP::Test::Cert.
sub ca { return AOP::Test::Cert->ca(@_) }


# self_signed($subject, %options): a client certificate without an authority.
sub self_signed { return AOP::Test::Cert->self_signed(@_) }


# client($port, %options): a connection, see AOP::Test::Client.
sub client {
    my ($port, %opt) = @_;

    return AOP::Test::Client->new(port => $port, %opt);
}


# get($port, %options): one request on a connection of its own, and its answer.
# Options are those of a connection and of a request, and path ('/').  HTTP/1:
# read to the end of the connection, so nginx has then logged the request.
sub get {
    my ($port, %opt) = @_;

    my %request = map { $_ => delete $opt{$_} }
                  grep { exists $opt{$_} } qw(method headers body);
    my $path    = delete $opt{path};
    my $client  = client($port, %opt);
    my $answer  = $client->get(defined $path ? $path : '/', close => 1,
                               %request);

    $client->closed() if $answer->status && ($opt{http} || '') ne '2';
    $client->close();

    return $answer;
}


# show(): directives that put into each answer what seen() reads from it.
sub show {
    return join "\n", map { "add_header X-$_ \$aop_$_ always;" }
                      qw(mode verdict status);
}


# seen($answer): status code, mode, verdict and status, '-' for what is empty:
# '400 on none REJECTED'.
sub seen {
    my ($answer) = @_;

    return 'no answer: ' . $answer->error unless $answer->status;

    return join ' ', $answer->status,
           map { length $answer->header("X-$_") ? $answer->header("X-$_")
                                                : '-' }
           qw(mode verdict status);
}


# visit($port, %options): one request on a connection of its own, that of get():
# what seen() makes of its answer, then 'full' or 'resumed', the handshake; and
# the TLS session, for the option of that name.  If the server sends X-Resumed,
# it has to agree.
sub visit {
    my ($port, %opt) = @_;

    my $path      = delete $opt{path};
    my $client    = client($port, %opt);
    my $answer    = $client->get(defined $path ? $path : '/');
    my $session   = $client->session;
    my $handshake = $client->resumed ? 'resumed' : 'full';
    my $says      = $answer->header('X-Resumed');

    $handshake .= " ($says)"
        if length $says && $says ne ($client->resumed ? 'r' : '.');
    $client->close();

    return (seen($answer) . " $handshake", $session);
}


# request_for_certificate($port, %options): whether the server asks a client for
# a certificate, and which names it gives: { asked => 0 or 1, names => [...] }.
# Options: sni, tls ('1.2' or '1.3').
sub request_for_certificate {
    my ($port, %opt) = @_;

    my $tls = { '1.2' => '-tls1_2', '1.3' => '-tls1_3' }
              ->{ $opt{tls} || '1.3' };

    my $output = openssl('', 's_client', '-connect', "127.0.0.1:$port", '-msg',
                         $tls, '-nameopt', 'RFC2253',
                         defined $opt{sni} ? ('-servername', $opt{sni})
                                           : ('-noservername'));

    croak "no handshake: $output" unless $output =~ /ServerHello/;

    my ($list) = $output =~ /^Acceptable\ client\ certificate\ CA\ names\n
                              ((?:[\w.]+=.*\n)*)/mx;

    return {
        asked => $output =~ /CertificateRequest/ ? 1 : 0,
        names => [ split /\n/, defined $list ? $list : '' ],
    };
}


# origin_ca(): the root of Cloudflare's Origin CA, renewed, as PEM: that is any
# certificate with its key.
sub origin_ca {
    my %file = map { $_ => File::Temp->new } qw(public key csr ca);

    print { $file{public} } <<'EOF';
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkfrBgC7mhrIZ1G3MSq8vtCxF2eDW
OiVALUngOoPOyt42gMaSIPRudD6JKX1pIW2qy36XGbtFAKGMtrLtBITe8A==
-----END PUBLIC KEY-----
EOF
    close $file{public};

    openssl('', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
            'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=renewed',
            '-keyout', $file{key}->filename, '-out', $file{ca}->filename);
    openssl('', 'req', '-new', '-key', $file{key}->filename, '-subj',
            '/CN=renewed', '-out', $file{csr}->filename);

    # with -signkey OpenSSL 1.1.1 would take that key's public half

    return openssl('', 'x509', '-req', '-set_serial', 1,
                   '-in', $file{csr}->filename, '-CA', $file{ca}->filename,
                   '-CAkey', $file{key}->filename,
                   '-force_pubkey', $file{public}->filename);
}


# openssl($input, @arguments): what the openssl command makes of the input.
sub openssl {
    my ($input, @arg) = @_;

    my $file = File::Temp->new;

    print {$file} $input;
    close $file;

    my $pid = open my $pipe, '-|';
    croak "fork() failed: $!" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', $file->filename;
        open STDERR, '>', File::Spec->devnull;
        exec 'openssl', @arg or POSIX::_exit(127);
    }

    local $/;
    my $output = <$pipe>;
    close $pipe;

    return defined $output ? $output : '';
}


1;
