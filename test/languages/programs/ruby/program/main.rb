# Ranks teams by the matches on stdin.
require 'json'
require_relative 'lib/team'

teams = Hash.new { |table, name| table[name] = Team.new(name) }
$stdin.each_line do |line|
  next unless (match = line.match(/\A(?<home>[[:word:]]+) (?<a>\d+):(?<b>\d+) (?<guest>[[:word:]]+)/))

  goals = [match[:a], match[:b]].map(&:to_i)
  teams[match[:home]].play(*goals)
  teams[match[:guest]].play(*goals.reverse)
end

table = teams.values.sort.reverse
table.each.with_index(1) { |team, place| puts "#{place}. #{team}" }
puts JSON.generate(table.to_h { |team| [team.name.downcase, team.points] })
puts "arguments: #{ARGV.inspect}"
