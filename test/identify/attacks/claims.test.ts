import type { TokenOptions } from '../../support/issuer.ts'
import { type Attack, atHouse, attackGroup, type Control, tokenAttack, tokenControl } from './attack.ts'
import type { House } from './house.ts'

const house = atHouse()

type Claims = Readonly<Record<string, unknown>>
type Claiming = Claims | ((house: House) => Claims)

const minted = (claims: Claiming, options?: TokenOptions) => (at: House) => at.main.token(typeof claims === 'function' ? claims(at) : claims, options)
const passes = (name: string, claims: Claiming, options?: TokenOptions): Control => tokenControl(name, minted(claims, options))
const refused = (name: string, source: string, why: string, claims: Claiming): Attack => tokenAttack(name, source, why, minted(claims))
const typed = (name: string, source: string, why: string, header: Claims): Attack => tokenAttack(name, source, why, minted({}, { header }))

const notTime = (name: string) => `"${name}" is not a time in seconds`

attackGroup(
  'times',
  house,
  [
    passes('five minutes', {}),
    passes('no iat', { iat: undefined }),
    passes('a start that has been', (at) => ({ nbf: at.now() })),
    passes('the longest life there may be', (at) => ({ iat: at.now(), exp: at.now() + 3600 })),
    passes('an end within the tolerance', (at) => ({ iat: at.now() - 100, exp: at.now() - 10 })),
    passes('a fraction of a second', (at) => ({ exp: at.now() + 60.5 })),
  ],
  [
    refused('no exp', 'RFC 9068 section 2.2, RFC 8725 section 3.10', 'no expiry', { exp: undefined }),
    refused('an exp that has been', 'RFC 7519 section 4.1.4', 'expired', (at) => ({ iat: at.now() - 400, exp: at.now() - 60 })),
    refused('an exp in text', 'RFC 7519 section 2 (NumericDate)', notTime('exp'), (at) => ({ exp: `${at.now() + 300}` })),
    refused('an exp in ISO 8601', 'RFC 7519 section 2', notTime('exp'), { exp: '2999-01-01T00:00:00Z' }),
    refused('an exp in milliseconds', 'reference, section 3', notTime('exp'), (at) => ({ exp: (at.now() + 300) * 1000 })),
    refused('an exp that is null', 'RFC 7519 section 2', notTime('exp'), { exp: null }),
    refused('an exp that is true', 'RFC 7519 section 2', notTime('exp'), { exp: true }),
    refused('an exp that is a list', 'RFC 7519 section 2', notTime('exp'), (at) => ({ exp: [at.now() + 300] })),
    refused('an exp that is an object', 'RFC 7519 section 2', notTime('exp'), (at) => ({ exp: { seconds: at.now() + 300 } })),
    refused('an exp of zero', 'RFC 7519 section 4.1.4', 'expired', { exp: 0, iat: undefined }),
    refused('a negative exp', 'RFC 7519 section 2', notTime('exp'), { exp: -1 }),
    refused('an exp of 2 to the 40', 'reference, section 3', notTime('exp'), { exp: 2 ** 40 }),
    refused('the largest double as exp', 'reference, section 3', notTime('exp'), { exp: Number.MAX_VALUE }),
    refused('a life over the limit', 'design, Identify (maxLifetime)', 'lives longer', (at) => ({ iat: at.now(), exp: at.now() + 3601 })),
    refused('a life of ten years', 'design, Identify', 'lives longer', (at) => ({ exp: at.now() + 315_360_000 })),
    refused('a life over the limit, without iat', 'design, Identify', 'lives longer', (at) => ({ iat: undefined, exp: at.now() + 3700 })),
    refused('a life over the limit, from an iat long ago', 'design, Identify', 'lives longer', (at) => ({ iat: at.now() - 7200, exp: at.now() + 60 })),
    refused('an end before the beginning', 'RFC 7519 section 4.1', 'before it was issued', (at) => ({ iat: at.now() + 20, exp: at.now() + 10 })),
    refused('an iat in the future', 'RFC 7519 section 4.1.6', 'in the future', (at) => ({ iat: at.now() + 120, exp: at.now() + 300 })),
    refused('an iat in text', 'RFC 7519 section 4.1.6', notTime('iat'), (at) => ({ iat: `${at.now()}` })),
    refused('an iat in milliseconds', 'RFC 7519 section 4.1.6', notTime('iat'), (at) => ({ iat: at.now() * 1000 })),
    refused('a negative iat', 'RFC 7519 section 4.1.6', notTime('iat'), { iat: -1 }),
    refused('an nbf in the future', 'RFC 7519 section 4.1.5', 'not valid yet', (at) => ({ nbf: at.now() + 120 })),
    refused('an nbf in text', 'RFC 7519 section 4.1.5', notTime('nbf'), { nbf: '0' }),
    refused('an nbf that is null', 'RFC 7519 section 4.1.5', notTime('nbf'), { nbf: null }),
    refused('an nbf that is false', 'RFC 7519 section 4.1.5', notTime('nbf'), { nbf: false }),
  ],
)

const elsewhere = 'an issuer that is not accepted here'

attackGroup(
  'the issuer',
  house,
  [passes('as the policies have it', {})],
  [
    refused('none', 'RFC 9068 section 2.2', 'no issuer', { iss: undefined }),
    refused('null', 'RFC 9068 section 2.2', 'no issuer', { iss: null }),
    refused('a list with the right one', 'RFC 7519 section 4.1.1', 'no issuer', (at) => ({ iss: [at.main.url] })),
    refused('an object', 'RFC 7519 section 4.1.1', 'no issuer', (at) => ({ iss: { url: at.main.url } })),
    refused('empty', 'RFC 7519 section 4.1.1', elsewhere, { iss: '' }),
    refused('a slash behind', 'RFC 8414 section 3.3 (simple string comparison)', elsewhere, (at) => ({ iss: `${at.main.url}/` })),
    refused('in capitals', 'RFC 8414 section 3.3', elsewhere, (at) => ({ iss: at.main.url.toUpperCase() })),
    refused('a space behind', 'RFC 8414 section 3.3', elsewhere, (at) => ({ iss: `${at.main.url} ` })),
    refused('a fragment behind', 'RFC 8414 section 2', elsewhere, (at) => ({ iss: `${at.main.url}#` })),
    refused('a query behind', 'RFC 8414 section 2', elsewhere, (at) => ({ iss: `${at.main.url}?` })),
    refused('in https', 'RFC 8414 section 3.3', elsewhere, (at) => ({ iss: at.main.url.replace('http:', 'https:') })),
    refused('with userinfo', 'RFC 8414 section 3.3', elsewhere, (at) => ({ iss: at.main.url.replace('127.', 'user@127.') })),
    refused('by another name of its host', 'RFC 8414 section 3.3', elsewhere, (at) => ({ iss: at.main.url.replace('127.0.0.1', 'localhost') })),
    refused('with its path encoded', 'RFC 8414 section 3.3', elsewhere, (at) => ({ iss: at.main.url.replace('/main', '/%6Dain') })),
    refused('with dots', 'RFC 8414 section 3.3', elsewhere, (at) => ({ iss: `${at.main.url}/../main` })),
    refused('its name in the policies', 'RFC 8414 section 3.3', elsewhere, { iss: 'main' }),
    refused('a longer one', 'RFC 8414 section 3.3', elsewhere, (at) => ({ iss: `${at.main.url}.evil.example` })),
    refused('of another issuer, signed with the key of this one', 'RFC 8725 section 3.8', elsewhere, (at) => ({ iss: at.other.url })),
    tokenAttack('a good token of an issuer that is not for this route', 'RFC 8725 section 3.8', elsewhere, (at) => at.other.token()),
  ],
)

const audience = 'https://api.example.com'
const untyped = '"aud" is not a string or a list of strings'

attackGroup(
  'the audience',
  house,
  [passes('in a list of its own', { aud: [audience] }), passes('among others', { aud: ['https://elsewhere.example', audience] })],
  [
    refused('none', 'RFC 9068 section 4', untyped, { aud: undefined }),
    refused('another', 'RFC 7519 section 4.1.3, RFC 8725 section 3.9', 'another audience', { aud: 'https://elsewhere.example' }),
    refused('others', 'RFC 7519 section 4.1.3', 'another audience', { aud: ['https://a.example', 'https://b.example'] }),
    refused('an empty list', 'RFC 7519 section 4.1.3', 'another audience', { aud: [] }),
    refused('empty', 'RFC 7519 section 4.1.3', 'another audience', { aud: '' }),
    refused('a star', 'RFC 7519 section 4.1.3', 'another audience', { aud: '*' }),
    refused('a longer one', 'RFC 7519 section 4.1.3', 'another audience', { aud: `${audience}.evil.example` }),
    refused('a shorter one', 'RFC 7519 section 4.1.3', 'another audience', { aud: 'https://api.example' }),
    refused('a slash behind', 'RFC 7519 section 2 (StringOrURI)', 'another audience', { aud: `${audience}/` }),
    refused('in capitals', 'RFC 7519 section 2 (case-sensitive)', 'another audience', { aud: audience.toUpperCase() }),
    refused('several in one text', 'RFC 7519 section 4.1.3', 'another audience', { aud: `${audience} https://b.example` }),
    refused('an object', 'RFC 7519 section 4.1.3', untyped, { aud: { [audience]: true } }),
    refused('an object that looks like a list', 'reference, section 3', untyped, { aud: { 0: audience, length: 1 } }),
    refused('a number', 'RFC 7519 section 4.1.3', untyped, { aud: 1 }),
    refused('null', 'RFC 7519 section 4.1.3', untyped, { aud: null }),
    refused('true', 'RFC 7519 section 4.1.3', untyped, { aud: true }),
    refused('a list with a number', 'RFC 7519 section 4.1.3', untyped, { aud: [audience, 1] }),
    refused('a list in a list', 'RFC 7519 section 4.1.3', untyped, { aud: [[audience]] }),
    refused('a list with null', 'RFC 7519 section 4.1.3', untyped, { aud: [audience, null] }),
  ],
)

const notPrintable = (name: string) => `"${name}" is not a printable string`

attackGroup(
  'who it is',
  house,
  [
    passes('a subject', { sub: 'u1' }),
    passes('a subject of 255 characters', { sub: 'u'.repeat(255) }),
    passes('a subject beyond ASCII', { sub: 'Zoë@example' }),
    passes('a client', { azp: 'c1', client_id: 'c1', jti: 'one' }),
  ],
  [
    refused('no sub', 'RFC 9068 section 2.2', 'no "sub"', { sub: undefined }),
    ...(
      [
        ['empty', ''],
        ['a number', 7],
        ['null', null],
        ['an object', { id: 'u1' }],
        ['a list', ['u1']],
        ['true', true],
        ['with a line end', 'u1\r\nx-admin: true'],
        ['with NUL', 'u1\u0000'],
        ['with an escape character', 'u1\u001b[2J'],
        ['with DEL', 'u1\u007f'],
        ['with a control of the upper half', 'u1\u0085'],
        ['with a line separator', 'u1\u2028'],
        ['with an invisible character', 'admin\u200b'],
        ['written backwards', '\u202eadmin'],
        ['with a byte order mark', '\ufeffadmin'],
        ['of 256 characters', 'u'.repeat(256)],
      ] as const
    ).map(([what, sub]) => refused(`a sub ${what}`, 'RFC 7519 section 4.1.2, CWE-117', notPrintable('sub'), { sub })),
    refused('an azp that is a list', 'RFC 9068 section 2.2', notPrintable('azp'), { azp: ['c1'] }),
    refused('an azp that is empty', 'RFC 9068 section 2.2', notPrintable('azp'), { azp: '' }),
    refused('a client_id that is a number', 'RFC 8693 section 4.3', notPrintable('client_id'), { client_id: 1 }),
    refused('a client_id with a line end', 'CWE-117', notPrintable('client_id'), { client_id: 'c1\n' }),
    refused('a jti that is a number', 'RFC 7519 section 4.1.7', notPrintable('jti'), { jti: 1 }),
    refused('a jti of 256 characters', 'RFC 7519 section 4.1.7', notPrintable('jti'), { jti: 'j'.repeat(256) }),
  ],
)

attackGroup(
  'scopes',
  house,
  [passes('in one text', { scope: 'a orders:read' }), passes('in a list', { scope: undefined, scp: ['orders:read'] })],
  [
    ...(
      [
        ['an object', { 'orders:read': true }],
        ['a number', 1],
        ['true', true],
        ['null', null],
        ['a list with a number', ['orders:read', 1]],
        ['a list in a list', [['orders:read']]],
        ['a list whose item holds two', ['orders:read admin']],
        ['a list with an empty item', ['orders:read', '']],
        ['an object that looks like a list', { 0: 'orders:read', length: 1 }],
        ['with a line end', 'orders:read\nadmin'],
        ['with a tab', 'orders:read\tadmin'],
        ['with a quote', 'orders:read "admin"'],
        ['with a backslash', 'orders:read a\\b'],
        ['beyond ASCII', 'orders:read ädmin'],
      ] as const
    ).map(([what, scope]) => refused(`scopes: ${what}`, 'RFC 6749 section 3.3, RFC 9068 section 2.2.3', 'is not a list of scopes', { scope })),
    refused('the second scope claim does not help a bad first', 'design, Identify', 'is not a list of scopes', { scope: 1, scp: ['orders:read'] }),
  ],
)

attackGroup(
  'the type of the token',
  house,
  [passes('at+jwt', {}), passes('as a media type', {}, { header: { typ: 'application/at+jwt' } }), passes('in capitals', {}, { header: { typ: 'AT+JWT' } })],
  [
    ...[
      'JWT',
      'id+jwt',
      'id_token',
      'logout+jwt',
      'refresh+jwt',
      'rt+jwt',
      'dpop+jwt',
      'secevent+jwt',
      'token-introspection+jwt',
      'oauth-authz-req+jwt',
      'dc+sd-jwt',
      'JOSE',
      'at',
      'at+jwt;x=1',
      '',
    ].map((typ) => typed(`typ "${typ}"`, 'RFC 8725 section 3.11, RFC 9068 section 4', 'a token of type', { typ })),
    typed('no typ', 'RFC 9068 section 4', 'a token of type', { typ: undefined }),
    typed('another media type', 'RFC 9068 section 4', 'a token of type', { typ: 'text/at+jwt' }),
    typed('a list', 'RFC 7515 section 4.1.9', 'the type is not a string', { typ: ['at+jwt'] }),
    typed('a number', 'RFC 7515 section 4.1.9', 'the type is not a string', { typ: 1 }),
    typed('null', 'RFC 7515 section 4.1.9', 'the type is not a string', { typ: null }),
  ],
)

attackGroup(
  'bindings without proof',
  house,
  [passes('no binding', {})],
  [
    ...([{}, [], null, 'text', 1, true] as const).map((cnf) => refused(`cnf ${JSON.stringify(cnf)}`, 'RFC 7800 section 3.1', 'cnf', { cnf })),
    ...(
      [
        { jkt: 'short' },
        { jkt: 7 },
        { jkt: null },
        { 'x5t#S256': 'short' },
        { 'x5t#S512': 'a'.repeat(43) },
        { jwk: { kty: 'EC' } },
        { jwe: 'a' },
        { kid: 'k' },
        { jku: 'https://evil.example' },
        { osc: {} },
        { jkt: 'a'.repeat(43), kid: 'k' },
      ] as const
    ).map((cnf) => refused(`cnf ${JSON.stringify(cnf)}`, 'RFC 7800 section 3, RFC 9449 section 6', 'in a way that is not supported', { cnf })),
    refused('a key, as bearer token', 'RFC 9449 section 7.2', 'without the scheme DPoP', { cnf: { jkt: 'a'.repeat(43) } }),
    refused('a certificate, without one', 'RFC 8705 section 3', 'client certificate', { cnf: { 'x5t#S256': 'a'.repeat(43) } }),
  ],
)
