import { setTimeout as pause } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { buildRehearse } from '../../src/core/rehearse.ts'
import { createOfflinePorts } from '../../src/node/offline-ports.ts'
import { rehearsedArrival } from '../../src/node/rehearsed-arrival.ts'
import { apiKey } from '../support/api-keys.ts'
import { untilTheEnd } from '../support/keep.ts'
import { clean, loadBeside } from '../support/load.ts'

const keep = untilTheEnd()

it('the time of a rehearsed request begins when it is rehearsed, however long the process has run', async () => {
  const policy = clean(
    await loadBeside(`apiKeys: { partners: { store: file:/no/such/file, scopes: [read] } }
clusters: { web: { address: 127.0.0.1:15001 } }
access: { all: { authenticate: { apiKey: partners }, rules: [{ id: read, allow: { scopes: [read] } }] } }
routes: { a: { match: { path: /a }, access: all, to: web } }
`),
  )
  const ports = createOfflinePorts()
  const clock = { ...ports.clock, ticks: () => ports.clock.ticks() + 86_400_000 }
  // Later than a timer of no time at all, which is what would be left.
  const read = () => pause(20).then(() => Promise.reject(new Error('not there')))
  const rehearse = buildRehearse(policy, { ...ports, clock, secrets: { read } })
  keep(() => rehearse.close())
  const headers = ['x-api-key', apiKey(1).text]
  const asked = { method: 'GET', scheme: 'http', host: 'a.example', target: '/a', headers, json: undefined, client: '127.0.0.1' } as const
  expect((await rehearse(rehearsedArrival(asked), { kind: 'own' })).refusal?.code).toBe('key_store_unavailable')
})
