import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { untilMet } from '../../test/support/instances.ts'
import { mostBy } from '../../test/support/printed-bounds.ts'
import { hasRedis, redisHint, startRedis } from '../../test/support/redis.ts'
import { type StoreFault, storeFaults } from '../../test/support/store-faults.ts'
import { until } from '../../test/support/until.ts'
import { type Gateway, startFleet, startService } from '../harness/fleet.ts'
import { percentile, spreadOf } from '../report/statistics.ts'
import type { Phase, Run, Scenario, Stage, Verdict } from './scenario.ts'
import type { Sample } from './steady-load.ts'

/*
 * Two gateways around one store, which is lost. Of four requests one is of a key with a limit that it meets, the others are of 200 keys that
 * are far from theirs. Some of the narrow keys are there from the start, some come when the store is lost, and some when it is back.
 */
const instances = 2
const narrow = 20
const narrowKeys = 6
const wideKeys = 200
/** What is asked of the times. Milliseconds. */
const asked = { firstSecondMs: 25, afterMs: 2, recoveryMs: 2000 } as const

/** Nothing happens: how much of the times is the machine's. */
const control: StoreFault = {
  name: 'control',
  about: 'nothing happens',
  kind: 'single',
  forgets: false,
  lost: 'none',
  stays: true,
  async start(wants) {
    const redis = await startRedis({ ...wants, kept: true })
    return { url: redis.url, lose: async () => {}, heal: async () => {}, close: () => redis.close() }
  },
}

export const redisLoss: readonly Scenario[] = [control, ...storeFaults].map((fault) => ({
  name: `redis-loss/${fault.name}`,
  about: fault.about,
  missing: () => (hasRedis() ? undefined : redisHint),
  setup: async (_options, keep): Promise<Stage> => {
    const store = await fault.start()
    keep(() => store.close())
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-chaos-store-'))
    keep(() => rm(folder, { recursive: true, force: true }))
    const secret = join(folder, 'url')
    await writeFile(secret, store.url)
    const { gateways, bounds } = await startFleet(instances, policy(await startService(keep), secret), keep)
    await untilMet(store.url, instances)
    const most = mostBy(bounds.get('narrow') ?? '', { instances, lost: true, forgets: fault.forgets })
    const cohorts: Phase[] = []
    const who = (n: number): string => {
      if (n % 4 !== 0) return `wide-${n % wideKeys}`
      const turn = n / 4
      return `narrow-${cohorts[turn % cohorts.length]}-${Math.floor(turn / cohorts.length) % narrowKeys}`
    }
    return {
      stays: fault.stays,
      enter: (phase) => void (phase === 'warm-up' || cohorts.push(phase)),
      request(n) {
        const tag = cohorts.length === 0 ? `wide-${n % wideKeys}` : who(n)
        // Each key is asked for at both gateways.
        const { port = 0 } = gateways[Math.floor(Math.random() * instances)] ?? {}
        return { port, path: tag.startsWith('narrow') ? '/narrow' : '/wide', headers: { 'x-who': tag }, tag }
      },
      fault: () => store.lose(),
      heal: () => store.heal(),
      async judge(run) {
        const verdict = judged(run, most)
        const states = await until(() => Promise.all(gateways.map(asksAgain)), 15_000, 50).then(
          () => [],
          (why: unknown) => [why instanceof Error ? why.message : String(why)],
        )
        return { ...verdict, broken: [...verdict.broken, ...states] }
      },
    }
  },
}))

/** @throws Error until a gateway answers a request with the store, and its gauge says so: only a request can find out. */
async function asksAgain({ port, admin }: Gateway): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/wide`, { headers: { 'x-who': `late-${Math.random()}` } })
  await answer.text()
  if (answer.headers.get('ratelimit')?.includes('sallyport-degraded') !== false) throw new Error('a gateway answers without the store to the end')
  if (!/^sallyport_limit_store_degraded 0/m.test(await admin('/metrics'))) throw new Error('the gauge sallyport_limit_store_degraded is not back to 0')
}

function policy(web: number, secret: string): Readonly<Record<string, unknown>> {
  const access = { rules: [{ id: 'all', allow: { anonymous: true } }] }
  const route = (name: string) => ({ match: { path: `/${name}` }, access, limits: [name], to: 'web' })
  return {
    store: { redis: `file:${secret}` },
    limits: { narrow: { rate: `${narrow}/1m`, key: ['header.x-who'] }, wide: { rate: '1000000/1m', key: ['header.x-who'] } },
    clusters: { web: { address: `127.0.0.1:${web}` } },
    routes: { narrow: route('narrow'), wide: route('wide') },
  }
}

function judged({ samples, control: begun, fault, healed, end }: Run, most: number): Verdict {
  const between = (from: number, to: number) => samples.filter(({ due }) => due >= from && due < to)
  const calm = between(begun, fault)
  const seconds = Array.from({ length: Math.floor((fault - begun) / 1000) }, (_, i) => p99(between(begun + i * 1000, begun + (i + 1) * 1000)))
  const usual = { second: spreadOf(seconds).median, all: p99(calm) }
  const first = p99(between(fault, fault + 1000))
  const later = p99(between(fault + 1000, end))
  const [addedFirst, addedLater] = [first - usual.second, later - usual.all]
  const failed = samples.filter(({ status }) => status === undefined || status >= 500)
  const got = Map.groupBy(
    samples.filter(({ tag, status }) => tag.startsWith('narrow') && status === 200),
    ({ tag }) => tag,
  )
  const greatest = Math.max(0, ...Array.from(got.values(), ({ length }) => length))
  const recovered = recoveryMs(between(healed, end), healed)
  const lost = between(fault, end).filter(isDegraded).length
  return {
    figures: {
      requests: `${samples.length}`,
      '5xx': `${failed.length}`,
      refused: `${samples.filter(({ status }) => status === 429).length}`,
      degraded: `${lost}`,
      'p99 before': usual.all.toFixed(1),
      'first s': first.toFixed(1),
      '(added)': addedFirst.toFixed(1),
      later: later.toFixed(1),
      ' (added)': addedLater.toFixed(1),
      'exact after': recovered === undefined ? 'not yet' : `${(recovered / 1000).toFixed(1)} s`,
      'most of a key': `${greatest}`,
      allowed: `${narrow}`,
      bound: `${most}`,
    },
    broken: [
      ...(failed.length > 0 ? [`${failed.length} requests had no answer or a 5xx`] : []),
      ...(greatest > most ? [`a key got ${greatest}, and check says ${most}`] : []),
      ...(greatest < narrow ? [`no key got more than ${greatest} of its ${narrow}`] : []),
    ],
    missed: [
      ...(addedFirst > asked.firstSecondMs ? [`p99 of the first second grew by ${addedFirst.toFixed(1)} ms; asked for is ${asked.firstSecondMs}`] : []),
      ...(addedLater > asked.afterMs ? [`p99 after that grew by ${addedLater.toFixed(1)} ms; asked for is ${asked.afterMs}`] : []),
      ...(recovered === undefined ? ['answers were still made without the store when the load ended'] : []),
      ...((recovered ?? 0) > asked.recoveryMs ? [`it took ${recovered} ms until limits were exact; asked for is ${asked.recoveryMs}`] : []),
    ],
  }
}

/** Of those that were answered. */
function p99(samples: readonly Sample[]): number {
  return percentile(
    samples.flatMap(({ tookMs }) => (tookMs === undefined ? [] : [tookMs])),
    0.99,
  )
}

function isDegraded({ head }: Sample): boolean {
  return head.includes('sallyport-degraded')
}

const stepMs = 100

/**
 * The end of the last tenth of a second in which more than a tenth of the answers were made without the store; undefined when that is the end of all.
 * A single one says that a busy machine was late.
 */
function recoveryMs(samples: readonly Sample[], healed: number): number | undefined {
  const steps = Map.groupBy(samples, ({ due }) => Math.floor((due - healed) / stepMs))
  let last = -1
  for (const [step, within] of steps) if (within.filter(isDegraded).length > within.length / 10) last = Math.max(last, step)
  return last >= Math.max(...steps.keys()) ? undefined : (last + 1) * stepMs
}
