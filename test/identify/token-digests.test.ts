import { describe, expect, it } from 'vitest'
import { buildDigestOf } from '../../src/core/ingress/identify/token-digests.ts'

function counting() {
  const reckoned: unknown[] = []
  const digestOf = buildDigestOf({
    digest: (data) => {
      reckoned.push(data)
      return `digest of ${typeof data === 'string' ? data : 'bytes'}`
    },
  })
  return { digestOf, reckoned }
}

describe('the digest of a token', () => {
  it('is reckoned once for a connection that brings the same one again', () => {
    const { digestOf, reckoned } = counting()
    const connection = {}
    expect([digestOf('a', connection), digestOf('a', connection)]).toEqual(['digest of a', 'digest of a'])
    expect(reckoned).toEqual(['a'])
  })

  it('is that of the token at hand, whatever the connection brought before', () => {
    const { digestOf } = counting()
    const connection = {}
    expect(['a', 'b', 'a', 'aa', ''].map((token) => digestOf(token, connection))).toEqual([
      'digest of a',
      'digest of b',
      'digest of a',
      'digest of aa',
      'digest of ',
    ])
  })

  it('is not taken from another connection, nor kept for none', () => {
    const { digestOf, reckoned } = counting()
    void digestOf('a', {})
    void digestOf('a', {})
    void digestOf('a', undefined)
    void digestOf('a', undefined)
    expect(reckoned).toHaveLength(4)
  })

  it('is waited for where the platform reckons it later', async () => {
    const digestOf = buildDigestOf({ digest: (data) => Promise.resolve(`later ${typeof data}`) })
    const connection = {}
    void digestOf('a', connection)
    await expect(digestOf('a', connection)).resolves.toBe('later string')
  })
})
