import { type Case, denied, passes } from './attack.ts'
import { openCatalogue } from './catalogue.ts'
import { hostOf, type Part, workload } from './house.ts'
import { request } from './talk.ts'

/** A nonprod process, and everything by which it might be made to reach production. */
export const nonprod = openCatalogue('env')

const devHome = '93.184.216.10'
const testHome = '93.184.216.20'
const prodHome = '93.184.216.66'
const prodSix = '2606:4700::66'
const filesHome = '93.184.216.67'

export const callers: Readonly<Record<string, Part>> = {
  [workload]: { listener: 'egress', mayChooseEnv: ['test', 'prod'] },
  pinned: { listener: 'egress:pinned', environment: 'test' },
  rogue: { listener: 'egress:rogue', environment: 'prod', mayChooseEnv: ['prod', 'live'] },
}

for (const [name, zone] of Object.entries({
  'dev.vendor.example': [devHome],
  'test.vendor.example': [testHome],
  'api.prod.example': [prodHome, prodSix],
  'files.prod.example': [filesHome],
  'alias.vendor.example': [prodHome],
  'mixed.vendor.example': [testHome, prodHome],
  'six.vendor.example': [prodSix],
})) {
  nonprod.zone(name, zone)
}
nonprod.zone('www.vendor.example', { cname: 'api.prod.example' })

const key = (name: string): Part => ({ inject: { header: 'authorization', format: 'Bearer {secret}', secret: `env:${name}` } })
const all: Part = {
  dev: { target: 'https://dev.vendor.example', ca: 'env:VENDOR_CA', ...key('DEV_KEY') },
  test: { target: 'https://test.vendor.example', ca: 'env:VENDOR_CA', ...key('TEST_KEY') },
  prod: { target: 'https://api.prod.example', guardHosts: ['files.prod.example'], ...key('PROD_KEY') },
}
export const fixed: Readonly<Record<string, Part>> = {
  payments: { host: 'payments.internal', environments: all },
  pinned: { listen: '127.0.0.1:0', callers: ['pinned'], environments: { test: { target: 'https://test.vendor.example', ca: 'env:VENDOR_CA' } } },
  rogue: {
    listen: '127.0.0.1:0',
    callers: ['rogue'],
    environments: { test: { target: 'https://test.vendor.example', ca: 'env:VENDOR_CA' }, prod: { target: 'https://api.prod.example' } },
  },
}
const live = { target: 'https://api.prod.example' }
const onlyProd = nonprod.add({ environments: { prod: live } })
const onlyTest = nonprod.add({ environments: { test: { target: 'https://test.vendor.example' } } })
const forbidden = nonprod.add({ environments: { dev: { mode: 'deny', reason: 'use test' } } })

const asking = (name: string, lines: readonly string[], to = 'payments.internal') => ({ name, send: request('GET /v1/x', to, lines) })
const refused = (ends: string, name: string, ...lines: readonly string[]): Case => ({ ...asking(name, lines), ends })

export const choiceControls: readonly Case[] = [
  passes('what the process says: dev', 'payments', `${devHome}:443`, {
    flaws: ({ heard }) => (heard[0]?.fields.some(([, value]) => value === 'Bearer key-of-dev') === true ? [] : ['not with the key of dev']),
  }),
  passes('what the caller chooses: test', 'payments', `${testHome}:443`, { send: request('GET /v1/x', 'payments.internal', ['x-egress-env: test']) }),
  passes('what the caller’s own environment says: test', '', `${testHome}:443`, { at: 'egress:pinned', send: request('GET /v1/x', 'x') }),
]

export const choiceAttacks: readonly Case[] = [
  ...['prod', 'PROD', 'Prod', 'production', 'live', 'dev', 'other', 'nowhere', 'constructor'].map((value) =>
    refused('403 env_denied', `x-egress-env: ${value}`, `x-egress-env: ${value}`),
  ),
  ...['test, prod', 'test;prod', 'test prod', '', '"prod"', 'prod\u00a0', 'pr%6fd', 'test/../prod', '*', `t${'e'.repeat(80)}st`].map((value) =>
    refused('400 env_invalid', `x-egress-env: ${JSON.stringify(value)}`, `x-egress-env: ${value}`),
  ),
  refused('400 env_invalid', 'test and then prod', 'x-egress-env: test', 'x-egress-env: prod'),
  refused('400 env_invalid', 'prod and then test', 'x-egress-env: prod', 'x-egress-env: test'),
  refused('400 env_invalid', 'test twice', 'x-egress-env: test', 'X-Egress-Env: test'),
  ...['x.egress.env', 'x-egress.env', 'x--egress-env', 'X-EGRESS--ENV'].map((name) => refused('400 env_invalid', `${name}: prod`, `${name}: prod`)),
  refused('400 request_invalid', 'x_egress_env: prod', 'x_egress_env: prod'),
  refused('400 request_invalid', 'a header that Connection hides', 'x-egress-env: prod', 'connection: x-egress-env'),
  { ...asking('a caller whose own environment is prod', [], 'x'), at: 'egress:rogue', ends: '403 env_denied' },
  { ...asking('and who asks for it', ['x-egress-env: prod'], 'x'), at: 'egress:rogue', ends: '403 env_denied' },
  { ...asking('and who asks for another of its class', ['x-egress-env: live'], 'x'), at: 'egress:rogue', ends: '403 env_denied' },
  { ...asking('and who asks for test, where it may not', ['x-egress-env: test'], 'x'), at: 'egress:rogue', ends: '403 env_denied' },
  { ...asking('a caller that may choose nothing', ['x-egress-env: test'], 'x'), at: 'egress:pinned', ends: '403 env_denied' },
  { name: 'a service that lives in prod alone', to: onlyProd, ends: '503 no_target_for_env' },
  { name: 'a service that lives in test alone: there is no fallback', to: onlyTest, ends: '503 no_target_for_env' },
  { name: 'a service that is denied here', to: forbidden, ends: '403 egress_denied' },
  ...['x-egress-target: https://api.prod.example', 'x-egress-mode: live', 'x-sallyport-environment: prod', 'x-egress-service: payments'].map((line) =>
    passes(`${line} is not heard`, '', `${devHome}:443`, { send: request('GET /v1/x', 'payments.internal', [line]) }),
  ),
]

const inTest = (url: string, target: Part = {}, service: Part = {}) => nonprod.at(url, target, service)
const production = (name: string, url: string, target: Part = {}): Case => denied(name, inTest(url, target), { why: 'is production' })
const quarantined = (name: string, url: string, target: Part = {}): Case => ({ name, to: inTest(url, target), ends: '503 config_quarantined' })
const shared = { inject: { header: 'authorization', format: '{secret}', secret: 'env:VENDOR_KEY', forbidPattern: '^sk_live_' }, sharesAddressWithProd: true }

export const crossingControls: readonly Case[] = [
  passes('another address of the same vendor', inTest('https://dev.vendor.example'), `${devHome}:443`),
  passes('the address of production on another port', inTest('https://alias.vendor.example:8443'), `${prodHome}:8443`),
  passes('an address that is known to be shared', inTest('https://alias.vendor.example', { sharesAddressWithProd: true }), `${prodHome}:443`),
]

export const crossingAttacks: readonly Case[] = [
  production('another name for the address of production', 'https://alias.vendor.example'),
  production('another name among whose addresses it is', 'https://mixed.vendor.example'),
  production('its IPv6 address', 'https://six.vendor.example'),
  production('an alias of its name', 'https://www.vendor.example'),
  production('its address itself', `https://${prodHome}`),
  production('its IPv6 address itself', `https://[${prodSix}]`),
  production('its address listed', `https://${prodHome}`, { allowAddresses: ['93.184.216.0/24'] }),
  production('its address behind NAT64', `https://[64:ff9b::5db8:d842]`, { allowAddresses: ['64:ff9b::/96'] }),
  production('the address of a further host of it', `https://${filesHome}`),
  production('that in clear text', `http://${filesHome}`),
  quarantined('its name', 'https://api.prod.example'),
  quarantined('its name in capitals', 'https://API.Prod.Example'),
  quarantined('its name in clear text', 'http://api.prod.example'),
  quarantined('its name on another port', 'https://api.prod.example:8443'),
  quarantined('a further host of it', 'https://files.prod.example'),
  quarantined('its name, shared, and a key that nobody checks', 'https://api.prod.example', { sharesAddressWithProd: true }),
  quarantined('its name for tokens', 'https://dev.vendor.example', {
    inject: undefined,
    oauth2: { tokenUrl: 'https://api.prod.example/token', clientId: 'us', clientSecret: 'env:VENDOR_KEY' },
  }),
  {
    name: 'its address for tokens',
    to: inTest('https://dev.vendor.example', {
      inject: undefined,
      oauth2: { tokenUrl: 'https://alias.vendor.example/token', clientId: 'us', clientSecret: 'env:VENDOR_KEY' },
    }),
    ends: '503 credential_unavailable',
  },
  {
    name: 'its name, shared, with a key that is checked: the operator said so',
    to: inTest('https://api.prod.example', { ...shared, ca: undefined }),
    ends: '503 upstream_unavailable',
    dialled: [`${prodHome}:443`, `[${prodSix}]:443`],
  },
]

const keyed = (inject: Part): Part => ({ inject: { header: 'authorization', format: 'Bearer {secret}', ...inject } })
const locked = (name: string, target: Part, more: Partial<Case> = {}): Case => ({
  name,
  to: inTest('https://dev.vendor.example', target),
  ends: '503 credential_unavailable',
  ...more,
})

export const keyVariables: Readonly<Record<string, string>> = {
  DEV_KEY: 'key-of-dev',
  TEST_KEY: 'key-of-test',
  PROD_KEY: 'sk_live_of-prod',
  LIVE_KEY: 'sk_live_by-mistake',
  EMPTY_KEY: '',
  SPLIT_KEY: 'key\r\nx-egress-env: prod',
  NUL_KEY: 'key\u0000',
  FOREIGN_KEY: 'schl\u00fcssel',
}

export const keyControls: readonly Case[] = [
  passes(
    'a key of the right shape',
    inTest('https://dev.vendor.example', keyed({ secret: 'env:VENDOR_KEY', pattern: '^sk_test_', forbidPattern: '^sk_live_' })),
    `${devHome}:443`,
  ),
]

export const keyAttacks: readonly Case[] = [
  locked('a live key in test', keyed({ secret: 'env:LIVE_KEY', forbidPattern: '^sk_live_' })),
  locked('a key that does not fit its pattern', keyed({ secret: 'env:LIVE_KEY', pattern: '^sk_test_' })),
  locked('a key that is not there', keyed({ secret: 'env:NO_KEY' })),
  locked('an empty key', keyed({ secret: 'env:EMPTY_KEY' })),
  locked('a key with a line end', keyed({ secret: 'env:SPLIT_KEY' })),
  locked('a key with NUL', keyed({ secret: 'env:NUL_KEY' })),
  locked('a key that no header can carry', keyed({ secret: 'env:FOREIGN_KEY' })),
  locked('a file that is not there', keyed({ secret: 'file:/nowhere/key' })),
  locked('a Vault that is not there', keyed({ secret: 'vault:kv/pay#key' })),
  locked('a key in __proto__', keyed({ secret: 'env:__proto__' }), { ends: '503 credential_unavailable' }),
  {
    name: 'a secret of another environment',
    to: nonprod.add({ environments: { dev: { target: 'https://dev.vendor.example', ...key('PROD_KEY') } } }),
    ends: '503 config_quarantined',
  },
]

const kept = nonprod.add({
  environments: {
    dev: { target: 'https://dev.vendor.example', ca: 'env:VENDOR_CA' },
    test: { target: 'https://dev.vendor.example', ca: 'env:VENDOR_CA' },
  },
})
const twin = nonprod.add({ environments: { dev: { target: 'https://dev.vendor.example', ca: 'env:VENDOR_CA' } } })
const stays = (name: string, to: string, lines: readonly string[], dials: boolean): Case => ({
  name,
  send: request('GET /v1/x', hostOf(to), lines),
  script: () => 'stay',
  ends: '200',
  dialled: dials ? [`${devHome}:443`] : [],
  asked: ['GET /v1/x'],
})

export const socketControls: readonly Case[] = [
  stays('the first call dials', kept, [], true),
  stays('the second goes over the same connection', kept, [], false),
]

export const socketAttacks: readonly Case[] = [
  stays('another environment at the same vendor does not', kept, ['x-egress-env: test'], true),
  stays('another service at the same vendor does not', twin, [], true),
  stays('the first environment still has its own', kept, [], false),
  stays('the second its own', kept, ['x-egress-env: test'], false),
  stays('and the other service its own', twin, [], false),
]
