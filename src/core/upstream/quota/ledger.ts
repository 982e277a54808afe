import { Recent } from './recent.ts'

/** One caller's part in a quota. */
interface Account {
  /** Calls that may have reached the vendor and are not answered. */
  open: number
  /** Calls answered within the window: they reached the vendor at the latest then. */
  readonly answered: Recent
  /** Tries that asked within two windows, whatever came of it. */
  readonly asks: Recent
  waiting: number
}

/** Why a call may not go now: the quota is used, or the rest of it belongs to others. */
export type Over = 'quota' | 'share'

/**
 * Who uses how much of a quota in this process. A call takes its place from before it is sent until a window after its answer: whenever between the
 * two it reached the vendor, no window there holds more than the quota.
 *
 * Shares are max-min fair: while callers ask for less than the quota, everybody gets what they ask for. When they ask for more, each is left the same
 * share, and what somebody does not ask for goes to the others. What was asked for within the last two windows counts, refused calls among it.
 */
export class Ledger {
  readonly #points: number
  readonly #windowMs: number
  readonly #shared: boolean
  /** By caller: as many as the policies name. */
  readonly #accounts = new Map<string, Account>()

  constructor(points: number, windowMs: number, shared: boolean) {
    this.#points = points
    this.#windowMs = windowMs
    this.#shared = shared
  }

  /** The account of a caller, for whoever waits and asks. */
  account(caller: string): Account {
    const there = this.#accounts.get(this.#shared ? caller : '')
    if (there !== undefined) return there
    const made = { open: 0, answered: new Recent(this.#windowMs), asks: new Recent(2 * this.#windowMs), waiting: 0 }
    this.#accounts.set(this.#shared ? caller : '', made)
    return made
  }

  /** Why one more call of this caller may not go now, or undefined. */
  over(caller: string, now: number): Over | undefined {
    const mine = this.account(caller)
    const all = Array.from(this.#accounts.values(), (account) => ({ used: used(account, now), asked: asked(account, now, account === mine) }))
    if (all.reduce((sum, one) => sum + one.used, 0) >= this.#points) return 'quota'
    if (all.reduce((sum, one) => sum + one.asked, 0) <= this.#points) return undefined
    const most = Math.floor(
      fairShare(
        all.map((one) => one.asked),
        this.#points,
      ),
    )
    const usedHere = used(mine, now)
    if (usedHere < most) return undefined
    // What the division leaves over goes to whoever comes first, one each.
    const spare = this.#points - all.reduce((sum, one) => sum + Math.min(one.asked, most), 0)
    const taken = all.reduce((sum, one) => sum + Math.max(0, one.used - most), 0)
    return usedHere === most && taken < spare ? undefined : 'share'
  }

  /** Milliseconds until some place may be free. */
  nextMs(now: number): number {
    const waits = Array.from(this.#accounts.values(), ({ answered }) => answered.nextMs(now)).filter((ms) => ms > 0)
    return Math.max(1, Math.min(this.#windowMs / 20, ...waits))
  }

  /** Milliseconds until all that is used now is free, if it is answered at once: what a refused caller is told. */
  get windowMs(): number {
    return this.#windowMs
  }

  /** Takes a place. The answer is to be told once: more often does no harm. */
  open(caller: string): { readonly answered: (now: number) => void; readonly undo: () => void } {
    const account = this.account(caller)
    let over = false
    const close = () => {
      if (over) return false
      over = true
      account.open -= 1
      return true
    }
    account.open += 1
    return {
      answered: (now) => {
        if (close()) account.answered.add(now)
      },
      undo: () => void close(),
    }
  }
}

function used({ open, answered }: Account, now: number): number {
  return open + answered.count(now)
}

/** What a caller wants of a window: what it has and waits for, or what it asked for of late, on an average of two windows. */
function asked(account: Account, now: number, oneMore: boolean): number {
  const wants = used(account, now) + account.waiting + (oneMore && account.waiting === 0 ? 1 : 0)
  return Math.max(wants, Math.ceil(account.asks.count(now) / 2))
}

/** The most that anybody gets, when nobody gets more than they ask for and all is given out. */
export function fairShare(asked: readonly number[], points: number): number {
  let left = points
  let others = asked.length
  for (const one of asked.toSorted((a, b) => a - b)) {
    if (one * others > left) return left / others
    left -= one
    others -= 1
  }
  return Number.POSITIVE_INFINITY
}
