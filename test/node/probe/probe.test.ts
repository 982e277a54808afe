import { writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { startIssuer } from '../../../src/node/demo/issuer.ts'
import { sallyport } from '../../support/command.ts'
import { untilTheEnd } from '../../support/keep.ts'
import { descriptorsFrom } from '../../support/protos.ts'
import { openReflecting } from '../../support/reflecting.ts'
import { openHttp } from '../../support/shop.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const keep = untilTheEnd()

const proto = (extra = '') => `syntax = "proto3";
package a.v1;
service S { rpc Get(In) returns (In); }
message In { string id = 1; ${extra} }
`
const setOf = (extra?: string) => descriptorsFrom({ 'a/v1/a.proto': proto(extra) })

const policies = (port: number, more = '') => `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { public: { address: "127.0.0.1:8080" } }
clusters:
  a: { protocol: grpc, address: "127.0.0.1:${port}", descriptors: a.binpb }
${more}routes:
  a: { match: { grpc: a.v1.S }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: a }
`

interface Answer {
  readonly ok: boolean
  readonly descriptors: readonly { readonly file: string; readonly sha256: string }[]
  readonly probes: readonly { readonly kind: string; readonly name: string; readonly outcome: string; readonly text: string }[]
  readonly diagnostics: readonly { readonly severity: string; readonly code: string; readonly line: number; readonly message: string }[]
}

async function check(text: string, set: Uint8Array, words: readonly string[] = []): Promise<{ readonly status: number | null; readonly answer: Answer }> {
  const folder = await tempFolder({ 'a.yaml': text, 'a.binpb': set })
  const { status, out, err } = await sallyport(['check', '--env', 'dev', '--policies', folder.path, '--probe', '--json', ...words])
  if (out === '') throw new Error(err)
  return { status, answer: JSON.parse(out) as Answer }
}

describe('sallyport check --probe', () => {
  it('finds a server that says the same, and an issuer with keys, in order', async () => {
    const set = await setOf()
    const issuer = await startIssuer(0)
    keep(() => issuer.close())
    const text = policies(await openReflecting(keep, set))
      .replace('clusters:', `issuers:\n  i: { issuer: "${issuer.url}", audiences: [x], algorithms: [ES256] }\nclusters:`)
      .replace('rules: [{ id: all, allow: { anonymous: true } }]', 'authenticate: { jwt: i }, rules: [{ id: all, allow: {  scopes: [x] } }]')
    const { status, answer } = await check(text, set)
    expect(answer.diagnostics).toEqual([])
    expect([status, answer.ok]).toEqual([0, true])
    expect(answer.probes.map(({ kind, name, outcome, text: said }) => [kind, name, outcome, said])).toEqual([
      ['endpoint', 'a', 'ok', 'speaks grpc'],
      ['descriptors', 'a', 'ok', 'the server says the same of a.v1.S'],
      ['issuer', 'i', 'ok', '1 key for ES256'],
    ])
    expect(answer.descriptors).toEqual([{ file: 'a.binpb', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }])
  })

  it('reports a breaking change as an error with proto file and field, and an addition as a warning', async () => {
    const was = await setOf('int64 n = 2;')
    const breaking = await check(policies(await openReflecting(keep, await setOf('int32 n = 2; bool b = 3;'))), was)
    expect(breaking.status).toBe(1)
    expect(breaking.answer.diagnostics.map(({ severity, code, line, message }) => [severity, code, line, message])).toEqual([
      ['error', 'descriptor_drift', 5, 'a/v1/a.proto: a.v1.In.n: the type is int32, was int64, says the server.'],
      ['warning', 'descriptor_addition', 5, 'a/v1/a.proto: a.v1.In.b: the field is new (number 3, singular bool), says the server.'],
    ])
    const port = await openReflecting(keep, await setOf('int64 n = 2; bool b = 3;'))
    expect((await check(policies(port), was)).status).toBe(0)
    expect((await check(policies(port), was, ['--strict'])).status).toBe(1)
  })

  it('a server without reflection is said to be so, and is no error', async () => {
    const set = await setOf()
    const { status, answer } = await check(policies(await openReflecting(keep, set, { paths: [] })), set)
    expect([status, answer.diagnostics]).toEqual([0, []])
    expect(answer.probes[1]).toMatchObject({ kind: 'descriptors', outcome: 'unknown', text: 'the server offers no reflection: drift cannot be seen' })
  })

  it('misses no keys of an issuer that is only asked about tokens', async () => {
    const set = await setOf()
    const issuer = '  i: { issuer: "http://127.0.0.1:1", audiences: [x], introspection: { url: "http://127.0.0.1:1/ask", clientId: g, clientSecret: "env:S" } }'
    const text = policies(await openReflecting(keep, set))
      .replace('clusters:', `issuers:\n${issuer}\nclusters:`)
      .replace('rules: [{ id: all, allow: { anonymous: true } }]', 'authenticate: { introspection: i }, rules: [{ id: all, allow: { scopes: [x] } }]')
    const { status, answer } = await check(text, set)
    expect([status, answer.diagnostics]).toEqual([0, []])
    expect(answer.probes.map(({ kind }) => kind)).not.toContain('issuer')
  })

  it('says what is wrong with endpoints, and with issuers whose keys cannot be had or do not fit, where the policies name them', async () => {
    const set = await setOf()
    const port = await openHttp(keep, (request, response) => {
      const keys = { keys: [{ kty: 'EC', crv: 'P-256', alg: 'ES256', kid: '1', x: 'x', y: 'y' }] }
      response.statusCode = request.url === '/jwks' ? 200 : 404
      response.end(JSON.stringify(keys))
    })
    const issuers = `issuers:
  other: { issuer: "http://127.0.0.1:${port}/o", jwks: "http://127.0.0.1:${port}/jwks", audiences: [x], algorithms: [RS256] }
  gone: { issuer: "http://127.0.0.1:${port}/i", audiences: [x], algorithms: [ES256] }
`
    const text = policies(port, '').replace('routes:', `${issuers}routes:`)
    const { status, answer } = await check(text, set)
    expect(status).toBe(1)
    const messages = answer.diagnostics.filter(({ severity }) => severity === 'error').map(({ code, line, message }) => [code, line, message])
    expect(messages).toEqual([
      ['endpoint_unusable', 5, `127.0.0.1:${port}: it speaks HTTP/1.1 and not HTTP/2.`],
      ['issuer_unusable', 7, expect.stringContaining(`none of its 1 keys at http://127.0.0.1:${port}/jwks fits an accepted algorithm (RS256)`)],
      ['issuer_unusable', 8, expect.stringMatching(/discovery failed: .*answered 404/)],
    ])
  })

  it('prints a line per thing that was tried, for people', async () => {
    const set = await setOf()
    const folder = await tempFolder({ 'a.yaml': policies(await openReflecting(keep, set)), 'a.binpb': set })
    const { status, out } = await sallyport(['check', '--env', 'dev', '--policies', folder.path, '--probe'])
    expect(status).toBe(0)
    expect(out).toMatch(
      /^ok {2}endpoint +a {2}127\.0\.0\.1:\d+ +speaks grpc\nok {2}descriptors {2}a {2}a\.binpb +the server says the same of a\.v1\.S\n\nok: 1 route.*\na\.binpb: sha256 [0-9a-f]{64}\n$/,
    )
    await writeFile(`${folder.path}/a.yaml`, 'nonsense')
    expect((await sallyport(['check', '--env', 'dev', '--policies', folder.path, '--probe'])).status).toBe(1)
    expect((await sallyport(['check', '--policies', folder.path, '--probe'])).status).toBe(2)
  })
})

describe('a pinned digest', () => {
  it('is held to: another set is an error that says both what to do and its digest', async () => {
    const set = await setOf()
    const [{ sha256 } = { sha256: '' }] = (await check(policies(await openReflecting(keep, set)), set)).answer.descriptors
    const pinned = policies(1).replace('descriptors: a.binpb', `descriptors: { file: a.binpb, sha256: ${sha256} }`)
    const load = async (bytes: Uint8Array) => {
      const folder = await tempFolder({ 'a.yaml': pinned, 'a.binpb': bytes })
      return await sallyport(['check', '--env', 'dev', '--policies', folder.path])
    }
    expect((await load(set)).status).toBe(0)
    const changed = await load(await setOf('bool b = 2;'))
    expect(changed.status).toBe(1)
    expect(changed.out).toMatch(/a\.yaml:5:\d+: error: a\.binpb is not the set that is pinned: its digest is [0-9a-f]{64}\. \[descriptors_digest\]/)
    expect(changed.out).toContain('Put the pinned file back, or review what changed and write the new digest here.')
  })
})
