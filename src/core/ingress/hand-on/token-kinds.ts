import type { ProofKind } from '../../model/principal.ts'

/** Credentials that are tokens of `issuers`, in the Authorization header. */
export const tokenKinds: ReadonlySet<ProofKind> = new Set(['jwt', 'introspection'])
