import { Fault } from '../../../model/fault.ts'
import { Lifeline } from '../../../model/lifeline.ts'
import type { MetricName } from '../../../observe/metrics.ts'
import type { Decider } from '../../../policy/linked/deciders.ts'
import type { Clock, Lasting, Meter } from '../../../ports.ts'
import { Answers } from './answers.ts'
import { Breaker } from './breaker.ts'
import type { Inputs } from './inputs.ts'
import { type Answer, type Question, shortened } from './question.ts'

/** What came of a question. */
export type Outcome = { readonly kind: 'answer'; readonly answer: Answer } | { readonly kind: 'failure'; readonly problem: string }

/** What outlives a snapshot: answers, questions under way, and how each point fares. */
export interface AskState {
  readonly answers: Answers
  readonly asking: Map<string, Promise<Outcome>>
  readonly standings: Map<string, Standing>
}

interface Standing {
  readonly breaker: Breaker
  /** Questions under way. */
  active: number
}

interface PointPorts {
  readonly clock: Clock
  readonly meter: Meter
}

/** Questions to one point at a time; it shall not drown, nor the gateway with it. */
const mostAtOnce = 256
/** Points whose standing is remembered. */
const mostStandings = 256

const names = { duration: 'sallyport_decider_answer_seconds', open: 'sallyport_decider_open' } as const satisfies Record<string, MetricName>

/** The one state of this process. */
export function askState(lasting: Lasting, clock: Clock): AskState {
  return lasting('authorize.ask', () => ({ answers: new Answers(clock), asking: new Map(), standings: new Map() }))
}

/** One decision point: asked once for all who want to know the same, within its time, and not at all while it is down. */
export class Point {
  readonly #decider: Decider
  readonly #question: Question
  readonly #state: AskState
  readonly #ports: PointPorts

  constructor(decider: Decider, question: Question, state: AskState, ports: PointPorts) {
    this.#decider = decider
    this.#question = question
    this.#state = state
    this.#ports = ports
  }

  /** Never rejects. Those who ask for the same while the answer is under way share it, where answers may be remembered at all. */
  ask(key: string, inputs: Inputs): Promise<Outcome> {
    const { allowMs, denyMs } = this.#decider.cache
    if (allowMs + denyMs === 0) return this.#put(key, inputs)
    const { asking } = this.#state
    const there = asking.get(key)
    if (there !== undefined) return there
    const made = this.#put(key, inputs).finally(() => asking.delete(key))
    asking.set(key, made)
    return made
  }

  async #put(key: string, inputs: Inputs): Promise<Outcome> {
    const standing = this.#standing()
    const { breaker } = standing
    if (standing.active >= mostAtOnce) return { kind: 'failure', problem: 'too many questions are under way' }
    if (!breaker.admit()) return { kind: 'failure', problem: 'it failed several times in a row and is left alone for a moment' }
    standing.active += 1
    const startedAt = this.#ports.clock.ticks()
    try {
      const answer = discreet(await this.#within(inputs), inputs)
      breaker.succeed()
      this.#remember(key, answer)
      return { kind: 'answer', answer }
    } catch (error) {
      breaker.fail()
      return { kind: 'failure', problem: problemOf(error) }
    } finally {
      standing.active -= 1
      this.#ports.meter.observe(names.duration, (this.#ports.clock.ticks() - startedAt) / 1000, { decider: this.#decider.name })
      this.#ports.meter.gauge(names.open, breaker.open ? 1 : 0, { decider: this.#decider.name })
    }
  }

  /** The answer within the decider's time, whatever the way there does. */
  #within(inputs: Inputs): Promise<Answer> {
    const { clock } = this.#ports
    const { timeoutMs } = this.#decider
    const lifeline = new Lifeline()
    return new Promise<Answer>((resolve, reject) => {
      const timer = clock.after(timeoutMs, () => {
        reject(new Error(`it did not answer within ${timeoutMs} ms`))
        lifeline.end(new Fault('deadline_exceeded', 'the decision point is late'))
      })
      this.#question(inputs, { deadline: clock.ticks() + timeoutMs, lifeline })
        .then(resolve, reject)
        .finally(() => {
          timer.cancel()
          lifeline.settle()
        })
    })
  }

  #remember(key: string, answer: Answer): void {
    const { allowMs, denyMs, staleForMs } = this.#decider.cache
    const holdsMs = Math.min(answer.allowed ? allowMs : denyMs, answer.ttlMs ?? Number.POSITIVE_INFINITY)
    // Who says that an answer holds for no time at all does not want it used later either.
    this.#state.answers.put(key, answer, holdsMs, answer.ttlMs === 0 ? 0 : staleForMs)
  }

  #standing(): Standing {
    const { standings } = this.#state
    const place = JSON.stringify(this.#decider.point)
    const standing = standings.get(place) ?? { breaker: new Breaker(this.#ports.clock), active: 0 }
    standings.delete(place)
    standings.set(place, standing)
    for (const oldest of standings.keys()) {
      if (standings.size <= mostStandings) break
      standings.delete(oldest)
    }
    return standing
  }
}

/** Words that repeat a credential are dropped: a remembered answer is told to others. */
function discreet(answer: Answer, { token, headers }: Inputs): Answer {
  const { reason } = answer
  const secrets = [token, headers['cookie'], headers['x-api-key']].flatMap((value) => (value === undefined ? [] : value.split(/[ ;,=]+/)))
  const repeats = reason !== undefined && secrets.some((secret) => secret.length >= 8 && reason.includes(secret))
  return repeats ? { ...answer, reason: undefined } : answer
}

/** Why there is no answer, for the record. */
function problemOf(error: unknown): string {
  const words = error instanceof Fault ? (error.detail.internal ?? error.message) : error instanceof Error ? error.message : 'it failed'
  const code = error instanceof Fault ? `${error.code}: ` : ''
  return shortened(`${code}${words}`) ?? 'it failed'
}
