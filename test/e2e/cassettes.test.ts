import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { found } from '../support/canary.ts'
import { http1 } from '../support/clients.ts'
import { openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, openHttp } from '../support/shop.ts'

const keep = untilTheEnd()
const key = 'sk_test_E2e/Canary+41'
const mine = 'caller-Own-Token-77'

it('what a vendor says in test answers in dev, from files that hold no secret and that nobody else can read', { timeout: 30_000 }, async () => {
  let calls = 0
  const vendor = await openHttp(keep, (request, response) => {
    calls += 1
    const seen = request.headers.authorization ?? ''
    response.writeHead(201, { 'content-type': 'application/json', 'x-echo': seen, 'set-cookie': `s=${mine}` })
    // In pieces, with the credential in several spellings.
    response.write(`{"nth":${calls},"raw":${JSON.stringify(seen)},"hex":"${Buffer.from(key).toString('hex')}",`)
    response.end(`"base64":"${Buffer.from(`ab${key}`).toString('base64')}","percent":"${encodeURIComponent(key)}","own":"${mine}"}`)
  })
  const folder = await mkdtemp(join(tmpdir(), 'cassettes-e2e-'))
  keep(() => rm(folder, { recursive: true, force: true }))
  const egress = `sallyport: v1
callers:
  tester: { listener: egress, mayChooseEnv: [dev, test] }
egress:
  pay:
    listen: 127.0.0.1:0
    callers: [tester]
    environments:
      test: { mode: record, target: "http://127.0.0.1:${vendor}", allowAddresses: [127.0.0.0/8], cassette: pay, inject: { header: authorization, format: "Bearer {secret}", secret: "env:E2E_KEY" } }
      dev: { mode: replay, cassette: pay }
`
  const files = { 'house.yaml': house, 'egress.yaml': egress }
  const gateway = await openGateway(keep, files, { variables: { SALLYPORT_CASSETTES: folder, E2E_KEY: key } })
  const ask = (environment: string, body: string) =>
    http1(gateway.port('egress:pay'), {
      path: '/v1/charges?page=1',
      body,
      headers: [
        ['host', 'pay'],
        ['content-type', 'application/json'],
        ['authorization', `Bearer ${mine}`],
        ['x-egress-env', environment],
      ],
    })
  expect((await ask('dev', '{"amount":1}')).status).toBe(501)
  const recorded = await ask('test', '{"amount":1}')
  expect([recorded.status, calls]).toEqual([201, 1])
  const replayed = await ask('dev', '{"amount":1}')
  expect([replayed.status, JSON.parse(replayed.text)]).toMatchObject([201, { nth: 1 }])
  const missed = await ask('dev', '{"amount":2}')
  expect([missed.status, missed.text]).toEqual([501, expect.stringContaining('differs in body.amount')])
  expect(calls).toBe(1)

  const [name = ''] = await readdir(join(folder, 'pay'))
  expect(name).toBe('00001-post-v1-charges.json')
  expect((await stat(join(folder, 'pay', name))).mode & 0o777).toBe(0o600)
  const text = await readFile(join(folder, 'pay', name), 'utf8')
  expect(found(text, { key, mine })).toEqual([])
  expect(found(recorded.text, { key, mine }).length).toBeGreaterThan(3)
})
