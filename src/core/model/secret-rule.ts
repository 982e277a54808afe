import type { Credential, SecretRule } from './route.ts'

/** The one secret that a credential is made from: a key, a password, or what tokens are asked for with. */
export function secretRuleOf(credential: Credential): SecretRule {
  return credential.kind === 'basic' ? credential.password : credential.secret
}
