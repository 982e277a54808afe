import { type Attack, atHouse, attackGroup, both, type Control, http1, type Refused, raw, refusals } from './attack.ts'

const house = atHouse()
const get = (host: string, path = '/hosted/x') => both({ path, headers: [['host', host]] })
const passes = (name: string, host: string, path?: string): Control => ({ name, send: () => get(host, path) })
// Beyond these characters HTTP/2 itself resets the stream: http2.test.ts.
const refused = (source: string, as: Refused, host: string, name = `Host: ${host}`): Attack => ({
  name,
  source,
  as,
  send: () => (/^[\w.:[\]*%;-]*$/.test(host) ? get(host) : get(host).slice(0, 1)),
})
const lines = (source: string, as: Refused, name: string, ...text: readonly string[]): Attack => ({ name, source, as, send: () => [raw(...text, '', '')] })
const field = 'RFC 9110 section 7.2, RFC 9112 section 3.2'
const open = 'GET /hosted/x HTTP/1.1'

attackGroup(
  'one host, and a valid one',
  house,
  [
    passes('a name', 'outside.example'),
    passes('a name in capitals', 'OUTSIDE.Example'),
    passes('a name with its port', 'outside.example:8443'),
    { name: 'a path without host routes', send: () => [...get('[::1]', '/open/x'), ...get('[2001:db8::1]:80', '/open/x'), ...get('127.0.0.1:80', '/open/x')] },
  ],
  [
    lines(field, refusals.host, 'two hosts', open, 'Host: outside.example', 'Host: inside.example'),
    lines(field, refusals.host, 'two hosts, the other first', open, 'Host: inside.example', 'Host: outside.example'),
    lines(field, refusals.host, 'two equal hosts', open, 'Host: outside.example', 'Host: outside.example'),
    lines(field, refusals.host, 'two hosts in other case', open, 'Host: outside.example', 'HOST: inside.example'),
    lines(field, refusals.host, 'no host', open),
    lines(field, refusals.host, 'no host over HTTP/1.0', 'GET /hosted/x HTTP/1.0'),
    lines(field, refusals.host, 'an empty host', open, 'Host:'),
    lines(field, refusals.request, 'a folded host', open, 'Host: outside.example', ' inside.example'),
    lines(field, refusals.request, 'a blank before the colon', open, 'Host : outside.example'),
    lines(field, refusals.host, 'a host with a tab', open, 'Host: outside.example\tinside.example'),
    lines(field, refusals.host, 'a host beyond ASCII', open, 'Host: \u00f6utside.example'),
    lines(
      field,
      refusals.host,
      'a host under another first line',
      'GET /hosted/x HTTP/1.1',
      'X-A: b',
      'Host: outside.example',
      'X-B: c',
      'Host: inside.example',
    ),
    ...[
      'user@outside.example',
      'outside.example@inside.example',
      'user:pass@outside.example:80',
      'outside.example/x',
      'outside.example\\x',
      'outside.example?x',
      'outside.example#x',
      'http://outside.example',
      'outside.example, inside.example',
      'outside.example inside.example',
      'outside.example:',
      'outside.example:port',
      'outside.example:-1',
      'outside.example:+80',
      'outside.example:65536',
      'outside.example:80:80',
      'outside.example:0x50',
      'outside..example',
      '.outside.example',
      'outside%2eexample',
      'outside.example%00',
      'outside.exam ple',
      '"outside.example"',
      '<outside.example>',
      'outside.example;x',
      'outside.example*',
      '*.example',
      '[::1',
      '::1',
      '[::1]x',
      '[::1%25eth0]',
      '[v1.x]',
      '[outside.example]',
      '[::ffff:127.0.0.1]]',
      '0x7f.1',
      '127.1',
      '0177.0.0.1',
      '256.1.1.1',
      '1.2.3.4.5',
      `${'a'.repeat(64)}.example`,
      `${'a.'.repeat(130)}example`,
    ].map((host) => refused('RFC 3986 section 3.2, CWE-918', refusals.host, host, host.length > 60 ? `a host of ${host.length} characters` : `Host: ${host}`)),
  ],
)

const inside = ['inside.example', 'INSIDE.EXAMPLE', 'inside.example:80', 'Inside.example:8443']

attackGroup(
  'a host that needs a token needs it in all its spellings',
  house,
  [passes('a host that needs none', 'outside.example')],
  [
    ...inside.map((host) => refused('RFC 3986 section 6.2.2.1', refusals.nobody, host)),
    ...[
      ['x-forwarded-host', 'outside.example'],
      ['forwarded', 'host=outside.example'],
      ['x-host', 'outside.example'],
      ['x-original-host', 'outside.example'],
      ['x-original-url', 'http://outside.example/hosted/x'],
      ['x-rewrite-url', '/open/x'],
      ['x-forwarded-uri', '/open/x'],
      ['x-forwarded-path', '/open/x'],
      ['x-forwarded-prefix', '/open'],
      ['x-envoy-original-path', '/open/x'],
      ['x-forwarded-for', '127.0.0.1'],
      ['x-real-ip', '127.0.0.1'],
    ].map(
      ([name = '', value = '']): Attack => ({
        name: `${name}: ${value}`,
        source: 'GHSA-7x63-xv5r-3p2x, CWE-348',
        as: refusals.nobody,
        send: () =>
          both({
            path: '/hosted/x',
            headers: [
              ['host', 'inside.example'],
              [name, value],
            ],
          }),
      }),
    ),
  ],
)

const denied = (host: string, as: Refused): Attack => ({ name: `Host: ${host}`, source: 'RFC 3986 section 6.2.2.1', as, send: () => get(host, '/site/x') })

attackGroup(
  'a deny rule for a host holds for all its spellings',
  house,
  [
    {
      ...passes('a neighbour', 'secret.example.org', '/site/x'),
      saw: ({ fields }) => fields.some(([name, value]) => name === 'x-forwarded-host' && value === 'secret.example.org'),
    },
  ],
  [
    ...['secret.example', 'SECRET.example', 'secret.example:80', 'secret.example:443'].map((host) => denied(host, refusals.forbidden)),
    denied('secret.example.', refusals.host),
  ],
)

attackGroup(
  'what no host route takes',
  house,
  [passes('a name that is routed', 'outside.example')],
  [
    'other.example',
    'outside.example.evil.example',
    'xoutside.example',
    'example',
    'outside-example',
    'localhost',
    '127.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
  ].map((host) => refused('design, Receive', refusals.noRoute, host)),
)

const differing = 'RFC 9113 section 8.3.1'

attackGroup(
  'an absolute target does not outrank Host',
  house,
  [{ name: 'a path', send: () => [http1({ path: '/hosted/x', headers: [['host', 'outside.example']] })] }],
  [
    lines('RFC 9112 section 3.2.2', refusals.request, 'a target of another host', 'GET http://outside.example/hosted/x HTTP/1.1', 'Host: inside.example'),
    lines('RFC 9112 section 3.2.2', refusals.request, 'a target of the same host', 'GET http://outside.example/hosted/x HTTP/1.1', 'Host: outside.example'),
    lines(differing, refusals.request, 'a target with userinfo', 'GET http://inside.example@outside.example/hosted/x HTTP/1.1', 'Host: outside.example'),
  ],
)
