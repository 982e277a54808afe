import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cutArray, cutLines } from '../../src/core/ingress/translate/cut-json.ts'
import { Fault } from '../../src/core/model/fault.ts'

type Cut = typeof cutLines

const utf8 = new TextEncoder()
const read = (bytes: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes)

async function* inChunks(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const next = at + (cuts[i % cuts.length] ?? bytes.length)
    yield bytes.subarray(at, next)
    at = next
  }
}

/** The pieces as text, and the code of the fault that ended them. */
async function pieces(cut: Cut, text: string | Uint8Array, cuts: readonly number[] = [], limit = 1000): Promise<readonly string[]> {
  const found: string[] = []
  try {
    for await (const piece of cut(inChunks(typeof text === 'string' ? utf8.encode(text) : text, cuts), limit)) found.push(read(piece))
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    found.push(`!${error.code}`)
  }
  return found
}

const tables: readonly (readonly [name: string, cut: Cut, rows: readonly (readonly [body: string, pieces: readonly string[]])[]])[] = [
  [
    'lines',
    cutLines,
    [
      ['', []],
      ['\n \r\n\t\n', []],
      ['{"a":1}', ['{"a":1}']],
      ['{"a":1}\n', ['{"a":1}']],
      ['{"a":1}\r\n\n{"b":"é😀"}\r\n', ['{"a":1}\r', '{"b":"é😀"}\r']],
      ['{"a":"\\n"}\n7', ['{"a":"\\n"}', '7']],
    ],
  ],
  [
    'array',
    cutArray,
    [
      ['', []],
      ['[]', []],
      [' \n[ \t] \r\n', []],
      ['[{"a":1}]', ['{"a":1}']],
      [' [ {"a":[1,{"b":2}]} , {} ] ', ['{"a":[1,{"b":2}]}', '{}']],
      ['["]","\\"]",""]', ['"]"', '"\\"]"', '""']],
      ['[1,true,null,-2e3 ]', ['1', 'true', 'null', '-2e3']],
      ['[{"a":"}],\\\\"},{"é":"😀"}]', ['{"a":"}],\\\\"}', '{"é":"😀"}']],
      ['[[1,2],[]]', ['[1,2]', '[]']],
      // What stands inside of an item is the item's own affair.
      ['[{]},1x"]', ['{]', '!body_invalid']],
      ['{}', ['!body_invalid']],
      ['1', ['!body_invalid']],
      ['\uFEFF[]', ['!body_invalid']],
      ['[', ['!body_invalid']],
      ['[1', ['!body_invalid']],
      ['[{"a":1}', ['{"a":1}', '!body_invalid']],
      ['[{"a":1},', ['{"a":1}', '!body_invalid']],
      ['[{"a":"]', ['!body_invalid']],
      ['[1,]', ['1', '!body_invalid']],
      ['[,1]', ['!body_invalid']],
      ['[1,,2]', ['1', '!body_invalid']],
      ['[{}{}]', ['{}', '!body_invalid']],
      ['[] []', ['!body_invalid']],
      ['[1]x', ['1', '!body_invalid']],
      ['[1] /* no */', ['1', '!body_invalid']],
    ],
  ],
]

describe.each(tables)('%s', (_, cut, rows) => {
  test.each(rows)('%j comes out as %j, whole, byte by byte, and cut at every place', async (body, expected) => {
    const bytes = utf8.encode(body)
    expect(await pieces(cut, bytes)).toEqual(expected)
    expect(await pieces(cut, bytes, [1])).toEqual(expected)
    for (let at = 1; at < bytes.length; at++) expect(await pieces(cut, bytes, [at, bytes.length])).toEqual(expected)
  })

  test('a message may be as long as the limit, and is refused before the rest of a longer one is read', async () => {
    const [open, close] = cut === cutArray ? ['[', ']'] : ['', '\n']
    for (const cuts of [[], [1], [3]]) {
      expect(await pieces(cut, `${open}"12345678"${close}`, cuts, 10)).toEqual(['"12345678"'])
      expect(await pieces(cut, `${open}"123456789"${close}`, cuts, 10)).toEqual(['!body_too_large'])
    }
    let read = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield utf8.encode(open)
      for (;;) {
        read++
        yield utf8.encode('{{{{{{{{{{')
      }
    }
    await expect(cut(endless(), 100)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'body_too_large' })
    expect(read).toBe(11)
  })

  test('no chunk is read before the messages of the one before were taken, and letting go lets go of the body', async () => {
    let read = 0
    let closed = false
    const [open, between] = cut === cutArray ? ['[', ','] : ['', '\n']
    async function* chunks(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          read++
          yield utf8.encode(`${read === 1 ? open : ''}{}${between}{}${between}`)
        }
      } finally {
        closed = true
      }
    }
    const items = cut(chunks(), 100)[Symbol.asyncIterator]()
    await items.next()
    await items.next()
    expect(read).toBe(1)
    await items.next()
    expect(read).toBe(2)
    await items.return?.()
    expect(closed).toBe(true)
  })
})

describe('whatever the messages are', () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 })
  const values = fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 6 })
  const blank = fc.constantFrom('', ' ', '\n', '\t \r\n')

  test('an array gives its items however it is spaced and cut', async () => {
    await fc.assert(
      fc.asyncProperty(values, blank, fc.boolean(), cuts, async (items, space, pretty, sizes) => {
        const texts = items.map((item) => JSON.stringify(item, null, pretty ? 1 : undefined))
        const body = `${space}[${space}${texts.join(`${space},${space}`)}${space}]${space}`
        expect(await pieces(cutArray, body, sizes, 100_000)).toEqual(texts)
      }),
    )
  })

  test('lines come out as they are however they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(values, fc.boolean(), cuts, async (items, ended, sizes) => {
        const texts = items.map((item) => JSON.stringify(item))
        expect(await pieces(cutLines, texts.join('\n') + (ended ? '\n' : ''), sizes, 100_000)).toEqual(texts)
      }),
    )
  })

  test('an array that is cut short or spoiled is refused, or what JSON.parse makes of it', async () => {
    const spoil = fc.constantFrom('[', ']', '{', '}', ',', ':', '"', '\\', ' ', 'x', '1')
    await fc.assert(
      fc.asyncProperty(values, fc.nat(), fc.nat(2), spoil, cuts, async (items, where, cutOut, put, sizes) => {
        const good = JSON.stringify(items)
        const at = where % (good.length + 1)
        const body = good.slice(0, at) + put + good.slice(at + cutOut)
        // A cut through a surrogate pair would not be this text in UTF-8.
        fc.pre(body.isWellFormed() && body.trim() !== '')
        const found = await pieces(cutArray, body, sizes, 100_000)
        const parsed = parsedItems(found)
        let whole: unknown
        try {
          whole = JSON.parse(body)
        } catch {
          whole = undefined
        }
        expect(parsed).toEqual(Array.isArray(whole) ? whole : undefined)
      }),
      { numRuns: 500 },
    )
  })

  /** Undefined when there was a fault, or an item is not JSON. */
  function parsedItems(found: readonly string[]): unknown {
    try {
      return found.map((text) => JSON.parse(text) as unknown)
    } catch {
      return undefined
    }
  }
})
