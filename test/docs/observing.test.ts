import { describe, expect, it } from 'vitest'
import { Fault } from '../../src/core/model/fault.ts'
import { metrics } from '../../src/core/observe/metrics.ts'
import { type Furthest, type Measured, recordOf } from '../../src/core/observe/record.ts'
import type { JournalRecord, JournalValue } from '../../src/core/ports.ts'
import { spanOf } from '../../src/node/otlp-span.ts'
import { arrival } from '../support/arrival.ts'
import { codesIn, rowsOf, sorted } from './pages.ts'

const page = 'docs/observing.md'

/** An exchange with every slot filled; the slots are plain facts, so that no room is needed. */
const whole = {
  arrival: arrival('GET', '/a?q=1'),
  revision: 'r',
  id: 'id',
  receivedAt: 0,
  client: { address: '192.0.2.1' },
  request: { method: 'GET', authority: 'a.example', target: { path: '/a', query: 'q=1' }, headers: { all: () => [] } },
  route: { name: 'a' },
  params: { id: '1' },
  rpc: { rpc: { path: '/p.S/M' } },
  principal: { kind: 'subject', issuer: 'i', subject: 's', clientId: 'c', keyId: 'k' },
  permit: { policy: 'p', rule: 'r', audited: ['p/a'] },
  readings: [{ limit: 'l', remaining: 1, resetMs: 1, degraded: false, audit: 'within' }],
  destination: { cluster: 'c', subset: 's' },
  steering: { by: 'sticky', bucket: 0.5 },
  injected: { delayMs: 1, status: 503, reset: true, bytesPerSecond: 1 },
  failedOver: { cluster: 'c', subset: 's' },
  service: { name: 's', mask: { headers: [] } },
  target: { mode: 'live', environment: 'dev' },
  wanted: 'dev',
  caller: { kind: 'caller', name: 'c', spiffe: 'spiffe://t/c', token: { issuer: 'i', subject: 's' } },
  asked: [{ decider: 'd', outcome: 'failed_open', source: 'none', reason: 'r', problem: 'p', tookMs: 1, audit: true }],
  sent: { endpoint: 'e:1', attempts: 1, startedAt: 0 },
  trace: { traceId: '1'.repeat(32), spanId: '1'.repeat(16), parentId: '2'.repeat(16), sampled: true, tracestate: '' },
} as unknown as Furthest // the slots that the record does not read are left out

const measured: Measured = {
  wing: 'egress',
  startedAt: 0,
  answeredAt: 1,
  endedAt: 2,
  ending: 'whole',
  status: 200,
  grpcStatus: 0,
  bytesOut: 1,
  fault: new Fault('internal', 'internal error', {
    rule: 'p/r',
    cause: new Error('x'),
    decision: { phase: 'allow', nearest: { rule: 'p/n', matcher: 'scopes', expected: 'one of a' }, audited: [] },
  }),
}

/** A request that `receive` refused. */
const early = { arrival: arrival('GET', '/a?q=1'), revision: 'r', id: 'id', receivedAt: 0 } as unknown as Furthest

/** Dotted paths of every member, undefined ones too; `[]` stands for the items of a list of objects. */
function pathsOf(record: JournalRecord, prefix = ''): readonly string[] {
  return Object.entries(record).flatMap(([name, value]) => inner(value, `${prefix}${name}`))
}

function inner(value: JournalValue, path: string): readonly string[] {
  if (Array.isArray(value)) return typeof value[0] === 'object' ? inner(value[0] as JournalValue, `${path}[]`) : [path]
  return typeof value === 'object' && value !== null ? pathsOf(value as JournalRecord, `${path}.`) : [path]
}

describe('docs/observing.md', () => {
  it('says what every member of a record means, and lists no other', () => {
    const members = new Set([...pathsOf(recordOf(whole, measured)), ...pathsOf(recordOf(early, measured))])
    // Shapes that the early record leaves whole.
    for (const shape of ['principal', 'permit', 'asked', 'limits', 'destination', 'steering', 'failover', 'injected']) members.delete(shape)
    const listed = rowsOf(page, 'member').map((row) => codesIn(row['member'])[0])
    expect(sorted(listed)).toEqual(sorted(members))
  })

  it('lists every metric with its kind and labels, and no other', () => {
    const listed = rowsOf(page, 'metric').map((row) => [codesIn(row['metric'])[0], row['kind'], codesIn(row['labels'])])
    const kept = Object.entries(metrics).map(([name, { kind, labels }]) => [name, kind, [...labels]])
    expect(sorted(listed)).toEqual(sorted(kept))
  })

  it('lists every attribute of a span, and no other', () => {
    const span = spanOf(recordOf(whole, measured))
    const listed = rowsOf(page, 'attribute').map((row) => codesIn(row['attribute'])[0])
    expect(sorted(listed)).toEqual(sorted(span?.attributes.map(({ key }) => key) ?? []))
  })
})
