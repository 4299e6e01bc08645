-- Reserve departures and connections of one account in one step, by the clock of this Redis. Times are whole
-- microseconds, which a double holds exactly. One value holds all that is known of the account, so nothing of
-- it is lost alone; it never expires, since what is missing costs a pause.
--   KEYS[1] the state; ARGV[1] the call as JSON, see call.py
--   reply: reason, now, next_in, wait, connections, begun, departure, departure, ...

local FORMAT = 1 -- of the state; to be raised with any change of what it holds
local CELLS = 120
local PAUSE = 50000 -- before the next call of a process that waits for what others do
local PATIENCE = 500000 -- a process that went short is expected back so soon after its wait
local STAY = 2000000 -- urgent work that waits longer gives its lease back; the ledger says when it is back
local TURN = 1000000 -- so long a process keeps what others wait for
local UNUSED = 3600000000 -- a window that no limit named for so long is counted no more

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function run_id()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end

local now, run = clock(), run_id() -- tests replace this line

local ask = cjson.decode(ARGV[1])
local packed = redis.call('GET', KEYS[1])
local state = packed and cmsgpack.unpack(packed)

-- Begin anew where nothing is known, it may be too old (another server, or its clock was set back) or another
-- version of this script wrote it.
if not state or state.format ~= FORMAT or state.run ~= run or now < state.now then
  state = { format = FORMAT, run = run, begun = now, last = 0, owed = 0, level = 0 }
  for _, name in ipairs({ 'recent', 'windows', 'members', 'urgent' }) do state[name] = {} end
end
state.now = now

-- Connections are leases: a killed process stops restating them. The share that others want stays free for
-- them; who uses more than is left for it gets nothing until it has shrunk. Where there are fewer than callers
-- they go round: who has had some for a second, or has none, leaves one to each that waits, or takes a last one
-- that nobody waits for whose turn was before.
local others, free = {}, ask.connections
local me = state.members[ask.process] or { served = 0, waits = 0, held = 0, turn = 0 }
state.members[ask.process] = nil
for name, member in pairs(state.members) do
  if member.expires > now then others[#others + 1] = member else state.members[name] = nil end
end
local share, waiting, ahead = math.floor(ask.connections / (#others + 1)), 0, 0
for _, other in ipairs(others) do
  free = free - math.max(other.held, math.min(other.wants, share))
  if other.held == 0 and other.expires > now + ask.lease - PATIENCE then -- it has called just now
    waiting, ahead = waiting + 1, ahead + (other.turn < me.turn and 1 or 0)
  end
end
if share == 0 and (me.held == 0 or now >= me.turn + TURN) then
  free = math.max(free - waiting, math.min(1, free - ahead))
end
local used, wants = math.min(ask.in_use, ask.holds), ask.in_use + #ask.costs
local held = math.max(used, math.min(wants, free))
local room = used > math.min(wants, free) and 0 or ask.depth * held - ask.in_use

local function add(cells, length, at, units)
  local cell = math.floor(at / length)
  cells[cell] = (cells[cell] or 0) + units
end

-- After a beginning, or when a window is new, wait until all that was reserved before has left or was given
-- up: then the ledger knows it, and the first history that comes counts.
for _, window in ipairs(ask.windows) do
  local count = state.windows[window.length]
  if not count then count, state.begun = { cells = {} }, now end
  state.windows[window.length], count.named = count, now
end
local ready, reason = state.begun + ask.fresh, nil
for _, window in ipairs(now < ready and {} or ask.windows) do
  local count = state.windows[window.length]
  for _, past in ipairs(not count.filled and window.past or {}) do
    add(count.cells, window.length, now - past[1], past[2])
  end
  count.filled = count.filled or window.past ~= nil
  if not count.filled then reason = 'history' end
end
for _, unused in ipairs(ask.begun == state.begun and ask.unused or {}) do -- counted here, and nothing left
  for length, count in pairs(state.windows) do
    local cell = math.floor(unused[1] / length)
    if count.cells[cell] then count.cells[cell] = math.max(0, count.cells[cell] - unused[2]) end
  end
end
if not state.calm and ask.last and now >= ready then -- may a request of before be under way?
  state.calm = ask.last >= 0 and ask.last < ask.deadline + 1000000 and ready + ask.deadline or 0
end
if not state.calm then reason = 'history' end
if now < ready then reason = 'new' end
if not state.calm or now < state.calm then held, room = used, ask.depth * used - ask.in_use end
if ask.exchange then room = #ask.costs end -- they have their connections

-- Urgent work goes first. Its flag outlives a release, for the work waits on.
for name, ends in pairs(state.urgent) do
  if ends <= now then state.urgent[name] = nil elseif not ask.first then reason = reason or 'urgent' end
end

-- Turns: of those who wait the least served is first; who was away begins level with who is served now.
local least = math.huge
for _, other in ipairs(others) do
  if other.waits > now then least = math.min(least, other.served) end
end
if me.waits <= now then me.served = math.max(me.served, state.level) end
local yields = me.served > least and not ask.first

-- For a departure count the cells of a window from 120 before its own on, later ones included.
for length, count in pairs(state.windows) do
  count.first, count.units = math.floor(now / length) - CELLS, 0
  for cell, units in pairs(count.cells) do
    if cell < count.first then count.cells[cell] = nil else count.units = count.units + units end
  end
  if count.named < now - UNUSED then state.windows[length] = nil end
end

local function fits_from(at, window, cost)
  local count, first = state.windows[window.length], math.floor(at / window.length) - CELLS
  while count.first < first or count.units + cost > window.amount do
    count.units = count.units - (count.cells[count.first] or 0)
    count.first = count.first + 1
  end
  return math.max(at, (count.first + CELLS) * window.length)
end

-- GCRA without burst: what was missed is not made up for.
local departures, due = {}, now + ask.lead
if ask.interval > 0 then due = math.max(due, state.last + state.owed * ask.interval) end -- at the rate of now
for i, cost in ipairs(reason and {} or ask.costs) do
  local departure = due
  for _, window in ipairs(ask.windows) do departure = fits_from(departure, window, cost) end
  if i > room then
    reason = 'connections'
  elseif departure > now + ask.reach then
    reason = departure > due and 'window' or 'rate'
  elseif i == 1 and yields and departure > now + ask.lead + ask.reach / 4 then -- while it costs no departure
    reason = 'turn'
  end
  due = departure
  if reason then break end
  departures[i], due = departure, departure + cost * ask.interval
  for length, count in pairs(state.windows) do
    add(count.cells, length, departure, cost)
    count.units = count.units + cost
  end
  add(state.recent, 100000, departure, cost)
  if departure >= state.last then state.last, state.owed = departure, cost end
  state.level, me.served = me.served, me.served + cost
end

local waits = { none = 0, history = 0, new = ready - now, urgent = PAUSE, connections = PAUSE, turn = ask.reach / 4 }
local wait = math.floor(waits[reason or 'none'] or math.max(0, due - now - ask.lead - ask.reach / 2))
local patience = now + math.min(wait, ask.lease) + PATIENCE
if ask.urgent and #ask.costs > 0 then
  state.urgent[ask.process] = reason and math.min(patience, now + STAY + PATIENCE)
end
if not reason then patience = now + ask.lead + PAUSE end -- it may want more after its commit
me.waits = #ask.costs > 0 and reason ~= 'connections' and patience or 0
held = math.max(used, math.min(held, ask.in_use + #departures)) -- more would carry nothing
if me.held == 0 and held > 0 then me.turn = now end
me.in_use, me.held, me.wants, me.expires = ask.in_use, held, wants, now + ask.lease
if wants > 0 and not ask.exchange then state.members[ask.process] = me end
for tenth in pairs(state.recent) do
  if tenth < math.floor(now / 100000) - 10 then state.recent[tenth] = nil end
end

redis.call('SET', KEYS[1], cmsgpack.pack(state))
return { reason or 'none', now, math.max(wait, due - now), wait, held, state.begun, unpack(departures) }
