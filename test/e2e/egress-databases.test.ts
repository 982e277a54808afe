import { Redis } from 'ioredis'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { makeCertificates } from '../support/certificates.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { hasPostgres, openPsql, type Psql, startPostgres } from '../support/postgres.ts'
import { freePort, hasRedis, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

const keep = untilTheEnd()
const patienceMs = 30_000
const who = "select current_setting('cluster_name');"
const encrypted = 'select ssl from pg_stat_ssl where pid = pg_backend_pid();'

/** Fixed: an application is told them once. */
let ports: { readonly ledger: number; readonly cache: number }
let files: Readonly<Record<string, string>>
/** Calls the test database production: for one test alone, since the guard believes it. */
let wrongly: Readonly<Record<string, string>>
let variables: Readonly<Record<string, string>>
/** Of the test database, without an ambassador. */
let direct: number

const isThere = hasPostgres() && hasRedis()

beforeAll(async () => {
  if (!isThere) return
  const certificates = await makeCertificates()
  const server = await certificates.issue({ dns: 'localhost' })
  const tls = { ...certificates, server: await certificates.issue({ dns: 'localhost', ip: '127.0.0.1' }) }
  direct = await startPostgres(keep, 'test')
  const [prod, standby] = [await startPostgres(keep, 'prod', { tls: server }), await startPostgres(keep, 'standby', { tls: server })]
  const [testCache, prodCache] = await Promise.all([startRedis(), startRedis({ tls })])
  keep(async () => void (await Promise.all([testCache.close(), prodCache.close()])))
  await Promise.all([testCache.admin.set('who', 'test'), prodCache.admin.set('who', 'prod')])
  ports = { ledger: await freePort(), cache: await freePort() }
  variables = { TEST_CA: certificates.ca, TEST_OTHER_CA: (await makeCertificates()).ca }
  const inTest = (port: number) => `test: { target: "127.0.0.1:${port}", allowAddresses: ["127.0.0.0/8"] }`
  const inProd = (name: string, host: string, port: number, ca = 'TEST_CA') =>
    `${name}: { target: "${host}:${port}", tls: verify-full, ca: "env:${ca}", allowAddresses: ["127.0.0.0/8", "::1/128"] }`
  const service = (name: string, port: number, rest: string) => `  ${name}: { kind: tcp, listen: "127.0.0.1:${port}", callers: [shop], ${rest} }\n`
  const postgres = 'protocol: postgres, switch: { drainTimeout: 20s }'
  files = {
    'house.yaml': `sallyport: v1
environments: { test: { class: nonprod }, prod: { class: prod }, standby: { class: prod } }
listeners: { admin: { address: "127.0.0.1:0" } }
callers: { shop: { listener: egress } }
egress:
${service('ledger', ports.ledger, `${postgres}, environments: { ${inTest(direct)}, ${inProd('prod', 'localhost', prod)}, ${inProd('standby', 'localhost', standby)} }`)}\
${service('cache', ports.cache, `switch: { drainTimeout: 20s }, environments: { ${inTest(testCache.port)}, ${inProd('prod', 'localhost', prodCache.port)} }`)}\
${service('other-ca', 0, `${postgres}, environments: { ${inProd('prod', 'localhost', prod, 'TEST_OTHER_CA')} }`)}`,
  }
  wrongly = { 'wrong.yaml': `sallyport: v1\negress:\n${service('no-tls', 0, `${postgres}, environments: { ${inProd('prod', 'localhost', direct)} }`)}` }
}, patienceMs)

const open = (environment: string, more: Readonly<Record<string, string>> = {}) =>
  openGateway(onTestFinished, { ...files, ...more }, { flags: { environment, drain: '20s' }, variables })

async function switchTo(gateway: Gateway, environment: string) {
  const admin = `http://127.0.0.1:${gateway.port('admin')}/egress`
  const { revision } = (await (await fetch(admin)).json()) as { readonly revision: string }
  const headers = { 'content-type': 'application/json', 'if-match': revision }
  const answer = await fetch(`${admin}/ledger/switch`, { method: 'POST', headers, body: JSON.stringify({ environment, by: 'ada', reason: 'a test' }) })
  return { status: answer.status, said: (await answer.json()) as Readonly<Record<string, unknown>> }
}

const drained = ({ journal }: Gateway) => journal.filter((one) => one['kind'] === 'stream' && one['outcome'] === 'drained')

/** An application: it knows its ports, keeps its sessions, and opens one again that it has lost. */
function startApplication(sessions: number) {
  const pool: (Psql | undefined)[] = Array.from({ length: sessions })
  const session = (at: number): Psql => {
    const there = pool[at]
    if (there !== undefined) return there
    const fresh = openPsql(onTestFinished, ports.ledger, 'prefer')
    pool[at] = fresh
    fresh.child.once('close', () => {
      if (pool[at] === fresh) pool[at] = undefined
    })
    return fresh
  }
  const cache = new Redis({ host: '127.0.0.1', port: ports.cache, retryStrategy: () => 20, maxRetriesPerRequest: null })
  cache.on('error', () => {})
  onTestFinished(() => cache.disconnect())
  return {
    session,
    cache,
    /** Of every session but those that are left out: one that turns out to be over is opened again. */
    all: (sql: string, without: readonly number[] = []) =>
      Promise.all(pool.flatMap((_, at) => (without.includes(at) ? [] : [until(() => session(at).ask(sql), patienceMs)]))),
  }
}

describe.skipIf(!isThere)('an application with a PostgreSQL and a Redis behind TCP services', () => {
  it('goes from the test to the prod databases without a change or a restart, and no transaction is torn', { timeout: 2 * patienceMs }, async () => {
    const testing = await open('test')
    const application = startApplication(3)
    expect(await application.all(who)).toEqual(['test', 'test', 'test'])
    expect(await application.cache.get('who')).toBe('test')
    expect(await switchTo(testing, 'prod')).toMatchObject({ status: 409, said: { code: 'env_ceiling' } })
    expect(await application.all(who)).toEqual(['test', 'test', 'test'])

    const held = application.session(0)
    expect(await held.ask('create table kept (n int);\nbegin;\ninsert into kept values (1) returning n;')).toBe('1')
    const stopped = testing.running.close()
    await until(() => expect(drained(testing)).toHaveLength(3), patienceMs)
    expect(await held.ask('insert into kept values (2);\ncommit;')).toBe('')
    await stopped
    expect(drained(testing)).toHaveLength(4)
    expect(testing.journal.filter((one) => one['kind'] === 'stream')).toHaveLength(4)

    await open('prod')
    expect(await application.all(who)).toEqual(['prod', 'prod', 'prod'])
    expect(await application.all(encrypted)).toEqual(['t', 't', 't'])
    expect(await application.cache.get('who')).toBe('prod')
    expect(await openPsql(onTestFinished, direct).ask('select count(*) from kept;')).toBe('2')
  })

  it('goes from one prod database to another by a switch: idle sessions at once, a transaction when it is over', { timeout: 2 * patienceMs }, async () => {
    const gateway = await open('prod')
    const application = startApplication(3)
    expect(await application.all(who)).toEqual(['prod', 'prod', 'prod'])
    const held = application.session(0)
    expect(await held.ask(`begin;\n${who}`)).toBe('prod')
    expect(await switchTo(gateway, 'standby')).toMatchObject({ status: 200, said: { switched: true, before: 'as the policies say', after: 'standby' } })
    await until(() => expect(drained(gateway)).toHaveLength(2), patienceMs)
    expect(await application.all(who, [0])).toEqual(['standby', 'standby'])
    expect(await held.ask(`${who}\ncommit;`)).toBe('prod')
    await until(() => expect(drained(gateway)).toHaveLength(3), patienceMs)
    expect(await application.all(`${who}\n${encrypted}`)).toEqual(['standby\nt', 'standby\nt', 'standby\nt'])
    expect(await switchTo(gateway, 'test')).toMatchObject({ status: 409, said: { code: 'env_ceiling' } })
  })

  it('does not come to a server of another authority or without TLS, and asks for no TLS of its own', { timeout: patienceMs }, async () => {
    const gateway = await open('prod', wrongly)
    for (const [service, why] of [
      ['other-ca', /localhost:\d+: .*CERT_SIGNATURE_FAILURE/],
      ['no-tls', /does not speak TLS/],
    ] as const) {
      await openPsql(onTestFinished, gateway.port(`egress:${service}`)).ended
      expect(await gateway.entry((one) => one['kind'] === 'stream' && one['service'] === service)).toMatchObject({
        outcome: 'upstream_unavailable',
        reason: expect.stringMatching(why),
        bytes_out: 0,
      })
    }
    const strict = openPsql(onTestFinished, ports.ledger, 'require')
    await strict.ended
    expect(strict.complaint()).toContain('server does not support SSL')
  })
})
