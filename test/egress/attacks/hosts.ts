import { type Case, passes } from './attack.ts'
import { openCatalogue } from './catalogue.ts'
import { guarded } from './house.ts'
import { message, request } from './talk.ts'

/** Services by their names on the shared port, and on ports of their own. */
export const hosted = openCatalogue('host')

const home = '93.184.216.34'
hosted.zone('pay.vendor.example', [home])
hosted.zone('mail.vendor.example', [home])
const target = (name: string) => ({ environments: { dev: guarded(`https://${name}.vendor.example`) } })
hosted.add({ host: 'payments.internal', ...target('pay') })
hosted.add({ host: 'mail.internal', ...target('mail') })
const own = hosted.add({ listen: '127.0.0.1:0', host: 'own.internal', ...target('pay') })
hosted.add({ host: 'closed.internal', callers: [], ...target('pay') })

const call = (host: string, headers: readonly string[] = []) => request('GET /v1/x', host, headers)
const good = (name: string, send: string, more: Partial<Case> = {}): Case => passes(name, '', `${home}:443`, { send, ...more })
const unknown = (host: string): Case => ({ name: `Host: ${host}`, send: call(host), ends: '404 service_unknown' })
const invalid = (host: string): Case => ({ name: `Host: ${JSON.stringify(host)}`, send: call(host), ends: '400 host_invalid' })
const lines = (name: string, head: readonly string[], ends: string): Case => ({ name, send: message([...head, 'connection: close']), ends })

export const hostControls: readonly Case[] = [
  good('its name', call('payments.internal')),
  good('its name in capitals', call('PAYMENTS.Internal')),
  good('its name with a port', call('payments.internal:9100')),
  good('its own port, whatever is said', call('anything.example'), { at: `egress:${own}` }),
  good('its own port by address', call('127.0.0.1:9101'), { at: `egress:${own}` }),
  good('its own port by its name', call('own.internal'), { at: `egress:${own}` }),
  good('its own port by the name of its vendor', call('pay.vendor.example'), { at: `egress:${own}` }),
]

export const hostAttacks: readonly Case[] = [
  unknown('payments'),
  unknown('payments.internal.evil.example'),
  unknown('evil.payments.internal'),
  unknown('payments_internal'),
  unknown('pay.vendor.example'),
  unknown('localhost'),
  unknown('127.0.0.1'),
  unknown('[::1]'),
  unknown('169.254.169.254'),
  unknown('sallyport'),
  unknown('__proto__'),
  unknown('constructor'),
  invalid('payments.internal@evil.example'),
  invalid('evil.example@payments.internal'),
  invalid('payments.internal#evil.example'),
  invalid('payments.internal/evil'),
  invalid('payments.internal\\evil'),
  invalid('payments.internal?x'),
  invalid('payments.internal,mail.internal'),
  invalid('payments.internal mail.internal'),
  invalid('payments%2einternal'),
  invalid('payments.internal:'),
  invalid('payments.internal:65536'),
  invalid('payments.internal:80:443'),
  invalid('payments.internal:+80'),
  invalid('payments.internal.'),
  invalid('payments..internal'),
  invalid('.payments.internal'),
  invalid('-payments.internal'),
  invalid('*.internal'),
  invalid('http://payments.internal'),
  invalid('[payments.internal]'),
  invalid('[::1%25eth0]'),
  invalid('0177.0.0.1'),
  invalid('2130706433'),
  invalid('127.1'),
  invalid('0x7f000001'),
  invalid('p\u00e4yments.internal'),
  invalid(`${'a'.repeat(64)}.internal`),
  invalid('payments.interna\u00ef\u00bc\u00ac'),
  lines('no Host', ['GET /v1/x HTTP/1.1'], '400 host_invalid'),
  lines('an empty Host', ['GET /v1/x HTTP/1.1', 'host:'], '400 host_invalid'),
  lines('two Hosts', ['GET /v1/x HTTP/1.1', 'host: payments.internal', 'host: mail.internal'], '400 host_invalid'),
  lines('two equal Hosts', ['GET /v1/x HTTP/1.1', 'host: payments.internal', 'host: payments.internal'], '400 host_invalid'),
  lines('a Host that is folded', ['GET /v1/x HTTP/1.1', 'host: payments.internal', ' mail.internal'], '400 request_invalid'),
  lines('a blank before the colon of Host', ['GET /v1/x HTTP/1.1', 'host : payments.internal'], '400 request_invalid'),
  { name: 'its own port, and the name of another service', at: `egress:${own}`, send: call('payments.internal'), ends: '403 egress_denied' },
  { name: 'its own port, and another service in capitals with a port', at: `egress:${own}`, send: call('MAIL.internal:80'), ends: '403 egress_denied' },
  { name: 'a service that nobody may call', send: call('closed.internal'), ends: '403 egress_denied' },
  ...['x-forwarded-host', 'x-host', 'x-original-host', 'x-egress-service', 'forwarded'].map(
    (name): Case => ({ name: `another service in ${name}`, send: call('closed.internal', [`${name}: payments.internal`]), ends: '403 egress_denied' }),
  ),
]
