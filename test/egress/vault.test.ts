import { describe, expect, it, onTestFinished } from 'vitest'
import { found } from '../support/canary.ts'
import { openGateway } from '../support/gateway.ts'
import { openHttp } from '../support/shop.ts'
import { openVault } from '../support/vault.ts'

async function open(inject: string, scheme = 'http') {
  const vault = await openVault(onTestFinished)
  vault.addToken('canary-vault-token')
  vault.put('pay', { key: 'sk_test_canary/from+vault' })
  const shown: string[] = []
  const vendor = await openHttp(onTestFinished, (request, response) => {
    shown.push(request.headers.authorization ?? '')
    response.end(JSON.stringify(request.headers))
  })
  const policies = `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { egress: { address: "127.0.0.1:0" } }
callers: { shop: { listener: egress } }
egress:
  pay:
    listen: 127.0.0.1:0
    callers: [shop]
    mask: { responses: true }
    environments:
      dev: { target: "${scheme}://127.0.0.1:${vendor}", allowAddresses: [127.0.0.1/32], inject: { header: authorization, format: "Bearer {secret}", ${inject} } }
`
  const variables = { VAULT_ADDR: vault.address, VAULT_TOKEN: 'canary-vault-token' }
  const gateway = await openGateway(onTestFinished, { 'all.yaml': policies }, { variables, flags: { strict: true } })
  const call = (init: RequestInit = {}) => fetch(`http://127.0.0.1:${gateway.port('egress:pay')}/`, init)
  return { vault, gateway, call, shown }
}

const secrets = { key: 'sk_test_canary/from+vault', token: 'canary-vault-token' }

describe('a call whose key is in Vault', () => {
  it('carries it, asked for once, and nobody else sees it', async () => {
    const { vault, gateway, call, shown } = await open('secret: "vault:kv/pay#key", pattern: ^sk_test_')
    const answers = await Promise.all(Array.from({ length: 100 }, async () => (await call()).text()))
    expect(new Set(shown)).toEqual(new Set([`Bearer ${secrets.key}`]))
    expect(vault.asked.filter((line) => line.includes('/data/'))).toEqual(['GET /v1/kv/data/pay'])
    expect(found(answers.join('') + JSON.stringify(gateway.journal), secrets)).toEqual([])
  })

  it('waits for it no longer than it may take', async () => {
    for (const inject of ['secret: "vault:kv/pay#key"', 'secret: env:VAULT_TOKEN }, tls: { certificate: "vault:kv/tls#certificate", key: "vault:kv/tls#key"']) {
      const { vault, call, shown } = await open(inject, inject.includes('tls') ? 'https' : 'http')
      vault.answer('silence')
      const answer = await call({ headers: { 'x-egress-timeout-ms': '200' } })
      expect(await answer.json()).toMatchObject({ status: 504, code: 'deadline_exceeded' })
      expect(shown).toEqual([])
    }
  })

  it.each([
    ['sealed', 'secret: "vault:kv/pay#key"', 'Vault is sealed'],
    [undefined, 'secret: "vault:kv/denied#key"', 'Vault denies it (403)'],
    [undefined, 'secret: "vault:kv/none#key"', 'Vault has no such secret (404)'],
    [undefined, 'secret: "vault:kv/pay#key", forbidPattern: ^sk_test_', 'fits the forbidden pattern'],
  ] as const)('goes nowhere without it, and the record says why: %s, %s', async (answer, inject, why) => {
    const { vault, gateway, call, shown } = await open(inject)
    vault.answer(answer)
    const refused = await call()
    expect(await refused.json()).toMatchObject({ status: 503, code: 'credential_unavailable' })
    await gateway.entry((entry) => JSON.stringify(entry).includes(why))
    expect(shown).toEqual([])
    expect(found(JSON.stringify(gateway.journal), secrets)).toEqual([])
  })
})
