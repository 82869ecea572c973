#!/usr/bin/env perl
# Reads key=value settings with sections, and says them as JSON.
use strict;
use warnings;
use JSON::PP;
use List::Util qw(sum0 max);
use Text::Settings;

my $settings = Text::Settings->read(\*STDIN);
my $json = JSON::PP->new->canonical->pretty->indent_length(2);
print $json->encode($settings->all);
my @numbers = $settings->numbers;
printf "%d numbers, sum %s, most %s\n", scalar @numbers, sum0(@numbers), max(@numbers);
print "arguments: @ARGV\n";
