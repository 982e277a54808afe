import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressOfHop, parseForwarded } from '../../src/core/ingress/receive/forwarded.ts'
import { buildReceive } from '../../src/core/ingress/receive.ts'
import { openExchange } from '../../src/core/model/exchange.ts'
import { arrival } from '../support/arrival.ts'
import { fakePorts } from '../support/ports.ts'
import { testPolicy } from '../support/routes.ts'
import { guard, verdict } from './guard.ts'

type Headers = Readonly<Record<string, string | readonly string[]>>
const send = guard()
const list = (value: string | readonly string[]): Headers => ({ 'X-Forwarded-For': value })
const forwarded = (value: string | readonly string[]): Headers => ({ Forwarded: value })

describe('the address that asks', () => {
  test.each([
    ['the peer', '192.0.2.1', {}, '192.0.2.1'],
    ['a mapped peer as IPv4', '::ffff:192.0.2.1', {}, '192.0.2.1'],
    ['an untrusted peer, whatever it says', '192.0.2.1', list('1.1.1.1'), '192.0.2.1'],
    ['a trusted peer that says nothing', '10.0.0.1', {}, '10.0.0.1'],
    ['what a trusted peer says', '10.0.0.1', list('1.1.1.1'), '1.1.1.1'],
    ['what a mapped trusted peer says', '::ffff:10.0.0.1', list('1.1.1.1'), '1.1.1.1'],
    ['the last hop before the first untrusted one', '10.0.0.1', list('6.6.6.6, 1.1.1.1, 10.0.0.2'), '1.1.1.1'],
    ['never past an untrusted hop, though a trusted address stands before it', '10.0.0.1', list('10.9.9.9, 1.1.1.1'), '1.1.1.1'],
    ['the first of trusted hops only', '10.0.0.1', list('10.0.0.3, 10.0.0.2'), '10.0.0.3'],
    ['over several lines, right to left', '10.0.0.1', list(['6.6.6.6', '1.1.1.1, 10.0.0.2']), '1.1.1.1'],
    ['a hop with a port', '10.0.0.1', list('1.1.1.1:4711'), '1.1.1.1'],
    ['an IPv6 hop', '10.0.0.1', list('2001:DB8::0:1'), '2001:db8::1'],
    ['an IPv6 hop in brackets with a port', '10.0.0.1', list('[2001:db8::1]:80'), '2001:db8::1'],
    ['a mapped hop', '10.0.0.1', list('::ffff:1.1.1.1'), '1.1.1.1'],
    ['empty list members ignored', '10.0.0.1', list('1.1.1.1, ,10.0.0.2,'), '1.1.1.1'],
    ['the proxy that could not tell', '10.0.0.1', list('6.6.6.6, unknown, 10.0.0.2'), '10.0.0.2'],
    ['the proxy that wrote no address', '10.0.0.1', list('6.6.6.6, 1.1.1, 10.0.0.2'), '10.0.0.2'],
    ['an IPv6 proxy', '2001:db8:a::1', list('1.1.1.1'), '1.1.1.1'],
    ['Forwarded', '10.0.0.1', forwarded('for=1.1.1.1;proto=https;by=10.0.0.1'), '1.1.1.1'],
    ['Forwarded, quoted IPv6 with a port', '10.0.0.1', forwarded('For="[2001:db8::1]:4711"'), '2001:db8::1'],
    ['Forwarded, right to left', '10.0.0.1', forwarded('for=6.6.6.6, for=1.1.1.1;proto=http ,for=10.0.0.2'), '1.1.1.1'],
    ['Forwarded with a comma inside quotes', '10.0.0.1', forwarded('for=1.1.1.1;host="a, for=6.6.6.6"'), '1.1.1.1'],
    ['Forwarded, obfuscated', '10.0.0.1', forwarded('for=1.1.1.1, for=_hidden, for=10.0.0.2'), '10.0.0.2'],
    ['Forwarded, an element that does not say', '10.0.0.1', forwarded('for=1.1.1.1, proto=https'), '10.0.0.1'],
    ['both headers where they agree', '10.0.0.1', { ...list('1.1.1.1'), ...forwarded('for=1.1.1.1') }, '1.1.1.1'],
  ])('is %s', (_, peer, headers, address) => {
    expect(send('GET', '/', headers, { peer }).client.address).toBe(address)
  })

  test('is counted by its network: IPv4 by itself, IPv6 by /64', () => {
    expect(send('GET', '/', {}, { peer: '192.0.2.1' }).client.network).toBe('192.0.2.1/32')
    expect(send('GET', '/', list('2001:db8:1:2:3::4'), { peer: '10.0.0.1' }).client.network).toBe('2001:db8:1:2::/64')
  })

  test('is refused when the two headers of a trusted proxy lead to different addresses', () => {
    const headers = { ...list('1.1.1.1'), ...forwarded('for=6.6.6.6') }
    expect(verdict(() => send('GET', '/', headers, { peer: '10.0.0.1' }))).toBe('request_invalid close')
    expect(send('GET', '/', headers, { peer: '192.0.2.1' }).client.address).toBe('192.0.2.1')
  })

  test.each(['for="1.1.1.1', 'for=1.1.1.1;for=6.6.6.6', 'for', 'for=', '=1.1.1.1', 'for=1.1.1.1 for=6.6.6.6', 'for = 1.1.1.1'])(
    'is refused when Forwarded is %j',
    (value) => {
      expect(verdict(() => send('GET', '/', forwarded(value), { peer: '10.0.0.1' }))).toBe('request_invalid close')
    },
  )

  test('and an id stand on a refused exchange too, for its answer and its record', () => {
    const x = openExchange(arrival('TRACE', '/'), 'r')
    expect(verdict(() => buildReceive(testPolicy(), fakePorts())(x))).toBe('not_implemented close')
    expect(x).toMatchObject({ client: { address: '192.0.2.1', network: '192.0.2.1/32' }, id: expect.stringMatching(/^[0-9a-f-]{36}$/) })
  })

  test('is never what an untrusted client wrote, wherever in the chain it stands', () => {
    const outside = fc.ipV4().filter((address) => !address.startsWith('10.'))
    const inside = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)).map((octets) => `10.${octets.join('.')}`)
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string({ unit: 'grapheme-ascii' }), fc.ipV4()), { maxLength: 3 }),
        outside,
        fc.array(inside, { minLength: 1, maxLength: 3 }),
        (said, client, proxies) => {
          const claims = said.join(', ').replaceAll(/^[ \t]+/g, '')
          const chain = [...(claims === '' ? [] : [claims]), client, ...proxies.slice(1)].join(', ')
          expect(send('GET', '/', list(chain), { peer: proxies[0] as string }).client.address).toBe(client)
        },
      ),
    )
  })
})

test('no text makes the readers of Forwarded throw, and what a writer quotes is read back', () => {
  const piece = fc.constantFrom('for=', '"', '\\', ',', ';', ' ', '=', '1.1.1.1', '[::1]', ':80', 'proto', 'unknown', '_x')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const hops = parseForwarded(pieces.join('')) ?? []
      expect(hops.map(addressOfHop).every((address) => address === undefined || ['1.1.1.1', '::1'].includes(address))).toBe(true)
    }),
  )
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme-ascii', minLength: 1 }), { minLength: 1 }), (nodes) => {
      const line = nodes.map((node) => `for="${node.replaceAll(/["\\]/g, '\\$&')}"`).join(', ')
      expect(parseForwarded(line)).toEqual(nodes)
    }),
  )
})
