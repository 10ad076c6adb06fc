package AOP::Test::Cert;

# A certificate with its private key, made at run time: an authority, a leaf,
# or something a careful verifier must turn away.  Nothing here ever comes from
# a file that could expire.

use strict;
use warnings;

use Carp qw(croak);
use IO::Socket::SSL::Utils qw(KEY_create_ec KEY_create_rsa PEM_cert2string
    PEM_key2string);
use Net::SSLeay;

use constant {
    DAY         => 86400,
    UTF8STRING  => 12,
    CRL_V2      => 1,
    X509_V3     => 2,
};

# The handles of OpenSSL objects are never freed: a test is a short program,
# and a handle shared by several certificates then needs no counting.

# new(%options): one certificate.
#   subject     'name' (a CN) or [ CN => 'name', O => ... ]; a value may be
#               [ $asn1_type, $bytes ] to put any bytes into the certificate
#   issuer      an AOP::Test::Cert; without it the certificate is self-signed
#   key         'ec' (default), 'rsa', 'rsa:BITS', 'ec:CURVE', a certificate
#               whose key is to be used, or what has() tells of, 'ML-DSA-44'
#   ca (undef: it does not say), pathlen
#   eku ('clientAuth', ..., undef: none), ku (undef: none)
#   not_before, not_after   seconds since the epoch
#   serial      hexadecimal
#   key_ids     0: no subject and authority key identifiers
#   ext         [ name of an extension => its value, ... ], as in openssl.cnf
#   digest      name of the signature's digest, 'sha256'
sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        key    => _key($opt{key} || 'ec'),
        pure   => ref $opt{key} ? $opt{key}{pure}
                                : ($opt{key} || '') =~ /DSA-/ ? 1 : 0,
        issuer => $opt{issuer},
    }, $class;

    my $x509 = $self->{x509} = Net::SSLeay::X509_new();

    Net::SSLeay::X509_set_version($x509, X509_V3);
    _set_serial($x509, defined $opt{serial} ? $opt{serial} : _random_serial());
    _set_name(Net::SSLeay::X509_get_subject_name($x509),
              $opt{subject} || 'leaf');
    _set_dates($x509, \%opt);

    Net::SSLeay::X509_set_pubkey($x509, $self->{key});

    my $issuer = $opt{issuer} || $self;

    Net::SSLeay::X509_set_issuer_name($x509,
        Net::SSLeay::X509_get_subject_name($issuer->{x509}));

    _set_extensions($x509, $issuer->{x509}, \%opt);

    Net::SSLeay::X509_sign($x509, $issuer->{key},
                           $issuer->{pure} ? 0 : _digest($opt{digest}))
        or croak 'X509_sign() failed: ' . _error();

    return $self;
}


# ca($subject, %options): a root certificate authority.
sub ca {
    my ($class, $subject, %opt) = @_;

    return $class->new(ca => 1, ku => 'critical,keyCertSign,cRLSign',
                       subject => $subject, %opt);
}


# intermediate($subject, %options): an authority below this one.
sub intermediate {
    my ($self, $subject, %opt) = @_;

    return ref($self)->ca($subject, issuer => $self, %opt);
}


# leaf($subject, %options): a client certificate below this authority.
sub leaf {
    my ($self, $subject, %opt) = @_;

    return ref($self)->new(issuer => $self, subject => $subject,
                           ku => 'critical,digitalSignature',
                           eku => 'clientAuth', %opt);
}


# self_signed($subject, %options): a client certificate without any authority.
sub self_signed {
    my ($class, $subject, %opt) = @_;

    return $class->new(subject => $subject, eku => 'clientAuth', %opt);
}


# unsupported($oid_byte): a copy whose key is of an algorithm that no OpenSSL
# has, or, with 0x11, of ML-DSA-44, if OpenSSL has it a malformed one.  It takes
# a certificate with an EC key on P-256.
sub unsupported {
    my ($self, $last) = @_;

    my $from = "\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08"
               . "\x2a\x86\x48\xce\x3d\x03\x01\x07";
    my $to   = "\x30\x13\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03"
               . chr($last || 0x63) . "\x04\x06" . "\0" x 6;

    return $self->edited(sub { $_[0] =~ s/\Q$from\E/$to/r });
}


# has($algorithm): whether OpenSSL makes keys of it.
sub has {
    my ($class, $algorithm) = @_;

    return eval { _key($algorithm); 1 };
}


# server($name): a certificate for a server of that name, self-signed.
sub server {
    my ($class, $name) = @_;

    return $class->new(subject => $name, eku => 'serverAuth');
}


# edited($edit): a copy, with the same key, whose DER went through a function;
# its signature no longer holds. Dies if OpenSSL cannot read it.
sub edited {
    my ($self, $edit) = @_;

    my $der = $edit->(AOP::Test::openssl($self->pem, 'x509', '-outform',
                                         'DER'));
    my $bio = Net::SSLeay::BIO_new(Net::SSLeay::BIO_s_mem());

    Net::SSLeay::BIO_write($bio, $der);

    my $x509 = Net::SSLeay::d2i_X509_bio($bio);

    Net::SSLeay::BIO_free($bio);
    die "no certificate\n" unless $x509;

    return bless { %$self, x509 => $x509 }, ref $self;
}


# x509(), key(): OpenSSL's own objects, for Net::SSLeay; borrowed.
sub x509 { return $_[0]{x509} }
sub key  { return $_[0]{key} }


# pem(), key_pem(): the two as text.
sub pem     { return PEM_cert2string($_[0]{x509}) }
sub key_pem { return PEM_key2string($_[0]{key}) }


# serial(): as upper case hexadecimal, the way OpenSSL prints it.
sub serial {
    my ($self) = @_;

    return Net::SSLeay::P_ASN1_INTEGER_get_hex(
        Net::SSLeay::X509_get_serialNumber($self->{x509}));
}


# openssl(@arguments): what `openssl x509 @arguments` says of the certificate:
# an opinion that does not come from the code under test.
sub openssl {
    my ($self, @arg) = @_;

    return AOP::Test::openssl($self->pem, 'x509', '-noout', @arg);
}


# crl(%options): a revocation list of this authority, as PEM.
#   revoked      [ certificates or hexadecimal serials ]
#   last_update, next_update    seconds since the epoch; next_update undef: none,
#               which X.509 allows and RFC 5280 does not
#   number, digest; signed_by: another certificate, whose key signs the list
sub crl {
    my ($self, %opt) = @_;

    my $now    = time();
    my $crl    = Net::SSLeay::X509_CRL_new();
    my $last   = $opt{last_update} || $now - DAY;
    my $next   = exists $opt{next_update} ? $opt{next_update}
                                          : $now + 30 * DAY;
    my $signer = $opt{signed_by} || $self;

    Net::SSLeay::X509_CRL_set_version($crl, CRL_V2);
    Net::SSLeay::X509_CRL_set_issuer_name($crl,
        Net::SSLeay::X509_get_subject_name($self->{x509}));

    Net::SSLeay::X509_CRL_set_lastUpdate($crl, _asn1_time($last));
    Net::SSLeay::X509_CRL_set_nextUpdate($crl, _asn1_time($next))
        if defined $next;

    for my $entry (@{ $opt{revoked} || [] }) {
        my $serial = ref $entry ? $entry->serial : $entry;

        Net::SSLeay::P_X509_CRL_add_revoked_serial_hex($crl, $serial,
            _asn1_time($last))
            or croak 'cannot add to the CRL: ' . _error();
    }

    # Net::SSLeay 1.88 cannot.  OpenSSL then goes by the issuer's name.
    Net::SSLeay::P_X509_CRL_add_extensions($crl, $signer->{x509},
        &Net::SSLeay::NID_authority_key_identifier => 'keyid')
        if Net::SSLeay->can('P_X509_CRL_add_extensions');

    Net::SSLeay::P_X509_CRL_set_serial($crl, _asn1_integer($opt{number} || 1));

    Net::SSLeay::X509_CRL_sort($crl);
    Net::SSLeay::X509_CRL_sign($crl, $signer->{key},
                               $signer->{pure} ? 0 : _digest($opt{digest}))
        or croak 'X509_CRL_sign() failed: ' . _error();

    return Net::SSLeay::PEM_get_string_X509_CRL($crl);
}


sub _asn1_time {
    my ($when) = @_;

    my $time = Net::SSLeay::ASN1_TIME_new();
    Net::SSLeay::ASN1_TIME_set($time, $when);

    return $time;
}


sub _asn1_integer {
    my ($number) = @_;

    my $integer = Net::SSLeay::ASN1_INTEGER_new();
    Net::SSLeay::ASN1_INTEGER_set($integer, $number);

    return $integer;
}


sub _key {
    my ($wish) = @_;

    return $wish->{key} if ref $wish;

    return _key_of_openssl($wish) if $wish =~ /DSA-/;

    my ($type, $detail) = split /:/, $wish;

    return $type eq 'rsa' ? KEY_create_rsa($detail || 2048)
         : $type eq 'ec'  ? KEY_create_ec($detail || 'prime256v1')
         :                  croak "unknown type of key \"$wish\"";
}


sub _key_of_openssl {
    my ($algorithm) = @_;

    require AOP::Test;

    my $pem = AOP::Test::openssl('', 'genpkey', '-algorithm', $algorithm);
    my $bio = Net::SSLeay::BIO_new(Net::SSLeay::BIO_s_mem());

    Net::SSLeay::BIO_write($bio, $pem);

    my $key = Net::SSLeay::PEM_read_bio_PrivateKey($bio);

    Net::SSLeay::BIO_free($bio);

    return $key || croak "no key of \"$algorithm\"";
}


sub _random_serial {
    return join '', map { sprintf '%02X', int rand 256 } 1 .. 8;
}


sub _set_serial {
    my ($x509, $serial) = @_;

    Net::SSLeay::P_ASN1_INTEGER_set_hex(
        Net::SSLeay::X509_get_serialNumber($x509), $serial);
}


sub _set_name {
    my ($name, $subject) = @_;

    my @part = ref $subject ? @$subject : (CN => $subject);

    while (my ($field, $value) = splice @part, 0, 2) {
        my ($type, $bytes) = ref $value ? @$value : (UTF8STRING, $value);

        my $nid = Net::SSLeay::OBJ_txt2nid($field)
            or croak "unknown field \"$field\" of a subject";

        Net::SSLeay::X509_NAME_add_entry_by_NID($name, $nid, $type, $bytes)
            or croak "cannot set \"$field\": " . _error();
    }
}


sub _set_dates {
    my ($x509, $opt) = @_;

    my $now = time();
    my $not_before = defined $opt->{not_before} ? $opt->{not_before}
                                                : $now - DAY;
    my $not_after  = defined $opt->{not_after} ? $opt->{not_after}
                                               : $now + 365 * DAY;

    Net::SSLeay::ASN1_TIME_set(Net::SSLeay::X509_get_notBefore($x509),
                               $not_before);
    Net::SSLeay::ASN1_TIME_set(Net::SSLeay::X509_get_notAfter($x509),
                               $not_after);
}


sub _set_extensions {
    my ($x509, $issuer, $opt) = @_;

    my $constraints = 'critical,CA:' . ($opt->{ca} ? 'TRUE' : 'FALSE');

    $constraints .= ",pathlen:$opt->{pathlen}" if defined $opt->{pathlen};

    my @ext;

    push @ext, &Net::SSLeay::NID_basic_constraints => $constraints
        unless exists $opt->{ca} && !defined $opt->{ca};

    push @ext, &Net::SSLeay::NID_key_usage => $opt->{ku} if $opt->{ku};
    push @ext, &Net::SSLeay::NID_ext_key_usage => $opt->{eku} if $opt->{eku};

    my @more = @{ $opt->{ext} || [] };

    while (my ($name, $value) = splice @more, 0, 2) {
        push @ext, Net::SSLeay::OBJ_txt2nid($name) => $value;
    }

    # in this order: a self-signed certificate finds its own identifier

    push @ext, &Net::SSLeay::NID_subject_key_identifier => 'hash',
               &Net::SSLeay::NID_authority_key_identifier => 'keyid'
        unless defined $opt->{key_ids} && !$opt->{key_ids};

    Net::SSLeay::P_X509_add_extensions($x509, $issuer, @ext)
        or croak 'cannot add extensions: ' . _error();
}


sub _digest {
    my ($name) = @_;

    return Net::SSLeay::EVP_get_digestbyname($name || 'sha256')
        || croak "unknown digest \"$name\"";
}


sub _error {
    return Net::SSLeay::ERR_error_string(Net::SSLeay::ERR_get_error());
}


1;
