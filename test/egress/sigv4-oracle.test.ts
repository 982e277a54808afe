import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { plainQuery, signV4, unsignedPayload } from '../../src/core/egress/credential/sigv4.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { canonicalPath } from '../../src/core/model/path.ts'

/** The hash of a request as the SDKs want it: a class. */
class Sha256 {
  readonly #hash: Hash | Hmac
  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(key))
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data))
  }
  reset(): void {}
  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#hash.digest()))
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return new TextEncoder().encode(data)
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data)
}

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')
const key = { accessKeyId: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', region: 'us-east-1' }
const at = new Date('2026-02-03T04:05:06Z')
const date = '20260203T040506Z'

interface Asked {
  readonly method: string
  readonly segments: readonly string[]
  readonly query: readonly (readonly [string, string])[]
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
  readonly session: string | undefined
  readonly unsigned: boolean
}

const word = fc.string({ unit: 'grapheme', maxLength: 6 })
/** Of a path, as a workload writes it: spaces, what is not ASCII, dots, stars, what is an escape already. */
const segment = fc.oneof(word, fc.constantFrom('.', '..', '...', 'a b', 'ü€', "it's(!*)", '100%25', 'a+b', '~x', '@:&=$,', ''))
const value = fc.stringMatching(/^[\x20-\x7e\t]{0,20}$/)
const names = fc.constantFrom(
  'x-a',
  'X-Amz-Meta-B',
  'content-type',
  'accept',
  'user-agent',
  'cache-control',
  'x-amzn-trace-id',
  'proxy-x',
  'sec-fetch-mode',
  'te',
  'range',
  'x-',
)

const request: fc.Arbitrary<Asked> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD'),
  segments: fc.array(segment, { maxLength: 5 }),
  query: fc.array(fc.tuple(fc.oneof(word, fc.constantFrom('a', 'A', 'b', 'x-id', 'acl')), fc.oneof(word, fc.constantFrom('', '1', 'a+b', 'ü', 'p/q'))), {
    maxLength: 6,
  }),
  headers: fc.uniqueArray(fc.tuple(names, value), { selector: ([name]) => name.toLowerCase(), maxLength: 6 }),
  body: fc.uint8Array({ maxLength: 40 }),
  session: fc.option(fc.stringMatching(/^[A-Za-z0-9+/=]{1,20}$/), { nil: undefined }),
  unsigned: fc.boolean(),
})

/** What the gateway receives, and what it signs of it: the path in its canonical spelling, as `receive` hands it on. */
function pathOf(segments: readonly string[]): string | undefined {
  const raw = `/${segments.map((one) => encodeURIComponent(one.toWellFormed())).join('/')}`
  const canonical = canonicalPath(raw)
  return 'ambiguous' in canonical ? undefined : canonical.path
}

async function ours(asked: Asked, path: string, service: string): Promise<string> {
  const payload = asked.unsigned ? unsignedPayload : sha256(asked.body)
  const headers = new FieldList(asked.headers.map(([name, text]) => [name.toLowerCase(), text]))
  headers.set('x-amz-date', date).set('x-amz-content-sha256', payload)
  if (asked.session !== undefined) headers.set('x-amz-security-token', asked.session)
  const query = new URLSearchParams(asked.query.map(([name, text]): [string, string] => [name.toWellFormed(), text.toWellFormed()])).toString()
  const signable = { method: asked.method, authority: 'a.example:8443', path, query: plainQuery(query), headers, payload }
  return (await signV4(signable, { ...key, service }, date, sha256)).authorization
}

/**
 * S3 signs a path encoded once, in one spelling, whatever spelling went out (`/test$file.text` is `/test%24file.text` in its reference); the SDK sends that
 * spelling, and signs what it sends. Every other service encodes what went out once more.
 */
function spelled(path: string, service: string): string {
  if (service !== 's3') return path
  const strict = (text: string) => encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
  return path
    .split('/')
    .map((one) => strict(decodeURIComponent(one)))
    .join('/')
}

async function theirs(asked: Asked, path: string, service: string): Promise<string> {
  const signer = new SignatureV4({
    credentials: { accessKeyId: key.accessKeyId, secretAccessKey: key.secret, ...(asked.session !== undefined && { sessionToken: asked.session }) },
    region: key.region,
    service,
    sha256: Sha256,
    uriEscapePath: service !== 's3',
  })
  const query: Record<string, string[]> = Object.create(null)
  for (const [name, text] of asked.query) (query[name.toWellFormed()] ??= []).push(text.toWellFormed())
  const headers: Record<string, string> = { host: 'a.example:8443' }
  for (const [name, text] of asked.headers) headers[name] = text
  if (asked.unsigned) headers['x-amz-content-sha256'] = unsignedPayload
  const { method, body } = asked
  const signed = await signer.sign({ method, protocol: 'https:', hostname: 'a.example', port: 8443, path, query, headers, body }, { signingDate: at })
  return signed.headers['authorization'] ?? ''
}

describe('an AWS signature over any request', () => {
  it.each([
    ['execute-api', 'encodes what is encoded already'],
    ['s3', 'encodes once'],
  ])('is that of the AWS SDK: %s, which %s', async (service) => {
    let signed = 0
    await fc.assert(
      fc.asyncProperty(request, async (asked) => {
        const path = pathOf(asked.segments)
        if (path === undefined) return
        signed += 1
        expect(await ours(asked, path, service)).toBe(await theirs(asked, spelled(path, service), service))
      }),
      { numRuns: 400 },
    )
    expect(signed).toBeGreaterThan(100)
  })

  it('differs where anything that is signed differs', async () => {
    const asked: Asked = {
      method: 'GET',
      segments: ['a'],
      query: [['a', 'b']],
      headers: [['x-a', '1']],
      body: new Uint8Array(),
      session: undefined,
      unsigned: false,
    }
    const one = await ours(asked, '/a', 's3')
    const others: Partial<Asked>[] = [
      { method: 'PUT' },
      { query: [['a', 'c']] },
      { headers: [['x-a', '2']] },
      { body: new Uint8Array(1) },
      { session: 's' },
      { unsigned: true },
    ]
    for (const other of others) expect(await ours({ ...asked, ...other }, '/a', 's3')).not.toBe(one)
    expect(await ours(asked, '/b', 's3')).not.toBe(one)
  })
})
