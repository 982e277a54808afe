import type { Reading } from './exchange.ts'

type Header = readonly [name: string, value: string]

const none: readonly Header[] = []

/**
 * The headers that tell a downstream about its limits, tightest first: `ratelimit-policy` (quota and window in seconds) and
 * `ratelimit` (what remains, and seconds until it is restored), both structured-field lists of strings with parameters
 * (draft-ietf-httpapi-ratelimit-headers section 3 and 4, RFC 9651). A reading made without the shared store carries the
 * parameter `sallyport-degraded`. Audit limits and readings without numbers are not announced; no readings, no headers.
 * Where the route sends them, `x-ratelimit-limit`, `-remaining` and `-reset` tell the same of the tightest limit alone: they have no place for more.
 */
export function rateLimitHeaders(readings: readonly Reading[]): readonly Header[] {
  const announced = readings.filter((reading) => reading.audit === undefined && reading.coarse === undefined)
  if (announced.length === 0) return none
  announced.sort(tightestFirst)
  return [['ratelimit-policy', announced.map(policyItem).join(', ')], ['ratelimit', announced.map(remainingItem).join(', ')], ...legacyHeaders(announced[0])]
}

function legacyHeaders(tightest: Reading | undefined): readonly Header[] {
  if (tightest?.legacyReset === undefined) return none
  return [
    ['x-ratelimit-limit', `${tightest.quota}`],
    ['x-ratelimit-remaining', `${tightest.remaining}`],
    ['x-ratelimit-reset', `${tightest.legacyReset}`],
  ]
}

/** Seconds until a moment `ms` away: rounded up, so that nobody comes too early. */
export function wholeSeconds(ms: number): number {
  return Math.max(0, Math.ceil(ms / 1000))
}

/** The smaller share left, then the longer wait. */
function tightestFirst(a: Reading, b: Reading): number {
  return a.remaining / a.quota - b.remaining / b.quota || b.resetMs - a.resetMs
}

function policyItem(reading: Reading): string {
  const policy = `${sfString(reading.limit)};q=${reading.quota}`
  // Places held at a time have no window, but a unit of their own.
  return reading.windowMs === 0 ? `${policy};qu="concurrent-requests"` : `${policy};w=${wholeSeconds(reading.windowMs)}`
}

function remainingItem(reading: Reading): string {
  const item = `${sfString(reading.limit)};r=${reading.remaining};t=${wholeSeconds(reading.resetMs)}`
  return reading.degraded ? `${item};sallyport-degraded` : item
}

/** What a structured-field string cannot hold as it is. */
const odd = /[^\x20-\x7e]|["\\]/

/** A structured-field string (RFC 9651 section 3.3.3): printable ASCII, quote and backslash escaped. */
function sfString(text: string): string {
  if (!odd.test(text)) return `"${text}"`
  return `"${text.replaceAll(/[^\x20-\x7e]/g, '?').replaceAll(/["\\]/g, '\\$&')}"`
}
