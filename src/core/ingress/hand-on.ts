import type { Introduced, Steered } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { Introduce } from '../model/hand-on.ts'
import { inTime } from '../model/in-time.ts'
import type { Subject } from '../model/principal.ts'
import type { Policy } from '../policy/policy.ts'
import { buildExchange, type ExchangePorts, exchangeable } from './hand-on/exchange.ts'
import { buildMint, type MintPorts } from './hand-on/mint.ts'
import { payloadFor } from './hand-on/payload.ts'

/** @throws Fault `credential_unavailable`, or why the request was cut short while it waited: `deadline_exceeded`, for one. */
export type HandOn = (x: Steered) => Introduced | Promise<Introduced>

/**
 * Builds the room that makes the token by which the upstream knows who asks: one of the gateway's own, or one that an exchange gives for
 * the downstream's. Without a principal there is none. A token that cannot be had refuses the request: nothing takes its place.
 */
export function buildHandOn(policy: Policy, ports: MintPorts & ExchangePorts): HandOn {
  const mint = buildMint(policy, ports)
  const exchange = buildExchange(policy, ports)
  return (x) => {
    const { introduce } = x.route.handOn
    if (introduce === undefined || x.principal.kind !== 'subject') return Object.assign(x, { introduction: undefined })
    return introduced(x, introduce, x.principal)
  }

  async function introduced(x: Steered, introduce: Introduce, subject: Subject): Promise<Introduced> {
    const asked = introduce.by === 'minted' ? mint(introduce.name, subject, x.destination.cluster) : exchange(introduce.name, x, subject)
    try {
      const token = await inTime<string | undefined>(x, asked, ports.clock)
      return Object.assign(x, { introduction: token === undefined ? undefined : fieldOf(introduce, token) })
    } catch (error) {
      x.lifeline.check()
      throw error instanceof Fault && error.code === 'deadline_exceeded' ? error : unavailable(introduce, error)
    }
  }
}

function fieldOf({ header }: Introduce, token: string): Introduced['introduction'] {
  return { header, value: header === 'authorization' ? `Bearer ${token}` : token }
}

function unavailable({ by, name }: Introduce, error: unknown): Fault {
  return new Fault('credential_unavailable', 'the token for the service behind is not available', {
    internal: `${by} ${name}: ${error instanceof Error ? error.message : 'unknown'}`,
    headers: [['retry-after', '1']],
  })
}

/** What an upstream would be told in a token, without making one. */
export interface HandedOn {
  readonly by: 'minted' | 'exchange'
  readonly name: string
  readonly header: string
  /** Of a minted token, without its times and its id. */
  readonly claims: Readonly<Record<string, unknown>> | undefined
}

/** The same room for `test` and `explain`: it says what would be handed on, and signs and asks for nothing. */
export function buildHandOnReport(policy: Policy): (x: Steered) => { readonly x: Introduced; readonly report: HandedOn | undefined } {
  return (x) => {
    const { introduce } = x.route.handOn
    if (introduce === undefined || x.principal.kind !== 'subject') return { x: Object.assign(x, { introduction: undefined }), report: undefined }
    const { by, name, header } = introduce
    if (by === 'exchange' && exchangeable(x.principal) === undefined) return { x: Object.assign(x, { introduction: undefined }), report: undefined }
    const token = by === 'minted' ? policy.tokens[name] : undefined
    const claims =
      token === undefined ? undefined : { iss: token.issuer, aud: token.audience ?? x.destination.cluster, ...payloadFor(token, x.principal, policy.issuers) }
    return { x: Object.assign(x, { introduction: fieldOf(introduce, `<${by} ${name}>`) }), report: { by, name, header, claims } }
  }
}
