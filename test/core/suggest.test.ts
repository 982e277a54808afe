import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { suggest } from '../../src/core/suggest.ts'

const names = ['orders', 'catalog', 'payments', 'per-client']

describe('suggest', () => {
  it.each([
    ['ordres', 'orders'],
    ['order', 'orders'],
    ['Orders', 'orders'],
    ['catlog', 'catalog'],
    ['per_client', 'per-client'],
    ['paymnets', 'payments'],
  ])('takes %s for %s', (wrong, right) => {
    expect(suggest(wrong, names)).toBe(right)
  })

  it.each(['x', 'inventory', 'refunds', ''])('has nothing for %j', (name) => {
    expect(suggest(name, names)).toBeUndefined()
  })

  it('finds a name of six letters or more after any one slip', () => {
    const letters = fc.string({ unit: fc.constantFrom(...'abcdefghij'.split('')), minLength: 6, maxLength: 20 })
    fc.assert(
      fc.property(letters, fc.nat(), fc.constantFrom('drop', 'double', 'replace'), (name, seed, slip) => {
        const at = seed % name.length
        const letter = slip === 'drop' ? '' : slip === 'double' ? `${name[at]}${name[at]}` : 'z'
        expect(suggest(name.slice(0, at) + letter + name.slice(at + 1), ['something-else', name])).toBe(name)
      }),
    )
  })
})
