import type { ClientAuth } from './client-auth.ts'
import type { SecretRule } from './secret-rule.ts'

/** The credential that is added on the way out. Every `secret` is a reference, never a value. */
export type Credential =
  | {
      readonly kind: 'header'
      readonly header: string
      /** Holds `{secret}` once. */
      readonly format: string
      readonly secret: SecretRule
    }
  | { readonly kind: 'query'; readonly parameter: string; readonly secret: SecretRule }
  | { readonly kind: 'basic'; readonly username: string; readonly password: SecretRule }
  | {
      readonly kind: 'oauth2'
      /** `caller`: the caller's own bearer token is exchanged (RFC 8693); `client`: the gateway asks for itself. */
      readonly subject: 'client' | 'caller'
      readonly tokenUrl: string
      readonly clientId: string
      readonly auth: ClientAuth
      /** The client secret; of `private_key_jwt` and `tls_client_auth` the private key. */
      readonly secret: SecretRule
      /** Of `private_key_jwt`: names the key where the key itself does not. */
      readonly keyId: string | undefined
      /** Of `private_key_jwt`: for whom the assertion is made; undefined: the token endpoint's URL. */
      readonly issuer: string | undefined
      /** Of `tls_client_auth`: reference to PEM text. */
      readonly certificate: string | undefined
      /** Authorities of the token endpoint in place of the public ones: reference to PEM text. */
      readonly ca: string | undefined
      readonly scope: readonly string[]
      readonly audience: string | undefined
      /** RFC 8707. */
      readonly resource: readonly string[]
    }
  /** AWS Signature Version 4. */
  | {
      readonly kind: 'sigv4'
      readonly region: string
      readonly service: string
      readonly accessKeyId: SecretRule
      readonly secret: SecretRule
      readonly sessionToken: SecretRule | undefined
      /** `unsigned`: the body is not part of the signature, and streams. */
      readonly payload: 'signed' | 'unsigned'
    }
  /** HMAC (RFC 2104) over a message made from the call. */
  | {
      readonly kind: 'hmac'
      readonly secret: SecretRule
      readonly algorithm: 'sha256' | 'sha384' | 'sha512'
      /** Template of what is signed. */
      readonly message: string
      readonly header: string
      /** Holds `{signature}`; `{timestamp}` too where the vendor reads it there. */
      readonly format: string
      readonly encoding: 'hex' | 'base64'
      readonly timestampHeader: string | undefined
    }

/** Every secret that a credential is made from, the one above all first. */
export function secretRulesOf(credential: Credential): readonly SecretRule[] {
  const first = secretRuleOf(credential)
  if (credential.kind !== 'sigv4') return [first]
  return [first, credential.accessKeyId, ...(credential.sessionToken === undefined ? [] : [credential.sessionToken])]
}

/** The one secret that a credential is made from: a key, a password, or what tokens are asked for with. */
export function secretRuleOf(credential: Credential): SecretRule {
  return credential.kind === 'basic' ? credential.password : credential.secret
}
