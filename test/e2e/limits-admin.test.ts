import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { http1 } from '../support/clients.ts'
import { type Finished, type Served, sallyport, startServe } from '../support/command.ts'
import { untilTheEnd } from '../support/keep.ts'
import { hasRedis, type RedisServer, redisHint, startRedis } from '../support/redis.ts'
import { house, openHttp } from '../support/shop.ts'

const keep = untilTheEnd()
const installed = hasRedis()
const patienceMs = 60_000
let files: Readonly<Record<string, string>>

beforeAll(async () => {
  const web = await openHttp(keep, (_, response) => response.end('web'))
  files = {
    'house.yaml': house,
    'web.yaml': `sallyport: v1
limits:
  few: { rate: 3/1h, key: [header.x-who] }
clusters:
  web: { sidecar: none, address: "127.0.0.1:${web}" }
routes:
  web: { match: { path: / }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, limits: [few], to: web }
`,
  }
})

const ways: readonly { readonly name: string; readonly workers: number; readonly redis: boolean }[] = [
  { name: 'in the memory of one process', workers: 1, redis: false },
  { name: 'in the memory of the primary of two workers', workers: 2, redis: false },
  { name: 'in Redis, by one process', workers: 1, redis: true },
  { name: 'in Redis, by two workers', workers: 2, redis: true },
]

describe.each(ways.filter(({ redis }) => installed || !redis))(
  `limits counted $name${installed ? '' : ` (in Redis too: ${redisHint})`}`,
  { timeout: 180_000 },
  ({ workers, redis }) => {
    let server: RedisServer | undefined
    let served: Served

    beforeAll(async () => {
      server = redis ? await startRedis() : undefined
      const variables = server === undefined ? {} : { REDIS_URL: server.url }
      served = await startServe(keep, files, 'dev', { words: ['--workers', String(workers), '--lame-duck', '0s'], variables, patienceMs })
    }, patienceMs)
    afterAll(() => server?.close())

    const status = async (who: string) => (await http1(served.port('public'), { path: '/', headers: [['x-who', who]] })).status
    const limits = (command: 'show' | 'reset', ...more: readonly string[]): Promise<Finished> =>
      sallyport(['limits', command, ...more, '--admin', `http://127.0.0.1:${served.port('admin')}`])
    /** Each connection may go to another worker, and a busy machine may be answered without the store now and then. */
    const untilRefused = (who: string) =>
      vi.waitFor(
        async () => {
          for (let i = 0; i < 2 * workers; i++) expect(await status(who)).toBe(429)
        },
        { timeout: patienceMs, interval: 5 },
      )

    it('are shown to whoever asks the gateway, and given back: it lets the key pass at once, and writes down who did it', async () => {
      await untilRefused('ann')
      await untilRefused('bob')
      const shown = await limits('show', 'header.x-who=ann', '--json')
      expect(shown).toMatchObject({ status: 0, err: '' })
      expect(JSON.parse(shown.out)).toMatchObject({ limits: [{ limit: 'few', key: 'header.x-who=ann', quota: 3, remaining: 0, state: 'over' }] })

      const reset = await limits('reset', 'header.x-who=ann', '--by', 'ada', '--reason', 'load test', '--json')
      expect(reset).toMatchObject({ status: 0, err: '' })
      const record = JSON.parse(reset.out)
      const facts = { event: 'limit_reset', by: 'ada', reason: 'load test', peer: '127.0.0.1', limit: 'few', key: 'header.x-who=ann' }
      expect(record).toMatchObject({ ...facts, quota: 3, remaining_before: 0, remaining: 3, found: true })
      // Every worker takes one of the first two. On a busy machine a worker may count its share of a limit in Redis, which is one.
      const expected = redis ? [200, 200] : [200, 200, 200, 429]
      const statuses = []
      for (let i = 0; i < expected.length; i++) statuses.push(await status('ann'))
      expect(statuses).toEqual(expected)
      const other = await fetch(`http://127.0.0.1:${served.port('admin')}/limits?key=header.x-who%3Dbob`)
      expect(await other.json()).toMatchObject({ limits: [{ remaining: 0, state: 'over' }] })
      expect(await served.entry((line) => line['event'] === 'limit_reset')).toMatchObject({ kind: 'event', level: 'warn', ...record })
      expect(served.journal().filter((line) => line['event'] === 'limit_reset')).toHaveLength(1)

      const people = await limits('reset', 'header.x-who=nobody')
      expect(people.out).toMatch(/limit_reset by .+@.+: few of header\.x-who=nobody, 3 before, 3 of 3 left; nothing was counted\n/)
      expect(await limits('show', 'subject=u1')).toMatchObject({ status: 2, err: expect.stringContaining('few (header.x-who=…)') })
    })

    it('are given back in the midst of a flood, of which every worker remembers that it was refused', async () => {
      await untilRefused('eve')
      for (let i = 0; i < 100; i++) await status('eve')
      const answer = await fetch(`http://127.0.0.1:${served.port('admin')}/limits/reset`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ limit: 'few', key: 'header.x-who=eve', by: 'ada' }),
      })
      const statuses = [await status('eve'), await status('eve')]
      expect([answer.status, await answer.json()]).toMatchObject([200, { by: 'ada', remaining_before: 0 }])
      expect(statuses).toEqual([200, 200])
    })
  },
)
