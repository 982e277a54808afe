import { deflateRawSync } from 'node:zlib'
import { always, ecdsa, encode, forge } from '../../support/forge.ts'
import { type Attack, atHouse, attackGroup, type Control, http1, refusals, tokenAttack, tokenControl, withToken } from './attack.ts'
import { goodHeader, goodPayload } from './good.ts'
import type { House } from './house.ts'

const house = atHouse()
type Text = (text: string, house: House) => string | Uint8Array

const same: Text = (text) => text
/** A token of texts that are changed first and signed well then: it is the text that is refused. */
const forged =
  (payload: Text, header: Text = same) =>
  (at: House) =>
    forge(header(JSON.stringify(goodHeader(at)), at), payload(goodPayload(at), at), ecdsa(at.key('ES256').privateKey))

const latin1 = (text: string) => Buffer.from(text, 'latin1')
/** More members behind those that are there. */
const more =
  (members: string): Text =>
  (text) =>
    `${text.slice(0, -1)},${members}}`
const control = (name: string, payload: Text, header: Text = same): Control => tokenControl(name, forged(payload, header))
const inPayload = (name: string, source: string, change: Text, why = 'the payload is not'): Attack =>
  tokenAttack(`payload: ${name}`, source, why, forged(change))
const inHeader = (name: string, source: string, change: Text, why = 'the header is not'): Attack =>
  tokenAttack(`header: ${name}`, source, why, forged(same, change))

const bytes = (before: readonly number[], text: string, behind: readonly number[] = []) =>
  Buffer.concat([Buffer.from(before), Buffer.from(text), Buffer.from(behind)])
const json = 'RFC 8259'
const utf8 = 'RFC 8259 section 8.1, RFC 7515 section 5.2'

attackGroup(
  'texts in one encoding',
  house,
  [control('a plain text', same), control('text beyond ASCII', more('"x":"Zoë €"')), control('blanks around it', (text) => ` \r\n\t${text} `)],
  [
    inPayload('a byte order mark', utf8, (text) => bytes([0xef, 0xbb, 0xbf], text)),
    inHeader('a byte order mark', utf8, (text) => bytes([0xef, 0xbb, 0xbf], text)),
    inPayload('UTF-16', utf8, (text) => Buffer.from(text, 'utf16le')),
    inPayload('UTF-16 with its mark', utf8, (text) => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')])),
    inHeader('UTF-16', utf8, (text) => Buffer.from(text, 'utf16le')),
    inPayload('a byte that is no UTF-8', utf8, (text) => latin1(text.replace('u1', 'u\u00ff'))),
    inPayload('Latin-1', utf8, (text) => latin1(text.replace('u1', 'Zo\u00eb'))),
    inPayload('an overlong slash', 'RFC 3629 section 3', (text) => latin1(text.replace('u1', 'u\u00c0\u00af'))),
    inPayload('an overlong NUL', 'RFC 3629 section 3', (text) => latin1(text.replace('u1', 'u\u00c0\u0080'))),
    inPayload('a surrogate in bytes', 'RFC 3629 section 3', (text) => latin1(text.replace('u1', 'u\u00ed\u00a0\u0080'))),
    inPayload('a sequence that is cut off', 'RFC 3629 section 3', (text) => latin1(text.replace('u1', 'u\u00e2\u0082'))),
    inPayload('beyond the last character', 'RFC 3629 section 3', (text) => latin1(text.replace('u1', 'u\u00f4\u0090\u0080\u0080'))),
    inHeader('a byte that is no UTF-8', utf8, (text) => latin1(text.replace('at+jwt', 'at+jwt\u00ff'))),
    inPayload('NUL behind', json, (text) => bytes([], text, [0])),
    inPayload('NUL before', json, (text) => bytes([0], text)),
    inPayload('NUL inside a text', json, (text) => text.replace('u1', 'u\u0000')),
    inPayload('a line end inside a text', json, (text) => text.replace('u1', 'u\n1')),
    inPayload('no bytes but blanks', json, () => '   '),
    inPayload('compressed', 'RFC 7516 section 4.1.3', (text) => deflateRawSync(text)),
    inPayload('in base64 once more', 'RFC 7519 section 5.2 (nested)', (text) => encode(text)),
    inPayload('half a surrogate pair, escaped', 'RFC 8259 section 8.2', (text) => text.replace('u1', 'u\\ud800')),
    inPayload('half a surrogate pair in a name', 'RFC 8259 section 8.2', more('"\\udc00":1')),
  ],
)

const deep = (levels: number, open = '[', close = ']') => `"x":${open.repeat(levels)}${close.repeat(levels)}`

attackGroup(
  'texts that every parser reads alike',
  house,
  [
    control('a member that is new', more('"x":1')),
    control('a name in escapes', more('"\\u0078":1')),
    control('seven levels', more(deep(7))),
    control('a member with the name of a prototype', more('"__proto__":{"scope":"admin"}')),
  ],
  [
    inPayload('a member twice', 'RFC 7519 section 4, RFC 8725 section 2.4', more('"sub":"admin"'), 'given twice'),
    inPayload('the same member twice', 'RFC 7519 section 4', more('"sub":"u1"'), 'given twice'),
    inPayload('a member twice, in escapes', 'RFC 7519 section 4', more('"\\u0073ub":"admin"'), 'given twice'),
    inPayload('a member twice, in other escapes', 'RFC 7519 section 4', more('"s\\u0075b":"admin"'), 'given twice'),
    inPayload('exp twice', 'RFC 7519 section 4', more('"exp":1'), 'given twice'),
    inPayload('iss twice', 'RFC 7519 section 4', more('"iss":"https://evil.example"'), 'given twice'),
    inPayload('scope twice', 'RFC 7519 section 4', more('"scope":"admin"'), 'given twice'),
    inPayload('a member twice, inside', 'RFC 8259 section 4', more('"x":{"a":1,"a":2}'), 'given twice'),
    inPayload('a member twice, inside a list', 'RFC 8259 section 4', more('"x":[{"a":1,"a":2}]'), 'given twice'),
    inPayload('__proto__ twice', 'RFC 8259 section 4', more('"__proto__":1,"__proto__":2'), 'given twice'),
    inHeader('alg twice', 'RFC 7515 section 4', more('"alg":"none"'), 'given twice'),
    inHeader('alg twice, in escapes', 'RFC 7515 section 4', more('"\\u0061lg":"none"'), 'given twice'),
    inHeader('kid twice', 'RFC 7515 section 4', more('"kid":"evil"'), 'given twice'),
    inPayload('nine levels', 'CWE-674', more(deep(8)), 'more than 8 levels'),
    inPayload('nine levels of objects', 'CWE-674', more(`"x":${'{"x":'.repeat(8)}1${'}'.repeat(8)}`), 'more than 8 levels'),
    inPayload('2,000 levels', 'CWE-674', more(deep(2000)), 'more than 8 levels'),
    inPayload('2,000 levels that are never closed', 'CWE-674', more('"x":'.padEnd(2000, '[')), 'more than 8 levels'),
    inHeader('200 levels', 'CWE-674', more(deep(200)), 'more than 8 levels'),
    inPayload('an exp of 1e999', 'reference, section 3', (text) => text.replace(/"exp":\d+/, '"exp":1e999'), 'too large'),
    inPayload('an exp of -1e999', 'reference, section 3', (text) => text.replace(/"exp":\d+/, '"exp":-1e999'), 'too large'),
    inPayload('a number of 400 digits', 'CWE-190', more(`"x":${'9'.repeat(400)}`), 'too large'),
    inPayload('a number beyond the doubles somewhere', 'RFC 8259 section 6', more('"x":[1e400]'), 'too large'),
    inPayload('a hexadecimal number', 'RFC 8259 section 6', (text) => text.replace(/"exp":\d+/, '"exp":0x7fffffff')),
    inPayload('a number with a sign', 'RFC 8259 section 6', (text) => text.replace(/"exp":/, '"exp":+')),
    inPayload('a number with zeros before it', 'RFC 8259 section 6', (text) => text.replace(/"exp":/, '"exp":0')),
    inPayload('a number without digits behind its point', 'RFC 8259 section 6', (text) => text.replace(/("exp":\d+)/, '$1.')),
    inPayload('Infinity', 'RFC 8259 section 6', (text) => text.replace(/"exp":\d+/, '"exp":Infinity')),
    inPayload('NaN', 'RFC 8259 section 6', (text) => text.replace(/"exp":\d+/, '"exp":NaN')),
    inPayload('a comma at the end', json, (text) => text.replace(/}$/, ',}')),
    inPayload('no comma', json, (text) => text.replace(',"sub"', ' "sub"')),
    inPayload('a comment', 'RFC 8259 section 2', (text) => text.replace('{', '{/* */')),
    inPayload('a comment at the end', 'RFC 8259 section 2', (text) => `${text}//`),
    inPayload('single quotes', json, more("'x':1")),
    inPayload('a name without quotes', json, more('x:1')),
    inPayload('an unknown escape', 'RFC 8259 section 7', more('"x":"\\x41"')),
    inPayload('two values', json, (text) => `${text}${text}`),
    inPayload('something behind it', json, (text) => `${text}x`),
    inPayload('a closing brace too many', json, (text) => `${text}}`),
    inPayload('a blank that is none', 'RFC 8259 section 2', (text) => `\u00a0${text}`),
    inPayload('a form feed', 'RFC 8259 section 2', (text) => `\f${text}`),
    ...['[]', '"text"', '1', 'true', 'null', ''].map((text) =>
      inPayload(
        `${text === '' ? 'no text' : text} in place of an object`,
        'RFC 7519 section 7.2',
        () => text,
        text === '' ? 'not three' : 'the payload is not',
      ),
    ),
    inPayload('a list around it', 'RFC 7519 section 7.2', (text) => `[${text}]`, 'not a JSON object'),
    inHeader('a list around it', 'RFC 7515 section 4', (text) => `[${text}]`, 'not a JSON object'),
    inHeader('null', 'RFC 7515 section 4', () => 'null', 'not a JSON object'),
    inHeader('a text', 'RFC 7515 section 4', () => '"ES256"', 'not a JSON object'),
    inPayload('claims under __proto__ alone', 'CWE-1321', (text) => `{"__proto__":${text}}`, 'no issuer'),
    inPayload('claims under constructor.prototype', 'CWE-1321', (text) => `{"constructor":{"prototype":${text}}}`, 'no issuer'),
    inHeader('its members under __proto__', 'CWE-1321', (text) => `{"__proto__":${text}}`, 'no algorithm'),
  ],
)

const filled =
  (length: number): Text =>
  (text) =>
    `${text.slice(0, -1)},"x":"${'x'.repeat(length - text.length - 7)}"}`
const tokenOf = (length: number) => (at: House) => {
  const spare = length - forged(filled(1000))(at).length
  // Three bytes make four characters.
  const token = forged(filled(1000 + Math.floor((spare * 3) / 4)))(at)
  return token.length > length ? forged(filled(1000 + Math.floor((spare * 3) / 4) - 1))(at) : token
}

attackGroup(
  'sizes',
  house,
  [tokenControl('a token of 8,190 characters or a little more', tokenOf(8192)), tokenControl('a header of 1 KiB', forged(same, filled(1024)))],
  [
    tokenAttack('a token of 8,193 characters or a little more', 'design, Identify (8 KiB)', 'longer than 8192', (at) => tokenOf(8196)(at)),
    tokenAttack('a token of 12,000 characters', 'design, Identify', 'longer than 8192', tokenOf(12_000)),
    tokenAttack('12,000 characters that are no token', 'design, Identify', 'longer than 8192', () => 'a'.repeat(12_000)),
    tokenAttack('4,000 dots', 'CWE-1333', 'not three', () => '.'.repeat(4000)),
    tokenAttack('a header of 1 KiB and a byte', 'design, Identify (header 1 KiB)', 'longer than 1024', forged(same, filled(1025))),
    tokenAttack('a header of 4 KiB', 'design, Identify', 'longer than 1024', forged(same, filled(4096))),
    {
      name: 'a token of 16 KiB and more',
      source: 'RFC 6585 section 5',
      as: refusals.tooLarge,
      send: (at) => [http1({ path: '/private/7', headers: [['authorization', `Bearer ${tokenOf(15_000)(at)}${'a'.repeat(1500)}`]] })],
    },
  ],
)

const member = (name: string) => `the header member "${name}" is refused`
const jwe = (header: Readonly<Record<string, unknown>>) => [encode(JSON.stringify(header)), 'a2V5', 'aXY', 'Y2lwaGVy', 'dGFn'].join('.')

attackGroup(
  'headers that change what is signed or how it is read',
  house,
  [control('a member that nobody knows', same, more('"x":1')), control('cty', same, more('"cty":"json"'))],
  [
    ...['["exp"]', '["b64"]', '["http://evil.example/x"]', '[]', '"exp"', 'null', '{}', '["alg"]'].map((crit) =>
      inHeader(`crit ${crit}`, 'RFC 7515 section 4.1.11, CVE-2025-59420', more(`"crit":${crit}`), member('crit')),
    ),
    inHeader('b64 false', 'RFC 7797 section 3', more('"b64":false'), member('b64')),
    inHeader('b64 true', 'RFC 7797 section 3', more('"b64":true'), member('b64')),
    inHeader('b64 false that is critical', 'RFC 7797 section 6', more('"b64":false,"crit":["b64"]'), member('crit')),
    inHeader('zip', 'RFC 8725 section 3.6, CVE-2024-28176', more('"zip":"DEF"'), member('zip')),
    tokenAttack('an unencoded payload', 'RFC 7797 section 5', 'not three', (at) => {
      const header = encode(JSON.stringify({ ...goodHeader(at), b64: false }))
      return `${header}.${goodPayload(at).replaceAll(/[^\w.-]/g, '~')}.${encode(ecdsa(at.key('ES256').privateKey)(header))}`
    }),
    tokenAttack('JWE, dir', 'RFC 7516 section 7.1', 'not three', () => jwe({ alg: 'dir', enc: 'A128GCM' })),
    tokenAttack('JWE with compression', 'CVE-2024-28176', 'not three', () => jwe({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' })),
    tokenAttack('JWE with a password of many rounds', 'CVE-2022-36083', 'not three', () =>
      jwe({ alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2_000_000_000, p2s: 'c2FsdA' }),
    ),
    tokenAttack('JWE encrypted to a key of the set', 'RFC 7519 section 5.2', 'not three', (at) =>
      jwe({ alg: 'ECDH-ES', enc: 'A128GCM', kid: at.key('ES256').kid, cty: 'JWT' }),
    ),
    tokenAttack('the header of a JWE over three segments', 'RFC 7516 section 9', 'an algorithm', (at) =>
      forge('{"alg":"dir","enc":"A128GCM","typ":"at+jwt"}', goodPayload(at), always(Buffer.from('x'))),
    ),
    tokenAttack('a good token inside a signed one', 'RFC 7519 section 5.2 (nested), RFC 8725 section 2.9', 'the payload is not', async (at) =>
      forge(JSON.stringify({ ...goodHeader(at), cty: 'JWT' }), await at.main.token(), ecdsa(at.key('ES256').privateKey)),
    ),
    tokenAttack('a good token inside an unsigned one', 'RFC 7519 section 5.2 (nested)', 'the payload is not', async (at) =>
      forge('{"alg":"none","cty":"JWT","typ":"at+jwt"}', await at.main.token(), always(Buffer.from('x'))),
    ),
    {
      name: 'JWS in JSON',
      source: 'RFC 7515 section 7.2',
      as: refusals.noSingleToken,
      send: (at) => withToken(JSON.stringify({ protected: encode(JSON.stringify(goodHeader(at))), payload: encode(goodPayload(at)), signature: 'x' })),
    },
  ],
)
