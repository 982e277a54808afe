import type { Addressed, Attributed } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { EgressService } from '../model/route.ts'
import type { Fields } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'
import { nearest } from './address/nearest.ts'

/** @throws Fault `service_unknown`, `egress_denied`, `config_quarantined`, `env_invalid`. */
export type Address = (x: Attributed) => Addressed

const ownPort = 'egress:'

/**
 * Builds the room that says which service is meant: the one whose own port the request came by, or on the shared port the
 * one whose name the Host is (exact, any case, port ignored). It also reads `x-egress-env`, once, for `place` to judge.
 */
export function buildAddress(policy: Policy): Address {
  const services = Object.values(policy.egress).map(({ service }) => service)
  const byName = new Map(services.map((service) => [service.name, service]))
  const byHost = new Map(services.flatMap((service) => (service.host === undefined ? [] : [[service.host.toLowerCase(), service] as const])))
  const unknown = buildUnknown(policy, [...byHost.keys()])

  function find(listener: string, host: string): EgressService {
    const named = byHost.get(host)
    if (!listener.startsWith(ownPort)) return named ?? unknown(host)
    const own = byName.get(listener.slice(ownPort.length)) ?? unknown(listener)
    if (named !== undefined && named !== own) throw new Fault('egress_denied', `this port stands for ${own.name}, the Host names another service`)
    return own
  }

  return function address(x) {
    const service = find(x.listener, x.request.host)
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
    const close = policy.environmentClass === 'nonprod' ? nearest(asked, hosts) : undefined
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
