import { type Attack, atHouse, attackGroup, both, type Control, h2c, http1, type Message, raw, refusals } from './attack.ts'
import type { House } from './house.ts'

const house = atHouse()
type Field = readonly [name: string, value: string]

/** The same fields to the route that needs a token and the one that takes one, over both protocols. */
const everywhere = (headers: readonly Field[]): readonly Message[] => ['/private/7', '/maybe/7'].flatMap((path) => both({ path, headers }))
const offered = (name: string, make: (token: string, house: House) => readonly Field[]): Control => ({
  name,
  send: async (at) => everywhere(make(await at.main.token(), at)),
})
const refused = (name: string, source: string, as: Attack['as'], make: (token: string, house: House) => readonly Field[]): Attack => ({
  ...offered(name, make),
  source,
  as,
})
const authorization = (value: (token: string) => string) => (token: string) => [['authorization', value(token)]] as const
const shape = 'RFC 6750 section 2.1, RFC 9110 section 11.4'
const several = 'RFC 6750 section 3.1 (more than one method), RFC 9110 section 5.3'

attackGroup(
  'one Authorization header with one bearer token',
  house,
  [
    offered(
      'Bearer',
      authorization((token) => `Bearer ${token}`),
    ),
    offered(
      'bearer in lower case',
      authorization((token) => `bearer ${token}`),
    ),
    offered(
      'BEARER in capitals',
      authorization((token) => `BEARER ${token}`),
    ),
    offered(
      'two spaces',
      authorization((token) => `Bearer  ${token}`),
    ),
  ],
  [
    refused('two headers', several, refusals.severalTokens, (token) => [
      ['authorization', `Bearer ${token}`],
      ['authorization', 'Bearer x'],
    ]),
    refused('two headers, the good one last', several, refusals.severalTokens, (token) => [
      ['authorization', 'Bearer x'],
      ['authorization', `Bearer ${token}`],
    ]),
    refused('two equal headers', several, refusals.severalTokens, (token) => [
      ['authorization', `Bearer ${token}`],
      ['authorization', `Bearer ${token}`],
    ]),
    refused('two headers of two schemes', several, refusals.severalTokens, (token) => [
      ['authorization', 'Basic dTpw'],
      ['authorization', `Bearer ${token}`],
    ]),
    refused(
      'two tokens behind a comma',
      several,
      refusals.noSingleToken,
      authorization((token) => `Bearer ${token}, Bearer ${token}`),
    ),
    refused(
      'two tokens behind a comma without space',
      several,
      refusals.noSingleToken,
      authorization((token) => `Bearer ${token},Bearer x`),
    ),
    refused(
      'two tokens behind a space',
      several,
      refusals.noSingleToken,
      authorization((token) => `Bearer ${token} ${token}`),
    ),
    refused(
      'a token and a parameter',
      shape,
      refusals.noSingleToken,
      authorization((token) => `Bearer ${token}, realm="x"`),
    ),
    refused(
      'the scheme twice',
      shape,
      refusals.noSingleToken,
      authorization((token) => `Bearer Bearer ${token}`),
    ),
    refused(
      'the scheme alone',
      shape,
      refusals.noSingleToken,
      authorization(() => 'Bearer'),
    ),
    refused(
      'a token in quotes',
      shape,
      refusals.noSingleToken,
      authorization((token) => `Bearer "${token}"`),
    ),
    refused(
      'a token as a parameter',
      shape,
      refusals.noSingleToken,
      authorization((token) => `Bearer token="${token}"`),
    ),
    refused(
      'a token with a colon before it',
      shape,
      refusals.noSingleToken,
      authorization((token) => `Bearer :${token}`),
    ),
    refused(
      'a token with a semicolon behind it',
      shape,
      refusals.noSingleToken,
      authorization((token) => `Bearer ${token};`),
    ),
    refused(
      'a token with a tab inside',
      shape,
      refusals.noSingleToken,
      authorization((token) => `Bearer ${token.slice(0, 9)}\t${token.slice(9)}`),
    ),
    refused(
      'a token with a space inside',
      shape,
      refusals.noSingleToken,
      authorization((token) => `Bearer ${token.slice(0, 9)} ${token.slice(9)}`),
    ),
    refused(
      'a token with a byte beyond ASCII',
      shape,
      refusals.noSingleToken,
      authorization((token) => `Bearer ${token}\u00e9`),
    ),
    refused(
      'a tab behind the scheme',
      shape,
      refusals.nobody,
      authorization((token) => `Bearer\t${token}`),
    ),
    refused(
      'no space behind the scheme',
      shape,
      refusals.nobody,
      authorization((token) => `Bearer${token}`),
    ),
    refused(
      'a comma behind the scheme',
      shape,
      refusals.nobody,
      authorization((token) => `Bearer,${token}`),
    ),
    refused(
      'a colon behind the scheme',
      shape,
      refusals.nobody,
      authorization((token) => `Bearer:${token}`),
    ),
    refused(
      'the token alone',
      shape,
      refusals.nobody,
      authorization((token) => token),
    ),
    refused(
      'something before the scheme',
      shape,
      refusals.nobody,
      authorization((token) => `x Bearer ${token}`),
    ),
    refused(
      'the scheme in quotes',
      shape,
      refusals.nobody,
      authorization((token) => `"Bearer" ${token}`),
    ),
    ...['Basic', 'Digest', 'Negotiate', 'Token', 'JWT', 'OAuth', 'MAC', 'GNAP', 'PrivateToken', 'Bearer2', 'HoBa'].map((scheme) =>
      refused(
        `the scheme ${scheme}`,
        'RFC 9110 section 11.1',
        refusals.nobody,
        authorization((token) => `${scheme} ${token}`),
      ),
    ),
    refused(
      'another scheme and then Bearer',
      'RFC 9110 section 11.1',
      refusals.nobody,
      authorization((token) => `Basic dTpw, Bearer ${token}`),
    ),
    refused(
      'the scheme DPoP for a token that is bound to nothing',
      'RFC 9449 section 7.1',
      refusals.badToken,
      authorization((token) => `DPoP ${token}`),
    ),
    refused(
      'an empty token in base64',
      shape,
      refusals.noSingleToken,
      authorization(() => 'Bearer ='),
    ),
  ],
)

const needsOne = (name: string, source: string, send: (token: string) => readonly Message[]): Attack => ({
  name,
  source,
  as: refusals.nobody,
  send: async (at) => send(await at.main.token()),
})
const form = 'application/x-www-form-urlencoded'

attackGroup(
  'a token in any other place is no credential',
  house,
  [
    {
      name: 'the same request with the token in its place',
      send: async (at) => {
        const token = await at.main.token()
        const headers = [['authorization', `Bearer ${token}`]] as const
        return both({ method: 'POST', path: '/private/7?a=1', headers: [...headers, ['content-type', form]], body: 'a=1' })
      },
    },
  ],
  [
    needsOne('in the query', 'RFC 6750 section 2.3, RFC 9700 section 4.3.2', (token) => both({ path: `/private/7?access_token=${token}` })),
    needsOne('in the query under another name', 'RFC 9700 section 4.3.2', (token) =>
      ['token', 'jwt', 'id_token', 'bearer', 'authorization', 'auth'].flatMap((name) => both({ path: `/private/7?${name}=${token}` })),
    ),
    needsOne('in a form', 'RFC 6750 section 2.2', (token) =>
      both({ method: 'POST', path: '/private/7', headers: [['content-type', form]], body: `access_token=${token}` }),
    ),
    needsOne('in JSON', 'RFC 6750 section 2', (token) =>
      both({ method: 'POST', path: '/private/7', headers: [['content-type', 'application/json']], body: JSON.stringify({ access_token: token }) }),
    ),
    needsOne('in a cookie', 'RFC 6750 section 2', (token) =>
      ['access_token', 'token', 'Authorization', 'session'].flatMap((name) => both({ path: '/private/7', headers: [['cookie', `${name}=${token}`]] })),
    ),
    needsOne('in the path', 'RFC 6750 section 2', (token) => both({ path: `/private/${token}` })),
    needsOne('in another header', 'RFC 6750 section 2', (token) =>
      [
        'x-authorization',
        'x-access-token',
        'x-auth-token',
        'proxy-authorization',
        'authentication',
        'authorization-x',
        'x-forwarded-authorization',
        'x-original-authorization',
        'x-forwarded-access-token',
        'x-amzn-oidc-data',
        'cf-access-jwt-assertion',
        'sec-websocket-protocol',
        'www-authenticate',
      ].flatMap((name) => both({ path: '/private/7', headers: [[name, `Bearer ${token}`]] })),
    ),
    needsOne('as metadata', 'RFC 6750 section 2', (token) => both({ path: '/private/7', headers: [['grpc-metadata-authorization', `Bearer ${token}`]] })),
    needsOne('in the user agent', 'GHSA-5hvv-m4w4-gf6v class', (token) =>
      both({ path: '/private/7', headers: [['user-agent', `GoogleHC/1.0 Bearer ${token}`]] }),
    ),
  ],
)

/** Written by hand: clients would not. */
const lines = (name: string, source: string, as: Attack['as'], make: (token: string) => readonly string[]): Attack => ({
  name,
  source,
  as,
  send: async (at) => [raw(...make(await at.main.token()), '', '')],
})
const get = 'GET /private/7 HTTP/1.1'
const from = 'Host: a.example'

attackGroup(
  'the lines of the header',
  house,
  [
    { name: 'written by hand', send: async (at) => [raw(get, from, `Authorization: Bearer ${await at.main.token()}`, '', '')] },
    { name: 'without a space', send: async (at) => [raw(get, from, `AUTHORIZATION:Bearer ${await at.main.token()}`, '', '')] },
    { name: 'with blanks around the value', send: async (at) => [raw(get, from, `authorization: \t Bearer ${await at.main.token()} \t`, '', '')] },
  ],
  [
    lines('a folded value', 'RFC 9112 section 5.2', refusals.request, (token) => [get, from, 'Authorization: Bearer', ` ${token}`]),
    lines('a value folded with a tab', 'RFC 9112 section 5.2', refusals.request, (token) => [get, from, 'Authorization: Bearer', `\t${token}`]),
    lines('a folded value of another field', 'RFC 9112 section 5.2', refusals.request, (token) => [
      get,
      from,
      'X-A: b',
      ' c',
      `Authorization: Bearer ${token}`,
    ]),
    lines('a blank before the colon', 'RFC 9112 section 5.1', refusals.request, (token) => [get, from, `Authorization : Bearer ${token}`]),
    lines('a blank before the name', 'RFC 9112 section 2.2', refusals.request, (token) => [get, ` Authorization: Bearer ${token}`, from]),
    lines('a name with "_"', 'GHSA-vjrc-mh2v-45x6', refusals.request, (token) => [get, from, `Authorization: Bearer ${token}`, 'X_User: admin']),
    lines('a line without a colon', 'RFC 9112 section 5', refusals.request, (token) => [get, from, `Authorization Bearer ${token}`]),
    lines('no name', 'RFC 9112 section 5', refusals.request, (token) => [get, from, `: x`, `Authorization: Bearer ${token}`]),
    lines('NUL in the value', 'RFC 9110 section 5.5', refusals.request, (token) => [get, from, `Authorization: Bearer ${token}\u0000`]),
    lines('NUL in another value', 'RFC 9110 section 5.5', refusals.request, (token) => [get, from, `Authorization: Bearer ${token}`, 'X-A: \u0000']),
    lines('a bare CR in the value', 'RFC 9112 section 2.2', refusals.request, (token) => [get, from, `X-A: b\rAuthorization: Bearer ${token}`]),
    lines('an escape character in a value', 'RFC 9110 section 5.5', refusals.request, (token) => [
      get,
      from,
      `Authorization: Bearer ${token}`,
      'X-A: \u001b[2J',
    ]),
    lines('a name beyond ASCII', 'RFC 9110 section 5.1', refusals.request, (token) => [get, from, `Authorization: Bearer ${token}`, 'X-\u00dcser: admin']),
    lines('the header named by Connection', 'RFC 9110 section 7.6.1', refusals.request, (token) => [
      get,
      from,
      'Connection: close, Authorization',
      `Authorization: Bearer ${token}`,
    ]),
    lines('an identity header named by Connection', 'RFC 9110 section 7.6.1', refusals.request, (token) => [
      get,
      from,
      'Connection: x-user',
      `Authorization: Bearer ${token}`,
    ]),
    lines('only in a trailer', 'RFC 9110 section 6.5.1', { ...refusals.nobody }, (token) => [
      'POST /private/7 HTTP/1.1',
      from,
      'Transfer-Encoding: chunked',
      '',
      '0',
      `Authorization: Bearer ${token}`,
    ]),
    lines('in a trailer that is announced', 'RFC 9110 section 6.6.2', refusals.request, (token) => [
      'POST /private/7 HTTP/1.1',
      from,
      'Transfer-Encoding: chunked',
      'Trailer: authorization',
      '',
      '0',
      `Authorization: Bearer ${token}`,
    ]),
  ],
)

attackGroup(
  'no credential',
  house,
  [{ name: 'a token', send: async (at) => [http1({ path: '/private/7', headers: [['authorization', `Bearer ${await at.main.token()}`]] })] }],
  ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'M-SEARCH'].flatMap((method): Attack[] =>
    method === 'HEAD'
      ? []
      : [
          {
            name: method,
            source: 'RFC 6750 section 3',
            as: refusals.nobody,
            send: () => [http1({ method, path: '/private/7' }), h2c({ method, path: '/private/7' })],
          },
        ],
  ),
)
