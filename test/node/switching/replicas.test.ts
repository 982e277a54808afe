import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { EgressSwitch } from '../../../src/core/policy/linked/switched.ts'
import type { Shared } from '../../../src/core/ports.ts'
import { createMemoryShared } from '../../../src/node/shared.ts'
import { type Decision, Replicas } from '../../../src/node/switching/replicas.ts'
import { fakeClock } from '../../support/clock.ts'
import { seededRandom } from '../../support/ports.ts'

const toTest: EgressSwitch = { id: 'one', service: 'pay', environment: 'test', by: 'ada', reason: 'why not', at: 0, endsAt: undefined }

/** Two replicas and their store, which each of them may lose. What happens to the calls of each stands in `log`. */
async function twoReplicas() {
  const clock = fakeClock()
  const store = createMemoryShared(clock)
  const log = { a: [] as string[], b: [] as string[] }
  /** What becomes of what `a` asks of the store. */
  let fate: (what: string, ask: () => Promise<unknown>) => Promise<unknown> = (_, ask) => ask()
  const shared: Shared = {
    claim: (key, ttlMs) => fate('claim', () => store.claim(key, ttlMs)) as Promise<boolean>,
    get: (key) => fate('get', () => store.get(key)) as Promise<string | undefined>,
    set: (key, value, ttlMs) => fate(`set ${key}`, () => store.set(key, value, ttlMs)) as Promise<void>,
    delete: (key) => fate('delete', () => store.delete(key)) as Promise<void>,
  }
  const staged = (own: string[]) => ({
    hold: async () => void own.push('hold'),
    commit: async () => void own.push('commit'),
    abort: async () => void own.push('abort'),
  })
  const replica = (name: 'a' | 'b', seed: number, own: Shared) =>
    new Replicas({
      environment: 'dev',
      shared: own,
      clock,
      random: seededRandom(seed),
      log: () => {},
      alone: (run) => run(),
      prepare: async () => staged(log[name]),
      against: () => undefined,
      keep: () => {},
    })
  const [a, b] = [replica('a', 1, shared), replica('b', 2, store)]
  /** Moves time on until something is so, or for so long. */
  const pass = async (ms: number, isSo: () => boolean = () => false) => {
    for (let gone = 0; gone < ms && !isSo(); gone += 20) {
      await setImmediate()
      clock.advance(20)
    }
  }
  await Promise.all([a.begin(), b.begin()])
  return {
    log,
    pass,
    lose: (how: typeof fate) => void (fate = how),
    close: () => [a, b].map((one) => one.close()),
    decide() {
      const made: { decision?: Decision } = {}
      void a.decide([toTest], staged(log.a)).then((decision) => Object.assign(made, { decision }))
      return made
    },
  }
}

const away = () => Promise.reject(new Error('away'))

describe('a replica that proposes a switch and loses the store', () => {
  it('holds its calls until it knows that the others have moved, and moves', async () => {
    const { log, pass, lose, close, decide } = await twoReplicas()
    let cut = false
    lose(async (what, ask) => {
      if (cut) return away()
      if (!what.endsWith(':current')) return ask()
      cut = true
      await ask()
      return away()
    })
    const made = decide()
    await pass(10_000, () => log.b.includes('commit'))
    await pass(60_000)
    expect([log.a, log.b, made.decision]).toEqual([['hold'], ['hold', 'commit'], undefined])
    lose((_, ask) => ask())
    await pass(10_000, () => made.decision !== undefined)
    expect([log.a, made.decision?.kind]).toEqual([['hold', 'commit'], 'made'])
    close()
  })

  it('stays where it was when it knows that the others have given up', async () => {
    const { log, pass, lose, close, decide } = await twoReplicas()
    let cut = false
    lose(async (what, ask) => {
      cut ||= what.endsWith(':current')
      return cut ? away() : ask()
    })
    const made = decide()
    await pass(40_000, () => log.b.includes('abort'))
    expect([log.a, log.b, made.decision]).toEqual([['hold'], ['hold', 'abort'], undefined])
    lose((_, ask) => ask())
    await pass(10_000, () => made.decision !== undefined)
    expect([log.a, made.decision]).toMatchObject([['hold', 'abort'], { kind: 'refused', code: 'store_unavailable' }])
    await pass(2_000)
    expect(log.b).toEqual(['hold', 'abort'])
    close()
  })

  it('writes its decision down when the store is back soon, while the others still hold', async () => {
    const { log, pass, lose, close, decide } = await twoReplicas()
    let cut = false
    lose(async (what, ask) => {
      cut ||= what.endsWith(':current')
      return cut ? away() : ask()
    })
    const made = decide()
    await pass(10_000, () => cut)
    await pass(6_000)
    expect([log.a, log.b]).toEqual([['hold'], ['hold']])
    lose((_, ask) => ask())
    await pass(5_000, () => made.decision !== undefined)
    expect([log.a, log.b, made.decision?.kind]).toEqual([['hold', 'commit'], ['hold', 'commit'], 'made'])
    close()
  })
})
