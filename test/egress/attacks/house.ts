import { loadFolder } from '../../../src/node/policy-source/load-folder.ts'
import { type Files, type Gateway, openGateway } from '../../support/gateway.ts'
import type { Keep } from '../../support/keep.ts'
import { secret } from './canaries.ts'
import { expectSocket } from './sockets.ts'
import { openWorld, type World, type Zone } from './world.ts'

/** A part of the policies: the format as JSON, which is YAML. */
export type Part = Readonly<Record<string, unknown>>

export interface HouseOptions {
  /** Services by name. One without a way in is reached by its name under `.internal`. */
  readonly services: Readonly<Record<string, Part>>
  readonly zones: Readonly<Record<string, Zone>>
  readonly callers?: Readonly<Record<string, Part>>
  /** Environment of the process: dev, unless said. dev, test and other are nonprod; prod and live are prod. */
  readonly environment?: string
  readonly listeners?: Part
  /** Further sections. */
  readonly sections?: Part
  /** What the issuer of callers' tokens answers at `issuer`. */
  readonly keySet?: string
  /** Beside VENDOR_CA and VENDOR_KEY, the canary. */
  readonly variables?: Readonly<Record<string, string>>
  readonly files?: Files
}

/** A live gateway of this process in a world of the test's own. */
export interface House {
  readonly gateway: Gateway
  readonly world: World
}

/** One caller of every service, on every port. */
export const workload = 'workload'

export async function openHouse(keep: Keep, options: HouseOptions): Promise<House> {
  const {
    services,
    zones,
    callers = { [workload]: { listener: 'egress' } },
    environment = 'dev',
    listeners = {},
    sections = {},
    variables = {},
    files = {},
  } = options
  const world = await openWorld(keep, zones, options.keySet)
  const policies = {
    sallyport: 'v1',
    environments: {
      dev: { class: 'nonprod' },
      test: { class: 'nonprod' },
      other: { class: 'nonprod' },
      prod: { class: 'prod' },
      live: { class: 'prod' },
    },
    listeners: { egress: { address: '127.0.0.1:0' }, admin: { address: '127.0.0.1:0' }, ...listeners },
    ...sections,
    callers,
    egress: Object.fromEntries(Object.entries(services).map(([name, service]) => [name, reachable(name, service)])),
  }
  const gateway = await openGateway(
    keep,
    { 'gateway.yaml': JSON.stringify(policies), ...files },
    {
      flags: { environment },
      variables: { VENDOR_CA: world.vendor.ca, VENDOR_KEY: secret, ...variables },
      // Another thread would have to load all of the loader's modules again.
      start: { network: world.network, load: loadFolder },
    },
  )
  for (const { host, port } of gateway.running.addresses) expectSocket(host, port)
  return { gateway, world }
}

function reachable(name: string, service: Part): Part {
  return { callers: [workload], ...('listen' in service || 'host' in service || service['kind'] === 'proxy' ? {} : { host: hostOf(name) }), ...service }
}

/** The name of a service on the shared port. */
export function hostOf(name: string): string {
  return `${name}.internal`
}

/** A target that has the canary as its credential. */
export function guarded(target: string, more: Part = {}): Part {
  return { target, ca: 'env:VENDOR_CA', inject: { header: 'authorization', format: 'Bearer {secret}', secret: 'env:VENDOR_KEY' }, ...more }
}
