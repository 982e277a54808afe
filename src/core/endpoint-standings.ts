import type { Clock } from './ports.ts'
import type { Token } from './token-cache.ts'
import { TokenRequestError } from './token-endpoint.ts'

interface Standing {
  readonly waitMs: number
  readonly until: number
}

const firstWaitMs = 1_000
const longestWaitMs = 30_000

/** How token endpoints are: while one is in trouble nobody is sent there, whoever asks and for whom. It is left alone for 1 s, doubling to 30 s. */
export class EndpointStandings {
  readonly #clock: Pick<Clock, 'ticks'>
  readonly #standings = new Map<string, Standing>()

  constructor(clock: Pick<Clock, 'ticks'>) {
    this.#clock = clock
  }

  /** @throws Error while the endpoint is left alone, else what `request` throws */
  async run(url: string, request: () => Promise<Token>): Promise<Token> {
    const standing = this.#standings.get(url)
    if (standing !== undefined && this.#clock.ticks() < standing.until) throw new Error('the token endpoint is in trouble and is left alone for a while')
    try {
      const token = await request()
      this.#standings.delete(url)
      return token
    } catch (error) {
      // A grant that was refused says nothing about the endpoint.
      if (error instanceof TokenRequestError && error.refused) throw error
      const waitMs = standing === undefined ? firstWaitMs : Math.min(longestWaitMs, standing.waitMs * 2)
      this.#standings.set(url, { waitMs, until: this.#clock.ticks() + waitMs })
      throw error
    }
  }
}
