import type { Clock } from '../../../ports.ts'
import type { IdentifyPorts } from '../ports.ts'
import type { JsonObject } from '../strict-json.ts'
import { askAbout, ClientRefused, findEndpoint, RequestRefused, type Source } from './ask.ts'
import { Breaker } from './breaker.ts'

export type AnswerAbout =
  | { readonly kind: 'answered'; readonly answer: JsonObject }
  | { readonly kind: 'unavailable'; readonly reason: string; readonly retryAfterMs: number }

const discoveryMs = 24 * 60 * 60_000
const retryAfterMs = 1000

/** One introspection endpoint: where it is, and whether it is well. Never rejects. */
export class Introspector {
  readonly #source: Source
  readonly #ports: Pick<IdentifyPorts, 'clock' | 'fetch' | 'secrets' | 'meter'>
  readonly #breaker: Breaker
  #endpoint: { readonly url: string; readonly since: number } | undefined

  constructor(source: Source, ports: Pick<IdentifyPorts, 'clock' | 'fetch' | 'secrets' | 'meter'>) {
    this.#source = source
    this.#ports = ports
    this.#breaker = new Breaker(ports.clock)
  }

  async ask(token: string): Promise<AnswerAbout> {
    const held = this.#breaker.enter()
    if (held !== undefined) {
      this.#count('held')
      return {
        kind: 'unavailable',
        reason: `the introspection endpoint of ${this.#source.issuer} is not asked: ${held.reason}`,
        retryAfterMs: held.retryAfterMs,
      }
    }
    try {
      const answer = await this.#within(token)
      this.#breaker.leave(true)
      this.#count(answer['active'] === true ? 'active' : 'inactive')
      return { kind: 'answered', answer }
    } catch (error) {
      // Nobody may open the breaker with odd tokens.
      this.#breaker.leave(error instanceof RequestRefused)
      // What discovery said may be what is wrong: ask it again.
      this.#endpoint = undefined
      this.#count(error instanceof ClientRefused ? 'unauthorized' : 'failed')
      return { kind: 'unavailable', reason: `${this.#source.issuer}: ${error instanceof Error ? error.message : 'failed'}`, retryAfterMs }
    }
  }

  #within(token: string): Promise<JsonObject> {
    const { clock } = this.#ports
    const { timeoutMs } = this.#source.settings
    const end = clock.ticks() + timeoutMs
    return within(
      clock,
      timeoutMs,
      this.#run(token, () => end - clock.ticks()),
    )
  }

  async #run(token: string, budget: () => number): Promise<JsonObject> {
    const now = this.#ports.clock.ticks()
    if (this.#endpoint === undefined || now - this.#endpoint.since > discoveryMs)
      this.#endpoint = { url: await findEndpoint(this.#source, this.#ports, budget), since: now }
    return askAbout(token, this.#endpoint.url, this.#source, this.#ports, budget)
  }

  #count(outcome: string): void {
    this.#ports.meter.count('sallyport_introspections_total', { issuer: this.#source.issuer, outcome })
  }
}

/** `work`, or a rejection after `ms`. */
function within<T>(clock: Pick<Clock, 'after'>, ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => reject(new Error(`no answer within ${ms} ms`)))
    work.then(resolve, reject).finally(() => timer.cancel())
  })
}
