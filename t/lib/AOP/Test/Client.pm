package AOP::Test::Client;

# One connection to a server under test, over TLS or plain, speaking HTTP/1.0,
# 1.1 or 2.  Every wait has an end: an answer that does not come is an answer
# with status 0 and an error, never a test that hangs.

use strict;
use warnings;

use Carp qw(croak);
use Protocol::HTTP2::Client;
use Protocol::HTTP2::Constants qw(:frame_types);
use Time::HiRes qw(time);

use AOP::Test::Response;

use parent 'AOP::Test::Connection';

use constant {
    TIMEOUT    => 5,
    MAX_ROUNDS => 10000,
    FRAME_HEAD => 9,
};


# new(%options): a connection, made with the first request.
#   port, addr (127.0.0.1)
#   tls        '1.2', '1.3', 1 (any), 0: plain        (1)
#   http       '1.0', '1.1', '2'                       ('1.1')
#   sni        name for the handshake; undef: none
#   host       Host or :authority of the requests      (sni, or 'localhost')
#   cert       an AOP::Test::Cert to show, with its key
#   chain      [ certificates sent after it ]
#   session    what session() of another connection gave
#   no_ticket  1: in TLS 1.2 resumes by an id alone
#   psk        the identity of a pre-shared key to offer, after the session
#   nagle      1: waits with small packets for an acknowledgment
#   prelude    bytes sent before TLS begins (PROXY protocol)
#   timeout    seconds for the handshake and for each answer
sub new {
    my ($class, %opt) = @_;

    croak 'a client needs a port' unless $opt{port};

    my $self = bless {
        addr    => '127.0.0.1',
        tls     => 1,
        http    => '1.1',
        timeout => TIMEOUT,
        input   => '',
        frames  => '',
        %opt,
    }, $class;

    $self->{host} = defined $self->{sni} ? $self->{sni} : 'localhost'
        unless defined $self->{host};

    return $self;
}


# get($path, %options): one request, one AOP::Test::Response.
#   method, host, headers [ name => value, ... ], body
#   close      HTTP/1: asks the server to close after the answer
sub get {
    my ($self, $path, %opt) = @_;

    return ($self->get_all([ $path, %opt ]))[0];
}


# get_all([ $path, %options ], ...): several requests, all sent before the first
# answer is read: pipelined in HTTP/1, streams side by side in HTTP/2.
sub get_all {
    my ($self, @request) = @_;

    $self->connect()
        or return map { $self->_failed() } @request;

    return $self->{http} eq '2' ? $self->_get_all_v2(@request)
                                : $self->_get_all_v1(@request);
}


# raw($bytes): sends the bytes as they are and returns the answer (HTTP/1).
sub raw {
    my ($self, $bytes) = @_;

    $self->connect() && $self->_write($bytes)
        or return $self->_failed();

    return $self->_read_response('GET');
}


# talk($bytes): sends the bytes as they are and returns all that comes until the
# connection ends (HTTP/1).
sub talk {
    my ($self, $bytes) = @_;

    $self->connect() && $self->_write($bytes) && $self->closed();

    return $self->{input};
}


# goaway($seconds): whether the server sends an HTTP/2 GOAWAY within that time.
sub goaway {
    my ($self, $seconds) = @_;

    $self->{deadline} = time() + ($seconds || 2);

    for (1 .. MAX_ROUNDS) {
        return 1 if $self->{goaway};
        return 0 if $self->{eof} || !$self->_fill();
    }

    return 0;
}


sub _failed {
    my ($self) = @_;

    return AOP::Test::Response->new(0, {}, '',
        $self->{error} || $self->{why} || 'no answer');
}


sub _take {
    my ($self, $bytes) = @_;

    if ($self->{v2}) {
        $self->_note_frames($bytes);
        $self->{v2}->feed($bytes);
        return;
    }

    $self->{input} .= $bytes;
}


sub _get_all_v1 {
    my ($self, @request) = @_;

    my $bytes = join '', map { $self->_request_v1(@$_) } @request;

    $self->_write($bytes)
        or return map { $self->_failed() } @request;

    return map {
        my ($path, %opt) = @$_;
        $self->_read_response($opt{method} || 'GET');
    } @request;
}


sub _request_v1 {
    my ($self, $path, %opt) = @_;

    my $method = $opt{method} || 'GET';
    my $host   = defined $opt{host} ? $opt{host} : $self->{host};
    my @header = @{ $opt{headers} || [] };
    my $text   = "$method $path HTTP/$self->{http}\r\n";

    $text .= "Host: $host\r\n" if length $host;
    $text .= "Connection: close\r\n"
        if $opt{close} && $self->{http} eq '1.1';

    while (my ($name, $value) = splice @header, 0, 2) {
        $text .= "$name: $value\r\n";
    }

    $text .= 'Content-Length: ' . length($opt{body}) . "\r\n"
        if defined $opt{body};

    return "$text\r\n" . (defined $opt{body} ? $opt{body} : '');
}


sub _read_response {
    my ($self, $method) = @_;

    $self->{deadline} = time() + $self->{timeout};

    my $head = $self->_read_until(qr/\r\n\r\n/);
    return $self->_failed() unless defined $head;

    my ($status, %header);
    my ($first, @line) = split /\r\n/, $head;

    ($status) = $first =~ m{^HTTP/1\.[01] (\d{3})\b}
        or return AOP::Test::Response->new(0, {}, $head, 'not HTTP');

    for (@line) {
        my ($name, $value) = /^([^:]+):\s*(.*)$/ or next;
        _add_header(\%header, $name, $value);
    }

    my $body = $method eq 'HEAD' || $status =~ /^(?:1..|204|304)$/
               ? ''
               : $self->_read_body(\%header);

    return AOP::Test::Response->new($status, \%header, $body,
        defined $body ? undef : $self->{why});
}


sub _read_body {
    my ($self, $header) = @_;

    if (defined(my $length = $header->{'content-length'})) {
        return $self->_read_bytes($length);
    }

    if (($header->{'transfer-encoding'} || '') eq 'chunked') {
        return $self->_read_chunks();
    }

    while (!$self->{eof}) {
        $self->_fill() or return undef;
    }

    my $body = $self->{input};
    $self->{input} = '';

    return $body;
}


sub _read_chunks {
    my ($self) = @_;

    my $body = '';

    for (1 .. MAX_ROUNDS) {
        my $line = $self->_read_until(qr/\r\n/);
        return undef unless defined $line;

        my $size  = hex $line;
        my $chunk = $self->_read_bytes($size + 2);
        return undef unless defined $chunk;

        return $body if $size == 0;

        $body .= substr $chunk, 0, $size;
    }

    return undef;
}


sub _read_until {
    my ($self, $mark) = @_;

    for (1 .. MAX_ROUNDS) {
        return $1 if $self->{input} =~ s/\A(.*?)$mark//s;
        return undef if !$self->_fill();
    }

    return undef;
}


sub _read_bytes {
    my ($self, $length) = @_;

    while (length $self->{input} < $length) {
        $self->_fill() or return undef;
    }

    return substr $self->{input}, 0, $length, '';
}


sub _get_all_v2 {
    my ($self, @request) = @_;

    my @response;

    $self->{deadline} = time() + $self->{timeout};
    $self->{v2} ||= Protocol::HTTP2::Client->new(keepalive => 1);

    for my $i (0 .. $#request) {

        # after GOAWAY a stream cannot be opened
        if ($self->{goaway}) {
            $self->{why} = 'GOAWAY';
            $response[$i] = $self->_failed();
            next;
        }

        $self->_request_v2($request[$i], \$response[$i]);
    }

    for (1 .. MAX_ROUNDS) {
        $self->_flush_v2() or last;
        last unless grep { !defined } @response;
        $self->_fill() && !$self->{eof} or last;
    }

    return map { defined $_ ? $_ : $self->_failed() } @response;
}


sub _request_v2 {
    my ($self, $request, $response) = @_;

    my ($path, %opt) = @$request;
    my @extra = @{ $opt{headers} || [] };
    my @header;

    while (my ($name, $value) = splice @extra, 0, 2) {
        push @header, lc $name, $value;
    }

    $self->{v2}->request(
        ':scheme'    => $self->{tls} ? 'https' : 'http',
        ':authority' => defined $opt{host} ? $opt{host} : $self->{host},
        ':path'      => $path,
        ':method'    => $opt{method} || 'GET',
        headers      => \@header,
        (defined $opt{body} ? (data => $opt{body}) : ()),
        on_error     => sub {
            $$response = AOP::Test::Response->new(0, {}, '',
                                                  "stream reset: $_[0]");
        },
        on_done      => sub {
            my ($fields, $body) = @_;
            $$response = _response_v2($fields, $body);
        },
    );
}


sub _response_v2 {
    my ($fields, $body) = @_;

    my %header;
    my @field = @$fields;

    while (my ($name, $value) = splice @field, 0, 2) {
        _add_header(\%header, $name, $value);
    }

    my $status = delete $header{':status'};

    return AOP::Test::Response->new($status || 0, \%header,
                                    defined $body ? $body : '', undef);
}


sub _flush_v2 {
    my ($self) = @_;

    my $deadline = $self->{deadline};
    my $bytes    = '';

    while (my $frame = $self->{v2}->next_frame) {
        $bytes .= $frame;
    }

    my $ok = $self->_write($bytes);
    $self->{deadline} = $deadline;

    return $ok;
}


# Protocol::HTTP2 does not say who sent a GOAWAY, so frames are looked at here.
sub _note_frames {
    my ($self, $bytes) = @_;

    $self->{frames} .= $bytes;

    while (length $self->{frames} >= FRAME_HEAD) {
        my ($high, $low, $type) = unpack 'CnC', $self->{frames};
        my $length = FRAME_HEAD + ($high << 16) + $low;

        last if length $self->{frames} < $length;

        substr($self->{frames}, 0, $length) = '';
        $self->{goaway} = 1 if $type == GOAWAY;
    }
}


sub _add_header {
    my ($header, $name, $value) = @_;

    $name = lc $name;
    $header->{$name} = defined $header->{$name} ? "$header->{$name}, $value"
                                                : $value;
}


1;
