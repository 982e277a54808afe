import type { DescMessage, Registry } from '@bufbuild/protobuf'
import type { GrpcCall } from '../model/call.ts'
import type { ConnectDialect } from '../model/dialect.ts'
import type { Introduced, Translated } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { Route } from '../model/route.ts'
import type { HttpBinding, RpcMatch } from '../model/rpc.ts'
import type { Body } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'
import type { Compression, Ports } from '../ports.ts'
import { buildRouteCodecs, type JsonCodec, parseJson } from '../protobuf.ts'
import { chooseStreamForm } from './translate/accept.ts'
import { bindBytes, type Parts } from './translate/bind.ts'
import { connectMessages } from './translate/connect.ts'
import { grpcFraming, onlyFrame, readFrames } from './translate/frames.ts'
import { webMessages } from './translate/grpc-web.ts'
import { ifMatchOf } from './translate/if-match.ts'
import { inflated } from './translate/inflated.ts'
import { streamedMessages } from './translate/json-stream.ts'
import { demandGrpc, demandJson } from './translate/media.ts'
import { metadataFromGrpc, metadataFromHttp, metadataFromWeb } from './translate/metadata.ts'
import { type BindingPlan, planBinding } from './translate/plan.ts'
import { httpCall } from './translate/proxy.ts'
import { queryOptionsOf } from './translate/query.ts'
import { socketMessages } from './translate/socket.ts'
import { eachOfJson, wireOfJson } from './translate/wire-of-json.ts'

export type Translate = (x: Introduced) => Translated | Promise<Translated>

/** A route that takes JSON, ready to work. */
interface JsonRoute {
  readonly codec: JsonCodec
  readonly registry: Registry
  readonly plans: ReadonlyMap<string, BindingPlan>
}

/** The rule that a request came by, with the codec of its route. */
interface JsonPlan extends BindingPlan {
  readonly codec: JsonCodec
}

/** Where no listener and no route says how long a body may be. */
const fallbackBodyLimit = 1024 * 1024
/** Largest message of a gRPC or gRPC-Web call, or of a Connect stream, where the route does not say otherwise. */
const messageLimit = 4 * 1024 * 1024

/**
 * Turns the request into the call that goes to the destination: HTTP as it is, gRPC, gRPC-Web and Connect message by message, JSON into
 * the message that its HTTP rule describes, or into many where the RPC takes a stream. What is compressed is inflated, up to the limits of sizes, but for
 * HTTP that passes as it is. It settles too how a streamed answer will look.
 * @throws Fault `request_invalid`, `body_invalid`, `body_too_large`, `media_type_unsupported`, `method_not_allowed`, `not_acceptable`, `not_implemented`,
 * `compression_invalid`
 */
export function buildTranslate(policy: Policy, { compression }: Pick<Ports, 'compression'>): Translate {
  const routes = jsonRoutes(policy)

  return function translate(x) {
    const { authority, scheme } = addressOf(policy, x)
    if (x.rpc === undefined) return Object.assign(x, { call: httpCall(x, scheme, authority, bodyLimitOf(policy, x.route)), form: undefined })
    return grpcCall(x, x.rpc, authority)
  }

  async function grpcCall(x: Introduced, match: RpcMatch, authority: string): Promise<Translated> {
    const { path, serverStream } = match.rpc
    const { binding } = match
    const metadata = binding === undefined ? metadataOf(x) : metadataFromHttp(x)
    const plan = binding === undefined ? undefined : planOf(x, match, binding)
    const form = plan === undefined || plan.rawAnswer || !serverStream || x.arrival.socket !== undefined ? undefined : chooseStreamForm(x.request.headers)
    const messages = plan === undefined ? await messagesOf(x, match) : await jsonMessages(x, match, plan)
    const call: GrpcCall = { kind: 'grpc', path, authority, metadata, messages, serverStream }
    return Object.assign(x, { call, form })
  }

  async function messagesOf(x: Introduced, match: RpcMatch): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
    const { dialect, request } = x
    if (dialect.kind === 'connect') return ofConnect(x, match, dialect)
    const limit = x.route.bodyLimit ?? messageLimit
    const web = dialect.kind === 'grpc-web' ? { request, rpc: match.rpc, dialect, limit, compression } : undefined
    const messages = web === undefined ? await nativeMessages(x, match, compression) : await webMessages(web)
    if (dialect.kind === 'http' || dialect.codec !== 'json') return messages
    const { input, codec } = typesOf(x, match)
    return messages instanceof Uint8Array ? wireOfJson(messages, input, codec) : eachOfJson(messages, input, codec)
  }

  function ofConnect(x: Introduced, match: RpcMatch, dialect: ConnectDialect): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
    const { input, codec } = typesOf(x, match)
    const limits = { bodyLimit: bodyLimitOf(policy, x.route), messageLimit: x.route.bodyLimit ?? messageLimit }
    return connectMessages(x.request, { rpc: match.rpc, dialect, input, json: codec, compression, ...limits })
  }

  function typesOf(x: Introduced, { rpc }: RpcMatch): { readonly input: DescMessage; readonly codec: JsonCodec } {
    const route = routes.get(x.route.name)
    const input = route?.registry.getMessage(rpc.input)
    if (route === undefined || input === undefined) throw new Error(`no types for ${rpc.path}`)
    return { input, codec: route.codec }
  }

  function planOf(x: Introduced, { rpc }: RpcMatch, binding: HttpBinding): JsonPlan {
    const route = routes.get(x.route.name)
    const plan = route?.plans.get(planKey(rpc.path, binding))
    if (route === undefined || plan === undefined) throw new Error(`no plan for ${rpc.path}`)
    return { ...plan, codec: route.codec }
  }

  async function jsonMessages(x: Introduced, { rpc }: RpcMatch, plan: JsonPlan): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
    const limit = bodyLimitOf(policy, x.route)
    if (x.arrival.socket !== undefined) return socketMessages(x, rpc, plan, plan.codec, limit)
    // A rule without a body has room for one message, also of a stream.
    const body = plan.body.kind === 'none' ? undefined : inflated(x.request, compression)
    if (rpc.clientStream && plan.body.kind !== 'none') return streamedMessages(x, body, plan, plan.codec, limit)
    const parts = { params: x.params, query: x.request.target.query, body: await bodyOf(x, body, plan, limit), ifMatch: ifMatchOf(x, plan) }
    return bindBytes(plan, parts, plan.codec, queryOptionsOf(x.route))
  }
}

function bodyLimitOf(policy: Policy, route: Route): number {
  return route.bodyLimit ?? policy.listeners.public?.limits.bodyBytes ?? fallbackBodyLimit
}

function addressOf(policy: Policy, x: Introduced): { readonly authority: string; readonly scheme: 'http' | 'https' } {
  const cluster = policy.clusters[x.destination.cluster]
  const subset = x.destination.subset === undefined ? undefined : cluster?.subsets[x.destination.subset]
  return { authority: subset?.authority ?? cluster?.authority ?? x.request.authority, scheme: cluster?.tls === undefined ? 'http' : 'https' }
}

function metadataOf(x: Introduced): ReturnType<typeof metadataFromHttp> {
  return x.dialect.kind === 'grpc' ? metadataFromGrpc(x) : metadataFromWeb(x)
}

async function nativeMessages(x: Introduced, { rpc }: RpcMatch, compression: Compression): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const { method, headers, body } = x.request
  if (method !== 'POST') throw new Fault('method_not_allowed', 'gRPC is called with POST', { headers: [['allow', 'POST']] })
  demandGrpc(headers)
  const limit = x.route.bodyLimit ?? messageLimit
  const framing = grpcFraming(headers, compression)
  if (rpc.clientStream) return readFrames(body?.chunks() ?? nothing(), limit, framing)
  // Five more for the prefix of the one frame.
  return onlyFrame((await body?.bytes(limit + 5)) ?? new Uint8Array(), limit, framing)
}

async function* nothing(): AsyncIterable<Uint8Array> {}

/** The body, inflated, where the rule has a place for it. A body that the rule has no place for is refused or not read. */
async function bodyOf(x: Introduced, body: Body | undefined, plan: BindingPlan, limit: number): Promise<Parts['body']> {
  const { headers } = x.request
  if (plan.body.kind === 'none') return x.route.translate.unexpectedBody === 'reject' ? demandNone(x.request.body) : { kind: 'none' }
  // Whatever the length: an empty body of another protocol is that protocol's message, not an empty JSON one.
  if (!plan.body.raw && headers.has('content-type')) demandJson(headers)
  if (body === undefined || body.length === 0) return { kind: 'none' }
  if (plan.body.raw) return { kind: 'raw', type: headers.get('content-type') ?? '', bytes: await body.bytes(limit) }
  if (body.length !== undefined) demandJson(headers)
  const bytes = await body.bytes(limit)
  if (bytes.length === 0) return { kind: 'none' }
  demandJson(headers)
  return { kind: 'json', json: parseJson(bytes) }
}

async function demandNone(body: Body | undefined): Promise<Parts['body']> {
  // A length that is not stated may still be none.
  const length = body === undefined ? 0 : (body.length ?? (await lengthOfFirst(body)))
  if (length > 0) throw new Fault('body_invalid', 'this request takes no body')
  return { kind: 'none' }
}

async function lengthOfFirst(body: Body): Promise<number> {
  for await (const chunk of body.chunks()) if (chunk.length > 0) return chunk.length
  return 0
}

function jsonRoutes(policy: Policy): ReadonlyMap<string, JsonRoute> {
  const routes = new Map<string, JsonRoute>()
  const codecs = buildRouteCodecs(policy)
  for (const route of policy.routes) {
    const types = codecs.get(route.name)
    if (types === undefined || route.match.grpc === undefined) continue
    const plans = route.match.grpc.rpcs.flatMap((rpc) =>
      rpc.bindings.map((binding) => [planKey(rpc.path, binding), planBinding(types.registry, rpc, binding)] as const),
    )
    routes.set(route.name, { ...types, plans: new Map(plans) })
  }
  return routes
}

function planKey(rpc: string, { method, template }: HttpBinding): string {
  return `${rpc} ${method} ${template}`
}
