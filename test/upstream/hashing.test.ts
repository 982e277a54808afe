import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hashText } from '../../src/core/upstream/balance/hash.ts'
import { buildMaglev } from '../../src/core/upstream/balance/maglev.ts'
import { buildRing, type HashTable, type Slotted } from '../../src/core/upstream/balance/ring.ts'

const keys = Array.from({ length: 20_000 }, (_, i) => hashText(`subject ${i}`))
const tables = [
  ['ring', buildRing],
  ['Maglev', buildMaglev],
] as const
const all = () => true

/** Who owns every key, by name. */
function ownersOf(endpoints: readonly Slotted[], table: HashTable, accepts: (index: number) => boolean = all): readonly string[] {
  return keys.map((hash) => (endpoints[table.find(hash, accepts)] as Slotted).name)
}

function movedBetween(before: readonly string[], after: readonly string[]): number {
  return before.filter((owner, i) => owner !== after[i]).length / before.length
}

const names = fc.uniqueArray(
  fc.ipV4().chain((ip) => fc.integer({ min: 1, max: 65_535 }).map((port) => `${ip}:${port}`)),
  { minLength: 3, maxLength: 24 },
)

test('when an endpoint leaves a ring at most 1/n + 2 % of the keys move, all of them its own', () => {
  fc.assert(
    fc.property(names, fc.nat(), (list, which) => {
      const endpoints = list.map((name) => ({ name, weight: 1 }))
      const gone = list[which % list.length] as string
      const before = ownersOf(endpoints, buildRing(endpoints))
      const left = endpoints.filter(({ name }) => name !== gone)
      const after = ownersOf(left, buildRing(left))
      expect(movedBetween(before, after)).toBeLessThanOrEqual(1 / list.length + 0.02)
      expect(before.filter((owner, i) => owner !== gone && after[i] !== owner)).toEqual([])
    }),
    { numRuns: 10 },
  )
})

test.each([64, 65, 200, 1_000])('so it is for %d endpoints', (count) => {
  const endpoints = Array.from({ length: count }, (_, i) => ({ name: `10.1.${i >> 8}.${i & 255}:80`, weight: 1 }))
  const before = ownersOf(endpoints, buildRing(endpoints))
  const after = ownersOf(endpoints.slice(1), buildRing(endpoints.slice(1)))
  expect(movedBetween(before, after)).toBeLessThanOrEqual(1 / count + 0.02)
})

test.each(tables)('%s: an endpoint that is not accepted gives up its own keys and no others', (_name, build) => {
  const endpoints = Array.from({ length: 10 }, (_, i) => ({ name: `e${i}:80`, weight: 1 }))
  const table = build(endpoints)
  const before = ownersOf(endpoints, table)
  const after = ownersOf(endpoints, table, (i) => i !== 4)
  expect(after).not.toContain('e4:80')
  expect(before.filter((owner, i) => owner !== 'e4:80' && after[i] !== owner)).toEqual([])
  expect(new Set(after.filter((_owner, i) => before[i] === 'e4:80')).size).toBe(9)
  expect(table.find(1, () => false)).toBe(-1)
  expect(endpoints.map((_, only) => table.find(77, (i) => i === only))).toEqual(endpoints.map((_, i) => i))
})

test('a ring passes over an endpoint exactly as if it had left', () => {
  const endpoints = Array.from({ length: 10 }, (_, i) => ({ name: `e${i}:80`, weight: 1 }))
  const left = endpoints.slice(1)
  expect(ownersOf(endpoints, buildRing(endpoints), (i) => i !== 0)).toEqual(ownersOf(left, buildRing(left)))
})

test.each(tables)('%s: keys are spread by weight', (_name, build) => {
  const endpoints = Array.from({ length: 8 }, (_, i) => ({ name: `10.0.0.${i}:80`, weight: i === 0 ? 3 : 1 }))
  const counts = new Map<string, number>()
  for (const owner of ownersOf(endpoints, build(endpoints))) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  for (const { name, weight } of endpoints) expect(Math.abs((counts.get(name) ?? 0) / keys.length - weight / 10)).toBeLessThan(0.015)
})

test('Maglev moves few keys beside those of the endpoint that leaves', () => {
  const endpoints = Array.from({ length: 10 }, (_, i) => ({ name: `10.0.0.${i}:80`, weight: 1 }))
  const left = endpoints.slice(1)
  expect(movedBetween(ownersOf(endpoints, buildMaglev(endpoints)), ownersOf(left, buildMaglev(left)))).toBeLessThan(0.1 + 0.05)
})

test.each(tables)('%s: the order of the list makes no difference', (_name, build) => {
  fc.assert(
    fc.property(names, fc.infiniteStream(fc.nat()), (list, noise) => {
      const endpoints = list.map((name, i) => ({ name, weight: 1 + (i % 3) }))
      const shuffled = endpoints.map((one) => [one, noise.next().value as number] as const).sort((a, b) => a[1] - b[1])
      const other = shuffled.map(([one]) => one)
      expect(ownersOf(other, build(other))).toEqual(ownersOf(endpoints, build(endpoints)))
    }),
    { numRuns: 5 },
  )
})

test('another process chooses the same endpoints', () => {
  const endpoints = Array.from({ length: 5 }, (_, i) => ({ name: `10.0.0.${i}:80`, weight: 1 }))
  const folder = new URL('../../src/core/upstream/balance/', import.meta.url).href
  const program = `
    import { hashText } from '${folder}hash.ts'
    import { buildMaglev } from '${folder}maglev.ts'
    import { buildRing } from '${folder}ring.ts'
    const endpoints = ${JSON.stringify(endpoints)}
    const of = (table) => Array.from({ length: 50 }, (_, i) => table.find(hashText('k' + i), () => true))
    console.log(JSON.stringify([of(buildRing(endpoints)), of(buildMaglev(endpoints))]))`
  const said: unknown = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', timeout: 30_000 }))
  const of = (table: HashTable) => Array.from({ length: 50 }, (_, i) => table.find(hashText(`k${i}`), all))
  expect(said).toEqual([of(buildRing(endpoints)), of(buildMaglev(endpoints))])
})

test('hashes are what they were: a change would move every key', () => {
  expect([hashText(''), hashText('alice'), hashText('10.0.0.1:80')]).toMatchInlineSnapshot(`
    [
      2872998923,
      2813227119,
      3807341957,
    ]
  `)
})
