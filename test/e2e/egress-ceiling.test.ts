import { describe, expect, it } from 'vitest'
import { http1 } from '../support/clients.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { openHttp } from '../support/shop.ts'
import { until } from '../support/until.ts'

const keep = untilTheEnd()
const patienceMs = 30_000

describe.skipIf(!hasRedis())('a nonprod gateway whose Redis others write to', () => {
  it('goes to production by no record that stands there, by no switch of a prod gateway, and by no old revision', { timeout: 2 * patienceMs }, async () => {
    const redis = await startRedis()
    keep(() => redis.close())
    let reached = 0
    const live = await openHttp(keep, (_, response) => {
      reached += 1
      response.end('live')
    })
    const [sandbox, staging] = [await openHttp(keep, (_, response) => response.end('sandbox')), await openHttp(keep, (_, response) => response.end('staging'))]
    const here = 'allowAddresses: ["127.0.0.0/8", "::1/128"]'
    const files = {
      'house.yaml': `sallyport: v1
environments: { dev: { class: nonprod }, test: { class: nonprod }, prod: { class: prod }, standby: { class: prod } }
listeners: { admin: { address: "127.0.0.1:0" } }
callers: { shop: { listener: egress } }
egress:
  payments:
    listen: 127.0.0.1:0
    callers: [shop]
    environments:
      dev: { target: "http://127.0.0.1:${sandbox}", ${here} }
      test: { target: "http://127.0.0.1:${staging}", ${here} }
      prod: { target: "https://localhost:${live}", ${here} }
      standby: { mode: deny }
`,
    }
    const flags = { redis: redis.url }
    const [gateway, prod] = [await openGateway(keep, files, { flags }), await openGateway(keep, files, { flags: { ...flags, environment: 'prod' } })]
    const call = async () => {
      const { status, text } = await http1(gateway.port('egress:payments'), { path: '/' })
      return status === 200 ? text : (JSON.parse(text) as { readonly code: string }).code
    }
    const admin = async (of: Gateway, body: object, revision?: string) => {
      const url = `http://127.0.0.1:${of.port('admin')}/egress`
      const now = ((await (await fetch(url)).json()) as { readonly revision: string }).revision
      const headers = { 'content-type': 'application/json', 'if-match': revision ?? now }
      const answer = await fetch(`${url}/payments/switch`, { method: 'POST', headers, body: JSON.stringify({ by: 'eve', reason: 'a test', ...body }) })
      const { code, detail } = (await answer.json()) as { readonly code?: string; readonly detail?: string }
      return { before: now, code: code ?? answer.status, detail }
    }
    const one = (environment: string) => ({ id: '0000000a', service: 'payments', environment, by: 'eve', reason: 'forged', at: Date.now() })
    const key = (environment: string, name: string) => `sallyport:egress.switch:${environment}:${name}`
    expect(await call()).toBe('sandbox')

    // What stands as decided is believed as far as the ceiling: calls are refused rather than sent elsewhere than it says.
    for (const [at, environment] of ['prod', 'standby', 'PROD', '__proto__'].entries()) {
      await redis.admin.set(key('dev', 'current'), JSON.stringify({ epoch: `forged-${at}`, switches: [one(environment)] }))
      await until(async () => expect(await redis.admin.keys(key('dev', `word:forged-${at}:*`))).toHaveLength(1), patienceMs)
      expect([environment, await call()]).toEqual([environment, 'env_denied'])
    }
    // What is no decision at all changes nothing.
    for (const text of ['null', '[]', '"prod"', '{"epoch":"x","switches":[null]}', 'not JSON']) await redis.admin.set(key('dev', 'current'), text)
    expect(await call()).toBe('env_denied')
    await redis.admin.set(key('dev', 'current'), JSON.stringify({ epoch: 'empty', switches: [] }))
    await until(async () => expect(await call()).toBe('sandbox'), patienceMs)

    // A proposal is refused before anybody holds a call for it.
    const proposal = { epoch: 'e1', switches: [one('prod')], by: 'ghost', phase: 'prepare' }
    await redis.admin.set(key('dev', 'proposal'), JSON.stringify(proposal), 'PX', 3000)
    const [member] = (await redis.admin.mget(key('dev', 'slot:0'))) as [string]
    await until(async () => expect(await redis.admin.get(key('dev', `word:e1:${member}`))).toMatch(/^no:.*out of reach/), patienceMs)
    await redis.admin.del(key('dev', 'proposal'))

    const first = await admin(gateway, { environment: 'test' })
    expect([first.code, await call()]).toEqual([200, 'staging'])
    expect((await admin(gateway, { back: true }, first.before)).code).toBe('revision_changed')
    for (const environment of ['prod', 'standby', 'PROD', 'ｐｒｏｄ', '__proto__', 'constructor'])
      expect([environment, (await admin(gateway, { environment })).code]).toEqual([environment, 'env_ceiling'])
    expect((await admin(gateway, { environment: 'test', ttl: '8d' })).detail).toBe('ttl: a time of at least 1s and at most 7d, such as 1h')
    // The same Redis, the same service: a prod gateway switches those of its own environment alone.
    expect((await admin(prod, { environment: 'standby' })).code).toBe(200)
    expect(await call()).toBe('staging')
    expect(reached).toBe(0)
  })
})
