import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { type DiscoveryPorts, discoveryOf } from '../../src/core/discovery.ts'
import type { GrpcCall, GrpcReply, HttpCall, HttpReply } from '../../src/core/model/call.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type {
  CallOptions,
  Channels,
  Clock,
  Counters,
  Descriptor,
  Discover,
  Endpoint,
  Fetch,
  FetchRequest,
  FetchResponse,
  Journal,
  JournalRecord,
  Labels,
  Lasting,
  Meter,
  Names,
  Ports,
  Random,
  Resolve,
  Secrets,
  Store,
  Taken,
} from '../../src/core/ports.ts'
import { createCompression } from '../../src/node/compression.ts'
import { createMemoryShared } from '../../src/node/shared.ts'
import { type FakeClock, fakeClock } from './clock.ts'

/** Every port as a double that keeps what it was told. */
export interface FakePorts extends Ports {
  readonly clock: FakeClock
  readonly channels: FakeChannels
  readonly fetch: FakeFetch
  readonly resolve: FakeResolve
  readonly secrets: FakeSecrets
  readonly store: FakeStore
  readonly journal: FakeJournal
  readonly meter: FakeMeter
}

/** A full set of doubles; what is given takes the place of the double, under its own type. */
export function fakePorts(): FakePorts
export function fakePorts<Given extends Partial<Ports>>(given: Given): Omit<FakePorts, keyof Given> & Given
export function fakePorts(given: Partial<Ports> = {}): Ports {
  const clock = fakeClock()
  const resolve = fakeResolve()
  const doubles: FakePorts = {
    clock,
    random: seededRandom(1),
    digest: (data) => createHash('sha256').update(data).digest('hex'),
    compression: createCompression(),
    channels: fakeChannels(),
    fetch: fakeFetch(),
    resolve,
    discover: fakeDiscover({ clock: given.clock ?? clock, names: fakeNames(given.resolve ?? resolve) }),
    counters: windowCounters(given.clock ?? clock),
    secrets: fakeSecrets(),
    store: memoryStore(given.clock ?? clock),
    shared: createMemoryShared(given.clock ?? clock),
    lasting: memoryLasting(),
    ownAddresses: () => [],
    ownListeners: () => [],
    journal: memoryJournal(),
    meter: memoryMeter(),
  }
  return { ...doubles, ...given }
}

const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The same numbers for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed
  const unit = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const hex = (bytes: number) => {
    let text = ''
    for (let i = 0; i < bytes; i++) text += hexOf[Math.floor(unit() * 256)]
    return text
  }
  return { unit, hex, uuid: () => `${hex(4)}-${hex(2)}-4${hex(2).slice(1)}-8${hex(2).slice(1)}-${hex(6)}` }
}

export interface FakeChannels extends Channels {
  /** Endpoints in the order they were acquired. */
  readonly acquired: Endpoint[]
  readonly released: Endpoint[]
  readonly calls: { readonly endpoint: Endpoint; readonly call: HttpCall | GrpcCall; readonly options: CallOptions }[]
}

/** Channels that answer with the given functions; without one a call is `upstream_unavailable`. */
export function fakeChannels(
  answer: {
    readonly http?: (call: HttpCall, options: CallOptions, endpoint: Endpoint) => Promise<HttpReply>
    readonly grpc?: (call: GrpcCall, options: CallOptions, endpoint: Endpoint) => Promise<GrpcReply>
    readonly reach?: (endpoint: Endpoint, deadline: number) => Promise<void>
  } = {},
): FakeChannels {
  const nobody = () => Promise.reject(new Fault('upstream_unavailable', 'nothing listens here'))
  const acquired: Endpoint[] = []
  const released: Endpoint[] = []
  const calls: FakeChannels['calls'] = []
  const acquire: Channels['acquire'] = (endpoint) => {
    acquired.push(endpoint)
    return {
      http(call, options) {
        calls.push({ endpoint, call, options })
        return (answer.http ?? nobody)(call, options, endpoint)
      },
      grpc(call, options) {
        calls.push({ endpoint, call, options })
        return (answer.grpc ?? nobody)(call, options, endpoint)
      },
      release: () => void released.push(endpoint),
    }
  }
  return { acquire, acquired, released, calls, reach: answer.reach ?? nobody }
}

type FetchAnswer = Partial<FetchResponse> | Error | ((request: FetchRequest) => Partial<FetchResponse> | Promise<Partial<FetchResponse>>)

export interface FakeFetch extends Fetch {
  readonly requests: FetchRequest[]
  /** What this URL answers from now on. */
  on(url: string, answer: FetchAnswer): void
}

/** Answers 200 with no headers and no text where the answer leaves it open; rejects for URLs it does not know. */
export function fakeFetch(answers: Readonly<Record<string, FetchAnswer>> = {}): FakeFetch {
  const known = new Map(Object.entries(answers))
  const requests: FetchRequest[] = []
  const fetch: Fetch = async (request) => {
    requests.push(request)
    const answer = known.get(request.url)
    if (answer === undefined) throw new Error(`no answer for ${request.url}`)
    if (answer instanceof Error) throw answer
    return { status: 200, headers: {}, text: '', ...(typeof answer === 'function' ? await answer(request) : answer) }
  }
  return Object.assign(fetch, { requests, on: (url: string, answer: FetchAnswer) => void known.set(url, answer) })
}

export interface FakeResolve extends Resolve {
  readonly asked: string[]
  on(host: string, addresses: readonly string[]): void
}

/** Knows the given names; an IP literal is its own answer; anything else rejects. */
export function fakeResolve(hosts: Readonly<Record<string, readonly string[]>> = {}): FakeResolve {
  const known = new Map(Object.entries(hosts))
  const asked: string[] = []
  const resolve: Resolve = async (host) => {
    asked.push(host)
    const addresses = isIP(host) === 0 ? known.get(host) : [host]
    if (addresses === undefined) throw new Error(`${host} has no address`)
    return addresses
  }
  return Object.assign(resolve, { asked, on: (host: string, addresses: readonly string[]) => void known.set(host, addresses) })
}

/** Finds endpoints over the doubles that are given; nothing else answers. */
export function fakeDiscover(given: Partial<DiscoveryPorts>): Discover {
  const ports: DiscoveryPorts = {
    clock: fakeClock(),
    random: seededRandom(1),
    secrets: fakeSecrets(),
    names: fakeNames(fakeResolve()),
    follow: () => new Promise(() => {}),
    files: { read: (path) => Promise.reject(new Error(`${path} is not there`)), watch: () => ({ close() {} }) },
    ...given,
  }
  return (source) => discoveryOf(source, ports)
}

/** Addresses of the given resolver, without a time to live; it fails where that has none. No name has services. */
export function fakeNames(resolve: Resolve): Names {
  return {
    addresses: async (host) => ({ addresses: await resolve(host), ttlMs: undefined }),
    services: async () => ({ services: [], ttlMs: undefined }),
  }
}

/** Fixed windows in memory: check, then commit. */
export function windowCounters(clock: Pick<Clock, 'ticks'>): Counters {
  const windows = new Map<string, { used: number; readonly endsAt: number }>()
  const windowOf = ({ limit, key }: Descriptor) => {
    const name = `${limit.name}\n${key}`
    const open = windows.get(name)
    if (open !== undefined && open.endsAt > clock.ticks()) return open
    const next = { used: 0, endsAt: clock.ticks() + limit.windowMs }
    windows.set(name, next)
    return next
  }
  const left = (descriptor: Descriptor) => descriptor.limit.points + descriptor.limit.burst - windowOf(descriptor).used
  const report = (descriptors: readonly Descriptor[], refusedBy: string | undefined): Taken => ({
    allowed: refusedBy === undefined,
    refusedBy,
    readings: readingsOf(descriptors),
  })
  const readingsOf = (descriptors: readonly Descriptor[]) =>
    descriptors.map((descriptor) => ({
      limit: descriptor.limit.name,
      remaining: Math.max(0, left(descriptor)),
      resetMs: windowOf(descriptor).endsAt - clock.ticks(),
      degraded: false,
    }))
  const refused = (descriptors: readonly Descriptor[]) => descriptors.find((descriptor) => left(descriptor) < descriptor.cost)?.limit.name
  return {
    take(descriptors) {
      const by = refused(descriptors)
      if (by === undefined) for (const descriptor of descriptors) windowOf(descriptor).used += descriptor.cost
      return report(descriptors, by)
    },
    charge(descriptors) {
      for (const descriptor of descriptors) windowOf(descriptor).used += descriptor.cost
      return readingsOf(descriptors)
    },
    peek: (descriptors) => report(descriptors, refused(descriptors)),
  }
}

export interface FakeSecrets extends Secrets {
  readonly reads: string[]
  on(reference: string, value: string): void
}

/** Knows the given references and rejects for any other. */
export function fakeSecrets(values: Readonly<Record<string, string>> = {}): FakeSecrets {
  const known = new Map(Object.entries(values))
  const reads: string[] = []
  return {
    reads,
    on: (reference, value) => void known.set(reference, value),
    async read(reference) {
      reads.push(reference)
      const value = known.get(reference)
      if (value === undefined || value === '') throw new Error(`${reference} is missing or empty`)
      return value
    },
  }
}

export interface FakeStore extends Store {
  readonly entries: ReadonlyMap<string, { readonly value: string; readonly endsAt: number }>
}

/** Values live as long as they were given, by the clock's ticks. */
export function memoryStore(clock: Pick<Clock, 'ticks'>): FakeStore {
  const entries = new Map<string, { readonly value: string; readonly endsAt: number }>()
  return {
    entries,
    async get(key) {
      const entry = entries.get(key)
      return entry === undefined || entry.endsAt <= clock.ticks() ? undefined : entry.value
    },
    async set(key, value, ttlMs) {
      entries.set(key, { value, endsAt: clock.ticks() + ttlMs })
    },
  }
}

/** Keeps what was made first under each key. */
export function memoryLasting(): Lasting {
  const kept = new Map<string, unknown>()
  return <T>(key: string, make: () => T): T => {
    if (!kept.has(key)) kept.set(key, make())
    return kept.get(key) as T // each key has one owner, who made it
  }
}

export interface FakeJournal extends Journal {
  readonly records: JournalRecord[]
}

export function memoryJournal(): FakeJournal {
  const records: JournalRecord[] = []
  return { records, write: (record) => void records.push(record) }
}

export interface FakeMeter extends Meter {
  readonly samples: { readonly kind: 'count' | 'observe' | 'gauge'; readonly name: string; readonly value: number; readonly labels: Labels }[]
  /** The sum of a counter over every sample that carries these labels. */
  total(name: string, labels?: Labels): number
  /** What a gauge with these labels was set to last. */
  level(name: string, labels?: Labels): number | undefined
}

export function memoryMeter(): FakeMeter {
  const samples: FakeMeter['samples'] = []
  const carries = (sample: FakeMeter['samples'][number], name: string, labels: Labels) =>
    sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value)
  return {
    samples,
    count: (name, labels, by = 1) => void samples.push({ kind: 'count', name, value: by, labels }),
    observe: (name, value, labels) => void samples.push({ kind: 'observe', name, value, labels }),
    gauge: (name, value, labels) => void samples.push({ kind: 'gauge', name, value, labels }),
    total(name, labels = {}) {
      const fits = samples.filter((sample) => sample.kind === 'count' && carries(sample, name, labels))
      return fits.reduce((sum, sample) => sum + sample.value, 0)
    },
    level: (name, labels = {}) => samples.findLast((sample) => sample.kind === 'gauge' && carries(sample, name, labels))?.value,
  }
}
