import { describe, expect, it } from 'vitest'
import { loadBeside, marked } from '../support/load.ts'

const around = `clusters: { a: { address: "127.0.0.1:1" } }
access: { open: { rules: [{ id: all, allow: { anonymous: true } }] } }
`
const route = (text: string) => `${around}routes:\n  a: { match: { path: /a }, access: open, to: a }\n  docs: { ${text} }\n`

async function errorsOf(text: string): Promise<readonly string[]> {
  const { text: clean, marks } = marked(text)
  const { diagnostics } = await loadBeside(clean)
  const found = diagnostics.filter(({ severity, file }) => severity === 'error' && file === 'a.yaml')
  // One line of the file stands before the text.
  const places = marks.map((mark) => mark.replace(/^\d+/, (line) => `${Number(line) + 1}`))
  expect(found.map(({ line, column }) => `${line}:${column}`)).toEqual(places)
  return found.map(({ code, message }) => `${code}: ${message}`)
}

describe('a route that publishes an OpenAPI document', () => {
  it('takes GET, and goes nowhere', async () => {
    const { policy, diagnostics } = await loadBeside(route('match: { path: /openapi.json }, access: open, openapi: { routes: [a], title: T }'))
    expect(diagnostics).toEqual([])
    expect(policy?.routes.find(({ name }) => name === 'docs')).toMatchObject({
      match: { methods: ['GET'] },
      split: [],
      openapi: { routes: ['a'], title: 'T', version: undefined },
    })
  })

  it('or a destination has to be there', async () => {
    expect(await errorsOf(route('match: { path: /d }, access: open').replace('  docs', '  «docs'))).toEqual(['key_missing: "to" is missing.'])
  })

  it('and a destination exclude each other, and so does answering health', async () => {
    const about = 'match: { path: /d }, access: open, openapi: { routes: [a] }'
    for (const [other, message] of [
      ['to: a', '"openapi" and "to" exclude each other.'],
      ['answer: health', '"answer" and "openapi" exclude each other.'],
    ] as const) {
      const { diagnostics } = await loadBeside(route(`${about}, ${other}`))
      expect(diagnostics.map(({ code, message: said }) => [code, said])).toContainEqual(['answer_and_to', message])
    }
  })

  it.each(['timeout: 1s', 'retry: {}', 'hedge: {}', 'sticky: client', 'handOn: { token: true }', 'bodyLimit: 1MiB', 'translate: { protoNames: true }'])(
    'can use nothing of what is for a destination: %s',
    async (text) => {
      const { diagnostics } = await loadBeside(route(`match: { path: /d }, access: open, openapi: { routes: [a] }, ${text}`))
      const message = `"${text.slice(0, text.indexOf(':'))}" has no effect: the gateway answers this route itself.`
      expect(diagnostics.filter(({ severity }) => severity === 'error').map(({ code, message: said }) => [code, said])).toContainEqual(['no_effect', message])
    },
  )

  it('names routes that are there, has a path, and is only read', async () => {
    expect(await errorsOf(route('match: { path: /d }, access: open, openapi: { routes: [a, «aa] }'))).toEqual(['name_unknown: There is no route "aa".'])
    expect(await errorsOf(route('match: { path: /d, methods: [GET, «POST] }, access: open, openapi: { routes: [a] }'))).toEqual([
      'no_effect: A document is read, not asked for with POST.',
    ])
    const grpc = await loadBeside(route('match: { grpc: shop.v1.Orders }, access: open, openapi: { routes: [a] }'))
    expect(grpc.diagnostics.map(({ code }) => code)).toContain('match_shape')
  })

  it('stays when a route that it names is broken, and leaves that one out', async () => {
    const { policy } = await loadBeside(
      `${around}routes:\n  a: { match: { path: /a }, access: open, to: nowhere }\n  docs: { match: { path: /openapi.json }, access: open, openapi: { routes: [a] } }\n`,
    )
    expect(policy?.routes.map(({ name, quarantined }) => [name, quarantined === undefined])).toEqual([
      ['a', false],
      ['docs', true],
    ])
  })
})
