#!/usr/bin/perl

# The module's verification agrees with that of stock nginx: the same chains,
# with random defects, are sent to a server with "ssl_verify_client" and to one
# with "aop".  What one serves the other must serve.  Of several defects stock
# names the last one that OpenSSL finds; ours is the first, which "openssl
# verify" names too.  Roots only are anchors here: others are what the contract
# has otherwise.  AOP_SEED repeats a run, AOP_CHAINS makes it longer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use AOP::Test;

use constant DAY => 86400;

my $seed   = $ENV{AOP_SEED} || time();
my $chains = $ENV{AOP_CHAINS} || 400;

alarm 900;
srand $seed;
diag "AOP_SEED=$seed AOP_CHAINS=$chains";

sub one { return $_[ int rand @_ ] }
sub chance { return rand() < $_[0] }

# Random options of a certificate: mostly good.

sub dates {
    my $now = time();

    return () if chance(0.85);
    return (not_after => $now - DAY, not_before => $now - 9 * DAY)
        if chance(0.5);
    return (not_before => $now + DAY);
}

# Who is below a certificate without key identifiers has none.

sub authority {
    my ($ids) = @_;
    my @opt = (dates(), key => one('ec', 'ec', 'ec', 'rsa'));

    push @opt, pathlen => int rand 3          if chance(0.2);
    push @opt, ca => 0                        if chance(0.05);
    push @opt, ku => one('critical,cRLSign', 'critical,digitalSignature',
                         undef)               if chance(0.1);
    push @opt, eku => one('clientAuth', 'serverAuth', 'emailProtection')
                                              if chance(0.1);
    push @opt, key_ids => 0                   if !$ids || chance(0.3);
    push @opt, ext => [ one(
        [ nameConstraints => 'critical,permitted;DNS:good.example' ],
        [ nameConstraints => 'critical,excluded;DNS:bad.example' ],
        [ certificatePolicies => 'DER:30:07:30:05:06:03:2A:03:04' ],
        [ policyConstraints => 'critical,requireExplicitPolicy:0' ],
        [ inhibitAnyPolicy => '0' ],
    )->@* ] if chance(0.15);

    return @opt;
}

sub end_entity {
    my ($ids) = @_;
    my @opt = (dates(), key => one('ec', 'ec', 'rsa', 'ec:secp384r1'));

    push @opt, eku => one(undef, 'serverAuth', 'clientAuth,serverAuth',
                          'emailProtection', 'critical,clientAuth')
                                              if chance(0.3);
    push @opt, ku => one(undef, 'critical,keyAgreement',
                         'critical,keyEncipherment', 'critical,keyCertSign')
                                              if chance(0.3);
    push @opt, ca => 1                        if chance(0.1);
    push @opt, key_ids => 0                   if !$ids || chance(0.3);
    push @opt, digest => 'sha1'               if chance(0.05);

    return @opt;
}

# Two roots, a third of the first one's name, one that has ended, and one that
# is no anchor; the second root also vouches for the first one's key.

my $now   = time();
my $first = ca([ O => 'Test', CN => 'First' ]);
my $same  = ca([ O => 'Test', CN => 'First' ]);
my $other = ca([ O => 'Test', CN => 'Second' ]);
my $ended = ca([ O => 'Test', CN => 'Ended' ], not_after => $now - DAY,
               not_before => $now - 9 * DAY);
my $alien = ca([ O => 'Test', CN => 'Alien' ]);
my $cross = $other->intermediate([ O => 'Test', CN => 'First' ],
                                 key => $first);

my @revoked;
my @leaves;

sub chain {
    my @chain;
    my $ids = 1;
    my $issuer = one($first, $first, $other, $other, $same, $ended, $alien,
                     $cross);

    push @chain, $issuer if $issuer == $cross || chance(0.2);

    for my $n (1 .. int rand 5) {
        my @opt = authority($ids);

        $issuer = $issuer->intermediate([ O => 'Test', CN => one(
            "Below $n", "Below $n", 'First', 'www.bad.example') ], @opt);
        unshift @chain, $issuer;

        my %opt = @opt;
        $ids = !defined $opt{key_ids};
    }

    my $leaf = $issuer->leaf([ O => 'Test', CN => one('edge',
        'www.good.example', 'www.bad.example', 'First') ], end_entity($ids));

    # as a careless client sends it

    @chain = sort { rand() <=> 0.5 } @chain           if chance(0.3);
    splice @chain, int rand @chain, 1                 if @chain && chance(0.1);
    push @chain, one($alien, $other, $same, $cross)   if chance(0.2);
    push @revoked, $leaf                              if chance(0.2);

    return [ $leaf, @chain ];
}

my @chain = map { chain() } 1 .. $chains;

# the same question asked in three ways: depth 1, depth 3, and with CRLs

my $nginx = nginx(log_level => 'crit');
my %port;

my @way = (
    [ shallow => 1, '' ],
    [ deep    => 3, '' ],
    [ crl     => 3, 'crl.pem' ],
);

@port{ map { ("stock $_->[0]", "aop $_->[0]") } @way } = $nginx->ports(6);

$nginx->write('ca.pem', [ $first, $other, $ended ]);

my @below_first = grep { $_->{issuer} && $_->{issuer} == $first } @revoked;
my @below_other = grep { $_->{issuer} && $_->{issuer} == $other } @revoked;

$nginx->write('crl.pem', [ $first->crl(revoked => \@below_first),
                           $other->crl(revoked => \@below_other),
                           $ended->crl ]);

my $servers = '';

for my $way (@way) {
    my ($name, $depth, $crl) = @$way;
    my $stock = $nginx->listen_tls($port{"stock $name"});
    my $aop   = $nginx->listen_tls($port{"aop $name"});

    my $stock_crl = $crl ? "ssl_crl $crl;" : '';
    my $aop_crl   = $crl ? "aop_crl $crl;" : '';

    $servers .= <<"EOC";
    server {
        $stock
        ssl_verify_client on;
        ssl_client_certificate ca.pem;
        ssl_verify_depth $depth;
        $stock_crl
        error_page 495 496 = /failed;
        location / { return 200 \$ssl_client_verify; }
        location = /failed { return 200 \$ssl_client_verify; }
    }
    server {
        $aop
        aop on;
        aop_ca ca.pem;
        aop_verify_depth $depth;
        $aop_crl
        error_page 495 496 = /failed;
        location / { return 200 \$aop_verdict|\$ssl_client_verify; }
        location = /failed { return 200 \$aop_verdict|\$ssl_client_verify; }
    }
EOC
}

$nginx->configure($servers)->start;

# The first thing that "openssl verify" finds, as $ssl_client_verify says it.

sub first_error {
    my ($way, $leaf, @rest) = @_;
    my ($name, $depth, $crl) = @$way;

    my @arg = ('-purpose', 'sslclient', '-auth_level', 2,
               '-CAfile', $nginx->path('ca.pem'), '-no-CApath', '-no-CAstore',
               '-verify_depth', $depth);

    push @arg, '-untrusted', $nginx->path($nginx->write('rest.pem', \@rest))
        if @rest;
    push @arg, '-crl_check_all', '-CRLfile', $nginx->path($crl) if $crl;

    push @arg, $nginx->path($nginx->write('leaf.pem', [ $leaf ]));

    my $said = join '', `openssl verify @arg 2>&1`;

    return $said =~ /^error \d+ at \d+ depth lookup: (.*?)$/m
        ? "FAILED:$1" : 'SUCCESS';
}

my (%seen, $n);

for my $chain (@chain) {
    my ($leaf, @rest) = @$chain;

    $n++;

    for my $way (@way) {
        my ($stock, $aop) = map {
            my $answer = get($port{"$_ $way->[0]"}, cert => $leaf,
                             chain => \@rest);
            defined $answer->body ? $answer->body : 'none: ' . $answer->error;
        } 'stock', 'aop';

        my ($verdict, $reason) = split /\|/, $aop;
        my $what = "chain $n, $way->[0]: $verdict";

        $seen{$verdict}++;

        is($verdict eq 'ok' ? 1 : 0, $stock eq 'SUCCESS' ? 1 : 0,
           "$what: stock agrees")
            or diag "stock: $stock, ours: $aop";
        is($reason, first_error($way, @$chain), "$what: openssl agrees")
            or $ENV{AOP_VERBOSE}
               && diag join "\n", map { $_->openssl('-text') } @$chain;
    }
}

# the chains are worth something only if they fail in many ways

note join ', ', map { "$_ $seen{$_}" } sort keys %seen;

ok($seen{$_}, "some are $_")
    for qw(ok untrusted expired not_yet_valid purpose depth invalid revoked
           crl);

# stock leaves OpenSSL's errors where the next read finds them; ours must not

my @stale = grep { /stale global SSL error/ }
            split /\n/, $nginx->read('error.log');

is(scalar(grep { my $line = $_;
                 grep { $line =~ /:$port{"aop $_->[0]"}\b/ } @way } @stale),
   0, 'no stale error of ours');

$nginx->write('error.log', join "\n", grep { !/stale global SSL error/ }
              split /\n/, $nginx->read('error.log'));

$nginx->finish;

done_testing();
