import { describe, expect, it } from 'vitest'
import type { Sent } from '../../support/clients.ts'
import { atHouse, deliver, h2c, http1, type Message } from './attack.ts'

const house = atHouse()
/** What a client says of itself; nothing of it may be heard behind the gateway. */
const canary = 'canary-of-a-client'

/** What the gateway sets itself, what only a proxy or the mesh may say, and what would change what was judged. */
const owned = [
  'x-user',
  'x-groups',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-user',
  'x-forwarded-email',
  'x-forwarded-groups',
  'x-forwarded-access-token',
  'x-forwarded-preferred-username',
  'x-forwarded-client-cert',
  'x-forwarded-anything',
  'x-real-ip',
  'x-request-id',
  'x-envoy-external-address',
  'x-envoy-internal',
  'x-envoy-original-path',
  'x-envoy-peer-metadata',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-retry-on',
  'x-envoy-decorator-operation',
  'l5d-client-id',
  'l5d-dst-override',
  'l5d-dst-canonical',
  'l5d-remote-ip',
  'x-sallyport-decision',
  'x-sallyport-edge',
  'x-sallyport-anything',
  'x-egress-env',
  'x-egress-retry',
  'x-b3-traceid',
  'x-b3-sampled',
  'b3',
  'traceparent',
  'tracestate',
  'x-original-url',
  'x-rewrite-url',
  'x-http-method-override',
  'proxy',
  'proxy-authorization',
  'proxy-anything',
] as const

/** Spellings that some server, gateway interface or framework reads as the same name. */
const spellings: readonly (readonly [what: string, spell: (name: string) => string])[] = [
  ['as it is', (name) => name],
  ['in capitals', (name) => name.toUpperCase()],
  ['With Capitals', (name) => name.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase())],
  ['with "_"', (name) => name.replaceAll('-', '_')],
  ['with one "_"', (name) => name.replace('-', '_')],
  ['with "."', (name) => name.replaceAll('-', '.')],
  ['with "~"', (name) => name.replaceAll('-', '~')],
  ['with "!"', (name) => name.replaceAll('-', '!')],
  ['with "--"', (name) => name.replaceAll('-', '--')],
  ['with "-."', (name) => name.replaceAll('-', '-.')],
]
const cases = owned
  .flatMap((name) => spellings.map(([what, spell]) => [name, what, spell(name)] as const))
  .filter(([name, what, spelt]) => what === 'as it is' || spelt !== name)

const routes = ['/open/x', '/maybe/x', '/site/x'] as const
const sayingSo = (name: string, path: string): Sent => ({
  path,
  headers: [
    [name, canary],
    ['x-own', 'kept'],
  ],
})

describe('controls', () => {
  it.each([http1, h2c])('a field that is nobody’s passes, in each protocol', async (over) => {
    const before = house().upstream.requests.length
    for (const path of routes)
      expect(
        (
          await deliver(
            house().port,
            over({
              path,
              headers: [
                ['x-users', canary],
                ['x-own', 'kept'],
              ],
            }),
          )
        ).status,
      ).toBe(200)
    for (const request of house().upstream.requests.slice(before)) {
      expect(request.fields).toContainEqual(['x-users', canary])
      expect(request.fields).toContainEqual(['x-own', 'kept'])
    }
  })

  it('a claim becomes the header that the route makes of it, and says what the token says', async () => {
    const token = await house().main.token({ sub: 'u1', groups: ['a', 'b,c'] })
    const before = house().upstream.requests.length
    const headers = [
      ['authorization', `Bearer ${token}`],
      ['x-user', canary],
      ['x-groups', canary],
    ] as const
    for (const over of [http1, h2c]) expect((await deliver(house().port, over({ path: '/maybe/x', headers }))).status).toBe(200)
    for (const { fields } of house().upstream.requests.slice(before)) {
      expect(fields.filter(([name]) => name === 'x-user' || name === 'x-groups')).toEqual([
        ['x-user', 'u1'],
        ['x-groups', 'a,b%2Cc'],
      ])
    }
  })

  it('a trace goes on, and the span is the gateway’s', async () => {
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
    expect((await deliver(house().port, http1({ path: '/open/x', headers: [['traceparent', `00-${trace}-00f067aa0ba902b7-01`]] }))).status).toBe(200)
    const sent = house()
      .upstream.requests.at(-1)
      ?.fields.find(([name]) => name === 'traceparent')?.[1]
    expect(sent).toMatch(new RegExp(`^00-${trace}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`))
  })
})

describe('what a client says in the name of the gateway reaches no service', () => {
  it.each(cases)('%s, %s: %s (GHSA-vjrc-mh2v-45x6, CWE-290)', async (_name, _what, spelt) => {
    const before = house().upstream.bytes().length
    const messages: readonly Message[] = routes.flatMap((path) =>
      (spelt === spelt.toLowerCase() ? [http1, h2c] : [http1]).map((over) => over(sayingSo(spelt, path))),
    )
    for (const message of messages) {
      const { status, text } = await deliver(house().port, message)
      // Either the request goes on without it, or it does not go on.
      expect(`${status} ${text}`).toMatch(spelt.includes('_') ? /^400 .*"request_invalid"/ : /^200 recorded/)
    }
    expect(house().upstream.bytes().slice(before)).not.toContain(canary)
  })
})

describe('with a token as without one', () => {
  it('all of them at once say nothing (CWE-290)', async () => {
    const token = await house().main.token()
    const before = house().upstream.bytes().length
    const all = cases.filter(([, , spelt]) => !spelt.includes('_') && spelt === spelt.toLowerCase()).map(([, , spelt]) => [spelt, canary] as const)
    for (let at = 0; at < all.length; at += 80) {
      const headers = [['authorization', `Bearer ${token}`] as const, ...all.slice(at, at + 80)]
      for (const over of [http1, h2c]) expect((await deliver(house().port, over({ path: '/private/x', headers }))).status).toBe(200)
    }
    const sent = house().upstream.bytes().slice(before)
    expect(sent).not.toContain(canary)
    expect(sent).not.toContain(token)
    expect(sent).not.toMatch(/authorization|bearer/i)
  })

  it('and no trailer of theirs goes on (RFC 9110 section 6.5.1)', async () => {
    const before = house().upstream.bytes().length
    const body = `5\r\nhello\r\n0\r\nx-user: ${canary}\r\nauthorization: ${canary}\r\n\r\n`
    const answer = await deliver(house().port, { over: 'bytes', text: `POST /open/x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n${body}` })
    expect(answer.status).toBe(200)
    expect(house().upstream.bytes().slice(before)).not.toContain(canary)
  })
})
