/** When a place that fails is left alone. */
export interface BreakerRule {
  /** Failures in a row that open it; 0 for never. */
  readonly consecutive: number
  /** Share of failures in the window that opens it, 0 to 1. */
  readonly failures: number
  /** With fewer in the window no share counts. */
  readonly minRequests: number
  readonly windowMs: number
  /** For so long it stays open. */
  readonly openMs: number
  /** So many requests in a row have to go well before it closes. */
  readonly probes: number
}
