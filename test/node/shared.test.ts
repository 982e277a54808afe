import { describe, expect, it } from 'vitest'
import type { Shared } from '../../src/core/ports.ts'
import { createRedisShared } from '../../src/node/redis-shared.ts'
import { createMemoryShared } from '../../src/node/shared.ts'
import { fakeClock } from '../support/clock.ts'
import { untilTheEnd } from '../support/keep.ts'
import { hasRedis, startRedis } from '../support/redis.ts'

async function behaves(open: () => Promise<{ readonly one: Shared; readonly other: Shared; readonly pass: (ms: number) => Promise<void> }>) {
  const { one, other, pass } = await open()
  const claims = await Promise.all([one, other, one, other].map((shared) => shared.claim('k', 1000)))
  expect(claims.filter(Boolean)).toHaveLength(1)
  expect(await other.claim('l', 1000)).toBe(true)
  await one.set('kept', 'a', undefined)
  await one.set('short', 'b', 1000)
  expect([await other.get('kept'), await other.get('short'), await other.get('nothing')]).toEqual(['a', 'b', undefined])
  await pass(1100)
  expect([await other.get('kept'), await other.get('short')]).toEqual(['a', undefined])
  expect(await other.claim('k', 1000)).toBe(true)
  await other.delete('kept')
  expect(await one.get('kept')).toBeUndefined()
}

describe('what is shared', () => {
  it('in memory is claimed once, kept for its time, and deleted', async () => {
    const clock = fakeClock()
    const shared = createMemoryShared(clock)
    await expect(behaves(async () => ({ one: shared, other: shared, pass: async (ms) => clock.advance(ms) }))).resolves.toBeUndefined()
  })

  it('in memory refuses to forget a claim that still holds', async () => {
    const clock = fakeClock()
    const shared = createMemoryShared(clock)
    for (let i = 0; i < 200_000; i++) await shared.claim(`k${i}`, i === 0 ? 10 : 10_000)
    await expect(shared.claim('more', 1000)).rejects.toThrow('store.redis')
    clock.advance(1000)
    expect(await shared.claim('more', 1000)).toBe(true)
    expect(await shared.claim('k1', 1000)).toBe(false)
  })

  describe.skipIf(!hasRedis())('in Redis', () => {
    const keep = untilTheEnd()

    it('says when its connection is there, and gives up waiting when it never is', async () => {
      const server = await startRedis()
      const shared = createRedisShared(server.url)
      keep(() => shared.close())
      await shared.ready(10_000)
      expect(await shared.get('x')).toBeUndefined()
      await shared.ready(0)
      await server.close()
      const away = createRedisShared(server.url)
      keep(() => away.close())
      await away.ready(10)
      await expect(away.get('x')).rejects.toThrow('not connected')
    })

    async function redis() {
      const server = await startRedis()
      keep(() => server.close())
      const [one, other] = [createRedisShared(server.url), createRedisShared(server.url)]
      keep(async () => void (await Promise.all([one.close(), other.close()])))
      for (const shared of [one, other])
        await expect
          .poll(() =>
            shared.get('x').then(
              () => true,
              () => false,
            ),
          )
          .toBe(true)
      return { server, one, other }
    }

    it('is claimed once by all processes, kept for its time, and deleted', async () => {
      const replicas = async () => ({ ...(await redis()), pass: (ms: number) => new Promise<void>((done) => void setTimeout(done, ms)) })
      await expect(behaves(replicas)).resolves.toBeUndefined()
    })

    it('rejects while Redis is gone, and works again when it is back', async () => {
      const { server, one } = await redis()
      await server.kill()
      await expect(one.claim('k', 1000)).rejects.toBeInstanceOf(Error)
      await server.restart()
      await expect.poll(() => one.claim('k', 60_000).catch(() => undefined), { timeout: 5000 }).toBe(true)
    })
  })
})
