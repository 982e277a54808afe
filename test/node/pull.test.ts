import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../src/core/model/fault.ts'
import { drained, pull } from '../../src/node/pull.ts'
import { fakeClock } from '../support/clock.ts'

const idleMs = 1000
const stalled = new Fault('upstream_reset', 'the answer stalled')

function pulling() {
  const clock = fakeClock()
  const stream = new PassThrough()
  const ends: boolean[] = []
  const chunks = pull(stream, { clock, idleMs, stalled: () => stalled, broken: () => stalled, short: () => undefined, over: (whole) => void ends.push(whole) })
  return { clock, stream, chunks, ends }
}

/** Lets what waits for the stream go on. */
const settle = () => new Promise<void>((done) => void setImmediate(done))

describe('a stream that is pulled', () => {
  it('is cut when what is wanted does not come for as long as silence is borne', async () => {
    const { clock, chunks, ends } = pulling()
    const next = chunks.next()
    const outcome = next.then(
      () => 'a chunk',
      (error: unknown) => error,
    )
    await settle()
    clock.advance(idleMs - 1)
    await settle()
    expect(ends).toEqual([])
    clock.advance(1)
    expect(await outcome).toBe(stalled)
  })

  it('waits five times as long for somebody to want more, and then for the sender as long as ever', async () => {
    const { clock, stream, chunks, ends } = pulling()
    stream.write('a')
    expect(String((await chunks.next()).value)).toBe('a')
    clock.advance(4 * idleMs)
    expect(ends).toEqual([])
    const next = chunks.next()
    await settle()
    clock.advance(idleMs - 1)
    await settle()
    stream.write('b')
    expect(String((await next).value)).toBe('b')
    clock.advance(5 * idleMs)
    await settle()
    expect(ends).toEqual([false])
    await expect(chunks.next()).rejects.toBe(stalled)
  })
})

it('a writer waits five times as long for a reader that takes nothing', async () => {
  const clock = fakeClock()
  const stream = new PassThrough({ highWaterMark: 1 })
  stream.on('error', () => {})
  stream.write('more than fits')
  const over = drained(stream, { clock, idleMs })
  clock.advance(5 * idleMs - 1)
  expect(stream.destroyed).toBe(false)
  clock.advance(1)
  await over
  expect(stream.destroyed).toBe(true)
})
