/**
 * An even flow. Kept: when all that was taken will have flowed off, as whole microseconds and parts of one, each `1 / points` of it, which are here
 * counted in parts alone. Where more was charged than fits, so that some is owed, the parts are kept as `-1 - parts`.
 */
export const flowCheck = `
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

/** Takes what `flowCheck` found to fit, or what is charged anyway. */
export const flowTake = `
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
export const wideFlow = `
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
