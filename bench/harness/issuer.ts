import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

/** Signs the tokens of a run and serves the key that proves them. */
export interface BenchIssuer {
  readonly url: string
  readonly audience: string
  /** One token per subject, valid for an hour. */
  readonly tokens: readonly string[]
  close(): void
}

/** Starts on a free loopback port. Tokens are RS256 with the claims of a usual access token (RFC 9068), each for a subject of its own. */
export async function startBenchIssuer(subjects: number): Promise<BenchIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'bench', alg: 'RS256', use: 'sig' }] })
  const server = createServer((_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(keys))
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const audience = 'https://api.shop.example'
  const sign = (subject: string): Promise<string> =>
    new SignJWT({ client_id: subject, tenant: 'red', scope: 'catalog:read orders:read orders:write' })
      .setProtectedHeader({ alg: 'RS256', kid: 'bench', typ: 'at+jwt' })
      .setIssuer(url)
      .setSubject(subject)
      .setAudience(audience)
      .setIssuedAt()
      .setJti(crypto.randomUUID())
      .setExpirationTime('1h')
      .sign(privateKey)
  return {
    url,
    audience,
    tokens: await Promise.all(Array.from({ length: subjects }, (_, index) => sign(`subject-${index}`))),
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
