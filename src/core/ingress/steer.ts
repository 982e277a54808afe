import type { Metered, Steered } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { Destination, Route, WeightedDestination } from '../model/route.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { compileSticky } from '../sticky.ts'
import { bucketOf } from './steer/bucket.ts'
import { compilePins } from './steer/pins.ts'
import { compileSplit } from './steer/split.ts'

/**
 * Chooses where this one request goes and fills `destination` and `steering`: the only destination there is, else the
 * first whose pin fits, else the one that holds the subject's sticky bucket, else one at random by weight.
 * @throws Fault `config_quarantined` when no pin fits and no destination has a weight; the loader refuses such a route.
 */
export type Steer = (x: Metered) => Steered

type Facts = Pick<Steered, 'destination' | 'steering'>

/** Builds the room. Only the random port is used, and only by splits without a sticky key. */
export function buildSteer(policy: Policy, ports: Pick<Ports, 'random'>): Steer {
  // A quarantined route answers nobody, and its split may be what is broken.
  const sound = policy.routes.filter((route) => route.quarantined === undefined)
  const steers = new Map(sound.map((route) => [route.name, steerRoute(route, ports)]))
  return function steer(x) {
    const choose = steers.get(x.route.name)
    if (choose === undefined) throw new Fault('config_quarantined', 'this route has no destination', { internal: `no split for route ${x.route.name}` })
    return Object.assign(x, choose(x))
  }
}

function steerRoute(route: Route, ports: Pick<Ports, 'random'>): (x: Metered) => Facts {
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
  const split = compileSplit(route.split)
  const subjectOf = route.sticky === undefined ? undefined : compileSticky(route.sticky)
  return (x) => {
    const pinned = pinOf(x)
    if (pinned !== undefined) return facts(pinned, 'pin', 0)
    const bucket = subjectOf === undefined ? ports.random.unit() : bucketOf(route.name, subjectOf(x))
    return facts(split(bucket), subjectOf === undefined ? 'random' : 'sticky', bucket)
  }
}

/** The plain place, without weight and pin. */
function destinationOf({ cluster, subset }: WeightedDestination): Destination {
  return { cluster, subset }
}
