import type { Clock } from '../../core/ports.ts'

/** How long an address has for itself before the next one is tried beside it (RFC 8305 section 5), milliseconds. */
const staggerMs = 250

/** What an attempt hears and says while it is under way. */
export interface Underway {
  /** It is reached, and only the handshake is left: that may take its share of the time before another one is tried. */
  readonly reached: () => void
  /** Another one was there first. */
  readonly signal: AbortSignal
}

/** How the attempts go. */
export interface Stagger<Place, Got> {
  readonly open: (place: Place, underway: Underway) => Promise<Got>
  /** Lets go of what came too late. */
  readonly drop: (got: Got) => void
  /** Milliseconds that are left for all of it. An attempt ends by itself when they are over. */
  readonly left: () => number
  readonly clock: Pick<Clock, 'after'>
}

/**
 * The first of these places that opens. They are tried in their order: the next one when one has failed, or beside it when it takes long, so that one that
 * hangs does not use up the time of all. @throws what the last one met
 */
export function firstToOpen<Place, Got>(places: readonly Place[], { open, drop, left, clock }: Stagger<Place, Got>): Promise<Got> {
  return new Promise((resolve, reject) => {
    const underway = new Map<Place, AbortController>()
    const rest = [...places]
    let won = false
    let last: unknown = new Error('no address')
    let timer: { cancel(): void } | undefined

    const nextIn = (ms: number) => {
      timer?.cancel()
      timer = rest.length === 0 ? undefined : clock.after(ms, begin)
    }

    function begin(): void {
      const place = rest.shift()
      if (place === undefined || left() <= 0) {
        rest.length = 0
        if (underway.size === 0) reject(last)
        return
      }
      const control = new AbortController()
      underway.set(place, control)
      nextIn(staggerMs)
      const newest = rest.length
      const reached = () => {
        if (!won && rest.length === newest) nextIn(left() / (rest.length + 1))
      }
      open(place, { reached, signal: control.signal }).then(
        (got) => take(place, got),
        (error: unknown) => lose(place, error),
      )
    }

    function take(place: Place, got: Got): void {
      if (won) return drop(got)
      won = true
      timer?.cancel()
      underway.delete(place)
      for (const control of underway.values()) control.abort()
      resolve(got)
    }

    function lose(place: Place, error: unknown): void {
      underway.delete(place)
      last = error
      if (!won) begin()
    }

    begin()
  })
}
