import type { Translated } from '../../model/exchange.ts'
import type { Fields } from '../../model/wire.ts'

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * The HTTP status that the service chose in the metadata of the route's `statusFrom`: 2xx, 304, or a redirect with the location that must be among the
 * headers by then. Anything else is left aside, with a remark in the record.
 */
export function chosenStatus(x: Translated, metadata: readonly (readonly [name: string, value: string])[], headers: Fields): number | undefined {
  const { statusFrom } = x.route.translate
  if (statusFrom === undefined) return undefined
  const [value, ...more] = metadata.filter(([name]) => name === statusFrom).map(([, said]) => said)
  if (value === undefined) return undefined
  const problem = more.length > 0 ? 'is given more than once' : problemOf(value, headers)
  if (problem === undefined) return Number(value)
  const shown = /^[\x20-\x7e]{0,16}$/.test(value) ? `"${value}" ` : ''
  Object.assign(x, { remark: `${statusFrom} ${shown}${problem}` })
  return undefined
}

function problemOf(value: string, headers: Fields): string | undefined {
  const status = Number(value)
  if (/^2\d\d$/.test(value) || status === 304) return undefined
  if (!/^3\d\d$/.test(value) || !redirects.has(status)) return 'is no status of a success or a redirect'
  return headers.has('location') ? undefined : 'has no location among responseHeaders'
}
