import { expect, it } from 'vitest'
import { explain as command } from '../../src/node/cli/commands/explain.ts'
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

it('a body is of the type that is said, and JSON where none is', async () => {
  for (const header of [[], ['--header', 'Content-Type: application/x-ndjson']]) {
    const { out } = await explained('http://api.example.com/a', policies, '--data', '{}', ...header)
    expect(out).toContain('Forwarded: all/all lets it pass.')
  }
})

it('a WebSocket is walked like one, and not refused as an upgrade', async () => {
  const { out } = await explained('http://api.example.com/a', policies, '--header', 'Upgrade: websocket', '--header', 'Connection: Upgrade')
  expect(out).not.toContain('no upgrade is offered here')
  expect(out).toContain('a WebSocket opens streaming RPCs of gRPC routes only')
})
