import { type Case, denied, passes } from './attack.ts'
import { openCatalogue } from './catalogue.ts'
import { guarded, type Part, workload } from './house.ts'
import { request } from './talk.ts'

/** A process of production: nothing of test is near, and no list opens what must stay closed. */
export const prod = openCatalogue('prod', 'prod')

const home = '93.184.216.66'
export const prodCallers: Readonly<Record<string, Part>> = { [workload]: { listener: 'egress', mayChooseEnv: ['test', 'live', 'prod'] } }

prod.zone('api.vendor.example', [home])
prod.zone('inside.vendor.example', ['10.30.0.7'])
prod.zone('link.vendor.example', ['169.254.7.7'])
prod.zone('meta.vendor.example', ['169.254.169.254'])
const payments = prod.add({ environments: { prod: guarded('https://api.vendor.example'), test: { target: 'https://test.vendor.example' } } })
const onlyTest = prod.add({ environments: { test: { target: 'https://test.vendor.example' } } })
const call = (name: string, lines: readonly string[], ends: string): Case => ({ name, send: request('GET /v1/x', `${payments}.internal`, lines), ends })
const quarantined = (name: string, url: string, target: Part = {}, service: Part = {}): Case => ({
  name,
  to: prod.at(url, target, service),
  ends: '503 config_quarantined',
})

export const prodControls: readonly Case[] = [
  passes('production, from production', payments, `${home}:443`),
  passes('a private vendor that is listed', prod.at('https://inside.vendor.example', { allowAddresses: ['10.30.0.0/24'] }), '10.30.0.7:443'),
  passes('and that is chosen', payments, `${home}:443`, { send: request('GET /v1/x', `${payments}.internal`, ['x-egress-env: prod']) }),
]

export const prodAttacks: readonly Case[] = [
  call('a test system, asked for', ['x-egress-env: test'], '403 env_denied'),
  call('another environment of production, where there is no target', ['x-egress-env: live'], '503 no_target_for_env'),
  call('an environment that is not there', ['x-egress-env: dev'], '403 env_denied'),
  { name: 'a service that lives in test alone', to: onlyTest, ends: '503 no_target_for_env' },
  denied('a private vendor that is not listed', prod.at('https://inside.vendor.example')),
  denied('a private vendor beside the list', prod.at('https://inside.vendor.example', { allowAddresses: ['10.30.1.0/24'] })),
  denied('link-local', prod.at('https://link.vendor.example')),
  denied('metadata', prod.at('https://meta.vendor.example')),
  quarantined('link-local, listed', 'https://link.vendor.example', { allowAddresses: ['169.254.7.0/24'] }),
  quarantined('metadata by an entry of its own', 'https://meta.vendor.example', { allowAddresses: ['169.254.169.254/32'] }),
  quarantined('everything listed', 'https://inside.vendor.example', { allowAddresses: ['0.0.0.0/0'] }),
  quarantined('everything of IPv6 listed', 'https://inside.vendor.example', { allowAddresses: ['::/0'] }),
  quarantined('a network that holds metadata', 'https://inside.vendor.example', { allowAddresses: ['169.0.0.0/8'] }),
  quarantined('clear text', 'http://api.vendor.example'),
  quarantined('recording', 'https://api.vendor.example', { mode: 'record', cassette: 'prod' }),
  quarantined('faults', 'https://api.vendor.example', { faults: { reset: { percent: '1%' } } }),
  quarantined('certificates that nobody checks', 'https://api.vendor.example', { tls: 'none' }),
]
