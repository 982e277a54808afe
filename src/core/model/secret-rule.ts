import type { Credential, SecretRule } from './route.ts'

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
