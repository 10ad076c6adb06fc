#!/usr/bin/perl

# error_page for a refusal: it works as with stock nginx, and opens no way in.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use AOP::Test;

my $nginx = nginx();
my $port  = $nginx->ports;
my $listen = $nginx->listen_tls($port);
my $show  = show();

my $ca  = ca('Edge CA');
my $bad = ca('Foreign')->leaf('stranger');

$nginx->write('ca.pem', $ca);
$nginx->write('html/blocked.html', 'static page');

$nginx->configure(<<"EOF")->start;
    aop on;
    aop_ca ca.pem;
    $show

    log_format outcome '\$host \$status \$aop_mode \$aop_verdict \$aop_status';
    access_log outcome.log outcome;

    server {
        $listen
        server_name named;
        error_page 495 496 = \@blocked;
        location / { return 200 secret; }
        location \@blocked { return 403 "go away: \$aop_verdict"; }
    }

    server {
        $listen
        server_name numbers;
        error_page 495 =451 /bad;
        error_page 496 =401 /none;
        location / { return 200 secret; }
        location = /bad { internal; return 451 "bad certificate"; }
        location = /none { internal; return 401 "no certificate"; }
    }

    server {
        $listen
        server_name static;
        error_page 495 496 =403 /blocked.html;
        location / { return 200 secret; }
        location = /blocked.html { root html; }
    }

    server {
        $listen
        server_name as400;
        error_page 400 \@blocked;
        location / { return 200 secret; }
        location \@blocked { return 200 "for 400"; }
    }

    server {
        $listen
        server_name refusing;
        recursive_error_pages on;
        error_page 495 496 = /blocked;
        location / { return 200 secret; }
        location /blocked { aop on; return 403 blocked; }
    }

    server {
        $listen
        server_name recursive;
        recursive_error_pages on;
        error_page 495 496 /blocked.html;
        location / { }
    }

    server {
        $listen
        server_name onwards;
        error_page 495 496 = /blocked;
        location / { return 200 secret; }
        location = /blocked { rewrite ^ /secret last; }
    }

    server {
        $listen
        server_name tries;
        error_page 495 496 = \@blocked;
        location / { return 200 secret; }
        location \@blocked { try_files /nowhere /secret; }
    }

    server {
        $listen
        server_name chained;
        recursive_error_pages on;
        error_page 495 496 = \@blocked;
        location / { return 200 secret; }
        location \@blocked { error_page 404 = \@secret; return 404; }
        location \@secret { return 200 secret; }
    }

    server {
        $listen
        server_name location;
        aop off;
        error_page 495 496 = \@blocked;
        location / { return 200 free; }
        location /strict { aop on; return 200 secret; }
        location \@blocked { return 403 blocked; }
    }

    server {
        $listen
        server_name relaxed;
        error_page 495 496 = \@blocked;
        location / { return 200 secret; }
        location /free { aop off; return 200 free; }
        location \@blocked { aop off; return 403 blocked; }
    }

    server {
        $listen
        server_name variable;
        aop \$mode_of_host;
        error_page 495 496 = \@blocked;
        location / { return 200 secret; }
        location \@blocked { return 403 blocked; }
    }

    map \$host \$mode_of_host { default on; }
EOF

sub ask {
    my ($host, %opt) = @_;
    my $answer = get($port, sni => $host, %opt);
    return $answer->status . ' ' . $answer->body;
}

sub outcome {
    my ($host) = @_;
    $nginx->wait_file('outcome.log', qr/^\Q$host\E /);
    return join "\n", grep { /^\Q$host\E / }
                      split /\n/, $nginx->read('outcome.log');
}

for my $http ('1.1', '2') {
    my @how = (http => $http);

    is(ask('named', @how), '403 go away: none', "HTTP/$http: named, none");
    is(ask('named', @how, cert => $bad), '403 go away: untrusted',
       "HTTP/$http: named, bad");
    is(ask('named', @how, cert => $ca->leaf('edge')), '200 secret',
       "HTTP/$http: named, good");

    is(ask('numbers', @how), '401 no certificate',
       "HTTP/$http: 496 of its own");
    is(ask('numbers', @how, cert => $bad), '451 bad certificate',
       "HTTP/$http: 495 of its own");

    is(ask('static', @how), '403 static page', "HTTP/$http: a file");

    # nginx itself turns 495 and 496 into 400 only after error_page
    like(ask('as400', @how), qr/^400 .*No required SSL certificate/s,
         "HTTP/$http: error_page 400 is for others");

    is(ask('refusing', @how), '403 blocked',
       "HTTP/$http: page with aop on: no loop");
    is(ask('recursive', @how), '400 static page',
       "HTTP/$http: recursive_error_pages");

    is(ask('location', @how, path => '/strict'), '403 blocked',
       "HTTP/$http: of a location");
    is(ask('location', @how), '200 free', "HTTP/$http: other location");
    is(ask('relaxed', @how), '403 blocked', "HTTP/$http: page with aop off");
    is(ask('relaxed', @how, path => '/free'), '200 free',
       "HTTP/$http: relaxed location");
    is(ask('variable', @how), '403 blocked', "HTTP/$http: by a variable");

    # from the page there is no way to what it protects

    for my $host (qw(onwards tries chained)) {
        my $answer = ask($host, @how);

        unlike($answer, qr/secret/, "HTTP/$http: $host, page redirects");
        like($answer, qr/^[45]00 /, "HTTP/$http: $host, refused again");
    }
}

# one request is refused once, whatever its page does

is(outcome('named'), join("\n",
    'named 403 on none REJECTED', 'named 403 on untrusted REJECTED',
    'named 200 on ok PASSED',
    'named 403 on none REJECTED', 'named 403 on untrusted REJECTED',
    'named 200 on ok PASSED'), 'named: as logged');
like(outcome('relaxed'), qr/^relaxed 403 on none REJECTED$/m,
     'page with aop off: still logged as refused');
like(outcome('onwards'), qr/^onwards 400 on none REJECTED$/m,
     'page that redirects: as logged');

$nginx->finish;

done_testing();
