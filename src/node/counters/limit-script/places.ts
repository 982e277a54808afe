/** Places that leases hold, in a sorted set by when each expires. */
export const heldPlaces = `
local function hold(mode, key, window, cost, id)
  if mode == 'give' then
    for i = 1, cost do call('ZREM', key, id .. ':' .. i) end
  else
    local lasts = string.format('%.0f', now + window)
    for i = 1, cost do call('ZADD', key, lasts, id .. ':' .. i) end
    call('PEXPIRE', key, wait(window))
  end
end`
