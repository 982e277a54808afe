import type { GrpcReply, Reply } from '../model/call.ts'
import { certain, type Dialect, dialectOf } from '../model/dialect.ts'
import type { Arrived, Translated } from '../model/exchange.ts'
import type { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import { problemAnswer } from '../model/problem.ts'
import { rateLimitHeaders } from '../model/reading.ts'
import type { Outbound } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { buildRouteCodecs } from '../protobuf.ts'
import { connectAnswer, connectFault } from './respond/connect.ts'
import { webAnswer, webFault } from './respond/grpc-web.ts'
import { passedOn, withExchange } from './respond/headers.ts'
import { nativeAnswer, nativeFault } from './respond/native.ts'
import { buildRender, type Render } from './respond/render.ts'
import { buildNameResource } from './respond/resource.ts'
import { streamAnswer } from './respond/stream.ts'
import { unaryAnswer } from './respond/unary.ts'

export type Respond = (x: Translated, reply: Reply) => Outbound | Promise<Outbound>
export type Rescue = (last: Arrived & Partial<Translated>, fault: Fault) => Outbound

/**
 * Turns an upstream's reply into the answer, in the dialect of the request: HTTP as it is, gRPC, gRPC-Web and Connect framed again,
 * JSON for what came as JSON. @throws Fault `upstream_protocol` when the reply makes no sense
 */
export function buildRespond(policy: Policy, { clock }: Pick<Ports, 'clock'>): Respond {
  const types = buildRouteCodecs(policy)
  const renders = buildRenders(policy, types)
  const nameResource = buildNameResource(policy)

  return function respond(x, reply) {
    // A challenge in an HTTP answer is the service's own.
    if (reply.kind === 'http') return { ...reply, headers: withExchange(passedOn(reply.headers), x) }
    const answer = grpcAnswer(x, reply)
    return answer instanceof Promise ? answer.then((one) => nameResource(x.route, one)) : nameResource(x.route, answer)
  }

  function grpcAnswer(x: Translated, reply: GrpcReply): Outbound | Promise<Outbound> {
    const { rpc } = x
    if (rpc?.binding === undefined) return callAnswer(x, reply)
    const registry = types.get(x.route.name)?.registry
    const render = renders.get(renderKey(x.route.name, rpc.rpc.path, rpc.binding.responseBody))
    if (render === undefined || registry === undefined) throw new Error(`no types for ${rpc.rpc.path}`)
    return rpc.rpc.serverStream ? streamAnswer(x, reply, render, registry, clock) : unaryAnswer(x, reply, render, registry)
  }

  function callAnswer(x: Translated, reply: GrpcReply): Outbound | Promise<Outbound> {
    const { dialect, rpc } = x
    if (dialect.kind === 'grpc-web') return webAnswer(x, reply, dialect)
    if (dialect.kind !== 'connect') return nativeAnswer(x, reply)
    const own = types.get(x.route.name)
    const output = own?.registry.getMessage(rpc?.rpc.output ?? '')
    if (own === undefined || output === undefined) throw new Error(`no types for ${rpc?.rpc.path}`)
    return connectAnswer(x, reply, dialect, { output, ...own })
  }
}

/** The only place of the ingress wing where a fault becomes an answer, in the downstream's dialect. */
export function buildRescue(policy: Policy): Rescue {
  const showRule = policy.environmentClass === 'nonprod'
  const nameResource = buildNameResource(policy)

  return function rescue(last, fault) {
    const method = last.request?.method ?? last.arrival.method
    const answer = faultAnswer(last, fault, method === 'HEAD')
    for (const [name, value] of rateLimitHeaders(last.readings ?? [])) if (!answer.headers.has(name)) answer.headers.set(name, value)
    return nameResource(last.route, answer)
  }

  function faultAnswer(last: Arrived & Partial<Translated>, fault: Fault, head: boolean): Outbound & { readonly headers: FieldList } {
    const dialect = last.dialect ?? dialectOfArrival(last)
    if (dialect.kind === 'grpc') return nativeFault(fault, last.id)
    if (dialect.kind === 'grpc-web') return webFault(fault, last.id, dialect)
    if (dialect.kind === 'connect') return connectFault(fault, last.id, dialect, head)
    return problemAnswer(fault, { id: last.id, showRule, head })
  }
}

/** What a request spoke that was refused before its route was looked for. */
function dialectOfArrival({ arrival }: Arrived): Dialect {
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

function renderKey(route: string, rpc: string, responseBody: string): string {
  return `${route} ${rpc} ${responseBody}`
}
