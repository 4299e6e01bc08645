-- How one account stands, for showing; changes nothing.
--   KEYS[1] the state of reserve.lua; reply: units of the last second, in use, connections held, processes

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local now = clock() -- tests replace this line

local packed = redis.call('GET', KEYS[1])
if not packed then return { 0, 0, 0, 0 } end
local state = cmsgpack.unpack(packed)
local tenth, units, in_use, held, processes = math.floor(now / 100000), 0, 0, 0, 0
for cell, count in pairs(state.recent) do
  if cell >= tenth - 10 and cell < tenth then units = units + count end
end
for _, member in pairs(state.members) do
  if member.expires > now then
    in_use, held, processes = in_use + member.in_use, held + member.held, processes + 1
  end
end
return { units, in_use, held, processes }
