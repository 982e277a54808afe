import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileKey } from '../../src/core/ingress/limit/key.ts'
import { keyForm, readWrittenKey } from '../../src/core/ingress/limit.ts'
import type { LimitKeyPart } from '../../src/core/policy/linked/limits.ts'
import { permitted, subject } from '../support/metering.ts'

const parts: readonly LimitKeyPart[] = [{ kind: 'subject' }, { kind: 'header', name: 'x-a' }, { kind: 'claim', path: 'c' }]
const limit = { key: parts, missing: 'shared' } as const
const of = (...kinds: readonly ('client.network' | 'client.address' | 'host' | 'route')[]) => ({
  key: kinds.map((kind) => ({ kind })),
  missing: 'shared' as const,
})
const text = fc.oneof(
  fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom(':', '-', '1', 's', 'a', ' ', '=', 'é') }),
  fc.constant('u1 header.x-a=b'),
  fc.string({ minLength: 1 }),
)

describe('the key of a limit as people write it', () => {
  it('is the key that the request is counted under, from what explain prints, or is said to be ambiguous', () => {
    const key = compileKey(parts, 'shared')
    fc.assert(
      fc.property(text, text, fc.oneof(text, fc.integer(), fc.boolean()), (name, header, claim) => {
        fc.pre(name !== '?' && header.trim() === header && header !== '?' && header !== '')
        const x = permitted({ principal: subject(name, { c: claim }), headers: [['x-a', header]] })
        const read = readWrittenKey(limit, [key.readable(x)])
        const ambiguous = { kind: 'bad', problem: expect.stringContaining('two ways') }
        expect(read).toMatchObject(read.kind === 'bad' ? ambiguous : { kind: 'key', key: key.of(x), readable: key.readable(x) })
      }),
      { numRuns: 1000 },
    )
  })

  it('takes each part as a word of its own, in any order, whatever is in it', () => {
    expect(readWrittenKey(limit, ['claim.c=n:1', 'subject=u1 header.x-a=b', 'header.x-a=z'])).toMatchObject({ kind: 'key', key: '15:u1 header.x-a=b1:z3:n:1' })
    expect(readWrittenKey(limit, ['subject=u1 header.x-a=b header.x-a=z claim.c=n:1'])).toMatchObject({
      kind: 'bad',
      problem: expect.stringContaining('two ways'),
    })
  })

  it('is of another limit when the parts are others', () => {
    for (const words of [['subject=a'], ['subject=a', 'header.x-a=b'], ['subject=a', 'subject=b', 'claim.c=n:1'], ['a', 'b', 'c']]) {
      expect(readWrittenKey(limit, words)).toEqual({ kind: 'other' })
    }
  })

  it('with a missing part is the shared key, or none where the limit skips', () => {
    expect(readWrittenKey(limit, ['subject=? header.x-a=b claim.c=n:1'])).toMatchObject({
      kind: 'key',
      key: '-',
      readable: 'subject=? header.x-a=b claim.c=n:1',
    })
    expect(readWrittenKey({ ...limit, missing: 'skip' }, ['subject= header.x-a=b claim.c=n:1'])).toMatchObject({ kind: 'key', key: undefined })
  })

  it.each([
    ['client.network=192.0.2.7', 'client.network=192.0.2.7/32'],
    ['client.network=192.0.2.7/32', 'client.network=192.0.2.7/32'],
    ['client.network=2001:db8:0:0:1::9', 'client.network=2001:db8::/64'],
    ['client.network=2001:db8::/64', 'client.network=2001:db8::/64'],
    ['client.address=::ffff:192.0.2.7', 'client.address=192.0.2.7'],
    ['host=API.example.com', 'host=api.example.com'],
  ])('%s means %s', (written, readable) => {
    const kind = written.slice(0, written.indexOf('=')) as 'host'
    expect(readWrittenKey(of(kind), [written])).toMatchObject({ kind: 'key', readable })
  })

  it.each([
    ['client.network=192.0.2.0/24', '/32'],
    ['client.network=2001:db8::/48', '/64'],
    ['client.network=here', 'no network'],
    ['client.address=192.0.2.0/32', 'no address'],
  ])('%s is refused', (written, problem) => {
    const kind = written.slice(0, written.indexOf('=')) as 'client.network'
    expect(readWrittenKey(of(kind), [written])).toMatchObject({ kind: 'bad', problem: expect.stringContaining(problem) })
  })

  it('wants to know the type of a claim', () => {
    expect(readWrittenKey(limit, ['subject=a header.x-a=b claim.c=pro'])).toMatchObject({ kind: 'bad', problem: expect.stringContaining('s:text') })
    expect(keyForm(limit)).toBe('subject=… header.x-a=… claim.c=…')
  })
})
