import { randomBytes } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { Fault } from '../../src/core/model/fault.ts'
import type { Compression } from '../../src/core/ports.ts'

const mebibyte = 1024 * 1024

/** What every ground's compression keeps to: one test per promise. */
export function compressionCases(open: () => Compression): void {
  const codeOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      (error: unknown) => Fault.from(error).code,
    )
  const read = async (chunks: AsyncIterable<Uint8Array>): Promise<string> => {
    const parts: Uint8Array[] = []
    for await (const chunk of open().inflate(chunks)) parts.push(chunk)
    return Buffer.concat(parts).toString()
  }
  async function* chunksOf(...chunks: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
    yield* chunks
  }

  it('packs what anybody can unpack, and unpacks it', async () => {
    const packed = await open().gzip(Buffer.from('hello hello hello'))
    expect(gunzipSync(packed).toString()).toBe('hello hello hello')
    expect(Buffer.from(await open().gunzip(packed, 100)).toString()).toBe('hello hello hello')
  })

  it('unpacks up to the limit, and not one byte more', async () => {
    expect((await open().gunzip(gzipSync(Buffer.alloc(1000)), 1000)).length).toBe(1000)
    expect(await codeOf(open().gunzip(gzipSync(Buffer.alloc(1001)), 1000))).toBe('body_too_large')
  })

  it('stops at the limit of a bomb', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * mebibyte))
    const before = process.memoryUsage().arrayBuffers
    expect(await codeOf(open().gunzip(bomb, mebibyte))).toBe('body_too_large')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * mebibyte)
  })

  const broken: readonly (readonly [what: string, bytes: Uint8Array])[] = [
    ['other bytes', Buffer.from('hello')],
    ['half of it', gzipSync('hello').subarray(0, 14)],
    ['a wrong checksum', gzipSync('hello').fill(0, 17, 21)],
    ['something behind it', Buffer.concat([gzipSync('hello'), Buffer.from('more')])],
  ]
  it.each(broken)('refuses %s', async (_, bytes) => {
    expect(await codeOf(open().gunzip(bytes, 100))).toBe('body_invalid')
    expect(await codeOf(read(chunksOf(bytes)))).toBe('body_invalid')
  })

  it('makes nothing of nothing', async () => {
    expect((await open().gunzip(new Uint8Array(), 100)).length).toBe(0)
    expect(await read(chunksOf())).toBe('')
    expect(await read(chunksOf(new Uint8Array()))).toBe('')
  })

  it('inflates while it is pulled, and ends the source with its reader', async () => {
    const packed = gzipSync(randomBytes(4 * mebibyte))
    let pulled = 0
    let ended = false
    async function* pieces(): AsyncIterable<Uint8Array> {
      try {
        for (; pulled < packed.length; pulled += 2048) yield packed.subarray(pulled, pulled + 2048)
      } finally {
        ended = true
      }
    }
    for await (const chunk of open().inflate(pieces())) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    await expect.poll(() => ended, { timeout: 5000, interval: 5 }).toBe(true)
    expect(pulled).toBeLessThan(mebibyte)
  })

  it('says what the source says when that breaks', async () => {
    const lost = new Fault('client_closed', 'the downstream went away')
    async function* breaking(): AsyncIterable<Uint8Array> {
      yield gzipSync('hello').subarray(0, 12)
      throw lost
    }
    await expect(read(breaking())).rejects.toBe(lost)
  })
}
