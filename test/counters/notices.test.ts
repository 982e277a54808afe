import { describe, expect, it } from 'vitest'
import { Notices } from '../../src/node/counters/notices.ts'
import { readStoreUrl } from '../../src/node/counters/redis-url.ts'
import { memoryJournal } from '../support/ports.ts'

describe('what the log is told of the store', () => {
  it('is each loss and return, in order, until there are too many in a minute', async () => {
    const journal = memoryJournal()
    const notices = new Notices(journal)
    for (let i = 0; i < 50; i++) {
      notices.lost('timeout')
      notices.back()
    }
    await new Promise((resolve) => setImmediate(resolve))
    expect(journal.records.map((record) => record['event'])).toEqual(Array.from({ length: 6 }, () => ['limit_store_lost', 'limit_store_back']).flat())
  })
})

describe('the URL of a store', () => {
  it('is one server, Sentinels, or a Cluster', () => {
    expect(readStoreUrl('redis://:secret@host:1/2')).toEqual({ kind: 'single', url: 'redis://:secret@host:1/2' })
    expect(readStoreUrl('redis+sentinel://a,b:1/shop')).toEqual({
      kind: 'sentinel',
      nodes: [
        { host: 'a', port: 26379 },
        { host: 'b', port: 1 },
      ],
      tls: false,
      username: undefined,
      password: undefined,
      master: 'shop',
      db: 0,
    })
    expect(readStoreUrl('rediss+sentinel://me:p%40ss@a/shop/3')).toMatchObject({ tls: true, username: 'me', password: 'p@ss', master: 'shop', db: 3 })
    expect(readStoreUrl('redis+cluster://:x@a,[::1]:7001')).toMatchObject({
      kind: 'cluster',
      username: undefined,
      password: 'x',
      nodes: [
        { host: 'a', port: 6379 },
        { host: '::1', port: 7001 },
      ],
    })
  })

  it.each([
    'redis+sentinel://secret@a',
    'redis+cluster://secret@a/b',
    'redis+other://secret@a',
    'redis+cluster://secret@',
    'redis+cluster://secret@a:0',
    'redis+cluster://secret%@a,b:x',
  ])('that reads %s is refused, without repeating it', (url) => {
    expect(() => readStoreUrl(url)).toThrow(/^the URL of the store /)
    expect(() => readStoreUrl(url)).not.toThrow(/secret/)
  })
})
