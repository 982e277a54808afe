import { type DescMessage, fromBinary, type JsonObject, toJson } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildIngress } from '../../src/core/ingress.ts'
import type { GrpcReply } from '../../src/core/model/call.ts'
import { noFields } from '../../src/core/model/fields.ts'
import type { JournalRecord } from '../../src/core/ports.ts'
import { readDescriptors } from '../../src/core/protobuf.ts'
import { buildUpstream } from '../../src/core/upstream.ts'
import { anyCharacter } from '../support/any-character.ts'
import { arrival } from '../support/arrival.ts'
import { http1 } from '../support/clients.ts'
import { openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { loadCase } from '../support/load.ts'
import { fakeChannels, fakePorts } from '../support/ports.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { envelope } from '../support/raw.ts'
import { house, issuerSection, openIssuer } from '../support/shop.ts'
import { segmentsOf } from './bytes/oracle.ts'

/*
 * A rule on a variable of the path holds however the path is written. The rule here compares the variable with what the query says it should be, so that
 * every value can be tried under one policy.
 */
const proto = `
syntax = "proto3";
package t.v1;
import "google/api/annotations.proto";
service Tenants {
  rpc Get(Asked) returns (Asked) {
    option (google.api.http) = {
      get: "/v1/one/{tenant}/x"
      additional_bindings { get: "/v1/last/{tenant}" }
      additional_bindings { get: "/v1/last/{tenant}:verb" }
      additional_bindings { post: "/v1/body/{tenant}" body: "*" }
    };
  }
  rpc Named(Asked) returns (Asked) {
    option (google.api.http) = { get: "/v1/{name=tenants/*}" additional_bindings { get: "/v1/rest/{name=**}" } };
  }
}
message Asked { string tenant = 1; string name = 2; }
`
const rules = `sallyport: v1
clusters:
  back: { sidecar: none, address: "127.0.0.1:1", protocol: grpc, descriptors: test.binpb }
access:
  own:
    authenticate: none
    rules:
      - { id: all, allow: { anonymous: true } }
      - { id: tenant, deny: { grpc: [t.v1.Tenants/Get] }, when: request.params.tenant != request.query.want }
      - { id: name, deny: { grpc: [t.v1.Tenants/Named] }, when: request.params.name != request.query.want }
routes:
  tenants:
    match: { grpc: t.v1.Tenants }
    access: own
    translate: { unknownQuery: [want] }
    to: back
`

interface Came {
  readonly status: number
  readonly grpcStatus: string | undefined
  /** The message that the service got. */
  readonly message: JsonObject | undefined
  readonly record: JournalRecord | undefined
}

type Ask = (method: string, target: string, headers?: Readonly<Record<string, string>>, body?: Uint8Array | string) => Promise<Came>

let descriptors: Uint8Array
let ask: Ask
let warned: readonly string[]

beforeAll(async () => {
  descriptors = await descriptorsFrom({ 'tenants.proto': proto })
  const book = readDescriptors(descriptors)
  const desc = 'problem' in book ? undefined : book.registry.getMessage('t.v1.Asked')
  const { policy, diagnostics } = await loadCase({ files: { 'house.yaml': house, 'rules.yaml': rules }, assets: { 'test.binpb': descriptors } })
  if (policy === undefined || desc === undefined) throw new Error(JSON.stringify(diagnostics))
  warned = diagnostics.map(({ severity, code }) => `${severity} ${code}`)
  let got: Uint8Array | undefined
  const channels = fakeChannels({
    async grpc(call) {
      got = call.messages as Uint8Array // every RPC here is unary
      return empty()
    },
  })
  const ports = fakePorts({ channels })
  const ingress = buildIngress(policy, buildUpstream(policy, ports), ports)
  ask = async (method, target, headers = {}, body) => {
    got = undefined
    const given = body === undefined ? headers : { ...headers, 'content-length': `${Buffer.byteLength(body)}` }
    const out = await ingress(arrival(method, target, given, { httpVersion: '2', ...(body === undefined ? {} : { body }) }))
    const message = got === undefined ? undefined : jsonOf(desc, got)
    return { status: out.status, grpcStatus: out.headers.get('grpc-status'), message, record: ports.journal.records.at(-1) }
  }
})

function jsonOf(desc: DescMessage, bytes: Uint8Array): JsonObject {
  return toJson(desc, fromBinary(desc, bytes)) as JsonObject
}

function empty(): GrpcReply {
  async function* one() {
    yield new Uint8Array()
  }
  return { kind: 'grpc', metadata: noFields, messages: one(), status: () => ({ code: 0, message: '', details: undefined, trailers: noFields }) }
}

/** One octet of a path, in any of its spellings: 0 as it is where that may stand, then escaped in lower, upper and mixed case. */
function spelled(octet: number, how: number): string {
  const plain = String.fromCharCode(octet)
  if (how === 0 && /[A-Za-z0-9\-._~!$&'()*+,;=@]/.test(plain)) return plain
  const hex = octet.toString(16).padStart(2, '0')
  const [high = '', low = ''] = hex
  return `%${how === 1 ? hex : how === 2 ? hex.toUpperCase() : high.toUpperCase() + low}`
}

const spell = (text: string, hows: readonly number[]) => [...Buffer.from(text)].map((octet, i) => spelled(octet, hows[i % hows.length] ?? 1)).join('')

const value = fc
  .oneof(
    fc.constantFrom('red', 'r/d', 'r+d', 're d', 'r%d', 'r%2Fd', 'r:verb', ':', 'rä', '€', '😀', "r'd", 'r;d', '~', '..x', 'r@d', '*'),
    fc.string({ unit: anyCharacter, minLength: 1, maxLength: 6 }),
  )
  // What receive refuses in any spelling: controls, backslashes, dot segments.
  .filter((text) => !/[\p{Cc}\\]/u.test(text) && text.isWellFormed() && text.split('/').every((part) => !/^\.{1,2}(?:;|$)/.test(part)))
const hows = fc.array(fc.nat(3), { minLength: 1, maxLength: 6 })

const one = (text: string) => text
const multi = (text: string) => text.replaceAll('/', '%2F')
const ways: readonly (readonly [what: string, path: (segment: string) => string, field: 'tenant' | 'name', means: (text: string) => string])[] = [
  ['{tenant} inside', (segment) => `/v1/one/${segment}/x`, 'tenant', one],
  ['{tenant} at the end', (segment) => `/v1/last/${segment}`, 'tenant', one],
  ['{tenant} before a verb', (segment) => `/v1/last/${segment}:verb`, 'tenant', one],
  ['{name=tenants/*}', (segment) => `/v1/tenants/${segment}`, 'name', (text) => `tenants/${multi(text)}`],
  ['{name=tenants/*} with its literal escaped', (segment) => `/v%31/%74enants/${segment}`, 'name', (text) => `tenants/${multi(text)}`],
  ['{name=**}', (segment) => `/v1/rest/a/${segment}/b`, 'name', (text) => `a/${multi(text)}/b`],
]

describe.each(ways)('a rule on %s', (_, path, field, means) => {
  it('lets pass the value it names, however that is written, and the service gets that value', async () => {
    await fc.assert(
      fc.asyncProperty(value, hows, async (text, how) => {
        const target = path(spell(text, how))
        const came = await ask('GET', `${target}?want=${encodeURIComponent(means(text))}`)
        expect([came.status, came.message]).toEqual([200, { [field]: means(text) }])
        expect(came.record).toMatchObject({ rpc: field === 'tenant' ? 't.v1.Tenants/Get' : 't.v1.Tenants/Named', variables: { [field]: means(text) } })
      }),
      { seed: 9, numRuns: 200 },
    )
  })

  it('refuses every other value, however it is written', async () => {
    await fc.assert(
      fc.asyncProperty(value, value, hows, async (text, wanted, how) => {
        fc.pre(means(text) !== means(wanted))
        const came = await ask('GET', `${path(spell(text, how))}?want=${encodeURIComponent(means(wanted))}`)
        expect([came.status, came.message]).toEqual([403, undefined])
        expect(came.record).toMatchObject({ refusal: { code: 'forbidden' } })
      }),
      { seed: 9, numRuns: 100 },
    )
  })

  it('is never passed by bytes of any kind with another value than it names', async () => {
    const octet = fc.nat(255).map((byte) => `%${byte.toString(16).padStart(2, '0')}`)
    const noise = fc.array(
      fc.oneof(octet, fc.constantFrom('%C0%AF', '%C1%B2', '%E0%80%AF', '%ED%A0%80', '%25', '%', '%7', '%u0072', 'r', 'e', 'd', '%72ed', '..', ';')),
      { maxLength: 5 },
    )
    await fc.assert(
      fc.asyncProperty(noise, async (parts) => {
        const target = path(parts.join(''))
        const came = await ask('GET', `${target}?want=${encodeURIComponent(means('red'))}`)
        // Broken, overlong or no UTF-8 at all: refused before any rule.
        const refused = segmentsOf(target) === undefined ? [400] : [400, 403, 404, 405]
        expect(came.status === 200 ? [200] : refused).toContain(came.status)
        expect(came.message).toEqual(came.status === 200 ? { [field]: means('red') } : undefined)
      }),
      { seed: 9, numRuns: 200 },
    )
  })
})

describe('a rule on a path variable', () => {
  it('is warned of where the automatic paths do not have the variable', () => {
    expect(warned).toEqual(['warning variable_partial', 'warning variable_partial'])
  })

  it('holds against a body and a query that say otherwise', async () => {
    const json = { 'content-type': 'application/json' }
    expect(await ask('POST', '/v1/body/red?want=red', json, '{"name":"x"}')).toMatchObject({ status: 200, message: { tenant: 'red', name: 'x' } })
    for (const body of ['{"tenant":"blue"}', '{"tenant":""}', '{"tenant":"red","tenant":"blue"}', '{"\\u0074enant":"blue"}']) {
      expect(await ask('POST', '/v1/body/red?want=red', json, body)).toMatchObject({ status: 400, message: undefined })
    }
    for (const query of ['tenant=blue', 'ten%61nt=blue', 'tenant=red']) {
      expect(await ask('GET', `/v1/one/red/x?want=red&${query}`)).toMatchObject({ status: 400, message: undefined })
    }
    expect(await ask('GET', '/v1/one/red/x?want=red&want=blue')).toMatchObject({ status: 403, message: undefined })
  })

  it.each([
    ['JSON on the automatic path', { 'content-type': 'application/json' }, '{"tenant":"blue"}', 403, undefined],
    ['gRPC', { 'content-type': 'application/grpc', te: 'trailers' }, envelope(''), 200, '7'],
    ['gRPC-Web', { 'content-type': 'application/grpc-web+proto' }, envelope(''), 200, '7'],
    ['gRPC-Web in base64', { 'content-type': 'application/grpc-web-text' }, Buffer.from(envelope('')).toString('base64'), 200, '7'],
    ['Connect', { 'content-type': 'application/proto', 'connect-protocol-version': '1' }, '', 403, undefined],
    ['Connect in JSON', { 'content-type': 'application/json', 'connect-protocol-version': '1' }, '{}', 403, undefined],
  ] as const)('refuses whoever comes by a path without it, over %s', async (_, headers, body, status, grpcStatus) => {
    for (const query of ['', '?want=', '?want=blue']) {
      const came = await ask('POST', `/t.v1.Tenants/Get${query}`, headers, body)
      expect(came).toMatchObject({ status, grpcStatus, message: undefined })
      expect(came.record).toMatchObject({ rpc: 't.v1.Tenants/Get', path: '/t.v1.Tenants/Get', refusal: { code: 'policy_error', rule: 'own/tenant' } })
      expect(came.record?.['variables']).toBeUndefined()
    }
  })
})

describe('claims that equal path.tenant', () => {
  const keep = untilTheEnd()

  it('hold over sockets however the path is escaped', async () => {
    const issuer = await openIssuer(keep)
    const policies = `${issuerSection(issuer)}${rules
      .replace('sallyport: v1\n', '')
      .replace(/access:[\s\S]*routes:/, 'routes:')
      .replace(
        'access: own',
        'access: { authenticate: { jwt: shop }, rules: [{ id: own, allow: { paths: ["/v1/one/{tenant}/x"], claims: { tenant: { equals: path.tenant } } } }] }',
      )}`
    const gateway = await openGateway(keep, { 'house.yaml': house, 'rules.yaml': `sallyport: v1\n${policies}`, 'test.binpb': descriptors })
    const token = await issuer.mint('ada', { scope: 'orders:read', tenant: 'r/d+ä' })
    const status = async (path: string) => {
      const { status } = await http1(gateway.port('public'), { path, headers: [['authorization', `Bearer ${token}`]] })
      return status
    }
    // The rule lets it pass; that nobody listens behind is another matter.
    for (const own of ['r%2Fd+%C3%A4', '%72%2fd%2B%c3%A4', 'r%2fd%2b%C3%a4']) expect([own, await status(`/v1/one/${own}/x`)]).toEqual([own, 503])
    for (const other of ['r', 'r%252Fd+%C3%A4', 'r%2Fd%20%C3%A4', 'r%2Fd+a%CC%88', 'R%2Fd+%C3%A4'])
      expect([other, await status(`/v1/one/${other}/x`)]).toEqual([other, 403])
    for (const broken of ['r%2Fd+%E4', 'r%2Fd+%C0%AF', 'r%2Fd+%', 'r%2Fd+%C3']) expect([broken, await status(`/v1/one/${broken}/x`)]).toEqual([broken, 400])
    expect(await gateway.entry((record) => record['kind'] === 'request' && record['status'] === 503)).toMatchObject({
      rpc: 't.v1.Tenants/Get',
      path: '/v1/one/r%2Fd+%C3%A4/x',
      variables: { tenant: 'r/d+ä' },
    })
  })
})
