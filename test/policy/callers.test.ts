import { describe, expect, it } from 'vitest'
import { clean, loadCase } from '../support/load.ts'

const issuers = `
issuers:
  corp: { issuer: "https://idp.example", audiences: [egress] }
  bound: { issuer: "https://bound.example", audiences: [egress], proof: { required: dpop } }
`
const tls = 'tls: { certificate: "file:/tls.crt", key: "file:/tls.key", clientCa: "file:/ca.pem" }'

interface Said {
  readonly callers: readonly string[]
  readonly listed?: string
  readonly egress?: string
  readonly service?: string
}

const environments = '      dev: { target: "https://a.example" }'

/** One service on the shared port, which all callers may call. */
function policies({ callers, listed, egress = `address: 127.0.0.1:9100, ${tls}`, service = '    host: pay.egress.internal' }: Said): string {
  const names = callers.map((one) => one.split(':', 1)[0])
  return `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { egress: { ${egress} } }
${callers.some((one) => one.includes('issuer:')) ? issuers : ''}
callers:
${callers.map((one) => `  ${one}`).join('\n')}
egress:
  pay:
    callers: [${listed ?? names.join(', ')}]
${service}
    environments:
${service.includes('tcp') ? '      dev: { target: "db.example:5432" }' : environments}
`
}

const load = (said: Said) => loadCase({ files: { 'a.yaml': policies(said) } })
/** Of unused issuers nothing is said: both are there for the cases. */
const codes = async (said: Said) =>
  (await load(said)).diagnostics.filter(({ code }) => code !== 'name_unused').map(({ severity, code }) => `${severity} ${code}`)

const bySpiffe = (name: string, id: string, more = '') => `${name}: { spiffe: "${id}"${more} }`
const byToken = (name: string, claims: string, issuer = 'corp') => `${name}: { token: { issuer: ${issuer}, claims: { ${claims} } } }`
const shop = bySpiffe('shop', 'spiffe://corp/ns/*/sa/shop')

describe('callers', () => {
  it('are linked with what they are known by, and the ports with what they show and whom they trust', async () => {
    const text = policies({
      callers: [
        'anybody: {}',
        'shop: { spiffe: ["spiffe://corp/ns/a/sa/shop", "spiffe://corp/ns/*/sa/web"], environment: dev }',
        'ci: { listener: "egress:pay", token: { issuer: corp, claims: { sub: [a, b], org: { present: true }, level: 3 } } }',
      ],
      service: `    listen: 127.0.0.1:9101\n    host: pay.egress.internal\n    ${tls}`,
    })
    const policy = clean(await loadCase({ files: { 'a.yaml': text.replace(/ {2}bound:.*\n/, '') } }))
    expect(policy.callers).toEqual({
      anybody: { name: 'anybody', listener: 'egress', environment: undefined, mayChooseEnv: [] },
      shop: { name: 'shop', listener: 'egress', spiffe: ['spiffe://corp/ns/a/sa/shop', 'spiffe://corp/ns/*/sa/web'], environment: 'dev', mayChooseEnv: [] },
      ci: {
        name: 'ci',
        listener: 'egress:pay',
        token: {
          issuer: 'corp',
          claims: [
            { path: 'sub', kind: 'in', values: ['a', 'b'] },
            { path: 'org', kind: 'present' },
            { path: 'level', kind: 'in', values: [3] },
          ],
        },
        environment: undefined,
        mayChooseEnv: [],
      },
    })
    const linked = { certificate: 'file:/tls.crt', key: 'file:/tls.key', clientAuth: 'optional', clientCa: 'file:/ca.pem' }
    expect([policy.listeners.egress?.tls, policy.egress['pay']?.tls]).toEqual([linked, linked])
  })

  it.each<[string, Said, readonly string[]]>([
    ['ids that both fit', { callers: [shop, bySpiffe('test', 'spiffe://corp/ns/test/sa/*')] }, ['error callers_alike']],
    ['ids that exclude each other', { callers: [shop, bySpiffe('qa', 'spiffe://corp/ns/test/sa/qa')] }, []],
    [
      'the same id at one port',
      {
        callers: [bySpiffe('a', 'spiffe://corp/a', ', listener: "egress:pay"'), bySpiffe('b', 'spiffe://corp/a', ', listener: "egress:pay"')],
        service: `    listen: 127.0.0.1:9101\n    ${tls}`,
      },
      ['error callers_alike'],
    ],
    ['claims of which one includes the other', { callers: [byToken('a', 'sub: [x, y]'), byToken('b', 'sub: x, org: z')] }, ['error callers_alike']],
    ['a claim that is there, and its value', { callers: [byToken('a', 'sub: { present: true }'), byToken('b', 'sub: x')] }, ['error callers_alike']],
    ['claims that exclude each other, or may', { callers: [byToken('a', 'sub: x'), byToken('b', 'sub: y'), byToken('c', 'org: z')] }, []],
    ['the same claim of different types', { callers: [byToken('a', 'level: 1'), byToken('b', 'level: "1"')] }, []],
    ['one by certificate, one by token', { callers: [shop, byToken('b', 'sub: x')] }, []],
    ['listeners alone', { callers: ['a: {}', 'b: {}'], egress: 'address: 127.0.0.1:9100' }, []],
  ])('by %s', async (_, said, expected) => {
    expect(await codes(said)).toEqual(expected)
  })

  it.each<[string, Said, readonly string[]]>([
    ['a certificate that no port asks for', { callers: [shop], egress: 'address: 127.0.0.1:9100' }, ['error certificate_unasked']],
    [
      'a certificate, on a port without authorities',
      { callers: [shop], egress: 'address: 127.0.0.1:9100, tls: { certificate: "file:/c", key: "file:/k" }' },
      ['error certificate_unasked'],
    ],
    [
      'a certificate, where the own port in the clear is the only way',
      { callers: [bySpiffe('a', 'spiffe://corp/a', ', listener: "egress:pay"')], service: '    listen: 127.0.0.1:9101\n    host: pay.egress.internal' },
      ['error certificate_unasked'],
    ],
    ['a certificate, where one of two ways asks', { callers: [shop], service: '    listen: 127.0.0.1:9101\n    host: pay.egress.internal' }, []],
    ['a certificate, on a TCP port', { callers: [shop], service: '    kind: tcp\n    listen: 127.0.0.1:9101' }, ['error stream_caller']],
    [
      'a token, on a TCP port',
      { callers: [byToken('a', 'sub: x')], service: '    kind: tcp\n    listen: 127.0.0.1:9101', egress: 'address: 127.0.0.1:9100' },
      ['error stream_caller'],
    ],
    [
      'TLS on a TCP port',
      {
        callers: ['a: {}'],
        service: `    kind: tcp\n    listen: 127.0.0.1:9101\n    tls: { certificate: "file:/c", key: "file:/k" }`,
        egress: 'address: 127.0.0.1:9100',
      },
      ['error kind_differs'],
    ],
    [
      'TLS of a port that is not there',
      { callers: ['a: {}'], service: '    host: pay.egress.internal\n    tls: { certificate: "file:/c", key: "file:/k" }', egress: 'address: 127.0.0.1:9100' },
      ['error listener_missing'],
    ],
    ['a token of an issuer that is not there', { callers: [byToken('a', 'sub: x', 'crop')] }, ['error name_unknown']],
    ['a token that must be bound to a key', { callers: [byToken('a', 'sub: x', 'bound')] }, ['error token_bound']],
    ['a token without a claim', { callers: ['a: { token: { issuer: corp, claims: {} } }'] }, ['error value_invalid']],
    ['a pattern that is none', { callers: [bySpiffe('a', 'spiffe://*/ns/a')] }, ['error value_invalid']],
    ['several trust domains under one authority', { callers: [shop, bySpiffe('b', 'spiffe://other/b')] }, ['warning trust_domains_mixed']],
    ['nothing, on a port that asks for certificates', { callers: ['a: {}'] }, ['warning no_effect']],
  ])('known by %s', async (_, said, expected) => {
    expect((await codes(said)).filter((code) => code !== 'warning nobody_calls')).toEqual(expected)
  })

  it.each<[string, Said, readonly string[]]>([
    ['a listener alone', { callers: ['a: {}'], egress: 'address: 0.0.0.0:9100' }, ['warning listen_open']],
    ['a certificate', { callers: [shop], egress: `address: 0.0.0.0:9100, ${tls}` }, []],
    ['a token over TLS', { callers: [byToken('a', 'sub: x')], egress: 'address: 0.0.0.0:9100, tls: { certificate: "file:/c", key: "file:/k" }' }, []],
    ['a token in the clear', { callers: [byToken('a', 'sub: x')], egress: 'address: 0.0.0.0:9100' }, ['warning listen_open']],
    ['a certificate or a listener alone', { callers: [shop, 'a: {}'], egress: `address: 0.0.0.0:9100, ${tls}` }, ['warning listen_open']],
    [
      'a listener alone, elsewhere',
      { callers: [shop, 'a: { listener: "egress:crm" }'], listed: 'shop', egress: `address: 0.0.0.0:9100, ${tls}` },
      ['error name_unknown'],
    ],
    ['a certificate, on its own port', { callers: [shop], service: `    listen: 0.0.0.0:9101\n    ${tls}`, egress: 'address: 127.0.0.1:9100' }, []],
    [
      'a listener alone, on its own port',
      { callers: ['a: {}'], service: `    listen: 0.0.0.0:9101\n    tls: { certificate: "file:/c", key: "file:/k" }`, egress: 'address: 127.0.0.1:9100' },
      ['warning listen_open'],
    ],
  ])('known by %s, on a port that everybody reaches', async (_, said, expected) => {
    expect(await codes(said)).toEqual(expected)
  })

  it('that are broken take the services with them that name them, and the issuer takes them', async () => {
    const { policy } = await load({ callers: [byToken('a', 'sub: x', 'crop'), 'b: {}'], egress: 'address: 127.0.0.1:9100' })
    expect(Object.keys(policy?.callers ?? {})).toEqual(['b'])
    expect(policy?.egress['pay']?.service.quarantined).toContain('callers.a')
  })
})

it('an allow rule in audit mode is linked as one', async () => {
  const text = policies({
    callers: ['a: {}'],
    egress: 'address: 127.0.0.1:9100',
    service: '    host: a.b\n    allow: [{ methods: [GET], path: "/{**}", mode: audit }, { methods: [GET], path: /b }]',
  })
  expect(clean(await loadCase({ files: { 'a.yaml': text } })).egress['pay']?.service.allow).toEqual([
    { id: 'allow-1', methods: ['GET'], path: '/{**}', audit: true },
    { id: 'allow-2', methods: ['GET'], path: '/b' },
  ])
})
