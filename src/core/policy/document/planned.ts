/*
 * What the design of the format holds and this version does not do. Such a key is refused with a sentence of its own,
 * never ignored: a policy that says more than the gateway does would be believed.
 */

interface Planned {
  /** Where it may stand: the dotted path of the mapping around the key. */
  readonly at: RegExp
  readonly what: string
  readonly instead?: string
}

const anywhere = /(?:)/
const authenticate = /\.authenticate\b/
const route = /^routes\.[^.]+$/
const egress = /^egress\.[^.]+$/
const limit = /^limits\.[^.]+$/

const jwtOnly = 'Authenticate with `jwt:` and the name of an issuer.'

const keys: Readonly<Record<string, readonly Planned[]>> = {
  dpop: [{ at: authenticate, what: 'DPoP as a credential of its own', instead: 'Write jwt: and proof: { required: dpop } at the issuer.' }],
  session: [{ at: authenticate, what: 'Browser sessions', instead: jwtOnly }],
  ask: [
    {
      at: /\.rules\.\d+(?:\.(?:allow|deny|audit))?$/,
      what: 'Asking a decision point for one rule',
      instead: 'Write ask: beside rules:, for all that they allow.',
    },
  ],
  claims: [{ at: /^routes\.[^.]+\.match$/, what: 'Choosing a route by claims', instead: 'Pin a destination by claims, or write an access rule.' }],
  hedge: [{ at: egress, what: 'Hedging calls to third parties', instead: 'Write retry.' }],
  compose: [{ at: route, what: 'Composing several calls' }],
  cache: [{ at: /^(?!egress\.[^.]+$)/, what: 'Caching of answers', instead: 'Calls to third parties can be cached: write cache: on an egress service.' }],
  concurrency: [{ at: route, what: 'A concurrency limit of its own', instead: 'Write a limit with concurrent: 20; concurrency: adaptive protects a cluster.' }],
  quota: [{ at: /^(?!egress\.[^.]+$)/, what: 'A quota of its own', instead: 'Write a limit with quota: 10000/month.' }],
  quotas: [{ at: anywhere, what: 'A section for quotas', instead: 'Write a limit with quota: 10000/month.' }],
  openapi: [{ at: anywhere, what: 'OpenAPI as a source of routes', instead: 'A mock may be such a document: write mock: and its path.' }],
  redirects: [{ at: egress, what: 'Following redirects', instead: 'Redirects are passed to the caller.' }],
  xds: [{ at: /\.endpoints$/, what: 'Endpoints from xDS', instead: 'Use static, file, dns, srv, consul or kubernetes.' }],
  cost: [{ at: limit, what: 'Costs on a limit', instead: 'Write limits: [{ name, cost }] on the route.' }],
}

/** The sentence for a planned key in the mapping at `path`, or undefined. */
export function plannedKey(path: string, key: string): { readonly message: string; readonly hint: string } | undefined {
  const planned = Object.hasOwn(keys, key) ? keys[key]?.find(({ at }) => at.test(path)) : undefined
  if (planned === undefined) return undefined
  return { message: `${planned.what} ("${key}") is not available in this version.`, hint: planned.instead ?? 'Remove it.' }
}
