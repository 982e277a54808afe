import { ecdsa, encode, forge, segments } from '../../support/forge.ts'
import { atHouse, attackGroup, tokenAttack, tokenControl } from './attack.ts'
import { goodHeader, goodPayload } from './good.ts'
import type { House } from './house.ts'

const house = atHouse()

/** A good token with its signature in other bytes. */
const signed = (change: (signature: Buffer) => Uint8Array) => async (at: House) => {
  const [header, payload, signature] = segments(await at.main.token())
  return `${header}.${payload}.${encode(change(Buffer.from(signature, 'base64url')))}`
}
/** A good token in other text. */
const written = (change: (header: string, payload: string, signature: string) => string) => async (at: House) => change(...segments(await at.main.token()))

const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551')
const word = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex')
const number = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex')}`)
const pair = (r: bigint, s: bigint) => signed(() => Buffer.concat([word(r), word(s)]))
const psychic = 'CVE-2022-21449'
const unfit = 'signature verification failed'
const three = 'not three segments of base64url'

attackGroup(
  'a signature is one of its key, over this very text',
  house,
  [
    tokenControl('a good signature', (at) => at.main.token()),
    // ECDSA signatures come in pairs, and neither half is the canonical one (RFC 7518 section 3.4): what must see a token once looks at its jti.
    tokenControl(
      'the other half of an ECDSA signature',
      signed((bytes) => Buffer.concat([bytes.subarray(0, 32), word(order - number(bytes.subarray(32)))])),
    ),
  ],
  [
    tokenAttack('r and s zero', psychic, unfit, pair(0n, 0n)),
    tokenAttack('r zero', psychic, unfit, pair(0n, 1n)),
    tokenAttack('s zero', psychic, unfit, pair(1n, 0n)),
    tokenAttack('r and s the order of the curve', psychic, unfit, pair(order, order)),
    tokenAttack('r the order, s one', psychic, unfit, pair(order, 1n)),
    tokenAttack('r one, s the order', psychic, unfit, pair(1n, order)),
    tokenAttack('r and s one', psychic, unfit, pair(1n, 1n)),
    tokenAttack('r and s one less than the order', psychic, unfit, pair(order - 1n, order - 1n)),
    tokenAttack(
      'all bits set',
      psychic,
      unfit,
      signed(() => Buffer.alloc(64, 0xff)),
    ),
    tokenAttack(
      's negated without the order',
      'C2SP wycheproof, ecdsa',
      unfit,
      signed((bytes) => Buffer.concat([bytes.subarray(0, 32), word(2n ** 256n - number(bytes.subarray(32)))])),
    ),
    tokenAttack(
      'r and s changed about',
      'C2SP wycheproof, ecdsa',
      unfit,
      signed((bytes) => Buffer.concat([bytes.subarray(32), bytes.subarray(0, 32)])),
    ),
    tokenAttack('in DER', 'RFC 7518 section 3.4', unfit, (at) =>
      forge(JSON.stringify(goodHeader(at)), goodPayload(at), ecdsa(at.key('ES256').privateKey, 'sha256', 'der')),
    ),
    tokenAttack(
      'empty',
      'CVE-2020-28042',
      three,
      written((header, payload) => `${header}.${payload}.`),
    ),
    tokenAttack(
      'one byte',
      'RFC 7518 section 3.4',
      unfit,
      signed((bytes) => bytes.subarray(0, 1)),
    ),
    tokenAttack(
      'a byte too short',
      'RFC 7518 section 3.4',
      unfit,
      signed((bytes) => bytes.subarray(0, 63)),
    ),
    tokenAttack(
      'half',
      'RFC 7518 section 3.4',
      unfit,
      signed((bytes) => bytes.subarray(0, 32)),
    ),
    tokenAttack(
      'a byte too long',
      'RFC 7518 section 3.4',
      unfit,
      signed((bytes) => Buffer.concat([bytes, Buffer.alloc(1)])),
    ),
    tokenAttack(
      'a zero before r and s',
      'RFC 7518 section 3.4',
      unfit,
      signed((bytes) => Buffer.concat([Buffer.alloc(1), bytes.subarray(0, 32), Buffer.alloc(1), bytes.subarray(32)])),
    ),
    tokenAttack(
      'twice',
      'RFC 7518 section 3.4',
      unfit,
      signed((bytes) => Buffer.concat([bytes, bytes])),
    ),
    ...[0, 255, 256, 511].map((bit) =>
      tokenAttack(
        `bit ${bit} turned`,
        'RFC 7515 section 5.2',
        unfit,
        signed((bytes) => bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (0x80 >> (bit & 7)) : byte))),
      ),
    ),
    tokenAttack('of another token', 'RFC 7515 section 5.2', unfit, async (at) => {
      const [header, payload] = segments(await at.main.token({ sub: 'admin' }))
      return `${header}.${payload}.${segments(await at.main.token())[2]}`
    }),
    tokenAttack('of another token with the same payload and another header', 'RFC 7515 section 5.1', unfit, async (at) => {
      const [, payload, signature] = segments(await at.main.token())
      return `${encode(JSON.stringify({ ...goodHeader(at), x: 1 }))}.${payload}.${signature}`
    }),
    tokenAttack('over the payload alone', 'RFC 7515 section 5.1', unfit, (at) =>
      forge(JSON.stringify(goodHeader(at)), goodPayload(at), (input) => ecdsa(at.key('ES256').privateKey)(input.split('.')[1] ?? '')),
    ),
    tokenAttack('over the texts before they were encoded', 'RFC 7515 section 5.1', unfit, (at) =>
      forge(JSON.stringify(goodHeader(at)), goodPayload(at), () => ecdsa(at.key('ES256').privateKey)(`${JSON.stringify(goodHeader(at))}.${goodPayload(at)}`)),
    ),
  ],
)

attackGroup(
  'a token is three segments',
  house,
  [tokenControl('three', (at) => at.main.token())],
  [
    tokenAttack('one', 'RFC 7515 section 7.1', three, () => 'opaque'),
    tokenAttack(
      'two',
      'RFC 7515 section 7.1',
      three,
      written((header, payload) => `${header}.${payload}`),
    ),
    tokenAttack(
      'four',
      'RFC 7515 section 7.1',
      three,
      written((header, payload, signature) => `${header}.${payload}.${signature}.${signature}`),
    ),
    tokenAttack(
      'five, as of a JWE',
      'RFC 7516 section 7.1',
      three,
      written((header, payload, signature) => `${header}.${payload}.${signature}.${payload}.${signature}`),
    ),
    tokenAttack(
      'a dot before',
      'RFC 7515 section 7.1',
      three,
      written((...parts) => `.${parts.join('.')}`),
    ),
    tokenAttack(
      'a dot behind',
      'RFC 7515 section 7.1',
      three,
      written((...parts) => `${parts.join('.')}.`),
    ),
    tokenAttack(
      'two dots in a row',
      'RFC 7515 section 7.1',
      three,
      written((header, payload, signature) => `${header}..${payload}.${signature}`),
    ),
    tokenAttack(
      'no header',
      'RFC 7515 section 7.1',
      three,
      written((_, payload, signature) => `.${payload}.${signature}`),
    ),
    tokenAttack(
      'no payload',
      'RFC 7797 (detached)',
      three,
      written((header, _, signature) => `${header}..${signature}`),
    ),
    tokenAttack('dots alone', 'RFC 7515 section 7.1', three, () => '..'),
    tokenAttack(
      'header and payload changed about',
      'RFC 7515 section 7.1',
      'no algorithm',
      written((header, payload, signature) => `${payload}.${header}.${signature}`),
    ),
    tokenAttack(
      'the signature first',
      'RFC 7515 section 7.1',
      'the header is not acceptable JSON',
      written((header, payload, signature) => `${signature}.${header}.${payload}`),
    ),
    tokenAttack('two tokens in a row', 'RFC 7515 section 7.1', three, async (at) => `${await at.main.token()}.${await at.main.token()}`),
  ],
)

/** Changes the last character of a segment whose last bits carry nothing. */
const nextCharacter = (text: string) => `${text.slice(0, -1)}${String.fromCharCode(text.charCodeAt(text.length - 1) + 1)}`
const alphabet = 'RFC 4648 section 3.3, RFC 7515 appendix C'
/** Signs texts of segments as they stand, whatever their alphabet. */
const signedText = (change: (header: string, payload: string) => string) => (at: House) => {
  const input = change(encode(JSON.stringify(goodHeader(at))), encode(goodPayload(at, at.main, ',"x":"\u00ff\u00fe?>~~"')))
  return `${input}.${encode(ecdsa(at.key('ES256').privateKey)(input))}`
}
const standard = (text: string) => text.replaceAll('-', '+').replaceAll('_', '/')

attackGroup(
  'one token is one text',
  house,
  [
    tokenControl('base64url', (at) => at.main.token()),
    tokenControl(
      'base64url that the attack itself signed',
      signedText((header, payload) => `${header}.${payload}`),
    ),
  ],
  [
    tokenAttack(
      'trailing bits in the signature',
      'RFC 4648 section 3.5',
      'not canonical',
      written((header, payload, signature) => `${header}.${payload}.${nextCharacter(signature)}`),
    ),
    tokenAttack('trailing bits in a signed payload', 'RFC 4648 section 3.5', 'not canonical', (at) => {
      // The padding by blanks leaves two unused bits, whatever the length of the port.
      const payload = goodPayload(at)
      const even = payload.padEnd(Math.ceil(payload.length / 3) * 3 + 2)
      const input = `${encode(JSON.stringify(goodHeader(at)))}.${nextCharacter(encode(even))}`
      return `${input}.${encode(ecdsa(at.key('ES256').privateKey)(input))}`
    }),
    tokenAttack(
      'padding behind the signature',
      'RFC 7515 section 2',
      three,
      written((...parts) => `${parts.join('.')}==`),
    ),
    tokenAttack(
      'one sign of padding',
      'RFC 7515 section 2',
      three,
      written((...parts) => `${parts.join('.')}=`),
    ),
    tokenAttack(
      'the alphabet of plain base64, signed',
      alphabet,
      three,
      signedText((header, payload) => `${standard(header)}.${standard(payload)}`),
    ),
    tokenAttack(
      'a tilde',
      alphabet,
      three,
      written((...parts) => `${parts.join('.')}~`),
    ),
    tokenAttack(
      'a signature of one character',
      'RFC 4648 section 4',
      'the signature is not',
      written((header, payload) => `${header}.${payload}.A`),
    ),
    tokenAttack(
      'a character too many',
      'RFC 4648 section 4',
      'signature',
      written((...parts) => `${parts.join('.')}A`),
    ),
    tokenAttack(
      'a tilde inside',
      'RFC 6750 section 2.1',
      three,
      written((header, payload, signature) => `${header}.${payload}.${signature.slice(0, -1)}~${signature.slice(-1)}`),
    ),
  ],
)
