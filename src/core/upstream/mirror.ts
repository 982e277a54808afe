import type { GrpcCall, HttpCall, Reply } from '../model/call.ts'
import type { Arrived, Received } from '../model/exchange.ts'
import { FieldList } from '../model/fields.ts'
import { Lifeline } from '../model/lifeline.ts'
import type { Mirror } from '../model/mirror.ts'
import type { Principal } from '../model/principal.ts'
import type { Route } from '../model/route.ts'
import type { RpcMatch } from '../model/rpc.ts'
import type { MetricName } from '../observe/metrics.ts'
import { buildRedactor, maskedValues } from '../observe/redact.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { addressedTo } from './address.ts'
import type { OpenCluster, Plan } from './cluster.ts'
import { type Captured, capture, drain, keptBytes } from './mirror/capture.ts'
import { type Comparison, compileCompare, type Seen, sameBytes } from './mirror/compare.ts'
import { keepForReplay } from './replay.ts'
import { send } from './send.ts'

export type MirrorPorts = Pick<Ports, 'clock' | 'random' | 'meter' | 'journal' | 'compression'>

/** A request as the mirror reads it. */
export interface Mirrored extends Received {
  readonly route: Route
  readonly rpc?: RpcMatch | undefined
  readonly call: HttpCall | GrpcCall
  readonly principal: Principal
}

/** Forwards a request, and sends a copy of it where its route and its kind ask for that. The answer is that of `forward`, at its own pace. */
export type MirrorRoute = (x: Mirrored, forward: (call: HttpCall | GrpcCall) => Promise<Reply>) => Promise<Reply>

/** What a message is as JSON; undefined for a type that its route does not know. @throws Error for bytes that are no such message */
export type MessageJson = (route: string, type: string, bytes: Uint8Array) => { readonly json: unknown } | undefined

interface Around {
  readonly policy: Policy
  readonly ports: MirrorPorts
  readonly idleMs: number
  /** The plan of the mirror's cluster. */
  readonly plan: (kind: 'http' | 'grpc') => Plan
  /** What its balancer chooses an endpoint by. */
  readonly keyOf: OpenCluster['keyOf']
  /** Without it answers of services are compared byte for byte. */
  readonly messageJson: MessageJson | undefined
}

const names = { requests: 'sallyport_mirror_requests_total', comparisons: 'sallyport_mirror_comparisons_total' } as const satisfies Record<string, MetricName>

/** Tells a service that nobody reads its answer. */
const mark = ['x-sallyport-mirror', '1'] as const

/** A body that is kept, so that it can be sent twice. */
const keeping = {} as const

/**
 * Opens the mirror of a route. A copy has its own lifeline and its own time, the route's timeout from now; it is never repeated, and counts
 * against its own small cap beside the caps of copies to its cluster. Whatever becomes of it changes nothing for any request.
 */
export function openMirror(route: Route, mirror: Mirror, around: Around): MirrorRoute {
  const { ports } = around
  const { diff } = mirror
  const compare = diff === undefined ? undefined : compileCompare(diff)
  // Messages are compared as the JSON that they are for JSON callers.
  const jsonOf = ({ rpc }: Mirrored, bytes: Uint8Array): Seen['body'] => around.messageJson?.(route.name, rpc?.rpc.output ?? '', bytes) ?? { bytes }
  const count = (name: MetricName, outcome: string) => ports.meter.count(name, { route: route.name, outcome })
  let active = 0

  async function copy(x: Mirrored, call: HttpCall | GrpcCall, told: (captured: Captured) => void): Promise<void> {
    const lifeline = new Lifeline()
    const own: Pick<Arrived, 'lifeline' | 'sent'> = { lifeline, sent: undefined }
    const deadline = { at: ports.clock.ticks() + route.timeoutMs, until: 'whole' } as const
    try {
      const addressed = marked(addressedTo(call, around.policy, mirror, x.request.authority))
      const reply = await send(
        { x: own, call: addressed, deadline, retry: undefined, idleMs: around.idleMs, key: around.keyOf?.(x), ...around.plan(call.kind) },
        ports,
      )
      await drain(capture(reply, told))
      count(names.requests, 'answered')
    } catch {
      count(names.requests, 'failed')
    } finally {
      active -= 1
      lifeline.settle()
    }
  }

  async function report(x: Mirrored, main: Captured, second: Captured): Promise<void> {
    if (compare === undefined) return
    // Only what differs is written down.
    let redactor: ((text: string) => string) | undefined
    const hide = (text: string): string => {
      const { headers } = x.request
      redactor ??= buildRedactor([...maskedValues((name) => headers.all(name), []), ...x.keyFields.map(([, value]) => value)])
      return redactor(text)
    }
    let found: Comparison
    try {
      const same = saysTheSame(main, second)
      found = same ? compare(alike(main), alike(second), hide) : compare(await seenOf(x, main), await seenOf(x, second), hide)
    } catch {
      return count(names.comparisons, 'left')
    }
    const { differences, count: all, left } = found
    count(names.comparisons, all > 0 ? 'different' : left ? 'left' : 'same')
    if (all === 0) return
    const to = mirror.subset === undefined ? mirror.cluster : `${mirror.cluster}/${mirror.subset}`
    const listed = differences.map((difference) => ({ ...difference }))
    ports.journal.write({
      event: 'mirror_differs',
      route: route.name,
      id: x.id,
      to,
      differences: listed,
      more: all > listed.length ? all - listed.length : undefined,
    })
  }

  async function seenOf(x: Mirrored, { kind, status, headers, bytes }: Captured): Promise<Seen> {
    if (bytes === undefined) return { status, headers, body: undefined }
    if (kind === 'grpc') return { status, headers, body: bytes.length === 0 && status !== 0 ? { bytes } : jsonOf(x, bytes) }
    const coding = headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity'
    const plain = coding === 'gzip' ? await ports.compression.gunzip(bytes, 16 * keptBytes) : coding === 'identity' ? bytes : undefined
    return { status, headers, body: plain === undefined ? undefined : bodyOf(plain, headers.get('content-type') ?? '') }
  }

  return async (x, forward) => {
    if (!isCopied(x, mirror) || ports.random.unit() >= mirror.share) return forward(x.call)
    if (active >= mirror.requests) {
      count(names.requests, 'busy')
      return forward(x.call)
    }
    // Its place is taken before its body is waited for: many bodies may be on their way at a time.
    active += 1
    const { call, replayable } = await keptOr(x.call, () => {
      active -= 1
    })
    // The request itself goes first; then the copy, in the same turn.
    const forwarded = forward(call)
    if (!replayable) {
      active -= 1
      count(names.requests, 'body')
      return forwarded
    }
    if (diff === undefined || ports.random.unit() >= diff.share) {
      void copy(x, call, () => {})
      return forwarded
    }
    const [main, second] = [Promise.withResolvers<Captured>(), Promise.withResolvers<Captured>()]
    void copy(x, call, second.resolve)
    void Promise.all([main.promise, second.promise]).then(([one, other]) => report(x, one, other))
    return capture(await forwarded, main.resolve)
  }
}

/** Whether two bodies are the same without being read: most are. Not where only one of them could be read, or none. */
function saysTheSame(main: Captured, second: Captured): boolean {
  if (main.bytes === undefined || second.bytes === undefined || main.status !== second.status) return false
  if (main.kind === 'http' && !['content-type', 'content-encoding'].every((name) => main.headers.get(name) === second.headers.get(name))) return false
  const coding = main.headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity'
  return (main.kind === 'grpc' || coding === 'identity') && sameBytes(main.bytes, second.bytes)
}

/** An answer whose body says what that of the other says. */
function alike({ status, headers }: Captured): Seen {
  return { status, headers, body: { json: null } }
}

/** The body, kept so that it can be sent twice; `lost` runs when it breaks off. */
async function keptOr(call: HttpCall | GrpcCall, lost: () => void): ReturnType<typeof keepForReplay> {
  try {
    return await keepForReplay(call, keeping)
  } catch (error) {
    lost()
    throw error
  }
}

/** What is copied: requests whose method is named; RPCs of one message each way that change nothing, or that are named. */
function isCopied({ call, rpc }: Mirrored, { methods, rpcs }: Mirror): boolean {
  // A change of protocol is a conversation, and there is only one caller to have it with.
  if (call.kind === 'http') return call.upgrade === undefined && methods.includes(call.method)
  if (rpc === undefined || call.serverStream || !(call.messages instanceof Uint8Array)) return false
  const { method, noSideEffects, bindings } = rpc.rpc
  return noSideEffects === true || bindings.some((binding) => binding.method === 'GET') || rpcs.includes(method)
}

function marked<Call extends HttpCall | GrpcCall>(call: Call): Call {
  const grpc = call.kind === 'grpc'
  const fields = new FieldList((grpc ? call.metadata : call.headers).entries()).set(...mark)
  return { ...call, [grpc ? 'metadata' : 'headers']: fields }
}

function bodyOf(bytes: Uint8Array, type: string): Seen['body'] {
  if (!/^application\/(?:[^;]*\+)?json\s*(?:;|$)/i.test(type)) return { bytes }
  try {
    return { json: JSON.parse(new TextDecoder().decode(bytes)) as unknown }
  } catch {
    return { bytes }
  }
}
