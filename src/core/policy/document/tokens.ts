import * as z from 'zod'
import { defaulted, describe } from './build.ts'
import { claimPath, durationBetween, safeUrl, secret, text, url } from './fields.ts'

const claimName = z
  .string()
  .regex(/^[^\s\p{Cc}]{1,128}$/u)
  .meta({ title: 'claim', examples: ['tenant'] })

/** Tokens that the gateway makes for the services behind it. */
export const token = z.strictObject({
  issuer: describe(url, 'What stands as `iss`.'),
  keys: describe(
    z.array(secret).min(1).max(4),
    'Private keys, JWK or PKCS #8 PEM. The first that has been published long enough signs; the others are published beside it.',
  ),
  algorithm: defaulted(z.enum(['ES256', 'ES384', 'EdDSA', 'RS256', 'PS256']), 'tokens.algorithm', 'How tokens are signed; every key must fit.'),
  lifetime: defaulted(durationBetween('5s', '15m'), 'tokens.lifetime', 'How long a token is good.'),
  audience: describe(text.optional(), 'What stands as `aud`; left out: the name of the cluster that the request goes to.'),
  type: defaulted(z.enum(['at+jwt', 'JWT']), 'tokens.type', 'What stands as `typ`.'),
  claims: defaulted(z.record(claimName, claimPath), 'tokens.claims', "Claims of the token, each from a claim of the principal's. No others are taken over."),
  scopes: defaulted(
    z.union([z.enum(['none', 'all']), z.array(text).min(1)]),
    'tokens.scopes',
    'Which scopes of the principal go in: none, all, or those listed.',
  ),
  activateAfter: defaulted(
    durationBetween('0s', '1d'),
    'tokens.activateAfter',
    'How long a key that is new to a running gateway is published before it signs.',
  ),
  publish: defaulted(z.boolean(), 'tokens.publish', 'Answer /.well-known/jwks.json on the public listener too; the admin listener always does.'),
})

/** Tokens of another server in exchange for the downstream's (RFC 8693). */
export const exchange = z.strictObject({
  tokenUrl: describe(safeUrl, 'The token endpoint.'),
  clientId: describe(text, 'The client id of the gateway there.'),
  clientSecret: describe(secret, 'Its secret.'),
  auth: defaulted(z.enum(['client_secret_basic', 'client_secret_post']), 'exchanges.auth', 'How the secret is shown.'),
  audience: describe(text.optional(), 'For whom the token is asked.'),
  resource: describe(url.optional(), 'Where the token is used (RFC 8707).'),
  scope: defaulted(z.array(text), 'exchanges.scope', 'Scopes to ask for.'),
})

/** What a route is a part of, to those who look for where its tokens come from (RFC 9728). */
export const resource = z.strictObject({
  url: describe(safeUrl, 'The identifier of the resource: where it is reached from outside. Its metadata stands under the same host.'),
  title: describe(text.optional(), 'Its name, for people.'),
  documentation: describe(safeUrl.optional(), 'Where developers read about it.'),
})

/** `debug` has one member. */
export const debug = {
  key: secret.meta({
    description:
      'Key that debug tokens are verified with: an ES256 or Ed25519 key as JWK or PEM, public or private. Without it nobody is told how a request was decided.',
  }),
}

export type TokenDocument = z.output<typeof token>
export type ExchangeDocument = z.output<typeof exchange>
export type ResourceDocument = z.output<typeof resource>
