import { exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { makeDebugToken } from '../../src/core/debug-token.ts'
import { openWalk, privateKey } from './walk.ts'

const policies = `
debug: { key: file:/keys/debug }
access:
  staff:
    authenticate: { jwt: main }
    rules:
      - { id: read, allow: { methods: [GET], scopes: [orders:read] } }
      - { id: no-head, deny: { methods: [HEAD] }, reason: Not here. }
routes:
  web: { match: { path: "/web/{**}", methods: [GET, HEAD, POST] }, access: staff, to: web }
`

async function openDebug(text = policies) {
  const key = await privateKey()
  const walk = await openWalk(text)
  walk.secrets.on('file:/keys/debug', key.jwk)
  const grant = (changes: { environment?: string; seconds?: number; now?: number } = {}) =>
    makeDebugToken(key.jwk, { environment: 'dev', subject: 'ada', seconds: 900, now: walk.clock.now(), ...changes })
  const bearer = `Bearer ${await walk.issuers.main.token()}`
  const ask = (debug: string, method = 'GET', authorization: string | undefined = bearer) =>
    walk.ask(method, '/web/1', { 'X-Sallyport-Debug': debug, ...(authorization === '' ? {} : { authorization }) })
  const raw = (headers: readonly (readonly [string, string])[]) => walk.ask('GET', '/web/1', headers)
  return { ...walk, key, grant, ask, raw }
}

const decisionIn = ({ headers }: { readonly headers: Readonly<Record<string, string>> }): unknown =>
  headers['x-sallyport-decision'] === undefined ? undefined : JSON.parse(headers['x-sallyport-decision'])

describe('a debug grant', () => {
  test('shows how a request was let pass, and goes to no upstream', async () => {
    const walk = await openDebug()
    const answer = await walk.ask(await walk.grant())
    expect(answer.status).toBe(200)
    expect(decisionIn(answer)).toEqual({
      outcome: 'permitted',
      route: 'web',
      rule: 'staff/read',
      destination: 'web',
      revision: expect.stringMatching(/^[0-9a-f]{16}$/),
      time: new Date(walk.clock.now()).toISOString(),
    })
    expect(Object.keys(walk.last()).filter((name) => name.includes('sallyport'))).toEqual([])
  })

  test('shows the rule that refused, or the nearest one and what it missed', async () => {
    const walk = await openDebug()
    expect(decisionIn(await walk.ask(await walk.grant(), 'HEAD'))).toMatchObject({ outcome: 'refused', code: 'forbidden', rule: 'staff/no-head' })
    const missed = await walk.ask(await walk.grant(), 'GET', `Bearer ${await walk.issuers.main.token({ scope: 'other' })}`)
    expect(decisionIn(missed)).toMatchObject({ outcome: 'refused', code: 'scope_insufficient', nearest: { rule: 'staff/read', matcher: 'scopes' } })
    expect(decisionIn(await walk.ask(await walk.grant(), 'POST'))).toMatchObject({ code: 'forbidden', nearest: { rule: 'staff/read', matcher: 'methods' } })
    expect(decisionIn(await walk.ask(await walk.grant(), 'GET', 'Bearer nonsense'))).toMatchObject({ outcome: 'refused', code: 'token_invalid' })
  })

  test('works with the public key alone, and with Ed25519', async () => {
    const walk = await openDebug()
    const { publicKey, privateKey: secret } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
    walk.secrets.on('file:/keys/debug', await exportSPKI(publicKey))
    const seconds = Math.floor(walk.clock.now() / 1000)
    const token = await new SignJWT({ aud: 'dev', iat: seconds, exp: seconds + 60 })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'sallyport-debug+jwt' })
      .sign(secret)
    expect(decisionIn(await walk.ask(token))).toMatchObject({ outcome: 'permitted' })
  })

  test('is nothing when it is forged, of another environment, over, too long, too early, of another type, twice there, or not asked for by the policies', async () => {
    const walk = await openDebug()
    const good = await walk.grant()
    const now = walk.clock.now()
    const stranger = await privateKey()
    const seconds = Math.floor(now / 1000)
    const signed = (header: Readonly<Record<string, unknown>>, claims: Readonly<Record<string, unknown>>) =>
      new SignJWT({ aud: 'dev', iat: seconds, exp: seconds + 60, ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'sallyport-debug+jwt', ...header })
        .sign(walk.key.key)
    const [head = '', body = '', mac = ''] = good.split('.')
    const bad = {
      'another key': await makeDebugToken(stranger.jwk, { environment: 'dev', subject: 'ada', seconds: 900, now }),
      'another environment': await walk.grant({ environment: 'prod' }),
      over: await walk.grant({ now: now - 901_000 }),
      'too long': await walk.grant({ seconds: 901 }),
      early: await walk.grant({ now: now + 60_000 }),
      'another type': await signed({ typ: 'JWT' }, {}),
      'several environments': await signed({}, { aud: ['dev'] }),
      'no end': await signed({}, { exp: undefined }),
      'no start': await signed({}, { iat: undefined }),
      'end in text': await signed({}, { exp: `${seconds + 60}` }),
      'no signature': `${head}.${body}.`,
      'none as algorithm': `${Buffer.from('{"alg":"none","typ":"sallyport-debug+jwt"}').toString('base64url')}.${body}.`,
      'another body': `${head}.${Buffer.from(JSON.stringify({ aud: 'dev', iat: seconds, exp: seconds + 899 })).toString('base64url')}.${mac}`,
      nonsense: 'x',
      empty: '',
      'very long': `${good}${'x'.repeat(3000)}`,
    }
    const plain = await walk.ask('x', 'HEAD')
    for (const [what, token] of Object.entries(bad)) {
      const answer = await walk.ask(token, 'HEAD')
      expect(decisionIn(answer), what).toBeUndefined()
      expect(answer.status).toBe(plain.status)
    }
    expect(decisionIn(await walk.ask(good, 'HEAD'))).toBeDefined()
    expect(
      decisionIn(
        await walk.raw([
          ['x-sallyport-debug', good],
          ['X-Sallyport-Debug', good],
        ]),
      ),
    ).toBeUndefined()
  })

  test('is nothing without a key in the policies, or while the key cannot be read', async () => {
    const without = await openDebug(policies.replace(/^debug.*$/m, ''))
    expect(decisionIn(await without.ask(await without.grant()))).toBeUndefined()
    const walk = await openDebug()
    walk.secrets.on('file:/keys/debug', '')
    const answer = await walk.ask(await walk.grant())
    expect([answer.status, decisionIn(answer)]).toEqual([200, undefined])
  })

  test('is told by the gateway alone: a service cannot say it', async () => {
    const walk = await openDebug()
    walk.answers.next = () => [['x-sallyport-decision', 'forged']]
    expect(decisionIn(await walk.ask('x'))).toBeUndefined()
    expect(decisionIn(await walk.ask(await walk.grant()))).toMatchObject({ outcome: 'permitted' })
  })
})
