import { faultyBody } from '../../test/support/faulty-body.ts'
import { type FaultyEndpoint, startFaultyEndpoint } from '../../test/support/faulty-endpoint.ts'
import { until } from '../../test/support/until.ts'
import { type Gateway, startFleet } from '../harness/fleet.ts'
import { percentile } from '../report/statistics.ts'
import type { Run, Scenario, Stage, Verdict } from './scenario.ts'
import type { Sample, Samples } from './steady-load.ts'

/*
 * One of two endpoints fails. Eight requests of nine may be repeated, the ninth (a POST) may not. Every request has a path of its own, by which the
 * endpoints count what has reached them: no more tries than the budget allows, and no POST twice.
 */
interface Fault {
  readonly name: string
  readonly about: string
  /** How the gateway repeats; without it what is below. */
  readonly retry?: object
  /** Whether the endpoint is to be ejected. */
  readonly ejects: boolean
  /** Which requests may fail although they may be repeated. */
  readonly mayFail: 'none' | 'broken' | 'refused'
  /** Share of all tries that may be repetitions, counted at the endpoints. */
  readonly budget?: number
  harm(victim: FaultyEndpoint, other: FaultyEndpoint): unknown
  heal(victim: FaultyEndpoint, other: FaultyEndpoint): unknown
}

const retry = { attempts: 3, budget: '100%', answers: '16KiB' }
const none = { ejects: true, mayFail: 'none' } as const

const faults: readonly Fault[] = [
  { ...none, name: 'control', about: 'nothing happens', ejects: false, harm: () => {}, heal: () => {} },
  { ...none, name: 'killed', about: 'one of two endpoints is killed', harm: (victim) => victim.kill(), heal: (victim) => victim.restart() },
  { ...none, name: 'frozen', about: 'one of two endpoints stops without a word (SIGSTOP)', harm: (victim) => victim.freeze(), heal: (victim) => victim.thaw() },
  { ...none, name: 'restarted', about: 'one of two endpoints is killed and comes back', ejects: false, harm: (victim) => victim.restart(), heal: () => {} },
  { ...none, name: 'says-503', about: 'one of two endpoints answers 503', harm: (victim) => victim.say('503'), heal: (victim) => victim.say('ok') },
  {
    ...none,
    name: 'resets',
    about: 'one of two endpoints resets in the middle of its answers',
    harm: (victim) => victim.say('cut'),
    heal: (victim) => victim.say('ok'),
  },
  {
    ...none,
    name: 'resets-flowing',
    about: 'the same, and answers flow as they come',
    retry: { attempts: 3, budget: '100%' },
    mayFail: 'broken',
    harm: (victim) => victim.say('cut'),
    heal: (victim) => victim.say('ok'),
  },
  {
    name: 'all-say-503',
    about: 'both endpoints answer 503, and a fifth of the tries may be repetitions',
    retry: { attempts: 3, budget: '20%' },
    ejects: false,
    mayFail: 'refused',
    budget: 0.2,
    harm: (...both) => Promise.all(both.map((end) => end.say('503 late'))),
    heal: (...both) => Promise.all(both.map((end) => end.say('ok'))),
  },
]

export const endpoints: readonly Scenario[] = faults.map((fault) => ({
  name: `endpoints/${fault.name}`,
  about: fault.about,
  missing: () => undefined,
  setup: async (_options, keep): Promise<Stage> => {
    const both = await Promise.all([startFaultyEndpoint(), startFaultyEndpoint()])
    for (const end of both) keep(() => end.close())
    const [victim, other] = both
    const { gateways } = await startFleet(1, policy(both, fault), keep)
    const [gateway] = gateways
    if (gateway === undefined) throw new Error('no gateway')
    const took = { ejectedMs: 0, backMs: 0 }
    return {
      stays: true,
      enter: () => {},
      request(n) {
        // An odd number, so that POSTs do not keep step with two endpoints in turn.
        const method = n % 9 === 8 ? 'POST' : 'GET'
        return { port: gateway.port, method, path: `/${n}`, headers: method === 'POST' ? { 'content-length': '0' } : {}, tag: `${method} /${n}` }
      },
      async fault() {
        const begun = performance.now()
        await fault.harm(victim, other)
        if (fault.ejects) await untilHealthIs('ejected', gateway, victim)
        took.ejectedMs = performance.now() - begun
      },
      async heal() {
        const begun = performance.now()
        await fault.heal(victim, other)
        await untilHealthIs('healthy', gateway, victim)
        took.backMs = performance.now() - begun
      },
      judge: async (run) => judged(run, fault, took, reached(both)),
    }
  },
}))

function policy(both: readonly FaultyEndpoint[], fault: Fault): Readonly<Record<string, unknown>> {
  // Where both fail, who is ejected says nothing about retries.
  const outlier = fault.ejects ? { ejectFor: '1s', maxEjectFor: '2s' } : 'off'
  return {
    clusters: { web: { endpoints: { static: both.map(({ port }) => `127.0.0.1:${port}`) }, outlier } },
    routes: {
      web: {
        match: { path: '/{**}' },
        access: { rules: [{ id: 'all', allow: { anonymous: true } }] },
        timeout: '2s',
        retry: fault.retry ?? retry,
        to: 'web',
      },
    },
  }
}

/** Asks the gateway what it thinks of the endpoint. @throws Error when it does not come to think so in 20 s */
async function untilHealthIs(wanted: string, gateway: Gateway, { port }: FaultyEndpoint): Promise<void> {
  await until(
    async () => {
      const { endpoints: all } = JSON.parse(await gateway.admin('/endpoints')) as {
        readonly endpoints: { readonly endpoint: string; readonly health: string }[]
      }
      const health = all.find(({ endpoint }) => endpoint.endsWith(`:${port}`))?.health
      if (health !== wanted) throw new Error(`the endpoint is ${health} and not ${wanted}`)
    },
    20_000,
    10,
  )
}

function reached(both: readonly FaultyEndpoint[]): ReadonlyMap<string, number> {
  const all = new Map<string, number>()
  for (const { got } of both) for (const [request, count] of got) all.set(request, (all.get(request) ?? 0) + count)
  return all
}

function judged(
  { samples, control, fault: begun, healed }: Run,
  fault: Fault,
  took: { readonly ejectedMs: number; readonly backMs: number },
  got: ReadonlyMap<string, number>,
): Verdict {
  const gets = samples.filter(({ tag }) => tag.startsWith('GET'))
  const failed = gets.filter(({ status }) => status !== 200)
  const wrongly = failed.filter(({ status }) => fault.mayFail === 'none' || (status === undefined) !== (fault.mayFail === 'broken'))
  const cut = samples.filter(looksWhole)
  const posts = samples.filter(({ tag }) => tag.startsWith('POST'))
  const twice = posts.filter(({ tag }) => (got.get(tag) ?? 0) > 1)
  const again = share(
    samples.filter(({ due, tag }) => tag.startsWith('GET') && due >= begun && due < healed),
    got,
  )
  return {
    figures: {
      requests: `${gets.length}`,
      failed: `${failed.length}`,
      'look whole': `${cut.length}`,
      POSTs: `${posts.length}`,
      'failed ': `${posts.filter(({ status }) => status !== 200).length}`,
      twice: `${twice.length}`,
      'tries again': `${(again * 100).toFixed(1)} %`,
      'ejected after': fault.ejects ? `${took.ejectedMs.toFixed(0)} ms` : '-',
      'back after': fault.ejects ? `${took.backMs.toFixed(0)} ms` : '-',
      'p99 before': p99(samples.filter(({ due }) => due >= control && due < begun)),
      'p99 while out': p99(samples.filter(({ due }) => due >= begun + took.ejectedMs && due < healed - took.backMs)),
    },
    broken: [
      ...(wrongly.length > 0 ? [`${wrongly.length} requests failed that may be repeated`] : []),
      ...(cut.length > 0 ? [`${cut.length} half answers look whole`] : []),
      ...(twice.length > 0 ? [`${twice.length} POSTs were sent twice`] : []),
      ...(again > (fault.budget ?? 0.5) ? [`${(again * 100).toFixed(1)} % of the tries were repetitions`] : []),
      ...(fault.budget !== undefined && again < fault.budget / 4 ? ['hardly anything was repeated, so the budget was not tried'] : []),
    ],
    missed: [],
  }
}

/** A 200 that is shorter than what an endpoint says, though its framing says that it is whole. */
function looksWhole({ status, head }: Sample): boolean {
  return status === 200 && !head.toLowerCase().includes(`\r\ncontent-length: ${faultyBody.length}`)
}

/** Share of what has reached the endpoints that was there before. */
function share(samples: Samples, got: ReadonlyMap<string, number>): number {
  const tries = samples.reduce((sum, { tag }) => sum + (got.get(tag) ?? 0), 0)
  const first = samples.filter(({ tag }) => got.has(tag)).length
  return tries === 0 ? 0 : (tries - first) / tries
}

/** Milliseconds, of those that were answered. */
function p99(samples: Samples): string {
  const times = samples.flatMap(({ tookMs }) => (tookMs === undefined ? [] : [tookMs]))
  return times.length === 0 ? '-' : percentile(times, 0.99).toFixed(1)
}
