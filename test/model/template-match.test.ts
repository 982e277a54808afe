import { describe, expect, it } from 'vitest'
import { compileTemplate } from '../../src/core/model/template-match.ts'

const match = (template: string, path: string) => {
  const params = compileTemplate(template)(path)
  return params === undefined ? undefined : { ...params }
}

describe('a compiled template', () => {
  it.each([
    ['/', '/', {}],
    ['/v1/charges', '/v1/charges', {}],
    ['/v1/charges/{id}', '/v1/charges/7', { id: '7' }],
    ['/v1/charges/:id', '/v1/charges/7', { id: '7' }],
    ['/v1/{id}', '/v1/a%20b%2Fc', { id: 'a b/c' }],
    ['/v1/{**}', '/v1', {}],
    ['/v1/{**}', '/v1/', {}],
    ['/v1/{**}', '/v1/a/b', {}],
    ['/v1/{name=shelves/*}', '/v1/shelves/7', { name: 'shelves/7' }],
    ['/v1/{rest=**}', '/v1/a%20b/c%2Fd', { rest: 'a b/c%2Fd' }],
    ['/v1/orders/{id}:cancel', '/v1/orders/7:cancel', { id: '7' }],
  ])('%s takes %s', (template, path, params) => {
    expect(match(template, path)).toEqual(params)
  })

  it.each([
    ['/', '/a'],
    ['/v1/charges', '/v1/charges/'],
    ['/v1/charges', '/v1/Charges'],
    ['/v1/charges', '/v1'],
    ['/v1/{id}', '/v1/'],
    ['/v1/{id}', '/v1/a/b'],
    ['/v1/*', '/v1'],
    ['/v1/{**}', '/v2'],
    ['/v1/orders/{id}:cancel', '/v1/orders/7'],
    ['/v1/orders/{id}:cancel', '/v1/orders/7:Cancel'],
  ])('%s does not take %s', (template, path) => {
    expect(match(template, path)).toBeUndefined()
  })

  it('answers variables that no prototype can add to', () => {
    expect(compileTemplate('/{id}')('/x')?.['constructor']).toBeUndefined()
  })

  it('is not made from what does not parse', () => {
    expect(() => compileTemplate('/{a}/{a}')).toThrow('twice')
  })
})
