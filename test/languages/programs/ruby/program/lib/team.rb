class Team
  include Comparable
  attr_reader :name, :points, :shot, :taken

  def initialize(name)
    @name = name
    @points = @shot = @taken = 0
  end

  def play(shot, taken)
    @shot += shot
    @taken += taken
    @points += { 1 => 3, 0 => 1, -1 => 0 }.fetch(shot <=> taken)
  end

  def <=>(other)
    [points, shot - taken, shot, other.name] <=> [other.points, other.shot - other.taken, other.shot, name]
  end

  def to_s = format('%-6s %2d points %d:%d', name, points, shot, taken)
end
