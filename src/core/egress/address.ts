import type { EgressService } from '../model/egress-service.ts'
import type { Addressed, Attributed } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { Fields, Proxied } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'
import { suggest } from '../suggest.ts'
import { buildListed, placeText } from './proxied.ts'

/** @throws Fault `service_unknown`, `egress_denied`, `config_quarantined`, `env_invalid`. */
export type Address = (x: Attributed) => Addressed

const ownPort = 'egress:'

/**
 * Builds the room that says which service is meant: the one whose own port the request came by, or on the shared port the
 * one whose name the Host is (exact, any case, port ignored), or that lists the place which a request to the forward proxy names. It also reads `x-egress-env`, once, for `place` to judge.
 */
export function buildAddress(policy: Policy): Address {
  const services = Object.values(policy.egress).map(({ service }) => service)
  const byName = new Map(services.map((service) => [service.name, service]))
  const byHost = new Map(services.flatMap((service) => (service.host === undefined ? [] : [[service.host.toLowerCase(), service] as const])))
  const listing = buildListed(policy)
  const unknown = buildUnknown(policy, [...byHost.keys()])

  function find(listener: string, host: string): EgressService {
    const named = byHost.get(host)
    if (!listener.startsWith(ownPort)) return named ?? unknown(host)
    const own = byName.get(listener.slice(ownPort.length)) ?? unknown(listener)
    if (named !== undefined && named !== own) throw new Fault('egress_denied', `this port stands for ${own.name}, the Host names another service`)
    return own
  }

  function findListed(x: Attributed, place: Proxied): EgressService {
    const named = byHost.get(place.host)
    if (named !== undefined) {
      if (x.request.method !== 'CONNECT') return named
      throw new Fault('egress_denied', `${place.host} is a service of this ambassador, and no tunnel leads to it: ask for http://${place.host}/`)
    }
    const listed = listing(place)
    const mine = listed.find(({ callers }) => x.caller.kind === 'caller' && callers.includes(x.caller.name))
    const found = mine ?? listed[0]
    if (found === undefined) throw new Fault('egress_denied', `no egress service lists ${placeText(place)}`)
    return found
  }

  return function address(x) {
    const { host, proxied } = x.request
    const service = proxied === undefined ? find(x.listener, host) : findListed(x, proxied)
    // The record is to name the service whatever the header says.
    Object.assign(x, { service })
    if (service.quarantined !== undefined) {
      throw new Fault('config_quarantined', `the configuration of ${service.name} is broken`, { internal: service.quarantined })
    }
    return Object.assign(x, { service, wanted: wantedEnvironment(x.request.headers) })
  }
}

/** Outside prod the answer helps with a name that is close. */
function buildUnknown(policy: Policy, hosts: readonly string[]): (asked: string) => never {
  return (asked) => {
    const close = policy.environmentClass === 'nonprod' ? suggest(asked, hosts) : undefined
    throw new Fault('service_unknown', close === undefined ? 'no egress service has this name' : `no egress service has this name; did you mean ${close}?`, {
      internal: `asked for ${asked}`,
    })
  }
}

const environmentName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/

/** What `x-egress-env` asks for. Never ignored: in any other spelling, number or shape it is refused. */
function wantedEnvironment(headers: Fields): string | undefined {
  const values: string[] = []
  for (const [name, value] of headers.entries()) {
    if (name === 'x-egress-env') values.push(value.replaceAll(/^[ \t]+|[ \t]+$/g, ''))
    else if (name.replaceAll(/[^a-z0-9]+/g, '-') === 'x-egress-env') throw new Fault('env_invalid', `the header is spelled x-egress-env, not ${name}`)
  }
  const [wanted] = values
  if (values.length > 1) throw new Fault('env_invalid', 'x-egress-env is repeated')
  if (wanted !== undefined && !environmentName.test(wanted)) throw new Fault('env_invalid', 'x-egress-env is not the name of one environment')
  return wanted
}
