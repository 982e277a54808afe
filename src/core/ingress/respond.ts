import type { Registry } from '@bufbuild/protobuf'
import type { GrpcReply, HttpReply, Reply } from '../model/call.ts'
import { addCors } from '../model/cors.ts'
import { certain, type Dialect, dialectOf, plainHttp } from '../model/dialect.ts'
import type { Arrived, Translated } from '../model/exchange.ts'
import type { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import { problemAnswer } from '../model/problem.ts'
import { rateLimitHeaders } from '../model/reading.ts'
import type { Fields, Outbound } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { buildRouteCodecs } from '../protobuf.ts'
import { connectAnswer, connectFault } from './respond/connect.ts'
import { webAnswer, webFault } from './respond/grpc-web.ts'
import { passedOn, withExchange } from './respond/headers.ts'
import { nativeAnswer, nativeFault } from './respond/native.ts'
import { packedAnswer } from './respond/pack.ts'
import { buildRender, type Render } from './respond/render.ts'
import { buildNameResource } from './respond/resource.ts'
import { socketAnswer, socketFault } from './respond/socket.ts'
import { streamAnswer } from './respond/stream.ts'
import { unaryAnswer } from './respond/unary.ts'

export type Respond = (x: Translated, reply: Reply) => Outbound | Promise<Outbound>
export type Rescue = (last: Arrived & Partial<Translated>, fault: Fault) => Outbound

/**
 * Turns an upstream's reply into the answer, in the dialect of the request: HTTP as it is, gRPC, gRPC-Web and Connect framed again,
 * JSON for what came as JSON, compressed where the request takes that and it pays. @throws Fault `upstream_protocol` when the reply makes no sense
 */
export function buildRespond(policy: Policy, { clock, compression }: Pick<Ports, 'clock' | 'compression'>): Respond {
  const types = buildRouteCodecs(policy)
  const renders = buildRenders(policy, types)
  const nameResource = buildNameResource(policy)

  return function respond(x, reply) {
    const made = answer(x, reply)
    return made instanceof Promise ? made.then((whole) => withCors(x, whole)) : withCors(x, made)
  }

  function answer(x: Translated, reply: Reply): Outbound | Promise<Outbound> {
    // A challenge in an HTTP answer is the service's own.
    if (reply.kind === 'http') return { ...reply, headers: withExchange(passedOn(reply.headers), x), trailers: trailersOf(reply) }
    const made = grpcAnswer(x, reply)
    return made instanceof Promise ? made.then((one) => nameResource(x.route, one)) : nameResource(x.route, made)
  }

  function grpcAnswer(x: Translated, reply: GrpcReply): Outbound | Promise<Outbound> {
    const { rpc } = x
    if (rpc?.binding === undefined) return callAnswer(x, reply)
    const registry = types.get(x.route.name)?.registry
    const render = renders.get(renderKey(x.route.name, rpc.rpc.path, rpc.binding.responseBody))
    if (render === undefined || registry === undefined) throw new Error(`no types for ${rpc.rpc.path}`)
    if (x.arrival.socket !== undefined) return socketAnswer(x, reply, render, registry)
    return rpc.rpc.serverStream ? streamAnswer(x, reply, render, registry, clock) : jsonAnswer(x, reply, render, registry)
  }

  async function jsonAnswer(x: Translated, reply: GrpcReply, render: Render, registry: Registry): Promise<Outbound> {
    const answer = await unaryAnswer(x, reply, render, registry)
    // Other bytes of google.api.HttpBody are what they are: most of them are compressed already.
    return isJson(answer.headers) ? packedAnswer(x.request, answer, compression) : answer
  }

  function callAnswer(x: Translated, reply: GrpcReply): Outbound | Promise<Outbound> {
    const { dialect, rpc } = x
    if (dialect.kind === 'http') throw new Error('a call without a binding speaks no dialect')
    const own = types.get(x.route.name)
    const output = own?.registry.getMessage(rpc?.rpc.output ?? '')
    if (own === undefined || output === undefined) throw new Error(`no types for ${rpc?.rpc.path}`)
    const written = dialect.codec === 'json' ? (message: Uint8Array) => utf8.encode(own.codec.toText(output, message)) : same
    if (dialect.kind === 'grpc-web') return webAnswer(x, reply, dialect, { compression, written })
    if (dialect.kind === 'grpc') return nativeAnswer(x, reply, dialect, { compression, written })
    return connectAnswer(x, reply, dialect, { registry: own.registry, compression, written })
  }
}

const utf8 = new TextEncoder()
const same = (message: Uint8Array) => message

/** The only place of the ingress wing where a fault becomes an answer, in the downstream's dialect. */
export function buildRescue(policy: Policy): Rescue {
  const showRule = policy.environmentClass === 'nonprod'
  const nameResource = buildNameResource(policy)

  return function rescue(last, fault) {
    const method = last.request?.method ?? last.arrival.method
    const answer = faultAnswer(last, fault, method === 'HEAD')
    for (const [name, value] of rateLimitHeaders(last.readings ?? [])) if (!answer.headers.has(name)) answer.headers.set(name, value)
    // A preflight that is not granted is none of the answers that a script may read.
    return fault.code === 'cors_denied' ? answer : withCors(last, nameResource(last.route, answer))
  }

  function faultAnswer(last: Arrived & Partial<Translated>, fault: Fault, head: boolean): Outbound & { readonly headers: FieldList } {
    if (last.arrival.socket?.opened === true) return socketFault(fault)
    const dialect = last.dialect ?? dialectOfArrival(last)
    if (dialect.kind === 'grpc') return nativeFault(fault, last.id, dialect)
    if (dialect.kind === 'grpc-web') return webFault(fault, last.id, dialect)
    if (dialect.kind === 'connect') return connectFault(fault, last.id, dialect, head)
    return problemAnswer(fault, { id: last.id, showRule, head })
  }
}

/** What the mesh and the service say to the gateway stays here at the end of an answer too. */
function trailersOf({ trailers }: HttpReply): HttpReply['trailers'] {
  return trailers === undefined ? undefined : () => passedOn(trailers())
}

/** Every answer of a route that has CORS settings says what they say, so that scripts can read errors too. */
function withCors(x: Arrived & Partial<Translated>, answer: Outbound): Outbound {
  const cors = x.route?.cors
  if (cors === undefined || x.request === undefined) return answer
  const headers = addCors(new FieldList(answer.headers.entries()), cors, { method: x.request.method, origins: x.request.headers.all('origin') })
  return { ...answer, headers }
}

/** What a request spoke that was refused before its route was looked for. */
function dialectOfArrival({ arrival }: Arrived): Dialect {
  if (arrival.socket !== undefined) return plainHttp
  const { method, target, rawHeaders } = arrival
  const mark = target.indexOf('?')
  return certain(dialectOf({ method, headers: FieldList.fromRaw(rawHeaders), query: mark < 0 ? '' : target.slice(mark + 1) }))
}

function buildRenders(policy: Policy, types: ReturnType<typeof buildRouteCodecs>): ReadonlyMap<string, Render> {
  const renders = new Map<string, Render>()
  for (const route of policy.routes) {
    const own = types.get(route.name)
    if (own === undefined) continue
    for (const rpc of route.match.grpc?.rpcs ?? []) {
      for (const { responseBody } of rpc.bindings) {
        renders.set(renderKey(route.name, rpc.path, responseBody), buildRender(own, rpc.output, responseBody, route.translate))
      }
    }
  }
  return renders
}

function isJson(headers: Fields): boolean {
  return /^application\/(?:[^;]*\+)?json\s*(?:;|$)/i.test(headers.get('content-type') ?? '')
}

function renderKey(route: string, rpc: string, responseBody: string): string {
  return `${route} ${rpc} ${responseBody}`
}
