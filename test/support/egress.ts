import type { HttpCall, HttpReply } from '../../src/core/model/call.ts'
import type { Credential } from '../../src/core/model/credential.ts'
import type { EgressService } from '../../src/core/model/egress-service.ts'
import type { EgressTarget, LiveTarget } from '../../src/core/model/egress-target.ts'
import type { Credentialed } from '../../src/core/model/exchange.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { MockAnswer } from '../../src/core/model/mock-book.ts'
import type { SecretRule } from '../../src/core/model/secret-rule.ts'
import type { Caller } from '../../src/core/policy/linked/callers.ts'
import type { GuardHost, LinkedEgress } from '../../src/core/policy/linked/egress.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import type { Upstream } from '../../src/core/upstream.ts'

export type OAuth2 = Extract<Credential, { kind: 'oauth2' }>

/** A linked policy for the egress wing: environments dev and test (process: dev), callers and services as given. */
export function egressPolicy(given: {
  readonly services?: readonly LinkedEgress[]
  readonly callers?: readonly Caller[]
  readonly guards?: readonly GuardHost[]
  readonly environmentClass?: 'nonprod' | 'prod'
  readonly environment?: string
  readonly environments?: readonly string[]
  readonly listeners?: Partial<Policy['listeners']>
}): Policy {
  const { services = [], callers = [caller('checkout')], environmentClass = 'nonprod' } = given
  const environments = given.environments ?? (environmentClass === 'prod' ? ['prod'] : ['dev', 'test'])
  return {
    revision: 'rev-1',
    environment: given.environment ?? environments[0] ?? '',
    environmentClass,
    environments,
    listeners: {
      public: undefined,
      egress: { address: { host: '127.0.0.1', port: 9100 } },
      admin: { address: { host: '127.0.0.1', port: 9901 } },
      ...given.listeners,
    },
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
    callers: Object.fromEntries(callers.map((one) => [one.name, one])),
    egress: Object.fromEntries(services.map((one) => [one.service.name, one])),
    guards: given.guards ?? [],
    descriptors: {},
  }
}

export function caller(name: string, rest: Partial<Caller> = {}): Caller {
  return { name, listener: 'egress', environment: undefined, mayChooseEnv: [], ...rest }
}

/** A service that `checkout` may call in every way, by port 9101 and by host. */
export function service(name: string, rest: Partial<EgressService> = {}): EgressService {
  return {
    name,
    quarantined: undefined,
    listen: undefined,
    host: `${name}.egress.internal`,
    callers: ['checkout'],
    allow: [],
    connectTimeoutMs: 1000,
    timeoutMs: 10_000,
    retry: undefined,
    mask: { headers: [], jsonPaths: [], responses: false },
    ...rest,
  }
}

export function live(environment: string, url: string, rest: Partial<LiveTarget> = {}): LiveTarget {
  const { protocol, hostname, port, pathname, origin } = new URL(url)
  const scheme = protocol === 'http:' ? 'http' : 'https'
  return {
    mode: 'live',
    environment,
    origin,
    scheme,
    host: hostname.startsWith('[') ? hostname.slice(1, -1) : hostname,
    port: port === '' ? (scheme === 'https' ? 443 : 80) : Number(port),
    basePath: pathname === '/' ? '' : pathname,
    credential: undefined,
    allowAddresses: [],
    sharesAddressWithProd: false,
    ca: undefined,
    ...rest,
  }
}

export function linked(of: EgressService, ...targets: readonly EgressTarget[]): LinkedEgress {
  return { service: of, targets: Object.fromEntries(targets.map((target) => [target.environment, target])) }
}

export function secretRule(reference: string, rest: Partial<SecretRule> = {}): SecretRule {
  return { reference, pattern: undefined, forbidPattern: undefined, ...rest }
}

/** Tokens of the client `shop`, by its secret. */
export function oauth2(tokenUrl: string, reference: string, rest: Partial<OAuth2> = {}): OAuth2 {
  return {
    kind: 'oauth2',
    subject: 'client',
    tokenUrl,
    clientId: 'shop',
    auth: 'client_secret_basic',
    secret: secretRule(reference),
    keyId: undefined,
    issuer: undefined,
    certificate: undefined,
    ca: undefined,
    scope: [],
    audience: undefined,
    resource: [],
    ...rest,
  }
}

export function bearer(reference: string, rest: Partial<SecretRule> = {}): Credential {
  return { kind: 'header', header: 'authorization', format: 'Bearer {secret}', secret: secretRule(reference, rest) }
}

export function mockAnswer(rest: Partial<MockAnswer>): MockAnswer {
  return { methods: [], path: '/{**}', body: {}, status: 200, headers: [], answer: '{}', delayMs: 0, ...rest }
}

export interface FakeVendor extends Upstream {
  readonly calls: HttpCall[]
  readonly sent: Credentialed[]
}

/** A vendor behind `forwardOut` that keeps every call and answers as told (200 and no body otherwise). */
export function fakeVendor(answer: (call: HttpCall) => Partial<HttpReply> = () => ({})): FakeVendor {
  const calls: HttpCall[] = []
  const sent: Credentialed[] = []
  return {
    calls,
    sent,
    forward: () => Promise.reject(new Error('the egress wing never forwards inwards')),
    consult: () => Promise.reject(new Error('the egress wing asks nobody')),
    async forwardOut(x) {
      const call = x.seal === undefined ? x.call : await x.seal(x.call)
      calls.push(call)
      sent.push(x as Credentialed)
      Object.assign(x, { sent: { endpoint: `${x.target.host}:${x.target.port}`, attempts: 1, startedAt: 0 } })
      return { kind: 'http', status: 200, headers: new FieldList(), body: undefined, ...answer(call) }
    },
    close: async () => {},
  }
}

/** The whole body of an answer as text. */
export async function textOf(body: Uint8Array | AsyncIterable<Uint8Array> | undefined): Promise<string> {
  if (body === undefined) return ''
  const decoder = new TextDecoder()
  if (body instanceof Uint8Array) return decoder.decode(body)
  let text = ''
  for await (const chunk of body) text += decoder.decode(chunk, { stream: true })
  return text + decoder.decode()
}
