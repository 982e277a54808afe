import { describe, expect, it } from 'vitest'
import { buildEgress } from '../../src/core/egress.ts'
import type { HttpCall, HttpReply } from '../../src/core/model/call.ts'
import type { Credential } from '../../src/core/model/credential.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { arrival } from '../support/arrival.ts'
import { found } from '../support/canary.ts'
import { fakeCassettes } from '../support/cassettes.ts'
import { egressPolicy, fakeVendor, linked, live, oauth2, secretRule, service, textOf } from '../support/egress.ts'
import { fakeFetch, fakePorts, fakeSecrets } from '../support/ports.ts'

const tokenUrl = 'https://auth.pay.example/token'
const kept = {
  client: 'Canary/client+secret',
  secret: 'Canary/aws+secret/access',
  session: 'Canary/aws+session/token==',
  mac: 'Canary/hmac+key',
}
const callers = 'callers-Own.token-of-Hers'

const sigv4 = (payload: 'signed' | 'unsigned'): Credential => ({
  kind: 'sigv4',
  region: 'eu-central-1',
  service: 'execute-api',
  accessKeyId: secretRule('env:ID'),
  secret: secretRule('env:SECRET'),
  sessionToken: secretRule('env:SESSION'),
  payload,
})

const hmac = (encoding: 'hex' | 'base64'): Credential => ({
  kind: 'hmac',
  secret: secretRule('env:MAC'),
  algorithm: 'sha256',
  message: '{timestamp}.{method}.{path}.{body}',
  header: 'x-proof',
  format: 't={timestamp},v1={signature}',
  encoding,
  timestampHeader: undefined,
})

const token = (n: number) => `Canary-token/${n}+abcdefgh`
const authorizationOf = (call: HttpCall) => call.headers.get('authorization') ?? ''

const kinds: readonly (readonly [kind: string, credential: Credential, shown: (call: HttpCall) => Readonly<Record<string, string>>])[] = [
  ['a token', oauth2(tokenUrl, 'env:CLIENT'), () => ({ token: token(1) })],
  ['a token in exchange for the caller’s', oauth2(tokenUrl, 'env:CLIENT', { subject: 'caller' }), () => ({ token: token(1), callers })],
  ['a signature for AWS', sigv4('signed'), (call) => ({ signature: /Signature=(.+)$/.exec(authorizationOf(call))?.[1] ?? 'none' })],
  ['a signature for AWS without the body', sigv4('unsigned'), (call) => ({ signature: /Signature=(.+)$/.exec(authorizationOf(call))?.[1] ?? 'none' })],
  ['an HMAC in hex', hmac('hex'), (call) => ({ signature: /v1=(.+)$/.exec(call.headers.get('x-proof') ?? '')?.[1] ?? 'none' })],
  ['an HMAC in base64', hmac('base64'), (call) => ({ signature: /v1=(.+)$/.exec(call.headers.get('x-proof') ?? '')?.[1] ?? 'none' })],
]

/** Everything that the vendor could know, the keys too: it may be who gave them out. */
function echoOf(call: HttpCall, secrets: readonly string[]): readonly string[] {
  const said = [...call.headers.entries().map(([, value]) => value), ...secrets]
  return said.flatMap((one) => [
    one,
    Buffer.from(one).toString('base64'),
    Buffer.from(`a${one}`).toString('base64url'),
    encodeURIComponent(one),
    Buffer.from(one).toString('hex'),
  ])
}

function house(credential: Credential, answer: (call: HttpCall) => Partial<HttpReply>) {
  const cassettes = fakeCassettes()
  const vendor = fakeVendor(answer)
  const record = { name: 'pay', headers: ['x-proof', 'authorization'], body: true }
  const pay = service('pay', {
    mask: { headers: [], jsonPaths: ['$.card.number'], responses: true },
    idempotency: { header: 'idempotency-key', generate: true },
  })
  let asked = 0
  const fetch = fakeFetch({
    [tokenUrl]: () => ({
      headers: { 'content-type': 'application/json' },
      text: JSON.stringify({
        access_token: token(++asked),
        token_type: 'Bearer',
        expires_in: 600,
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }),
    }),
  })
  const secrets = fakeSecrets({
    'env:CLIENT': kept.client,
    'env:ID': 'AKIDOFATEST',
    'env:SECRET': kept.secret,
    'env:SESSION': kept.session,
    'env:MAC': kept.mac,
  })
  const ports = fakePorts({ fetch, secrets, cassettes })
  const walk = buildEgress(egressPolicy({ services: [linked(pay, live('dev', 'https://sandbox.pay.example', { credential, record }))] }), vendor, ports)
  const ask = async (method: string, body?: string) => {
    const headers = { Host: 'pay.egress.internal', Authorization: `Bearer ${callers}`, 'Content-Type': 'application/json', 'X-Proof': 'v1=forged-signature' }
    const reply = await walk(arrival(method, '/v1/charges', headers, { listener: 'egress', scheme: 'http', peer: '127.0.0.1', ...(body && { body }) }))
    return { status: reply.status, text: await textOf(reply.body) }
  }
  const files = () => [...(cassettes.kept.get('pay')?.values() ?? [])]
  return { ask, files, vendor, journal: ports.journal, fetch }
}

const answered = (type: string, text: string, status = 200, debug = ''): Partial<HttpReply> => ({
  status,
  headers: new FieldList([
    ['content-type', type],
    ['x-debug', debug],
  ]),
  body: new TextEncoder().encode(text),
})

describe.each(kinds)('a recorded call with %s', (_, credential, shown) => {
  /** What of the given the gateway holds for this call, and so looks for. */
  const ownOf = { oauth2: [], sigv4: [kept.secret, kept.session], hmac: [kept.mac], header: [], query: [], basic: [] }[credential.kind]
  const wrapped = { number: '4242424242424242', brand: 'v' }

  it.each([
    ['JSON', 'application/json', (echo: readonly string[]) => JSON.stringify({ echo, card: wrapped })],
    ['text', 'text/plain', (echo: readonly string[]) => echo.join('\n')],
    [
      'a form',
      'application/x-www-form-urlencoded',
      (echo: readonly string[]) => new URLSearchParams(echo.map((one): [string, string] => ['echo', one])).toString(),
    ],
  ])('leaves nothing of it in the cassette, the answer or the record when the vendor gives it back in %s', async (_type, type, say) => {
    const { ask, files, vendor, journal } = house(credential, (call) => answered(type, say(echoOf(call, ownOf)), 200, echoOf(call, ownOf).join(' ')))
    const reply = await ask('POST', '{"amount":5,"card":{"number":"4242424242424242"}}')
    const [call] = vendor.calls
    expect([reply.status, files().length, call?.headers.get('idempotency-key') !== undefined]).toEqual([200, 1, true])
    const canaries = { ...kept, ...(call && shown(call)) }
    // What was sent is what is looked for.
    expect(found(JSON.stringify(call?.headers.entries()), canaries).length).toBeGreaterThan(0)
    expect(found(files().join(), { ...canaries, callers })).toEqual([])
    expect(found(reply.text + JSON.stringify(journal.records), canaries)).toEqual([])
    expect(files().join() + (type === 'application/json' ? reply.text : '')).not.toContain('4242424242424242')
  })
})

describe('a recorded call whose token the vendor takes no more', () => {
  it('is written down once, with the answer to the new token, and with neither token', async () => {
    const { ask, files, vendor, fetch } = house(oauth2(tokenUrl, 'env:CLIENT'), (call) => {
      const isOld = authorizationOf(call).endsWith(token(1))
      return answered('application/json', JSON.stringify({ old: [token(1)], now: authorizationOf(call) }), isOld ? 401 : 200)
    })
    expect((await ask('GET')).status).toBe(200)
    expect([vendor.calls.length, fetch.requests.length, files().length]).toEqual([2, 2, 1])
    expect(JSON.parse(files()[0] ?? '')).toMatchObject({ response: { status: 200 } })
    expect(found(files().join(), { first: token(1), second: token(2) })).toEqual([])
  })
})

describe('a key that makes a call idempotent', () => {
  it('is signed with the rest of the call', async () => {
    const { ask, vendor } = house(sigv4('signed'), () => ({}))
    await ask('POST', '{}')
    expect(vendor.calls[0]?.headers.get('authorization')).toMatch(/SignedHeaders=[^,]*;idempotency-key;/)
  })
})
