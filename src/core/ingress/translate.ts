import type { GrpcCall } from '../model/call.ts'
import type { Steered, Translated } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { HttpBinding, Route, RpcMatch } from '../model/route.ts'
import type { Policy } from '../policy/policy.ts'
import { buildRouteCodecs, type JsonCodec, parseJson } from '../protobuf.ts'
import { bindBytes, type Parts } from './translate/bind.ts'
import { onlyFrame, readFrames } from './translate/frames.ts'
import { demandGrpc, demandJson, demandNdjsonAccepted } from './translate/media.ts'
import { metadataFromGrpc, metadataFromHttp } from './translate/metadata.ts'
import { type BindingPlan, planBinding } from './translate/plan.ts'
import { httpCall } from './translate/proxy.ts'

export type Translate = (x: Steered) => Translated | Promise<Translated>

/** A route that takes JSON, ready to work. */
interface JsonRoute {
  readonly codec: JsonCodec
  readonly plans: ReadonlyMap<string, BindingPlan>
}

/** Where no listener and no route says how long a body may be. */
const fallbackBodyLimit = 1024 * 1024
/** Largest message of a native gRPC call where the route does not say otherwise. */
const messageLimit = 4 * 1024 * 1024

/**
 * Turns the request into the call that goes to the destination: HTTP as it is, native gRPC message by message, JSON into the one
 * message that its HTTP rule describes.
 * @throws Fault `request_invalid`, `body_invalid`, `body_too_large`, `media_type_unsupported`, `method_not_allowed`, `not_implemented`
 */
export function buildTranslate(policy: Policy): Translate {
  const routes = jsonRoutes(policy)

  return function translate(x) {
    const { authority, scheme } = addressOf(policy, x)
    if (x.rpc === undefined) return Object.assign(x, { call: httpCall(x, scheme, authority, bodyLimitOf(policy, x.route)) })
    return grpcCall(x, x.rpc, authority)
  }

  async function grpcCall(x: Steered, match: RpcMatch, authority: string): Promise<Translated> {
    const { path, serverStream } = match.rpc
    const { binding } = match
    const metadata = binding === undefined ? metadataFromGrpc(x) : metadataFromHttp(x)
    const messages = binding === undefined ? await nativeMessages(x, match) : await jsonMessage(x, match, binding)
    const call: GrpcCall = { kind: 'grpc', path, authority, metadata, messages, serverStream }
    return Object.assign(x, { call })
  }

  async function jsonMessage(x: Steered, { rpc }: RpcMatch, binding: HttpBinding): Promise<Uint8Array> {
    if (rpc.clientStream) throw new Fault('not_implemented', 'this RPC takes a stream of messages: call it with application/grpc over HTTP/2')
    if (rpc.serverStream) demandNdjsonAccepted(x.request.headers)
    const route = routes.get(x.route.name)
    const plan = route?.plans.get(planKey(rpc.path, binding))
    if (route === undefined || plan === undefined) throw new Error(`no plan for ${rpc.path}`)
    const parts = { params: x.params, query: x.request.target.query, body: await bodyOf(x, plan, bodyLimitOf(policy, x.route)) }
    return bindBytes(plan, parts, route.codec, x.route.translate.unknownQuery)
  }
}

function bodyLimitOf(policy: Policy, route: Route): number {
  return route.bodyLimit ?? policy.listeners.public?.limits.bodyBytes ?? fallbackBodyLimit
}

function addressOf(policy: Policy, x: Steered): { readonly authority: string; readonly scheme: 'http' | 'https' } {
  const cluster = policy.clusters[x.destination.cluster]
  const subset = x.destination.subset === undefined ? undefined : cluster?.subsets[x.destination.subset]
  return { authority: subset?.authority ?? cluster?.authority ?? x.request.authority, scheme: cluster?.tls === undefined ? 'http' : 'https' }
}

async function nativeMessages(x: Steered, { rpc }: RpcMatch): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const { method, headers, body } = x.request
  if (method !== 'POST') throw new Fault('method_not_allowed', 'gRPC is called with POST', { headers: [['allow', 'POST']] })
  demandGrpc(headers)
  const limit = x.route.bodyLimit ?? messageLimit
  if (rpc.clientStream) return readFrames(body?.chunks() ?? nothing(), limit)
  // Five more for the prefix of the one frame.
  return onlyFrame((await body?.bytes(limit + 5)) ?? new Uint8Array(), limit)
}

async function* nothing(): AsyncIterable<Uint8Array> {}

/** The body where the rule has a place for it. A body that the rule has no place for is not read. */
async function bodyOf(x: Steered, plan: BindingPlan, limit: number): Promise<Parts['body']> {
  const { body, headers } = x.request
  if (plan.body.kind === 'none') return { kind: 'none' }
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

function jsonRoutes(policy: Policy): ReadonlyMap<string, JsonRoute> {
  const routes = new Map<string, JsonRoute>()
  const codecs = buildRouteCodecs(policy)
  for (const route of policy.routes) {
    const types = codecs.get(route.name)
    if (types === undefined || route.match.grpc === undefined) continue
    const plans = route.match.grpc.rpcs.flatMap((rpc) =>
      rpc.bindings.map((binding) => [planKey(rpc.path, binding), planBinding(types.registry, rpc, binding)] as const),
    )
    routes.set(route.name, { codec: types.codec, plans: new Map(plans) })
  }
  return routes
}

function planKey(rpc: string, { method, template }: HttpBinding): string {
  return `${rpc} ${method} ${template}`
}
