import { type Case, passes } from './attack.ts'
import { openCatalogue } from './catalogue.ts'
import { guarded, type House, hostOf } from './house.ts'
import { message, request } from './talk.ts'

/** Switches at run time: whoever reaches the admin listener moves services within their class, and never out of it. */
export const switching = openCatalogue('switch')

const devHome = '93.184.216.11'
const testHome = '93.184.216.21'
switching.zone('sdev.vendor.example', [devHome])
switching.zone('stest.vendor.example', [testHome])
const moved = switching.add({
  environments: {
    dev: guarded('https://sdev.vendor.example'),
    test: { target: 'https://stest.vendor.example', ca: 'env:VENDOR_CA' },
    prod: { target: 'https://api.switch.example' },
  },
})

interface Order {
  readonly body?: unknown
  readonly service?: string
  readonly host?: string
  readonly headers?: readonly string[]
  /** In place of the revision that is in force. */
  readonly match?: string
  readonly type?: string
}

const json = 'application/json'
const full = { by: 'ada', reason: 'an attack' }

/** A switch as it is asked for; at the admin listener. */
function order(name: string, ends: string, { body = {}, service = moved, host = 'localhost', headers = [], match, type = json }: Order): Case {
  const text = typeof body === 'string' ? body : JSON.stringify({ ...full, ...(body as object) })
  const send = ({ gateway }: House) => {
    const revision = match ?? `if-match: "${gateway.running.live.current.revision}"`
    return message(
      [
        `POST /egress/${service}/switch HTTP/1.1`,
        `host: ${host}`,
        `content-type: ${type}`,
        ...(revision === '' ? [] : [revision]),
        ...headers,
        `content-length: ${text.length}`,
        'connection: close',
      ],
      text,
    )
  }
  return { name, at: 'admin', send, ends }
}

const to = (environment: string): Order => ({ body: { environment } })
const calls = (name: string, address: string) => passes(name, moved, `${address}:443`)
const stays = (name: string, ends: string, said: Order): readonly Case[] => [order(name, ends, said), calls(`${name}: calls still go to dev`, devHome)]

export const switchControls: readonly Case[] = [
  calls('before a switch: dev', devHome),
  order('a switch to test', '200', to('test')),
  calls('after it: test', testHome),
  order('back', '200', { body: { back: true } }),
  calls('after that: dev', devHome),
  order('a rehearsal', '200', { body: { environment: 'test', dryRun: true } }),
  calls('after a rehearsal: dev', devHome),
]

export const switchAttacks: readonly Case[] = [
  ...stays('to prod', '409 env_ceiling', to('prod')),
  order('to prod, with test beside it in the request', '200', { body: { environment: 'test' }, headers: ['x-egress-env: prod'] }),
  passes('and prod asked for by a caller', '', '', {
    send: request('GET /v1/x', hostOf(moved), ['x-egress-env: prod']),
    ends: '403 env_denied',
    dialled: [],
    asked: [],
  }),
  order('and back', '200', { body: { back: true } }),
  order('to another environment of prod', '409 env_ceiling', to('live')),
  order('to prod in capitals', '409 env_ceiling', to('PROD')),
  order('to an environment that is not there', '409 env_ceiling', to('nowhere')),
  order('to __proto__', '409 env_ceiling', to('__proto__')),
  order('to one without a target', '409 no_target_for_env', to('other')),
  order('a rehearsal of prod', '409 env_ceiling', { body: { environment: 'prod', dryRun: true } }),
  order('a service that is not there', '404 service_unknown', { ...to('test'), service: 'nowhere' }),
  order('a service __proto__', '404 service_unknown', { ...to('test'), service: '__proto__' }),
  order('without a revision', '428 revision_required', { ...to('test'), match: '' }),
  order('with any revision', '428 revision_required', { ...to('test'), match: 'if-match: *' }),
  order('with a weak revision', '428 revision_required', { ...to('test'), match: 'if-match: W/"x"' }),
  order('with another revision', '412 revision_changed', { ...to('test'), match: 'if-match: "0123456789abcdef"' }),
  order('from a page', '403 forbidden', { ...to('test'), headers: ['origin: https://evil.example'] }),
  order('from a page of its own', '403 forbidden', { ...to('test'), headers: ['origin: http://localhost'] }),
  order('from a page that hides where it is from', '403 forbidden', { ...to('test'), headers: ['origin: null'] }),
  order('from a fetch of a browser', '403 forbidden', { ...to('test'), headers: ['sec-fetch-site: same-origin'] }),
  order('by a name that was made to lead here', '403 forbidden', { ...to('test'), host: 'evil.example' }),
  order('as a form', '415 media_type_unsupported', { ...to('test'), type: 'application/x-www-form-urlencoded' }),
  order('as text', '415 media_type_unsupported', { ...to('test'), type: 'text/plain' }),
  order('by nobody', '400 request_invalid', { body: { environment: 'test', by: '' } }),
  order('without a reason', '400 request_invalid', { body: { environment: 'test', reason: ' ' } }),
  order('with a line end in the name', '400 request_invalid', { body: { environment: 'test', by: 'ada\nroot' } }),
  order('there and back at once', '400 request_invalid', { body: { environment: 'test', back: true } }),
  order('with a target', '400 request_invalid', { body: { environment: 'test', target: 'https://evil.example' } }),
  order('for ever and a day', '400 request_invalid', { body: { environment: 'test', ttl: '8d' } }),
  order('what is no JSON', '400 request_invalid', { body: '{' }),
  calls('after all of it: dev', devHome),
]
