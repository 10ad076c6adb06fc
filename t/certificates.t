#!/usr/bin/perl

# docs/certificates.md, from the levels on: its JSON is JSON, its commands make what they say, and
# each step of the migration shows in the log what the text says.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp;
use JSON::PP qw(decode_json);
use Test::More;
use AOP::Test;
use AOP::Test::Aopctl ();

my $text = do {
    open my $in, '<', AOP::Test::checkout() . '/docs/certificates.md'
        or die "open() failed: $!";
    local $/;
    <$in>;
};

# what comes before is run by t/docs.t

$text =~ s/\A.*?(?=^## The levels$)//ms or die 'there are no levels';

my (@json, @step, @command);

push @json, $1 while $text =~ /--data '([^']+)'/g;
push @command, $1 while $text =~ /^```sh\n(.*?)^```/msg;

while ($text =~ /^ {3}```nginx\n(.*?)^ {3}```/msg) {
    push @step, $1;
}

# the body of each request, as Cloudflare's API has it

my @body = (
    { value => 'on' },
    { enabled => JSON::PP::true },
    { config => [ { hostname => 'www.example.com', cert_id => 'ID',
                    enabled => JSON::PP::true } ] },
);

is(scalar @json, scalar @body, 'JSON in the commands');
is_deeply(eval { decode_json($json[$_]) }, $body[$_], "is JSON: $json[$_]")
    for 0 .. $#body;

SKIP: {
    skip 'no jq', scalar @json if !`which jq 2>/dev/null`;

    like(`printf %s '$_' | jq -c . 2>&1`, qr/^\{"\w+":.*\}$/, "jq reads it: $_")
        for @json;
}

SKIP: {
    my ($upload) = $text =~ /^(jq -n .*?> upload\.json)$/ms;

    ok($upload, 'a command that makes the upload');
    skip 'no jq', 1 if !`which jq 2>/dev/null`;

    my $dir = File::Temp->newdir;
    my $own = ca('Own CA');

    for (['client.pem', $own->pem], ['client.key', $own->key_pem]) {
        open my $out, '>', "$dir/$$_[0]" or die "open() failed: $!";
        print {$out} $$_[1];
        close $out or die "close() failed: $!";
    }

    my $made = `cd '$dir' && $upload && cat upload.json`;

    is_deeply(decode_json($made),
              { certificate => $own->pem, private_key => $own->key_pem },
              'jq makes the upload');
}

# a block of Terraform for each level

my ($terraform) = $text =~ /^```hcl\n(.*?)^```/ms;

for my $level (qw(cloudflare_zone_setting
                  cloudflare_authenticated_origin_pulls_settings
                  cloudflare_authenticated_origin_pulls))
{
    like($terraform, qr/^resource "$level" "\w+" \{$/m, "Terraform: $level");
}

is($terraform =~ tr/{//, $terraform =~ tr/}//, 'Terraform: braces');
is($terraform =~ tr/[//, $terraform =~ tr/]//, 'Terraform: brackets');
is(scalar @step, 3, 'steps with a configuration');
is(scalar @command, 2, 'commands');

SKIP: {
    skip 'this OpenSSL has no ML-DSA', 1
        if !AOP::Test::Cert->has('ML-DSA-44');

    subtest 'migration' => \&migration;
}

done_testing();


sub migration {
    my $nginx = nginx();
    my $port  = $nginx->ports;
    my $dir   = $nginx->dir;
    my $old   = ca('Old CA', key => 'rsa');
    my $leaf  = $old->leaf('example.com by Cloudflare', key => 'rsa');

    mkdir "$dir/aop";
    $nginx->write('aop/ca.pem', $old);
    symlink AOP::Test::Aopctl::binary(), "$dir/aopctl";

    my $said = `cd "$dir/aop" && PATH="$dir:\$PATH"; set -e
                @command 2>&1`;

    is($?, 0, 'the commands run') or diag($said);
    like($said, qr/verdict +ok\b.*^ok$/ms, 'aopctl takes what they made');
    like($nginx->read('aop/pq-client.key'), qr/\A-----BEGIN PRIVATE KEY-/,
         'a private key');
    cmp_ok(length $nginx->read('aop/pq-client.key'), '<', 200,
           'in the seed form');

    my @want = (
        # step 1 and 2: both pass
        [ [ '200', 'PASSED', 'ok', 'RSA-2048', '' ],
          [ '200', 'PASSED', 'ok', 'ML-DSA-44', '' ] ],
        [ [ '200', 'REJECTED_DRY_RUN', 'weak', 'RSA-2048',
            'the key of the certificate is not post-quantum' ],
          [ '200', 'PASSED', 'ok', 'ML-DSA-44', '' ] ],
        [ [ '400', 'REJECTED', 'untrusted', 'RSA-2048' ],
          [ '200', 'PASSED', 'ok', 'ML-DSA-44', '' ] ],
    );

    $nginx->write('old.pem', $leaf);
    $nginx->write('old.key', $leaf->key_pem);

    my @file = ([ 'old.pem', 'old.key' ],
                [ 'aop/pq-client.pem', 'aop/pq-client.key' ]);

    for my $i (0 .. $#step) {
        my $listen = $nginx->listen_tls($port);
        my $conf   = $step[$i] =~ s{/etc/nginx/}{$dir/}gr
                               =~ s{/var/log/nginx/}{$dir/step$i.}gr;

        $nginx->configure("server { $listen server_name example.com; $conf"
                          . ' location / { return 200; } }');

        my ($code, $output) = $nginx->test_config;

        is($code, 0, "step $i: nginx -t") or diag($output);
        $i ? unlike($output, qr/both post-quantum and classical keys/,
                    "step $i: no warning")
           : like($output, qr/both post-quantum and classical keys/,
                  "step $i: the warning");

        $i ? $nginx->reload : $nginx->start;

        for my $k (0, 1) {
            my ($cert, $key) = map { "$dir/$_" } @{ $file[$k] };
            my ($status, @log) = @{ $want[$i][$k] };

            is(`curl -sko /dev/null -w '%{http_code}' --cert $cert --key $key --resolve example.com:$port:127.0.0.1 https://example.com:$port/$k`,
               $status, "step $i, $file[$k][0]: answer");

            my $line = decode_json($nginx->wait_file(
                               "step$i.example.aop.log", qr{"uri":"/$k"}));

            is(join('|', map { $line->{$_} }
                         (qw(status verdict key reason))[0 .. $#log]),
               join('|', @log), "step $i, $file[$k][0]: log");
        }
    }

    $nginx->finish;
}
