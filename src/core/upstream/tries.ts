import type { GrpcReply, HttpCall, Reply } from '../model/call.ts'
import { Fault } from '../model/fault.ts'
import { Lifeline } from '../model/lifeline.ts'
import type { Retry } from '../model/retry.ts'
import type { MetricName } from '../observe/metrics.ts'
import type { Clock } from '../ports.ts'
import { attempt, overtaken, tooLong } from './attempt.ts'
import { isTold, remainingMs } from './deadline.ts'
import { giveProofBack } from './health/standing.ts'
import { hedgeDelayMs } from './hedge.ts'
import { holdBack } from './hold.ts'
import { handOver } from './mesh.ts'
import { rejoin } from './relay.ts'
import { keepForReplay } from './replay.ts'
import { backoffMs, isBad, isRepeatable, isUnsent, looksAtCodes, mayRepeat, type Outcome, pushbackMs, type Repeatable } from './retry.ts'
import type { Seal, SendPorts, Shipment } from './shipment.ts'
import type { Member } from './state.ts'

/** Counts one more try in, and hands back how it counts itself out. */
type Enter = () => () => void

/** A try under way. */
interface Try {
  readonly member: Member
  readonly hedge: boolean
  /** Its own end; the request's where no other try can overtake it. */
  readonly line: Lifeline
  readonly outcome: Promise<{ readonly of: Try; readonly outcome: Outcome }>
}

/** An endpoint that was chosen. */
interface Picked {
  readonly member: Member
  /** No try begins there after all. */
  readonly unused: () => void
}

/** Leave for one try to begin. */
interface Admission {
  readonly leftMs: number
  readonly pass: ReturnType<Shipment['shield']['enter']>
}

/** `plain`: it is safe by itself, so that two may be under way; with a key the second may be told that the first still runs. */
type May = Repeatable & { readonly plain: boolean }

const names = {
  retries: 'sallyport_upstream_retries_total',
  hedges: 'sallyport_upstream_hedges_total',
  held: 'sallyport_upstream_held_back_total',
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
    const { outcome } = await this.#start(await this.#choose(), false).outcome
    return outcome
  }

  async run(): Promise<Reply> {
    const { group, shield, hedge } = this.#job
    if (hedge !== undefined && this.#mayRace) shield.saveForHedge(hedge.budget)
    try {
      this.#start(await this.#choose(), false)
      let nudgeAt = this.#firstNudge()
      for (;;) {
        const ended = await this.#next(nudgeAt)
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

  async #choose(): Promise<Member> {
    return (await this.#pick()).member
  }

  async #pick(): Promise<Picked> {
    const { x, deadline, key, candidates, balance } = this.#job
    x.lifeline.check()
    const all = await candidates({ lifeline: x.lifeline, deadline: deadline.at })
    const now = this.#ports.clock.ticks()
    const { member } = balance(all, key, this.#tried)
    const { standing } = member
    return { member, unused: () => giveProofBack(standing, now) }
  }

  /** An endpoint that was not tried, if there is one. */
  async #pickOther(): Promise<Picked | undefined> {
    try {
      const picked = await this.#pick()
      if (!this.#tried.has(picked.member)) return picked
      picked.unused()
      return undefined
    } catch {
      return undefined
    }
  }

  /** What begins a try there. @throws Fault where none may begin: `circuit_open`, `deadline_exhausted` */
  #admit(): Admission {
    const { clock } = this.#ports
    return { leftMs: remainingMs(this.#job.deadline, clock.ticks()), pass: this.#pass() }
  }

  #start(member: Member, hedge: boolean, { leftMs, pass }: Admission = this.#admit()): Try {
    const { x } = this.#job
    const { clock } = this.#ports
    this.#tried.add(member)
    this.#count += 1
    Object.assign(x, { sent: { endpoint: member.name, attempts: this.#count, startedAt: x.sent?.startedAt ?? clock.ticks() } })
    const line = this.#mayRace || (this.#may.replayable && this.#may.safe && this.#job.retry?.perTryMs !== undefined) ? new Lifeline() : x.lifeline
    const started: { -readonly [Key in keyof Try]?: Try[Key] } = { member, hedge, line }
    const of = started as Try // the one that is missing is filled here
    started.outcome = this.#try(of, leftMs, pass).then((outcome) => ({ of, outcome }))
    this.#running.add(of)
    return of
  }

  /** @throws Fault `circuit_open` */
  #pass() {
    try {
      return this.#job.shield.enter(this.#ports.clock.ticks())
    } catch (error) {
      this.#ports.meter.count(names.held, { cluster: this.#job.label, reason: 'breaker' })
      throw error
    }
  }

  async #try({ member, line }: Try, leftMs: number, pass: Admission['pass']): Promise<Outcome> {
    const { x, deadline, idleMs, label, retry, seal, resend } = this.#job
    const { clock } = this.#ports
    const own = line === x.lifeline ? undefined : x.lifeline.onEnd((why) => line.end(why))
    const perTryMs = own === undefined ? undefined : retry?.perTryMs
    const timer = perTryMs === undefined ? undefined : clock.after(perTryMs, () => line.end(tooLong))
    const out = this.#enter()
    const ended = () => {
      own?.()
      pass?.leave()
      out()
    }
    const note: Shipment['note'] =
      pass === undefined
        ? this.#job.note
        : (of, tried) => {
            this.#job.note(of, tried)
            pass.note(of, tried)
          }
    // What bounds a try here until its answer begins would bound a whole download there.
    const tryMs = deadline.until === 'headers' ? undefined : perTryMs
    const stated = isTold(deadline) ? Math.min(leftMs, Math.ceil(tryMs ?? leftMs)) : undefined
    const handed = handOver(this.#job.call, stated, this.#job.hand, retry !== undefined)
    try {
      const call = seal === undefined || handed.kind === 'grpc' ? handed : await sealed(handed, seal, ended)
      const reply = await attempt({ call, member, deadline, idleMs, lifeline: line, label, note, resend }, this.#ports, ended)
      if (reply.kind === 'grpc') return this.#looks ? await peek(reply) : { kind: 'reply', reply, ended: undefined }
      // What bounds a try does not cut an answer that has begun.
      timer?.cancel()
      const held = this.#heldBytes === undefined ? reply : await holdBack(reply, this.#heldBytes, deadline.at, clock)
      return { kind: 'reply', reply: held, ended: undefined }
    } catch (error) {
      const fault = Fault.from(error)
      if (fault.code === 'overloaded') this.#ports.meter.count(names.held, { cluster: label, reason: 'connections' })
      return { kind: 'fault', fault, tooLong: line.ended === tooLong }
    } finally {
      timer?.cancel()
    }
  }

  /** Answers up to so many bytes are held back until they are whole; undefined: none is, because it could not be asked for again. */
  get #heldBytes(): number | undefined {
    const { retry } = this.#job
    return this.#may.replayable && this.#may.safe && retry?.on.includes('reset') === true ? retry.answers : undefined
  }

  /** Whether a gRPC reply is looked at before it counts. */
  get #looks(): boolean {
    const { retry, hedge } = this.#job
    if (!this.#may.replayable || !this.#may.safe) return false
    return (hedge !== undefined && this.#mayRace) || (retry !== undefined && this.#triesLeft > 0 && looksAtCodes(retry))
  }

  /** The next try that ends; undefined: `nudgeAt` has come first. */
  async #next(nudgeAt: number | undefined): Promise<Awaited<Try['outcome']> | undefined> {
    const outcomes = Array.from(this.#running, ({ outcome }) => outcome)
    if (nudgeAt === undefined) return outcomes.length === 1 ? outcomes[0] : Promise.race(outcomes)
    const { clock } = this.#ports
    let timer: ReturnType<Clock['after']> | undefined
    const nudge = new Promise<undefined>((resolve) => {
      timer = clock.after(Math.max(0, nudgeAt - clock.ticks()), () => resolve(undefined))
    })
    try {
      return await Promise.race([...outcomes, nudge])
    } finally {
      timer?.cancel()
    }
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
  #startBeside({ member }: Picked, hedge: boolean): boolean {
    try {
      const admission = this.#admit()
      if (!hedge) this.#repeat()
      this.#start(member, hedge, admission)
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
  async #startInstead(outcome: Outcome, { member, unused }: Picked): Promise<boolean> {
    let admission: Admission
    try {
      admission = this.#admit()
    } catch {
      unused()
      return false
    }
    this.#countRetry()
    await discard(outcome).catch(() => {})
    this.#start(member, false, admission)
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

/** The call as it goes out. `ended`: to be told when it does not. */
async function sealed(call: HttpCall, seal: Seal, ended: () => void): Promise<HttpCall> {
  try {
    return await seal(call)
  } catch (error) {
    ended()
    throw error
  }
}

/** A gRPC reply can be judged only when its first message or its end has come. */
async function peek(reply: GrpcReply): Promise<Outcome> {
  const rest = reply.messages[Symbol.asyncIterator]()
  const first = await rest.next()
  return { kind: 'reply', reply: { ...reply, messages: rejoin(first, rest) }, ended: first.done === true ? reply.status() : undefined }
}

function pause(ms: number, lifeline: Lifeline, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => {
      forget()
      resolve()
    })
    const forget = lifeline.onEnd((why) => {
      timer.cancel()
      reject(why)
    })
  })
}

function standing(outcome: Outcome): Reply {
  if (outcome.kind === 'fault') throw outcome.fault
  return outcome.reply
}

/** Lets go of an answer nobody will read, so that its stream is closed. */
async function discard(outcome: Outcome): Promise<void> {
  if (outcome.kind === 'fault') return
  const source = outcome.reply.kind === 'grpc' ? outcome.reply.messages : outcome.reply.body
  if (source === undefined || source instanceof Uint8Array) return
  await source[Symbol.asyncIterator]().return?.()
}
