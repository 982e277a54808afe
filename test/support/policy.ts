import type { Route } from '../../src/core/model/route.ts'
import type { Policy } from '../../src/core/policy/policy.ts'

/** A linked policy without any object, for `dev`; what is given takes its place. */
export function emptyPolicy(given: Partial<Policy> = {}): Policy {
  return {
    revision: 'rev0',
    environment: 'dev',
    environmentClass: 'nonprod',
    environments: ['dev'],
    listeners: { public: undefined, egress: undefined, admin: undefined },
    store: { redis: undefined },
    debug: { key: undefined },
    tokens: {},
    exchanges: {},
    resources: {},
    issuers: {},
    apiKeys: {},
    certificates: {},
    clusters: {},
    limits: {},
    deciders: {},
    access: {},
    routes: [],
    callers: {},
    egress: {},
    guards: [],
    descriptors: {},
    ...given,
  }
}

/** A plain route that takes everything under `/`; what is given takes its place. */
export function plainRoute(name: string, given: Partial<Route> = {}): Route {
  return {
    name,
    quarantined: undefined,
    match: { hosts: [], path: '/{**}', grpc: undefined, methods: [], headers: [], query: [] },
    access: [],
    limits: [],
    timeoutMs: 15_000,
    retry: undefined,
    sticky: undefined,
    split: [{ cluster: name, subset: undefined, weight: 100, pin: undefined }],
    handOn: { token: false, claims: [] },
    allow: { encodedSlash: false, semicolon: false },
    bodyLimit: undefined,
    translate: { unknownQuery: 'reject', emitDefaults: false, enumsAsInts: false, protoNames: false, ignoreUnknownFields: false },
    ...given,
  }
}
