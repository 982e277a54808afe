import { describe, expect, it } from 'vitest'
import { explain } from '../../src/node/cli/commands/explain.ts'
import { test as runTests } from '../../src/node/cli/commands/test.ts'
import { base } from '../support/load.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { ask } from './ask.ts'

const policies = `sallyport: v1
clusters: { web: { address: 127.0.0.1:15001 } }
deciders:
  opa-main: { opa: { url: https://opa.example, path: a/allow }, send: [method] }
  lenient: { opa: { url: https://opa.example, path: a/b }, send: [method], onFailure: allow }
  trial: { opa: { url: https://opa.example, path: a/c }, send: [method], mode: audit }
access:
  one: { ask: opa-main, rules: [{ id: read, allow: { anonymous: true, methods: [GET] } }] }
  two: { ask: [lenient, trial], rules: [{ id: all, allow: { anonymous: true } }] }
routes:
  one: { match: { path: /one }, access: one, to: web }
  two: { match: { path: /two }, access: two, to: web }
`

async function tested(text: string) {
  const { path } = await tempFolder({ 'base.yaml': base, 'web.yaml': policies, 'web.test.yaml': text })
  return ask(runTests, '--env', 'dev', '--policies', path)
}

async function explained(method: string, address: string, ...more: readonly string[]) {
  const { path } = await tempFolder({ 'base.yaml': base, 'web.yaml': policies })
  return ask(explain, method, address, '--env', 'dev', '--policies', path, ...more)
}

describe('a policy test', () => {
  it('states what decision points answer, and sees what follows', async () => {
    const { status, out } = await tested(`
- { name: allowed, request: { path: /one }, deciders: { opa-main: allow }, expect: { status: 200, rule: one/read, asked: [opa-main] } }
- { name: denied, request: { path: /one }, deciders: { opa-main: deny }, expect: { status: 403, code: forbidden, rule: deciders.opa-main } }
- { name: down, request: { path: /one }, deciders: { opa-main: down }, expect: { status: 503, code: decision_unavailable } }
- { name: not asked, request: { path: /one, method: PUT }, expect: { status: 403, asked: [] } }
- { name: fails open, request: { path: /two }, deciders: { lenient: down }, expect: { status: 200, rule: two/all, asked: [lenient, trial] } }
- { name: audit decides nothing, request: { path: /two }, deciders: { lenient: allow, trial: deny }, expect: { status: 200 } }
`)
    expect(out).toContain('6 passed, 0 failed')
    expect([status, out.includes('no test exercised')]).toEqual([0, false])
  })

  it('that leaves the answer open fails with a sentence, whatever it expects', async () => {
    const { status, out } = await tested('- { name: open, request: { path: /one }, expect: { status: 200 } }\n')
    expect(out).toContain('deciders: opa-main would be asked, and the test does not state its answer: add deciders: { opa-main: allow }, deny or down')
    expect([status, out.includes('0 passed, 1 failed')]).toEqual([1, true])
  })

  it('that states the answer of nobody fails', async () => {
    const { out } = await tested('- { name: typo, request: { path: /one }, deciders: { opa-main: allow, opa: deny }, expect: { status: 200 } }\n')
    expect(out).toContain('deciders: the policies have no decision point "opa"')
  })
})

describe('explain', () => {
  it('says whom the gateway would ask, and asks nobody', async () => {
    const { status, out } = await explained('GET', 'http://api.example.com/one')
    expect(out).toMatch(/^Would ask {3}opa-main$/m)
    expect(out).toContain('Forwarded: one/read lets it pass, if opa-main allows it too; nobody was asked.')
    expect(status).toBe(0)
  })

  it('names those in audit mode as such', async () => {
    const { out } = await explained('GET', 'http://api.example.com/two')
    expect(out).toMatch(/^Would ask {3}lenient\nWould ask {3}trial \(audit: its answer decides nothing\)$/m)
    expect(out).toContain('if lenient allows it too')
  })

  it('names nobody when the rules refuse', async () => {
    const { out } = await explained('PUT', 'http://api.example.com/one')
    expect(out).not.toContain('Would ask')
    const { out: json } = await explained('GET', 'http://api.example.com/two', '--json')
    expect(JSON.parse(json)).toMatchObject({
      wouldAsk: [
        { decider: 'lenient', audit: false },
        { decider: 'trial', audit: true },
      ],
    })
  })
})
