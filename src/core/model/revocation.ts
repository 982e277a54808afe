/** What is taken back before its time. Times in whole seconds since the epoch. */
export interface Revocation {
  /** One token by its `jti`, or all tokens of a subject or a client that were issued no later than `before`. */
  readonly kind: 'jti' | 'subject' | 'client'
  readonly value: string
  /** Of a subject or a client; of a `jti` without meaning, and 0. */
  readonly before: number
  /** When the last token that this could concern is over: from then on it is forgotten. */
  readonly until: number
}

/** Ready to be asked about a token: its claims `jti` and `iat`, its subject and its client. */
export interface RevocationIndex {
  readonly size: number
  /** Why a token is taken back, for the record; undefined when it is not. */
  readonly reasonFor: (token: TokenFacts) => string | undefined
}

export interface TokenFacts {
  readonly subject: string
  readonly clientId: string | undefined
  readonly claims: Readonly<Record<string, unknown>>
}

export function indexRevocations(list: readonly Revocation[]): RevocationIndex {
  const ids = new Set<string>()
  const before = { subject: new Map<string, number>(), client: new Map<string, number>() }
  for (const { kind, value, before: end } of list) {
    if (kind === 'jti') ids.add(value)
    else before[kind].set(value, Math.max(end, before[kind].get(value) ?? 0))
  }
  const over = (end: number | undefined, iat: unknown) =>
    // A token that does not say when it was issued may be as old as any.
    end !== undefined && (typeof iat !== 'number' || Math.floor(iat) <= end)
  return {
    size: list.length,
    reasonFor({ subject, clientId, claims }) {
      const jti = claims['jti']
      if (typeof jti === 'string' && ids.has(jti)) return 'revoked by its id'
      if (over(before.subject.get(subject), claims['iat'])) return 'revoked with all tokens of its subject'
      return clientId !== undefined && over(before.client.get(clientId), claims['iat']) ? 'revoked with all tokens of its client' : undefined
    },
  }
}

/** @throws Error when what was read as JSON is no list of revocations. */
export function readRevocations(value: unknown): readonly Revocation[] {
  if (!Array.isArray(value)) throw new Error('the revocation list is no list')
  return value.map((each: unknown) => {
    if (!isRevocation(each)) throw new Error('an entry of the revocation list cannot be read')
    return each
  })
}

function isRevocation(value: unknown): value is Revocation {
  if (typeof value !== 'object' || value === null) return false
  const { kind, value: of, before, until } = value as Readonly<Record<string, unknown>>
  return (kind === 'jti' || kind === 'subject' || kind === 'client') && typeof of === 'string' && of !== '' && isTime(before) && isTime(until)
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
