import { type Ask, buildAsk, buildAuthorize, buildExtAuthzGrpc, type Consult } from '../../src/core/ingress/authorize.ts'
import type { Identified, Permitted } from '../../src/core/model/exchange.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import { anonymous, type Principal } from '../../src/core/model/principal.ts'
import type { Decider, DeciderPart } from '../../src/core/policy/linked/deciders.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { access, accessPolicy, type MatchedOptions, matched, rule, testRoute } from './access.ts'
import { type FakePorts, fakePorts } from './ports.ts'

export const opaUrl = 'https://opa.example.com/v1/data/sallyport/allow'

/** OPA at `opaUrl`, told method, path, issuer and subject, in 200 ms; what is given takes its place. */
export function decider(name: string, given: Partial<Decider> = {}): Decider {
  const send: readonly DeciderPart[] = given.send ?? [{ kind: 'method' }, { kind: 'path' }, { kind: 'issuer' }, { kind: 'subject' }]
  return {
    name,
    point: { kind: 'opa', at: { url: 'https://opa.example.com' }, path: 'sallyport/allow' },
    send,
    key: send,
    timeoutMs: 200,
    onFailure: 'deny',
    mode: 'enforce',
    showReason: false,
    cache: { allowMs: 0, denyMs: 0, staleForMs: 0 },
    ...given,
  }
}

/** A policy whose one access policy `p` lets everybody pass, if these deciders allow it too. */
export function askingPolicy(...deciders: readonly Decider[]): Policy {
  const open = { ...access('p', [rule('open', 'allow', { anonymous: true })], { kind: 'none' }), ask: deciders.map(({ name }) => name) }
  return { ...accessPolicy([open]), deciders: Object.fromEntries(deciders.map((one) => [one.name, one])) }
}

export interface Asker {
  readonly ports: FakePorts
  readonly ask: Ask
  /** Lets one request pass, or says with what it was refused. */
  walk(x?: Identified): Promise<Permitted>
}

/** The room over fake ports. The room of the next snapshot shares `ports`. */
export function asker(policy: Policy, consult: Consult = () => Promise.reject(new Error('no cluster')), ports: FakePorts = fakePorts()): Asker {
  const ask = buildAsk(policy, ports, consult, buildExtAuthzGrpc)
  const authorize = buildAuthorize(policy, ports, ask)
  return { ports, ask, walk: async (x = asked()) => authorize(x) }
}

export interface AskedOptions extends MatchedOptions {
  readonly principal?: Principal
  readonly lifeline?: Lifeline
  /** Monotonic milliseconds. */
  readonly deadline?: number
  readonly policies?: readonly string[]
}

const route = testRoute(['p'], { timeoutMs: 15_000 })

/** A request on route `orders` at tick 1000, allowed 15 s. */
export function asked({
  principal = anonymous,
  lifeline = new Lifeline(),
  deadline = Number.POSITIVE_INFINITY,
  policies,
  ...options
}: AskedOptions = {}): Identified {
  const on = policies === undefined ? route : testRoute(policies, { timeoutMs: 15_000 })
  return Object.assign(matched([], { route: on, ...options }), { principal, lifeline, deadline, receivedAt: 1000 })
}

/** Lets every promise that can go on go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 100; i++) await Promise.resolve()
}
