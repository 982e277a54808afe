import { hash } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { buildIdentify } from '../../src/core/ingress/identify.ts'
import type { Ports } from '../../src/core/ports.ts'
import { createOfflinePorts } from '../../src/node/offline-ports.ts'
import { manyRules, matchedTo } from './worlds.ts'

interface WarmTokens {
  readonly characters: number
  /** Requests of as many connections as there are tokens, each with one of its own, in turn. */
  readonly ask: () => unknown
  /** The same without connections, or each request on a new one. */
  readonly askAnew: () => unknown
  readonly digest: () => unknown
}

/** The identify room whose memory holds these tokens. */
export async function warmTokens(count: number): Promise<WarmTokens> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }] })
  const jwks = 'https://idp.example.com/jwks'
  const issuer = 'https://idp.example.com'
  const { policy } = await manyRules(2)
  const main = policy.issuers['main']
  const [route] = policy.routes
  if (main === undefined || route === undefined) throw new Error('no issuer, or no route')
  const offline = createOfflinePorts(undefined)
  const ports: Ports = { ...offline, digest: (data) => hash('sha256', data, 'hex'), fetch: () => Promise.resolve({ status: 200, headers: {}, text: keys }) }
  const identify = buildIdentify({ ...policy, issuers: { main: { ...main, jwks } } }, ports)
  const seconds = Math.floor(ports.clock.now() / 1000)
  const tokens = await Promise.all(
    Array.from({ length: count }, (_, i) => {
      const claims = {
        iss: issuer,
        aud: 'https://api.example.com',
        sub: `subject-${i}`,
        scope: 'read write',
        padding: 'x'.repeat(230),
        iat: seconds,
        exp: seconds + 3600,
      }
      return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'at+jwt' }).sign(privateKey)
    }),
  )
  const requests = tokens.map((token) => matchedTo(route, '/things-0/7', [['authorization', `Bearer ${token}`]]))
  const unconnected = requests.map((x) => ({ ...x, client: { ...x.client, connection: undefined } }))
  for (const request of requests) await identify(request)
  identify.close()
  let turn = 0
  const next = <T>(list: readonly T[]): T => list[turn++ % count] as T // the list has `count` items
  return {
    characters: tokens[0]?.length ?? 0,
    ask: () => identify(next(requests)),
    askAnew: () => identify(next(unconnected)),
    digest: () => ports.digest(next(tokens)),
  }
}
