package AOP::Test::Response;

# What a server answered.

use strict;
use warnings;


sub new {
    my ($class, $status, $header, $body, $error) = @_;

    return bless {
        status => $status,
        header => $header,
        body   => $body,
        error  => $error,
    }, $class;
}


# status(): 0 if there was no answer; error() then says why.
sub status { return $_[0]{status} }
sub error  { return $_[0]{error} }
sub body   { return $_[0]{body} }


# header($name): its value, '' if it was not sent.
sub header {
    my ($self, $name) = @_;

    my $value = $self->{header}{ lc $name };

    return defined $value ? $value : '';
}


1;
