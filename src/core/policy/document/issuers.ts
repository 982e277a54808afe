import * as z from 'zod'
import { defaulted, describe, section } from './build.ts'
import { durationBetween, safeUrl, secret, text } from './fields.ts'

const algorithm = z.enum(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'])

const introspection = z.strictObject({
  url: describe(safeUrl.optional(), 'The endpoint; without it, the `introspection_endpoint` that discovery names.'),
  clientId: describe(text, 'As whom the gateway asks.'),
  clientSecret: describe(secret.optional(), 'The secret of that client.'),
  key: describe(secret.optional(), 'Its private key in place of a secret: a JWK, or PKCS #8 in PEM.'),
  auth: describe(
    z.enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt']).optional(),
    'How the client proves itself. Without it client_secret_basic with a secret, private_key_jwt with a key.',
  ),
  cache: defaulted(durationBetween('0s', '30s'), 'issuers.introspection.cache', 'How long an answer is remembered, and never past `exp`.'),
  timeout: defaulted(durationBetween('100ms', '10s'), 'issuers.introspection.timeout', 'Time for one answer.'),
  audience: defaulted(z.enum(['required', 'optional']), 'issuers.introspection.audience', 'optional: an answer that names no audience is good.'),
  clientAsSubject: defaulted(z.boolean(), 'issuers.introspection.clientAsSubject', 'A token without `sub` stands for its client.'),
})

export const issuer = z.strictObject({
  issuer: describe(safeUrl, 'The `iss` claim, compared exactly. Where its keys are is discovered (RFC 8414, OpenID Connect Discovery) unless `jwks` says it.'),
  jwks: describe(safeUrl.optional(), 'URL of the key set; no discovery then.'),
  audiences: describe(z.array(text).min(1), 'A token must be for one of these (`aud`).'),
  algorithms: defaulted(z.array(algorithm).min(1), 'issuers.algorithms', 'Signature algorithms, asymmetric only.'),
  tokenTypes: defaulted(
    z
      .array(
        z
          .string()
          .regex(/^[\w.+/-]{1,64}$/)
          .meta({ title: 'token type', examples: ['at+jwt', 'JWT'] }),
      )
      .min(1),
    'issuers.tokenTypes',
    'Accepted `typ` headers.',
  ),
  maxLifetime: defaulted(durationBetween('1s', '366d'), 'issuers.maxLifetime', 'The longest time from now until `exp`.'),
  clockSkew: defaulted(durationBetween('0s', '60s'), 'issuers.clockSkew', 'How far clocks may differ, at most 60s.'),
  staleKeysFor: defaulted(durationBetween('0s', '30d'), 'issuers.staleKeysFor', 'How long keys serve on while the issuer does not answer.'),
  scopeClaims: defaulted(z.array(text).min(1), 'issuers.scopeClaims', 'Where scopes stand, space separated or as a list; the first that is there.'),
  proof: section(
    {
      required: defaulted(
        z.enum(['none', 'any', 'dpop', 'certificate']),
        'issuers.proof.required',
        'What tokens must be bound to: a key (DPoP), a client certificate, or any of both. A bound token needs its proof in any case.',
      ),
      maxAge: defaulted(durationBetween('5s', '5m'), 'issuers.proof.maxAge', 'How old a DPoP proof may be.'),
      nonceKey: describe(secret.optional(), 'Key for nonces, at least 32 characters: DPoP proofs must then carry one. The same on all replicas.'),
    },
    'How the holder of a bound token proves that it is theirs.',
  ),
  revocation: describe(
    z
      .strictObject({
        refresh: defaulted(durationBetween('100ms', '30s'), 'issuers.revocation.refresh', 'How soon a revocation is seen.'),
        staleFor: defaulted(
          durationBetween('0s', '1h'),
          'issuers.revocation.staleFor',
          'How long the last known list goes on while the store does not answer.',
        ),
        onStoreFailure: defaulted(
          z.enum(['refuse', 'pass']),
          'issuers.revocation.onStoreFailure',
          'What happens to tokens after that: 503, or they pass unchecked.',
        ),
      })
      .optional(),
    'Tokens can be taken back before their time, with `sallyport revoke`. Needs `store.redis`.',
  ),
  introspection: describe(introspection.optional(), 'How opaque tokens are asked about (RFC 7662).'),
})

export type IssuerDocument = z.output<typeof issuer>
