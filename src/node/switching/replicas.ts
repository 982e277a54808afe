import type { EgressSwitch } from '../../core/policy/linked/switched.ts'
import type { Clock, Random, Shared } from '../../core/ports.ts'
import type { Log } from '../journal.ts'
import type { StagedChange, SwitchStage } from './stage.ts'

/** What is switched, as all replicas know it. */
export interface Standing {
  /** Names the decision that made it so. */
  readonly epoch: string
  readonly switches: readonly EgressSwitch[]
}

interface Proposal extends Standing {
  readonly phase: 'prepare' | 'hold'
  readonly by: string
}

export type Decision =
  | { readonly kind: 'made'; readonly replicas: number; readonly waiting: readonly string[] }
  | { readonly kind: 'refused'; readonly code: 'switch_busy' | 'replica_refused' | 'replica_silent' | 'store_unavailable'; readonly message: string }

export interface ReplicasParts {
  readonly environment: string
  readonly shared: Shared
  readonly clock: Clock
  readonly random: Pick<Random, 'hex'>
  readonly log: Log
  readonly alone: SwitchStage['alone']
  readonly prepare: (switches: readonly EgressSwitch[]) => ReturnType<SwitchStage['prepare']>
  /** Why what others propose would break calls here. */
  readonly against: (switches: readonly EgressSwitch[]) => string | undefined
  /** Called right before what was prepared is in force. `fresh`: decided just now. */
  readonly keep: (switches: readonly EgressSwitch[], fresh: boolean) => void
}

/** Replicas of one environment at most. */
const slots = 64
/** A replica that gave no sign of life for so long is gone; it gives one every fifth of that. Milliseconds. */
const aliveMs = 10_000
const beatMs = 2_000
const idleMs = 500
const busyMs = 20
const readyMs = 5_000
const holdingMs = 2_000
const switchedMs = 5_000
/** A replica that holds calls for longer asks for the decision itself. */
const patienceMs = 3_000
const proposalMs = 20_000
const lockMs = 30_000
const wordMs = 60_000

/**
 * Switches all replicas that share a store at one moment. Each prepares, then each holds its egress calls, then one claims the decision and writes
 * it down, then each puts it in force and lets calls go on: no call begins on the old target after one has begun on the new. Whoever proposes
 * may die at any point: the decision is whatever was written before the claim's holder was done, and nobody goes on before it is known.
 */
export class Replicas {
  readonly id: string
  readonly #parts: ReplicasParts
  #known = ''
  #answered = ''
  #slot: number | undefined
  #closed = false
  #busy = false
  #timers = new Set<{ cancel(): void }>()

  constructor(parts: ReplicasParts) {
    this.#parts = parts
    this.id = parts.random.hex(8)
  }

  /** Joins, and puts in force what is switched already. What the store does not say in time is learnt when it does. Never rejects. */
  async begin(): Promise<void> {
    try {
      await this.#beat()
      const until = this.#parts.clock.ticks() + proposalMs
      // One that did not see us yet may be decided at this moment.
      while ((await this.#read<Proposal>('proposal')) !== undefined && this.#parts.clock.ticks() < until) await this.#pause(busyMs)
      await this.#catchUp()
    } catch (error) {
      this.#parts.log('warn', 'egress_switches_unknown', { reason: reasonOf(error) })
    }
    this.#every(beatMs, () => this.#beat())
    this.#every(idleMs, () => this.#look())
  }

  /** Leaves. Nobody waits for us any more. */
  close(): void {
    this.#closed = true
    for (const timer of this.#timers) timer.cancel()
    if (this.#slot !== undefined) void this.#parts.shared.delete(this.#key(`slot:${this.#slot}`)).catch(() => undefined)
  }

  /** Whether this replica has in force what all have. @throws Error when the store does not say. */
  async isCurrent(): Promise<boolean> {
    return ((await this.#read<Standing>('current'))?.epoch ?? '') === this.#known
  }

  /** Puts what is prepared here in force on all replicas, or on none. Called with nothing else going on in this one. Never rejects. */
  async decide(switches: readonly EgressSwitch[], staged: StagedChange): Promise<Decision> {
    const { shared } = this.#parts
    const next: Standing = { epoch: this.#parts.random.hex(8), switches }
    const locked = await shared.claim(this.#key('lock'), lockMs).catch(() => undefined)
    if (locked !== true) {
      await staged.abort()
      return locked === undefined ? unavailable('nothing has changed') : { kind: 'refused', code: 'switch_busy', message: 'another switch is under way' }
    }
    this.#busy = true
    try {
      return await this.#propose(next, staged)
    } finally {
      this.#busy = false
      await shared.delete(this.#key('lock')).catch(() => undefined)
    }
  }

  async #propose(next: Standing, staged: StagedChange): Promise<Decision> {
    let others: readonly string[]
    try {
      // Before the others are counted: whoever joins after that sees it, and waits.
      await this.#write('proposal', { ...next, phase: 'prepare', by: this.id } satisfies Proposal, proposalMs)
      others = (await this.#members()).filter((id) => id !== this.id)
      const against = await this.#agreement(next, others, staged)
      if (against !== undefined) {
        await Promise.all([staged.abort(), this.#parts.shared.delete(this.#key('proposal'))])
        return against
      }
    } catch (error) {
      await staged.abort()
      await this.#parts.shared.delete(this.#key('proposal')).catch(() => undefined)
      return unavailable(`nothing has changed (${reasonOf(error)})`)
    }
    if (!(await this.#writeDown(next))) {
      await staged.abort()
      return unavailable('whether it was written down is not known; every replica follows what is there when the store is back')
    }
    await this.#putInForce(next, staged, true)
    await this.#parts.shared.delete(this.#key('proposal')).catch(() => undefined)
    const heard = await this.#hear(next.epoch, others, 'switched', switchedMs).catch(() => ({ missing: others }))
    return { kind: 'made', replicas: 1 + others.length - heard.missing.length, waiting: heard.missing }
  }

  /** Undefined when every replica is ready and holds, and the decision is ours. */
  async #agreement(next: Standing, others: readonly string[], staged: StagedChange): Promise<Decision | undefined> {
    const ready = await this.#hear(next.epoch, others, 'ready', readyMs)
    if ('no' in ready) return { kind: 'refused', code: 'replica_refused', message: `another replica cannot: ${ready.no}` }
    if (ready.missing.length > 0) return silent(ready.missing)
    await staged.hold()
    await this.#write('proposal', { ...next, phase: 'hold', by: this.id } satisfies Proposal, proposalMs)
    const holding = await this.#hear(next.epoch, others, 'holding', holdingMs)
    if (holding.missing.length > 0) return silent(holding.missing)
    const mine = await this.#parts.shared.claim(this.#key(`decide:${next.epoch}`), wordMs)
    return mine ? undefined : { kind: 'refused', code: 'replica_silent', message: 'another replica lost patience' }
  }

  /** Once the decision is ours nobody else can make it: a write whose answer was lost is made again. */
  async #writeDown(next: Standing): Promise<boolean> {
    const until = this.#parts.clock.ticks() + patienceMs
    for (;;) {
      try {
        await this.#write('current', next, undefined)
        return true
      } catch {
        if (this.#closed || this.#parts.clock.ticks() > until) return false
        await this.#pause(5 * busyMs)
      }
    }
  }

  async #putInForce(standing: Standing, staged: StagedChange, fresh: boolean): Promise<void> {
    this.#parts.keep(standing.switches, fresh)
    this.#known = standing.epoch
    await staged.commit()
  }

  async #look(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    try {
      const proposal = await this.#read<Proposal>('proposal')
      if (proposal !== undefined && proposal.by !== this.id && proposal.epoch !== this.#answered) {
        this.#answered = proposal.epoch
        await this.#parts.alone(() => this.#takePart(proposal))
      }
      if (!(await this.isCurrent())) await this.#parts.alone(() => this.#catchUp())
    } finally {
      this.#busy = false
    }
  }

  /** From the first word about a proposal to its end. */
  async #takePart(proposal: Proposal): Promise<void> {
    const { clock, shared, prepare, against } = this.#parts
    const obstacle = against(proposal.switches)
    if (obstacle !== undefined) return this.#say(proposal.epoch, `no:${obstacle}`)
    const staged = await prepare(proposal.switches)
    if ('obstacle' in staged) return this.#say(proposal.epoch, `no:${staged.obstacle.message}`)
    let heldAt: number | undefined
    try {
      await this.#say(proposal.epoch, 'ready')
    } catch (error) {
      await staged.abort()
      throw error
    }
    while (!this.#closed) {
      await this.#pause(busyMs)
      try {
        // In this order: what takes a proposal away has written its outcome down before.
        const there = await this.#read<Proposal>('proposal')
        const current = await this.#read<Standing>('current')
        if (current?.epoch === proposal.epoch) {
          await this.#putInForce(current, staged, true)
          return await this.#say(proposal.epoch, 'switched')
        }
        if (there?.epoch !== proposal.epoch) break
        if (there.phase === 'hold' && heldAt === undefined) {
          heldAt = clock.ticks()
          await staged.hold()
          await this.#say(proposal.epoch, 'holding')
        }
        if (heldAt !== undefined && clock.ticks() - heldAt > patienceMs && (await shared.claim(this.#key(`decide:${proposal.epoch}`), wordMs))) {
          await shared.delete(this.#key('proposal'))
          break
        }
      } catch {
        // Whoever holds may be part of a decision already, and waits until the store says which.
        if (heldAt === undefined) break
      }
    }
    if (this.#known !== proposal.epoch) await staged.abort()
  }

  async #catchUp(): Promise<void> {
    const current = await this.#read<Standing>('current')
    if (current === undefined || current.epoch === this.#known) return
    const staged = await this.#parts.prepare(current.switches)
    if ('obstacle' in staged) {
      this.#parts.log('error', 'egress_switch_failed', { reason: staged.obstacle.message })
      return
    }
    await this.#putInForce(current, staged, false)
    await this.#say(current.epoch, 'switched')
  }

  /** Waits until all of them have said a word. What is missing after the time, or the first refusal. */
  async #hear(epoch: string, ids: readonly string[], word: string, ms: number): Promise<{ readonly missing: readonly string[]; readonly no?: string }> {
    const until = this.#parts.clock.ticks() + ms
    for (;;) {
      const words = await Promise.all(ids.map(async (id) => [id, await this.#parts.shared.get(this.#key(`word:${epoch}:${id}`))] as const))
      const no = words.find(([, said]) => said?.startsWith('no:') === true)?.[1]
      const missing = words.filter(([, said]) => said !== word).map(([id]) => id)
      if (no !== undefined) return { missing, no: no.slice(3) }
      if (missing.length === 0 || this.#parts.clock.ticks() > until) return { missing }
      await this.#pause(busyMs)
    }
  }

  #say(epoch: string, word: string): Promise<void> {
    return this.#parts.shared.set(this.#key(`word:${epoch}:${this.id}`), word, wordMs)
  }

  /** Keeps our slot, or takes one. */
  async #beat(): Promise<void> {
    const { shared } = this.#parts
    if (this.#slot !== undefined && (await shared.get(this.#key(`slot:${this.#slot}`))) === this.id) {
      return await shared.set(this.#key(`slot:${this.#slot}`), this.id, aliveMs)
    }
    for (let slot = 0; slot < slots; slot++) {
      if (!(await shared.claim(this.#key(`slot:${slot}`), aliveMs))) continue
      await shared.set(this.#key(`slot:${slot}`), this.id, aliveMs)
      this.#slot = slot
      return
    }
    throw new Error(`more than ${slots} replicas`)
  }

  /** Those that are alive. One that has just claimed its slot has no name yet, and nobody can do without it: it counts as silent. */
  async #members(): Promise<readonly string[]> {
    const all = await Promise.all(Array.from({ length: slots }, (_, slot) => this.#parts.shared.get(this.#key(`slot:${slot}`))))
    return all.filter((id) => id !== undefined)
  }

  async #read<T>(name: string): Promise<T | undefined> {
    const text = await this.#parts.shared.get(this.#key(name))
    return text === undefined ? undefined : (JSON.parse(text) as T) // written by another replica of this program
  }

  #write(name: string, value: Standing | Proposal, ttlMs: number | undefined): Promise<void> {
    return this.#parts.shared.set(this.#key(name), JSON.stringify(value), ttlMs)
  }

  #key(name: string): string {
    return `egress.switch:${this.#parts.environment}:${name}`
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#parts.clock.after(ms, resolve))
  }

  /** The store may be away: what cannot be done now is tried again. */
  #every(ms: number, run: () => Promise<void>): void {
    const timer = this.#parts.clock.after(ms, () => {
      this.#timers.delete(timer)
      const again = () => {
        if (!this.#closed) this.#every(ms, run)
      }
      run().then(again, again)
    })
    this.#timers.add(timer)
  }
}

function silent(missing: readonly string[]): Decision {
  return { kind: 'refused', code: 'replica_silent', message: `no word from ${missing.join(', ')}: nothing has changed` }
}

function unavailable(what: string): Decision {
  return { kind: 'refused', code: 'store_unavailable', message: `the shared store does not answer: ${what}` }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
