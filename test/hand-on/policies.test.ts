import { describe, expect, test } from 'vitest'
import { checkWorkerGround, edgePolicyOf } from '../../src/core/edge.ts'
import { debugToken } from '../../src/node/cli/commands/debug-token.ts'
import { explain } from '../../src/node/cli/commands/explain.ts'
import { readPolicyTests } from '../../src/node/policy-test/document.ts'
import { runPolicyTests } from '../../src/node/policy-test/run.ts'
import { ask } from '../cli/ask.ts'
import { base, clean, loadBeside } from '../support/load.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { privateKey } from './walk.ts'

const house = `
debug: { key: env:DEBUG_KEY }
issuers: { main: { issuer: "https://idp.example.com", audiences: ["https://api.example.com"] } }
clusters: { web: { address: 127.0.0.1:8001 } }
tokens: { internal: { issuer: "https://gateway.example.com", keys: [env:MINT], claims: { tenant: org.tenant } } }
exchanges: { mesh: { tokenUrl: "https://sts.example.com/token", clientId: gateway, clientSecret: env:STS } }
resources: { web: { url: "https://api.example.com/web" } }
access: { staff: { authenticate: { jwt: main }, rules: [{ id: all, allow: { scopes: [read] } }] } }
`
const routes = `routes:
  web: { match: { path: "/web/{**}" }, access: staff, to: web, resource: web, handOn: { minted: internal, claims: { x-user: sub } } }
  sts: { match: { path: "/sts/{**}" }, access: staff, to: web, handOn: { exchange: mesh, header: x-inner } }
`

async function complaints(text: string): Promise<readonly string[]> {
  return (await loadBeside(text)).diagnostics
    .filter(({ code }) => code !== 'name_unused')
    .map(({ severity, code, message }) => `${severity} ${code} ${message}`)
}

const handing = (handOn: string) => `${house}routes:\n  web: { match: { path: "/web/{**}" }, access: staff, to: web, handOn: ${handOn} }\n`

describe('policies', () => {
  test('that hand tokens on are linked, without a word to say', async () => {
    const policy = clean(await loadBeside(`${house}${routes}`))
    expect(policy.tokens['internal']).toEqual({
      name: 'internal',
      issuer: 'https://gateway.example.com',
      keys: ['env:MINT'],
      algorithm: 'ES256',
      lifetimeMs: 60_000,
      audience: undefined,
      type: 'at+jwt',
      claims: [{ claim: 'tenant', from: 'org.tenant' }],
      scopes: 'none',
      activateAfterMs: 600_000,
      publish: false,
    })
    expect(policy.debug.key).toBe('env:DEBUG_KEY')
  })

  test.each([
    ['{ minted: internal, token: true }', 'error hand_on_twice The upstream would get two tokens: minted and token exclude each other.'],
    ['{ minted: internal, exchange: mesh }', 'error hand_on_twice The upstream would get two tokens: minted and exchange exclude each other.'],
    ['{ header: x-token }', 'error no_effect "header" says where a token stands, and there is none.'],
    ['{ minted: internal, header: cookie }', 'error header_refused The header cookie cannot carry a token.'],
    ['{ minted: internal, header: x-a, claims: { x-a: sub } }', 'error header_refused The header x-a cannot carry a token.'],
    ['{ minted: internl }', 'error name_unknown "internl" is not in "tokens".'],
    ['{ exchange: mash }', 'error name_unknown "mash" is not in "exchanges".'],
  ])('with handOn: %s are refused', async (handOn, expected) => {
    expect(await complaints(handing(handOn))).toContain(expected)
  })

  const keyed = house
    .replace('access: {', 'apiKeys: { shops: { store: "file:/run/shops.json" }, tools: { store: "file:/run/tools.json" } }\naccess: {')
    .replace(
      ' } }] } }',
      ' } }] }, keys: { authenticate: { apiKey: shops }, rules: [{ id: all, allow: { scopes: [read] } }] }, tools: { authenticate: { apiKey: tools }, rules: [{ id: all, allow: { scopes: [read] } }] } }',
    )
  const one = (access: string, handOn: string) => `${keyed}routes:\n  web: { match: { path: /web }, access: ${access}, to: web, handOn: ${handOn} }\n`

  test('that exchange what is no token are warned of, and nothing is said to be handed on', async () => {
    const found = async (access: string) => (await complaints(one(access, '{ exchange: mesh }'))).filter((text) => text.includes('exchange'))
    expect(await found('keys')).toEqual([
      'warning no_effect "exchange" has no effect: no policy of the route asks for a token, and nothing else can be exchanged.',
    ])
    expect(await found('[keys, staff]')).toEqual([])
    const path = await tempFolder({ 'all.yaml': `${base}${one('keys', '{ exchange: mesh }')}` })
    const args = ['--api-key', 'shops', '--claims', '{"sub":"acme","scope":"read"}', '--env', 'dev', '--policies', path.path]
    const { out } = await ask(explain, 'GET', 'http://api.example.com/web', ...args)
    expect(out).toContain('Forwarded: keys/all')
    expect(out).not.toContain('mesh')
  })

  test.each([
    ['[keys, tools]', true],
    ['[keys, staff]', false],
    ['[keys, keys]', false],
    ['keys', false],
  ])('that together ask what no request can bring are warned of: %s', async (access, never) => {
    const found = (await complaints(one(access, '{}'))).filter((text) => text.includes('requirement_never'))
    expect(found).toHaveLength(never ? 1 : 0)
  })

  test('with a claim that the gateway writes, a secret in the clear, or two resources in one place are refused', async () => {
    expect(await complaints(`${house.replace('{ tenant: org.tenant }', '{ sub: email }')}${routes}`)).toContain(
      'error claim_refused The claim sub is written by the gateway.',
    )
    expect((await complaints(`${house.replace('env:MINT', 'abc')}${routes}`)).join()).toContain('error')
    const twice = house.replace('resources: {', 'resources: { other: { url: "https://api.example.com/web/" },')
    expect((await complaints(`${twice}${routes}`)).join()).toContain('error resource_repeated')
  })

  test('lose a broken token with every route that hands it on, and the name of its header stays the gateway’s', async () => {
    const { policy } = await loadBeside(`${house.replace('{ tenant: org.tenant }', '{ sub: email }')}${routes}`)
    expect(policy?.tokens).toEqual({})
    expect(policy?.routes.map(({ name, quarantined, handOn }) => [name, quarantined !== undefined, handOn.claims.map(({ header }) => header)])).toEqual([
      ['web', true, ['x-user']],
      ['sts', false, []],
    ])
  })

  test('take no key out of the house to an edge', async () => {
    const loaded = await loadBeside(`${house}${routes}`)
    const edge = edgePolicyOf(clean(loaded))
    expect(JSON.stringify(edge)).not.toMatch(/env:/)
    expect(checkWorkerGround(clean(loaded), loaded.origins).map(({ code }) => code)).toEqual(['worker_debug'])
  })
})

describe('what is handed on', () => {
  test('is known to policy tests', async () => {
    const policy = clean(await loadBeside(`${house}${routes}`))
    const principal = 'principal: { issuer: main, claims: { sub: ada, scope: read, org: { tenant: a } } }'
    const { tests, diagnostics } = readPolicyTests(
      'a.test.yaml',
      `- name: web
  request: { path: /web/1 }
  ${principal}
  expect: { token: internal, headers: { x-user: ada }, claims: { sub: "main:ada", aud: web, tenant: a } }
- name: another tenant
  request: { path: /web/1 }
  ${principal}
  expect: { claims: { tenant: b } }
- name: sts
  request: { path: /sts/1 }
  ${principal}
  expect: { token: mesh, headers: { x-inner: "<exchange mesh>" } }
`,
    )
    expect(diagnostics).toEqual([])
    const outcomes = await runPolicyTests(policy, tests)
    expect(outcomes.map(({ differences }) => differences.length)).toEqual([0, 1, 0])
  })

  test('is explained without a key, and without asking anybody', async () => {
    const { path } = await tempFolder({ 'base.yaml': base, 'a.yaml': `sallyport: v1\n${house}${routes}` })
    const claims = '{"sub":"ada","scope":"read"}'
    const { out } = await ask(explain, 'GET', 'https://api.example.com/web/1', '--env', 'dev', '--policies', path, '--claims', claims)
    expect(out).toContain('token internal, in authorization: {"iss":"https://gateway.example.com","aud":"web"')
    expect(out).toContain('"sub":"main:ada"')
    const sts = await ask(explain, 'GET', 'https://api.example.com/sts/1', '--env', 'dev', '--policies', path, '--claims', claims)
    expect(sts.out).toContain('what exchange mesh gives for the token, in x-inner')
  })
})

describe('sallyport debug-token', () => {
  test('makes one that the gateway takes, and says what keeps it from doing so', async () => {
    const { jwk, pem } = await privateKey()
    const { path } = await tempFolder({ 'base.yaml': base, 'a.yaml': `sallyport: v1\n${house}${routes}`, 'key.pem': pem, 'key.jwk': jwk, none: 'x' })
    const { status, out } = await ask(debugToken, '--env', 'dev', '--policies', path, '--key', `file:${path}/key.pem`, '--for', '5m')
    expect(status).toBe(0)
    const [, body = ''] = out.trim().split('.')
    const { aud, iat, exp } = JSON.parse(Buffer.from(body, 'base64url').toString()) as { aud: string; iat: number; exp: number }
    expect([aud, exp - iat]).toEqual(['dev', 300])
    await expect(ask(debugToken, '--env', 'dev', '--policies', path, '--key', `file:${path}/key.jwk`, '--for', '16m')).rejects.toThrow(
      '--for is a duration from 1s to 15m',
    )
    const bad = await ask(debugToken, '--env', 'dev', '--policies', path, '--key', `file:${path}/none`)
    expect([bad.status, bad.err]).toEqual([1, expect.stringContaining('it is neither an ES256 nor an Ed25519 key')])
  })
})
