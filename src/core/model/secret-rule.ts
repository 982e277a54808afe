import type { Credential, SecretRule } from './route.ts'

/** The one secret that a credential is made from: a key, a password, or the client secret that tokens are asked for with. */
export function secretRuleOf(credential: Credential): SecretRule {
  if (credential.kind === 'basic') return credential.password
  return credential.kind === 'oauth2' ? credential.clientSecret : credential.secret
}
