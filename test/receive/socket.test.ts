import { base64url } from 'jose'
import { describe, expect, test } from 'vitest'
import { socketOffer } from '../support/socket-offer.ts'
import { guard, kept, verdict } from './guard.ts'

const send = guard()
const shake = (headers: Readonly<Record<string, string | readonly string[]>> = {}) =>
  send(
    'GET',
    '/chat',
    { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': 'k', 'Sec-WebSocket-Version': '13', ...headers },
    { socket: socketOffer() },
  )
const token = (text: string) => `base64url.bearer.authorization.${base64url.encode(text)}`

describe('the handshake of a WebSocket', () => {
  test('passes, and its own fields do not', () => {
    expect(kept(shake({ 'x-kept': '1', 'Sec-WebSocket-Protocol': 'sallyport.json', 'Sec-WebSocket-Extensions': 'permessage-deflate' }))).toEqual([
      ['x-kept', '1'],
    ])
  })

  test('may bring a token among its subprotocols, in one line or in several', () => {
    const asHeader = [['authorization', 'Bearer abc.def-_~+/=']]
    expect(kept(shake({ 'Sec-WebSocket-Protocol': `sallyport.json, ${token('abc.def-_~+/=')}` }))).toEqual(asHeader)
    expect(kept(shake({ 'Sec-WebSocket-Protocol': [token('abc.def-_~+/='), 'sallyport.json'] }))).toEqual(asHeader)
  })

  test.each([
    ['a token beside Authorization', { Authorization: 'Bearer x', 'Sec-WebSocket-Protocol': `sallyport.json, ${token('y')}` }, 'credential_invalid close'],
    ['two tokens', { 'Sec-WebSocket-Protocol': `sallyport.json, ${token('x')}, ${token('y')}` }, 'credential_invalid close'],
    ['a token with a line break', { 'Sec-WebSocket-Protocol': `sallyport.json, ${token('x\r\nx-user-id: 1')}` }, 'credential_invalid close'],
    ['a token of two words', { 'Sec-WebSocket-Protocol': `sallyport.json, ${token('x y')}` }, 'credential_invalid close'],
    ['a token with padding', { 'Sec-WebSocket-Protocol': 'sallyport.json, base64url.bearer.authorization.eA==' }, 'credential_invalid close'],
    ['an empty token', { 'Sec-WebSocket-Protocol': 'sallyport.json, base64url.bearer.authorization.' }, 'credential_invalid close'],
    ['a length', { 'Content-Length': '3' }, 'request_invalid close'],
    ['chunks', { 'Transfer-Encoding': 'chunked' }, 'request_invalid close'],
    ['no length', { 'Content-Length': '0' }, 'passes'],
  ])('with %s', (_name, headers, expected) => {
    expect(verdict(() => shake(headers))).toBe(expected)
  })

  test('where no WebSocket can be opened is an upgrade like any other', () => {
    expect(verdict(() => send('GET', '/chat', { Connection: 'Upgrade', Upgrade: 'websocket' }))).toBe('not_implemented close')
  })

  test('says what is offered, without the token', () => {
    const offered = (headers: Readonly<Record<string, string | readonly string[]>>) => shake(headers).request.upgrade
    expect(offered({})).toEqual({ protocol: 'websocket', subprotocols: undefined, extensions: [] })
    expect(
      offered({ 'Sec-WebSocket-Protocol': [`a, ${token('x')}`, 'b'], 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits, other' }),
    ).toEqual({ protocol: 'websocket', subprotocols: ['a', 'b'], extensions: ['permessage-deflate; client_max_window_bits', 'other'] })
    expect(offered({ 'Sec-WebSocket-Protocol': token('x') })).toMatchObject({ subprotocols: [] })
  })

  test('is nothing in an ordinary request: no credential, and no field of it goes further', () => {
    const { request } = send('GET', '/', { 'sec-websocket-protocol': `sallyport.json, ${token('x')}`, 'sec-websocket-key': 'k' })
    expect([request.headers.entries(), request.upgrade]).toEqual([[], undefined])
  })
})
