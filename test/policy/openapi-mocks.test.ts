import { describe, expect, it } from 'vitest'
import { buildMock } from '../../src/core/egress/mock.ts'
import { openExchange, type Placed } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { arrival } from '../support/arrival.ts'
import { egressPolicy, linked, service, textOf } from '../support/egress.ts'
import { brief, loadBeside } from '../support/load.ts'
import { fakePorts } from '../support/ports.ts'

const said = `
callers: { checkout: {} }
egress:
  pay:
    listen: 127.0.0.1:9101
    callers: [checkout]
    environments:
      dev: { mock: mocks/vendor.openapi.yaml }`

const load = (document: string | object) => {
  const text = typeof document === 'string' ? document : JSON.stringify(document)
  return loadBeside(said, { files: { 'mocks/vendor.openapi.yaml': text } })
}

/** The vendor that such a document describes: what it answers, or the code of the refusal. */
async function vendor(document: string | object) {
  const { policy, diagnostics } = await load(document)
  const target = policy?.egress['pay']?.targets['dev']
  if (target?.mode !== 'mock') throw new Error(JSON.stringify(diagnostics))
  const of = service('pay', { timeoutMs: 5_000 })
  const mock = buildMock(egressPolicy({ services: [linked(of, target)] }), fakePorts())
  const ask = async (method: string, path: string) => {
    const request = { method, target: { path, query: '', encodedSlash: false, semicolon: false }, headers: new FieldList([]), body: undefined }
    // Only the slots that the room reads are filled.
    const placed = Object.assign(openExchange(arrival(method, path), 'r'), { request, service: of, target, deadline: Infinity }) as unknown as Placed
    try {
      const reply = await mock(placed)
      return { status: reply.status, type: reply.headers.get('content-type'), text: await textOf(reply.body) }
    } catch (error) {
      return { status: Fault.from(error).code, type: undefined, text: '' }
    }
  }
  return { ask, problems: brief(diagnostics), diagnostics }
}

/** A document with one GET whose 200 has this media type object. */
const withMedia = (media: object, more: object = {}) => ({
  openapi: '3.1.0',
  paths: { '/one': { get: { responses: { 200: { description: 'x', content: { 'application/json': media } } } } } },
  ...more,
})

const charges = `# A vendor's own document
openapi: 3.0.3
info: { title: Payments, version: "1", description: "Costs \${AMOUNT} and \${not closed" }
servers: [{ url: "https://api.pay.example/{version}/", variables: { version: { default: v1 } } }]
paths:
  /charges/{charge-id}:
    parameters: [{ name: charge-id, in: path, required: true, schema: { type: string } }]
    get:
      responses:
        "404": { description: no, content: { application/json: { example: { error: none } } } }
        "200": { $ref: "#/components/responses/Charge" }
    delete: { responses: { "204": { description: gone } } }
  /charges/latest:
    get: { responses: { "200": { description: ok, content: { application/json: { example: { id: latest } } } } } }
  /charges:
    post:
      responses:
        "202": { description: later, content: { application/json: { example: { id: later } } } }
        "201": { description: made, content: { text/html: { example: made }, application/vnd.pay+json: { examples: { card: { value: { id: ch_1 } } } } } }
components:
  responses:
    Charge: { description: one, content: { application/json: { example: { id: "{{path.charge_id}}", paid: true } } } }
`

describe('an OpenAPI document as a mock', () => {
  it('answers by method and path with the lowest 2xx that has an example', async () => {
    const { ask, problems } = await vendor(charges)
    expect(problems).toEqual([])
    expect(await ask('GET', '/charges/ch_7')).toEqual({ status: 200, type: 'application/json', text: '{"id":"ch_7","paid":true}' })
    expect(await ask('POST', '/charges')).toEqual({ status: 201, type: 'application/vnd.pay+json', text: '{"id":"ch_1"}' })
    expect(await ask('DELETE', '/charges/ch_7')).toEqual({ status: 204, type: undefined, text: '' })
    expect((await ask('GET', '/charges/latest')).text).toBe('{"id":"latest"}')
    expect((await ask('HEAD', '/charges/latest')).status).toBe(200)
  })

  it('has its paths with the base path of its first server and without', async () => {
    const { ask } = await vendor(charges)
    expect((await ask('GET', '/v1/charges/ch_7')).text).toBe('{"id":"ch_7","paid":true}')
    expect((await ask('GET', '/v1/charges/latest')).text).toBe('{"id":"latest"}')
    for (const path of ['/v2/charges/ch_7', '/v1', '/']) expect((await ask('GET', path)).status).toBe('mock_miss')
  })

  it('misses what it does not have', async () => {
    const { ask } = await vendor(charges)
    for (const [method, path] of [
      ['PUT', '/charges'],
      ['GET', '/refunds'],
      ['GET', '/charges/a/b'],
    ] as const)
      expect((await ask(method, path)).status).toBe('mock_miss')
  })

  const schemas = {
    components: {
      schemas: {
        Node: { type: 'object', required: ['name'], properties: { name: { examples: ['n'] }, next: { $ref: '#/components/schemas/Node' } } },
        Bare: { type: 'object', required: ['name'], properties: { name: { type: 'string' }, age: { example: 3 } } },
      },
    },
  }
  it.each([
    ['example', { example: null }, 'null'],
    ['the first of examples', { examples: { a: { externalValue: 'https://x.example' }, b: { value: [1] } } }, '[1]'],
    ['a schema with an example', { schema: { example: { a: 1 } } }, '{"a":1}'],
    ['a schema with examples', { schema: { examples: ['x', 'y'] } }, '"x"'],
    [
      'members with examples',
      { schema: { properties: { a: { example: 1 }, b: { const: 'b' }, c: { enum: [2] }, d: {}, e: { default: 0 } } } },
      '{"a":1,"b":"b","c":2,"e":0}',
    ],
    ['a list of what has an example', { schema: { type: 'array', items: { example: 'x' } } }, '["x"]'],
    ['all of several', { schema: { allOf: [{ properties: { a: { example: 1 } } }], properties: { b: { example: 2 } } } }, '{"a":1,"b":2}'],
    ['the first of either that has one', { schema: { oneOf: [{ type: 'string' }, { example: 2 }] } }, '2'],
    ['a schema that holds itself', { schema: { $ref: '#/components/schemas/Node' } }, '{"name":"n"}'],
  ])('takes %s', async (_, media, text) => {
    expect(await (await vendor(withMedia(media, schemas))).ask('GET', '/one')).toEqual({ status: 200, type: 'application/json', text })
  })

  it.each([
    ['nothing', {}],
    ['an object without what it must have', { schema: { $ref: '#/components/schemas/Bare' } }],
    ['a reference that leads nowhere', { schema: { $ref: '#/components/schemas/None' } }],
    ['a reference out of the document', { schema: { $ref: 'other.yaml#/a' } }],
    ['references in a circle', { examples: { a: { $ref: '#/paths/~1one/get/responses/200/content/application~1json/examples/a' } } }],
  ])('says of %s that it is no example', async (_, media) => {
    const { ask, diagnostics } = await vendor(withMedia(media, schemas))
    expect(diagnostics).toMatchObject([{ severity: 'warning', code: 'mock_openapi_unread', message: expect.stringContaining('GET /one') }])
    expect((await ask('GET', '/one')).status).toBe('mock_miss')
  })

  it('says at its place what cannot be read', async () => {
    const unread = await vendor(`openapi: 3.1.0
servers: [{ url: "https://{host}/{version}" }]
paths:
  /files/{name}.pdf: { get: { responses: { "200": { description: x } } } }
  /nowhere: { $ref: "#/components/pathItems/none" }
  /here: { get: { responses: { "200": { description: x } } } }
`)
    expect(unread.problems).toEqual([
      'warning mock_openapi_unread mocks/vendor.openapi.yaml:2:13',
      'warning mock_openapi_unread mocks/vendor.openapi.yaml:4:3',
      'warning mock_openapi_unread mocks/vendor.openapi.yaml:5:3',
    ])
    expect((await unread.ask('GET', '/here')).status).toBe(200)
  })

  it.each([
    ['of another version', 'openapi: 3.2.0\npaths: {}\n', 'error mock_openapi_version mocks/vendor.openapi.yaml:1:10'],
    ['without paths', 'openapi: 3.1.0\n', 'error mock_openapi_shape mocks/vendor.openapi.yaml:1:1'],
    ['of Swagger 2', 'swagger: "2.0"\npaths: {}\n', 'error file_shape mocks/vendor.openapi.yaml:1:1'],
  ])('%s quarantines its service', async (_, text, problem) => {
    const { diagnostics, policy } = await load(text)
    expect(brief(diagnostics)).toEqual([problem])
    expect(policy?.egress['pay']).toMatchObject({ service: { quarantined: expect.stringContaining('mock') }, targets: {} })
  })
})
