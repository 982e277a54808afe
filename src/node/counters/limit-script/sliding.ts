/**
 * A log of groups. Kept: when the newest began, what all hold together, when the last of the newest came, how many it holds, and when the key expires;
 * then the last and the number of each older one, oldest first: from `at` on in `older`. `changed`: these are not what is stored any more.
 */
export const logCheck = `
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

/** Takes what `logCheck` found to fit, or what is charged anyway. */
export const logTake = `
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

/** What checking and taking from a log calls where that is rare. */
export const log = `
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
