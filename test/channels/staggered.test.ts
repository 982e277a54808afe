import { expect, test } from 'vitest'
import { firstToOpen, type Underway } from '../../src/node/channels/staggered.ts'
import { fakeClock } from '../support/clock.ts'
import { settle } from '../support/protected.ts'

/** Attempts at these places in 1,000 ms that end when the test says so. */
function trying(...places: string[]) {
  const clock = fakeClock()
  const until = clock.ticks() + 1_000
  const begun: string[] = []
  const dropped: string[] = []
  const attempts = new Map<string, Underway & PromiseWithResolvers<string>>()
  const result = { got: undefined as unknown }
  firstToOpen(places, {
    open(place, underway) {
      begun.push(place)
      const attempt = { ...underway, ...Promise.withResolvers<string>() }
      attempts.set(place, attempt)
      return attempt.promise
    },
    drop: (got) => void dropped.push(got),
    left: () => until - clock.ticks(),
    clock,
  }).then(
    (got) => Object.assign(result, { got }),
    (error: unknown) => Object.assign(result, { got: error }),
  )
  const at = (place: string) => attempts.get(place) as Underway & PromiseWithResolvers<string> // the test knows that it has begun
  return { clock, begun, dropped, at, result }
}

test('a place that opens in time is the only one that is tried, however many there are', async () => {
  const { clock, begun, at, result } = trying('a', 'b', 'c')
  clock.advance(249)
  at('a').resolve('a')
  await settle()
  clock.advance(1_000)
  expect([begun, result.got, clock.pending]).toEqual([['a'], 'a', 0])
})

test('beside one that hangs the next is tried after 250 ms, and the first that opens ends the others', async () => {
  const { clock, begun, dropped, at, result } = trying('a', 'b', 'c', 'd')
  clock.advance(250)
  expect(begun).toEqual(['a', 'b'])
  clock.advance(250)
  expect(begun).toEqual(['a', 'b', 'c'])
  at('b').resolve('b')
  await settle()
  expect([result.got, at('a').signal.aborted, at('b').signal.aborted, at('c').signal.aborted]).toEqual(['b', true, false, true])
  at('a').resolve('a')
  await settle()
  expect([begun, dropped, clock.pending]).toEqual([['a', 'b', 'c'], ['a'], 0])
})

test('after one that fails the next is tried at once; when all have failed the last says why', async () => {
  const { begun, at, result } = trying('a', 'b')
  at('a').reject(new Error('refused a'))
  await settle()
  expect(begun).toEqual(['a', 'b'])
  at('b').reject(new Error('refused b'))
  await settle()
  expect(result.got).toEqual(new Error('refused b'))
})

test('one that is reached has its share of the time for the handshake', async () => {
  const { clock, begun, at } = trying('a', 'b', 'c')
  clock.advance(100)
  at('a').reached()
  clock.advance(299)
  expect(begun).toEqual(['a'])
  clock.advance(1)
  expect(begun).toEqual(['a', 'b'])
  // That of one that came before is no reason to wait any longer.
  at('a').reached()
  clock.advance(250)
  expect(begun).toEqual(['a', 'b', 'c'])
})

test('when no time is left nothing begins any more', async () => {
  const { clock } = trying()
  let left = 1
  const begun: string[] = []
  const open = async (place: string): Promise<string> => {
    begun.push(place)
    left = 0
    throw new Error('took too long')
  }
  await expect(firstToOpen(['a', 'b'], { open, drop: () => {}, left: () => left, clock })).rejects.toThrow('took too long')
  expect(begun).toEqual(['a'])
})

test('without a place there is nothing to open', async () => {
  const { result } = trying()
  await settle()
  expect(result.got).toEqual(new Error('no address'))
})
