import { beforeAll, describe, expect, it } from 'vitest'
import { buildOpenapi, type JsonObject } from '../../src/core/openapi.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { clean, loadCase, shopDescriptors } from '../support/load.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { shelfProto } from '../translate/shelf.ts'
import { museumFiles } from './museum.ts'
import { type Operation, operationsIn, problemsOf } from './validate.ts'

const house = `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { public: { address: "0.0.0.0:8080" } }
issuers:
  staff: { issuer: "https://idp.example.com/staff/", audiences: [api] }
  guests: { issuer: "https://guests.example.com", audiences: [api], jwks: "https://guests.example.com/keys" }
limits:
  few: { rate: 5/1m, burst: 2, key: [client.network] }
  watched: { rate: 5/1m, key: [client.network], mode: audit }
access:
  open: { rules: [{ id: all, allow: { anonymous: true } }] }
  staff:
    authenticate: { jwt: staff }
    rules:
      - { id: read, allow: { grpc: [museum.v1.Museum/GetExhibit], scopes: [read] } }
      - { id: write, allow: { grpc: [museum.v1.Museum/CreateExhibit], scopes: { any: [write, admin] } } }
      - { id: rest, allow: { grpc: [museum.v1.Museum/Anything] } }
  either:
    authenticate: { optional: { anyOf: [{ jwt: staff }, { jwt: guests }] } }
    rules: [{ id: known, allow: { issuers: [staff, guests] } }, { id: anyone, allow: { anonymous: true, methods: [GET] } }]
clusters:
  museum: { address: "127.0.0.1:1", protocol: grpc, descriptors: museum.binpb }
  shop: { address: "127.0.0.1:1", protocol: grpc, descriptors: shop.binpb }
  plain: { address: "127.0.0.1:1" }
`

let descriptors: Uint8Array

beforeAll(async () => {
  descriptors = await descriptorsFrom(museumFiles, { comments: true })
})

async function policyOf(routes: string): Promise<Policy> {
  const loaded = await loadCase({
    files: { 'a.yaml': house, 'b.yaml': `sallyport: v1\nroutes:\n${routes}` },
    assets: { 'museum.binpb': descriptors, 'shop.binpb': shopDescriptors },
  })
  return clean({ ...loaded, diagnostics: loaded.diagnostics.filter(({ severity }) => severity === 'error') })
}

async function documentOf(routes: string): Promise<JsonObject> {
  return buildOpenapi(await policyOf(routes)).document
}

const museumRoute = '  museum: { match: { grpc: museum.v1.Museum }, access: open, to: museum }\n'
const archiveRoute = '  archive: { match: { grpc: old.v1.Archive }, access: open, to: museum }\n'

function find(document: JsonObject, method: string, path: string): Operation {
  const found = operationsIn(document).find((one) => one.method === method && one.path === path)
  if (found === undefined)
    throw new Error(
      `no ${method} ${path} among ${operationsIn(document)
        .map((one) => `${one.method} ${one.path}`)
        .join(', ')}`,
    )
  return found.operation
}

function schemasOf(document: JsonObject): Readonly<Record<string, JsonObject>> {
  return (document['components'] as { readonly schemas: Readonly<Record<string, JsonObject>> }).schemas
}

describe('an OpenAPI document', () => {
  it('is OpenAPI 3.1 by the public validator, for every shape of rule and type', async () => {
    const shop = '  shop: { match: { grpc: shop.v1.Orders }, access: staff, to: shop, translate: { protoNames: true, enumsAsInts: true } }\n'
    const plain = '  files: { match: { path: "/files/{name}/{**}" }, access: either, limits: [few], to: plain }\n'
    expect(await problemsOf(await documentOf(museumRoute + archiveRoute + shop + plain))).toEqual([])
  })

  it('is the same text for the same policy', async () => {
    const [one, other] = await Promise.all([documentOf(museumRoute + archiveRoute), documentOf(museumRoute + archiveRoute)])
    expect(JSON.stringify(one)).toBe(JSON.stringify(other))
  })

  it('gives every operation an id of its own, also where two routes take one service', async () => {
    const document = await documentOf(
      `${museumRoute}  again: { match: { grpc: museum.v1.Museum, hosts: [b.example.com] }, access: open, to: museum, bindings: [{ rpc: GetExhibit, method: GET, path: "/b/{id}" }] }\n`,
    )
    const ids = operationsIn(document).map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    expect(find(document, 'GET', '/b/{id}').operationId).toBe('again_Museum_GetExhibit')
    expect(ids).toContain('Museum_GetExhibit_rpc')
  })

  it('speaks in the words of the .proto file, and keeps notes to reviewers to itself', async () => {
    const document = await documentOf(museumRoute)
    expect(find(document, 'GET', '/v1/exhibits/{id}')).toMatchObject({
      summary: 'Finds one exhibit',
      description: 'Finds one exhibit. Halls and shelves are part of its name.',
      tags: ['museum.v1.Museum'],
    })
    expect(find(document, 'GET', '/v1/exhibits:count')).toMatchObject({ summary: 'Count exhibits', deprecated: true })
    expect(document['tags']).toEqual([{ name: 'museum.v1.Museum', description: 'Keeps the exhibits.' }])
    expect(schemasOf(document)['museum.v1.Exhibit']).toMatchObject({
      description: 'Something to look at.',
      properties: { id: { type: 'string', description: 'Unique in the museum.' } },
    })
  })

  it('names routes, and tells what it has no place for', async () => {
    const { document, omitted } = buildOpenapi(
      await policyOf(`${museumRoute}  canary: { match: { path: "/v1/exhibits", methods: [GET], headers: { x-version: next } }, access: open, to: plain }\n`),
    )
    expect(find(document, 'GET', '/v1/exhibits')['x-sallyport-route']).toBe('museum')
    expect(omitted).toEqual([
      { route: 'museum', operation: 'LOCK /v1/exhibits/{id}', reason: 'OpenAPI 3.1 knows no such method' },
      { route: 'canary', operation: 'GET /v1/exhibits', reason: 'another route has this path and method' },
    ])
    expect(document['x-sallyport-omitted']).toEqual(omitted)
  })
})

describe('paths', () => {
  it('have a parameter for each wildcard, and say which variable it belongs to', async () => {
    const document = await documentOf(museumRoute)
    expect(find(document, 'GET', '/v1/halls/{name.halls}/exhibits/{name.exhibits}').parameters?.slice(0, 2)).toEqual([
      {
        name: 'name.halls',
        in: 'path',
        required: true,
        description: 'Part of `name`, which is `{name=halls/*/exhibits/*}`.',
        schema: { type: 'string', pattern: '^[^/]+$' },
        example: 'example',
      },
      {
        name: 'name.exhibits',
        in: 'path',
        required: true,
        description: 'Part of `name`, which is `{name=halls/*/exhibits/*}`.',
        schema: { type: 'string', pattern: '^[^/]+$' },
        example: 'example',
      },
    ])
    expect(find(document, 'GET', '/v1/basement/{name}:peek').parameters?.[0]).toMatchObject({
      name: 'name',
      description: 'Part of `name`, which is `{name=basement/*}`.',
    })
    expect(find(document, 'GET', '/v1/files/{path}').parameters?.[0]).toEqual({
      name: 'path',
      in: 'path',
      required: true,
      description: 'Part of `path`, which is `{path=**}`. Any number of segments, slashes and all.',
      schema: { type: 'string' },
      example: 'example',
    })
  })

  it('have parameters of the type of their field', async () => {
    const parameters = find(await documentOf(museumRoute), 'GET', '/v1/visit/{day}/{kind}/{amount}').parameters
    expect(parameters).toEqual([
      { name: 'day', in: 'path', required: true, schema: { type: 'string', format: 'date-time' }, example: '2026-01-01T00:00:00Z' },
      { name: 'kind', in: 'path', required: true, schema: { $ref: '#/components/schemas/museum.v1.Condition' }, example: 'CONDITION_WHOLE' },
      { name: 'amount', in: 'path', required: true, schema: { type: 'string', format: 'int64', pattern: '^-?[0-9]+$' }, example: '1' },
    ])
  })

  it('that differ in the names of their variables alone are one path', async () => {
    const document = await documentOf(`${museumRoute}  plain: { match: { path: "/v1/exhibits/{number}", methods: [DELETE] }, access: open, to: plain }\n`)
    expect(Object.keys((document['paths'] as JsonObject)['/v1/exhibits/{id}'] as JsonObject)).toEqual(['get', 'patch', 'delete'])
    expect(find(document, 'DELETE', '/v1/exhibits/{id}').parameters?.[0]).toMatchObject({ name: 'id', description: 'Sets `number`.' })
    expect(find(document, 'PATCH', '/v1/exhibits/{id}').parameters?.[0]).toMatchObject({ name: 'id', description: 'Sets `exhibit.id`.' })
  })
})

describe('query parameters', () => {
  it('are the fields that the gateway binds: nested ones with dots, lists one by one, no maps, no lists of messages', async () => {
    const { parameters = [] } = find(await documentOf(museumRoute), 'GET', '/v1/exhibits')
    expect(parameters.map(({ name }) => name)).toEqual([
      'hall',
      'since',
      'for',
      'conditions',
      'ids',
      'price.from',
      'price.to',
      'orderBy',
      'newest',
      'byRange.from',
      'byRange.to',
      'limit',
      'readMask',
      'token',
      'ratio',
    ])
    const named = (name: string) => parameters.find((one) => one.name === name)
    expect(named('hall')).toMatchObject({ required: true, example: 'example' })
    expect(named('since')).toEqual({
      name: 'since',
      in: 'query',
      description: 'From when on.',
      schema: { type: 'string', format: 'date-time' },
      example: '2026-01-01T00:00:00Z',
    })
    expect(named('ids')).toEqual({
      name: 'ids',
      in: 'query',
      style: 'form',
      explode: true,
      schema: { type: 'array', items: { type: 'string', format: 'int64', pattern: '^-?[0-9]+$' } },
      example: ['1'],
    })
    expect(named('limit')).toMatchObject({ schema: { type: 'integer', format: 'int32' }, example: 1 })
    expect(named('newest')).toMatchObject({ description: 'Not together with `orderBy`, `byRange`.', example: true })
  })

  it('leave out what path and body hold, and are none beside a body that is everything', async () => {
    const document = await documentOf(museumRoute)
    expect(find(document, 'POST', '/v1/halls/{hall}/exhibits').parameters?.map(({ name }) => name)).toEqual(['hall', 'requestId'])
    expect(find(document, 'POST', '/v1/halls/{hall}:stock').parameters?.map(({ name }) => name)).toEqual(['hall'])
    expect(find(document, 'PATCH', '/v1/exhibits/{id}').parameters?.map(({ name, example }) => [name, example])).toEqual([
      ['id', 'example'],
      ['updateMask', 'displayName'],
    ])
  })

  it('go by the names and numbers that the route writes', async () => {
    const { parameters = [] } = find(
      await documentOf('  museum: { match: { grpc: museum.v1.Museum }, access: open, to: museum, translate: { protoNames: true, enumsAsInts: true } }\n'),
      'GET',
      '/v1/exhibits',
    )
    expect(parameters.map(({ name }) => name)).toContain('order_by')
    expect(parameters.find(({ name }) => name === 'conditions')).toMatchObject({ example: [1] })
  })

  it('and headers that the match asks for are required, with a value that fits', async () => {
    const document = await documentOf(
      '  next: { match: { path: /next, methods: [GET], headers: { x-version: next, x-any: { prefix: "a." } }, query: { beta: { present: true } } }, access: open, to: plain }\n',
    )
    expect(find(document, 'GET', '/next').parameters).toMatchObject([
      { name: 'x-version', in: 'header', required: true, schema: { const: 'next' }, example: 'next' },
      { name: 'x-any', in: 'header', required: true, schema: { pattern: '^a\\.' }, example: 'a.' },
      { name: 'beta', in: 'query', required: true, example: 'example' },
    ])
  })
})

describe('fields that a message cannot be without', () => {
  const claimsRoute = '  claims: { match: { grpc: claims.v1.Claims }, access: open, to: museum }\n'
  const required = (operation: Operation) =>
    (operation.parameters ?? []).filter((one) => one.in === 'query' && one.required === true).map(({ name, example }) => `${name}=${String(example)}`)

  it('are required parameters wherever the path makes the message', async () => {
    const document = await documentOf(claimsRoute)
    const each = (at: string) => [`${at}number=1`, `${at}place.row=1`, `${at}place.since=2026-01-01T00:00:00Z`]
    expect(new Set(required(find(document, 'GET', '/x/{self.self.self.name}')))).toEqual(new Set(['', 'self.', 'self.self.', 'self.self.self.'].flatMap(each)))
    expect(required(find(document, 'GET', '/x/{self.name}/by/{place.row}'))).not.toContain('place.row=1')
  })

  it('are named by the parameters that make it', async () => {
    const { parameters } = find(await documentOf(claimsRoute), 'GET', '/watch/{place.row}')
    expect(parameters?.find(({ name }) => name === 'bag.label')?.description).toBe('Only together with `bag.owner`.')
    expect(parameters?.find(({ name }) => name === 'bag.owner')).toMatchObject({ example: 'example' })
    expect(parameters?.find(({ name }) => name === 'bag.owner')).not.toHaveProperty('required')
  })

  it('have to be in the body, in messages that the path makes too', async () => {
    const body = find(await documentOf(claimsRoute), 'POST', '/y/{self.self.name}').requestBody?.content['application/json']
    expect(body?.schema).toMatchObject({
      required: ['number', 'place', 'self'],
      properties: { self: { required: ['number', 'place', 'self'], properties: { self: { required: ['number', 'place'] } } } },
    })
    expect(body?.example).toMatchObject({ self: { number: '1', self: { number: '1', place: { row: 1 } } } })
  })

  it('are said to be impossible where nothing can say them, and check warns', async () => {
    const loaded = await loadCase({
      files: { 'a.yaml': house, 'b.yaml': `sallyport: v1\nroutes:\n${claimsRoute}` },
      assets: { 'museum.binpb': descriptors, 'shop.binpb': shopDescriptors },
    })
    const { document, impossible } = buildOpenapi(clean({ ...loaded, diagnostics: [] }))
    expect(impossible.map(({ operation, reason }) => `${operation}: ${reason}`)).toEqual([
      'GET /never/{name}: `more` is required and cannot be given: it requires a message within itself, without end.',
      'POST /never/{name}: `more` is required and cannot be given: it requires a message within itself, without end.',
      'POST /claims.v1.Claims/Never: `more` is required and cannot be given: it requires a message within itself, without end.',
      'GET /free/{name}: `any` is required and cannot be given: it is any JSON, which has no text.',
    ])
    expect(find(document, 'GET', '/free/{name}').description).toBe(
      'No request to it succeeds. `any` is required and cannot be given: it is any JSON, which has no text.',
    )
    const warned = loaded.diagnostics.filter(({ code }) => code === 'rule_impossible')
    expect(warned.map(({ severity, message }) => `${severity} ${message}`)).toHaveLength(impossible.length)
    expect(warned.find(({ message }) => message.startsWith('GET /free'))).toMatchObject({
      severity: 'warning',
      message:
        'GET /free/{name} of claims.v1.Claims/Free: no request succeeds, "any" of claims.v1.Loose is required and cannot be given: it is any JSON, which has no text.',
    })
  })
})

describe('bodies and answers', () => {
  it('leave out of the body what the path says, and of its example what the service sets', async () => {
    const document = await documentOf(museumRoute)
    const { 'application/json': content } = find(document, 'PATCH', '/v1/exhibits/{id}').requestBody?.content ?? {}
    expect(Object.keys(content?.schema['properties'] as JsonObject)).not.toContain('id')
    expect(content?.schema['required']).toBeUndefined()
    expect(content?.example).toEqual({
      displayName: 'example',
      condition: 'CONDITION_WHOLE',
      donor: 'example',
      notes: { key: { room: 'example', text: 'example' } },
      key: 'example',
      oldName: 'example',
    })
  })

  it('may be one field of any kind', async () => {
    const document = await documentOf(museumRoute)
    const body = (what: string) => find(document, 'PUT', `/v1/exhibits/{id}/${what}`).requestBody?.content['application/json']
    expect(body('tags')).toEqual({ schema: { type: 'array', items: { type: 'string' } }, example: ['example'] })
    expect(body('labels')).toEqual({
      schema: { type: 'object', propertyNames: { pattern: '^-?[0-9]+$' }, additionalProperties: { type: 'boolean' } },
      example: { 1: true },
    })
    expect(body('weight')).toMatchObject({ schema: { format: 'int64' }, example: '1' })
    expect(find(document, 'GET', '/v1/exhibits').responses['200']).toMatchObject({
      content: { 'application/json': { schema: { type: 'array', items: { $ref: '#/components/schemas/museum.v1.Exhibit-answer' } } } },
    })
    expect(find(document, 'GET', '/v1/exhibits:count').responses['200']).toMatchObject({
      content: { 'application/json': { schema: { type: 'string', format: 'uint64' } } },
    })
  })

  it('are bytes of any type for google.api.HttpBody', async () => {
    const document = await documentOf(museumRoute)
    expect(Object.keys(find(document, 'PUT', '/v1/uploads/{folder}').requestBody?.content ?? {})).toEqual(['*/*'])
    expect(find(document, 'GET', '/v1/files/{path}').responses['200']).toMatchObject({ content: { '*/*': {} } })
    expect(find(document, 'PUT', '/v1/uploads/{folder}').responses).not.toHaveProperty('415')
  })

  it('of streams come in every type that the gateway takes and writes', async () => {
    const talk = find(await documentOf(museumRoute), 'POST', '/v1/talk/{room}')
    expect(Object.keys(talk.requestBody?.content ?? {})).toEqual(['application/x-ndjson', 'application/json'])
    expect(talk.requestBody?.content['application/x-ndjson']?.example).toBe('{"text":"example"}\n')
    expect(Object.keys(talk.responses['200']?.['content'] as JsonObject)).toEqual(['application/x-ndjson', 'text/event-stream', 'application/json'])
  })

  it('that fail are listed as the policies make them possible', async () => {
    const plain = '  plain: { match: { path: /plain, methods: [GET] }, access: open, to: plain }\n'
    const limited = '  limited: { match: { path: /limited, methods: [POST] }, access: staff, limits: [few, watched], to: plain }\n'
    const document = await documentOf(museumRoute + plain + limited)
    const failures = (method: string, path: string) => Object.keys(find(document, method, path).responses).filter((status) => !status.startsWith('2'))
    expect(failures('GET', '/plain')).toEqual(['default'])
    expect(failures('POST', '/limited')).toEqual(['401', '403', '413', '429', 'default'])
    expect(failures('POST', '/v1/talk/{room}')).toEqual(['400', '404', '406', '413', '415', 'default'])
    expect(failures('GET', '/v1/exhibits')).toEqual(['400', '404', 'default'])
    expect(find(document, 'POST', '/limited')['x-sallyport-limits']).toEqual([{ name: 'few', quota: 7, windowSeconds: 60, cost: 1 }])
    expect(find(document, 'POST', '/limited').responses['2XX']).toMatchObject({ headers: { RateLimit: { $ref: '#/components/headers/RateLimit' } } })
    expect(find(document, 'GET', '/plain').responses['2XX']?.['headers']).not.toHaveProperty('RateLimit')
  })
})

describe('schemas', () => {
  it('are ProtoJSON, type by type', async () => {
    const { 'museum.v1.Everything': everything } = schemasOf(await documentOf(museumRoute))
    const notFinite = { type: 'string', enum: ['NaN', 'Infinity', '-Infinity'] }
    const text64 = (format: string) => ({ type: 'string', format, pattern: format === 'int64' ? '^-?[0-9]+$' : '^[0-9]+$' })
    const whole = { type: 'integer', format: 'int32' }
    const unsigned = { type: 'integer', format: 'uint32', minimum: 0, maximum: 4294967295 }
    const bytes = { type: 'string', format: 'byte', contentEncoding: 'base64' }
    expect(everything?.['properties']).toMatchObject({
      aDouble: { anyOf: [{ type: 'number', format: 'double' }, notFinite] },
      aFloat: { anyOf: [{ type: 'number', format: 'float' }, notFinite] },
      anInt32: whole,
      anInt64: text64('int64'),
      aUint32: unsigned,
      aUint64: text64('uint64'),
      aSint32: whole,
      aSint64: text64('int64'),
      aFixed32: unsigned,
      aFixed64: text64('uint64'),
      anSfixed32: whole,
      anSfixed64: text64('int64'),
      aBool: { type: 'boolean' },
      aString: { type: 'string' },
      someBytes: bytes,
      anEnum: { $ref: '#/components/schemas/museum.v1.Condition' },
      byText: { type: 'object', additionalProperties: text64('int64') },
      byNumber: { propertyNames: { pattern: '^-?[0-9]+$' }, additionalProperties: { $ref: '#/components/schemas/museum.v1.Note' } },
      byTruth: { propertyNames: { enum: ['true', 'false'] } },
      at: { type: 'string', format: 'date-time' },
      lasts: { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]{1,9})?s$' },
      mask: { type: 'string' },
      object: { type: 'object', additionalProperties: true },
      value: { description: 'Any JSON value.' },
      list: { type: 'array', items: {} },
      any: { type: 'object', required: ['@type'], additionalProperties: true },
      nothing: { type: 'object', additionalProperties: false },
      null: { type: 'null' },
      wDouble: { anyOf: [{ type: 'number', format: 'double' }, notFinite, { type: 'null' }] },
      wInt64: { type: ['string', 'null'], format: 'int64' },
      wBool: { type: ['boolean', 'null'] },
      wBytes: { type: ['string', 'null'], format: 'byte' },
      maybe: { type: 'string' },
      manyBytes: { type: 'array', items: bytes },
      'o.d': { type: 'string' },
    })
  })

  it('say what is required, read only, write only, deprecated and exclusive, and may hold themselves', async () => {
    const schemas = schemasOf(await documentOf(museumRoute + archiveRoute))
    expect(schemas['museum.v1.Exhibit']).toMatchObject({
      required: ['id'],
      properties: {
        parts: { type: 'array', items: { $ref: '#/components/schemas/museum.v1.Exhibit' } },
        acquiredAt: { readOnly: true },
        key: { writeOnly: true },
        oldName: { deprecated: true },
      },
      dependentSchemas: { donor: { properties: { purchase: false, found: false } }, purchase: { properties: { found: false } } },
    })
    expect(schemas['museum.v1.Condition']).toEqual({
      type: 'string',
      description: 'How much of it is left.',
      enum: ['CONDITION_UNSPECIFIED', 'CONDITION_WHOLE', 'CONDITION_SHARDS'],
    })
    expect(schemas['old.v1.Query']).toMatchObject({
      required: ['shelf', 'kind', 'place'],
      properties: { limits: { $ref: '#/components/schemas/old.v1.Query.Limits' } },
    })
  })

  it('differ in answers, where what callers have to say may be left out because it is empty', async () => {
    const schemas = schemasOf(await documentOf(museumRoute + archiveRoute))
    expect(schemas['museum.v1.Exhibit-answer']).not.toHaveProperty('required')
    expect(schemas['museum.v1.Exhibit-answer']).toMatchObject({ properties: { parts: { items: { $ref: '#/components/schemas/museum.v1.Exhibit-answer' } } } })
    expect(Object.keys(schemas)).not.toContain('museum.v1.Note-answer')
  })

  it('differ where routes write the same type differently', async () => {
    const other =
      '  ints: { match: { grpc: museum.v1.Museum, host: ints.example.com }, access: open, to: museum, translate: { protoNames: true, enumsAsInts: true }, bindings: [{ rpc: GetExhibit, method: GET, path: "/ints/{id}" }] }\n'
    const schemas = schemasOf(await documentOf(museumRoute + other))
    expect(schemas['museum.v1.Exhibit-2-answer']?.['properties']).toHaveProperty('display_name')
    expect(schemas['museum.v1.Condition-2']).toEqual({
      type: 'integer',
      description: 'How much of it is left.\n\n0: CONDITION_UNSPECIFIED, 1: CONDITION_WHOLE, 2: CONDITION_SHARDS',
      enum: [0, 1, 2],
    })
  })
})

describe('what callers must prove', () => {
  it('is nothing on an open route, a scheme with the scopes of the rules on others', async () => {
    const plain =
      '  open: { match: { path: /open, methods: [GET] }, access: open, to: plain }\n  either: { match: { path: /either, methods: [GET, PUT] }, access: either, to: plain }\n'
    const document = await documentOf(`  museum: { match: { grpc: museum.v1.Museum }, access: staff, to: museum }\n${plain}`)
    expect(find(document, 'GET', '/open').security).toEqual([])
    expect(find(document, 'GET', '/v1/exhibits/{id}').security).toEqual([{ staff: ['read'] }])
    expect(find(document, 'POST', '/v1/halls/{hall}/exhibits').security).toEqual([{ staff: ['write'] }, { staff: ['admin'] }])
    expect(find(document, 'GET', '/v1/everything').security).toEqual([{ staff: [] }])
    expect(find(document, 'GET', '/either').security).toEqual([{}, { staff: [] }, { guests: [] }])
    expect(find(document, 'PUT', '/either').security).toEqual([{ staff: [] }, { guests: [] }])
    expect((document['components'] as JsonObject)['securitySchemes']).toMatchObject({
      staff: { type: 'openIdConnect', openIdConnectUrl: 'https://idp.example.com/staff/.well-known/openid-configuration' },
      guests: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
    })
  })
})

describe('credentials that are no verified tokens', () => {
  it('are schemes of their own', async () => {
    const text = `  keyed: { match: { path: /keyed, methods: [GET] }, access: mixed, to: plain }
issuers: { asked: { issuer: "https://idp.example.com/asked", audiences: [a], introspection: { clientId: g, clientSecret: env:S } } }
apiKeys: { partners: { store: file:/keys, header: x-partner } }
certificates: { mesh: { subject: dns-san } }
access:
  mixed: { authenticate: { anyOf: [{ apiKey: partners }, { allOf: [{ introspection: asked }, { mtls: mesh }] }] }, rules: [{ id: all, allow: { methods: [GET] } }] }
`
    const document = await documentOf(text)
    expect(find(document, 'GET', '/keyed').security).toEqual([{ partners: [] }, { asked: [], mesh: [] }])
    expect((document['components'] as JsonObject)['securitySchemes']).toMatchObject({
      partners: { type: 'apiKey', in: 'header', name: 'x-partner' },
      asked: { type: 'http', scheme: 'bearer' },
      mesh: { type: 'mutualTLS' },
    })
  })
})

describe('policies that trust no issuer in common', () => {
  it('do not read as public', async () => {
    const guests = '\naccess:\n  guests: { authenticate: { jwt: guests }, rules: [{ id: all, allow: { issuers: [guests] } }] }\n'
    const document = await documentOf(`  plain: { match: { path: /plain, methods: [GET] }, access: [staff, guests], to: plain }${guests}`)
    expect(find(document, 'GET', '/plain').security).toEqual([{ staff: [], guests: [] }])
  })
})

describe('servers', () => {
  it('are the listener, and the hosts of a route', async () => {
    const document = await documentOf(
      '  plain: { match: { path: /plain, methods: [GET], hosts: [api.example.com, "*.example.org"] }, access: open, to: plain }\n',
    )
    expect(document['servers']).toEqual([{ url: 'http://localhost:8080', description: 'The public listener.' }])
    expect(find(document, 'GET', '/plain').servers).toEqual([
      { url: 'http://api.example.com:8080' },
      { url: 'http://{label}.example.org:8080', variables: { label: { default: 'www', description: 'Any one label.' } } },
    ])
  })
})

describe('options of translation', () => {
  const options =
    'head: fromGet, emptyAnswer: 204, etag: true, queryMaps: true, requestHeaders: [x-tenant, x-more-*, sign-bin], responseHeaders: [location, x-shelf-*], statusFrom: x-code'
  const shelf = `  shelf: { match: { grpc: shelf.v1.Shelf }, access: open, to: shelf, translate: { ${options} } }\n`
  const named = (operation: Operation, name: string) => operation.parameters?.find((one) => one.name === name)
  let document: JsonObject

  beforeAll(async () => {
    const loaded = await loadCase({
      files: {
        'a.yaml': `${house}  shelf: { address: "127.0.0.1:1", protocol: grpc, descriptors: shelf.binpb }\n`,
        'b.yaml': `sallyport: v1\nroutes:\n${shelf}`,
      },
      assets: { 'museum.binpb': descriptors, 'shop.binpb': shopDescriptors, 'shelf.binpb': await descriptorsFrom({ 'shelf.proto': shelfProto }) },
    })
    document = buildOpenapi(clean({ ...loaded, diagnostics: loaded.diagnostics.filter(({ severity }) => severity === 'error') })).document
  })

  it('leave it valid', async () => {
    expect(await problemsOf(document)).toEqual([])
  })

  it('show HEAD, which has no body, where it takes the GET bindings', () => {
    expect(find(document, 'HEAD', '/v1/books/{id}')).toMatchObject({ operationId: 'Shelf_Get_head', 'x-sallyport-rpc': 'shelf.v1.Shelf/Get' })
    expect(find(document, 'HEAD', '/v1/books/{id}').responses['200']).not.toHaveProperty('content')
    expect(operationsIn(document).some(({ method, path }) => method === 'HEAD' && path.startsWith('/shelf.v1'))).toBe(false)
  })

  it('show an empty answer as 204', () => {
    const { responses } = find(document, 'DELETE', '/v1/books/{id}')
    expect([Object.keys(responses).includes('200'), responses['204']]).toEqual([false, expect.not.objectContaining({ content: expect.anything() })])
  })

  it('show entity tags and preconditions where they count', () => {
    const get = find(document, 'GET', '/v1/books/{id}')
    expect([named(get, 'If-None-Match')?.in, Object.keys(get.responses)]).toEqual(['header', expect.arrayContaining(['200', '304'])])
    expect(get.responses['200']).toMatchObject({ headers: { ETag: {} } })
    const patch = find(document, 'PATCH', '/v1/books/{id}')
    expect([named(patch, 'If-Match')?.example, Object.keys(patch.responses)]).toEqual(['*', expect.arrayContaining(['412'])])
    const count = find(document, 'POST', '/v1/books/{id}:count')
    expect([named(count, 'If-Match'), Object.keys(count.responses)]).toEqual([undefined, expect.not.arrayContaining(['412'])])
  })

  it('show headers, maps in the query, and that the service may say the status', () => {
    const list = find(document, 'GET', '/v1/books')
    expect(named(list, 'x-tenant')).toMatchObject({ in: 'header', example: 'example' })
    expect(named(list, 'x-more-*')).toBeUndefined()
    expect(named(list, 'labels')).toMatchObject({ style: 'deepObject', example: { key: 'example' } })
    expect(named(list, 'nested.labels')).toMatchObject({ style: 'deepObject' })
    expect(named(list, 'books')).toBeUndefined()
    expect(list.responses).toMatchObject({ '200': { headers: { location: {} } }, '2XX': {}, '3XX': {} })
    expect(Object.keys(find(document, 'GET', '/v1/watch/{id}').responses)).not.toContain('2XX')
  })
})
