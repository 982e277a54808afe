import { expect, test } from 'vitest'
import { createRandom } from '../../src/node/random.ts'
import { createResolve, type Lookup } from '../../src/node/resolve.ts'
import { fakeClock } from '../support/clock.ts'

function setUp(answer: Lookup) {
  const clock = fakeClock()
  const asked: string[] = []
  const resolve = createResolve(clock, (host) => {
    asked.push(host)
    return answer(host)
  })
  return { clock, asked, resolve }
}

const found = (...addresses: string[]) => Promise.resolve(addresses.map((address) => ({ address, family: 4 })))

test('a literal answers itself and asks nobody', async () => {
  const { resolve, asked } = setUp(() => found('10.0.0.1'))
  expect(await resolve('192.0.2.7')).toEqual(['192.0.2.7'])
  expect(await resolve('::1')).toEqual(['::1'])
  expect(asked).toEqual([])
})

test('an answer is current for five seconds, and one question is under way at a time', async () => {
  const { resolve, asked, clock } = setUp(() => found('10.0.0.1', '10.0.0.1', '10.0.0.2'))
  const both = await Promise.all([resolve('a.test'), resolve('a.test')])
  expect(both).toEqual([
    ['10.0.0.1', '10.0.0.2'],
    ['10.0.0.1', '10.0.0.2'],
  ])
  clock.advance(4_999)
  await resolve('a.test')
  expect(asked.length).toBe(1)
  clock.advance(1)
  await resolve('a.test')
  expect(asked.length).toBe(2)
})

test('when the resolver fails, is empty or hangs, the last good answer serves for ten minutes', async () => {
  let answer: Lookup = () => found('10.0.0.1')
  const { resolve, clock } = setUp((host) => answer(host))
  await resolve('a.test')
  for (const bad of [() => Promise.reject(new Error('SERVFAIL')), () => found(), () => new Promise<never>(() => {})]) {
    answer = bad
    clock.advance(5_000)
    const late = resolve('a.test')
    clock.advance(2_000)
    expect(await late).toEqual(['10.0.0.1'])
  }
  clock.advance(10 * 60_000)
  answer = () => Promise.reject(new Error('SERVFAIL'))
  await expect(resolve('a.test')).rejects.toThrow('SERVFAIL')
})

test('a lookup that throws instead of failing is asked again the next time', async () => {
  let broken = true
  const { resolve } = setUp(() => {
    if (broken) throw new Error('bad name')
    return found('10.0.0.1')
  })
  await expect(resolve('a.test')).rejects.toThrow('bad name')
  broken = false
  expect(await resolve('a.test')).toEqual(['10.0.0.1'])
})

test('random numbers are in range and spread, names have their length and differ', () => {
  const random = createRandom()
  const units = Array.from({ length: 10_000 }, () => random.unit())
  expect(units.every((unit) => unit >= 0 && unit < 1)).toBe(true)
  expect(units.filter((unit) => unit < 0.5).length).toBeGreaterThan(4_500)
  const names = new Set(Array.from({ length: 10_000 }, () => random.hex(16)))
  expect(names.size).toBe(10_000)
  expect([...names].every((name) => /^[0-9a-f]{32}$/.test(name))).toBe(true)
})
