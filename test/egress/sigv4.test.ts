import { createHash, createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { amzDate } from '../../src/core/egress/credential/amz-date.ts'
import { plainQuery, type Signable, signV4 } from '../../src/core/egress/credential/sigv4.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { found } from '../support/canary.ts'
import { openGateway } from '../support/gateway.ts'

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')
const empty = sha256('')
type Headers = Readonly<Record<string, string>>

function signable(method: string, authority: string, target: string, headers: Headers, payload: string): Signable {
  const [path = '', query = ''] = target.split('?')
  return { method, authority, path, query, headers: new FieldList(Object.entries(headers)), payload }
}

describe('an AWS signature', () => {
  // AWS Signature Version 4 Test Suite: credentials, region, service and date are the same in all of it.
  const key = { accessKeyId: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', region: 'us-east-1', service: 'service' }
  const date = '20150830T123600Z'
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  it.each([
    ['get-vanilla', 'GET', '/', {}, '', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['post-vanilla', 'POST', '/', {}, '', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    ['get-vanilla-query-order-key-case', 'GET', '/?Param2=value2&Param1=value1', {}, '', 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500'],
    ['get-header-key-duplicate', 'GET', '/', { 'my-header1': 'value2,value2,value1' }, '', 'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea'],
    [
      'get-header-value-multiline',
      'GET',
      '/',
      { 'my-header1': 'value1,value2,value3' },
      '',
      'ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790',
    ],
    ['post-x-www-form-urlencoded', 'POST', '/', form, 'Param1=value1', 'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a'],
  ])('is that of the AWS test suite: %s', async (_, method, target, headers, body, signature) => {
    const request = signable(method, 'example.amazonaws.com', target, { ...headers, 'x-amz-date': date }, sha256(body))
    const signed = await signV4(request, key, date, sha256)
    expect(signed.signature).toBe(signature)
    expect(signed.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20150830\/us-east-1\/service\/aws4_request, SignedHeaders=[a-z0-9;-]+, Signature=/,
    )
  })

  const s3 = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', region: 'us-east-1', service: 's3' }
  const may = '20130524T000000Z'
  const put = { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' }
  it.each([
    ['GET Object', 'GET', '/test.txt', { range: 'bytes=0-9' }, '', 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41'],
    ['PUT Object', 'PUT', '/test$file.text', put, 'Welcome to Amazon S3.', '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd'],
    ['GET Bucket Lifecycle', 'GET', '/?lifecycle', {}, '', 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
    ['GET Bucket', 'GET', '/?max-keys=2&prefix=J', {}, '', '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
  ])('is that of the examples in the S3 reference: %s', async (_, method, target, headers, body, signature) => {
    const more = { ...headers, 'x-amz-date': may, 'x-amz-content-sha256': sha256(body) }
    expect((await signV4(signable(method, 'examplebucket.s3.amazonaws.com', target, more, sha256(body)), s3, may, sha256)).signature).toBe(signature)
  })

  it('leaves out what others on the way may change', async () => {
    const bare = signable('GET', 'a.example', '/', { 'x-amz-date': date }, empty)
    const more = signable(
      'GET',
      'a.example',
      '/',
      { 'x-amz-date': date, 'user-agent': 'x', connection: 'close', te: 'trailers', 'sec-fetch-mode': 'cors' },
      empty,
    )
    expect(await signV4(more, key, date, sha256)).toEqual(await signV4(bare, key, date, sha256))
  })

  it('is dated as the calendar has it', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }), (at) => {
        expect(amzDate(at.getTime())).toBe(`${at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`)
      }),
    )
  })

  it('is over a query that means the same in its one spelling, which stays as it is', () => {
    const pairs = fc.array(fc.tuple(fc.string({ minLength: 1, unit: 'grapheme' }), fc.string({ unit: 'grapheme' })), { maxLength: 5 })
    fc.assert(
      fc.property(pairs, (given) => {
        const query = new URLSearchParams(given).toString()
        const plain = plainQuery(query)
        expect(Array.from(new URLSearchParams(plain))).toEqual(Array.from(new URLSearchParams(query)))
        expect(plainQuery(plain)).toBe(plain)
        expect(plain).toMatch(/^[A-Za-z0-9\-._~%=&]*$/)
      }),
    )
  })
})

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly body: string
}

/** What a vendor's verifier computes from the request that arrived, by other means than the signer's: node:crypto and the URL parser. */
function verify({ method, url, headers, body }: Seen, secret: string): string {
  const [, scope = '', names = '', signature = ''] =
    /Credential=[^/]+\/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]+)$/.exec(headers['authorization'] ?? '') ?? []
  const { pathname, searchParams } = new URL(url, 'http://x')
  const strict = (text: string) => encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
  const query = Array.from(searchParams, ([name, value]) => `${strict(name)}=${strict(value)}`)
    .sort()
    .join('&')
  const path = pathname.split('/').map(strict).join('/')
  const lines = names.split(';').map((name) => `${name}:${headers[name]?.trim().replaceAll(/ +/g, ' ')}\n`)
  const payload = headers['x-amz-content-sha256'] === 'UNSIGNED-PAYLOAD' ? 'UNSIGNED-PAYLOAD' : sha256(body)
  const toSign = `AWS4-HMAC-SHA256\n${headers['x-amz-date']}\n${scope}\n${sha256([method, path, query, lines.join(''), names, payload].join('\n'))}`
  const key = scope.split('/').reduce<Buffer | string>((last, part) => createHmac('sha256', last).update(part).digest(), `AWS4${secret}`)
  return createHmac('sha256', key).update(toSign).digest('hex') === signature ? 'good' : 'bad'
}

const secrets = { ID: 'AKIDOFATEST', SECRET: 'canary/secret+access', SESSION: 'canary-session-token', HMAC: 'canary-hmac-key' }

async function open(credential: string, variables: Readonly<Record<string, string>> = secrets) {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers, body: Buffer.concat(parts).toString() })
      response.end(JSON.stringify({ echo: headers }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const policies = `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { egress: { address: "127.0.0.1:0" } }
callers: { shop: { listener: egress } }
egress:
  vendor:
    listen: 127.0.0.1:0
    callers: [shop]
    mask: { responses: true }
    environments:
      dev: { target: "http://127.0.0.1:${(server.address() as AddressInfo).port}/base", allowAddresses: [127.0.0.1/32], ${credential} }
`
  const gateway = await openGateway(onTestFinished, { 'all.yaml': policies }, { variables, flags: { strict: true } })
  const call = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${gateway.port('egress:vendor')}${path}`, init)
  return { gateway, call, seen }
}

const aws = (more = '') => `sigv4: { region: eu-central-1, service: execute-api, accessKeyId: env:ID, secretAccessKey: env:SECRET${more} }`

describe('a call that is signed for AWS', () => {
  it.each([
    ['GET', '/a%20b/c?x=1&b=%2F&a=sp+ace&empty&z=%e2%82%ac', undefined],
    ['POST', '/v1/things', '{"a":1}'],
    ['PUT', '/', ''],
  ])('is one that a verifier takes: %s %s', async (method, path, body) => {
    const { call, seen, gateway } = await open(aws(', sessionToken: env:SESSION'))
    const answer = await call(path, {
      method,
      ...(body !== undefined && { body }),
      headers: { 'x-amz-date': 'forged', 'x-amz-security-token': 'forged', authorization: 'forged' },
    })
    expect([answer.status, seen.length]).toEqual([200, 1])
    expect(verify(seen[0] as Seen, secrets.SECRET)).toBe('good')
    expect(seen[0]?.headers).toMatchObject({ 'x-amz-security-token': secrets.SESSION, authorization: expect.stringContaining('Credential=AKIDOFATEST/') })
    const { SECRET, SESSION } = secrets
    const signature = /Signature=(.+)$/.exec(seen[0]?.headers['authorization'] ?? '')?.[1] ?? 'none'
    expect(found((await answer.text()) + JSON.stringify(gateway.journal), { SECRET, SESSION, signature })).toEqual([])
    // The verifier is no friend of everybody.
    expect(verify({ ...(seen[0] as Seen), body: 'changed' }, secrets.SECRET)).toBe('bad')
    expect(verify(seen[0] as Seen, 'another')).toBe('bad')
  })

  it('takes no session token of its caller where it has none', async () => {
    const { call, seen } = await open(aws())
    await call('/', { headers: { 'x-amz-security-token': 'forged' } })
    expect(seen[0]?.headers['x-amz-security-token']).toBeUndefined()
    expect(verify(seen[0] as Seen, secrets.SECRET)).toBe('good')
  })

  it('leaves the body out where that is said, and only there', async () => {
    const { call, seen } = await open(aws(', payload: unsigned'))
    await call('/', { method: 'POST', body: 'streams' })
    expect(seen[0]).toMatchObject({ body: 'streams', headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } })
    expect(verify(seen[0] as Seen, secrets.SECRET)).toBe('good')
  })

  it('goes nowhere without its keys, and the record says which is missing', async () => {
    const { call, seen, gateway } = await open(aws(), { ID: 'AKIDOFATEST' })
    expect(await (await call('/')).json()).toMatchObject({ status: 503, code: 'credential_unavailable' })
    await gateway.entry((entry) => JSON.stringify(entry).includes('the secret env:SECRET is missing or empty'))
    expect(seen).toEqual([])
  })
})

describe('a call with an HMAC', () => {
  const shown = (seen: readonly Seen[], name: string) => seen[0]?.headers[name] ?? ''

  it('carries the time and the signature of method, path, query and body, as its vendor reads them', async () => {
    const { call, seen, gateway } = await open(
      'hmac: { secret: env:HMAC, message: "{timestamp}.{method}.{host}{path}?{query}.{body}", header: x-signature, format: "t={timestamp},v1={signature}" }',
    )
    const answer = await call('/pay?a=1', { method: 'POST', body: '{"ü":1}', headers: { 'x-signature': 'forged' } })
    const [, time, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(shown(seen, 'x-signature')) ?? []
    const message = `${time}.POST.${shown(seen, 'host')}/base/pay?a=1.{"ü":1}`
    expect(signature).toBe(createHmac('sha256', secrets.HMAC).update(message).digest('hex'))
    expect(found((await answer.text()) + JSON.stringify(gateway.journal), { key: secrets.HMAC, signature: signature ?? '' })).toEqual([])
  })

  it('has its time in a header, the body as a hash, and base64, where that is said', async () => {
    const { call, seen } = await open(
      'hmac: { secret: env:HMAC, algorithm: sha512, message: "{timestamp}\\n{bodyHash}", header: x-sig, encoding: base64, timestampHeader: x-time }',
    )
    await call('/', { method: 'POST', body: 'b', headers: { 'x-time': '0' } })
    const message = `${shown(seen, 'x-time')}\n${createHash('sha512').update('b').digest('hex')}`
    expect(shown(seen, 'x-sig')).toBe(createHmac('sha512', secrets.HMAC).update(message).digest('base64'))
    expect(Number(shown(seen, 'x-time'))).toBeGreaterThan(1_700_000_000)
  })

  it('goes nowhere without its key, or with one of the wrong shape', async () => {
    const policy = 'hmac: { secret: env:HMAC, message: "{method}", header: x-sig, forbidPattern: ^live_ }'
    for (const variables of [{}, { HMAC: 'live_key' }]) {
      const { call, seen } = await open(policy, variables)
      expect((await call('/')).status).toBe(503)
      expect(seen).toEqual([])
    }
  })
})
