package Text::Settings;
use strict;
use warnings;

sub read {
    my ($class, $handle) = @_;
    my ($section, %all) = ('');
    while (my $line = <$handle>) {
        $line =~ s/\s*(?:#.*)?$//;
        if ($line =~ /^\[(\w+)\]$/) { $section = $1 }
        elsif ($line =~ /^(?<key>[\w.]+)\s*=\s*(?<value>.*)$/) {
            my ($key, $value) = @+{qw(key value)};
            $all{$section}{$key} = $value =~ /^-?\d+$/ ? $value + 0 : $value;
        }
    }
    return bless \%all, $class;
}

sub all { return { %{ $_[0] } } }

sub numbers {
    my ($self) = @_;
    return grep { /^-?\d+$/ } map { values %$_ } values %$self;
}

1;
