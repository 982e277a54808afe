import type { Route, RouteMatch } from '../../src/core/model/route.ts'
import type { HttpBinding, Rpc } from '../../src/core/model/rpc.ts'
import type { PublicListener } from '../../src/core/policy/linked/listeners.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { emptyPolicy } from './policy.ts'

/** A nonprod policy with a public listener and nothing else. */
export function testPolicy(given: Partial<Policy> = {}): Policy {
  return emptyPolicy({ revision: '0123456789abcdef', listeners: { public: testListener(), egress: undefined, admin: undefined }, ...given })
}

/** A plaintext listener with the default limits that trusts no proxy. */
export function testListener(given: Partial<PublicListener> = {}): PublicListener {
  return {
    address: { host: '127.0.0.1', port: 0 },
    protocols: ['http/1.1', 'h2'],
    tls: undefined,
    trustedProxies: [],
    limits: { headerBytes: 16_384, headerCount: 100, bodyBytes: 1_048_576, requestMs: 30_000, idleMs: 60_000 },
    ...given,
  }
}

/** A route that takes any request of the given match and sends it to the cluster `backend`. */
export function testRoute(name: string, match: Partial<RouteMatch>, given: Partial<Omit<Route, 'name' | 'match'>> = {}): Route {
  return {
    name,
    quarantined: undefined,
    match: { hosts: [], path: undefined, grpc: undefined, methods: [], headers: [], query: [], ...match },
    access: [],
    limits: [],
    timeoutMs: 15_000,
    retry: undefined,
    sticky: undefined,
    split: [{ cluster: 'backend', subset: undefined, weight: 100, pin: undefined }],
    handOn: { token: false, claims: [] },
    allow: { encodedSlash: false, semicolon: false },
    bodyLimit: undefined,
    translate: { unknownQuery: 'reject', emitDefaults: false, enumsAsInts: false, protoNames: false, ignoreUnknownFields: false },
    ...given,
  }
}

/** A unary RPC of `package.Service`; a binding is written `GET /v1/x/{id}`, with `body: *` where the method has one. */
export function testRpc(service: string, method: string, bindings: readonly string[] = [], given: Partial<Rpc> = {}): Rpc {
  return {
    service,
    method,
    path: `/${service}/${method}`,
    input: `${service}${method}Request`,
    output: `${service}${method}Response`,
    clientStream: false,
    serverStream: false,
    bindings: bindings.map(testBinding),
    ...given,
  }
}

function testBinding(text: string): HttpBinding {
  const [method = '', template = ''] = text.split(' ')
  return { method, template, body: ['POST', 'PUT', 'PATCH'].includes(method) ? '*' : '', responseBody: '' }
}
