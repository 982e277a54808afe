import type { ReflectMessage } from '@bufbuild/protobuf/reflect'
import type { Steered } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import type { BindingPlan } from './plan.ts'
import { stepInto } from './step-into.ts'

/** One entity tag (RFC 9110 section 8.8.3). */
const entityTag = /^(?:W\/)?"[\x21\x23-\x7e]*"$/
const safe: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * The entity tag that a request names in If-Match (RFC 9110 section 13.1.1), as the route's services write it; undefined without one, for `*`, and for
 * requests that change nothing. @throws Fault `request_invalid` when it is no single tag, or when the RPC has no field for it: a precondition that
 * nobody checks must not pass for one that holds.
 */
export function ifMatchOf(x: Pick<Steered, 'request' | 'route'>, plan: BindingPlan): string | undefined {
  const { etag } = x.route.translate
  const said = x.request.headers.all('if-match')
  if (etag === undefined || etag === false || said.length === 0 || safe.has(x.request.method)) return undefined
  const tag = said.join(', ').trim()
  if (tag === '*') return undefined
  if (!entityTag.test(tag)) throw new Fault('request_invalid', 'If-Match must be one entity tag in quotes, or *')
  if (plan.etag === undefined) throw new Fault('request_invalid', 'this request takes no If-Match')
  // A weak tag never matches (section 8.8.3.2): the service gets it whole, and will not know it.
  return etag === 'bare' && tag.startsWith('"') ? tag.slice(1, -1) : tag
}

/** Puts it where the message has its field. @throws Fault `request_invalid` when body, path or query say another one */
export function bindIfMatch(plan: BindingPlan, target: ReflectMessage, tag: string): void {
  const leaf = plan.etag?.at(-1)
  if (plan.etag === undefined || leaf === undefined) return
  const parent = stepInto(target, plan.etag, (rival) => {
    throw new Fault('request_invalid', `the request sets "${rival.name}", which excludes the "etag" that If-Match names`)
  })
  const given = parent.get(leaf)
  if (given !== '' && given !== tag) throw new Fault('request_invalid', 'If-Match disagrees with "etag" of the request')
  parent.set(leaf, tag)
}
