import { describe, expect, test } from 'vitest'
import { certain, type Dialect, dialectOf } from '../../src/core/model/dialect.ts'
import { FieldList } from '../../src/core/model/fields.ts'

const version = { 'connect-protocol-version': '1' }
const ask = (method: string, headers: Readonly<Record<string, string>>, query = ''): Dialect =>
  dialectOf({ method, headers: new FieldList(Object.entries(headers)), query })
const web = (text: boolean, textAnswer: boolean, codec: string | undefined = 'proto') => ({ kind: 'grpc-web', text, textAnswer, codec })
const connect = (form: string, codec: string | undefined, declared: boolean) => ({ kind: 'connect', form, codec, declared })

describe('what a request speaks', () => {
  const types: readonly (readonly [source: string, type: string, Readonly<Record<string, string>>, object])[] = [
    ['gRPC over HTTP/2, Content-Type', 'application/grpc', {}, { kind: 'grpc', codec: 'proto' }],
    ['gRPC over HTTP/2, Content-Type', 'Application/gRPC+proto; x=y', {}, { kind: 'grpc', codec: 'proto' }],
    ['gRPC over HTTP/2, Content-Type', 'application/grpc+json', {}, { kind: 'grpc', codec: 'json' }],
    ['gRPC over HTTP/2, Content-Type', 'application/grpc+thrift', {}, { kind: 'grpc', codec: undefined }],
    ['gRPC over HTTP/2, Content-Type', 'application/grpcx', {}, { kind: 'http' }],
    ['PROTOCOL-WEB, Content-Type 1', 'application/grpc-web', {}, web(false, false)],
    ['PROTOCOL-WEB, Content-Type 1', 'application/grpc-web+proto', { accept: '*/*' }, web(false, false)],
    ['PROTOCOL-WEB, Content-Type 1', 'application/grpc-web+json', {}, web(false, false, 'json')],
    ['PROTOCOL-WEB, Content-Type 1', 'application/grpc-web-text+thrift', {}, { ...web(true, true), codec: undefined }],
    ['PROTOCOL-WEB, Content-Type 2', 'application/grpc-web-text', {}, web(true, true)],
    ['PROTOCOL-WEB, Content-Type 2', 'application/grpc-web-text+proto', { accept: 'application/grpc-web-text' }, web(true, true)],
    ['PROTOCOL-WEB, Text-encoded streams 1', 'application/grpc-web', { accept: 'application/grpc-web-text+proto' }, web(false, true)],
    ['PROTOCOL-WEB, Text-encoded streams 1', 'application/grpc-web-text', { accept: 'application/grpc-web+proto' }, web(true, false)],
    ['PROTOCOL-WEB, Text-encoded streams 2', 'application/grpc-web-text-base64', {}, web(true, true)],
    ['PROTOCOL-WEB, Content-Type', 'application/grpc-webby', {}, { kind: 'http' }],
    ['Connect, Unary-Content-Type', 'application/proto', version, connect('unary', 'proto', true)],
    ['Connect, Unary-Content-Type', 'application/proto', {}, connect('unary', 'proto', false)],
    ['Connect, Connect-Protocol-Version', 'application/json', version, connect('unary', 'json', true)],
    ['Connect, Connect-Protocol-Version', 'application/json', {}, { kind: 'http' }],
    ['Connect, Message-Codec', 'application/thrift', version, connect('unary', undefined, true)],
    ['Connect, Streaming-Content-Type', 'application/connect+proto', {}, connect('stream', 'proto', true)],
    ['Connect, Streaming-Content-Type', 'application/connect+json; charset=utf-8', {}, connect('stream', 'json', true)],
    ['Connect, Streaming-Content-Type', 'application/connect+xml', {}, connect('stream', undefined, true)],
    ['RFC 9110', 'text/plain', {}, { kind: 'http' }],
  ]
  test.each(types)('%s: a POST of %s with %j', (_source, type, headers, dialect) => {
    expect(ask('POST', { 'content-type': type, ...headers })).toEqual(dialect)
  })

  const queries: readonly (readonly [query: string, object])[] = [
    ['connect=v1&encoding=json&message=%7B%7D', connect('get', 'json', true)],
    ['message=&base64=1&encoding=proto&connect=v1', connect('get', 'proto', true)],
    ['encoding=xml&message=&connect=v1', connect('get', undefined, true)],
    ['connect=v1', connect('get', undefined, false)],
    ['connect=v1&encoding=json', connect('get', 'json', false)],
    ['connect=v2&encoding=json&message=', { kind: 'http' }],
    ['reconnect=v1', { kind: 'http' }],
    ['', { kind: 'http' }],
  ]
  test.each(queries)('Connect, Unary-Get-Request: a GET with ?%s', (query, dialect) => {
    expect(ask('GET', {}, query)).toEqual(dialect)
  })

  test('is Connect without doubt only where the request says so', () => {
    expect(certain(ask('POST', { 'content-type': 'application/proto' })).kind).toBe('http')
    expect(certain(ask('POST', { 'content-type': 'application/proto', ...version })).kind).toBe('connect')
    expect(certain(ask('POST', { 'content-type': 'application/grpc-web' })).kind).toBe('grpc-web')
  })
})
