import type { StreamForm } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import type { Fields } from '../../model/wire.ts'
import { mediaTypeOf } from './media.ts'

/** What a stream of messages can be written as, the one we like best first. */
const offered: readonly [StreamForm, ...StreamForm[]] = [
  { kind: 'ndjson', type: 'application/x-ndjson' },
  { kind: 'ndjson', type: 'application/jsonl' },
  { kind: 'sse', type: 'text/event-stream' },
  { kind: 'array', type: 'application/json' },
]

const weight = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

/**
 * The form of a streamed answer that the downstream likes best (RFC 9110 section 12.5.1): the greatest `q` decides, then what is named
 * rather than covered by a wildcard, then our own order. Without `Accept` it is newline-delimited JSON.
 * @throws Fault `not_acceptable` when none fits
 */
export function chooseStreamForm(headers: Fields): StreamForm {
  const ranges = headers
    .all('accept')
    .flatMap((value) => value.split(','))
    .filter((range) => range.trim() !== '')
  if (ranges.length === 0) return offered[0]
  let best: { readonly form: StreamForm; readonly q: number; readonly nearness: number } | undefined
  for (const form of offered) {
    const { q, nearness } = likingOf(form.type, ranges)
    if (q > 0 && (best === undefined || q > best.q || (q === best.q && nearness > best.nearness))) best = { form, q, nearness }
  }
  if (best !== undefined) return best.form
  const names = offered.map(({ type }) => type).join(', ')
  throw new Fault('not_acceptable', `this RPC answers with a stream: accept one of ${names}`)
}

/** The nearest range counts, not the most generous one: a type that is named with q=0 is refused though a wildcard takes the rest. */
function likingOf(type: string, ranges: readonly string[]): { readonly q: number; readonly nearness: number } {
  let liking = { q: 0, nearness: -1 }
  for (const range of ranges) {
    const media = mediaTypeOf(range)
    const q = media?.parameters.get('q') ?? '1'
    if (media === undefined || !weight.test(q)) continue
    const nearness = nearnessOf(media.essence, type)
    if (nearness > liking.nearness || (nearness === liking.nearness && Number(q) > liking.q)) liking = { q: Number(q), nearness }
  }
  return liking
}

/** 2 for the type itself, 1 for its family, 0 for anything; -2 when the range does not cover it. */
function nearnessOf(range: string, type: string): number {
  if (range === type) return 2
  if (range === '*/*') return 0
  return range.endsWith('/*') && type.startsWith(range.slice(0, -1)) ? 1 : -2
}
