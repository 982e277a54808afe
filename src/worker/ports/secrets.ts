import type { Secrets } from '../../core/ports.ts'

/** Secrets of the Worker: `env:NAME` is the secret of that name. @throws Error for one that is missing or empty, and for any other kind of reference. */
export function createSecrets(env: Readonly<Record<string, unknown>>): Secrets {
  return {
    async read(reference) {
      const value = reference.startsWith('env:') && Object.hasOwn(env, reference.slice(4)) ? env[reference.slice(4)] : undefined
      if (typeof value !== 'string' || value === '') throw new Error(`${reference} is not a secret of this Worker`)
      return value
    },
  }
}
