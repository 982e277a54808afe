import { describe, expect, it } from 'vitest'
import { base, clean, loadCase } from '../support/load.ts'

const house = (more: string, set = 'store: file:/var/lib/keys.json') => `sallyport: v1
apiKeys:
  partners: { ${set} }
clusters:
  orders: { address: "127.0.0.1:15001" }
${more}`

const plain = `access:
  orders: { authenticate: { apiKey: partners }, rules: [{ id: read, allow: { scopes: [orders:read], issuers: [partners] } }] }
limits:
  each: { rate: 10/1m, key: [issuer, apiKey] }
routes:
  orders: { match: { path: "/orders/{**}" }, access: orders, limits: [each], to: orders }
`

async function loaded(text: string) {
  return loadCase({ files: { 'base.yaml': base, 'a.yaml': text }, environment: 'dev' })
}

async function codes(text: string) {
  const { diagnostics } = await loaded(text)
  return diagnostics.map(({ severity, code, line }) => `${severity} ${code} ${line}`)
}

describe('a set of API keys', () => {
  it('is linked with its defaults', async () => {
    const policy = clean(await loaded(house(plain)))
    expect(policy.apiKeys['partners']).toEqual({
      name: 'partners',
      quarantined: undefined,
      store: { kind: 'file', reference: 'file:/var/lib/keys.json' },
      header: 'x-api-key',
      scopes: undefined,
      refreshMs: 5000,
      staleForMs: 300_000,
    })
    expect(policy.access['orders']?.authenticate).toEqual({ kind: 'apiKey', name: 'partners' })
  })

  it('may be kept elsewhere in one environment', async () => {
    const overlay = 'sallyport: v1\napiKeys: { partners: { store: file:/var/lib/dev.json } }\n'
    const found = await loadCase({ files: { 'base.yaml': base, 'a.yaml': house(plain), 'environments/dev.yaml': overlay }, environment: 'dev' })
    expect(clean(found).apiKeys['partners']?.store).toEqual({ kind: 'file', reference: 'file:/var/lib/dev.json' })
  })

  it('in Redis needs the store, and is quarantined without it, with what it guards', async () => {
    const text = house(plain, 'store: redis')
    expect(await codes(text)).toEqual(['error store_missing 3'])
    const { policy } = await loaded(text)
    expect(policy?.apiKeys['partners']?.quarantined).toBeDefined()
    expect(policy?.routes[0]?.quarantined).toBeDefined()
    expect(await codes(`${text}store: { redis: env:REDIS_URL }\n`)).toEqual([])
  })

  it.each([
    ['store: keys.json', 'value_invalid'],
    ['store: file:keys.json', 'value_invalid'],
    ['header: x-key', 'key_missing'],
    ['store: file:/k, header: authorization', 'value_invalid'],
    ['store: file:/k, header: x-forwarded-for', 'value_invalid'],
    ['store: file:/k, header: X-Api-Key', 'value_invalid'],
    ['store: file:/k, header: x_api_key', 'value_invalid'],
    ['store: file:/k, header: x-sallyport-key', 'value_invalid'],
    ['store: file:/k, refresh: 31s', 'value_invalid'],
    ['store: file:/k, staleFor: 2h', 'value_invalid'],
    ['store: file:/k, keys: []', 'key_unknown'],
  ])('that says %s is refused', async (said, code) => {
    const found = await codes(house(plain, said))
    expect(found.filter((each) => each.startsWith('error')).map((each) => each.split(' ')[1])).toContain(code)
  })

  it('cannot have the name of an issuer, nor the file of another set', async () => {
    const issuer = 'issuers: { partners: { issuer: "https://idp.example.com", audiences: [api] } }\n'
    expect(await codes(house(plain + issuer))).toContain('error name_taken 3')
    const twice = house(plain).replace('apiKeys:', 'apiKeys:\n  others: { store: file:/var/lib/keys.json }')
    expect(await codes(twice)).toContain('error store_shared 4')
  })

  it('that nothing asks for is said so', async () => {
    const open = 'access: { all: { rules: [{ id: all, allow: { anonymous: true } }] } }\nroutes: { all: { match: { path: / }, access: all, to: orders } }\n'
    expect(await codes(house(open))).toEqual(['warning name_unused 3'])
  })

  it.each([
    ['a route', plain.replace('path: "/orders/{**}"', 'path: "/orders/{**}", headers: { x-api-key: { present: true } }')],
    ['a rule', plain.replace('scopes: [orders:read]', 'headers: { x-api-key: a }')],
    ['a sticky split', plain.replace('to: orders', 'sticky: header.x-api-key, to: orders')],
    ['a pin', plain.replace('to: orders }', 'to: [{ cluster: orders, pin: { headers: { x-api-key: a } } }] }')],
  ])('keeps its header from %s', async (_, text) => {
    expect((await codes(house(text))).map((each) => each.split(' ')[1])).toContain('header_holds_keys')
  })

  it('keeps a header of its own from limits', async () => {
    const text = house(plain.replace('[issuer, apiKey]', '[header.x-partner]'), 'store: file:/k, header: x-partner')
    expect((await codes(text)).map((each) => each.split(' ')[1])).toContain('header_holds_keys')
  })

  it('is not what a rule about an issuer waits for elsewhere', async () => {
    const issuer = 'issuers: { main: { issuer: "https://idp.example.com", audiences: [api] } }\n'
    const text = house(issuer + plain.replace('{ apiKey: partners }', '{ jwt: main }'))
    expect((await codes(text)).map((each) => each.split(' ')[1])).toContain('rule_never')
  })
})

describe('revocation', () => {
  const issuer = (more: string) => `sallyport: v1
issuers: { main: { issuer: "https://idp.example.com", audiences: [api]${more} } }
clusters: { orders: { address: "127.0.0.1:15001" } }
access: { orders: { rules: [{ id: read, allow: { scopes: [a] } }] } }
routes: { orders: { match: { path: / }, access: orders, to: orders } }
`
  const store = 'store: { redis: env:REDIS_URL }\n'

  it('is off unless said, and needs the store', async () => {
    expect(clean(await loaded(issuer(''))).issuers['main']?.revocation).toBeUndefined()
    expect(clean(await loaded(issuer(', revocation: {}') + store)).issuers['main']?.revocation).toEqual({
      refreshMs: 1000,
      staleForMs: 300_000,
      onStoreFailure: 'refuse',
    })
    expect(await codes(issuer(', revocation: {}'))).toEqual(['error store_missing 2'])
  })

  it.each([['refresh: 31s'], ['staleFor: 2h'], ['onStoreFailure: allow']])('refuses %s', async (said) => {
    expect(await codes(issuer(`, revocation: { ${said} }`) + store)).toEqual(['error value_invalid 2'])
  })
})
