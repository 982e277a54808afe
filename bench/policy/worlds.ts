import type { Identified, Matched } from '../../src/core/model/exchange.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Subject } from '../../src/core/model/principal.ts'
import type { Route } from '../../src/core/model/route.ts'
import { loadPolicy } from '../../src/core/policy/load.ts'
import type { Policy } from '../../src/core/policy/policy.ts'

/** A policy and a request to its route. */
export interface World {
  readonly policy: Policy
  request(): Identified
}

const head = `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { public: { address: 127.0.0.1:8080 } }
issuers: { main: { issuer: "https://idp.example.com", audiences: [https://api.example.com], algorithms: [ES256], tokenTypes: [at+jwt] } }
clusters: { web: { address: 127.0.0.1:15001 } }
`

/** Two rules for each route, one that allows and one that denies, all in one policy that every route uses. */
export function manyRules(rules: number): Promise<World> {
  const routes = rules / 2
  const names = Array.from({ length: routes }, (_, i) => i)
  const list = names.flatMap((i) => [
    `      - { id: read-${i}, allow: { methods: [GET], paths: ["/things-${i}/{id}"], scopes: [read] } }`,
    `      - { id: not-${i}, deny: { paths: ["/things-${i}/{id}"], clients: [old-app] } }`,
  ])
  const asked = Math.floor(routes / 2)
  const text = `${head}access:
  all:
    authenticate: { jwt: main }
    rules:
${list.join('\n')}
routes:
${names.map((i) => `  things-${i}: { match: { path: "/things-${i}/{id}" }, access: all, to: web }`).join('\n')}
`
  return world(text, `things-${asked}`, `/things-${asked}/7`)
}

/** One rule; `more` is what stands beside its effect. */
export function oneRule(allow: string, more = ''): Promise<World> {
  const rule = `{ id: read, allow: { ${allow} }${more} }`
  return world(
    `${head}access: { all: { authenticate: { jwt: main }, rules: [${rule}] } }\nroutes: { things: { match: { path: "/things/{id}" }, access: all, to: web } }\n`,
    'things',
    '/things/7',
  )
}

async function world(text: string, route: string, path: string): Promise<World> {
  const { policy, diagnostics } = await loadPolicy({ files: [{ path: 'a.yaml', text }], asset: () => undefined, environment: 'dev', variable: () => undefined })
  const found = policy?.routes.find(({ name }) => name === route)
  if (policy === undefined || found === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'))
  return { policy, request: () => requestTo(found, path) }
}

const claims = { iss: 'https://idp.example.com', sub: 'ada', tenant: 'red', plan: 'pro', scope: 'read write' }
const ada: Subject = { kind: 'subject', by: 'jwt', issuer: 'main', subject: 'ada', clientId: 'web', scopes: new Set(['read', 'write']), claims }

/** As `identify` hands it on; the slots of rooms that come later are left out. */
function requestTo(route: Route, path: string): Identified {
  return { ...matchedTo(route, path, []), principal: ada }
}

/** As `match` hands it on. */
export function matchedTo(route: Route, path: string, headers: readonly (readonly [string, string])[]): Matched {
  const slots = {
    lifeline: new Lifeline(),
    deadline: Number.POSITIVE_INFINITY,
    // It is used for as long as the bench runs, which no route gives a request.
    receivedAt: Number.MAX_SAFE_INTEGER / 2,
    id: 'r1',
    listener: 'public',
    request: {
      method: 'GET',
      scheme: 'https',
      authority: 'api.example.com',
      host: 'api.example.com',
      target: { path, query: '', encodedSlash: false, semicolon: false },
      headers: new FieldList([['accept', '*/*'], ['user-agent', 'bench'], ...headers]),
      body: undefined,
    },
    client: { address: '192.0.2.1', network: '192.0.2.1/32', certificate: undefined, connection: {} },
    route,
    params: Object.assign(Object.create(null), { id: '7' }),
    rpc: undefined,
    screenedAt: undefined,
  }
  return slots as unknown as Matched // the rooms under test read no other slot
}
