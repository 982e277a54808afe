import type { Reply } from '../model/call.ts'
import { Lifeline } from '../model/lifeline.ts'
import { pause } from '../model/pause.ts'
import type { Retry } from '../model/retry.ts'
import type { MetricName } from '../observe/metrics.ts'
import { overtaken } from './attempt.ts'
import { hedgeDelayMs } from './hedge.ts'
import { keepForReplay } from './replay.ts'
import { backoffMs, isBad, isRepeatable, isUnsent, looksAtCodes, mayRepeat, type Outcome, pushbackMs, type Repeatable } from './retry.ts'
import type { SendPorts, Shipment } from './shipment.ts'
import type { Member } from './state.ts'
import { type Admission, admit } from './tries/admit.ts'
import { type Picked, pick, pickOther } from './tries/choose.ts'
import { firstOf } from './tries/first-of.ts'
import { discard, standing } from './tries/outcome.ts'
import { type Enter, runTry } from './tries/try.ts'

/** A try under way. */
interface Try {
  readonly member: Member
  readonly hedge: boolean
  /** Its own end; the request's where no other try can overtake it. */
  readonly line: Lifeline
  readonly outcome: Promise<{ readonly of: Try; readonly outcome: Outcome }>
}

/** `plain`: it is safe by itself, so that two may be under way; with a key the second may be told that the first still runs. */
type May = Repeatable & { readonly plain: boolean }

const names = {
  retries: 'sallyport_upstream_retries_total',
  hedges: 'sallyport_upstream_hedges_total',
} as const satisfies Record<string, MetricName>

const alone: May = { replayable: false, safe: false, plain: false }

/** How bodies are kept where nothing is said about retries. */
const usual = {} as const

/** How long a try that may not be joined yet is left before the budget is asked again, milliseconds. */
const askAgainMs = 100

/** Tries until an outcome stands. @throws Fault what the last try met */
export async function runTries(job: Shipment, ports: SendPorts, enter: Enter): Promise<Reply> {
  const { retry, hedge } = job
  if (retry === undefined && hedge === undefined) return standing(await new Tries(job, ports, enter, alone).once())
  const { call, replayable } = await keepForReplay(job.call, retry ?? usual)
  return new Tries({ ...job, call }, ports, enter, { replayable, safe: job.safety?.keyed ?? false, plain: job.safety?.plain ?? false }).run()
}

/** The tries of one request. */
class Tries {
  readonly #job: Shipment
  readonly #ports: SendPorts
  readonly #enter: Enter
  readonly #may: May
  readonly #tried = new Set<Member>()
  readonly #running = new Set<Try>()
  #count = 0
  #again = 0
  #repeating = false
  #hedged = false

  constructor(job: Shipment, ports: SendPorts, enter: Enter, may: May) {
    this.#job = job
    this.#ports = ports
    this.#enter = enter
    this.#may = may
  }

  /** One try. */
  async once(): Promise<Outcome> {
    const { outcome } = await (await this.#begin()).outcome
    return outcome
  }

  async run(): Promise<Reply> {
    const { group, shield, hedge } = this.#job
    if (hedge !== undefined && this.#mayRace) shield.saveForHedge(hedge.budget)
    try {
      await this.#begin()
      let nudgeAt = this.#firstNudge()
      for (;;) {
        const outcomes = Array.from(this.#running, ({ outcome }) => outcome)
        const ended = await firstOf(outcomes, nudgeAt, this.#ports.clock)
        if (ended === undefined) {
          nudgeAt = await this.#join()
          continue
        }
        this.#running.delete(ended.of)
        const { outcome } = ended
        // While another try runs, only an answer that it could not better stands.
        if (this.#running.size > 0 && (isBad(outcome) || this.#isRepeatable(outcome)) && this.#job.x.lifeline.ended === undefined) {
          if (ended.of.hedge) this.#countHedge('lost')
          await discard(outcome)
          continue
        }
        if (!(await this.#startAgain(outcome))) return this.#settle(ended.of, outcome)
        nudgeAt = this.#joinAt()
      }
    } finally {
      if (this.#repeating) group.retrying -= 1
      for (const one of this.#running) this.#abandon(one)
    }
  }

  /** Whether two tries may run at a time: nothing is lost, and nothing is done twice that must be done once. */
  get #mayRace(): boolean {
    const { call } = this.#job
    return this.#may.replayable && this.#may.plain && (call.kind === 'http' || !call.serverStream)
  }

  get #triesLeft(): number {
    return (this.#job.retry?.attempts ?? 0) - this.#again
  }

  /** The first try. @throws Fault where none may begin */
  async #begin(): Promise<Try> {
    const picked = await this.#pick()
    try {
      return this.#start(picked, false)
    } catch (error) {
      picked.unused()
      throw error
    }
  }

  #pick(): Promise<Picked> {
    return pick(this.#job, this.#ports.clock, this.#tried)
  }

  #pickOther(): Promise<Picked | undefined> {
    return pickOther(this.#job, this.#ports.clock, this.#tried)
  }

  #start({ member, unused }: Picked, hedge: boolean, admission: Admission = admit(this.#job, this.#ports)): Try {
    const { x } = this.#job
    const { clock } = this.#ports
    this.#tried.add(member)
    this.#count += 1
    Object.assign(x, { sent: { endpoint: member.name, attempts: this.#count, startedAt: x.sent?.startedAt ?? clock.ticks() } })
    const line = this.#mayRace || (this.#may.replayable && this.#may.safe && this.#job.retry?.perTryMs !== undefined) ? new Lifeline() : x.lifeline
    const started: { -readonly [Key in keyof Try]?: Try[Key] } = { member, hedge, line }
    const of = started as Try // the one that is missing is filled here
    const one = { member, unused, line, admission, enter: this.#enter, may: this.#may, looks: () => this.#looks }
    started.outcome = runTry(one, this.#job, this.#ports).then((outcome) => ({ of, outcome }))
    this.#running.add(of)
    return of
  }

  /** Whether a gRPC reply is looked at before it counts. */
  get #looks(): boolean {
    const { retry, hedge } = this.#job
    if (!this.#may.replayable || !this.#may.safe) return false
    return (hedge !== undefined && this.#mayRace) || (retry !== undefined && this.#triesLeft > 0 && looksAtCodes(retry))
  }

  /** When the first try gets company: as hedge, or because its share of the time is over. */
  #firstNudge(): number | undefined {
    const { hedge, shield } = this.#job
    const joinAt = this.#joinAt()
    const delayMs = hedge === undefined || !this.#mayRace ? undefined : hedgeDelayMs(hedge, shield.spread)
    this.#hedged = delayMs === undefined
    if (delayMs === undefined) return joinAt
    return Math.min(joinAt ?? Number.POSITIVE_INFINITY, this.#ports.clock.ticks() + delayMs)
  }

  /** When the share of the time that belongs to the try that begins now is over. */
  #joinAt(): number | undefined {
    const { retry, deadline } = this.#job
    if (retry === undefined || retry.perTryMs !== undefined || !retry.on.includes('deadline') || !this.#mayRace || this.#triesLeft < 1) return undefined
    if (!Number.isFinite(deadline.at)) return undefined
    const now = this.#ports.clock.ticks()
    return now + (deadline.at - now) / (this.#triesLeft + 1)
  }

  /** Starts another try beside the one that runs, where there is another endpoint and a budget allows it. Says when to come again. */
  async #join(): Promise<number | undefined> {
    const { shield, group, caps, retry } = this.#job
    const { clock } = this.#ports
    const hedges = !this.#hedged
    const mayRetry = () => this.#repeating || (retry !== undefined && mayRepeat(retry, group, caps.retries))
    const later = () => (hedges ? this.#joinAt() : retry === undefined ? undefined : clock.ticks() + askAgainMs)
    // Before an endpoint is chosen: one that is back from an ejection has a turn to prove itself, which must not be spent on nothing.
    if (hedges ? !shield.hasHedge : !mayRetry()) {
      this.#hedged = true
      return later()
    }
    const other = await this.#pickOther()
    if (other === undefined) return undefined
    this.#hedged = true
    // Others may have spent the budget while the endpoint was looked for.
    const mayBegin = hedges ? shield.spendHedge() : mayRetry()
    if (mayBegin && this.#startBeside(other, hedges)) return this.#joinAt()
    other.unused()
    return mayBegin ? this.#joinAt() : later()
  }

  /** False where none may begin: the one that runs is not worse off. */
  #startBeside(other: Picked, hedge: boolean): boolean {
    try {
      const admission = admit(this.#job, this.#ports)
      if (!hedge) this.#repeat()
      this.#start(other, hedge, admission)
      return true
    } catch {
      return false
    }
  }

  /** Counts one more retry. */
  #repeat(): void {
    this.#reserve()
    this.#countRetry()
  }

  #countRetry(): void {
    this.#again += 1
    this.#ports.meter.count(names.retries, { cluster: this.#job.label })
  }

  /** Takes its part of the budget, which it keeps until it is over. */
  #reserve(): void {
    if (!this.#repeating) this.#job.group.retrying += 1
    this.#repeating = true
  }

  /** Tries again after this outcome, where the policy wants it, and nothing speaks against it. */
  async #startAgain(outcome: Outcome): Promise<boolean> {
    const { retry, group, caps, shield, x } = this.#job
    const { clock } = this.#ports
    if (retry === undefined || this.#triesLeft < 1 || x.lifeline.ended !== undefined) return false
    if (!this.#isRepeatable(outcome)) return false
    // What never went out is no repetition to the endpoint that gets it.
    const elsewhere = isUnsent(outcome) ? await this.#pickOther() : undefined
    const waitMs = elsewhere === undefined ? this.#pauseMs(outcome, retry) : 0
    if (waitMs === undefined || clock.ticks() + waitMs >= this.#job.deadline.at) {
      elsewhere?.unused()
      return false
    }
    if (elsewhere !== undefined) return this.#startInstead(outcome, elsewhere)
    if (shield.isOpen(clock.ticks()) || (!this.#repeating && !mayRepeat(retry, group, caps.retries))) return false
    this.#reserve()
    await pause(waitMs, x.lifeline, clock)
    const next = await this.#pick().catch(() => undefined)
    return next !== undefined && this.#startInstead(outcome, next)
  }

  /** Begins the next try in place of one that is over. False where none may begin: then what is in hand is the answer. */
  async #startInstead(outcome: Outcome, next: Picked): Promise<boolean> {
    let admission: Admission
    try {
      admission = admit(this.#job, this.#ports)
    } catch {
      next.unused()
      return false
    }
    this.#countRetry()
    await discard(outcome).catch(() => {})
    this.#start(next, false, admission)
    return true
  }

  #isRepeatable(outcome: Outcome): boolean {
    const { retry, call } = this.#job
    return retry !== undefined && isRepeatable(outcome, retry, call, this.#may)
  }

  /** How long to wait before the next try; undefined when the upstream asks for more patience than the policy has. */
  #pauseMs(outcome: Outcome, retry: Retry): number | undefined {
    const asked = pushbackMs(outcome, this.#ports.clock) ?? 0
    return asked > retry.maxRetryAfterMs ? undefined : Math.max(asked, backoffMs(this.#count, this.#ports.random.unit()))
  }

  #settle(of: Try, outcome: Outcome): Reply {
    const { x } = this.#job
    if (x.sent !== undefined && x.sent.endpoint !== of.member.name) Object.assign(x, { sent: { ...x.sent, endpoint: of.member.name } })
    if (of.hedge) this.#countHedge(isBad(outcome) ? 'lost' : 'won')
    return standing(outcome)
  }

  /** Another try has answered first, or the request is over. */
  #abandon(one: Try): void {
    if (one.hedge) this.#countHedge('lost')
    one.outcome.then(({ outcome }) => discard(outcome)).catch(() => {})
    one.line.end(overtaken)
  }

  #countHedge(outcome: 'won' | 'lost'): void {
    this.#ports.meter.count(names.hedges, { cluster: this.#job.label, outcome })
  }
}
