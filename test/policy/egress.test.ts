import { describe, expect, it } from 'vitest'
import { buildGuard } from '../../src/core/egress/guard.ts'
import { base, brief, clean, loadBeside, loadCase, marked } from '../support/load.ts'
import { fakePorts } from '../support/ports.ts'

const service = (environments: string, more = '') => `
callers: { checkout: {} }
egress:
  pay:
    listen: 127.0.0.1:9101
    callers: [checkout]
${more}    environments:
${environments}`
const codes = async (text: string, environment = 'dev') =>
  (await loadBeside(text, { environment })).diagnostics.map(({ severity, code }) => `${severity} ${code}`)

const vend = 'vend: { callers: [checkout] }'
const client = 'oauth2: { tokenUrl: "https://i.example/token", clientId: a, clientSecret: env:X }'
const aws = 'region: eu-central-1, service: s3, accessKeyId: env:I, secretAccessKey: env:S'

describe('a target', () => {
  it('hands out what ends by itself, in prod where that is said', async () => {
    const vends = async (said: string, environment = 'dev') => {
      const { targets } = clean(await loadBeside(service(said), { environment })).egress['pay'] ?? {}
      return targets?.[environment]
    }
    expect(await vends(`      dev: { target: "https://a.example", ${client}, ${vend} }`)).toMatchObject({ vend: { callers: ['checkout'] } })
    expect(await vends(`      dev: { target: "https://a.example", sigv4: { ${aws}, sessionToken: env:T }, ${vend} }`)).toMatchObject({
      vend: { callers: ['checkout'] },
    })
    const prod = `      dev: { target: "https://a.example" }\n      prod: { target: "https://b.example", ${client}, vend: { callers: [checkout], prod: true } }`
    expect(await vends(prod, 'prod')).toMatchObject({ vend: { callers: ['checkout'] } })
    expect(await codes(service(`      dev: { mode: deny, ${vend} }`))).toEqual(['warning no_effect'])
  })

  it('has the cache that is asked for, and without a word none', async () => {
    const cacheOf = async (more: string) => clean(await loadBeside(service('      dev: { target: "https://a.example" }\n', more))).egress['pay']?.service.cache
    expect(await cacheOf('')).toBeUndefined()
    expect(await cacheOf('    cache: {}\n')).toEqual({ bytes: 64 * 1024 ** 2, entryBytes: 1024 ** 2 })
    expect(await cacheOf('    cache: { maxBytes: 1MiB, maxEntry: 4KiB }\n')).toEqual({ bytes: 1024 ** 2, entryBytes: 4096 })
  })

  it('has the quota that was agreed, and as many calls a month as the cap pays for', async () => {
    const said = '    quota: { vendor: { rate: 100/1s }, cost: { perCall: 0.0005, currency: EUR, monthlyCap: 500 }, maxRetryAfter: 2s }\n'
    const policy = clean(await loadBeside(service('      dev: { target: "https://a.example" }\n', said)))
    expect(policy.egress['pay']?.service.quota).toEqual({
      vendor: { points: 100, windowMs: 1000, shareBy: 'caller' },
      cost: { perCall: 0.0005, currency: 'EUR', calls: 1_000_000 },
      maxRetryAfterMs: 2000,
      onStoreFailure: 'local',
    })
  })

  it('has the faults that its nonprod environment wants, in every mode that answers', async () => {
    const faults =
      'faults: { latency: { percent: 10%, for: 2s }, reset: { percent: 1% }, status: { percent: 5% }, bandwidth: { percent: 5%, perSecond: 10KiB } }'
    const policy = clean(
      await loadBeside(
        service(`      dev: { target: "https://a.example", ${faults} }
      staging: { mode: replay, cassette: pay, faults: { reset: { percent: 2% } } }
      prod: { target: "https://b.example", faults: { reset: { percent: 0% } } }
`),
      ),
    )
    expect(policy.egress['pay']?.targets).toMatchObject({
      dev: {
        faults: { latency: { share: 0.1, ms: 2000 }, reset: { share: 0.01 }, status: { share: 0.05, status: 503 }, bandwidth: { share: 0.05, bytes: 10_240 } },
      },
      staging: { faults: { reset: { share: 0.02 } } },
    })
  })

  it('knows what its vendor calls an idempotency key, for retries too', async () => {
    const said = '    retry: { withIdempotencyKey: [POST] }\n    idempotency: { header: x-request-key }\n'
    const policy = clean(await loadBeside(service('      dev: { target: "https://a.example" }\n', said)))
    expect(policy.egress['pay']?.service).toMatchObject({ idempotency: { header: 'x-request-key', generate: true }, retry: { keyHeader: 'x-request-key' } })
  })

  it('records in one nonprod environment what another replays', async () => {
    const policy = clean(
      await loadBeside(
        service(`      staging: { mode: record, target: "https://a.example", cassette: pay, match: { headers: [x-tenant] } }
      dev: { mode: replay, cassette: pay, match: { body: false } }
`),
      ),
    )
    expect(policy.egress['pay']?.targets).toMatchObject({
      staging: { mode: 'live', host: 'a.example', record: { name: 'pay', headers: ['x-tenant'], body: true } },
      dev: { mode: 'replay', cassette: { name: 'pay', headers: [], body: false } },
    })
  })

  it.each([
    'oauth2: { tokenUrl: "https://a.example/t", clientId: c, clientSecret: env:S }',
    'exchange: { tokenUrl: "https://a.example/t", clientId: c, clientSecret: env:S }',
    'sigv4: { region: eu, service: s3, accessKeyId: env:I, secretAccessKey: env:S }',
    'hmac: { secret: env:S, message: "{body}", header: x-proof }',
    'tls: { certificate: env:C, key: env:S }',
  ])('records with every kind of credential: %s', async (credential) => {
    expect(await codes(service(`      dev: { mode: record, target: "https://a.example", cassette: pay, ${credential} }\n`))).toEqual([])
  })

  it('is linked with everything the walk needs', async () => {
    const policy = clean(
      await loadBeside(
        service(
          `      dev:
        target: https://Sandbox.pay.example:8443/v2/
        inject: { header: authorization, format: "Bearer {secret}", secret: file:/run/secrets/pay, pattern: ^sk_test_, forbidPattern: ^sk_live_ }
        allowAddresses: [10.20.0.0/24]
        sharesAddressWithProd: true
        ca: file:/run/ca.pem
      staging:
        target: http://10.20.0.1
        basic: { username: u, password: env:PAY_STAGING }
      prod:
        target: https://api.pay.example
        guardHosts: [files.pay.example, eu.pay.example:8443]
        oauth2: { tokenUrl: https://auth.pay.example/token, clientId: b, clientSecret: env:PAY_PROD, scope: [read], audience: pay }
`,
          `    host: pay.egress.internal
    allow: [{ methods: [POST], path: /v1/charges }, { id: read, methods: [GET], path: "/v1/charges/{id}" }]
    timeout: { connect: 2s }
    retry: { on: [connect, 429], methods: [GET], withIdempotencyKey: [POST], maxRetryAfter: 3s, perTry: 2s }
    breaker: { failures: 50%, minRequests: 20, consecutive: 5, open: 30s }
    mask: { responses: true, jsonPaths: [$.pan] }
`,
        ),
      ),
    )
    expect(policy.egress['pay']?.service).toEqual({
      name: 'pay',
      quarantined: undefined,
      listen: '127.0.0.1:9101',
      host: 'pay.egress.internal',
      callers: ['checkout'],
      allow: [
        { id: 'allow-1', methods: ['POST'], path: '/v1/charges' },
        { id: 'read', methods: ['GET'], path: '/v1/charges/{id}' },
      ],
      connectTimeoutMs: 2000,
      timeoutMs: 15_000,
      retry: {
        attempts: 1,
        on: ['connect', 429],
        budget: 0.2,
        methods: ['GET'],
        withIdempotencyKey: ['POST'],
        maxRetryAfterMs: 3000,
        perTryMs: 2000,
        rpcs: [],
        bodies: 65_536,
      },
      breaker: { consecutive: 5, failures: 0.5, minRequests: 20, windowMs: 10_000, openMs: 30_000, probes: 3 },
      mask: { headers: ['authorization', 'cookie', 'proxy-authorization', 'set-cookie', 'x-api-key'], jsonPaths: ['$.pan'], responses: true },
    })
    expect(policy.egress['pay']?.targets).toEqual({
      dev: {
        mode: 'live',
        environment: 'dev',
        origin: 'https://sandbox.pay.example:8443',
        scheme: 'https',
        host: 'sandbox.pay.example',
        port: 8443,
        basePath: '/v2',
        credential: {
          kind: 'header',
          header: 'authorization',
          format: 'Bearer {secret}',
          secret: { reference: 'file:/run/secrets/pay', pattern: '^sk_test_', forbidPattern: '^sk_live_' },
        },
        allowAddresses: ['10.20.0.0/24'],
        sharesAddressWithProd: true,
        ca: 'file:/run/ca.pem',
      },
      staging: expect.objectContaining({
        origin: 'http://10.20.0.1',
        port: 80,
        basePath: '',
        credential: { kind: 'basic', username: 'u', password: { reference: 'env:PAY_STAGING', pattern: undefined, forbidPattern: undefined } },
      }),
    })
    expect(policy.guards).toEqual([
      { host: 'api.pay.example', port: 443, service: 'pay' },
      { host: 'files.pay.example', port: 443, service: 'pay' },
      { host: 'files.pay.example', port: 80, service: 'pay' },
      { host: 'eu.pay.example', port: 8443, service: 'pay' },
    ])
  })

  it.each([
    ['dev: { target: "https://api.pay.example" }\n      prod: { target: "https://api.pay.example" }', 'target_is_prod', 9],
    ['dev: { target: "https://api.pay.example:8443" }\n      prod: { target: "https://x.example", guardHosts: ["api.pay.example:8443"] }', 'target_is_prod', 9],
    ['dev: { target: "https://files.pay.example" }\n      prod: { target: "https://x.example", guardHosts: [files.pay.example] }', 'target_is_prod', 9],
    ['dev: { target: "https://api.pay.example:8443" }\n      prod: { target: "https://API.pay.example" }', 'target_is_prod', 9],
    ['dev: { target: "http://api.pay.example." }\n      prod: { target: "https://api.pay.example" }', 'value_invalid', 9],
    ['dev: { target: "http://[2001:db8:0::1]" }\n      prod: { target: "https://[2001:DB8::1]:8443" }', 'target_is_prod', 9],
    ['dev: { target: "http://[::ffff:192.0.2.1]" }\n      prod: { target: "https://192.0.2.1" }', 'target_is_prod', 9],
    ['dev: { target: "https://a.example", sharesAddressWithProd: true }\n      prod: { target: "https://a.example" }', 'target_is_prod', 9],
    [
      'dev: { target: "https://a.example", sharesAddressWithProd: true, inject: { header: a, secret: env:X } }\n      prod: { target: "https://a.example" }',
      'target_is_prod',
      9,
    ],
    [
      'dev: { target: "https://a.example", inject: { header: a, secret: env:X, pattern: ^sk_test_ } }\n      prod: { target: "https://a.example" }',
      'target_is_prod',
      9,
    ],
    [
      'dev: { target: "https://b.example", oauth2: { tokenUrl: "https://a.example:9/t", clientId: a, clientSecret: env:X } }\n      prod: { target: "https://a.example" }',
      'target_is_prod',
      9,
    ],
    ['prod: { target: "http://api.pay.example" }', 'target_clear_text', 9],
    ['prod: { target: "https://a.example", allowAddresses: ["0.0.0.0/0"] }', 'addresses_wide', 9],
    ['prod: { target: "https://a.example", allowAddresses: ["::/0"] }', 'addresses_wide', 9],
    ['prod: { target: "https://a.example", allowAddresses: [169.254.169.254/32] }', 'addresses_wide', 9],
    ['prod: { target: "https://a.example", allowAddresses: [169.0.0.0/8] }', 'addresses_wide', 9],
    ['prod: { target: "https://a.example", allowAddresses: ["fe80::/64"] }', 'addresses_wide', 9],
    ['dev: { target: "ftp://a.example" }', 'value_invalid', 9],
    ['dev: { target: "https://u:p@a.example" }', 'value_invalid', 9],
    ['dev: { target: "https://a.example?x=1" }', 'value_invalid', 9],
    ['dev: {}', 'mode_unclear', 9],
    ['dev: { target: "https://a.example", mock: m.yaml }', 'mode_unclear', 9],
    ['dev: { mode: live }', 'key_missing', 9],
    ['dev: { mode: mock }', 'key_missing', 9],
    ['dev: { mode: mock, mock: gone.yaml }', 'mock_missing', 9],
    ['dev: { mode: mock, mock: ../gone.yaml }', 'value_invalid', 9],
    ['dev: { mode: replay }', 'key_missing', 9],
    ['prod: { target: "https://a.example", faults: { reset: { percent: 1% } } }', 'faults_in_prod', 9],
    ['dev: { target: "https://a.example", faults: {} }', 'value_invalid', 9],
    ['dev: { mode: record, target: "https://a.example" }', 'key_missing', 9],
    ['dev: { mode: record, cassette: pay }', 'key_missing', 9],
    ['prod: { mode: record, target: "https://a.example", cassette: pay }', 'record_in_prod', 9],
    ['dev: { target: "https://a.example", inject: { header: a, query: b, secret: env:X } }', 'inject_shape', 9],
    ['dev: { target: "https://a.example", inject: { secret: env:X } }', 'inject_shape', 9],
    ['dev: { target: "https://a.example", inject: { header: a, format: "{secret}{secret}", secret: env:X } }', 'format_shape', 9],
    ['dev: { target: "https://a.example", inject: { header: a, format: Bearer, secret: env:X } }', 'value_invalid', 9],
    ['dev: { target: "https://a.example", inject: { query: a, format: "{secret}", secret: env:X } }', 'no_effect', 9],
    ['dev: { target: "https://a.example", inject: { header: a, secret: "vault:kv/pay" } }', 'secret_literal', 9],
    ['dev: { target: "https://a.example", inject: { header: a, secret: "vault:kv/../sys#x" } }', 'secret_literal', 9],
    ['dev: { target: "https://a.example", inject: { header: a, secret: 12345 } }', 'secret_literal', 9],
    ['dev: { target: "https://a.example", inject: { header: a, secret: env:X }, basic: { username: u, password: env:Y } }', 'credential_twice', 9],
    ['dev: { target: "https://a.example", oauth2: { tokenUrl: "http://a.example/t", clientId: a, clientSecret: env:X } }', 'value_invalid', 9],
    [
      'dev: { target: "https://a.example", oauth2: { tokenUrl: "https://a.example/t", clientId: a, clientSecret: env:X, auth: private_key_jwt } }',
      'client_credential',
      9,
    ],
    ['dev: { target: "https://a.example", oauth2: { tokenUrl: "https://a.example/t", clientId: a } }', 'client_credential', 9],
    ['dev: { target: "https://a.example", oauth2: { tokenUrl: "https://a.example/t", clientId: a, certificate: env:C } }', 'client_credential', 9],
    [
      'dev: { target: "https://a.example", oauth2: { tokenUrl: "https://a.example/t", clientId: a, key: env:K, certificate: env:C, keyId: k } }',
      'no_effect',
      9,
    ],
    ['dev: { target: "https://a.example", oauth2: { tokenUrl: "https://a.example/t", clientId: a, key: env:K, clientSecret: env:C } }', 'no_effect', 9],
    [
      'dev: { target: "https://a.example", exchange: { tokenUrl: "https://a.example/t", clientId: a, key: env:K }, basic: { username: u, password: env:P } }',
      'credential_twice',
      9,
    ],
    ['dev: { target: "https://a.example", hmac: { secret: env:S, message: "{verb}", header: x } }', 'placeholder_unknown', 9],
    ['dev: { target: "https://a.example", hmac: { secret: env:S, message: "{timestamp}", header: x } }', 'timestamp_half', 9],
    ['dev: { target: "https://a.example", hmac: { secret: env:S, message: "{body}", header: x, timestampHeader: y } }', 'timestamp_half', 9],
    ['dev: { target: "https://a.example", sigv4: { region: EU, service: s3, accessKeyId: env:A, secretAccessKey: env:B } }', 'value_invalid', 9],
    ['dev: { target: "http://a.example", tls: { certificate: env:C, key: env:K } }', 'tls_clear_text', 9],
    ['tset: { target: "https://a.example" }', 'environment_unknown', 9],
    ['dev: { target: "https://a.example", record: true }', 'key_unknown', 9],
  ])('that says %s is refused, whatever environment is in force', async (environments, code, line) => {
    const text = service(`      ${environments}`)
    for (const environment of ['dev', 'prod']) {
      const { diagnostics, policy } = await loadBeside(text, { environment })
      const errors = diagnostics.filter(({ severity }) => severity === 'error')
      expect(errors.map((each) => `${each.code} ${each.line}`)).toEqual([`${code} ${line}`])
      expect(policy?.egress['pay']).toMatchObject({ service: { quarantined: expect.any(String) }, targets: {} })
    }
  })

  it.each(['{ class: nonprd }', '{}'])('is not judged as production where the class of its environment is %s', async (declared) => {
    const { diagnostics, policy } = await loadBeside(
      service('      qa: { target: "http://10.20.0.1", sharesAddressWithProd: true, guardHosts: [a.example], inject: { header: a, secret: env:X } }\n'),
      { files: { 'base.yaml': base.replace('  dev:', `  qa: ${declared}\n  dev:`) } },
    )
    expect(brief(diagnostics)).toEqual([expect.stringMatching(/^error \w+ base\.yaml:3:/)])
    expect(policy).toBeUndefined()
  })

  it.each([
    ['pattern: ^sk_test_', 'inject: { header: authorization, secret: env:TEST_KEY, pattern: ^sk_test_ }'],
    ['forbidPattern: ^sk_live_', 'inject: { header: authorization, secret: env:TEST_KEY, forbidPattern: ^sk_live_ }'],
    ['a password', 'basic: { username: u, password: env:TEST_KEY, pattern: ^sk_test_ }'],
    ['a client secret', 'oauth2: { tokenUrl: "https://api.pay.example/token", clientId: c, clientSecret: env:TEST_KEY, pattern: ^sk_test_ }'],
  ])('may share the host of production when that is known and its key is checked, at load as at run time: %s', async (_, credential) => {
    const policy = clean(
      await loadBeside(
        service(
          `      dev: { target: "https://api.pay.example", sharesAddressWithProd: true, ${credential} }\n      prod: { target: "https://api.pay.example", inject: { header: authorization, secret: env:LIVE_KEY } }`,
        ),
      ),
    )
    const target = policy.egress['pay']?.targets['dev']
    if (target?.mode !== 'live') throw new Error('no live target')
    expect(buildGuard(policy, fakePorts()).checkNames(target)).toBeUndefined()
    expect(buildGuard(policy, fakePorts()).checkNames({ ...target, sharesAddressWithProd: false })).toContain('api.pay.example is production (pay)')
  })

  it("at an address of production's name, but not of that name, loads: it is refused when it is dialled", async () => {
    const policy = clean(await loadBeside(service('      dev: { target: "http://127.0.0.1:9202" }\n      prod: { target: "https://localhost:9202" }')))
    expect(policy.egress['pay']?.targets['dev']).toMatchObject({ mode: 'live', host: '127.0.0.1' })
    expect(policy.guards).toEqual([{ host: 'localhost', port: 9202, service: 'pay' }])
  })

  it('in a mode that cannot use what is said is a warning', async () => {
    expect(await codes(service('      dev: { mode: deny, reason: closed, target: "https://a.example" }'))).toEqual(['warning no_effect'])
  })
})

describe('a secret', () => {
  it('belongs to one environment: the error names the other place, and not the reference', async () => {
    const inject = 'inject: { header: a, secret: env:SHARED_KEY }'
    const { diagnostics } = await loadBeside(
      service(`      dev: { target: "https://a.example", ${inject} }\n      staging: { target: "https://b.example", ${inject} }`),
    )
    expect(diagnostics).toMatchObject([
      { code: 'secret_shared', line: 10, message: 'This secret belongs to the environment "dev" of egress.pay already, at a.yaml:9:72.' },
    ])
    expect(JSON.stringify(diagnostics)).not.toContain('SHARED_KEY')
  })

  it('of production is not given to another environment that stands before it', async () => {
    const inject = 'inject: { header: a, secret: env:SHARED_KEY }'
    const { diagnostics } = await loadBeside(
      service(`      dev: { target: "https://a.example", ${inject} }\n      prod: { target: "https://b.example", ${inject} }`),
    )
    expect(diagnostics).toMatchObject([{ code: 'secret_shared', line: 9, message: expect.stringContaining('the environment "prod"') }])
  })

  it.each([
    [
      'oauth2: { tokenUrl: "https://a.example/t", clientId: c, key: env:SHARED }',
      'exchange: { tokenUrl: "https://a.example/t", clientId: c, key: env:SHARED }',
    ],
    ['sigv4: { region: eu, service: s3, accessKeyId: env:A, secretAccessKey: env:SHARED }', 'hmac: { secret: env:SHARED, message: "{body}", header: x }'],
    ['tls: { certificate: env:C, key: env:SHARED }', 'inject: { header: a, secret: env:SHARED }'],
    ['inject: { header: a, secret: "vault:kv/pay#key" }', 'inject: { header: a, secret: "vault:kv/pay?version=2#key" }'],
  ])('belongs to one environment in every kind of credential: %s', async (one, other) => {
    const { diagnostics } = await loadBeside(
      service(`      dev: { target: "https://a.example", ${one} }\n      staging: { target: "https://b.example", ${other} }`),
    )
    expect(diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toEqual(['secret_shared'])
  })

  it('written as a variable is refused without being shown, and the reference is named', async () => {
    const loaded = await loadBeside(service('      dev: { target: "https://a.example", inject: { header: a, secret: "${PAY_KEY}" } }'), {
      variables: { PAY_KEY: 'sk_live_4242' },
    })
    expect(loaded.diagnostics).toMatchObject([{ code: 'secret_literal', hint: 'Write env:PAY_KEY, which is read when it is needed.' }])
    expect(JSON.stringify(loaded)).not.toContain('sk_live_4242')
  })

  it.each(['sk_live_4242', 'env:', 'env:a-b', 'file:relative', '"env: X"', '{ a: sk_live_4242 }', '[sk_live_4242]', 'SK_4242: 1'])(
    'that is %s is never quoted back',
    async (literal) => {
      const { diagnostics } = await loadBeside(service(`      dev: { target: "https://a.example", inject: { header: a, secret: ${literal} } }`))
      expect(diagnostics.some(({ severity }) => severity === 'error')).toBe(true)
      expect(JSON.stringify(diagnostics)).not.toContain('4242')
    },
  )

  it('of the store is a reference too; a broken one quarantines what is limited', async () => {
    const text =
      'clusters: { a: { address: "127.0.0.1:1" } }\nlimits: { l: { rate: 1/1s, key: [route] } }\nroutes: { r: { match: { path: / }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, limits: [l], to: a } }\nstore: { redis: redis://u:4242@h }'
    const { diagnostics, policy } = await loadBeside(text)
    expect(brief(diagnostics)).toEqual(['error secret_literal a.yaml:5:17'])
    expect(JSON.stringify(diagnostics)).not.toContain('4242')
    expect(policy?.limits).toEqual({})
    expect(policy?.routes[0]?.quarantined).toContain('store.redis')
  })
})

describe('a mock file', () => {
  const load = (mock: string, path = 'mocks/pay.yaml') => loadBeside(service('      dev: { mock: mocks/pay.yaml }'), { files: { [path]: mock } })

  it('is read into answers', async () => {
    const policy = clean(
      await load(`
- match: { method: POST, path: /v1/charges, body: { card.country: DE, amount: 0 } }
  status: 422
  json: { error: "{{body.amount}}" }
  delay: 50ms
- match: { path: "/{**}" }
  headers: { x-a: b }
  text: hello
- match: { methods: [GET, PUT], path: /x }
`),
    )
    expect(policy.egress['pay']?.targets['dev']).toEqual({
      mode: 'mock',
      environment: 'dev',
      mock: [
        {
          methods: ['POST'],
          path: '/v1/charges',
          body: { 'card.country': 'DE', amount: 0 },
          status: 422,
          headers: [['content-type', 'application/json']],
          answer: '{"error":"{{body.amount}}"}',
          delayMs: 50,
        },
        { methods: [], path: '/{**}', body: {}, status: 200, headers: [['x-a', 'b']], answer: 'hello', delayMs: 0 },
        { methods: ['GET', 'PUT'], path: '/x', body: {}, status: 200, headers: [], answer: '', delayMs: 0 },
      ],
    })
  })

  it('may be an asset that is no file of the folder', async () => {
    const { policy } = await loadCase({
      files: { 'base.yaml': base, 'a.yaml': `sallyport: v1\n${service('      dev: { mock: m.json }')}` },
      assets: { 'm.json': new TextEncoder().encode('[{"match":{"path":"/"}}]') },
    })
    expect(policy?.egress['pay']?.targets['dev']).toMatchObject({ mode: 'mock', mock: [{ path: '/' }] })
  })

  it('has its problems at their places in it, and quarantines its service', async () => {
    const text = marked(`- match: { path: «x }
- match: { path: /a }
  «statsu: 200
- «match: { methods: [GET] }
- match: { path: /a, method: GET, «methods: [PUT] }
- match: { path: «/a/{id} }
`)
    const { diagnostics, policy } = await load(text.text)
    expect(diagnostics.map(({ file, line, column }) => `${file} ${line}:${column}`)).toEqual(text.marks.map((mark) => `mocks/pay.yaml ${mark}`))
    expect(policy?.egress['pay']).toMatchObject({ service: { quarantined: expect.stringContaining('mock') }, targets: {} })
  })

  it('is a list', async () => {
    expect(brief((await load('sallyport: v1\n')).diagnostics)).toEqual(['error file_shape mocks/pay.yaml:1:1'])
  })

  it('that nobody names is taken for a policy, and the hint says how to name it', async () => {
    const { diagnostics } = await load('- match: { path: / }\n', 'mocks/other.yaml')
    expect(diagnostics.find(({ code }) => code === 'file_shape')).toMatchObject({ file: 'mocks/other.yaml', hint: expect.stringContaining('mock:') })
  })
})

describe('ways in and callers', () => {
  const target = '      dev: { target: "https://a.example" }'
  const stream = '      dev: { target: "db.example:5432" }'

  it('link a TCP service with its numbers and targets, and guard the production ones', async () => {
    const prod = '      prod: { target: "live.example:5432", tls: verify-full, ca: file:/ca.pem, allowAddresses: [10.30.0.0/24] }'
    const more = '    kind: tcp\n    protocol: postgres\n    connections: { max: 7, idle: 2s }\n    switch: { drainTimeout: 3s }\n'
    const policy = clean(await loadBeside(service(`${stream}\n${prod}`, more)))
    expect(policy.egress['pay']?.service.stream).toEqual({ protocol: 'postgres', maxConnections: 7, idleMs: 2000, lifetimeMs: 86_400_000, drainMs: 3000 })
    expect(policy.egress['pay']?.targets).toEqual({ dev: expect.objectContaining({ mode: 'tcp', host: 'db.example', port: 5432, tls: false }) })
    expect(policy.guards).toEqual([{ host: 'live.example', port: 5432, service: 'pay' }])
    const there = clean(await loadBeside(service(`${stream}\n${prod}`, more), { environment: 'prod' }))
    expect(there.egress['pay']?.targets['prod']).toMatchObject({ tls: true, ca: 'file:/ca.pem', allowAddresses: ['10.30.0.0/24'] })
    expect(await codes(service(stream, '    kind: tcp\n    switch: { mode: pin }\n'))).toEqual(['warning stream_pinned'])
  })

  it('warn of a port that is not loopback, of a service without callers, and of a missing shared listener', async () => {
    expect(await codes(service(target).replace('127.0.0.1:9101', '0.0.0.0:9101'))).toEqual(['warning listen_open'])
    expect(await codes(service(target).replace('callers: [checkout]', 'callers: []'))).toEqual(['warning name_unused', 'warning nobody_calls'])
    const { diagnostics } = await loadCase({
      files: {
        'a.yaml': `sallyport: v1\nenvironments: { dev: { class: nonprod } }\n${service(target).replace('listen: 127.0.0.1:9101', 'host: pay.egress.internal')}`,
      },
    })
    expect(diagnostics.map(({ code }) => code)).toEqual(['listener_missing'])
  })

  it.each([
    [service(target).replace('    listen: 127.0.0.1:9101\n', ''), 'way_missing'],
    [service(target).replace('127.0.0.1:9101', '127.0.0.1:9100'), 'address_repeated'],
    [service(target).replace('[checkout]', '[chekout]'), 'name_unknown'],
    [service(target).replace('checkout: {}', 'checkout: { environment: dve }'), 'environment_unknown'],
    [service(target).replace('checkout: {}', 'checkout: { mayChooseEnv: [dev, tset] }'), 'environment_unknown'],
    [service(target).replace('checkout: {}', 'checkout: { listener: "egress:pya" }'), 'name_unknown'],
    [service(target).replace('checkout: {}', 'checkout: { listener: public }'), 'value_invalid'],
    [service(target).replace('checkout: {}', 'checkout: { token: { issuer: x, claims: { sub: a } } }'), 'name_unknown'],
    [service(target, '    kind: tcp\n'), 'target_not_address'],
    [service('      dev: { target: "db.example:5432" }'), 'target_not_url'],
    [service('      dev: { target: "https://a.example", tls: none }'), 'kind_differs'],
    [service(target, '    protocol: postgres\n'), 'kind_differs'],
    [service(target, '    connections: { max: 2 }\n'), 'kind_differs'],
    [service(target, '    switch: { mode: drain }\n'), 'kind_differs'],
    [service(stream, '    kind: tcp\n    host: pay.egress.internal\n'), 'kind_differs'],
    [service(stream, '    kind: tcp\n    timeout: { total: 1s }\n'), 'kind_differs'],
    [service(stream, '    kind: tcp\n    quota: { vendor: { rate: 1/1s } }\n'), 'kind_differs'],
    [service(stream, '    kind: tcp\n    idempotency: {}\n'), 'kind_differs'],
    [service('      dev: { target: "db.example:5432", mode: record }', '    kind: tcp\n'), 'kind_differs'],
    [service('      dev: { target: "db.example:5432", faults: { reset: { percent: 1% } } }', '    kind: tcp\n'), 'kind_differs'],
    [service('      dev: { target: "db.example:5432", hmac: { secret: env:S, message: a, header: x } }', '    kind: tcp\n'), 'kind_differs'],
    [service('      dev: { target: "db.example:5432", tls: { certificate: env:C, key: env:K } }', '    kind: tcp\n'), 'kind_differs'],
    [service(stream, '    kind: tcp\n    allow: [{ methods: [GET], path: /a }]\n'), 'kind_differs'],
    [service('      dev: { target: "db.example:5432", inject: { header: a, secret: env:X } }', '    kind: tcp\n'), 'kind_differs'],
    [service('      dev: { target: "db.example:5432", ca: file:/ca.pem }', '    kind: tcp\n'), 'no_effect'],
    [service(`${stream}\n      prod: { target: "live.example:5432" }`, '    kind: tcp\n'), 'tls_unsaid'],
    [service(`${stream}\n      prod: { target: "db.example:5432", tls: verify-full }`, '    kind: tcp\n'), 'target_is_prod'],
    [service(target, '    breaker: { failures: half }\n'), 'value_invalid'],
    [service(target, '    hedge: {}\n'), 'not_available'],
    [service(target, '    quota: { vendor: { rate: 0/1s } }\n'), 'quota_rate'],
    [service(target, '    quota: { vendor: { rate: 5/100ms } }\n'), 'quota_rate'],
    [service(target, '    quota: { vendor: { rate: 5/25h } }\n'), 'quota_rate'],
    [service(target, '    quota: { cost: { perCall: 2, currency: EUR, monthlyCap: 1 } }\n'), 'cost_cap_low'],
    [service(target, '    quota: { cost: { perCall: 2, currency: eur } }\n'), 'value_invalid'],
    [service(target, '    allow: []\n'), 'list_empty'],
    [service(target, '    cache: { maxEntry: 65MiB }\n'), 'cache_size'],
    [service(`      dev: { target: "https://a.example", ${vend} }`), 'vend_static'],
    [service(`      dev: { target: "https://a.example", inject: { header: a, secret: env:X }, ${vend} }`), 'vend_static'],
    [
      service(`      dev: { target: "https://a.example", exchange: { tokenUrl: "https://i.example", clientId: a, clientSecret: env:X }, ${vend} }`),
      'vend_static',
    ],
    [service(`      dev: { target: "https://a.example", sigv4: { ${aws} }, ${vend} }`), 'vend_static'],
    [service(`      dev: { target: "https://a.example", ${client}, vend: { callers: [other] } }`), 'vend_caller'],
    [service(`      dev: { target: "https://a.example" }\n      prod: { target: "https://b.example", ${client}, ${vend} }`), 'vend_in_prod'],
    [service(target, '    cache: { maxBytes: 17GiB }\n'), 'cache_size'],
    [service(target, '    cache: { maxEntry: 0B }\n'), 'cache_size'],
    [service(stream, '    kind: tcp\n    cache: {}\n'), 'kind_differs'],
    [service(target, '    mask: { jsonPaths: [card.number] }\n'), 'value_invalid'],
    [service(target, '    idempotency: { header: "no header" }\n'), 'value_invalid'],
    [service(target, '    allow: [{ id: a, methods: [GET], path: /a }, { id: a, methods: [GET], path: /b }]\n'), 'rule_repeated'],
  ])('refuse case %#', async (text, code) => {
    const { diagnostics, policy } = await loadBeside(text)
    expect(diagnostics.filter(({ severity }) => severity === 'error').map((each) => each.code)).toEqual([code])
    expect(policy?.egress['pay']?.service.quarantined).toBeDefined()
  })

  it('keep of a caller only the environments of the class in force', async () => {
    const text = service(target).replace('checkout: {}', 'checkout: { environment: staging, mayChooseEnv: [dev, prod] }')
    expect(clean(await loadBeside(text)).callers['checkout']).toEqual({ name: 'checkout', listener: 'egress', environment: 'staging', mayChooseEnv: ['dev'] })
  })
})
