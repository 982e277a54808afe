import { describe, expect, test } from 'vitest'
import { guard, verdict } from './guard.ts'

const send = guard()

describe('the deadline', () => {
  test.each([
    [{}, Number.POSITIVE_INFINITY],
    [{ 'grpc-timeout': '1H' }, 3_600_000],
    [{ 'grpc-timeout': '2M' }, 120_000],
    [{ 'grpc-timeout': '3S' }, 3000],
    [{ 'grpc-timeout': '250m' }, 250],
    [{ 'grpc-timeout': '1500u' }, 1.5],
    [{ 'grpc-timeout': '99999999n' }, 99.999999],
    [{ 'grpc-timeout': '0S' }, 0],
    [{ 'connect-timeout-ms': '1500' }, 1500],
    [{ 'connect-timeout-ms': '9999999999' }, 9_999_999_999],
    [{ 'x-server-timeout': '1.5' }, 1500],
    [{ 'x-server-timeout': '2' }, 2000],
    [{ 'grpc-timeout': '3S', 'connect-timeout-ms': '1000', 'x-server-timeout': '2' }, 1000],
    [{ 'x-request-timeout': '5' }, Number.POSITIVE_INFINITY],
  ])('of %j is %d ms after arrival', (headers, ms) => {
    expect(send('GET', '/', headers, { receivedAt: 5000 }).deadline).toBeCloseTo(5000 + ms)
  })

  test.each([
    ['grpc-timeout', ['', 'S', '1', '123456789S', '1s', '1 S', '-1S', '+1S', '1.5S', '1SS', '1toString']],
    ['connect-timeout-ms', ['', '12345678901', '-1', '1.5', '1e3', '0x1', '1ms']],
    ['x-server-timeout', ['', '.', '.5', '5.', '1.2.3', '-1', '1e3', 'NaN', 'Infinity', '1s']],
  ])('a malformed %s is 400 without ending the connection', (name, values) => {
    for (const value of values) expect([value, verdict(() => send('GET', '/', { [name]: value }))]).toEqual([value, 'request_invalid'])
  })

  test('its headers are not passed on: rooms behind the guard know the deadline alone', () => {
    const { headers } = send('GET', '/', { 'grpc-timeout': '1S', 'connect-timeout-ms': '1', 'x-server-timeout': '1' }).request
    expect([...headers.entries()]).toEqual([])
  })
})
