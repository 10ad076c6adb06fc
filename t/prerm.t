#!/usr/bin/perl

# The package's prerm says at its removal that nginx will not start any more, if
# the configuration uses the module; and only then.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp;
use Test::More;
use AOP::Test;

my $folder = File::Temp->newdir;
my $script = "$folder/prerm";
my $conf   = "$folder/nginx/sites-enabled/site";

mkdir "$folder/nginx";
mkdir "$folder/nginx/modules-enabled";
mkdir "$folder/nginx/sites-enabled";

my $text = slurp(AOP::Test::checkout() . '/debian/libnginx-mod-http-aop.prerm');

cmp_ok($text =~ s{ /etc/nginx; then}{ $folder/nginx; then}g, '==', 1,
       'it looks into one folder');
put($script, $text);

# a file of the package
put("$folder/nginx/modules-enabled/50-mod-http-aop.conf",
    "load_module modules/ngx_http_aop_module.so;\n");

for (
    [ 'a directive',            "server {\n    aop on;\n}\n" ],
    [ 'one after another',      "server { listen 443 ssl; aop optional; }\n" ],
    [ 'one after a brace',      "server {aop \$mode;}\n" ],
    [ 'one with a tab',         "\taop_ca\tfile.pem;\n" ],
    [ 'one with its argument below', "aop\n    on;\n" ],
    [ 'one without an argument', "location / { aop_report; }\n" ],
    [ 'a variable',             "log_format x '\$aop_verdict';\n" ],
    [ 'a variable in braces',   "set \$x \"\${aop_peer}\";\n" ],
    [ 'a condition of a log',   "access_log x combined if=\$aop_failed;\n" ],
    [ 'the log format',         "access_log x aop_json;\n" ])
{
    my ($name, $line) = @$_;

    put($conf, $line);
    like(said('remove'), qr/^The configuration in .* still uses the module/,
         "$name: said");
    is(said('upgrade'), '', "$name: not at an upgrade");
}

for (
    [ 'nothing of it',          "server { listen 80; }\n" ],
    [ 'a comment',              "    # aop on;\n" ],
    [ 'a comment after a line', "listen 80;  # no aop here\n" ],
    [ 'a folder of this name',  "root /var/www/aop/htdocs;\n" ],
    [ 'a file of this name',    "access_log /var/log/nginx/x.aop.log;\n" ],
    [ 'the longer name of another', "set \$snaop_x 1; snaop on;\n" ])
{
    my ($name, $line) = @$_;

    put($conf, $line);
    is(said('remove'), '', "$name: nothing to say");
}

done_testing();


# said($action): what is said, without an error.
sub said {
    my ($action) = @_;

    my $said = qx{sh $script $action 2>&1};

    is($?, 0, "$action: no error");

    return $said;
}


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}


sub put {
    my ($file, $data) = @_;

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh $data;
    close $fh or die "$file: $!\n";
}
