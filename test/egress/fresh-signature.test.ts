import { createHmac } from 'node:crypto'
import { expect, it } from 'vitest'
import { buildEgress } from '../../src/core/egress.ts'
import type { HttpCall } from '../../src/core/model/call.ts'
import type { Credential } from '../../src/core/model/credential.ts'
import type { EgressService } from '../../src/core/model/egress-service.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { buildUpstream } from '../../src/core/upstream.ts'
import { arrival } from '../support/arrival.ts'
import { egressPolicy, linked, live, secretRule, service, textOf } from '../support/egress.ts'
import { fakeChannels, fakePorts, fakeSecrets } from '../support/ports.ts'
import { httpReply, retry } from '../support/sendable.ts'

const hmac: Credential = {
  kind: 'hmac',
  secret: secretRule('env:KEY'),
  algorithm: 'sha256',
  message: '{timestamp}.{body}',
  header: 'x-signature',
  format: '{timestamp} {signature}',
  encoding: 'hex',
  timestampHeader: undefined,
}

/** A vendor that looks at how old a signature is when it arrives, and repeats it. */
function house(given: Partial<EgressService>, statuses: readonly (number | 'unsent')[] = []) {
  const seen: { readonly ageMs: number; readonly good: boolean; readonly signature: string }[] = []
  const channels = fakeChannels({
    async http(call: HttpCall) {
      const [time = '', signature = ''] = (call.headers.get('x-signature') ?? '').split(' ')
      const body = await textOf(call.body?.chunks())
      const good = createHmac('sha256', 'the-key').update(`${time}.${body}`).digest('hex') === signature
      seen.push({ ageMs: ports.clock.now() - Number(time) * 1_000, good, signature })
      const status = statuses[seen.length - 1] ?? 200
      if (status === 'unsent') throw new Fault('upstream_unavailable', 'nobody there')
      return { ...httpReply(status), headers: new FieldList([['x-echo', seen.map((one) => one.signature).join(' ')]]) }
    },
  })
  const ports = fakePorts({ channels, secrets: fakeSecrets({ 'env:KEY': 'the-key' }) })
  const policy = egressPolicy({
    services: [linked(service('pay', { timeoutMs: 3_600_000, ...given }), live('dev', 'https://a.example', { credential: hmac }))],
  })
  const walk = buildEgress(policy, buildUpstream(policy, ports), ports)
  const ask = (body = '{"a":1}') =>
    walk(arrival('POST', '/v1', { Host: 'pay.egress.internal' }, { listener: 'egress', scheme: 'http', receivedAt: ports.clock.ticks(), body }))
  const after = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) {
      // A signature is made of a few turns of the same kind: time stands still for them.
      for (let turn = 0; turn < 12; turn++) await crypto.subtle.digest('SHA-256', new Uint8Array(1))
      ports.clock.advance(500)
    }
  }
  return { ask, after, seen, ports }
}

const quota = { vendor: { points: 1, windowMs: 60_000, shareBy: 'none' }, cost: undefined, maxRetryAfterMs: 3_600_000, onStoreFailure: 'local' } as const

it('a signature does not age while its call waits for the quota', async () => {
  const { ask, after, seen } = house({ quota })
  const answers = [ask(), ask()]
  await after(70_000)
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200])
  expect(seen.map(({ good }) => good)).toEqual([true, true])
  for (const { ageMs } of seen) expect(ageMs).toBeLessThan(2_000)
})

it('each try is signed anew, and no signature comes back in an answer', async () => {
  const { ask, after, seen } = house({ retry: retry({ attempts: 3, on: ['connect', 503], methods: ['POST'], maxRetryAfterMs: 60_000 }) }, [503, 'unsent', 503])
  const answer = ask()
  await after(30_000)
  const { status, headers } = await answer
  expect([status, seen.length]).toEqual([200, 4])
  for (const { good, ageMs } of seen) expect([good, ageMs < 2_000]).toEqual([true, true])
  for (const { signature } of seen) expect(headers.get('x-echo')).not.toContain(signature)
})

it('a key that is missing costs no place in the quota', async () => {
  const { ask, seen, ports } = house({ quota })
  ports.secrets.on('env:KEY', '')
  expect((await ask()).status).toBe(503)
  ports.secrets.on('env:KEY', 'the-key')
  expect([(await ask()).status, seen.length]).toEqual([200, 1])
})
