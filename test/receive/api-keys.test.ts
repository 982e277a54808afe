import { describe, expect, it } from 'vitest'
import { buildReceive } from '../../src/core/ingress/receive.ts'
import { openExchange } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { recordOf } from '../../src/core/observe/record.ts'
import { apiKey, apiKeySet } from '../support/api-keys.ts'
import { arrival } from '../support/arrival.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'

const { text } = apiKey(1)
const withKeys = emptyPolicy({ apiKeys: { a: apiKeySet('a'), b: apiKeySet('b', { header: 'x-partner' }) } })

function received(headers: readonly string[], policy = withKeys) {
  const sent = { ...arrival('GET', '/a'), rawHeaders: ['host', 'a.example', ...headers] }
  return buildReceive(policy, fakePorts())(openExchange(sent, 'r'))
}

describe('a header that holds API keys', () => {
  it('is put aside, in its own spelling alone, and is in the request in none', () => {
    const spellings = ['X-Api-Key', 'x.api.key', 'x-api-key', "x'api~key", 'Grpc-Metadata-X-Api-Key', 'grpc-metadata-x.api.key', 'X-Partner']
    const x = received(spellings.flatMap((name) => [name, text]))
    expect(x.keyFields).toEqual([
      ['x-api-key', text],
      ['x-api-key', text],
      ['x-partner', text],
    ])
    expect([...x.request.headers.entries()].filter(([, value]) => value.includes(text))).toEqual([])
  })

  it('cannot be talked away by Connection', () => {
    expect(() => received(['connection', 'x-partner', 'x-partner', text])).toThrow(Fault)
  })

  it('is an ordinary one where no policy names it', () => {
    const x = received(['x-api-key', text], emptyPolicy())
    expect(x.keyFields).toEqual([])
    expect(x.request.headers.get('x-api-key')).toBe(text)
  })

  it('is in no record, even where it is written elsewhere too', () => {
    const sent = { ...arrival('GET', `/a/${text}`), rawHeaders: ['host', 'a.example', 'x-partner', text] }
    const x = buildReceive(withKeys, fakePorts())(openExchange(sent, 'r'))
    const fault = new Fault('forbidden', 'no', { internal: `it said ${text}` })
    const measured = {
      wing: 'ingress',
      startedAt: 0,
      answeredAt: 1,
      endedAt: 2,
      ending: 'whole',
      status: 403,
      grpcStatus: undefined,
      bytesOut: 0,
      fault,
    } as const
    expect(JSON.stringify(recordOf(x, measured))).not.toContain(text)
  })
})
