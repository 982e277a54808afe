import type { SecretRule } from '../../model/secret-rule.ts'

/** A reference with what is asked of its value. `lines`: it is PEM text or a JWK. */
export function secretRule(
  reference: string,
  { pattern, forbidPattern }: { readonly pattern?: string | undefined; readonly forbidPattern?: string | undefined },
  lines = false,
): SecretRule {
  return lines ? { reference, pattern, forbidPattern, lines } : { reference, pattern, forbidPattern }
}
