import { beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, openHttp } from '../support/shop.ts'

const anyone = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'

/** A port of this machine on which nothing listens any more. */
async function deadPort(): Promise<number> {
  const closes: (() => void | Promise<void>)[] = []
  const port = await openHttp(
    (close) => void closes.push(close),
    (_, response) => void response.end(),
  )
  for (const close of closes) await close()
  return port
}

describe('steering, through a whole gateway', () => {
  const keep = untilTheEnd()
  let gateway: Gateway
  const copies: string[] = []

  beforeAll(async () => {
    const service = (answer: object, status = 200) =>
      openHttp(keep, (request, response) => {
        if (request.headers['x-sallyport-mirror'] === '1') copies.push(`${request.method} ${request.url}`)
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
      })
    const ports = {
      good: await service({ sku: 'b-1', price: '19.90', at: 1 }),
      other: await service({ sku: 'b-1', price: '21.90', at: 2 }),
      bad: await service({}, 500),
      dead: await deadPort(),
    }
    const clusters = Object.entries(ports).map(([name, port]) => `  ${name}: { address: "127.0.0.1:${port}" }`)
    const shop = `sallyport: v1
clusters:
${clusters.join('\n')}
routes:
  spared: { match: { path: /spared }, ${anyone}, to: { cluster: dead, failover: { cluster: good } } }
  copied: { match: { path: /copied }, ${anyone}, to: good, mirror: { cluster: other, diff: { percent: 100%, ignore: [/at] } } }
  fragile: { match: { path: /fragile }, ${anyone}, to: good, faults: { headers: { x-chaos: "yes" }, delay: { percent: 100%, for: 20ms }, abort: { percent: 100%, status: 429 } } }
  canary:
    match: { path: /canary }
    ${anyone}
    sticky: header.x-user
    to:
      - { cluster: good, weight: 60 }
      - { cluster: bad, weight: 40, guard: { minSamples: 50, window: 10s } }
`
    gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': shop })
  })

  const ask = (path: string, headers: Record<string, string> = {}) => fetch(`http://127.0.0.1:${gateway.port('public')}${path}`, { headers })

  it('fails over to a second cluster, and records it', async () => {
    const answer = await ask('/spared')
    expect(answer.status).toBe(200)
    const record = await gateway.entry((one) => one['route'] === 'spared')
    expect(record).toMatchObject({ destination: { cluster: 'dead' }, failover: { cluster: 'good' }, status: 200 })
  })

  it('mirrors a request, and reports the one member that differs and may not', async () => {
    const answer = await ask('/copied?a=1', { 'x-sallyport-mirror': 'forged' })
    expect(await answer.json()).toEqual({ sku: 'b-1', price: '19.90', at: 1 })
    const event = await gateway.entry((one) => one['event'] === 'mirror_differs')
    expect(event).toMatchObject({ route: 'copied', id: answer.headers.get('x-request-id'), to: 'other' })
    expect(event['differences']).toEqual([{ at: '/price', main: '"19.90"', mirror: '"21.90"' }])
    expect(copies).toEqual(['GET /copied?a=1'])
  })

  it('injects faults into requests that ask for them, marked, and into no other', async () => {
    const hit = await ask('/fragile', { 'x-chaos': 'yes' })
    expect([hit.status, hit.headers.get('x-sallyport-fault')]).toEqual([429, 'delay=20, abort=429'])
    expect(await hit.json()).toMatchObject({ status: 429, code: 'fault_injected' })
    const record = await gateway.entry((one) => one['route'] === 'fragile')
    expect(record).toMatchObject({ injected: { delay_ms: 20, abort: 429 }, refusal: { code: 'fault_injected' }, status: 429 })
    const spared = await ask('/fragile')
    expect([spared.status, spared.headers.get('x-sallyport-fault')]).toEqual([200, null])
  })

  it('takes the weight of a bad version, and gives it back when an operator says so', async () => {
    const seen: number[] = []
    const round = async () => {
      for (let i = 0; i < 40; i++) {
        const answer = await ask('/canary', { 'x-user': `u${i}` })
        seen.push(answer.status)
        await answer.arrayBuffer()
      }
    }
    const isOut = () => gateway.journal.some((one) => one['event'] === 'guard_aborted')
    for (let i = 0; i < 12 && !isOut(); i++) await round()
    expect(isOut()).toBe(true)
    seen.length = 0
    await round()
    expect(new Set(seen)).toEqual(new Set([200]))
    expect(JSON.parse(await gateway.admin('/guards'))).toMatchObject({
      guards: [{ route: 'canary', aborted: { why: expect.stringContaining('errors at least') } }],
    })
    const armed = await fetch(`http://127.0.0.1:${gateway.port('admin')}/guards/rearm?route=canary&destination=bad`, { method: 'POST' })
    expect(await armed.json()).toEqual({ armed: true })
    await round()
    expect(new Set(seen)).toEqual(new Set([200, 500]))
  })
})
