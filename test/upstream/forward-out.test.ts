import { expect, test } from 'vitest'
import type { HttpCall } from '../../src/core/model/call.ts'
import type { EgressService } from '../../src/core/model/egress-service.ts'
import type { LiveTarget } from '../../src/core/model/egress-target.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Vet } from '../../src/core/model/vet.ts'
import { buildUpstream, type SendableOut, shieldsOf } from '../../src/core/upstream.ts'
import { httpCall } from '../support/calls.ts'
import { live, service } from '../support/egress.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakeChannels, fakePorts } from '../support/ports.ts'
import { httpReply, retry } from '../support/sendable.ts'

const vet: Vet = () => undefined

interface OutInput {
  readonly service?: EgressService
  readonly target?: LiveTarget
  readonly vet?: Vet | undefined
  readonly headers?: FieldList
}

function outgoing(given: OutInput = {}): SendableOut {
  const slots = {
    lifeline: new Lifeline(),
    receivedAt: 1_000,
    deadline: Number.POSITIVE_INFINITY,
    sent: undefined,
    request: { headers: given.headers ?? new FieldList() },
    service: given.service ?? service('payments'),
    target: given.target ?? live('test', 'https://pay.example'),
    vet: 'vet' in given ? given.vet : vet,
    call: httpCall({ scheme: 'https', authority: 'pay.example' }),
  }
  return slots as unknown as SendableOut // the other slots belong to other rooms, and permits are minted by them alone
}

function setUp(answer = async () => httpReply(200)) {
  const channels = fakeChannels({ http: answer })
  const ports = fakePorts({ channels })
  return { ...ports, ports, upstream: buildUpstream(emptyPolicy(), ports) }
}

test('a target is dialled over TLS with its own name, its own roots and its own guard', async () => {
  const { upstream, channels } = setUp()
  const x = outgoing({ service: service('payments', { connectTimeoutMs: 700 }), target: live('test', 'https://pay.example:8443', { ca: 'file:ca' }) })
  await upstream.forwardOut(x)
  expect(channels.acquired[0]).toMatchObject({
    protocol: 'http1',
    address: { kind: 'tcp', host: 'pay.example', port: 8443 },
    tls: { serverName: 'pay.example', ca: 'file:ca', certificate: undefined, key: undefined },
    connectTimeoutMs: 700,
    vet,
  })
  expect(x.sent).toMatchObject({ endpoint: 'pay.example:8443', attempts: 1 })
})

test('without an address guard nothing leaves', async () => {
  const { upstream, channels } = setUp()
  await expect(upstream.forwardOut(outgoing({ vet: undefined }))).rejects.toMatchObject({ code: 'address_denied' })
  expect(channels.acquired).toEqual([])
})

test('a call is sealed as the last step of each try, and one that cannot be sealed is not sent', async () => {
  let tries = 0
  const { upstream, channels, clock } = setUp(async () => httpReply((tries += 1) === 1 ? 503 : 200))
  let seals = 0
  const seal = async (call: HttpCall) => ({ ...call, headers: new FieldList([['x-seal', `${(seals += 1)}`]]) })
  const reply = upstream.forwardOut({ ...outgoing({ service: service('payments', { retry: retry({ on: [503] }) }) }), seal })
  for (let i = 0; i < 50; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    // Backing off takes less than a second.
    clock.advance(50)
  }
  expect(await reply).toMatchObject({ status: 200 })
  expect(channels.calls.map(({ call }) => (call.kind === 'http' ? call.headers.get('x-seal') : ''))).toEqual(['1', '2'])

  const broken = { ...outgoing(), seal: () => Promise.reject(new Fault('credential_unavailable', 'no key')) }
  await expect(upstream.forwardOut(broken)).rejects.toMatchObject({ code: 'credential_unavailable' })
  expect(channels.calls.length).toBe(2)
})

test('a call to a vendor is sent once more behind its back only where it changes nothing, and never where the vendor counts', async () => {
  const { upstream, channels } = setUp()
  const quota = { vendor: { points: 9, windowMs: 1_000, shareBy: 'none' }, cost: undefined, maxRetryAfterMs: 0, onStoreFailure: 'local' } as const
  await upstream.forwardOut(outgoing())
  await upstream.forwardOut(outgoing({ service: service('counted', { quota }) }))
  expect(channels.calls.map(({ options }) => options.resend)).toEqual(['safe', 'never'])
})

test('connections are shared by nothing that differs in service, environment, place or revision', async () => {
  const { upstream, channels, ports } = setUp()
  const other = buildUpstream(emptyPolicy({ revision: 'rev1' }), ports)
  await upstream.forwardOut(outgoing())
  await upstream.forwardOut(outgoing())
  expect(channels.acquired.length).toBe(1)
  await upstream.forwardOut(outgoing({ service: service('other') }))
  await upstream.forwardOut(outgoing({ target: live('dev', 'https://pay.example') }))
  await upstream.forwardOut(outgoing({ target: live('test', 'http://pay.example') }))
  await other.forwardOut(outgoing())
  expect(new Set(channels.acquired.map(({ key }) => key)).size).toBe(5)
  await upstream.close()
  expect(channels.released.length).toBe(4)
})

test('a redirect is an answer like any other', async () => {
  const { upstream, channels } = setUp(async () => httpReply(302, { headers: new FieldList([['location', 'http://169.254.169.254/']]) }))
  expect(await upstream.forwardOut(outgoing())).toMatchObject({ status: 302 })
  expect(channels.calls.length).toBe(1)
})

test('a failed call is repeated by the service’s rules, unless the caller says not to', async () => {
  const failing = service('payments', { retry: retry({ attempts: 1, on: ['connect'] }) })
  for (const [headers, tries] of [
    [new FieldList(), 2],
    [new FieldList([['x-egress-retry', 'off']]), 1],
  ] as const) {
    const { upstream, clock } = setUp(() => Promise.reject(new Fault('upstream_unavailable', 'nothing was sent')))
    const x = outgoing({ service: failing, headers })
    const call = upstream.forwardOut(x).catch((error: unknown) => Fault.from(error).code)
    for (let i = 0; i < 10; i += 1) {
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(100)
    }
    expect(await call).toBe('upstream_unavailable')
    expect(x.sent?.attempts).toBe(tries)
  }
})

test('an address that was refused is refused for good: no other try, no other address', async () => {
  const { upstream, channels } = setUp(() => Promise.reject(new Fault('address_denied', 'no')))
  const everything = service('payments', { retry: retry() })
  await expect(upstream.forwardOut(outgoing({ service: everything }))).rejects.toMatchObject({ code: 'address_denied' })
  expect(channels.calls.length).toBe(1)
})

test('the service’s time bounds the call', async () => {
  const { upstream, channels, clock } = setUp()
  await upstream.forwardOut(outgoing({ service: service('payments', { timeoutMs: 4_000 }) }))
  expect(channels.calls[0]?.options.deadline).toBe(5_000)
  clock.advance(4_000)
  await expect(upstream.forwardOut(outgoing({ service: service('payments', { timeoutMs: 4_000 }) }))).rejects.toMatchObject({ code: 'deadline_exhausted' })
})

test('a service that fails is left alone, in the environment where it fails', async () => {
  const breaker = { consecutive: 2, failures: 1, minRequests: 1_000, windowMs: 10_000, openMs: 30_000, probes: 1 }
  const failing = service('payments', { breaker })
  const { upstream, channels, ports } = setUp(async () => httpReply(503))
  for (let i = 0; i < 2; i += 1) expect(await upstream.forwardOut(outgoing({ service: failing }))).toMatchObject({ status: 503 })
  const refused = upstream.forwardOut(outgoing({ service: failing }))
  await expect(refused).rejects.toMatchObject({ code: 'circuit_open', detail: { headers: [['retry-after', '30']] } })
  expect(channels.calls.length).toBe(2)
  expect(shieldsOf(ports)).toMatchObject([{ place: 'payments test', breaker: 'open' }])
  expect(await upstream.forwardOut(outgoing({ service: failing, target: live('dev', 'https://pay.example') }))).toMatchObject({ status: 503 })
  await upstream.close()
  expect(shieldsOf(ports)).toEqual([])
})
