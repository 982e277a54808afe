import { describe, expect, it } from 'vitest'
import { clean, loadBeside, marked } from '../support/load.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { shelfProto } from '../translate/shelf.ts'

const open = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
const route = (translate: string, service = 'shop.v1.Orders') =>
  `clusters: { g: { protocol: grpc, address: "127.0.0.1:2", descriptors: shop.binpb } }\nroutes: { r: { match: { grpc: ${service} }, ${open}, to: g, translate: ${translate} } }\n`

const bare = 'syntax = "proto3"; package p; message M { string a = 1; } service S { rpc Do(M) returns (M); }'

describe('translate of a route', () => {
  it('is linked as it is written', async () => {
    const shelf = { 'shop.binpb': await descriptorsFrom({ 'shelf.proto': shelfProto }) }
    const said = `{ head: fromGet, requestHeaders: [x-tenant, x-shop-*], responseHeaders: [location, set-cookie], statusFrom: x-http-code, etag: bare, queryMaps: true, unexpectedBody: reject, emptyAnswer: 204, showInternal: true }`
    const loaded = await loadBeside(route(said, 'shelf.v1.Shelf'), { assets: shelf })
    expect(clean(loaded).routes[0]?.translate).toEqual({
      unknownQuery: 'reject',
      emitDefaults: false,
      enumsAsInts: false,
      protoNames: false,
      ignoreUnknownFields: false,
      head: 'fromGet',
      requestHeaders: ['x-tenant', 'x-shop-*'],
      responseHeaders: ['location', 'set-cookie'],
      statusFrom: 'x-http-code',
      etag: 'bare',
      queryMaps: true,
      unexpectedBody: 'reject',
      emptyAnswer: 204,
      showInternal: true,
    })
  })

  it.each([
    ['{ requestHeaders: [«authorization] }', 'header_refused'],
    ['{ requestHeaders: [x-a, «connection] }', 'header_refused'],
    ['{ requestHeaders: [«grpc-*] }', 'header_refused'],
    ['{ requestHeaders: [«cookie] }', 'header_refused'],
    ['{ requestHeaders: [«x-forwarded-*] }', 'header_refused'],
    ['{ requestHeaders: [«"*"] }', 'value_invalid'],
    ['{ requestHeaders: [«X-Tenant] }', 'value_invalid'],
    ['{ responseHeaders: [«content-type] }', 'header_refused'],
    ['{ responseHeaders: [«access-control-allow-origin] }', 'header_refused'],
    ['{ responseHeaders: [«sec-websocket-protocol] }', 'header_refused'],
    ['{ responseHeaders: [«grpc-status] }', 'header_refused'],
    ['{ responseHeaders: [«x-request-id] }', 'header_refused'],
    ['{ responseHeaders: [«transfer-encoding] }', 'header_refused'],
    ['{ statusFrom: «grpc-status }', 'header_refused'],
    ['{ statusFrom: «x-code, responseHeaders: [x-*] }', 'header_refused'],
    ['{ head: «get }', 'value_invalid'],
    ['{ emptyAnswer: «201 }', 'value_invalid'],
    ['{ etag: «weak }', 'value_invalid'],
  ])('%s is refused at its place', async (text, code) => {
    const { text: said, marks } = marked(route(text))
    const { diagnostics, policy } = await loadBeside(said)
    expect(diagnostics.map((each) => [each.code, `${each.line - 1}:${each.column}`])).toEqual([[code, marks[0]]])
    expect(policy?.routes[0]?.quarantined).toBeDefined()
  })

  it.each(['«emptyAnswer: 204', '«etag: true', '«queryMaps: true'])(
    '{ %s } is a warning where no message of the service has what it is about',
    async (text) => {
      const { text: said, marks } = marked(route(`{ ${text} }`, 'p.S'))
      const { diagnostics } = await loadBeside(said, { assets: { 'shop.binpb': await descriptorsFrom({ 'p.proto': bare }) } })
      expect(diagnostics.map(({ severity, code, line, column }) => [severity, code, `${line - 1}:${column}`])).toEqual([['warning', 'no_effect', marks[0]]])
    },
  )

  it('head: fromGet is a warning where no RPC has GET', async () => {
    const assets = { 'shop.binpb': await descriptorsFrom({ 'p.proto': bare }) }
    expect((await loadBeside(route('{ head: fromGet }', 'p.S'), { assets })).diagnostics.map(({ code }) => code)).toEqual(['no_effect'])
    expect((await loadBeside(route('{ head: fromGet }'))).diagnostics).toEqual([])
  })

  it.each(['head: fromGet', 'etag: true', 'requestHeaders: [x-a]', 'emptyAnswer: 204'])('{ %s } is refused on a path route', async (said) => {
    const text = `clusters: { a: { address: "127.0.0.1:1" } }\nroutes: { r: { match: { path: / }, ${open}, to: a, translate: { ${said} } } }\n`
    expect((await loadBeside(text)).diagnostics.map(({ severity, code }) => [severity, code])).toEqual([['error', 'no_effect']])
  })
})
