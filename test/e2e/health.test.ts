import { type DescMessage, fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf'
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { builtinRegistry } from '../../src/core/protobuf.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { house } from '../support/shop.ts'

const service = (name: string) => `service ${name} { rpc Do(In) returns (In); }\n`
const set = await descriptorsFrom({ 'a.proto': `syntax = "proto3";\npackage a;\nmessage In {}\n${service('Good')}${service('Bad')}` })

const open = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
const shop = (bad: string) => `sallyport: v1
clusters:
  good: { protocol: grpc, address: "127.0.0.1:1", descriptors: a.binpb }
  bad: { protocol: grpc, ${bad} descriptors: a.binpb }
routes:
  good: { match: { grpc: a.Good }, ${open}, to: good }
  bad: { match: { grpc: a.Bad }, ${open}, to: bad }
`
const health = `sallyport: v1
routes:
  health:
    match: { grpc: grpc.health.v1.Health }
    ${open}
    answer: health
    bindings: [{ rpc: Check, method: GET, path: /healthz }]
`
const broken = shop('')
const mended = shop('address: "127.0.0.1:1",')

const type = (name: string): DescMessage => {
  const desc = builtinRegistry.getMessage(`grpc.health.v1.${name}`)
  if (desc === undefined) throw new Error(name)
  return desc
}
const write = (name: string) => (message: JsonValue) => Buffer.from(toBinary(type(name), fromJson(type(name), message)))
const read = (name: string) => (bytes: Buffer) => toJson(type(name), fromBinary(type(name), bytes)) as Record<string, JsonValue>
const path = (rpc: string) => `/grpc.health.v1.Health/${rpc}`

async function opened(files: Readonly<Record<string, string>>, lameDuck = '0s'): Promise<{ readonly gateway: Gateway; readonly client: Client }> {
  const gateway = await openGateway(onTestFinished, { 'house.yaml': house, 'a.binpb': set, ...files }, { flags: { lameDuck } })
  const client = new Client(`127.0.0.1:${gateway.port('public')}`, credentials.createInsecure())
  onTestFinished(() => client.close())
  return { gateway, client }
}

const check = (client: Client, asked: string, metadata = new Metadata()): Promise<unknown> =>
  new Promise((resolve) => {
    client.makeUnaryRequest(
      path('Check'),
      write('HealthCheckRequest'),
      read('HealthCheckResponse'),
      { service: asked },
      metadata,
      { deadline: Date.now() + 5000 },
      (error, answer) => resolve(error === null ? answer?.['status'] : (error.code as number)),
    )
  })

/** What a Watch says, and how it ends. */
function watch(client: Client, asked: string, deadline?: number) {
  const said: JsonValue[] = []
  const options = deadline === undefined ? {} : { deadline: Date.now() + deadline }
  const call = client.makeServerStreamRequest(path('Watch'), write('HealthCheckRequest'), read('HealthCheckResponse'), { service: asked }, options)
  call.on('data', (answer: Record<string, JsonValue>) => said.push(answer['status'] ?? 'UNKNOWN'))
  const ended = new Promise<number>((resolve) => {
    call.on('error', (error: ServiceError) => resolve(error.code))
    call.on('end', () => resolve(status.OK))
  })
  return { said, ended, cancel: () => call.cancel() }
}

describe('grpc.health.v1, answered by the gateway itself', () => {
  it('is there when a route says so: the process, each service by its route and cluster, and NOT_FOUND for others', async () => {
    const { client, gateway } = await opened({ 'a.yaml': broken, 'health.yaml': health })
    expect(await check(client, '')).toBe('SERVING')
    expect(await check(client, 'a.Good')).toBe('SERVING')
    expect(await check(client, 'a.Bad')).toBe('NOT_SERVING')
    expect(await check(client, 'grpc.health.v1.Health')).toBe('SERVING')
    expect(await check(client, 'a.Nobody')).toBe(status.NOT_FOUND)
    const listed = await new Promise((resolve, reject) => {
      client.makeUnaryRequest(path('List'), write('HealthListRequest'), read('HealthListResponse'), {}, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      )
    })
    expect(listed).toEqual({
      statuses: {
        '': { status: 'SERVING' },
        'a.Bad': { status: 'NOT_SERVING' },
        'a.Good': { status: 'SERVING' },
        'grpc.health.v1.Health': { status: 'SERVING' },
      },
    })
    const record = await gateway.entry((each) => each['rpc'] === 'grpc.health.v1.Health/Check')
    expect([record['route'], record['grpc_status'], record['endpoint']]).toEqual(['health', 0, undefined])
  })

  it('and not without one, nor past its access rules', async () => {
    const without = await opened({ 'a.yaml': mended })
    expect(await check(without.client, '')).toBe(status.UNIMPLEMENTED)
    const closed = await opened({ 'a.yaml': mended, 'health.yaml': health.replace('anonymous: true', 'headers: { x-probe: "yes" }, anonymous: true') })
    expect(await check(closed.client, '')).toBe(status.PERMISSION_DENIED)
    const metadata = new Metadata()
    metadata.set('x-probe', 'yes')
    expect(await check(closed.client, '', metadata)).toBe('SERVING')
  })

  it('is JSON, Connect and gRPC-Web too', async () => {
    const { gateway } = await opened({ 'a.yaml': broken, 'health.yaml': health })
    const base = `http://127.0.0.1:${gateway.port('public')}`
    const get = async (query: string) => {
      const answer = await fetch(`${base}/healthz${query}`)
      return [answer.status, ((await answer.json()) as { status?: string }).status]
    }
    expect([await get(''), await get('?service=a.Bad')]).toEqual([
      [200, 'SERVING'],
      [200, 'NOT_SERVING'],
    ])
    expect((await get('?service=a.Nobody'))[0]).toBe(404)
    const post = (type: string, body: string | Uint8Array<ArrayBuffer>, more = {}) =>
      fetch(`${base}${path('Check')}`, { method: 'POST', headers: { 'content-type': type, ...more }, body })
    expect(await (await post('application/json', '{"service":"a.Good"}')).json()).toEqual({ status: 'SERVING' })
    expect(await (await post('application/json', '{}', { 'connect-protocol-version': '1' })).json()).toEqual({ status: 'SERVING' })
    const web = new Uint8Array(await (await post('application/grpc-web+proto', new Uint8Array(5))).arrayBuffer())
    expect([...web.subarray(0, 7)]).toEqual([0, 0, 0, 0, 2, 8, 1])
    const events = await fetch(`${base}${path('Watch')}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: '{}',
    })
    const reader = events.body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: {"status":"SERVING"}\n\n')
    await reader?.cancel()
    expect((await post('application/grpc-web+proto', Uint8Array.of(0, 0, 0, 0, 2, 10, 9))).headers.get('grpc-status')).toBe('3')
  })

  it('is watched: what stands now, each change over reloads, and the end of the process', async () => {
    const { gateway, client } = await opened({ 'a.yaml': broken, 'health.yaml': health }, '300ms')
    const [bad, nobody] = [watch(client, 'a.Bad'), watch(client, 'a.Nobody')]
    await vi.waitFor(() => expect([bad.said, nobody.said]).toEqual([['NOT_SERVING'], ['SERVICE_UNKNOWN']]), { timeout: 5000 })
    await gateway.policies.write('a.yaml', mended)
    await gateway.running.reload()
    await vi.waitFor(() => expect(bad.said).toEqual(['NOT_SERVING', 'SERVING']), { timeout: 5000 })
    const closing = gateway.running.close()
    expect(await bad.ended).toBe(status.UNAVAILABLE)
    expect(bad.said).toEqual(['NOT_SERVING', 'SERVING', 'NOT_SERVING'])
    expect([await nobody.ended, nobody.said]).toEqual([status.UNAVAILABLE, ['SERVICE_UNKNOWN']])
    await closing
  })

  it('ends a watch at the deadline of its caller, and with its caller', async () => {
    const { gateway, client } = await opened({ 'a.yaml': mended, 'health.yaml': health })
    expect(await watch(client, '', 200).ended).toBe(status.DEADLINE_EXCEEDED)
    const left = watch(client, '')
    await vi.waitFor(() => expect(left.said).toEqual(['SERVING']), { timeout: 5000 })
    left.cancel()
    expect(await left.ended).toBe(status.CANCELLED)
    await expect.poll(() => gateway.running.live.inFlight, { timeout: 5000, interval: 5 }).toBe(0)
  })

  it('stands on the admin listener as /healthz', async () => {
    const { gateway } = await opened({ 'a.yaml': broken })
    const get = async (query: string) => {
      const answer = await fetch(`http://127.0.0.1:${gateway.port('admin')}/healthz${query}`)
      return [answer.status, await answer.json()]
    }
    expect(await get('')).toEqual([200, { status: 'SERVING' }])
    expect(await get('?service=a.Good')).toEqual([200, { status: 'SERVING' }])
    expect(await get('?service=a.Bad')).toEqual([503, { status: 'NOT_SERVING' }])
    expect(await get('?service=a.Nobody')).toEqual([404, { status: 'SERVICE_UNKNOWN' }])
  })
})
