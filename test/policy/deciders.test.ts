import { describe, expect, it } from 'vitest'
import { checkWorkerGround } from '../../src/core/edge.ts'
import { brief, clean, loadBeside } from '../support/load.ts'

const house = `clusters:
  web: { address: 127.0.0.1:15001 }
  authz: { address: 127.0.0.1:9001, protocol: grpc }
  authz-http: { address: 127.0.0.1:9002 }
access: { asks: { ask: main, rules: [{ id: all, allow: { anonymous: true } }] } }
routes: { a: { match: { path: /a }, access: asks, to: web } }
`
const opa = 'opa: { url: https://opa.example.com/base/, path: sallyport/allow }'
const load = (body: string) => loadBeside(`${house}deciders: { main: { ${body} } }\n`)

const grpc = 'extAuthz: { cluster: authz }'
const http = 'extAuthz: { cluster: authz-http }'

/** Errors and warnings, without those about clusters that the case does not use. */
async function said(body: string): Promise<readonly string[]> {
  const { diagnostics } = await load(body)
  return diagnostics.filter(({ code }) => code !== 'name_unused').map(({ severity, code, message }) => `${severity} ${code} ${message}`)
}

describe('a decider', () => {
  it('has defaults that deny, ask each time and wait 200 ms', async () => {
    const { policy } = await load(`${opa}, send: [method, claim.tenant, header.x-a]`)
    expect(policy?.deciders['main']).toEqual({
      name: 'main',
      point: { kind: 'opa', at: { url: 'https://opa.example.com/base' }, path: 'sallyport/allow' },
      send: [{ kind: 'method' }, { kind: 'claim', path: 'tenant' }, { kind: 'header', name: 'x-a' }],
      key: [{ kind: 'method' }, { kind: 'claim', path: 'tenant' }, { kind: 'header', name: 'x-a' }],
      timeoutMs: 200,
      onFailure: 'deny',
      mode: 'enforce',
      showReason: false,
      cache: { allowMs: 0, denyMs: 0, staleForMs: 0 },
    })
    expect(policy?.access['asks']?.ask).toEqual(['main'])
  })

  it('says all that can be said', async () => {
    const { policy } = await load(
      'extAuthz: { cluster: authz-http, pathPrefix: /check, keepStatus: true, upstreamHeaders: [x-tier] }, send: [method, path], timeout: 1s, onFailure: allow, mode: audit, showReason: true, cache: { allow: 5s, deny: 1s, staleFor: 30s, key: [path] }',
    )
    expect(policy?.deciders['main']).toMatchObject({
      point: { kind: 'extAuthz', protocol: 'http', cluster: 'authz-http', pathPrefix: '/check', keepStatus: true, upstreamHeaders: ['x-tier'] },
      key: [{ kind: 'path' }],
      timeoutMs: 1000,
      onFailure: 'allow',
      mode: 'audit',
      showReason: true,
      cache: { allowMs: 5000, denyMs: 1000, staleForMs: 30_000 },
    })
  })

  it('speaks gRPC where its cluster does', async () => {
    const { policy } = await load(`${grpc}, send: [method, subject]`)
    expect(policy?.deciders['main']?.point).toMatchObject({ protocol: 'grpc' })
  })

  it.each<[string, string, readonly string[]]>([
    ['neither of both', 'send: [method]', ['error decider_shape']],
    ['both', `${opa}, ${grpc}, send: [method]`, ['error decider_shape']],
    ['nothing to send', opa, ['error key_missing']],
    ['OPA nowhere', 'opa: { path: a }, send: [method]', ['error decider_shape']],
    ['OPA twice', 'opa: { url: https://a.example, cluster: authz-http, path: a }, send: [method]', ['error decider_shape']],
    ['OPA over gRPC', 'opa: { cluster: authz, path: a }, send: [method]', ['error decider_protocol']],
    ['OPA in the clear', 'opa: { url: http://opa.example, path: a }, send: [method]', ['error value_invalid']],
    ['a cluster that is not there', 'extAuthz: { cluster: gone }, send: [method]', ['error name_unknown']],
    ['the credential by its header', `${opa}, send: [header.authorization]`, ['error value_invalid']],
    ['what HTTP has no place for', `${http}, send: [method, subject]`, ['error decider_part']],
    ['a header of the gateway', 'extAuthz: { cluster: authz, upstreamHeaders: [x-forwarded-for] }, send: [method]', ['error header_refused']],
    ['a credential for the upstream', 'extAuthz: { cluster: authz, upstreamHeaders: [authorization] }, send: [method]', ['error header_refused']],
    ['a header both ways', 'extAuthz: { cluster: authz, upstreamHeaders: [x-a] }, send: [header.x-a]', ['error header_refused']],
    ['a key that is not sent', `${opa}, send: [method], cache: { key: [path] }`, ['error key_unsent']],
    ['a key that forgets who asks', `${opa}, send: [method, subject, token], cache: { key: [method] }`, ['warning key_shares']],
    ['a prefix over gRPC', 'extAuthz: { cluster: authz, pathPrefix: /x }, send: [method]', ['warning no_effect']],
    ['a failure that lets pass', `${opa}, send: [method], onFailure: allow`, ['warning decider_fails_open']],
    ['a time that is too long', `${opa}, send: [method], timeout: 1m`, ['error value_invalid']],
  ])('%s is said', async (_, body, expected) => {
    expect((await said(body)).map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(expected)
  })

  it('that is broken quarantines the policies that ask it, and with them their routes', async () => {
    const { policy } = await load('send: [method]')
    expect(policy?.access['asks']?.quarantined).toMatch(/decider/)
    expect(policy?.routes[0]?.quarantined).toMatch(/decider/)
  })

  it('whose cluster is broken does the same', async () => {
    const { policy } = await loadBeside(`${house.replace('127.0.0.1:9001', 'nonsense')}deciders: { main: { ${grpc}, send: [method] } }\n`)
    expect(policy?.routes[0]?.quarantined).toMatch(/clusters\.authz/)
  })

  it('that nobody asks is said, and one that is not there is an error', async () => {
    const both = await loadBeside(`${house.replace('ask: main', 'ask: [maim]')}deciders: { main: { ${opa}, send: [method] } }\n`)
    expect(brief(both.diagnostics).filter((line) => line.includes('name_unknown'))).toHaveLength(1)
    expect(both.policy?.routes[0]?.quarantined).toBeDefined()
    const unused = await loadBeside(`${house.replace('ask: main, ', '')}deciders: { main: { ${opa}, send: [method] } }\n`)
    expect(unused.diagnostics.map(({ message }) => message)).toContain('Nothing uses the decision point "main".')
  })

  it('can be asked by an access policy that stands in a route', async () => {
    const text = `clusters: { web: { address: 127.0.0.1:15001 } }
deciders: { main: { ${opa}, send: [method] } }
routes: { a: { match: { path: /a }, access: { ask: [main], rules: [{ id: all, allow: { anonymous: true } }] }, to: web } }
`
    expect(clean(await loadBeside(text)).access['a']?.ask).toEqual(['main'])
  })

  it('has its place and time overlaid by environment, and not what its failure means', async () => {
    const text = `${house}deciders: { main: { ${opa}, send: [method] } }\n`
    const overlay = (body: string) => loadBeside(text, { files: { 'environments/dev.yaml': `sallyport: v1\ndeciders: { main: { ${body} } }\n` } })
    const moved = await overlay('opa: { url: https://other.example }, timeout: 50ms')
    expect(moved.policy?.deciders['main']).toMatchObject({ point: { at: { url: 'https://other.example' } }, timeoutMs: 50 })
    for (const body of ['onFailure: allow', 'mode: audit']) expect((await overlay(body)).diagnostics.map(({ code }) => code)).toContain('overlay_fixed')
  })
})

describe('an edge in a Worker', () => {
  it('asks OPA by its URL, and refuses what only a cluster reaches', async () => {
    const errors = async (body: string) => {
      const { policy, origins } = await load(body)
      if (policy === undefined) throw new Error('no policy')
      return checkWorkerGround(policy, origins).map(({ code, object }) => `${code} ${object}`)
    }
    expect(await errors(`${opa}, send: [method]`)).toEqual([])
    expect(await errors(`${grpc}, send: [method]`)).toEqual(['worker_decider deciders.main'])
    expect(await errors('opa: { cluster: authz-http, path: a }, send: [method]')).toEqual(['worker_decider deciders.main'])
  })
})
