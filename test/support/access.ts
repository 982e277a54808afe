import type { Identified, Matched } from '../../src/core/model/exchange.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Principal, Subject } from '../../src/core/model/principal.ts'
import type { Route } from '../../src/core/model/route.ts'
import type { RpcMatch } from '../../src/core/model/rpc.ts'
import type { AccessPolicy, Matcher, Requirement, Rule } from '../../src/core/policy/linked/access.ts'
import type { Issuer } from '../../src/core/policy/linked/issuers.ts'
import type { Policy } from '../../src/core/policy/policy.ts'

/** A linked policy of access policies and issuers alone. */
export function accessPolicy(access: readonly AccessPolicy[], issuers: readonly Issuer[] = []): Policy {
  return {
    revision: 'test',
    environment: 'dev',
    environmentClass: 'nonprod',
    environments: ['dev'],
    listeners: { public: undefined, egress: undefined, admin: undefined },
    store: { redis: undefined },
    debug: { key: undefined },
    tokens: {},
    exchanges: {},
    resources: {},
    issuers: Object.fromEntries(issuers.map((issuer) => [issuer.name, issuer])),
    apiKeys: {},
    certificates: {},
    clusters: {},
    limits: {},
    deciders: {},
    access: Object.fromEntries(access.map((policy) => [policy.name, policy])),
    routes: [],
    callers: {},
    egress: {},
    guards: [],
    descriptors: {},
  }
}

/** An access policy; without a requirement it wants a token of `main`. */
export function access(name: string, rules: readonly Rule[], authenticate: Requirement = { kind: 'jwt', name: 'main' }): AccessPolicy {
  return { name, quarantined: undefined, authenticate, rules }
}

/** A rule of one effect; `matcher` names what it restricts. */
export function rule(id: string, effect: Rule['effect'], matcher: Partial<Matcher> = {}, more: Partial<Pick<Rule, 'mode' | 'when' | 'reason'>> = {}): Rule {
  return { id, effect, mode: 'enforce', when: undefined, reason: undefined, ...more, matcher: { ...openMatcher, ...matcher } }
}

const openMatcher: Matcher = {
  anonymous: false,
  methods: undefined,
  paths: undefined,
  grpc: undefined,
  hosts: undefined,
  issuers: undefined,
  scopes: undefined,
  claims: undefined,
  clients: undefined,
  cidrs: undefined,
  headers: undefined,
  times: undefined,
  tls: undefined,
}

export interface MatchedOptions {
  readonly method?: string
  readonly path?: string
  readonly query?: string
  readonly host?: string
  readonly headers?: readonly (readonly [string, string])[]
  /** What `receive` put aside of headers that hold API keys. */
  readonly keys?: readonly (readonly [string, string])[]
  readonly params?: Readonly<Record<string, string>>
  /** `package.Service/Method` */
  readonly rpc?: string
  readonly client?: string
  readonly route?: Route
}

/** A matched request, with the slots that identify and authorize read. */
export function matched(policies: readonly string[], options: MatchedOptions = {}): Matched {
  const { method = 'GET', path = '/v1/orders/7', query = '', host = 'api.example.com', client = '192.0.2.1' } = options
  const slots = {
    id: 'r1',
    lifeline: new Lifeline(),
    listener: 'public',
    request: {
      method,
      scheme: 'https',
      authority: host,
      host,
      target: { path, query, encodedSlash: false, semicolon: false },
      headers: new FieldList(options.headers ?? []),
      body: undefined,
    },
    keyFields: options.keys ?? [],
    client: { address: client, network: `${client}/32`, certificate: undefined },
    route: options.route ?? testRoute(policies),
    params: Object.assign(Object.create(null), options.params),
    rpc: options.rpc === undefined ? undefined : rpcMatch(options.rpc),
  }
  return slots as unknown as Matched // the other slots belong to other rooms
}

/** A route with these access policies. */
export function testRoute(policies: readonly string[], changes: Partial<Route> = {}): Route {
  const route = { name: 'orders', quarantined: undefined, access: policies, ...changes }
  return route as unknown as Route // the other members belong to other rooms
}

function rpcMatch(name: string): RpcMatch {
  const [service = '', method = ''] = name.split('/')
  const rpc = { service, method, path: `/${name}`, input: '', output: '', clientStream: false, serverStream: false, bindings: [] }
  return { rpc, binding: undefined }
}

export interface Who {
  readonly issuer?: string
  readonly subject?: string
  readonly clientId?: string
  readonly scopes?: readonly string[]
  readonly claims?: Readonly<Record<string, unknown>>
}

/** Somebody with a token of `main`. */
export function subject({ issuer = 'main', subject: name = 'u1', clientId, scopes = [], claims = {} }: Who = {}): Subject {
  return { kind: 'subject', by: 'jwt', issuer, subject: name, clientId, scopes: new Set(scopes), claims: Object.assign(Object.create(null), claims) }
}

/** A request whose principal is known. */
export function exchange(principal: Principal, policies: readonly string[], options: MatchedOptions = {}): Identified {
  return Object.assign(matched(policies, options), { principal })
}
