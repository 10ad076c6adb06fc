package AOP::Test::Report;

# What "aop_report" answers, taken apart by readers that are stricter than those
# it is for: an answer that is not well-formed is an error, not an empty list.
#
#     my $report = report($port);          # of http://127.0.0.1:$port/?format=
#
#     $report->server('www.test:443')->{ready};
#     $report->metric('nginx_aop_ready', server => 'www.test:443');
#     $report->table('Requests verified');
#     $report->on_page('www.test:443')->{word};

use strict;
use warnings;

use Carp qw(croak);
use Encode ();
use Exporter qw(import);
use JSON::PP ();
use Time::HiRes qw(sleep time);

use AOP::Test;

our @EXPORT = qw(report json_of metrics_of servers_of tables_of
                 until_counted);

use constant {
    TIMEOUT => 10,
    TICK    => 0.02,
};

my $JSON = JSON::PP->new->utf8;


# report($port, %options): the report in all three formats, read one by one as
# they are asked for.  Options are those of get(); path is the location's, query what
# is requested of it beside the format.
sub report {
    my ($port, %opt) = @_;

    return bless {
        port  => $port,
        path  => delete $opt{path} || '/',
        query => delete $opt{query},
        how  => \%opt,
    }, __PACKAGE__;
}


# text($format): as it was sent.
sub text {
    my ($self, $format) = @_;

    my $query  = $self->{query} ? "&$self->{query}" : '';
    my $answer = get($self->{port}, tls => 0, %{ $self->{how} },
                     path => "$self->{path}?format=$format$query");

    croak "no report in $format: status " . $answer->status
        unless $answer->status == 200;

    return $answer->body;
}


# json(): all of it.
sub json {
    my ($self) = @_;

    return $self->{json} ||= json_of($self->text('json'));
}


# server($name): the object of a server in JSON.
sub server {
    my ($self, $name) = @_;

    my @server = grep { $_->{name} eq $name } @{ $self->json->{servers} };

    croak @server . " servers named \"$name\"" unless @server == 1;

    return $server[0];
}


# metric($name, %labels): the value of the sample with just these labels, undef
# if there is none.
sub metric {
    my ($self, $name, %label) = @_;

    $self->{metrics} ||= metrics_of($self->text('prometheus'));

    return $self->{metrics}{ series($name, %label) };
}


# metrics(): all of them, { 'name{a="1",b="2"}' => value }, labels sorted.
sub metrics {
    my ($self) = @_;

    return $self->{metrics} ||= metrics_of($self->text('prometheus'));
}


# table($title): the rows below that heading of the page.
sub table {
    my ($self, $title) = @_;

    $self->{tables} ||= tables_of($self->text('html'));

    return $self->{tables}{$title} || croak "no table \"$title\"";
}


# on_page($name): what the page says of a server, as servers_of() has it.
sub on_page {
    my ($self, $name) = @_;

    $self->{servers} ||= servers_of($self->text('html'));

    my @server = grep { $_->{name} eq $name } @{ $self->{servers} };

    croak @server . " servers named \"$name\" on the page" unless @server == 1;

    return $server[0];
}


# series($name, %labels): how a sample is called in metrics().
sub series {
    my ($name, %label) = @_;

    return "$name\{" . join(',', map { "$_=\"$label{$_}\"" } sort keys %label)
           . '}';
}


# json_of($text): dies if it is not JSON in UTF-8.
sub json_of {
    my ($text) = @_;

    Encode::decode('UTF-8', my $copy = $text, Encode::FB_CROAK);

    return $JSON->decode($text);
}


# metrics_of($text): dies if it is not Prometheus' text format.
sub metrics_of {
    my ($text) = @_;

    my (%sample, %type, %help, %closed);
    my $family = '';

    croak 'no end of the last line' unless $text =~ /\n\z/;

    Encode::decode('UTF-8', my $copy = $text, Encode::FB_CROAK);

    for (split /\n/, $text) {

        if (/^# (HELP|TYPE) ([a-z_]+) (\S.*)$/) {
            my $seen = $1 eq 'HELP' ? \%help : \%type;

            croak "$2 is described twice" if defined $seen->{$2};
            $seen->{$2} = $3;
            $family = $2;
            next;
        }

        my ($name, $label, $value) = /^([a-z_]+)\{(.*)\} (-?\d+)$/
            or croak "not a sample: $_";

        croak "$name is not with its family" if $name ne $family;
        croak "$name has no type" unless $type{$name} && $help{$name};

        my %label;

        while ($label =~ s/^([a-z_]+)="((?:[^"\\]|\\["\\n])*)"(?:,(?=.)|\z)//) {
            croak "$1 twice: $_" if exists $label{$1};
            $label{$1} = $2;
        }

        croak "not labels: $_" if length $label;

        my $series = series($name, %label);

        croak "$series twice" if exists $sample{$series};
        $sample{$series} = $value;
    }

    return \%sample;
}


# servers_of($html): [ { name, group, word, open, short, text, hint, bars } ], in
# their order; bars are { p => { hour => [ foot, height ] }, f => ... }, the
# hour 23 being this one.
sub servers_of {
    my ($html) = @_;

    _nested($html);

    my @server;

    while ($html =~ m{<section\ id="(\w+)"><h2>[^<]*</h2>\n<div\ class="list">\n
                      (.*?)</div></section>\n}gsx)
    {
        my ($group, $list) = ($1, $2);

        while ($list =~ m{<details\ class="s\ \w+"(\ open)?><summary><b>(\w+)</b>\ 
                          <span\ class="n">(.*?)</span>\ 
                          <span\ class="w">(.*?)</span>(.*?)</summary>
                          <div>(.*?)</div></details>\n}gsx)
        {
            my ($open, $word, $name, $short, $svg, $text)
                = ($1, $2, $3, $4, $5, $6);

            push @server, {
                group => $group,
                word  => $word,
                name  => _plain($name),
                open  => $open ? 1 : 0,
                short => _plain($short),
                html  => $text,
                text  => _plain($text),
                hint  => _hint($text),
                bars  => _bars($svg),
            };
        }
    }

    return \@server;
}


# what to do, without the verdict that it is about
sub _hint {
    my ($hint) = $_[0] =~ m{<p class="hint"><a [^>]*>\w+</a>: (.*?)</p>};

    return defined $hint ? _plain($hint) : '';
}


sub _bars {
    my ($svg) = @_;

    my %bars;

    while ($svg =~ m{<path class="([pf])" d="([^"]*)"></path>}g) {
        my ($class, $path) = ($1, $2);

        while ($path =~ /\GM(\d+) (\d+)V(\d+)/gc) {
            croak "a bar of no hour: $path" if $1 % 4 != 2;
            $bars{$class}{ ($1 - 2) / 4 } = [ 20 - $2, $2 - $3 ];
        }

        croak "not bars: $path" if (pos($path) || 0) != length $path;
    }

    return \%bars;
}


# without markup and escapes
sub _plain {
    my ($text) = @_;

    $text =~ s/<[^>]*>//g;
    $text =~ s/&#(\d+);/chr $1/ge;

    return $text;
}


# tables_of($html): { heading => [ { column => text, ... } ] }; dies if an
# element is not closed.
sub tables_of {
    my ($html) = @_;

    Encode::decode('UTF-8', my $copy = $html, Encode::FB_CROAK);
    _nested($html);

    my %table;

    while ($html =~ m{<h2>([^<]+)</h2>(?:</summary>)?\n(.*?)(?=<h2>|<footer>)}gs)
    {
        my ($title, $rest) = ($1, $2);
        my @row;

        while ($rest =~ m{<tr role="row">(.*?)</tr>}gs) {
            my $row = $1;
            my %cell;

            while ($row =~ m{<td [^>]*data-th="([^"]*)">(.*?)</td>}gs) {
                my ($name, $text) = ($1, $2);

                # of a time the exact one
                $text =~ s{<time datetime="([^"]*)".*?</time>}{$1};
                $text =~ s{</?a\b[^>]*>|<wbr>|</?small>}{}g;
                croak "markup in a cell: $text" if $text =~ /</;
                $text =~ s/&#(\d+);/chr $1/ge;
                $text =~ s/(?<=\d),(?=\d{3}\b)//g if $text =~ /^-?[\d,]+$/;
                $cell{$name} = $text;
            }

            push @row, \%cell if %cell;
        }

        $table{$title} = \@row;
    }

    return \%table;
}


# until_counted($what): calls it until it is true, nginx counts a request after
# it has answered; false if that never happens.
sub until_counted {
    my ($what) = @_;

    my $end = time() + TIMEOUT;

    while (1) {
        return 1 if $what->();
        return 0 if time() >= $end;
        sleep TICK;
    }
}


# each element that is opened is closed, in turn
sub _nested {
    my ($html) = @_;

    my @open;

    croak 'no HTML' unless $html =~ s/\A<!DOCTYPE html>\n//;

    $html =~ s{<style>.*?</style>}{}gs;

    while ($html =~ m{<(/?)([a-z0-9]+)((?:\s[^<>]*)?)>|([<>])}g) {
        croak "stray $4" if $4;
        next if $2 =~ /^(?:meta|link|br|hr|img|wbr)$/;

        if (!$1) {
            push @open, $2;
            next;
        }

        my $last = pop @open;

        croak "$2 is closed, not $last" if !defined $last || $last ne $2;
    }

    croak "not closed: @open" if @open;

    return;
}


1;
