import { placeWaitMs } from './algorithms/places.ts'
import { slidingGrains } from './algorithms/sliding.ts'
import { stockMs } from './stock.ts'

/** The clock of the store, which all instances share: a Lua expression for microseconds since the epoch. */
export const storeTime = `(function() local t = redis.call('TIME') return tonumber(t[1]) * 1000000 + tonumber(t[2]) end)()`

/** How many arguments a descriptor has. */
const argumentsEach = 7

/**
 * All limits of one request in one atomic step. KEYS: one per descriptor. ARGV: `take`, `charge`, `peek`, `give` or `renew`; then for each key its
 * algorithm, cost, points, window in microseconds, burst, a text (the bounds of three periods in milliseconds; the id of a lease), and how many
 * points more the instance would like to spend later. Answers 0 or the place of the first that refuses, then per key: 1 or 0 for fits, what remains,
 * milliseconds as `TakenReading.resetMs`, and how many points more it has.
 *
 * Points to be spent later count as spent at the last moment at which they may be: an even flow and a sliding window hold from then on, whenever
 * they are spent before. They are a quarter at most of what is left above half of the capacity, so near the limit there are none.
 *
 * `take` writes nothing unless all fit; `charge` writes whether they fit or not. `give` puts back what a take had; `renew` holds places for another window. Every key expires by itself.
 * Numbers are doubles: all are whole and below 2^53. The algorithms are those of the folder beside, line by line.
 */
export function limitScript(time: string = storeTime): string {
  return `
local now = ${time}
local mode = ARGV[1]
local stock = ${stockMs * 1000}

local function divide(a, b)
  local rest = math.fmod(a, b)
  return (a - rest) / b, rest
end
local function wait(us) return math.max(0, math.ceil(us / 1000)) end
local function whole(...) return string.format('%.0f %.0f', ...) end
local function pair(text)
  if not text then return nil end
  local a, b = string.match(text, '^(%d+) (%d+)$')
  return tonumber(a), tonumber(b)
end
local function spare(room, cost, capacity, more) return math.max(0, math.min(more, math.floor((room - cost - capacity / 2) / 4))) end
local function keep(key, value, us) redis.call('SET', key, value, 'PX', string.format('%.0f', wait(us) + 1)) end

local function even(key, cost, points, window, burst, text, wish)
  local function span(count)
    local each, rest = divide(window, points)
    local carry, part = divide(count * rest, points)
    return count * each + carry, part
  end
  local function plus(us, part, us2, part2)
    if part + part2 < points then return us + us2, part + part2 end
    return us + us2 + 1, part + part2 - points
  end
  local function within(us, part, us2, part2) return us < us2 or (us == us2 and part <= part2) end
  local fullUs, fullPart = span(burst)
  local raw = redis.call('GET', key)
  -- More was charged than the bucket holds: a third number says so.
  local owed = raw and string.match(raw, '^%d+ %d+ 1$') and ' 1' or ''
  local us, part = pair(raw and string.sub(raw, 1, #raw - #owed))
  local function most() return owed == '' and fullUs or fullUs + window end
  if not us or us < now then
    us, part, owed = 0, 0, ''
  else
    us, part = us - now, math.min(part, points - 1)
    if not within(us, part, most(), fullPart) then
      us, part = most(), fullPart
      if mode == 'take' then keep(key, whole(now + us, part) .. owed, us + 1) end
    end
  end
  local function room()
    local guess = math.floor((fullUs - us + (fullPart - part) / points) / window * points)
    for count = math.min(burst, guess + 1), 1, -1 do
      local u, p = span(count)
      u, p = plus(us, part, u, p)
      if within(u, p, fullUs, fullPart) then return count end
    end
    return 0
  end
  local function back() return wait(us + (part > 0 and 1 or 0)) end
  local remaining = room()
  local thenUs, thenPart = span(cost)
  thenUs, thenPart = plus(us, part, thenUs, thenPart)
  if mode == 'give' then
    local u, p = span(cost)
    us, part = us - u, part - p
    if part < 0 then us, part = us - 1, part + points end
    if us < 0 then redis.call('DEL', key) else keep(key, whole(now + us, part) .. owed, us) end
    return true, remaining, 0
  end
  if cost > remaining and mode ~= 'charge' then return false, remaining, wait(thenUs - fullUs + (thenPart > fullPart and 1 or 0)) end
  return true, remaining, back(), function()
    local more = spare(remaining, cost, burst, wish)
    if more > 0 and us < stock then
      local oldUs, oldPart = us, part
      us, part = stock, 0
      more = spare(room(), cost, burst, wish)
      if more == 0 then us, part = oldUs, oldPart end
    end
    us, part = plus(us, part, span(cost + more))
    owed = within(us, part, fullUs, fullPart) and '' or ' 1'
    if not within(us, part, most(), fullPart) then us, part = most(), fullPart end
    keep(key, whole(now + us, part) .. owed, us + 1)
    return room(), back(), more
  end
end

local function sliding(key, cost, points, window, burst, text, wish)
  local capacity = points + burst
  local raw = redis.call('GET', key)
  -- When the newest group began; then for each group, oldest first, when the last of it came, and how many.
  local log = raw and cmsgpack.unpack(raw) or { now }
  local newest = log[#log - 1] or now
  if #log > 1 and newest > now + stock then
    -- The clock went back, with a failover: nobody waits for it to catch up.
    for i = 2, #log, 2 do log[i] = log[i] - (newest - now) end
    log[1] = math.min(log[1], now)
    if mode == 'take' then keep(key, cmsgpack.pack(log), window) end
  end
  local first = 2
  while log[first] and log[first] <= now - window do first = first + 2 end
  local used = 0
  for i = first + 1, #log, 2 do used = used + log[i] end
  local remaining = math.max(0, capacity - used)
  if mode == 'give' then
    for i = #log, first + 1, -2 do
      local back = math.min(cost, log[i])
      log[i] = log[i] - back
      cost = cost - back
    end
    if raw then redis.call('SET', key, cmsgpack.pack(log), 'KEEPTTL') end
    return true, remaining, 0
  end
  if cost > remaining and mode ~= 'charge' then
    local left = used
    for i = first, #log, 2 do
      left = left - log[i + 1]
      if left <= capacity - cost then return false, remaining, wait(log[i] + window - now) end
    end
    return false, remaining, wait(window)
  end
  return true, remaining, used == 0 and 0 or wait(log[#log - 1] + window - now), function()
    local more = spare(remaining, cost, capacity, wish)
    -- Never before the newest, which may be of points that are spent later.
    local at = math.max(more > 0 and now + stock or now, used > 0 and newest or now)
    if used > 0 and now - log[1] < window / ${slidingGrains} then
      log[#log - 1] = at
      log[#log] = log[#log] + cost + more
    else
      log[1] = now
      log[#log + 1] = at
      log[#log + 1] = cost + more
    end
    local kept = { log[1] }
    for i = first, #log do kept[#kept + 1] = log[i] end
    keep(key, cmsgpack.pack(kept), at + window - now)
    return math.max(0, remaining - cost - more), wait(at + window - now), more
  end
end

local function calendar(key, cost, points, window, burst, text)
  local bounds = {}
  for each in string.gmatch(text, '%d+') do bounds[#bounds + 1] = tonumber(each) end
  -- An instance whose clock is off knows the periods around all the same; the store's own clock says which.
  local ms = math.floor(now / 1000)
  local from, to = bounds[1], bounds[2]
  for i = 2, #bounds - 1 do
    if ms >= bounds[i] then from, to = bounds[i], bounds[i + 1] end
  end
  local start, used = pair(redis.call('GET', key))
  if not start or start < from then start, used = from, 0 end
  local remaining = math.max(0, points - used)
  local left = math.max(1, to - ms)
  if mode == 'give' then
    if used > 0 then keep(key, whole(start, math.max(0, used - cost)), left * 1000) end
    return true, remaining, 0
  end
  if cost > remaining and mode ~= 'charge' then return false, remaining, left end
  return true, remaining, used == 0 and 0 or left, function()
    keep(key, whole(start, used + cost), left * 1000)
    return math.max(0, remaining - cost), left
  end
end

local function concurrency(key, cost, points, window, burst, id)
  local lasts = string.format('%.0f', now + window)
  local function hold()
    for i = 1, cost do redis.call('ZADD', key, lasts, id .. ':' .. i) end
    redis.call('PEXPIRE', key, string.format('%.0f', wait(window)))
  end
  if mode == 'give' then
    for i = 1, cost do redis.call('ZREM', key, id .. ':' .. i) end
    return true, 0, 0
  end
  if mode == 'renew' then
    hold()
    return true, 0, 0
  end
  local used = redis.call('ZCOUNT', key, string.format('(%.0f', now), '+inf')
  local remaining = math.max(0, points - used)
  if mode == 'charge' then return true, remaining, 0 end
  if cost > remaining then return false, remaining, ${placeWaitMs} end
  return true, remaining, 0, function()
    redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now))
    hold()
    return remaining - cost, 0
  end
end

local algorithms = { gcra = even, sliding = sliding, calendar = calendar, concurrency = concurrency }
local answer = { 0 }
local commits = {}
for i, key in ipairs(KEYS) do
  local at = 2 + (i - 1) * ${argumentsEach}
  local fits, remaining, reset, commit = algorithms[ARGV[at]](key, tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), ARGV[at + 5], tonumber(ARGV[at + 6]))
  commits[i] = commit
  answer[4 * i - 2], answer[4 * i - 1], answer[4 * i], answer[4 * i + 1] = fits and 1 or 0, remaining, reset, 0
  if not fits and answer[1] == 0 then answer[1] = i end
end
if mode == 'charge' or mode == 'take' and answer[1] == 0 then
  for i, commit in pairs(commits) do
    local remaining, reset, more = commit()
    answer[4 * i - 1], answer[4 * i], answer[4 * i + 1] = remaining, reset, more or 0
  end
end
return answer
`
}
