import { decodeJwt } from 'jose'
import * as openid from 'openid-client'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Certificates, makeCertificates } from '../../support/certificates.ts'
import { type Served, startServe } from '../../support/command.ts'
import { untilTheEnd } from '../../support/keep.ts'
import { accessToken, type ClientTls, clientOf, dialling, someToken } from '../../support/oauth.ts'
import { type IdentityProvider, startProviders } from '../../support/provider.ts'
import { hasRedis, type RedisServer, redisHint, startRedis } from '../../support/redis.ts'
import { house, openHttp } from '../../support/shop.ts'

const keep = untilTheEnd()
const installed = hasRedis()

/** What every client calls the API, whichever replica it reaches. */
const url = new URL('https://service.test/orders')

const policies = (issuers: { readonly main: string; readonly nonces: string; readonly brief: string }, web: number) => `${house.replace(
  'public: { address: "127.0.0.1:0" }',
  'public: { address: "127.0.0.1:0", tls: { certificate: env:TLS_CERTIFICATE, key: env:TLS_KEY, clientAuth: optional, clientCa: env:TLS_CLIENT_CA } }',
)}
issuers:
  main: { issuer: "${issuers.main}", audiences: [https://api.example.com], algorithms: [ES256] }
  nonces: { issuer: "${issuers.nonces}", audiences: [https://api.example.com], algorithms: [ES256], proof: { required: dpop, nonceKey: env:DPOP_NONCE_KEY } }
  brief: { issuer: "${issuers.brief}", audiences: [https://api.example.com], algorithms: [ES256], clockSkew: 0s, proof: { maxAge: 5s } }
clusters:
  web: { address: "127.0.0.1:${web}" }
access:
  orders:
    authenticate: { anyOf: [{ jwt: main }, { jwt: nonces }, { jwt: brief }] }
    rules: [{ id: read, allow: { scopes: [orders:read] } }]
routes:
  orders: { match: { path: /orders }, access: orders, to: web }
  open: { match: { path: /open }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: web }
`

describe.skipIf(!installed)(`bound tokens at two gateways that share Redis${installed ? '' : ` (${redisHint})`}`, () => {
  let certificates: Certificates
  let redis: RedisServer
  let main: IdentityProvider
  let nonces: IdentityProvider
  let brief: IdentityProvider
  let gateways: readonly [Served, Served]
  let reached: string[] = []

  beforeAll(async () => {
    const [made, store, providers, web] = await Promise.all([
      makeCertificates(),
      startRedis(),
      startProviders(keep),
      openHttp(keep, (request, response) => {
        reached.push(JSON.stringify(request.headers))
        response.end('web')
      }),
    ])
    certificates = made
    redis = store
    keep(() => redis.close())
    const { ca, server } = certificates
    main = await providers.open({ tls: { ca, ...server }, nonce: true })
    nonces = await providers.open()
    brief = await providers.open()
    const files = { 'policies.yaml': policies({ main: main.url, nonces: nonces.url, brief: brief.url }, web) }
    const variables = { REDIS_URL: redis.url, TLS_CERTIFICATE: server.certificate, TLS_KEY: server.key, TLS_CLIENT_CA: ca, DPOP_NONCE_KEY: 'n'.repeat(32) }
    const start = () => startServe(keep, files, 'dev', { words: ['--lame-duck', '0s'], variables })
    gateways = await Promise.all([start(), start()])
  })
  afterEach(() => {
    // The proof is for the gateway, and so is the token.
    const leaked = reached.find((headers) => /dpop|authorization/.test(headers))
    reached = []
    if (leaked !== undefined) throw new Error(`the upstream was sent ${leaked}`)
  })

  interface Outcome {
    readonly status: number
    readonly id: string | null
    readonly challenge: string | null
    readonly retryAfter: string | null
    /** What was sent last. */
    readonly sent: Headers
    readonly attempts: number
  }

  /** A client of the API by way of one gateway. */
  const at = (gateway: Served, tls: ClientTls = { ca: certificates.ca }) => {
    const dial = dialling(keep, { port: gateway.port('public'), tls })
    const read = (answer: Response, sent: Headers, attempts: number): Outcome => {
      const { status, headers } = answer
      return { status, id: headers.get('x-request-id'), challenge: headers.get('www-authenticate'), retryAfter: headers.get('retry-after'), sent, attempts }
    }
    return {
      /** As `openid-client` does it: what it says to a challenge included. */
      use: async (client: openid.Configuration, token: string, handle?: openid.DPoPHandle): Promise<Outcome> => {
        let last: Outcome | undefined
        client[openid.customFetch] = async (to, init) => {
          const answer = await dial(to, init)
          last = read(answer, new Headers(init.headers), (last?.attempts ?? 0) + 1)
          return answer
        }
        const options = handle === undefined ? {} : { DPoP: handle }
        await openid.fetchProtectedResource(client, token, url, 'GET', undefined, undefined, options).catch((error: unknown) => {
          if (!(error instanceof openid.WWWAuthenticateChallengeError)) throw error
        })
        if (last === undefined) throw new Error('nothing was sent')
        return last
      },
      /** The same headers once more, as somebody who overheard them would send them. */
      replay: async (headers: Headers): Promise<Outcome> => {
        const answer = await dial(url.href, { method: 'GET', headers: Object.fromEntries(headers), body: undefined, redirect: 'manual' })
        return read(answer, headers, 1)
      },
      open: async (): Promise<number> => (await dial('https://service.test/open', { method: 'GET', headers: {}, body: undefined, redirect: 'manual' })).status,
    }
  }

  /** A client with a key, and a token that is bound to it. */
  const holder = async (idp: IdentityProvider, alg = 'ES256') => {
    const client = await clientOf(idp, 'bound')
    const handle = openid.getDPoPHandle(client, await openid.randomDPoPKeyPair(alg))
    const token = await accessToken(client, { dpop: handle })
    return { client, handle, token }
  }

  /** The headers of a request with a new proof, which is not sent. */
  const proved = async ({ client, handle, token }: Awaited<ReturnType<typeof holder>>): Promise<Headers> => {
    let sent: Headers | undefined
    client[openid.customFetch] = async (_to, init) => {
      sent = new Headers(init.headers)
      return new Response(null, { status: 204 })
    }
    await openid.fetchProtectedResource(client, token, url, 'GET', undefined, undefined, { DPoP: handle })
    if (sent === undefined) throw new Error('nothing would have been sent')
    return sent
  }

  /** What the record says of a refused request. */
  const reasonOf = async (gateway: Served, { id }: Outcome): Promise<unknown> =>
    ((await gateway.entry((line) => line['id'] === id))['refusal'] as { readonly reason: unknown }).reason

  const invalidProof = expect.stringMatching(/^DPoP error="invalid_dpop_proof", .*algs="ES256 /)
  const invalidToken = expect.stringContaining('Bearer realm="sallyport", error="invalid_token"')

  describe('to a key', () => {
    it.each(['ES256', 'Ed25519'])('is taken by both, with a new proof for each request, signed with %s', async (alg) => {
      const { client, handle, token } = await holder(main, alg)
      expect(decodeJwt(token)).toMatchObject({ cnf: { jkt: await handle.calculateThumbprint() } })
      for (const gateway of [...gateways, ...gateways]) expect(await at(gateway).use(client, token, handle)).toMatchObject({ status: 200, attempts: 1 })
    })

    it('is not taken with a proof that either has seen', async () => {
      const mine = await holder(main)
      const [here, there] = [at(gateways[0]), at(gateways[1])]
      const first = await here.use(mine.client, mine.token, mine.handle)
      expect(first.status).toBe(200)
      expect(await there.replay(first.sent)).toMatchObject({ status: 401, challenge: invalidProof })
      expect(await here.replay(first.sent)).toMatchObject({ status: 401, challenge: invalidProof })
      expect(reached).toHaveLength(1)
    })

    it('is taken once when one proof comes to both at the same moment, many times', async () => {
      const [here, there] = [at(gateways[0]), at(gateways[1])]
      const headers = await proved(await holder(main))
      const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? here : there).replay(headers)))
      expect(outcomes.filter(({ status }) => status === 200)).toHaveLength(1)
      expect(outcomes.filter(({ status }) => status === 401)).toHaveLength(19)
      expect(reached).toHaveLength(1)
    })

    it('is worth nothing to a thief, who has another key or none', async () => {
      const { token } = await holder(main)
      const thief = await clientOf(main, 'bound')
      const key = openid.getDPoPHandle(thief, await openid.randomDPoPKeyPair('ES256'))
      for (const gateway of gateways) {
        expect(await at(gateway).use(thief, token, key)).toMatchObject({ status: 401, challenge: invalidProof })
        expect(await at(gateway).use(thief, token)).toMatchObject({ status: 401, challenge: invalidToken })
        expect(await at(gateway).replay(new Headers({ authorization: `DPoP ${token}` }))).toMatchObject({ status: 401, challenge: invalidProof })
      }
      expect(reached).toHaveLength(0)
    })

    it('needs a nonce where the policies say so, which a real client fetches and both gateways know', async () => {
      const mine = await holder(nonces)
      const first = await at(gateways[0]).use(mine.client, mine.token, mine.handle)
      expect(first).toMatchObject({ status: 200, attempts: 2 })
      const proof = decodeJwt(first.sent.get('dpop') ?? '')
      expect(proof['nonce']).toBeTypeOf('string')
      expect(await at(gateways[1]).use(mine.client, mine.token, mine.handle)).toMatchObject({ status: 200, attempts: 1 })
      expect(await at(gateways[1]).replay(first.sent)).toMatchObject({ status: 401, challenge: invalidProof })
    })

    it('has to be bound where the policies say so', async () => {
      const token = await someToken(nonces)
      for (const gateway of gateways) {
        expect(await at(gateway).replay(new Headers({ authorization: `Bearer ${token}` }))).toMatchObject({ status: 401, challenge: invalidToken })
      }
    })
  })

  describe('to a client certificate', () => {
    it('is taken over connections that have it, and over no other', async () => {
      const { ca, client: own, server: another } = certificates
      const client = await clientOf(main, 'certified', dialling(keep, { tls: { ca, ...own } }))
      const token = await accessToken(client)
      expect(decodeJwt(token)).toMatchObject({ cnf: { 'x5t#S256': expect.stringMatching(/^[A-Za-z0-9_-]{43}$/) } })
      for (const gateway of gateways) {
        const headers = new Headers({ authorization: `Bearer ${token}` })
        expect(await at(gateway, { ca, ...own }).use(client, token)).toMatchObject({ status: 200 })
        const without = await at(gateway).replay(headers)
        expect(without).toMatchObject({ status: 401, challenge: invalidToken })
        expect(await reasonOf(gateway, without)).toBe('bound to a client certificate that this connection does not have')
        expect(await at(gateway, { ca, ...another }).replay(headers)).toMatchObject({ status: 401, challenge: invalidToken })
        await expect(at(gateway, { ca, ...certificates.stranger }).replay(headers)).rejects.toThrow('fetch failed')
      }
      expect(reached).toHaveLength(2)
    })

    it('is not given to a client without one', async () => {
      const client = await clientOf(main, 'certified', dialling(keep, { tls: { ca: certificates.ca } }))
      await expect(accessToken(client)).rejects.toMatchObject({ error: 'invalid_grant' })
    })
  })

  describe('while the store of used proofs is lost', () => {
    const again = (holds: () => Promise<void>) => vi.waitFor(holds, { timeout: 8000, interval: 50 })

    const served = async (gateway: Served, { client, token, handle }: Awaited<ReturnType<typeof holder>>) =>
      again(async () => expect(await at(gateway).use(client, token, handle)).toMatchObject({ status: 200 }))

    /** While it is lost, and whether everything is back once it is given back. A proof of `user` was taken before. */
    const journey = async (user: Awaited<ReturnType<typeof holder>>, lose: () => Promise<void> | void, giveBack: () => Promise<void> | void) => {
      const { ca, client: own } = certificates
      const certified = await clientOf(main, 'certified', dialling(keep, { tls: { ca, ...own } }))
      const plain = new Headers({ authorization: `Bearer ${await someToken(main)}` })
      const bound = new Headers({ authorization: `Bearer ${await accessToken(certified)}` })
      const mine = await holder(main)
      const used = await at(gateways[0]).use(user.client, user.token, user.handle)
      expect(used.status).toBe(200)
      await lose()
      try {
        for (const gateway of gateways) {
          const outcome = await at(gateway).use(mine.client, mine.token, mine.handle)
          expect(outcome).toMatchObject({ status: 503, challenge: null, retryAfter: expect.stringMatching(/^[1-9]\d*$/) })
          await gateway.entry((line) => line['id'] === outcome.id && (line['refusal'] as { readonly code: unknown }).code === 'proof_store_unavailable')
          expect(await at(gateway).open()).toBe(200)
          expect(await at(gateway).replay(plain)).toMatchObject({ status: 200 })
          expect(await at(gateway, { ca, ...own }).replay(bound)).toMatchObject({ status: 200 })
        }
        expect(await at(gateways[1]).replay(used.sent)).toMatchObject({ status: 503 })
      } finally {
        await giveBack()
      }
      for (const gateway of gateways) await served(gateway, mine)
      return used.sent
    }
    /** Why each gateway refuses these headers. Neither lets them through. */
    const refusals = async (headers: Headers): Promise<readonly unknown[]> => {
      const before = reached.length
      const reasons: unknown[] = []
      for (const gateway of gateways) {
        const outcome = await at(gateway).replay(headers)
        expect(outcome).toMatchObject({ status: 401, challenge: invalidProof })
        reasons.push(await reasonOf(gateway, outcome))
      }
      expect(reached).toHaveLength(before)
      return reasons
    }

    it('frozen: proofs are 503, everything else is served, and what was used before stays used', async () => {
      const used = await journey(
        await holder(main),
        () => redis.freeze(),
        () => redis.thaw(),
      )
      expect(await refusals(used)).toEqual(['used before', 'used before'])
    })

    it('killed, and empty when it is back: the same, but for time being what refuses the proofs of before', async () => {
      const used = await journey(
        await holder(brief),
        () => redis.kill(),
        () => redis.restart(),
      )
      const { iat = 0 } = decodeJwt(used.get('dpop') ?? '')
      await expect.poll(() => Date.now(), { timeout: 8000, interval: 50 }).toBeGreaterThan((iat + 5) * 1000)
      expect(await refusals(used)).toEqual(['too old', 'too old'])
    })
  })
})
