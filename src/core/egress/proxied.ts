import type { EgressService } from '../model/egress-service.ts'
import type { EgressTarget, LiveTarget, ProxyTarget } from '../model/egress-target.ts'
import type { Proxied } from '../model/wire.ts'
import { formatAuthority } from '../net.ts'
import { hostMatches } from '../pattern.ts'
import type { Policy } from '../policy/policy.ts'

/** Whether a service of the forward proxy lists the place in this environment. */
export function lists(target: EgressTarget | undefined, { host, port }: Proxied): target is ProxyTarget {
  return target?.mode === 'proxy' && target.ports.includes(port) && target.hosts.some((one) => hostMatches(one, host))
}

/**
 * The services of the forward proxy that list a place in some environment: those that name it before those that hold it by a wildcard, each in
 * the policies' order.
 */
export function buildListed(policy: Policy): (place: Proxied) => readonly EgressService[] {
  const proxies = Object.values(policy.egress).flatMap(({ service, targets }) =>
    service.proxy === undefined ? [] : [{ service, targets: Object.values(targets) }],
  )
  return (place) => {
    const found = proxies.filter(({ targets }) => targets.some((target) => lists(target, place)))
    const isNamed = ({ targets }: (typeof proxies)[number]) => targets.some((target) => lists(target, place) && target.hosts.includes(place.host))
    return [...found.filter(isNamed), ...found.filter((one) => !isNamed(one))].map(({ service }) => service)
  }
}

/** `github.com:443` */
export function placeText({ host, port }: Proxied): string {
  return formatAuthority(host, port)
}

/** Whose production hosts a place may be, where the operator said that they are the same: those of its own service. */
export function sharedHosts(service: EgressService, { sharesAddressWithProd }: ProxyTarget): string | undefined {
  return sharesAddressWithProd ? service.name : undefined
}

/** One place as a target like any other, spoken to in the clear. Nothing of ours goes there: the gateway adds no credential. */
export function liveAt(service: EgressService, target: ProxyTarget, { host, port }: Proxied): LiveTarget {
  const { environment, allowAddresses } = target
  return {
    mode: 'live',
    environment,
    origin: `http://${formatAuthority(host, port === 80 ? undefined : port)}`,
    scheme: 'http',
    host,
    port,
    basePath: '',
    credential: undefined,
    allowAddresses,
    sharesAddressWithProd: false,
    sharesHostsOf: sharedHosts(service, target),
    ca: undefined,
  }
}
