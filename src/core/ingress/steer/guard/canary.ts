import type { Destination, Guard } from '../../../model/destination.ts'
import type { MetricName } from '../../../observe/metrics.ts'
import type { Ports } from '../../../ports.ts'
import { nameOf } from '../name.ts'
import { Tally } from './tally.ts'
import { judge, type Verdict } from './verdict.ts'

export type CanaryPorts = Pick<Ports, 'clock' | 'journal' | 'meter' | 'shared'>

/** One guarded destination, by the names in the policies. */
export interface Guarded {
  readonly route: string
  readonly destination: Destination
  readonly guard: Guard
}

/** How a request came out: the time to its answer in milliseconds, an error, or no answer before its deadline, which was so long. */
export type Outcome = { readonly kind: 'good' | 'late'; readonly tookMs: number } | { readonly kind: 'error' }

/** No version is to blame for a deadline that was shorter than this, or than so many times what the others usually take. */
const patience = { leastMs: 100, times: 3 } as const

/** Since when the weight is taken away, and why. Wall time, milliseconds. */
export interface Aborted {
  readonly at: number
  readonly why: string
}

/** What replicas tell each other. The later word counts. */
type Word = { readonly state: 'aborted' | 'armed'; readonly at: number; readonly why: string }

/** So often the others are heard, and the own word is given again where it did not arrive. */
const hearMs = 1_000

/** An abort that nobody lifts is forgotten by the store after this time; processes that know it keep it. */
const wordMs = 30 * 86_400_000

const names = {
  aborted: 'sallyport_guard_aborted',
  aborts: 'sallyport_guard_aborts_total',
} as const satisfies Record<string, MetricName>

/**
 * Watches one guarded destination, and takes its weight away when it does worse than it may. It never gives weight: only an operator does
 * (`rearm`), or another split. Replicas with a common store follow each other within about a second of their next request.
 */
export class Canary {
  readonly #guarded: Guarded
  readonly #key: string
  readonly #ports: CanaryPorts
  readonly #name: string
  readonly #canary: Tally
  readonly #others: Tally
  #aborted: Aborted | undefined
  #armedAt = 0
  #looks = 0
  #lookAt: number
  /** Answers since the beginning, and at how many the next look is due whatever the time. */
  #answers = 0
  #lookFrom: number
  #hearAt = 0
  #hearing = false
  /** The store may not have the own word. */
  #untold = false

  constructor(key: string, guarded: Guarded, ports: CanaryPorts) {
    const now = ports.clock.ticks()
    const { windowMs, minSamples } = guarded.guard
    this.#guarded = guarded
    this.#key = key
    this.#ports = ports
    this.#name = nameOf(guarded.destination)
    this.#canary = new Tally(windowMs, now)
    this.#others = new Tally(windowMs, now)
    this.#lookAt = now + windowMs / 20
    this.#lookFrom = minSamples
    this.#show()
  }

  get aborted(): Aborted | undefined {
    return this.#aborted
  }

  /** What is known now, for whoever operates it. */
  get status() {
    const now = this.#ports.clock.ticks()
    for (const tally of [this.#canary, this.#others]) tally.slide(now)
    const sideOf = ({ answers, errors }: Tally) => ({ answers, errors })
    return { ...this.#guarded, aborted: this.#aborted, canary: sideOf(this.#canary), others: sideOf(this.#others) }
  }

  is(route: string, destination: string): boolean {
    return this.#guarded.route === route && this.#name === destination
  }

  /** Nobody guards it any more: its metric says nothing. */
  hide(): void {
    this.#ports.meter.gauge(names.aborted, 0, this.#labels)
  }

  /** Notes how a request came out that was sent to this destination by weight (`canary`), or to one of those it is compared with. */
  note(side: 'canary' | 'others', outcome: Outcome): void {
    const now = this.#ports.clock.ticks()
    const tally = side === 'canary' ? this.#canary : this.#others
    // Or whoever states deadlines that nobody can keep could have a good version aborted.
    if (outcome.kind === 'late' && outcome.tookMs < this.#patienceMs()) return
    tally.add(outcome.kind === 'good' ? outcome.tookMs : undefined, now)
    if (this.#aborted !== undefined) return
    if (side === 'canary') this.#answers += 1
    if (now >= this.#lookAt || this.#answers >= this.#lookFrom) this.#look(now)
  }

  /** Hears what other replicas said, at most once a second. Nobody waits for it. */
  hear(): void {
    const now = this.#ports.clock.ticks()
    if (now < this.#hearAt || this.#hearing) return
    this.#hearAt = now + hearMs
    this.#hearing = true
    void this.#exchange().finally(() => {
      this.#hearing = false
    })
  }

  /** Gives the weight back, on every replica. What was seen is forgotten. @throws what the store throws; then only this process has it back */
  async rearm(): Promise<void> {
    const at = Math.max(this.#ports.clock.now(), (this.#aborted?.at ?? 0) + 1)
    this.#arm(at)
    this.#untold = true
    await this.#tell()
  }

  #patienceMs(): number {
    const usualMs = this.#others.timeWhere((within, all) => 2 * within >= all, 'upper') ?? 0
    return Math.max(patience.leastMs, patience.times * usualMs)
  }

  #look(now: number): void {
    const { guard } = this.#guarded
    this.#lookAt = now + guard.windowMs / 20
    // When to look depends on how many answers there are and never on what they are, so looking often proves nothing by itself.
    while (this.#lookFrom <= this.#answers) this.#lookFrom = Math.ceil(this.#lookFrom * 1.25)
    for (const tally of [this.#canary, this.#others]) tally.slide(now)
    if (Math.min(this.#canary.answers, this.#others.answers) < guard.minSamples) return
    this.#looks += 1
    const verdict = judge(guard, this.#canary, this.#others, this.#looks)
    if (verdict === undefined) return
    this.#ports.meter.count(names.aborts, { ...this.#labels, reason: verdict.reason })
    this.#abort({ at: this.#ports.clock.now(), why: sentenceOf(verdict) }, 'here', verdict)
    this.#untold = true
    this.#hearAt = 0
    this.hear()
  }

  #abort(aborted: Aborted, by: 'here' | 'replica', verdict?: Verdict): void {
    this.#aborted = aborted
    this.#show()
    const answers = verdict === undefined ? {} : { answers: verdict.answers[0], others: verdict.answers[1] }
    this.#ports.journal.write({ event: 'guard_aborted', ...this.#labels, by, why: aborted.why, ...answers })
  }

  #arm(at: number): void {
    const was = this.#aborted
    this.#armedAt = at
    this.#aborted = undefined
    for (const tally of [this.#canary, this.#others]) tally.clear()
    this.#show()
    if (was !== undefined) this.#ports.journal.write({ event: 'guard_armed', ...this.#labels })
  }

  async #exchange(): Promise<void> {
    try {
      const text = await this.#ports.shared.get(this.#key)
      const word = text === undefined ? undefined : wordIn(text)
      if (word !== undefined && word.at > Math.max(this.#aborted?.at ?? 0, this.#armedAt)) {
        this.#untold = false
        if (word.state === 'armed') this.#arm(word.at)
        else if (this.#aborted === undefined) this.#abort({ at: word.at, why: word.why }, 'replica')
      }
      // A store that lost its memory is told again.
      if (this.#untold || (word === undefined && this.#aborted !== undefined)) await this.#tell()
    } catch {
      // Without the store every replica judges for itself, and tells when it can.
    }
  }

  async #tell(): Promise<void> {
    const word: Word =
      this.#aborted === undefined ? { state: 'armed', at: this.#armedAt, why: '' } : { state: 'aborted', at: this.#aborted.at, why: this.#aborted.why }
    await this.#ports.shared.set(this.#key, JSON.stringify(word), wordMs)
    this.#untold = false
  }

  #show(): void {
    this.#ports.meter.gauge(names.aborted, this.#aborted === undefined ? 0 : 1, this.#labels)
  }

  get #labels() {
    return { route: this.#guarded.route, destination: this.#name }
  }
}

function wordIn(text: string): Word | undefined {
  try {
    const said = JSON.parse(text) as Partial<Word> | null // whatever it is, only these members are read, and checked
    if (said === null || typeof said.at !== 'number' || (said.state !== 'aborted' && said.state !== 'armed')) return undefined
    return { state: said.state, at: said.at, why: typeof said.why === 'string' ? said.why : '' }
  } catch {
    return undefined
  }
}

function sentenceOf({ reason, canary, others, answers }: Verdict): string {
  const figures =
    reason === 'errors'
      ? `errors at least ${percentOf(canary)}, others at most ${percentOf(others)}`
      : `p95 at least ${msOf(canary)}, others at most ${msOf(others)}`
  return `${figures} (of ${answers[0]} and ${answers[1]} answers)`
}

function percentOf(share: number): string {
  return `${(share * 100).toFixed(2)} %`
}

function msOf(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`
}
