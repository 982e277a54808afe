import type { Reply } from '../model/call.ts'
import type { Destination, WeightedDestination } from '../model/destination.ts'
import type { Metered, Steered } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { Route } from '../model/route.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { compileSticky } from '../sticky.ts'
import { bucketOf } from './steer/bucket.ts'
import type { Canary } from './steer/guard/canary.ts'
import { overheard } from './steer/guard/outcome.ts'
import { type GuardPorts, openGuards } from './steer/guards.ts'
import { compilePins } from './steer/pins.ts'
import { compileRendezvous } from './steer/rendezvous.ts'
import { compileSplit, type Split } from './steer/split.ts'

export { type GuardStatus, guardStatus, rearmGuard } from './steer/guards.ts'

/**
 * Chooses where this one request goes and fills `destination` and `steering`: the only destination there is, else the
 * first whose pin fits, else the one that holds the subject's sticky bucket, else one at random by weight.
 * @throws Fault `config_quarantined` when no pin fits and no destination has a weight; the loader refuses such a route.
 */
export type Steer = (x: Metered) => Steered

/** Takes note of how a steered request came out, for the guards of its route. */
export type Watch = (x: Steered, forward: () => Promise<Reply>) => Promise<Reply>

export interface GuardedSteer {
  readonly steer: Steer
  readonly watch: Watch
  /** Gives back its share in what outlives the snapshot. */
  close(): void
}

type Facts = Pick<Steered, 'destination' | 'steering'>
type Canaries = readonly (Canary | undefined)[]

/** Builds the room as a rehearsal needs it: nothing is watched, and every destination has its weight. */
export function buildSteer(policy: Policy, ports: Pick<Ports, 'random'>): Steer {
  return steerBy(policy, ports, new Map())
}

/** Builds the room with the guards of its destinations, which take the weight of a version that does worse than it may. */
export function buildGuardedSteer(policy: Policy, ports: GuardPorts & Pick<Ports, 'random'>): GuardedSteer {
  const guards = openGuards(policy, ports)
  return { steer: steerBy(policy, ports, guards.byRoute), watch: buildWatch(policy, ports, guards.byRoute), close: () => guards.close() }
}

function steerBy(policy: Policy, ports: Pick<Ports, 'random'>, guards: ReadonlyMap<string, Canaries>): Steer {
  // A quarantined route answers nobody, and its split may be what is broken.
  const sound = policy.routes.filter((route) => route.quarantined === undefined)
  const steers = new Map(sound.map((route) => [route.name, steerRoute(route, ports, guards.get(route.name))]))
  return function steer(x) {
    const choose = steers.get(x.route.name)
    if (choose === undefined) throw new Fault('config_quarantined', 'this route has no destination', { internal: `no split for route ${x.route.name}` })
    return Object.assign(x, choose(x))
  }
}

function steerRoute(route: Route, ports: Pick<Ports, 'random'>, canaries: Canaries | undefined): (x: Metered) => Facts {
  const [first, ...others] = route.split
  if (first !== undefined && others.length === 0) {
    const only: Facts = { destination: destinationOf(first), steering: { by: 'only', bucket: 0 } }
    return () => only
  }
  const destinations = new Map(route.split.map((destination) => [destination, destinationOf(destination)]))
  const facts = (chosen: WeightedDestination | undefined, by: Facts['steering']['by'], bucket: number): Facts => {
    const destination = chosen === undefined ? undefined : destinations.get(chosen)
    if (destination === undefined) throw new Fault('config_quarantined', 'this route has no destination', { internal: `route ${route.name}: no weight` })
    return { destination, steering: { by, bucket } }
  }
  const pinOf = compilePins(route.split)
  const compile = route.sticky === undefined ? compileSplit : compileRendezvous
  const splitNow = canaries === undefined ? always(compile(route.split)) : guardedSplit(route.split, canaries, compile)
  const subjectOf = route.sticky === undefined ? undefined : compileSticky(route.sticky)
  return (x) => {
    const pinned = pinOf(x)
    if (pinned !== undefined) return facts(pinned, 'pin', 0)
    const bucket = subjectOf === undefined ? ports.random.unit() : bucketOf(route.name, subjectOf(x))
    return facts(splitNow()(bucket), subjectOf === undefined ? 'random' : 'sticky', bucket)
  }
}

function always<T>(value: T): () => T {
  return () => value
}

/** The split without the destinations whose guard has aborted; compiled when that changes. */
function guardedSplit(split: readonly WeightedDestination[], canaries: Canaries, compile: (split: readonly WeightedDestination[]) => Split): () => Split {
  const isOut = (i: number) => canaries[i]?.aborted !== undefined
  let out = split.map((_, i) => isOut(i))
  const compiled = () => compile(split.filter((_, i) => out[i] !== true))
  let now = compiled()
  return () => {
    let same = true
    for (let i = 0; i < canaries.length; i++) {
      canaries[i]?.hear()
      if (isOut(i) !== out[i]) same = false
    }
    if (same) return now
    out = split.map((_, i) => isOut(i))
    now = compiled()
    return now
  }
}

function buildWatch(policy: Policy, { clock }: Pick<Ports, 'clock'>, guards: ReadonlyMap<string, Canaries>): Watch {
  const sides = new Map<string, Sides>()
  for (const route of policy.routes) {
    const canaries = guards.get(route.name)
    if (canaries !== undefined) sides.set(route.name, sidesOf(route, canaries))
  }
  return (x, forward) => {
    const own = sides.get(x.route.name)
    // Who is pinned is no sample of who asks.
    if (own === undefined || x.steering.by === 'pin') return forward()
    const { cluster, subset } = x.destination
    const side = own.find((one) => one.destination.cluster === cluster && one.destination.subset === subset)
    if (side === undefined) return forward()
    return overheard(forward, clock, (said) => {
      // Somebody else answered in its place.
      const outcome = x.failedOver === undefined ? said : ({ kind: 'error' } as const)
      if (side.canary !== undefined) side.canary.note('canary', outcome)
      else for (const canary of side.compared) canary.note('others', outcome)
    })
  }
}

/** For each destination the canary it is, or those that it is compared with. */
type Sides = readonly { readonly destination: Destination; readonly canary: Canary | undefined; readonly compared: readonly Canary[] }[]

function sidesOf(route: Route, canaries: Canaries): Sides {
  const all = canaries.filter((canary) => canary !== undefined)
  return route.split.map((destination, i) => ({ destination, canary: canaries[i], compared: destination.guard === undefined ? all : [] }))
}

/** The plain place, without weight and pin. */
function destinationOf({ cluster, subset }: WeightedDestination): Destination {
  return { cluster, subset }
}
