import { Agent, request } from 'undici'
import { expect, test, vi } from 'vitest'
import { type FaultyEndpoint, startFaultyEndpoint } from '../support/faulty-endpoint.ts'
import { openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'

const keep = untilTheEnd()

const policy = (ports: readonly number[]) => `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { public: { address: "127.0.0.1:0" }, admin: { address: "127.0.0.1:0" } }
clusters:
  web:
    endpoints: { static: [${ports.map((port) => `"127.0.0.1:${port}"`).join(', ')}] }
    balance: round_robin
    outlier: { ejectFor: 500ms, maxEjectFor: 1s }
routes:
  web:
    match: { path: "/{**}" }
    access: { rules: [{ id: all, allow: { anonymous: true } }] }
    timeout: 1s
    retry: { attempts: 2, budget: 100% }
    to: web
  held:
    match: { path: "/held" }
    access: { rules: [{ id: all, allow: { anonymous: true } }] }
    timeout: 1s
    retry: { attempts: 2, budget: 100%, answers: 16KiB }
    to: web
`

/** Every answer in one word: its status, `broken` for one that broke off, `LIE` for half an answer that looks whole. */
async function ask(agent: Agent, url: string): Promise<string> {
  try {
    const answer = await request(url, { dispatcher: agent })
    const text = await answer.body.text()
    if (answer.statusCode !== 200) return `${answer.statusCode}`
    return text.endsWith(' whole') ? '200' : 'LIE'
  } catch {
    return 'broken'
  }
}

async function setUp() {
  const ends = await Promise.all([startFaultyEndpoint(), startFaultyEndpoint()])
  for (const end of ends) keep(() => end.close())
  const gateway = await openGateway(keep, { 'a.yaml': policy(ends.map(({ port }) => port)) })
  const agent = new Agent({ connections: 8 })
  keep(() => agent.destroy())
  const rounds = async (count: number, path = '/x') => {
    const url = `http://127.0.0.1:${gateway.port('public')}${path}`
    const words = new Map<string, number>()
    const one = async () => {
      for (let i = 0; i < count / 8; i += 1) {
        const word = await ask(agent, url)
        words.set(word, (words.get(word) ?? 0) + 1)
      }
    }
    await Promise.all(Array.from({ length: 8 }, one))
    return Object.fromEntries(words)
  }
  const healthOf = async (end: FaultyEndpoint) => {
    const { endpoints } = JSON.parse(await gateway.admin('/endpoints')) as { endpoints: { endpoint: string; health: string }[] }
    return endpoints.find(({ endpoint }) => endpoint.endsWith(`:${end.port}`))?.health
  }
  /** Asks until the endpoint is as it should be; ejections end when somebody asks. */
  const until = (end: FaultyEndpoint, health: string) =>
    vi.waitFor(
      async () => {
        await rounds(8)
        expect(await healthOf(end)).toBe(health)
      },
      { timeout: 20_000, interval: 20 },
    )
  return { ends, rounds, until, gateway }
}

test('an endpoint that is killed is ejected without a failed request, and comes back when it is there again', { timeout: 60_000 }, async () => {
  const { ends, rounds, until } = await setUp()
  expect(await rounds(80)).toEqual({ 200: 80 })
  await ends[0].kill()
  expect(await rounds(400)).toEqual({ 200: 400 })
  await until(ends[0], 'ejected')
  await ends[0].restart()
  await until(ends[0], 'healthy')
  expect(await rounds(80)).toEqual({ 200: 80 })
})

test('one that answers 503 is ejected without a failed request', { timeout: 60_000 }, async () => {
  const { ends, rounds, until } = await setUp()
  await ends[0].say('503')
  expect(await rounds(400)).toEqual({ 200: 400 })
  await until(ends[0], 'ejected')
  await ends[0].say('ok')
  await until(ends[0], 'healthy')
})

test('one that breaks off in mid-body is ejected, and no half answer looks whole', { timeout: 60_000 }, async () => {
  const { ends, rounds, until } = await setUp()
  await ends[0].say('cut')
  const words = await rounds(400)
  expect(words['LIE']).toBeUndefined()
  // What has begun to flow cannot be asked for again: those that fell to it before it was ejected broke, visibly.
  expect((words['200'] ?? 0) + (words['broken'] ?? 0)).toBe(400)
  expect(words['broken']).toBeLessThan(60)
  await until(ends[0], 'ejected')
  await ends[0].say('ok')
  await until(ends[0], 'healthy')
  // Held back until it is whole, it can be asked for again.
  await ends[0].say('cut')
  expect(await rounds(400, '/held')).toEqual({ 200: 400 })
  await until(ends[0], 'ejected')
})

test('one that is frozen is ejected without a failed request', { timeout: 60_000 }, async () => {
  const { ends, rounds, until } = await setUp()
  await rounds(80)
  ends[0].freeze()
  keep(() => ends[0].thaw())
  expect(await rounds(80)).toEqual({ 200: 80 })
  await until(ends[0], 'ejected')
  expect(await rounds(80)).toEqual({ 200: 80 })
  ends[0].thaw()
  await until(ends[0], 'healthy')
})
