import * as z from 'zod'
import { defaulted, describe } from './build.ts'
import { headerName, pattern, pem, safeUrl, secret, text, url } from './fields.ts'

const shape = {
  pattern: describe(pattern.optional(), 'RE2 pattern that the value must hold.'),
  forbidPattern: describe(pattern.optional(), 'RE2 pattern that the value must not hold.'),
}

export const inject = z.strictObject({
  header: describe(headerName.optional(), 'Header that carries it.'),
  query: describe(
    z
      .string()
      .regex(/^[^\s&=#]{1,128}$/)
      .meta({ title: 'query parameter', examples: ['api_key'] })
      .optional(),
    'Query parameter that carries it.',
  ),
  format: defaulted(
    z
      .string()
      .regex(/^[^\p{Cc}]*\{secret\}[^\p{Cc}]*$/u)
      .meta({ title: 'format that holds {secret} once', examples: ['Bearer {secret}'], 'x-secret': true }),
    'egress.environments.inject.format',
    'Value of the header; {secret} stands for the secret, once.',
  ),
  secret: describe(secret, 'Where the secret is.'),
  ...shape,
})

export const basic = z.strictObject({
  username: describe(text, 'User name.'),
  password: describe(secret, 'Where the password is.'),
  ...shape,
})

const tokens = (scope: 'egress.environments.oauth2.scope' | 'egress.environments.exchange.scope') => ({
  tokenUrl: describe(safeUrl, 'Token endpoint, https.'),
  clientId: describe(text, 'Client id.'),
  clientSecret: describe(secret.optional(), 'Where the client secret is.'),
  key: describe(secret.optional(), 'Where the private key is, PEM or JWK: of private_key_jwt, or of the certificate.'),
  keyId: describe(text.optional(), 'With private_key_jwt: kid of the assertion, where the key is no JWK that says it.'),
  issuer: describe(text.optional(), 'With private_key_jwt: audience of the assertion; without it the URL of the token endpoint.'),
  certificate: describe(pem.optional(), 'With tls_client_auth: the client certificate, PEM.'),
  ca: describe(pem.optional(), "Certificate authorities of the token endpoint in place of the system's, PEM."),
  auth: describe(
    z.enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth']).optional(),
    'How the client proves itself. Left out: tls_client_auth with a certificate, private_key_jwt with a key alone, else client_secret_basic.',
  ),
  scope: defaulted(z.array(text), scope, 'Scopes to ask for.'),
  audience: describe(text.optional(), 'Audience to ask for.'),
  resource: describe(z.array(url).min(1).optional(), 'Where the token is to be used (RFC 8707).'),
  ...shape,
})

export const oauth2 = z.strictObject(tokens('egress.environments.oauth2.scope'))

export const exchange = z.strictObject(tokens('egress.environments.exchange.scope'))

const scopePart = z
  .string()
  .regex(/^[a-z0-9-]{1,64}$/)
  .meta({ title: 'AWS name', examples: ['eu-central-1', 's3'] })

export const sigv4 = z.strictObject({
  region: describe(scopePart, 'Region that is signed for.'),
  service: describe(scopePart, 'Service that is signed for, such as s3 or execute-api.'),
  accessKeyId: describe(secret, 'Where the access key id is.'),
  secretAccessKey: describe(secret, 'Where the secret access key is.'),
  sessionToken: describe(secret.optional(), 'Where the session token of temporary keys is.'),
  payload: defaulted(z.enum(['signed', 'unsigned']), 'egress.environments.sigv4.payload', 'unsigned leaves the body out of the signature, and streams it.'),
  ...shape,
})

export const hmac = z.strictObject({
  secret: describe(secret, 'Where the key is.'),
  algorithm: defaulted(z.enum(['sha256', 'sha384', 'sha512']), 'egress.environments.hmac.algorithm', 'Hash of the HMAC.'),
  message: describe(
    z
      .string()
      .min(1)
      .meta({ title: 'message template', examples: ['{timestamp}.{method}.{path}.{body}'] }),
    'What is signed, of {method}, {host}, {path}, {query}, {timestamp}, {body} and {bodyHash}.',
  ),
  header: describe(headerName, 'Header that carries the signature.'),
  format: defaulted(
    z
      .string()
      .regex(/^[\x20-\x7e]*\{signature\}[\x20-\x7e]*$/)
      .meta({ title: 'format that holds {signature}', examples: ['t={timestamp},v1={signature}'] }),
    'egress.environments.hmac.format',
    'Value of the header, of {signature} and {timestamp}.',
  ),
  encoding: defaulted(z.enum(['hex', 'base64']), 'egress.environments.hmac.encoding', 'How the signature is written.'),
  timestampHeader: describe(headerName.optional(), 'Header that carries {timestamp}, in seconds since 1970.'),
  ...shape,
})

export type HmacDocument = z.output<typeof hmac>

export type SigV4Document = z.output<typeof sigv4>

export type TokensDocument = z.output<typeof oauth2>
