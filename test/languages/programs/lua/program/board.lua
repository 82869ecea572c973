local Board = {}
Board.__index = Board

function Board.new(width, height)
  return setmetatable({ width = width, height = height, cells = {} }, Board)
end

function Board.parse(text)
  local rows = {}
  for row in text:gmatch("[^\n]+") do rows[#rows + 1] = row end
  local board = Board.new(#rows[1], #rows)
  for y, row in ipairs(rows) do
    for x in row:gmatch("()#") do board.cells[(y - 1) * board.width + x - 1] = true end
  end
  return board
end

function Board:at(x, y)
  return self.cells[(y % self.height) * self.width + x % self.width] or false
end

function Board:neighbours(x, y)
  local count = 0
  for dx = -1, 1 do
    for dy = -1, 1 do
      if (dx ~= 0 or dy ~= 0) and self:at(x + dx, y + dy) then count = count + 1 end
    end
  end
  return count
end

function Board:next()
  local after = Board.new(self.width, self.height)
  for y = 0, self.height - 1 do
    for x = 0, self.width - 1 do
      local count = self:neighbours(x, y)
      after.cells[y * self.width + x] = count == 3 or (count == 2 and self:at(x, y)) or nil
    end
  end
  return after
end

function Board:alive()
  local count = 0
  for _ in pairs(self.cells) do count = count + 1 end
  return count
end

function Board:__tostring()
  local rows = {}
  for y = 0, self.height - 1 do
    local row = {}
    for x = 0, self.width - 1 do row[#row + 1] = self:at(x, y) and "#" or "." end
    rows[#rows + 1] = table.concat(row)
  end
  return table.concat(rows, "\n")
end

return Board
