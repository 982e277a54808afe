import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Policy } from '../../src/core/policy/policy.ts'
import { readPolicyTests } from '../../src/node/policy-test/document.ts'
import { runPolicyTests } from '../../src/node/policy-test/run.ts'
import { loadCase } from '../support/load.ts'
import { blocksOf, guidePages, root } from './pages.ts'

/** What the guide's examples may use without saying it. */
const house = `
environments:
  dev: { class: nonprod }
  test: { class: nonprod }
  staging: { class: nonprod }
  prod: { class: prod }
`
const egressListener = 'listeners: { egress: { address: 127.0.0.1:9100 } }'
const listener = 'listeners: { public: { address: 127.0.0.1:8080 } }'
const staff = 'issuers: { staff: { issuer: "https://idp.example.com/staff", audiences: ["https://api.example.com"] } }'
const partners = 'issuers: { partners: { issuer: "https://partners.example.com", audiences: ["https://api.example.com"] } }'
const clusters = 'clusters: { catalog: { address: 127.0.0.1:15001, sidecar: envoy, authority: catalog.shop.svc.cluster.local } }'
const orders =
  'clusters: { orders: { protocol: grpc, sidecar: envoy, address: 127.0.0.1:15001, authority: orders.shop.svc.cluster.local, descriptors: descriptors/shop.binpb } }'
const reports = 'access: { staff-only: { authenticate: { jwt: staff }, rules: [{ id: read, allow: { scopes: ["reports:read"] } }] } }'

const descriptors = new Uint8Array(readFileSync(join(root, 'policies/descriptors/shop.binpb')))

/** Whether some example of the page says `section: { name: … }` itself. */
function says(texts: readonly string[], section: string, name: string): boolean {
  return texts.some((text) => new RegExp(`^${section}:\\n(?:  .*\\n)*?  ${name}:`, 'm').test(text))
}

/** All examples of a page as one policies folder, with what they leave to the reader. */
async function loadPage(page: string, environment: string) {
  const texts = blocksOf(page)
    .filter(({ kind }) => kind === 'yaml')
    .map(({ text }) => text)
  const left = [
    says(texts, 'listeners', 'egress') ? '' : egressListener,
    says(texts, 'listeners', 'public') ? '' : listener,
    says(texts, 'issuers', 'staff') ? '' : staff,
    partners,
    says(texts, 'clusters', 'catalog') ? '' : clusters,
    says(texts, 'clusters', 'orders') ? '' : orders,
    says(texts, 'access', 'staff-only') ? '' : reports,
  ]
  const files = Object.fromEntries([house, ...left, ...texts].filter((text) => text !== '').map((text, i) => [`${i}.yaml`, `sallyport: v1\n${text}\n`]))
  const mock = blocksOf(page).find(({ kind }) => kind === 'yaml mock')?.text ?? ''
  const assets = { 'descriptors/shop.binpb': descriptors, 'mocks/payments.yaml': new TextEncoder().encode(mock) }
  return loadCase({ files, assets, environment })
}

const pages = guidePages().filter((page) => page !== 'docs/policies.md' && blocksOf(page).some(({ kind }) => kind === 'yaml'))

describe.each(pages)('the examples of %s', (page) => {
  it.each(['dev', 'prod'])('load in %s without an error, and with nothing that has no effect', async (environment) => {
    const { diagnostics } = await loadPage(page, environment)
    // What an example defines and does not use is for the reader to use.
    const meant = diagnostics.filter(({ code }) => code !== 'name_unused')
    expect(meant.map(({ severity, message, file }) => `${severity} ${file} ${message}`)).toEqual([])
  })

  it('pass the policy tests beside them', async () => {
    const { policy } = await loadPage(page, 'dev')
    for (const { text, line } of blocksOf(page).filter(({ kind }) => kind === 'yaml test')) {
      const { tests, diagnostics } = readPolicyTests(page, text)
      expect(diagnostics).toEqual([])
      const outcomes = await runPolicyTests(policy as Policy, tests) // the test before this one saw that it loads
      expect(outcomes.flatMap(({ test, differences }) => differences.map((one) => `${page}:${line} ${test.name}: ${one}`))).toEqual([])
    }
  })
})
