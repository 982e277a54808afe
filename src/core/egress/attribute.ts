import type { Attributed, Received } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import { inTime } from '../model/in-time.ts'
import type { CallerPrincipal, Subject } from '../model/principal.ts'
import type { Proxied } from '../model/wire.ts'
import type { Caller } from '../policy/linked/callers.ts'
import type { LinkedEgress } from '../policy/linked/egress.ts'
import type { Policy } from '../policy/policy.ts'
import type { Clock } from '../ports.ts'
import { compileKnown, type Shown, uses } from './attribute/known.ts'
import { badToken, buildSpiffeShown, ownToken, plainToken } from './attribute/shown.ts'
import { buildListed } from './proxied.ts'

export { byListenerAlone, knownBy, uses } from './attribute/known.ts'

/** @throws Fault `caller_unknown` when the request is no caller's or more than one's, `idp_unavailable` and `revocations_unavailable` when it cannot be told. */
export type Attribute = (x: Received) => Attributed | Promise<Attributed>

export interface AttributePorts {
  readonly clock: Clock
  /** Whom a token stands for. Rejects with Fault `token_invalid` for a bad one. */
  readonly verifyToken: (token: string, x: Received) => Promise<Subject>
}

/** Those who may come by one listener. */
interface Here {
  readonly callers: readonly { readonly caller: Caller; readonly fits: (shown: Shown) => boolean }[]
  readonly certificates: boolean
  readonly tokens: boolean
}

/** What the room must know of a service. */
interface Place {
  readonly listed: readonly string[]
  readonly timeoutMs: number
  /** `authorization` may say who calls: nobody else is to be shown what stands there. */
  readonly readsPlain: boolean
}

/**
 * Builds the room that says which workload is calling: by the listener, the SPIFFE id of its certificate, its token, or several of these. A
 * request is the caller's that is known by all that it shows and nothing else; what it shows and is bad refuses it. Credentials are read on listeners
 * where some caller is known by them. The token stands in `proxy-authorization`; `authorization` is read where nothing else says who calls, and never at
 * a service that exchanges what stands there.
 *
 * Where several callers are known by a listener alone, the first in the service's own list is meant: they cannot be told apart, so the
 * order of that list is the operator's word on it.
 */
export function buildAttribute(policy: Policy, { clock, verifyToken }: AttributePorts): Attribute {
  const hereOf = buildHere(policy)
  const placeOf = buildPlaces(policy)
  const spiffeShown = buildSpiffeShown(clock)

  return function attribute(x) {
    const here = hereOf(x.listener)
    const place = placeOf(x)
    const spiffe = here.certificates ? spiffeShown(x) : undefined
    const token = here.tokens ? (ownToken(x) ?? (spiffe === undefined && place?.readsPlain === true ? plainToken(x) : undefined)) : undefined
    const found = (subject: Subject | undefined) => Object.assign(x, { caller: principalOf(here, place, { spiffe, subject }, x.listener) })
    if (token === undefined) return found(undefined)
    const { lifeline, deadline, receivedAt } = x
    const time = { lifeline, deadline, receivedAt, route: place ?? { timeoutMs: Number.POSITIVE_INFINITY } }
    return inTime(time, verifyToken(token, x), clock).then(found, refuseToken)
  }
}

/** One code for whoever is not known; that nobody can tell is another matter. */
function refuseToken(error: unknown): never {
  throw error instanceof Fault && error.code === 'token_invalid' ? badToken(error.detail.internal ?? error.message) : error
}

function principalOf({ callers }: Here, place: Place | undefined, shown: Shown, listener: string): CallerPrincipal {
  const fitting = callers.filter(({ fits }) => fits(shown)).map(({ caller }) => caller)
  const isAnonymous = shown.spiffe === undefined && shown.subject === undefined
  if (!isAnonymous && fitting.length > 1) {
    throw new Fault('caller_unknown', 'what this request shows fits more than one caller', { internal: fitting.map(({ name }) => name).join(', ') })
  }
  const name = place?.listed.find((listed) => fitting.some((caller) => caller.name === listed)) ?? fitting[0]?.name
  if (name === undefined) throw unknown(shown, listener, callers.length > 0)
  const { spiffe, subject } = shown
  return {
    kind: 'caller',
    name,
    ...(spiffe !== undefined && { spiffe }),
    ...(subject !== undefined && { token: { issuer: subject.issuer, subject: subject.subject } }),
  }
}

function unknown({ spiffe, subject }: Shown, listener: string, expected: boolean): Fault {
  const shown = [spiffe, subject === undefined ? undefined : `${subject.subject} of ${subject.issuer}`].filter((text) => text !== undefined)
  const internal = `listener ${listener}${shown.length === 0 ? '' : `, ${shown.join(' with ')}`}`
  if (shown.length > 0) return new Fault('caller_unknown', 'what this request shows fits no caller', { internal })
  const words = expected ? 'callers are known by a certificate or a token here, and this request shows none' : 'no caller is known on this listener'
  return new Fault('caller_unknown', words, { internal })
}

function buildHere(policy: Policy): (listener: string) => Here {
  const all = Object.values(policy.callers).sort((a, b) => (a.name < b.name ? -1 : 1))
  const known = new Map<string, Here>()
  return (listener) => {
    const before = known.get(listener)
    if (before !== undefined) return before
    const callers = all.filter((caller) => uses(caller, listener))
    const here = {
      callers: callers.map((caller) => ({ caller, fits: compileKnown(caller) })),
      certificates: callers.some(({ spiffe }) => spiffe !== undefined),
      tokens: callers.some(({ token }) => token !== undefined),
    }
    known.set(listener, here)
    return here
  }
}

function buildPlaces(policy: Policy): (x: Received) => Place | undefined {
  const all = Object.values(policy.egress).map((linked) => ({ service: linked.service, place: placeFrom(linked) }))
  const byListener = new Map(all.map(({ service, place }) => [`egress:${service.name}`, place]))
  const byHost = new Map(all.flatMap(({ service, place }) => (service.host === undefined ? [] : [[service.host.toLowerCase(), place] as const])))
  const listing = buildListed(policy)
  /** What stands in `authorization` of a request that is passed on is for where it goes. */
  const proxiedTo = (place: Proxied): Place | undefined => {
    const services = listing(place)
    const [first] = services
    return first && { listed: services.flatMap(({ callers }) => callers), timeoutMs: first.timeoutMs, readsPlain: false }
  }
  return ({ listener, request: { host, proxied } }) => {
    if (listener !== 'egress') return byListener.get(listener)
    return byHost.get(host) ?? (proxied && proxiedTo(proxied))
  }
}

function placeFrom({ service, targets }: LinkedEgress): Place {
  const exchanges = Object.values(targets).some(
    (target) => target.mode === 'live' && target.credential?.kind === 'oauth2' && target.credential.subject === 'caller',
  )
  return { listed: service.callers, timeoutMs: service.timeoutMs, readsPlain: !exchanges }
}
