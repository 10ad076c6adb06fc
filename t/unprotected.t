#!/usr/bin/perl

# TLS servers for which "aop" is off are listed in each format of the report:
# where they are written, whether on purpose, and what they are open beside.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;
use AOP::Test::Report;

my $nginx = nginx();
my ($tls, $other, $plain, $admin) = $nginx->ports(4);
my $listen = $nginx->listen_tls($tls);
my $second = $nginx->listen_tls($other);
my $also   = $second =~ s/ http2 on;//r;     # that is in $listen

my $many = join "\n", map {
    "server { $second server_name m$_.test; aop on; }"
} 1 .. 12;

my $http = <<"CONF";
server { $listen server_name a.test; aop on; }
server { $listen server_name b.test; }
server { $listen server_name c.test; aop off; }
server { $listen server_name d.test; aop optional; }
server { $listen server_name e.test; aop off; location /x { aop on; } }
server { $listen server_name f.test; aop on; location /x { aop off; } }
server { $listen server_name b.test; }
server { listen 127.0.0.1:$plain; server_name g.test; }
server { $listen $also server_name "h\x01.test"; }
$many
server { listen 127.0.0.1:$admin; location / { aop_report; } }
CONF

$nginx->configure($http)->start;

my $report = report($admin);
my @open   = @{ $report->json->{unprotected} };
my %open   = map { $_->{name} => $_ } @open;
my $at     = "127.0.0.1:$tls";
my $text   = $nginx->read('nginx.conf');
my $line   = 1 + (substr($text, 0, index $text, 'server_name c.test') =~ tr/\n//);

my ($least) = sort $at, "127.0.0.1:$other";

is(join(', ', sort keys %open),
   join(', ', "b.test $at", "b.test $at #2", "c.test $at", "h?.test $least"),
   'TLS servers that are all off, each by its own name');

is($open{"c.test $at"}{file}, $nginx->path('nginx.conf'), 'file');
is($open{"c.test $at"}{line}, $line, 'line');
ok($open{"c.test $at"}{explicit}, 'on purpose');
ok(!$open{"b.test $at"}{explicit}, 'not on purpose');
is_deeply($open{"c.test $at"}{beside}, [ "a.test $at" ],
          'beside the enforced server of its address, and no other');
ok(!$open{"c.test $at"}{beside_more}, 'and that is all');

my ($h) = grep { $_->{name} =~ /^h/ } @open;

is(scalar @{ $h->{beside} }, 10, 'beside many: ten of them');
ok($h->{beside_more}, 'and that there are more');

for (sort keys %open) {
    is($report->metric('nginx_aop_mode_info', server => $_, mode => 'off'), 1,
       "$_: mode in Prometheus");
}

is($report->metric('nginx_aop_mode_info', server => "a.test $at",
                   mode => 'on'), 1, 'mode of a server with "aop"');
is($report->metric('nginx_aop_mode_info', server => "e.test $at",
                   mode => 'off'), 1, 'off, but not in a location');

my @off = grep { $_->{group} eq 'off' }
          @{ servers_of($report->text('html')) };

is(join(', ', sort map { $_->{name} } @off), join(', ', sort keys %open),
   'on the page');
is(join(', ', map { $_->{short} } sort { $a->{name} cmp $b->{name} }
        grep { $_->{name} =~ /^[bc]\.test \S+$/ } @off),
   'no aop directive, at the address of an enforced server, '
   . 'aop off, at the address of an enforced server',
   'on the page: on purpose');
like($report->on_page("b.test $at")->{text},
     qr/nginx\.conf:\d+.*Enforced at the same address: a\.test \Q$at\E/,
     'on the page: where, and beside which');

# "aop off" of http{} is not written for a server

ok($nginx->reload("aop off; $http"), '"aop off" in http{}');
($h) = grep { $_->{name} eq "b.test $at" }
       @{ report($admin)->json->{unprotected} };
ok(!$h->{explicit}, 'is not on purpose');

# a server that enforces says what it refused

get($tls, sni => 'a.test');
until_counted(sub {
    report($admin)->on_page("a.test $at")->{text} =~ /24 h: \d+ requests from/;
});
like(report($admin)->on_page("a.test $at")->{text},
     qr/are rejected; in 24 h: 0 requests from Cloudflare, 1 from private/,
     'enforced: what it rejected');
is(report($admin)->server("a.test $at")->{state}, 'enforced', 'state');
is(report($admin)->metric('nginx_aop_ready', server => "a.test $at"), 0,
   'enforced: "ready" all the same');

$nginx->finish;
done_testing();
