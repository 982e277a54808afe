import { request } from 'node:http'
import { expect, it, onTestFinished, vi } from 'vitest'
import { access, rule } from '../support/access.ts'
import { http1 } from '../support/clients.ts'
import { testEdgePolicy } from '../support/edge-policy.ts'
import { issuerDouble } from '../support/issuer.ts'
import type { Keep } from '../support/keep.ts'
import { testRoute } from '../support/routes.ts'
import { openWorker } from '../support/worker.ts'

const keep: Keep = (close) => onTestFinished(async () => await close())
const origin = 'http://localhost:9'

/** A Worker whose issuer answers with `keys`, and whose gateway behind always answers. */
async function openGuarded(keys: () => Promise<Response> | Response) {
  const issuer = await issuerDouble(() => Date.now())
  const policy = testEdgePolicy({
    issuers: { main: issuer.config({ jwks: issuer.jwksUrl }) },
    access: { read: access('read', [rule('read', 'allow', { scopes: { all: ['orders:read'], any: [] } })]) },
    routes: [testRoute('private', { path: '/private' }, { access: ['read'] })],
  })
  const outbound = ({ url }: Request) => (url === issuer.jwksUrl ? keys() : new Response(`called ${url}`))
  const worker = await openWorker(keep, { policy, vars: { ORIGIN: origin }, outbound })
  const ask = async () => http1(worker.port, { path: '/private', headers: [['authorization', `Bearer ${await issuer.token()}`]] })
  return { issuer, worker, ask }
}

it('fetches keys once for many first requests, also when the one that asked has gone', async () => {
  const asked = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<Response>()
  const { issuer, worker, ask } = await openGuarded(() => {
    asked.resolve()
    return answered.promise
  })
  const first = request({ host: '127.0.0.1', port: worker.port, path: '/private', headers: { authorization: `Bearer ${await issuer.token()}` } })
  first.on('error', () => {})
  first.end()
  await asked.promise
  first.destroy()
  const others = [ask(), ask(), ask()]
  answered.resolve(new Response(issuer.jwks(), { headers: { 'content-type': 'application/json' } }))
  for (const { status } of await Promise.all(others)) expect(status).toBe(200)
  expect(worker.calls.filter((url) => url === issuer.jwksUrl)).toHaveLength(1)
  expect(worker.calls.filter((url) => url !== issuer.jwksUrl && url !== `${origin}/private`)).toEqual([])
})

it('follows no redirect for keys: without any it cannot tell, and lets nobody pass', async () => {
  const { issuer, worker, ask } = await openGuarded(() => new Response(null, { status: 302, headers: { location: 'http://169.254.169.254/keys' } }))
  const answer = await ask()
  expect(answer.status).toBe(503)
  expect(JSON.parse(answer.text)).toMatchObject({ code: 'idp_unavailable' })
  await vi.waitFor(() => expect(worker.logs()).toHaveLength(1))
  expect(worker.calls).toEqual([issuer.jwksUrl])
})
