/** How one descriptor stands with what is counted already. */
export interface Standing {
  readonly fits: boolean
  readonly remaining: number
  /** As `TakenReading.resetMs`. */
  readonly resetMs: number
}

/** Whole milliseconds, rounded up: nobody comes back too early. */
export function waitOf(us: number): number {
  return Math.max(0, Math.ceil(us / 1000))
}
