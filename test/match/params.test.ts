import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readParams } from '../../src/core/ingress/match/params.ts'
import { parseTemplate, type Template } from '../../src/core/model/template.ts'
import { testRoute, testRpc } from '../support/routes.ts'
import { asker, faultOf } from './ask.ts'

const ask = asker([
  testRoute('r', {
    grpc: {
      service: 's.S',
      rpcs: [
        testRpc('s.S', 'M', [
          'GET /one/{v}',
          'GET /one/{v}:verb',
          'GET /rest/{v=**}',
          'GET /rest/{v=**}:verb',
          'GET /multi/{v=d/*/c/*}',
          'GET /nested/{a.b}/{c}',
        ]),
      ],
      descriptors: 'd',
    },
  }),
])

describe('variables are decoded once, after the match', () => {
  test.each([
    ['/one/a%20b', 'a b'],
    ['/one/a%2Fb', 'a/b'],
    ['/one/a%2fb', 'a/b'],
    ['/one/a%3Ab', 'a:b'],
    ['/one/a:b', 'a:b'],
    ['/one/a%3Averb', 'a:verb'],
    ['/one/a:b:verb', 'a:b'],
    ['/one/%252F', '%2F'],
    ['/one/%2525', '%25'],
    ['/one/%25', '%'],
    ['/one/+', '+'],
    ['/one/%C3%A9', 'é'],
    ['/one/%61', 'a'],
    ['/one/a;b', 'a;b'],
    ['/rest/a%2Fb/c', 'a%2Fb/c'],
    ['/rest/a%2fb/%20', 'a%2Fb/ '],
    ['/rest/%252F', '%2F'],
    ['/rest/a/b:verb', 'a/b'],
    ['/rest', ''],
    ['/rest:verb', ''],
    ['/multi/d/a%2Fb/c/%20', 'd/a%2Fb/c/ '],
  ])('%s gives %j', (path, value) => {
    expect({ ...ask('GET', path).params }).toEqual({ v: value })
  })

  test('nested field paths keep their dotted names', () => {
    expect({ ...ask('GET', '/nested/1/2').params }).toEqual({ 'a.b': '1', c: '2' })
  })

  test.each(['/one/%FF', '/one/%C0%AF', '/one/%ED%A0%80', '/rest/a/%C3', '/one/%', '/one/%2'])('%s is 400', (path) => {
    expect(faultOf(() => ask('GET', path)).status).toBe(400)
  })

  test('an escape that is not UTF-8 is 400 even where the guard did not stand in front', () => {
    expect(faultOf(() => readParams(parseTemplate('/{v}') as Template, ['%FF'])).code).toBe('request_invalid')
  })

  test('a variable named like a property of every object is a plain variable', () => {
    const odd = asker([testRoute('r', { path: '/{__proto__}/{constructor}' })])
    const { params } = odd('GET', '/a/b')
    expect(Object.entries(params)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ])
  })

  test('whatever text a client encodes into one segment comes out as it was', () => {
    const passes = (char: string) => char > '\u001f' && char !== '\u007f' && char !== '\\'
    const hasDots = (value: string) => value.split('/').some((part) => ['.', '..'].includes(part.split(';')[0] ?? ''))
    const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((value) => value.isWellFormed() && Array.from(value).every(passes) && !hasDots(value))
    fc.assert(
      fc.property(text, (value) => {
        expect(ask('GET', `/one/${encodeURIComponent(value)}`).params.v).toBe(value)
      }),
    )
  })
})
