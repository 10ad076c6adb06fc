#!/usr/bin/perl

# "aop_zone auto": there is room for all servers, and a reload that still fits
# keeps what was counted.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;
use AOP::Test::Report;

my $nginx = nginx();
my ($port, $admin) = $nginx->ports(2);
my $ca   = ca('Edge CA');
my $edge = $ca->leaf('edge');

$nginx->write('ca.pem', $ca);

# conf($n, $zone): n servers, and the status page.
sub conf {
    my ($n, $zone) = @_;

    return join "\n", $zone // '', 'aop_ca ca.pem;',
        "server { listen 127.0.0.1:$admin; location / { aop_report; } }",
        map { "server { listen 127.0.0.1:$port ssl; server_name s$_.test; "
              . 'aop optional; return 200; }' } 1 .. $n;
}

sub counted { return scalar grep { $_->{since} } @{ report($admin)->json->{servers} } }

sub ok_of {
    my ($name) = @_;
    my ($server) = grep { $_->{name} =~ /^\Q$name\E\b/ }
                   @{ report($admin)->json->{servers} };
    my ($row) = grep { $_->{verdict} eq 'ok' } @{ $server->{requests} };

    return $row ? $row->{count} : 0;
}

# what the documents say of the size

open my $fh, '<', AOP::Test::checkout() . '/docs/directives.md'
    or die "docs/directives.md: $!\n";
my ($kb) = join('', <$fh>) =~ /A\s+server\s+takes\s+(\d+)\s+KB/;

$nginx->configure(conf(200, 'aop_zone 4m;'))->start;

cmp_ok(4096 / counted(), '<', 1.04 * $kb, 'a server takes that much');
cmp_ok(4096 / counted(), '>', $kb, 'and not less');

$nginx->stop;
my $mark = $nginx->mark;
$nginx->configure(conf(200))->start;

is(counted(), 200, 'default: all servers have room');
is(scalar(grep { /aop_zone/ } $nginx->log_since($mark)), 0,
   'and nothing is said');

get($port, sni => 's7.test', cert => $edge) for 1 .. 3;
ok(until_counted(sub { ok_of('s7.test') == 3 }), 'it is counted');

ok($nginx->reload(conf(260, 'aop_zone auto;')), 'more servers that still fit');
is(counted(), 260, 'all have room');
is(ok_of('s7.test'), 3, 'what was counted is kept');

ok($nginx->reload(conf(20)), 'fewer servers');
is(ok_of('s7.test'), 3, 'what was counted is kept');

ok($nginx->reload(conf(600)), 'more than fit');
is(counted(), 600, 'a larger zone has room for all');
is(ok_of('s7.test'), 0, 'and counts anew');

for ('aop_zone auto; aop_zone auto;', 'aop_zone 1m; aop_zone auto;',
     'aop_zone auto; aop_zone 1m;')
{
    like(($nginx->configure(conf(1, $_))->test_config)[1],
         qr/\[emerg\] .*"aop_zone" directive is duplicate/, "wrong: $_");
}

$nginx->finish;
done_testing();
