import { placeWaitMs } from './algorithms/places.ts'
import { slidingGrains } from './algorithms/sliding.ts'
import { periodCheck } from './limit-script/calendar.ts'
import { flowCheck, flowTake, wideFlow } from './limit-script/gcra.ts'
import { heldPlaces } from './limit-script/places.ts'
import { log, logCheck, logTake } from './limit-script/sliding.ts'
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
 * read and written once however often it is named. Numbers are doubles: all are whole and below 2^53. Each algorithm is a file of the folder beside, and the same as its namesake in algorithms/.
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
