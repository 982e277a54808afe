import { expect, it } from 'vitest'
import type { Descriptor } from '../../src/core/ports.ts'
import { openFleetBook } from '../../src/node/workers/fleet-book.ts'
import type { Hand } from '../../src/node/workers/hand.ts'
import type { OrderName, Orders } from '../../src/node/workers/orders.ts'

const descriptor: Descriptor = {
  limit: { name: 'l', algorithm: { kind: 'sliding' }, points: 1, windowMs: 1000, burst: 0, onStoreFailure: 'local' },
  key: 'k',
  cost: 1,
}
const standing = { fits: true, remaining: 1, resetMs: 0 }

/** A worker that says this to every order, and keeps what it was told. */
function hand(says: unknown): Hand & { readonly told: unknown[] } {
  const told: unknown[] = []
  const order: Hand['order'] = <Name extends OrderName>(name: Name, given: Orders[Name][0]) => {
    told.push([name, given])
    return says instanceof Error ? Promise.reject(says) : Promise.resolve(says as Orders[Name][1]) // what the test says
  }
  return { pid: 1, order, ended: new Promise(() => {}), kill: () => {}, told }
}

it('one worker looks for all', async () => {
  const [first, second] = [hand(standing), hand(standing)]
  expect(await openFleetBook(() => [first, second]).look(descriptor)).toEqual(standing)
  expect([first.told, second.told]).toEqual([[['lookAtLimit', descriptor]], []])
})

it('one worker forgets where all count; then each of the others what it remembers, and one that is gone holds nothing up', async () => {
  const workers = [hand(true), hand(new Error('worker 1 ended by SIGKILL')), hand(false)]
  expect(await openFleetBook(() => workers).forget(descriptor)).toBe(true)
  expect(workers.map(({ told }) => told)).toEqual([true, false, false].map((there) => [['forgetLimit', { descriptor, here: !there }]]))
})

it('the others are told nothing when the one cannot say, and without a worker nobody can', async () => {
  const second = hand(false)
  await expect(openFleetBook(() => [hand(new Error('no answer')), second]).forget(descriptor)).rejects.toThrow('no answer')
  expect(second.told).toEqual([])
  await expect(openFleetBook(() => []).look(descriptor)).rejects.toThrow('no worker serves')
})
