import { expect, it } from 'vitest'
import { explain as command } from '../../src/node/cli/commands/explain.ts'
import { apiKey } from '../support/api-keys.ts'
import { makeCertificates } from '../support/certificates.ts'
import { base } from '../support/load.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { ask } from './ask.ts'

const policies = `sallyport: v1
clusters: { web: { address: 127.0.0.1:15001 } }
access:
  all: { rules: [{ id: all, allow: { anonymous: true } }, { id: evil, deny: { headers: { x-evil: { present: true } } } }] }
limits:
  per-client: { rate: 30/10s, key: [client.network] }
  plain: { rate: 20/10s, key: [client.network] }
routes:
  a: { match: { path: /a }, access: all, limits: [{ name: per-client, cost: 5 }, plain], to: web }
  v2: { match: { path: /a, headers: { x-version: v2 } }, access: all, to: web }
  b: { match: { path: /b }, access: all, to: web }
  c: { match: { path: /c }, access: all, to: web }
  other: { match: { path: /a, host: other.example.com }, access: all, to: web }
`

async function explained(address: string, text = policies, ...more: readonly string[]) {
  const { path } = await tempFolder({ 'base.yaml': base, 'web.yaml': text })
  return await ask(command, 'GET', address, '--env', 'dev', '--policies', path, ...more)
}

it('routes of another path or host are counted, those that came near are named', async () => {
  const { out } = await explained('http://api.example.com/a')
  expect(out).toMatch(/^Routes\n +yes +a *\n +no +v2 +header x-version must be "v2", is absent\n +and 3 other routes \(path, host\)\n/m)
})

it('every route is named where none came near, and a single far one is', async () => {
  const { out } = await explained('http://api.example.com/nowhere')
  for (const name of ['a', 'v2', 'b', 'c', 'other']) expect(out).toMatch(new RegExp(`^ +no +${name} +(?:path|host)$`, 'm'))
  const two = policies.replace(/ {2}(?:c|other):.*\n/g, '')
  expect((await explained('http://api.example.com/a', two)).out).toMatch(/^ +no +b +path$/m)
})

it('a limit shows what the request costs when that is not 1', async () => {
  const { out } = await explained('http://api.example.com/a')
  expect(out).toMatch(/per-client .*within, 30 of 30 left, this request costs 5$/m)
  expect(out).toMatch(/plain .*within, 20 of 20 left$/m)
})

it('a header that keeps a rule from fitting is said in plain words', async () => {
  const { out } = await explained('http://api.example.com/a')
  expect(out).toMatch(/^ +no +deny +all\/evil +header x-evil must be present, is absent$/m)
})

it('a route that publishes a document goes nowhere, and says so', async () => {
  const docs = '  docs: { match: { path: /openapi.json }, access: all, openapi: { routes: [a] } }\n'
  const { status, out } = await explained('http://api.example.com/openapi.json', policies + docs)
  expect(status).toBe(0)
  expect(out).toContain('Answered by the gateway itself, with an OpenAPI document: all/all lets it pass.')
  expect(out).not.toContain('Destination')
})

const keyed = `sallyport: v1
apiKeys: { partners: { store: file:/no/such/file, scopes: [read] } }
clusters: { web: { address: 127.0.0.1:15001 } }
access: { all: { authenticate: { apiKey: partners }, rules: [{ id: read, allow: { scopes: [read], issuers: [partners], claims: { tenant: red } } }] } }
routes: { a: { match: { path: /a }, access: all, to: web } }
`

async function withKey(...words: readonly string[]) {
  const { path } = await tempFolder({ 'base.yaml': base, 'web.yaml': keyed })
  return await ask(command, 'GET', 'http://api.example.com/a', ...words, '--env', 'dev', '--policies', path)
}

it('an API key can be taken at its word', async () => {
  const { status, out } = await withKey('--api-key', 'partners', '--claims', '{"sub":"acme","scope":"read write","tenant":"red"}')
  expect(out).toMatch(/^Principal +acme of partners, scopes read$/m)
  expect(out).toContain('Forwarded: all/read lets it pass.')
  expect(status).toBe(0)
  expect((await withKey('--api-key', 'partners', '--claims', '{"sub":"acme","scope":"read"}')).status).toBe(1)
  await expect(withKey('--api-key', 'others', '--claims', '{}')).rejects.toThrow('the sets are partners')
  await expect(withKey('--api-key', 'partners', '--claims', '{}')).rejects.toThrow('sub is its owner')
  await expect(withKey('--api-key', 'partners')).rejects.toThrow('wants --claims')
})

it('a real API key is looked up where it is kept, and never printed', async () => {
  const { text } = apiKey(1)
  const { status, out } = await withKey('--header', `x-api-key: ${text}`)
  expect(status).toBe(1)
  expect(out).toContain('503 key_store_unavailable')
  expect(out).not.toContain(text)
})

it('a client certificate makes the principal, as the listener would have verified it', async () => {
  const pem = await makeCertificates()
  const web = await pem.issue({ dns: 'web.test', uri: ['spiffe://shop.test/web'] })
  const text = `sallyport: v1
certificates: { mesh: { spiffe: { trustDomain: shop.test } } }
clusters: { web: { address: 127.0.0.1:15001 } }
access: { mesh: { authenticate: { mtls: mesh }, rules: [{ id: all, allow: { methods: [GET] } }] } }
routes: { a: { match: { path: /a }, access: mesh, to: web } }
`
  const { path } = await tempFolder({ 'base.yaml': base, 'web.yaml': text, 'web.pem': web.certificate, 'other.pem': pem.client.certificate })
  const walk = async (...more: readonly string[]) => (await ask(command, 'GET', 'http://a/a', '--env', 'dev', '--policies', path, ...more)).out
  expect(await walk('--certificate', `${path}/web.pem`)).toMatch(/^Principal +spiffe:\/\/shop\.test\/web of mesh \(by client certificate\), scopes none$/m)
  expect(await walk('--certificate', `${path}/other.pem`)).toMatch(/Refused: 403 certificate_invalid\..*mesh: it has 0 URIs/)
  expect(await walk()).toMatch(/Refused: 401 unauthenticated/)
})

it('a body is of the type that is said, and JSON where none is', async () => {
  for (const header of [[], ['--header', 'Content-Type: application/x-ndjson']]) {
    const { out } = await explained('http://api.example.com/a', policies, '--data', '{}', ...header)
    expect(out).toContain('Forwarded: all/all lets it pass.')
  }
})

it('a WebSocket is walked like one, and not refused as an upgrade', async () => {
  const { out } = await explained('http://api.example.com/a', policies, '--header', 'Upgrade: websocket', '--header', 'Connection: Upgrade')
  expect(out).not.toContain('no upgrade is offered here')
  expect(out).toContain('this route does not change to that protocol')
})

it('a change of protocol is walked to the end where the route passes it on', async () => {
  const upgrade = (protocol: string) => ['--header', `Upgrade: ${protocol}`, '--header', 'Connection: Upgrade'] as const
  const passing = policies.replaceAll('to: ', 'upgrade: [websocket, tcp], to: ')
  for (const protocol of ['websocket', 'TCP']) expect((await explained('http://api.example.com/a', passing, ...upgrade(protocol))).out).toContain('Forwarded: ')
  expect((await explained('http://api.example.com/a', passing, ...upgrade('ssh'))).out).toContain('this route does not change to that protocol')
  expect((await explained('http://api.example.com/a', passing, ...upgrade('h2c'))).out).toContain('no upgrade is offered here')
})

it('where a request goes is said with what else may happen to it there', async () => {
  const steered = `  s:
    match: { path: /s }
    access: all
    to: [{ cluster: web, weight: 99 }, { cluster: web, subset: v2, weight: 1, pin: { headers: { x-version: v2 } }, guard: {}, failover: { cluster: spare } }]
    mirror: { cluster: spare, percent: 20% }
    faults: { delay: { percent: 5%, for: 1s }, abort: { percent: 0.5% } }
`
  const text = policies.replace('15001 } }', '15001, subsets: { v2: { authority: v2 } } }, spare: { address: 127.0.0.1:15002 } }') + steered
  const { out } = await explained('http://api.example.com/s', text, '--header', 'x-version: v2')
  const notes = [
    'guarded: in a running gateway it may have lost its weight',
    'what it cannot take goes to spare (on connect)',
    '20 % of what is copied goes to spare too',
    '5 % are delayed by 1000 ms on purpose',
    '0.5 % are aborted with 503 on purpose',
  ]
  expect(out).toContain(['Destination web/v2 (pin)', ...notes.map((note) => `            ${note}`)].join('\n'))
  expect((await explained('http://api.example.com/a')).out).not.toContain('on purpose')
})
