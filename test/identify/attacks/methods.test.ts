import { describe, expect, it } from 'vitest'
import { type Attack, atHouse, attackGroup, both, type Control, deliver, h2c, http1, type Refused, raw, refusals } from './attack.ts'

const house = atHouse()
const denied = '/site/x'
const overrides = ['x-http-method-override', 'x-http-method', 'x-method-override', 'X-HTTP-Method-Override', 'x.http.method.override'] as const

const saw =
  (method: string, without: readonly string[] = []): NonNullable<Control['saw']> =>
  (request) =>
    request.method === method && request.fields.every(([name]) => !without.some((one) => one.toLowerCase() === name))

attackGroup(
  'a method is what the request line says',
  house,
  [
    ...overrides.map(
      (name): Control => ({
        name: `GET with ${name}: DELETE goes on as GET, without it`,
        send: () => both({ path: denied, headers: [[name, 'DELETE']] }),
        saw: saw('GET', [name]),
      }),
    ),
    {
      name: 'POST with _method in the query goes on as POST',
      send: () => both({ method: 'POST', path: `${denied}?_method=DELETE`, body: '_method=DELETE' }),
      saw: saw('POST'),
    },
    { name: 'GET with a body', send: () => both({ method: 'GET', path: denied, body: 'a=1' }), saw: saw('GET') },
    // The line is written anew; what stands between its parts goes no further (RFC 9112 section 3).
    { name: 'two spaces before the target', send: () => [raw(`GET  ${denied} HTTP/1.1`, 'Host: a.example', '', '')], saw: saw('GET') },
    { name: 'HEAD where GET may', send: () => both({ method: 'HEAD', path: denied }), saw: saw('HEAD') },
    { name: 'an extension method, where no rule says otherwise', send: () => both({ method: 'PROPFIND', path: denied }), saw: saw('PROPFIND') },
  ],
  [
    ...overrides.map(
      (name): Attack => ({
        name: `DELETE with ${name}: GET`,
        source: 'CWE-650, OWASP verb tampering',
        as: refusals.forbidden,
        send: () => both({ method: 'DELETE', path: denied, headers: [[name, 'GET']] }),
      }),
    ),
    {
      name: 'DELETE with a body that says otherwise',
      source: 'CWE-650',
      as: refusals.forbidden,
      send: () => both({ method: 'DELETE', path: `${denied}?_method=GET`, body: '_method=GET' }),
    },
    { name: 'GET where a rule denies it', source: 'RFC 9110 section 9.3.1', as: refusals.forbidden, send: () => both({ path: '/site/write-only' }) },
    {
      name: 'GET where a rule denies it, with an override',
      source: 'CWE-650',
      as: refusals.forbidden,
      send: () => both({ path: '/site/write-only', headers: [['x-http-method-override', 'POST']] }),
    },
  ],
)

describe('HEAD where GET is denied', () => {
  it('is denied, in both protocols (RFC 9110 section 9.3.2)', async () => {
    const size = house().upstream.size()
    const head = { method: 'HEAD', path: '/site/write-only' }
    expect((await deliver(house().port, h2c(head))).status).toBe(403)
    // Over HTTP/1 nothing but the end of the connection ends an answer to HEAD.
    await expect(deliver(house().port, http1({ ...head, headers: [['connection', 'close']] }))).rejects.toThrow('HTTP/1.1 403 ')
    expect(house().upstream.size()).toBe(size)
  })
})

const line = (source: string, as: Refused, name: string, method: string, target = denied): Attack => ({
  name,
  source,
  as,
  send: () => [raw(`${method} ${target} HTTP/1.1`, 'Host: a.example', '', '')],
})
const over2 = (source: string, as: Refused, method: string): Attack => ({
  name: `${method} over HTTP/2`,
  source,
  as,
  send: () => [h2c({ method, path: denied })],
})
const token = 'RFC 9110 section 9.1 (case-sensitive)'

attackGroup(
  'methods that nobody takes',
  house,
  [{ name: 'GET', send: () => [raw(`GET ${denied} HTTP/1.1`, 'Host: a.example', '', ''), h2c({ path: denied })], saw: saw('GET') }],
  [
    ...[
      'get',
      'Get',
      'dElEtE',
      'delete',
      'GETT',
      'X-OWN',
      'FOO',
      'G\u00cbT',
      'GET\u0000',
      '1GET',
      '<GET>',
      'TRACK',
      'DEBUG',
      'GETGETGETGETGETGETGETGETGETGETGET',
    ].map((method) => line(token, refusals.request, `${JSON.stringify(method)} over HTTP/1.1`, method)),
    ...['get', 'Get', 'dElEtE', 'delete', 'TRACK', 'TRACE', '1GET', 'G'.repeat(33)].map((method) => over2(token, refusals.notImplemented, method)),
    line('CVE-2003-1567, RFC 9110 section 9.3.8', refusals.notImplemented, 'TRACE over HTTP/1.1', 'TRACE'),
    line('RFC 9110 section 9.3.6', refusals.notImplemented, 'CONNECT over HTTP/1.1', 'CONNECT', 'a.example:443'),
    line('RFC 9110 section 9.3.6', refusals.notImplemented, 'CONNECT to an inner address', 'CONNECT', '127.0.0.1:22'),
    line('RFC 9112 section 3', refusals.request, 'a tab before the target', 'GET\t'),
    line('RFC 9112 section 3', refusals.request, 'a space before the method', ' GET'),
  ],
)

attackGroup(
  'a route that takes GET',
  house,
  [
    { name: 'GET', send: () => both({ path: '/reading/x' }), saw: saw('GET') },
    { name: 'HEAD', send: () => both({ method: 'HEAD', path: '/reading/x' }), saw: saw('HEAD') },
  ],
  ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'MKCOL', 'SEARCH'].map((method) => ({
    name: method,
    source: 'RFC 9110 section 15.5.6',
    as: refusals.noMethod,
    send: () => [...both({ method, path: '/reading/x' }), http1({ method, path: '/reading/x', headers: [['x-http-method-override', 'GET']] })],
  })),
)
