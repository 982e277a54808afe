import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type Files, type Gateway, openGateway } from '../../support/gateway.ts'
import { openRecorder, type Recorder } from '../../support/http-recorder.ts'
import { type IssuerDouble, type IssuerKey, issuerDouble } from '../../support/issuer.ts'
import type { Keep } from '../../support/keep.ts'
import { openHttp } from '../../support/shop.ts'
import { attackPolicies } from './policies.ts'

/** A live gateway, its issuers with keys of every kind, and a service behind it that keeps all it gets. */
export interface House {
  readonly gateway: Gateway
  readonly port: number
  readonly upstream: Recorder
  /** Accepts every asymmetric algorithm of the format. */
  readonly main: IssuerDouble
  /** Accepts ES256 alone. */
  readonly narrow: IssuerDouble
  /** Another issuer, that `/private` does not accept. */
  readonly other: IssuerDouble
  /** Its tokens are for another audience, and must be bound to a key or a certificate. */
  readonly bound: IssuerDouble
  /** A key of `main` by its algorithm. */
  key(alg: string): IssuerKey
  /** Private halves of keys that stand in main's set and must never verify anything, by kid. */
  readonly foul: Readonly<Record<string, KeyObject>>
  /** Seconds since the epoch. */
  now(): number
}

const algorithms = ['RS256', 'PS256', 'ES384', 'ES512', 'EdDSA', 'ES256'] as const

export interface HouseOptions {
  readonly policies?: string
  /** Beside IDP and UPSTREAM; secrets of the kind `env:` too. */
  readonly variables?: Readonly<Record<string, string>>
  /** Keys of every algorithm, and foul ones, which take a while to make; otherwise of ES256 alone. */
  readonly everyKey?: boolean
  /** Beside the policies. */
  readonly files?: Files
}

export async function openHouse(
  keep: Keep,
  { policies = attackPolicies, variables: more = {}, everyKey = false, files = {} }: HouseOptions = {},
): Promise<House> {
  const sets = new Map<string, () => string>()
  const idp = await openHttp(keep, (request, response) => {
    const set = sets.get(request.url ?? '')
    response.writeHead(set === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(set?.())
  })
  const issuer = async (name: string) => {
    const double = await issuerDouble(() => Date.now(), `http://127.0.0.1:${idp}/${name}`, name)
    sets.set(`/${name}/jwks`, () => double.jwks())
    return double
  }
  const main = await issuer('main')
  for (const alg of everyKey ? algorithms : []) await main.addKey(alg)
  const narrow = await issuer('narrow')
  await narrow.addKey('ES384')
  const other = await issuer('other')
  const bound = await issuer('bound')
  const { privates, jwks } = everyKey ? foulKeys(main) : { privates: {}, jwks: [] }
  sets.set('/main/jwks', () => JSON.stringify({ keys: [...main.keys.map(({ jwk }) => jwk), ...jwks] }))
  const upstream = await openRecorder(keep)
  const variables = { ...more, IDP: `http://127.0.0.1:${idp}`, UPSTREAM: `${upstream.port}` }
  const gateway = await openGateway(keep, { 'gateway.yaml': policies, ...files }, { variables })
  return {
    gateway,
    port: gateway.port('public'),
    upstream,
    main,
    narrow,
    other,
    bound,
    key: (alg) => main.keys.findLast((key) => key.alg === alg) ?? never(`main has no ${alg} key`),
    foul: privates,
    now: () => Math.floor(Date.now() / 1000),
  }
}

/** What a careless or broken issuer might publish beside its good keys. */
function foulKeys(main: IssuerDouble) {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const strong = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const koblitz = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
  const rsa = strong.publicKey.export({ format: 'jwk' })
  const point = curve.publicKey.export({ format: 'jwk' })
  const jwks = [
    { ...weak.publicKey.export({ format: 'jwk' }), kid: 'weak', alg: 'RS256', use: 'sig' },
    { ...rsa, e: 'Ag', kid: 'even', alg: 'RS256', use: 'sig' },
    { ...rsa, e: 'AQ', kid: 'one', alg: 'RS256', use: 'sig' },
    { ...rsa, e: 'AAAAAQ', kid: 'padded-one', alg: 'RS256', use: 'sig' },
    { ...strong.privateKey.export({ format: 'jwk' }), kid: 'private-rsa', alg: 'RS256', use: 'sig' },
    { ...curve.privateKey.export({ format: 'jwk' }), kid: 'private-ec', alg: 'ES256', use: 'sig' },
    { ...point, kid: 'enc', alg: 'ES256', use: 'enc' },
    { ...point, kid: 'ops', alg: 'ES256', key_ops: ['encrypt'] },
    { ...koblitz.publicKey.export({ format: 'jwk' }), kid: 'koblitz', alg: 'ES256', use: 'sig' },
    { kty: 'oct', k: Buffer.from('a shared secret of 32 characters').toString('base64url'), kid: 'oct', alg: 'HS256', use: 'sig' },
    // Twice the same id: a good key of the issuer and one of somebody else.
    { ...main.keys[0]?.jwk, kid: 'twice' },
    { ...point, kid: 'twice', alg: 'ES256', use: 'sig' },
    // The algorithm that the key says it is for is not the one that it fits.
    { ...point, kid: 'misnamed', alg: 'RS256', use: 'sig' },
  ]
  const privates = {
    weak: weak.privateKey,
    even: strong.privateKey,
    one: strong.privateKey,
    'padded-one': strong.privateKey,
    'private-rsa': strong.privateKey,
    'private-ec': curve.privateKey,
    enc: curve.privateKey,
    ops: curve.privateKey,
    koblitz: koblitz.privateKey,
    twice: curve.privateKey,
    misnamed: curve.privateKey,
  }
  return { privates, jwks }
}

export function never(why: string): never {
  throw new Error(why)
}
