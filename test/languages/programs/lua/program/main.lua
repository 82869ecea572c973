-- The game of life: a board on stdin, after so many generations.
local Board = require("board")

local generations = tonumber(arg[1]) or 1
local board = Board.parse(io.read("a"))

local function ages(start, n)
  return coroutine.wrap(function()
    local current = start
    for age = 1, n do
      current = current:next()
      coroutine.yield(age, current)
    end
  end)
end

print("start: " .. board:alive())
for age, current in ages(board, generations) do
  print(("generation %d: %d"):format(age, current:alive()))
  board = current
end
print(board)
