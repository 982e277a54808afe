/** What makes an endpoint stand aside. */
export type Cause = 'consecutive_5xx' | 'consecutive_gateway' | 'success_rate' | 'slow'

/** How well one endpoint is: what checks say, and what requests met. Monotonic milliseconds. */
export interface Standing {
  /** What active checks say; `unchecked` without one. */
  checked: 'unchecked' | 'healthy' | 'unhealthy'
  /** Who asks it how it is. Of several, the last one's verdict counts. */
  readonly checks: object[]
  /** Why the last check failed. */
  problem: string | undefined
  /** Since when it is used: slow start ramps from here. */
  since: number
  /** Out until then; 0 when it never was. */
  ejectedUntil: number
  /** It is back, and nothing has gone well since: one request at a time. */
  unproven: boolean
  /** When the request that proves it was sent. */
  probedAt: number
  /** How often it was ejected, less what good behaviour has redeemed. */
  ejections: number
  cause: Cause | undefined
  /** Failures in a row. */
  serverErrors: number
  gatewayErrors: number
  /** A slow average of the good answers alone, milliseconds; 0 before the first. */
  typicalMs: number
  /** Of the interval that runs. */
  readonly seen: { good: number; all: number; sumMs: number }
}

export function newStanding(now: number): Standing {
  return {
    checked: 'unchecked',
    checks: [],
    problem: undefined,
    since: now,
    ejectedUntil: 0,
    unproven: false,
    probedAt: Number.NEGATIVE_INFINITY,
    ejections: 0,
    cause: undefined,
    serverErrors: 0,
    gatewayErrors: 0,
    typicalMs: 0,
    seen: { good: 0, all: 0, sumMs: 0 },
  }
}

export type Stands = 'healthy' | 'unhealthy' | 'ejected' | 'probing' | 'unchecked'

/** How it stands under policies that have active checks or not, and outlier ejection or not. */
export function standsAs(standing: Standing, { checked, outlier }: { readonly checked: boolean; readonly outlier: boolean }, now: number): Stands {
  if (checked && standing.checked === 'unhealthy') return 'unhealthy'
  if (outlier && standing.unproven) return standing.ejectedUntil > now ? 'ejected' : 'probing'
  return checked ? standing.checked : 'healthy'
}

/** How long the request that proves an endpoint is waited for before another may try, milliseconds. */
const proofMs = 5_000

/** The turn that was taken at that moment led to no request: somebody else may have it. */
export function giveProofBack(standing: Standing, takenAt: number): void {
  if (standing.probedAt === takenAt) standing.probedAt = Number.NEGATIVE_INFINITY
}

/** Whether an endpoint that is back may get the request that proves it. */
export function mayProve(standing: Standing, now: number): boolean {
  return now - standing.probedAt >= proofMs
}
