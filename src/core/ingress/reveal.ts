import { isDebugToken, readDebugKey } from '../debug-token.ts'
import type { Arrived, Translated } from '../model/exchange.ts'
import type { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import type { Outbound } from '../model/wire.ts'
import { isoTime } from '../observe/time.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'

/** Adds `x-sallyport-decision` to the answer of a request with a debug grant. Never rejects, and changes nothing for others. */
export type Reveal = (last: Arrived & Partial<Translated>, answer: Outbound, fault?: Fault) => Outbound | Promise<Outbound>

const header = 'x-sallyport-debug'

/**
 * Builds the room that tells an operator how a request was decided: a request that brings a debug token of the key that the policies name.
 * `receive` has taken the token away before anything was decided, so that no rule, limit or upstream can depend on it.
 */
export function buildReveal(policy: Policy, ports: Pick<Ports, 'clock' | 'secrets'>): Reveal {
  const { key } = policy.debug
  if (key === undefined) return (_, answer) => answer
  let known: { readonly text: string; readonly key: ReturnType<typeof readDebugKey> } | undefined
  const granted = async (token: string): Promise<boolean> => {
    const text = await ports.secrets.read(key)
    if (known?.text !== text) known = { text, key: readDebugKey(text) }
    return isDebugToken(token, await known.key, policy.environment, ports.clock.now())
  }
  return (last, answer, fault) => {
    const token = tokenOf(last.arrival.rawHeaders)
    if (token === undefined) return answer
    return granted(token).then(
      (yes) => (yes ? { ...answer, headers: withDecision(answer, decisionOf(last, fault, ports.clock.now())) } : answer),
      () => answer,
    )
  }
}

/** The one token that stands there; two are none. */
function tokenOf(raw: readonly string[]): string | undefined {
  const values = raw.filter((_, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === header)
  return values.length === 1 ? values[0] : undefined
}

function decisionOf(last: Arrived & Partial<Translated>, fault: Fault | undefined, now: number): Readonly<Record<string, unknown>> {
  const { permit, route, destination } = last
  const near = fault?.detail.decision?.nearest
  return {
    outcome: permit === undefined || fault !== undefined ? 'refused' : 'permitted',
    code: fault?.code,
    route: route?.name,
    rule: permit === undefined ? fault?.detail.rule : `${permit.policy}/${permit.rule}`,
    nearest: near,
    audited: permit === undefined || permit.audited.length === 0 ? undefined : permit.audited,
    destination: destination === undefined ? undefined : `${destination.cluster}${destination.subset === undefined ? '' : `/${destination.subset}`}`,
    revision: last.revision,
    time: isoTime(now),
  }
}

/** JSON in printable ASCII: names of the policies may be in any script. */
function withDecision({ headers }: Outbound, decision: Readonly<Record<string, unknown>>): FieldList {
  const text = JSON.stringify(decision).replaceAll(/[^\x20-\x7e]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
  // What was told to one must not be kept for others.
  return new FieldList(headers.entries()).set('x-sallyport-decision', text).set('cache-control', 'no-store')
}
