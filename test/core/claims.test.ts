import { describe, expect, it } from 'vitest'
import { claimAt } from '../../src/core/model/claims.ts'

describe('a claim path', () => {
  const claims = { tenant: 't1', org: { id: 7, 'a.b': 1 }, 'https://example.com/plan': 'pro', 'org.id': 'whole', roles: ['admin'], text: 'abc', nothing: null }

  it('steps into objects and prefers a claim named by the whole path', () => {
    expect(claimAt(claims, 'tenant')).toBe('t1')
    expect(claimAt({ org: { id: 7 } }, 'org.id')).toBe(7)
    expect(claimAt(claims, 'org.id')).toBe('whole')
    expect(claimAt(claims, 'https://example.com/plan')).toBe('pro')
  })

  it.each([
    'gone',
    'org.gone',
    'tenant.length',
    'roles.0',
    'roles.length',
    'text.0',
    'nothing.x',
    'constructor',
    'org.constructor.name',
    '__proto__',
    'toString',
    '',
  ])('finds nothing at %j', (path) => {
    expect(claimAt(claims, path)).toBeUndefined()
  })
})
