/**
 * What holds where a file is silent, as a file would say it, each with its reason. The only place for defaults of the format.
 */
export const defaults = {
  'listeners.public.protocols': { value: ['http/1.1', 'h2'], reason: 'both are safe behind the front guard, and gRPC needs h2' },
  'listeners.public.trustedProxies': { value: [], reason: 'nobody may speak for another address unless named' },
  'listeners.public.tls.clientAuth': { value: 'none', reason: 'tokens identify most downstreams' },
  'listeners.public.limits.headers': { value: '16KiB', reason: 'what Node and most proxies take; larger ones are attacks or cookies gone wrong' },
  'listeners.public.limits.headerCount': { value: 100, reason: 'browsers send about 20' },
  'listeners.public.limits.body': { value: '1MiB', reason: 'an API call; uploads say so on their route' },
  'listeners.public.limits.requests': { value: '30s', reason: 'a slow sender holds a connection no longer' },
  'listeners.public.limits.idle': { value: '60s', reason: 'a silent stream is a dead one' },

  'issuers.algorithms': { value: ['RS256', 'ES256'], reason: 'what identity providers sign with; asymmetric only' },
  'issuers.tokenTypes': { value: ['at+jwt', 'JWT'], reason: 'RFC 9068, and the providers that do not follow it yet' },
  'issuers.maxLifetime': { value: '24h', reason: 'a token that lives longer is a password' },
  'issuers.clockSkew': { value: '30s', reason: 'clocks kept by NTP differ by less' },
  'issuers.staleKeysFor': { value: '24h', reason: 'an identity provider that is down for a night must not take the API with it' },
  'issuers.scopeClaims': { value: ['scope', 'scp'], reason: 'RFC 8693, and what Entra and Okta send' },

  'issuers.proof.required': { value: 'none', reason: 'most tokens are bearer tokens' },
  'issuers.proof.maxAge': { value: '60s', reason: 'a proof is made for the request it comes with' },

  'tokens.algorithm': { value: 'ES256', reason: 'short signatures that every library verifies' },
  'tokens.lifetime': { value: '60s', reason: 'a token is made for a call, not for a session' },
  'tokens.type': { value: 'at+jwt', reason: 'RFC 9068' },
  'tokens.claims': { value: {}, reason: 'services learn what they are told on purpose' },
  'tokens.scopes': { value: 'none', reason: 'scopes were granted for the gateway' },
  'tokens.activateAfter': { value: '10m', reason: 'verifiers that keep a key set have read it again by then' },
  'tokens.publish': { value: false, reason: 'services read it inside' },

  'exchanges.auth': { value: 'client_secret_basic', reason: 'every server must take it (RFC 6749 section 2.3.1)' },
  'exchanges.scope': { value: [], reason: 'the server decides' },

  'clusters.sidecar': { value: 'none', reason: 'a mesh is something to be told about' },
  'clusters.protocol': { value: 'http', reason: 'every service speaks it' },
  'clusters.balance': { value: 'round_robin', reason: 'needs no figures to be fair' },
  'clusters.connectTimeout': { value: '1s', reason: 'a neighbour that takes longer to accept is not there' },
  'clusters.caps.requests': { value: 1024, reason: 'a slow service must not collect every request there is' },
  'clusters.weight': { value: 1, reason: 'endpoints are equal unless said otherwise' },

  'limits.burst': { value: 0, reason: 'the rate is the promise' },
  'limits.missing': { value: 'shared', reason: 'leaving a key part out must not lift the limit' },
  'limits.onStoreFailure': { value: 'local', reason: 'a dead store must neither open the gate nor close it' },
  'limits.mode': { value: 'enforce', reason: 'a limit limits' },

  'access.mode': { value: 'enforce', reason: 'a rule rules' },

  'routes.limits': { value: [], reason: 'limits are named on purpose' },
  'routes.timeout': { value: '15s', reason: 'longer than any healthy call, shorter than a person waits' },
  'routes.weight': { value: 100, reason: 'a single destination takes everything' },
  'routes.limits.cost': { value: 1, reason: 'a request is a request' },
  'routes.retry.attempts': { value: 1, reason: 'one more try meets most hiccups; more multiply an outage' },
  'routes.retry.on': { value: ['connect', 'unavailable'], reason: 'nothing was done upstream in these cases' },
  'routes.retry.budget': { value: '20%', reason: 'retries must not double the load on a failing service' },
  'routes.retry.methods': { value: ['GET', 'HEAD'], reason: 'safe to repeat (RFC 9110 section 9.2.1)' },
  'routes.retry.withIdempotencyKey': { value: ['POST', 'PATCH', 'PUT', 'DELETE'], reason: 'the key makes a repetition harmless' },
  'routes.retry.maxRetryAfter': { value: '10s', reason: 'a longer wait is for the downstream to decide' },
  'routes.handOn.token': { value: false, reason: 'a token is for the gateway; services get claims' },
  'routes.handOn.claims': { value: {}, reason: 'services learn what they are told on purpose' },
  'routes.handOn.header': { value: 'authorization', reason: 'where services look for a token' },
  'routes.allow': { value: [], reason: 'services disagree on what %2F and ";" mean in a path' },
  'routes.bindings': { value: [], reason: 'google.api.http in the descriptors says it' },
  'routes.translate.unknownQuery': { value: 'reject', reason: 'a misspelled parameter must not be ignored' },
  'routes.translate.emitDefaults': { value: false, reason: 'ProtoJSON leaves them out' },
  'routes.translate.enumsAsInts': { value: false, reason: 'ProtoJSON writes names' },
  'routes.translate.protoNames': { value: false, reason: 'ProtoJSON writes lowerCamelCase' },
  'routes.translate.ignoreUnknownFields': { value: false, reason: 'a misspelled field must not be ignored' },

  'callers.listener': { value: 'egress', reason: 'whoever reaches the loopback port is the workload beside it' },
  'callers.mayChooseEnv': { value: [], reason: 'choosing an environment is for testers' },

  'egress.callers': { value: [], reason: 'nobody calls out unless named' },
  'egress.allow': { value: [], reason: 'an allow-list is per vendor; without one every method and path may be asked for' },
  'egress.timeout.connect': { value: '3s', reason: 'a vendor is across the internet' },
  'egress.timeout.total': { value: '15s', reason: 'longer than any healthy call' },
  'egress.mask.headers': { value: ['authorization', 'cookie', 'proxy-authorization', 'set-cookie', 'x-api-key'], reason: 'these carry credentials' },
  'egress.mask.responses': { value: false, reason: 'rewriting an answer is asked for on purpose' },
  'egress.environments.allowAddresses': { value: [], reason: 'a third party has a public address' },
  'egress.environments.guardHosts': { value: [], reason: 'the target itself is always guarded' },
  'egress.environments.sharesAddressWithProd': { value: false, reason: 'two environments at one address are a mistake unless known' },
  'egress.environments.inject.format': { value: '{secret}', reason: 'the bare value' },
  'egress.environments.oauth2.auth': { value: 'client_secret_basic', reason: 'every server must take it (RFC 6749 section 2.3.1)' },
  'egress.environments.oauth2.scope': { value: [], reason: 'the server decides' },

  'mocks.status': { value: 200, reason: 'a mock answers well unless told otherwise' },
  'mocks.headers': { value: {}, reason: 'the content type comes from the answer' },
  'mocks.delay': { value: '0ms', reason: 'tests are not kept waiting' },
  'mocks.body': { value: {}, reason: 'any body' },
} as const satisfies Readonly<Record<string, { readonly value: unknown; readonly reason: string }>>

export type DefaultName = keyof typeof defaults
