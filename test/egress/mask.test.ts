import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maskBytes, maskStream, needlesOf } from '../../src/core/observe/mask.ts'

const secret = 'sk_live_51H/8+&"ü'
const needles = needlesOf([secret])
const encode = (text: string) => new TextEncoder().encode(text)
const masked = (text: string) => new TextDecoder().decode(maskBytes(encode(text), needles))

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}

async function* chunked(body: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (const size of sizes) {
    yield body.subarray(at, at + size)
    at += size
  }
  yield body.subarray(at)
}

const hex = Buffer.from(secret).toString('hex')
const base64 = Buffer.from(secret).toString('base64')

/** Every run of six characters of `spelled` that is still in `text`. */
function remains(text: string, spelled: string): readonly string[] {
  return Array.from({ length: spelled.length - 5 }, (_, i) => spelled.slice(i, i + 6)).filter((run) => text.includes(run))
}

describe('an injected value that the vendor echoes', () => {
  it.each([
    ['as it is', secret],
    ['in base64', base64],
    ['in base64 without padding', base64.replaceAll('=', '')],
    ['in URL-safe base64', Buffer.from(secret).toString('base64url')],
    ['in base64 behind one other byte', Buffer.from(`a${secret}`).toString('base64').slice(2)],
    ['in base64 behind two other bytes', Buffer.from(`ab${secret}`).toString('base64').slice(3)],
    ['percent-encoded', encodeURIComponent(secret)],
    ['percent-encoded in lower case', encodeURIComponent(secret).replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())],
    ['percent-encoded byte by byte', hex.toUpperCase().replace(/../g, '%$&')],
    ['form-encoded', new URLSearchParams([['a', secret]]).toString().slice(2)],
    ['in JSON', JSON.stringify(secret).slice(1, -1)],
    ['in JSON as PHP writes it', JSON.stringify(secret).slice(1, -1).replaceAll('/', '\\/')],
    ['in JSON as Go writes it', JSON.stringify(secret).slice(1, -1).replaceAll('&', '\\u0026')],
    ['in hexadecimal', hex],
    ['in hexadecimal capitals', hex.toUpperCase()],
  ])('%s is starred out', (_, spelled) => {
    const text = `{"you":"sent ${spelled} to us"}`
    const result = masked(text)
    expect(encode(result).length).toBe(encode(text).length)
    expect(remains(text, spelled).length).toBeGreaterThan(5)
    expect(remains(result, spelled)).toEqual([])
    expect(result).toMatch(/^\{"you":"sent .*\*{8}.* to us"\}$/)
  })

  it('is starred out in a copy: what came stays as it is, be it a Buffer', () => {
    const came = Buffer.from(`a ${secret}`)
    const out = maskBytes(came, needles)
    expect([String(came), new TextDecoder().decode(out)]).toEqual([`a ${secret}`, `a ${'*'.repeat(encode(secret).length)}`])
  })

  it('takes nothing else with it', () => {
    expect(masked(`before ${secret} between ${secret}${secret} after`)).toBe(`before ${'*'.repeat(18)} between ${'*'.repeat(36)} after`)
    expect(masked('nothing to see, sk_live_ and sk_test_51H')).toBe('nothing to see, sk_live_ and sk_test_51H')
  })

  it('is found where two of them overlap', () => {
    const two = needlesOf(['abcdefgh', 'efghijkl'])
    expect(new TextDecoder().decode(maskBytes(encode('xxabcdefghijklxx'), two))).toBe('xx************xx')
  })

  it('is found however the body is cut, and the rest arrives unchanged', async () => {
    const body = encode(`{"a":"${secret}","b":"${hex}","c":"sk_live_no","d":"${base64}"}`)
    const whole = maskBytes(body, needles)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(20)), async (sizes) => {
        expect(Buffer.compare(await collect(maskStream(chunked(body, sizes), needles)), whole)).toBe(0)
      }),
    )
  })

  it('is found in any bytes around it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.uint8Array(), fc.nat(40), async (before, after, cut) => {
        const body = Buffer.concat([before, encode(secret), after])
        const out = Buffer.from(await collect(maskStream(chunked(body, [cut]), needles)))
        expect(out.length).toBe(body.length)
        expect(out.includes(Buffer.from(secret))).toBe(false)
      }),
    )
  })

  it('does not hold up a stream that holds no beginning of it', async () => {
    const seen: string[] = []
    let asked = 0
    async function* events(): AsyncGenerator<Uint8Array> {
      for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: sk_li', 've_51\n\n']) {
        asked++
        yield encode(event)
      }
    }
    for await (const chunk of maskStream(events(), needles)) {
      seen.push(`${asked}:${new TextDecoder().decode(chunk)}`)
    }
    expect(seen.slice(0, 3)).toEqual(['1:data: 1\n\n', '2:data: 2\n\n', '3:data: '])
    expect(seen.join('').replace(/\d:/g, '')).toContain('sk_live_51\n\n')
  })

  it('stops the vendor when the reader stops', async () => {
    let stopped = false
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield encode('tick\n')
      } finally {
        stopped = true
      }
    }
    for await (const chunk of maskStream(endless(), needles)) {
      expect(chunk.length).toBe(5)
      break
    }
    expect(stopped).toBe(true)
  })
})
