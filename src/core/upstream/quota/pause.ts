import type { Fields } from '../../model/wire.ts'
import { parseHttpDate } from '../http-date.ts'

/** A vendor that asks for more is not obeyed in that: a mistake of theirs would stop all calls for good. Milliseconds. */
const longestMs = 3_600_000
/** What 429 without a time means. */
const plainMs = 1_000

/**
 * For how long a vendor wants to be left alone, milliseconds; undefined when it does not. `Retry-After` of 429 and 503 (RFC 9110 section 10.2.3);
 * on any answer `RateLimit` (draft-ietf-httpapi-ratelimit-headers) or its forerunners, when they say that nothing is left. `now`: wall time.
 */
export function pauseOf(status: number, headers: Fields, now: number): number | undefined {
  const retry = status === 429 || status === 503 ? retryAfterMs(headers.get('retry-after'), now) : undefined
  const found = [retry, structuredMs(headers), plainHeadersMs(headers, now)].filter((ms) => ms !== undefined)
  if (found.length === 0) return status === 429 ? plainMs : undefined
  return Math.min(longestMs, Math.max(...found))
}

function retryAfterMs(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  const date = parseHttpDate(text)
  return date === undefined ? undefined : Math.max(0, date - now)
}

/** `RateLimit: "default";r=0;t=30`; of several policies the longest counts that has nothing left. */
function structuredMs(headers: Fields): number | undefined {
  const items = headers.all('ratelimit').flatMap((value) => value.split(','))
  const waits = items.flatMap((item) => {
    const [left, seconds] = [/;\s*r=(\d{1,15})/.exec(item)?.[1], /;\s*t=(\d{1,9})/.exec(item)?.[1]]
    return left !== undefined && Number(left) === 0 && seconds !== undefined ? [Number(seconds) * 1_000] : []
  })
  return waits.length === 0 ? undefined : Math.max(...waits)
}

const families = ['ratelimit', 'x-ratelimit', 'x-rate-limit'] as const

/** `X-RateLimit-Remaining: 0` with a reset in seconds, from now or since the epoch (in milliseconds since the epoch, too). */
function plainHeadersMs(headers: Fields, now: number): number | undefined {
  for (const family of families) {
    const left = headers.get(`${family}-remaining`)
    const reset = headers.get(`${family}-reset`)
    if (left === undefined || Number(left) !== 0 || left.trim() === '' || reset === undefined || !/^\d{1,13}(?:\.\d+)?$/.test(reset)) continue
    const value = Number(reset)
    if (value > 100_000_000_000) return Math.max(0, value - now)
    return Math.max(0, value > 1_000_000_000 ? value * 1_000 - now : value * 1_000)
  }
  return undefined
}
