import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildOpenapi, type JsonObject } from '../../src/core/openapi.ts'
import { museumFiles } from '../openapi/museum.ts'
import { type Contents, companionsOf, type Operation, operationsIn, type Parameter, problemsOf, queryOf } from '../openapi/validate.ts'
import { apiKey, apiKeyFile } from '../support/api-keys.ts'
import { fullAnswers } from '../support/full-answers.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { schemaProblems } from '../support/json-schema.ts'
import { untilTheEnd } from '../support/keep.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { openRecorder, type Recorder } from '../support/recorder.ts'
import { house, issuerSection, openHttp, openIssuer, shopDescriptors } from '../support/shop.ts'
import { shelfProto } from '../translate/shelf.ts'

interface House {
  readonly gateway: Gateway
  readonly museum: Recorder
  readonly shop: Recorder
  readonly token: string
  readonly key: string
}

const keep = untilTheEnd()
let here: House

async function openHouse(): Promise<House> {
  const descriptors = await descriptorsFrom({ ...museumFiles, 'shelf.proto': shelfProto }, { comments: true })
  const [museum, shop] = await Promise.all([openRecorder(keep, descriptors, fullAnswers(descriptors)), openRecorder(keep, shopDescriptors)])
  const plain = await openHttp(keep, (request, response) => {
    request.resume()
    request.on('end', () => response.end('fine'))
  })
  const issuer = await openIssuer(keep)
  const key = apiKey(7, { scopes: ['orders'] })
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'))
  keep(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'keys.json'), apiKeyFile(key.record))
  const policies = `${house}${issuerSection(issuer)}
clusters:
  museum: { address: "127.0.0.1:${museum.port}", protocol: grpc, descriptors: museum.binpb }
  shop: { address: "127.0.0.1:${shop.port}", protocol: grpc, descriptors: shop.binpb }
  plain: { address: "127.0.0.1:${plain}" }
apiKeys: { partners: { store: "file:${folder}/keys.json", header: x-partner } }
limits: { few: { rate: 100/1m, key: [client.network] } }
access:
  open: { rules: [{ id: all, allow: { anonymous: true } }] }
  partners: { authenticate: { apiKey: partners }, rules: [{ id: all, allow: { scopes: [orders] } }] }
  both: { authenticate: { allOf: [{ jwt: shop }, { apiKey: partners }] }, rules: [{ id: all, allow: { scopes: [orders] } }] }
  members: { authenticate: { jwt: shop }, rules: [{ id: all, allow: { scopes: [orders] } }] }
routes:
  museum: { match: { grpc: museum.v1.Museum }, access: open, to: museum }
  museum-ints: { match: { grpc: museum.v1.Museum, headers: { x-style: ints } }, access: open, to: museum, translate: { protoNames: true, enumsAsInts: true }, bindings: [{ rpc: Anything, method: POST, path: /ints, body: "*" }, { rpc: ListExhibits, method: GET, path: /ints }] }
  archive: { match: { grpc: old.v1.Archive }, access: open, to: museum }
  claims: { match: { grpc: claims.v1.Claims }, access: open, to: museum }
  shelf: { match: { grpc: shelf.v1.Shelf }, access: partners, to: museum }
  shelf-all: { match: { grpc: shelf.v1.Shelf, query: { style: all }, headers: { x-style: all } }, access: both, to: museum, translate: { head: fromGet, etag: true, emptyAnswer: 204, requestHeaders: [x-want, x-more-*], responseHeaders: [x-shop], statusFrom: x-http-code, unexpectedBody: reject, queryMaps: true, emitDefaults: true, showInternal: true } }
  shelf-bare: { match: { grpc: shelf.v1.Shelf, headers: { x-style: bare } }, access: open, to: museum, translate: { etag: bare, queryMaps: true, unknownQuery: ignore, ignoreUnknownFields: true, protoNames: true, enumsAsInts: true } }
  museum-full: { match: { grpc: museum.v1.Museum, headers: { x-style: full } }, access: open, to: museum, translate: { head: fromGet, emitDefaults: true, emptyAnswer: 204, queryMaps: true } }
  orders: { match: { grpc: shop.v1.Orders }, access: members, to: shop }
  catalog: { match: { path: "/catalog/{**}", methods: [GET] }, access: open, to: plain }
  forms: { match: { path: "/forms/{name}", methods: [GET, POST], query: { page: { prefix: p } } }, access: open, to: plain }
  docs: { match: { path: /openapi.json }, access: open, limits: [few], openapi: { routes: [orders, catalog], title: "The shop", version: "3" } }
  inner-docs: { match: { path: /inner/openapi.json, methods: [GET] }, access: members, openapi: { routes: [museum] }, cors: { origins: ["https://docs.example"] } }
  health: { match: { grpc: grpc.health.v1.Health }, access: open, answer: health, bindings: [{ rpc: Check, method: GET, path: /healthz }] }
`
  const gateway = await openGateway(keep, { 'a.yaml': policies, 'museum.binpb': descriptors, 'shop.binpb': shopDescriptors })
  return { gateway, museum, shop, token: await issuer.mint('ada', { scope: 'orders' }), key: key.text }
}

beforeAll(async () => {
  here = await openHouse()
})

function urlOf(path: string, parameters: readonly Parameter[]): string {
  const filled = path.replaceAll(/\{([^}]*)\}/g, (_, name: string) =>
    encodeURIComponent(String(parameters.find((one) => one.in === 'path' && one.name === name)?.example)),
  )
  return `http://127.0.0.1:${here.gateway.port('public')}${filled}?${queryOf(parameters)}`
}

/** Sends an operation as its examples say, with these of its parameters. */
async function send(
  method: string,
  path: string,
  operation: Operation,
  parameters: readonly Parameter[],
  content?: readonly [type: string, example: unknown],
  accept?: string,
): Promise<Response> {
  const headers = new Headers(parameters.filter((one) => one.in === 'header').map(({ name, example }): [string, string] => [name, String(example)]))
  const schemes = new Set(Object.keys(operation.security[0] ?? {}))
  if (schemes.delete('shop')) headers.set('authorization', `Bearer ${here.token}`)
  if (schemes.delete('partners')) headers.set('x-partner', here.key)
  expect(schemes).toEqual(new Set())
  if (accept !== undefined) headers.set('accept', accept)
  if (content !== undefined) headers.set('content-type', content[0] === '*/*' ? 'text/plain' : content[0])
  const body = content === undefined ? undefined : typeof content[1] === 'string' && content[0] !== 'application/json' ? content[1] : JSON.stringify(content[1])
  const answer = await fetch(urlOf(path, parameters), { method, headers, ...(body === undefined ? {} : { body }) })
  return answer
}

/** The answer succeeds, by a status that the document has, with content that fits the schema beside it. */
async function expectFine(document: JsonObject, operation: Operation, answer: Response, what: string): Promise<void> {
  const text = await answer.text()
  expect(answer.ok, `${what}: ${answer.status} ${text}`).toBe(true)
  const said = operation.responses[String(answer.status)] ?? operation.responses['2XX']
  expect(said, `${what}: ${answer.status}`).toBeDefined()
  const contents = said?.['content'] as Contents | undefined // of an answer that the validator has seen
  if (contents === undefined) return expect(text, what).toBe('')
  const type = answer.headers.get('content-type')?.split(';')[0] ?? ''
  const content = contents[type] ?? contents['*/*']
  expect(content, `${what}: ${type} among ${Object.keys(contents).join(', ')}`).toBeDefined()
  if (content === undefined || contents[type] === undefined) return
  const { schema } = content
  for (const [of, value] of valuesIn(type, schema, text)) expect(schemaProblems(document, of, value), `${what}: ${text}`).toEqual([])
}

/** Each JSON value of an answer, with its schema: of a stream, that of one item. */
function valuesIn(type: string, schema: JsonObject, text: string): readonly (readonly [schema: JsonObject, value: unknown])[] {
  if (type === 'application/json') return [[schema, JSON.parse(text)]]
  const item = schema['x-item-schema'] as JsonObject // lines and events have it
  const lines = type === 'text/event-stream' ? Array.from(text.matchAll(/^data: (.*)$/gm), ([, data = '']) => data).slice(0, -1) : text.trim().split('\n')
  return lines.filter((line) => line !== '').map((line) => [item, JSON.parse(line)] as const)
}

/** Every way that an operation's examples can be sent: each body, each optional parameter with those that it needs, and each form of an answer. */
async function sendAll(document: JsonObject, { method, path, operation }: ReturnType<typeof operationsIn>[number]): Promise<number> {
  const parameters = operation.parameters ?? []
  const required = parameters.filter((one) => one.required === true)
  const [first, ...others] = Object.entries(operation.requestBody?.content ?? {}).map(([type, { example }]) => [type, example] as const)
  const check = async (more: readonly Parameter[], content: typeof first, what: string, accept?: string) =>
    expectFine(document, operation, await send(method, path, operation, [...required, ...more], content, accept), `${method} ${path} ${what}`)
  await check([], first, 'as it is')
  for (const content of others) await check([], content, `as ${content[0]}`)
  const optional = parameters.filter((one) => one.required !== true)
  for (const one of optional) await check([one, ...companionsOf(one, parameters)], first, `with ${one.name}`)
  const forms = Object.keys((operation.responses['200']?.['content'] as Contents | undefined) ?? {})
  const accepted = forms.length > 1 ? forms : []
  for (const form of accepted) await check([], first, `for ${form}`, form)
  return 1 + others.length + optional.length + accepted.length
}

describe('the examples of an OpenAPI document, sent to the gateway', () => {
  it.each([
    'museum',
    'museum-ints',
    'museum-full',
    'archive',
    'claims',
    'shelf',
    'shelf-all',
    'shelf-bare',
    'orders',
    'catalog',
    'forms',
    'docs',
    'inner-docs',
  ])('succeed: route %s', { timeout: 60_000 }, async (route) => {
    const { document, impossible } = buildOpenapi(here.gateway.running.live.current.policy, { routes: new Set([route]) })
    expect(await problemsOf(document)).toEqual([])
    const never = new Set(impossible.map(({ operation }) => operation))
    const operations = operationsIn(document).filter(({ method, path }) => !never.has(`${method} ${path}`))
    expect(operations.length).toBeGreaterThan(0)
    const recorder = route === 'orders' ? here.shop : here.museum
    const before = recorder.calls.length
    let sent = 0
    for (const one of operations) sent += await sendAll(document, one)
    const called = recorder.calls.slice(before)
    const rpcs = new Set(operations.map(({ operation }) => operation['x-sallyport-rpc']).filter((rpc) => rpc !== undefined))
    expect(new Set(called.map(({ path }) => path.slice(1)))).toEqual(rpcs)
    expect(called).toHaveLength(rpcs.size > 0 ? sent : 0)
  })

  it('reach the service with what they say', async () => {
    const { calls } = here.museum
    await fetch(urlOf('/v1/exhibits:count', []) + 'hall=example', { method: 'GET' })
    expect(new TextDecoder().decode(calls.at(-1)?.message)).toContain('example')
  })
})

it('the example of a health check is a service that is known', async () => {
  const { document } = buildOpenapi(here.gateway.running.live.current.policy, { routes: new Set(['health']) })
  const checks = operationsIn(document).filter(({ operation }) => operation['x-sallyport-rpc'] === 'grpc.health.v1.Health/Check')
  expect(checks).toHaveLength(2)
  for (const one of checks) expect(await sendAll(document, one)).toBeGreaterThan(0)
})

describe('a route that publishes a document', () => {
  const ask = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${here.gateway.port('public')}${path}`, init)

  it('answers with the routes that it names, and nothing of the inside', async () => {
    const answer = await ask('/openapi.json')
    expect(answer.status).toBe(200)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-cache',
      etag: `"${here.gateway.running.live.current.revision}"`,
    })
    expect(answer.headers.get('ratelimit')).toMatch(/^"few";r=\d+;t=\d+$/)
    const document = (await answer.json()) as JsonObject
    expect(await problemsOf(document)).toEqual([])
    expect(document).toMatchObject({ info: { title: 'The shop', version: '3' }, servers: [{ url: '/' }] })
    expect(new Set(operationsIn(document).flatMap(({ operation }) => operation.tags))).toEqual(new Set(['shop.v1.Orders', 'catalog']))
    expect(JSON.stringify(document)).not.toContain('x-sallyport')
  })

  it('answers HEAD and If-None-Match without a body, and refuses what does not read', async () => {
    const head = await ask('/openapi.json', { method: 'HEAD' })
    expect([head.status, Number(head.headers.get('content-length')) > 1000, await head.text()]).toEqual([200, true, ''])
    const known = await ask('/openapi.json', { headers: { 'if-none-match': `"other", W/${head.headers.get('etag')}` } })
    expect([known.status, known.headers.get('etag'), await known.text()]).toEqual([304, head.headers.get('etag'), ''])
    const posted = await ask('/openapi.json', { method: 'POST', body: '{}' })
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  it('asks for what its access policy asks for, and goes nowhere', async () => {
    const before = here.museum.calls.length + here.shop.calls.length
    expect((await ask('/inner/openapi.json')).status).toBe(401)
    const answer = await ask('/inner/openapi.json', { headers: { authorization: `Bearer ${here.token}` } })
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'private, no-cache'])
    expect(here.museum.calls.length + here.shop.calls.length).toBe(before)
  })

  it('says what cors says, with the document and without', async () => {
    const headers = { authorization: `Bearer ${here.token}`, origin: 'https://docs.example' }
    const answer = await ask('/inner/openapi.json', { headers })
    const known = await ask('/inner/openapi.json', { headers: { ...headers, 'if-none-match': answer.headers.get('etag') ?? '' } })
    for (const [status, one] of [
      [200, answer],
      [304, known],
    ] as const)
      expect([one.status, one.headers.get('access-control-allow-origin'), one.headers.get('vary')]).toEqual([status, 'https://docs.example', 'origin'])
  })

  it('is a record like any other', async () => {
    await ask('/openapi.json?recorded')
    const record = await here.gateway.entry((one) => JSON.stringify(one).includes('"docs"'))
    expect(JSON.stringify(record)).toContain('200')
  })
})
