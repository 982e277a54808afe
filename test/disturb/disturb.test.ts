import { describe, expect, it } from 'vitest'
import { buildDisturb } from '../../src/core/ingress/disturb.ts'
import { buildRescue } from '../../src/core/ingress/respond.ts'
import type { Steered } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { FaultInjection } from '../../src/core/model/fault-injection.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { metered, type PermittedOptions } from '../support/metering.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'

const abort: FaultInjection['abort'] = { share: 1, status: { http: 429, grpc: 8 } }
const delay: FaultInjection['delay'] = { share: 1, ms: 200 }

function room(given: Partial<FaultInjection>, policy: Partial<Policy> = {}) {
  const ports = fakePorts()
  const route = plainRoute('orders', { faults: { headers: [], delay: undefined, abort: undefined, ...given } })
  const disturb = buildDisturb(emptyPolicy({ routes: [route], ...policy }), ports)
  const request = (options: PermittedOptions = {}) =>
    Object.assign(metered(options), { route, receivedAt: 1_000, deadline: Number.POSITIVE_INFINITY, injected: undefined }) as unknown as Steered // as much of it as the room reads
  return { ports, disturb, request }
}

const settled = (waiting: Promise<void> | undefined) =>
  Promise.race([
    waiting?.then(
      () => 'on',
      (error: unknown) => Fault.from(error).code,
    ),
    new Promise((done) => setImmediate(() => done('waits'))),
  ])

describe('injected faults', () => {
  it('delay a request by the policies’ time, and say so in its record and its answer', async () => {
    const { ports, disturb, request } = room({ delay })
    const x = request()
    const waiting = disturb(x)
    expect(await settled(waiting)).toBe('waits')
    ports.clock.advance(199)
    expect(await settled(waiting)).toBe('waits')
    ports.clock.advance(1)
    expect(await settled(waiting)).toBe('on')
    expect(x.injected).toEqual({ delayMs: 200, status: undefined })
    expect(disturb.mark(x, { status: 200, headers: new FieldList(), body: undefined }).headers.get('x-sallyport-fault')).toBe('delay=200')
    expect(ports.meter.total('sallyport_faults_injected_total', { route: 'orders', kind: 'delay' })).toBe(1)
  })

  it('end a delay with the deadline, and leave no timer', async () => {
    const { ports, disturb, request } = room({ delay: { share: 1, ms: 60_000 } })
    const waiting = disturb(request())
    ports.clock.advance(15_000)
    expect(await settled(waiting)).toBe('deadline_exceeded')
    expect(ports.clock.pending).toBe(0)
  })

  it('abort with the policies’ status, after the delay if there is one', async () => {
    const { ports, disturb, request } = room({ delay, abort })
    const x = request()
    const waiting = disturb(x)
    const thrown = waiting?.catch((error: unknown) => error)
    ports.clock.advance(200)
    expect(await thrown).toMatchObject({ code: 'fault_injected', status: 429, grpcStatus: 8 })
    expect(disturb.mark(x, { status: 429, headers: new FieldList(), body: undefined }).headers.get('x-sallyport-fault')).toBe('delay=200, abort=429')
  })

  it('answer with that status in every dialect', () => {
    const rescue = buildRescue(emptyPolicy())
    const fault = new Fault('fault_injected', 'injected', { status: { http: 429, grpc: 8 } })
    const arrival = { method: 'POST', target: '/', rawHeaders: [], socket: undefined }
    const answer = (dialect: object) => rescue({ arrival, dialect, id: 'i' } as never, fault)
    expect(answer({ kind: 'http' })).toMatchObject({ status: 429 })
    expect(Buffer.from(answer({ kind: 'http' }).body as Uint8Array).toString()).toContain('"status":429')
    expect(answer({ kind: 'grpc', codec: 'proto' }).headers.get('grpc-status')).toBe('8')
    const connect = answer({ kind: 'connect', codec: 'json', streaming: false })
    expect([connect.status, Buffer.from(connect.body as Uint8Array).toString()]).toEqual([429, expect.stringContaining('resource_exhausted')])
  })

  it('hit their share of the requests', async () => {
    const { disturb, request } = room({ abort: { share: 0.1, status: { http: 503, grpc: 14 } } })
    let hit = 0
    for (let i = 0; i < 5_000; i++) if ((await settled(disturb(request()))) === 'fault_injected') hit++
    expect(hit / 5_000).toBeGreaterThan(0.08)
    expect(hit / 5_000).toBeLessThan(0.12)
  })

  it('hit only requests with the headers they ask for', async () => {
    const { disturb, request } = room({ abort, headers: [{ name: 'x-test', exact: 'yes' }] })
    expect(disturb(request())).toBeUndefined()
    expect(disturb(request({ headers: [['x-test', 'no']] }))).toBeUndefined()
    expect(await settled(disturb(request({ headers: [['x-test', 'yes']] })))).toBe('fault_injected')
  })

  it('are never injected in prod, though a policy got there that says so', () => {
    const { disturb, request } = room({ abort, delay }, { environmentClass: 'prod' })
    expect(disturb(request())).toBeUndefined()
  })

  it('leave the answers of all others as they are', () => {
    const { disturb, request } = room({ abort: { share: 0, status: { http: 503, grpc: 14 } } })
    const x = request()
    const answer = { status: 200, headers: new FieldList(), body: undefined }
    expect(disturb(x)).toBeUndefined()
    expect(disturb.mark(x, answer)).toBe(answer)
  })
})
