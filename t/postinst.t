#!/usr/bin/perl

# The package's postinst replaces a running nginx that has the old module, or
# says that this one goes on, and never makes dpkg fail, whatever there is in
# nginx's pid file.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Copy qw(copy);
use File::Temp;
use Test::More;
use AOP::Test;

my $folder = File::Temp->newdir;
my $script = "$folder/postinst";
my $pid    = "$folder/nginx.pid";
my $called = "$folder/called";

my $text = slurp(AOP::Test::checkout()
                 . '/debian/libnginx-mod-http-aop.postinst');

is($text =~ s{/run/nginx\.pid}{$pid}g, 1, 'it reads the pid file once');

put($script, $text);
# "upgrade" is what replaces nginx, and there may be none that runs it
acts('rm ' . $pid);

$ENV{PATH} = "$folder:$ENV{PATH}";

my @case = (
    [ 'no pid file', undef ],
    [ 'an empty one', '' ],
    [ 'a line break', "\n" ],
    [ 'a pid of nobody', "4194305\n" ],
    [ 'no number', "none\n" ],
    [ 'two lines', "1\n2\n" ],
    [ 'a process without the module', "$$\n" ],
);

for (@case) {
    my ($name, $content) = @$_;

    unlink $pid, $called;
    put($pid, $content) if defined $content;

    is(system('sh', $script, 'configure', '0.1.0'), 0, "$name: no error");
    ok(!-e $called, "$name: nothing is replaced");
}

unlink $pid;
mkdir $pid;
is(system('sh', $script, 'configure', '0.1.0'), 0, 'a folder: no error');
rmdir $pid;

# the file of the module is replaced, as dpkg does

my $nginx  = nginx();
my $module = $nginx->path('ngx_http_aop_module.so');

copy(AOP::Test::Nginx::module(), $module);

{
    local $ENV{AOP_MODULE} = $module;
    $nginx->configure('')->start;
}

put($pid, $nginx->pid . "\n");

is(system('sh', $script, 'configure', '0.1.0'), 0, 'the same module');
ok(!-e $called, 'the same module: nothing is replaced');

unlink $module;

is(system('sh', $script, 'configure', ''), 0, 'a first installation');
ok(!-e $called, 'a first installation: nothing is replaced');

is(configured(), '', 'an upgrade: nothing to say');
is(slurp($called), "--quiet nginx status\nnginx upgrade\n",
   'an upgrade: nginx is replaced');

for (['denied' => 'exit 101'], ['without effect' => ':']) {
    my ($name, $act) = @$_;

    acts($act);
    put($pid, $nginx->pid . "\n");
    like(configured(), qr/^nginx keeps using the old module: restart/,
         "an upgrade that is $name is said");
}

copy(AOP::Test::Nginx::module(), $module);

$nginx->finish;
done_testing();


# acts($command): what invoke-rc.d does, for each action but "status".
sub acts {
    my ($command) = @_;

    put("$folder/invoke-rc.d", <<END);
#!/bin/sh
echo "\$*" >> $called
[ "\$1" = --quiet ] || $command
END
    chmod 0755, "$folder/invoke-rc.d";
}


# configured(): what is said when the package is upgraded.
sub configured {
    my $said = qx{sh $script configure 0.1.0 2>&1};

    is($?, 0, 'an upgrade: no error');

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
