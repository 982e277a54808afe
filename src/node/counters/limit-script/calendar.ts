/** Kept: when the period that is counted began, how many, and when the key expires. */
export const periodCheck = `
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
