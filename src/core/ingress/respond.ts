import type { Reply } from '../model/call.ts'
import type { Arrived, Translated } from '../model/exchange.ts'
import type { Fault } from '../model/fault.ts'
import { problemAnswer } from '../model/problem.ts'
import { rateLimitHeaders } from '../model/reading.ts'
import type { Outbound } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { buildRouteCodecs } from '../protobuf.ts'
import { passedOn, withExchange } from './respond/headers.ts'
import { isNativeGrpc, nativeAnswer, nativeFault } from './respond/native.ts'
import { buildRender, type Render } from './respond/render.ts'
import { streamAnswer } from './respond/stream.ts'
import { unaryAnswer } from './respond/unary.ts'

export type Respond = (x: Translated, reply: Reply) => Outbound | Promise<Outbound>
export type Rescue = (last: Arrived & Partial<Translated>, fault: Fault) => Outbound

/**
 * Turns an upstream's reply into the answer, in the dialect of the request: HTTP as it is, gRPC framed again, JSON for what came
 * as JSON. @throws Fault `upstream_protocol` when the reply makes no sense
 */
export function buildRespond(policy: Policy, { clock }: Pick<Ports, 'clock'>): Respond {
  const types = buildRouteCodecs(policy)
  const renders = buildRenders(policy, types)

  return function respond(x, reply) {
    if (reply.kind === 'http') return { ...reply, headers: withExchange(passedOn(reply.headers), x) }
    const { rpc } = x
    if (rpc?.binding === undefined) return nativeAnswer(x, reply)
    const registry = types.get(x.route.name)?.registry
    const render = renders.get(renderKey(x.route.name, rpc.rpc.path, rpc.binding.responseBody))
    if (render === undefined || registry === undefined) throw new Error(`no types for ${rpc.rpc.path}`)
    return rpc.rpc.serverStream ? streamAnswer(x, reply, render, registry, clock) : unaryAnswer(x, reply, render, registry)
  }
}

/** The only place of the ingress wing where a fault becomes an answer, in the downstream's dialect. */
export function buildRescue(policy: Policy): Rescue {
  const showRule = policy.environmentClass === 'nonprod'

  return function rescue(last, fault) {
    const method = last.request?.method ?? last.arrival.method
    const answer = isNativeGrpc(last) ? nativeFault(fault, last.id) : problemAnswer(fault, { id: last.id, showRule, head: method === 'HEAD' })
    for (const [name, value] of rateLimitHeaders(last.readings ?? [])) if (!answer.headers.has(name)) answer.headers.set(name, value)
    return answer
  }
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
