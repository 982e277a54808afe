import { placeWaitMs } from './algorithms/places.ts'
import { slidingGrains } from './algorithms/sliding.ts'
import { stockMs } from './stock.ts'

/** The clock of the store, which all instances share: a Lua expression for microseconds since the epoch. */
export const storeTime = `(function() local t = redis.call('TIME') return tonumber(t[1]) * 1000000 + tonumber(t[2]) end)()`

/**
 * Decides requests one after the other, all in one atomic step, and all limits of each together. KEYS: of all descriptors, in order. ARGV[1], JSON:
 *
 * - the limits, each as its algorithm, points, window in microseconds, burst, and for `calendar` the bounds of three periods in milliseconds;
 * - the kinds of requests, each as `take`, `charge`, `peek`, `give` or `renew`, the id of a lease or nothing, then for each descriptor which limit (from 1), the
 *   cost, and how many points more the instance would like to spend later;
 * - the requests, each as its kind (from 1). Many at once are mostly of one kind.
 *
 * Answers for each descriptor of a `take`, `charge` or `peek`, in one list: what remains, or `-1 - remaining` where the cost does not fit; milliseconds as
 * `TakenReading.resetMs`; and where more was wanted, how many points more it has.
 *
 * Points to be spent later count as spent at the last moment at which they may be: an even flow and a sliding window hold from then on, whenever
 * they are spent before. They are a quarter at most of what is left above half of the capacity, so near the limit there are none.
 *
 * `take` takes nothing unless all fit; `charge` takes whether they fit or not. `give` puts back what a take had; `renew` holds places for another window. Every key expires by itself, and is
 * read and written once however often it is named. Numbers are doubles: all are whole and below 2^53. The algorithms are those of the folder beside.
 *
 * It is one straight line on purpose: Lua makes every function and table anew with each call, and a call inside costs as much as what these do.
 */
export function limitScript(time: string = storeTime): string {
  return `
local now = ${time}
local floor, ceil, pack, read, call = math.floor, math.ceil, struct.pack, struct.unpack, redis.call
local batch = cjson.decode(ARGV[1])
local limits, kinds = batch[1], batch[2]
local raws = #KEYS > 0 and call('MGET', unpack(KEYS))
local stock = ${stockMs * 1000}
local states, written = {}, {}

local function wait(us) return us > 0 and ceil(us / 1000) or 0 end
local function spare(room, cost, capacity, wish)
  local more = floor((room - cost - capacity / 2) / 4)
  if more > wish then return wish end
  return more > 0 and more or 0
end
-- To be written, and to last so long at least. \`upto\` is when it expires: a key that comes again is given some time more, for an expiry costs as much as the rest.
local function touch(state, us, limit)
  if not state.lasts then
    written[#written + 1] = state
    state.lasts = 0
  end
  if now + us <= state.upto then return end
  if state.upto > 0 then us = us + limit.slack end
  if us < limit.least then us = limit.least end
  state.lasts, state.upto = us, now + us
end
${wideFlow}
${log}
${heldPlaces}
for _, limit in ipairs(limits) do
  local kind, points, window, burst = limit[1], limit[2], limit[3], limit[4]
  limit.kind, limit.points, limit.window, limit.burst = kind, points, window, burst
  limit.slack, limit.least = ceil(window / ${slidingGrains}), math.min(window, 5000000)
  if kind == 'gcra' then
    limit.full = burst * window
    limit.wide = limit.full >= 2^52 or stock * points >= 2^52
  elseif kind == 'sliding' then
    limit.capacity, limit.grain = points + burst, window / ${slidingGrains}
  elseif kind == 'calendar' then
    -- An instance whose clock is off knows the periods around all the same; the store's own clock says which.
    local ms = floor(now / 1000)
    limit.from, limit.to = limit[5], limit[6]
    for i = 6, #limit - 1 do
      if ms >= limit[i] then limit.from, limit.to = limit[i], limit[i + 1] end
    end
    limit.left, limit.slack = math.max(1, limit.to - ms), 0
  end
end

local answer, size, place = {}, 0, 0
for _, which in ipairs(batch[3]) do
  local asked = kinds[which]
  local mode, id = asked[1], asked[2]
  local first, begun, refused = place, size, false
  for at = 3, #asked, 3 do
    place = place + 1
    local key, limit, cost = KEYS[place], limits[asked[at]], asked[at + 1]
    local kind, points, window = limit.kind, limit.points, limit.window
    local state = states[key]
    local remaining, reset
    if kind == 'gcra' then
${indent(flowCheck)}
    elseif kind == 'sliding' then
${indent(logCheck)}
    elseif kind == 'calendar' then
${indent(periodCheck)}
    elseif mode == 'give' or mode == 'renew' then
      hold(mode, key, window, cost, id)
    else
      remaining = math.max(0, points - call('ZCOUNT', key, string.format('(%.0f', now), '+inf'))
      reset = cost > remaining and ${placeWaitMs} or 0
    end
    if remaining then
      if mode ~= 'charge' and cost > remaining then remaining, refused = -1 - remaining, true end
      answer[size + 1], answer[size + 2] = remaining, reset
      size = size + 2
      if asked[at + 2] > 0 then
        size = size + 1
        answer[size] = 0
      end
    end
  end
  if mode == 'charge' or mode == 'take' and not refused then
    place, size = first, begun
    for at = 3, #asked, 3 do
      place = place + 1
      local key, limit, cost, wish = KEYS[place], limits[asked[at]], asked[at + 1], asked[at + 2]
      local kind, points, window = limit.kind, limit.points, limit.window
      local state, remaining, reset, more = states[key], answer[size + 1], 0, 0
      if kind == 'gcra' then
${indent(indent(flowTake))}
      elseif kind == 'sliding' then
${indent(indent(logTake))}
      elseif kind == 'calendar' then
        state.used, remaining, reset = state.used + cost, math.max(0, remaining - cost), limit.left
        touch(state, (limit.to + 1) * 1000 - now, limit)
      elseif mode == 'take' then
        call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now))
        hold(mode, key, window, cost, id)
        remaining = remaining - cost
      end
      answer[size + 1], answer[size + 2] = remaining, reset
      size = size + 2
      if wish > 0 then
        size = size + 1
        answer[size] = more
      end
    end
  end
end

local function keep(key, value, us) call('PSETEX', key, string.format('%.0f', wait(us) + 1), value) end
for _, state in ipairs(written) do
  local kind, key, value, rest = state.kind, state.key, nil, ''
  if kind == 'gcra' then
    value = pack('>ddd', state.us, state.part, state.upto)
  elseif kind == 'calendar' then
    value = pack('>ddd', state.from, state.used, state.upto)
  else
    value = pack('>ddddd', state.began, state.used, state.last, state.count, state.upto)
    if state.changed then rest = string.sub(state.older, state.at) end
  end
  if state.lasts == 0 and state.stored and not state.changed then call('SETRANGE', key, '0', value)
  else keep(key, value .. rest, state.upto - now) end
end
return answer
`
}

function indent(code: string): string {
  return code.replaceAll(/^(?=.)/gm, '  ')
}

/**
 * An even flow. Kept: when all that was taken will have flowed off, as whole microseconds and parts of one, each `1 / points` of it, which are here
 * counted in parts alone. Where more was charged than fits, so that some is owed, the parts are kept as `-1 - parts`.
 */
const flowCheck = `
    if not state then
      local us, part, upto = 0, 0, 0
      local raw = raws[place]
      local stored = raw and #raw == 24
      if stored then us, part, upto = read('>ddd', raw) end
      state = { key = key, kind = kind, stored = stored, us = us, part = part, upto = upto, waiting = 0, lasts = false }
      states[key] = state
    end
    if limit.wide or cost > limit.burst or state.part < 0 or mode == 'give' then
      remaining, reset = wide(mode, limit, state, cost)
    else
      local waiting, full = 0, limit.full
      if state.us >= now then
        local part = state.part
        waiting = (state.us - now) * points + (part < points and part or points - 1)
        if waiting > full then
          wide(mode, limit, state, cost)
          waiting = full
        end
      end
      state.waiting = waiting
      remaining = floor((full - waiting) / window)
      if cost > remaining then waiting = waiting + cost * window - full end
      reset = waiting > 0 and ceil(ceil(waiting / points) / 1000) or 0
    end`

const flowTake = `
    if limit.wide or state.part < 0 or mode == 'charge' then
      remaining, reset, more = wide(mode, limit, state, cost, remaining, wish)
    else
      local waiting, full = state.waiting, limit.full
      if wish > 0 then
        more = spare(remaining, cost, limit.burst, wish)
        if more > 0 and waiting < stock * points then
          more = spare(math.max(0, floor((full - stock * points) / window)), cost, limit.burst, wish)
          if more > 0 then waiting = stock * points end
        end
      end
      waiting = waiting + (cost + more) * window
      local us = floor(waiting / points)
      state.us, state.part = now + us, waiting - us * points
      remaining, reset = floor((full - waiting) / window), ceil(ceil(waiting / points) / 1000)
      touch(state, us + 1, limit)
    end`

/** The same where parts alone would be too many for a double: in both. Also what is rare: giving back, what is charged, and a backlog that is more than fits. */
const wideFlow = `
local function wide(mode, limit, state, cost, took, wish)
  local points, window, burst = limit.points, limit.window, limit.burst
  local rest = math.fmod(window, points)
  local function span(count)
    local part = math.fmod(count * rest, points)
    return count * ((window - rest) / points) + (count * rest - part) / points, part
  end
  local function sum(us, part, us2, part2)
    if part + part2 < points then return us + us2, part + part2 end
    return us + us2 + 1, part + part2 - points
  end
  local function within(us, part, us2, part2) return us < us2 or (us == us2 and part <= part2) end
  local fullUs, fullPart = span(burst)
  local function room(us, part)
    local guess = floor((fullUs - us + (fullPart - part) / points) / window * points)
    for count = math.min(burst, guess + 1), 1, -1 do
      local u, p = span(count)
      u, p = sum(us, part, u, p)
      if within(u, p, fullUs, fullPart) then return count end
    end
    return 0
  end
  local us, part = 0, 0
  local owed = state.part < 0
  local function store()
    state.us, state.part = now + us, owed and -1 - part or part
  end
  if state.us >= now then
    us, part = state.us - now, math.min(owed and -1 - state.part or state.part, points - 1)
    local mostUs = owed and fullUs + window or fullUs
    if not within(us, part, mostUs, fullPart) then
      us, part = mostUs, fullPart
      if mode == 'take' then
        store()
        touch(state, us + 1, limit)
      end
    end
  end
  if mode == 'give' then
    local u, p = span(cost)
    us, part = us - u, part - p
    if part < 0 then us, part = us - 1, part + points end
    if us < 0 then us, part = 0, 0 end
    store()
    touch(state, us, limit)
    return
  end
  local remaining = took or room(us, part)
  local more = 0
  if took then
    more = spare(took, cost, burst, wish)
    if more > 0 and us < stock then
      more = spare(room(stock, 0), cost, burst, wish)
      if more > 0 then us, part = stock, 0 end
    end
    us, part = sum(us, part, span(cost + more))
    owed = not within(us, part, fullUs, fullPart)
    if owed and not within(us, part, fullUs + window, fullPart) then us, part = fullUs + window, fullPart end
    store()
    touch(state, us + 1, limit)
    remaining = room(us, part)
  elseif cost > remaining then
    local thenUs, thenPart = span(cost)
    thenUs, thenPart = sum(us, part, thenUs, thenPart)
    return remaining, wait(thenUs - fullUs + (thenPart > fullPart and 1 or 0))
  end
  return remaining, wait(part > 0 and us + 1 or us), more
end`

/**
 * A log of groups. Kept: when the newest began, what all hold together, when the last of the newest came, how many it holds, and when the key expires;
 * then the last and the number of each older one, oldest first: from `at` on in `older`. `changed`: these are not what is stored any more.
 */
const logCheck = `
    if not state then
      local began, used, last, count, upto = 0, 0, 0, 0, 0
      local raw = raws[place]
      local stored = raw and #raw >= 40 and #raw % 16 == 8
      if stored then began, used, last, count, upto = read('>ddddd', raw) end
      state = { key = key, kind = kind, stored = stored, changed = false, began = began, used = used, last = last, count = count, upto = upto, older = raw, at = 41, lasts = false }
      states[key] = state
    end
    if mode == 'give' then
      giveToLog(limit, state, cost)
    else
      local used, capacity, before = state.used, limit.capacity, now - window
      if used > 0 then
        if state.last > now + stock then
          catchUp(state)
          if mode == 'take' then touch(state, window, limit) end
        end
        if state.last <= before then
          used = 0
        else
          local older, at = state.older, state.at
          while at < #older do
            local last, count = read('>dd', older, at)
            if last > before then break end
            used, at, state.changed = used - count, at + 16, true
          end
          state.at = at
        end
        state.used = used
      end
      remaining = used < capacity and capacity - used or 0
      if cost <= remaining then
        reset = used == 0 and 0 or ceil((state.last + window - now) / 1000)
      else
        reset = wait(used > 0 and cost <= capacity and lastInTheWay(state, capacity - cost) + window - now or window)
      end
    end`

const logTake = `
    local at = now
    if wish > 0 then
      more = spare(remaining, cost, limit.capacity, wish)
      if more > 0 then at = now + stock end
    end
    if state.used == 0 then
      state.older, state.at, state.began, state.count, state.changed = '', 1, now, 0, true
    else
      -- Never before the newest, which may be of points that are spent later.
      if state.last > at then at = state.last end
      if now - state.began >= limit.grain then
        state.older, state.at, state.changed = string.sub(state.older, state.at) .. pack('>dd', state.last, state.count), 1, true
        state.began, state.count = now, 0
      end
    end
    state.last, state.count, state.used = at, state.count + cost + more, state.used + cost + more
    remaining, reset = math.max(0, remaining - cost - more), ceil((at + window - now) / 1000)
    touch(state, at + window - now, limit)`

const log = `
-- The clock went back, with a failover: nobody waits for it to catch up.
local function catchUp(state)
  local by, moved = state.last - now, {}
  for at = state.at, #state.older, 16 do
    local last, count = read('>dd', state.older, at)
    moved[#moved + 1] = pack('>dd', last - by, count)
  end
  state.older, state.at, state.changed, state.last, state.began = table.concat(moved), 1, true, now, math.min(state.began, now)
end
local function lastInTheWay(state, most)
  local left = state.used
  for at = state.at, #state.older, 16 do
    local last, count = read('>dd', state.older, at)
    left = left - count
    if left <= most then return last end
  end
  return state.last
end
local function giveToLog(limit, state, cost)
  if state.used == 0 then return end
  local back = math.min(cost, state.count)
  state.count, state.used, cost = state.count - back, state.used - back, cost - back
  local older = string.sub(state.older, state.at)
  for at = #older - 15, 1, -16 do
    if cost == 0 then break end
    local last, count = read('>dd', older, at)
    back = math.min(cost, count)
    state.used, cost = state.used - back, cost - back
    older = string.sub(older, 1, at - 1) .. pack('>dd', last, count - back) .. string.sub(older, at + 16)
  end
  state.older, state.at, state.changed = older, 1, true
  touch(state, 0, limit)
end`

/** Kept: when the period that is counted began, how many, and when the key expires. */
const periodCheck = `
    if not state then
      local from, used, upto = 0, 0, 0
      local raw = raws[place]
      local stored = raw and #raw == 24
      if stored then from, used, upto = read('>ddd', raw) end
      state = { key = key, kind = kind, stored = stored, from = from, used = used, upto = upto, lasts = false }
      states[key] = state
    end
    local used = state.used
    if state.from < limit.from then state.from, state.used, used = limit.from, 0, 0 end
    if mode == 'give' then
      if used > 0 then
        state.used = used - math.min(used, cost)
        touch(state, (limit.to + 1) * 1000 - now, limit)
      end
    else
      remaining = used < points and points - used or 0
      reset = used == 0 and cost <= remaining and 0 or limit.left
    end`

const heldPlaces = `
local function hold(mode, key, window, cost, id)
  if mode == 'give' then
    for i = 1, cost do call('ZREM', key, id .. ':' .. i) end
  else
    local lasts = string.format('%.0f', now + window)
    for i = 1, cost do call('ZADD', key, lasts, id .. ':' .. i) end
    call('PEXPIRE', key, wait(window))
  end
end`
