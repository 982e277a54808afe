import { constants, createPublicKey, KeyObject, sign as signBytes } from 'node:crypto'
import { always, ecdsa, encode, forge, hmac, plainly, type Signer } from '../../support/forge.ts'
import type { IssuerKey } from '../../support/issuer.ts'
import { type Attack, atHouse, attackGroup, http1, refusals, tokenAttack, tokenControl } from './attack.ts'
import { goodHeader, goodPayload } from './good.ts'
import { type House, never } from './house.ts'

const house = atHouse({ everyKey: true })
const unfit = 'signature verification failed'
const unused = 'an algorithm that this issuer does not use'

/** What stands where a good token says `alg: ES256`. */
function claiming(alg: unknown, sign: (house: House) => Signer = () => always(Buffer.from('signature'))) {
  return (at: House) => forge(JSON.stringify({ ...goodHeader(at), alg }), goodPayload(at), sign(at))
}

const none = ['none', 'None', 'NONE', 'nOnE', 'none ', ''] as const
const symmetric = ['HS256', 'HS384', 'HS512', 'hs256'] as const
const foreign = ['RS1', 'RSA1_5', 'RSA-OAEP', 'dir', 'A128KW', 'ES256K', 'ES257', 'ECDH-ES', 'Ed448', 'toString', '__proto__', 'constructor'] as const
const cases = ['es256', 'Es256', 'ES256 ', ' ES256', 'ES256\u0000', 'ЕS256', 'ES256,none'] as const

attackGroup(
  'no algorithm but those of the issuer',
  house,
  [
    ...['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'].map((alg) =>
      tokenControl(`a token signed with ${alg}`, (at) => at.main.token({}, { key: at.key(alg) })),
    ),
    tokenControl('a forged text that is signed well', (at) => forge(JSON.stringify(goodHeader(at)), goodPayload(at), ecdsa(at.key('ES256').privateKey))),
  ],
  [
    ...none.map((alg) => tokenAttack(`algorithm "${alg}"`, 'CVE-2015-9235, RFC 8725 section 3.2', unused, claiming(alg))),
    ...none.map((alg) =>
      tokenAttack(`algorithm "${alg}" with no signature`, 'RFC 7515 appendix A.5', 'not three segments', (at) => claiming(alg)(at).replace(/[^.]*$/, '')),
    ),
    ...symmetric.map((alg) =>
      tokenAttack(
        `algorithm "${alg}"`,
        'RFC 8725 section 3.1',
        unused,
        claiming(alg, () => hmac('secret')),
      ),
    ),
    ...foreign.map((alg) => tokenAttack(`algorithm "${alg}"`, 'RFC 8725 section 3.1', unused, claiming(alg))),
    ...cases.map((alg) =>
      tokenAttack(
        `algorithm "${alg}" with a signature that ES256 would take`,
        'RFC 7515 section 4.1.1 (case-sensitive)',
        unused,
        claiming(alg, (at) => ecdsa(at.key('ES256').privateKey)),
      ),
    ),
    tokenAttack('no algorithm', 'RFC 7515 section 4.1.1', 'no algorithm', claiming(undefined)),
    tokenAttack('an algorithm that is a list', 'RFC 7515 section 4.1.1', 'no algorithm', claiming(['ES256'])),
    tokenAttack('an algorithm that is null', 'RFC 7515 section 4.1.1', 'no algorithm', claiming(null)),
    tokenAttack('an algorithm that is an object', 'RFC 7515 section 4.1.1', 'no algorithm', claiming({ alg: 'ES256' })),
    tokenAttack('an algorithm that is a number', 'RFC 7515 section 4.1.1', 'no algorithm', claiming(256)),
  ],
)

/** Everything of a public key that a confused verifier might take for a secret. */
const secrets: readonly (readonly [what: string, of: (key: IssuerKey) => string | Buffer])[] = [
  ['its PEM', (key) => createPublicKey({ key: key.jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })],
  ['its PEM without the line end', (key) => String(createPublicKey({ key: key.jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })).trim()],
  ['its DER', (key) => createPublicKey({ key: key.jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' })],
  ['its JWK', (key) => JSON.stringify(key.jwk)],
  ['its modulus or x', (key) => Buffer.from(key.jwk.n ?? key.jwk.x ?? never('neither RSA nor EC'), 'base64url')],
  ['its modulus or x in base64url', (key) => key.jwk.n ?? key.jwk.x ?? never('neither RSA nor EC')],
  ['nothing', () => ''],
]

attackGroup(
  'a public key is no shared secret',
  house,
  [tokenControl('the RSA key used as what it is', (at) => at.main.token({}, { key: at.key('RS256') }))],
  ['RS256', 'ES256'].flatMap((keyed) =>
    ['HS256', 'HS512'].flatMap((alg) =>
      secrets.map(([what, of]) =>
        tokenAttack(`${alg} with ${what} of the ${keyed} key`, 'CVE-2015-9235, CVE-2016-10555', unused, (at) => {
          const key = at.key(keyed)
          return forge(JSON.stringify({ alg, kid: key.kid, typ: 'at+jwt' }), goodPayload(at), hmac(of(key), alg === 'HS256' ? 'sha256' : 'sha512'))
        }),
      ),
    ),
  ),
)

/** A token that names one algorithm and was signed in another way. */
function mixed(name: string, alg: string, keyed: string, sign: (key: IssuerKey) => Signer, why = 'no applicable key'): Attack {
  return tokenAttack(name, 'RFC 8725 section 3.1 (algorithm confusion)', why, (at) => {
    const key = at.key(keyed)
    return forge(JSON.stringify({ alg, kid: key.kid, typ: 'at+jwt' }), goodPayload(at), sign(key))
  })
}

const pss =
  (saltLength: number, hash = 'sha256') =>
  ({ privateKey }: IssuerKey): Signer =>
  (input) =>
    signBytes(hash, Buffer.from(input), { key: KeyObject.from(privateKey), padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })

attackGroup(
  'a key works with its own algorithm alone',
  house,
  [
    tokenControl('PS256 with a salt as long as its hash', (at) => {
      const key = at.key('PS256')
      return forge(JSON.stringify({ alg: 'PS256', kid: key.kid, typ: 'at+jwt' }), goodPayload(at), pss(32)(key))
    }),
    tokenControl('ES384 with its own curve', (at) => at.main.token({}, { key: at.key('ES384') })),
  ],
  [
    mixed('PS256 said of an RS256 key', 'PS256', 'RS256', pss(32)),
    mixed('RS256 said of a PS256 key', 'RS256', 'PS256', (key) => plainly(key.privateKey)),
    mixed('a PSS signature under RS256', 'RS256', 'RS256', pss(32), unfit),
    mixed('a PKCS#1 signature under PS256', 'PS256', 'PS256', (key) => plainly(key.privateKey), unfit),
    mixed('PS256 without salt', 'PS256', 'PS256', pss(0), unfit),
    mixed('PS256 with a longer salt', 'PS256', 'PS256', pss(64), unfit),
    mixed('PS256 over SHA-512', 'PS256', 'PS256', pss(32, 'sha512'), unfit),
    mixed('RS256 over SHA-1', 'RS256', 'RS256', (key) => plainly(key.privateKey, 'sha1'), unfit),
    mixed('RS256 over SHA-512', 'RS256', 'RS256', (key) => plainly(key.privateKey, 'sha512'), unfit),
    mixed('ES256 with a key on P-384', 'ES256', 'ES384', (key) => ecdsa(key.privateKey)),
    mixed('ES384 with a key on P-256', 'ES384', 'ES256', (key) => ecdsa(key.privateKey, 'sha384')),
    mixed('ES512 with a key on P-384', 'ES512', 'ES384', (key) => ecdsa(key.privateKey, 'sha512')),
    mixed('ES256 over SHA-512', 'ES256', 'ES256', (key) => ecdsa(key.privateKey, 'sha512'), unfit),
    mixed('EdDSA with a key on P-256', 'EdDSA', 'ES256', (key) => ecdsa(key.privateKey)),
    mixed('ES256 with an Ed25519 key', 'ES256', 'EdDSA', (key) => plainly(key.privateKey, null)),
    mixed('RS256 with an EC key', 'RS256', 'ES256', (key) => ecdsa(key.privateKey)),
    mixed('ES256 with an RSA key', 'ES256', 'RS256', (key) => plainly(key.privateKey)),
    mixed('EdDSA with an RSA key', 'EdDSA', 'RS256', (key) => plainly(key.privateKey)),
  ],
)

const narrowly = (token: string) => [http1({ path: '/narrow/7', headers: [['authorization', `Bearer ${token}`]] })]

attackGroup(
  'an algorithm is accepted per issuer',
  house,
  [{ name: 'ES256 of the issuer that has it alone', send: async (at) => narrowly(await at.narrow.token({}, { key: at.narrow.keys[0] ?? never('no key') })) }],
  [
    {
      name: 'ES384 with a key that the issuer really publishes',
      source: 'RFC 8725 section 3.1',
      why: unused,
      as: refusals.badToken,
      send: async (at) => narrowly(await at.narrow.token({}, { key: at.narrow.keys[1] ?? never('no key') })),
    },
    {
      name: 'ES384 of another issuer',
      source: 'RFC 8725 section 3.8',
      why: 'not accepted here',
      as: refusals.badToken,
      send: async (at) => narrowly(await at.main.token({}, { key: at.key('ES384') })),
    },
    {
      name: 'RS256, unsigned',
      source: 'RFC 8725 section 3.1',
      why: unused,
      as: refusals.badToken,
      send: (at) => narrowly(forge('{"alg":"RS256","typ":"at+jwt"}', goodPayload(at, at.narrow), always(Buffer.from(encode('x'))))),
    },
  ],
)
