import type { LiveTarget, ProxyTarget, StreamTarget } from '../../model/egress-target.ts'
import { mayShareName, namesOf } from '../../model/names.ts'
import { parseAuthority, plainHost } from '../../net.ts'
import { hostMatches } from '../../pattern.ts'
import type { EgressDocument } from '../document/egress.ts'
import { parseHttpUrl } from '../document/fields.ts'
import type { TargetDocument } from '../document/targets.ts'
import type { GuardHost } from '../linked/egress.ts'
import type { EnvironmentClass } from '../policy.ts'
import type { Path } from '../read/node.ts'
import { type Entry, type Linking, nameOfPlace, placeIn, refuse } from './linking.ts'

/** A live target with where it stands. */
export interface PlacedTarget {
  readonly entry: Entry<EgressDocument>
  readonly environment: string
  readonly target: LiveTarget | StreamTarget | ProxyTarget
}

interface Place {
  readonly entry: Entry<EgressDocument>
  readonly environment: string
  readonly target: TargetDocument
}

/**
 * Checks what must hold between environments (a secret belongs to one; no nonprod target is a production host) and answers the
 * hosts that a nonprod process must deny; none in prod.
 */
export function guardHostsOf(
  linking: Linking,
  entries: ReadonlyMap<string, Entry<EgressDocument>>,
  classes: ReadonlyMap<string, EnvironmentClass>,
  targets: readonly PlacedTarget[],
): readonly GuardHost[] {
  const places = Array.from(entries.values()).flatMap((entry) =>
    Object.entries(entry.value?.environments ?? {}).map(([environment, target]): Place => ({ entry, environment, target })),
  )
  const isProd = ({ environment }: Place) => classes.get(environment) === 'prod'
  const prod = places.filter(isProd)
  // A secret of production is production's, wherever the other use of it stands: the nonprod one goes out of order.
  checkSecrets(linking, [...prod, ...places.filter((place) => !isProd(place))])
  const guards = prod.flatMap(hostsOf)
  checkNames(
    linking,
    targets.filter(({ environment }) => classes.get(environment) === 'nonprod'),
    guards,
  )
  return linking.environmentClass === 'prod' ? [] : distinct(guards)
}

function checkSecrets(linking: Linking, places: readonly Place[]): void {
  const owners = new Map<string, { readonly place: Place; readonly path: Path }>()
  for (const place of places) {
    for (const { reference, path } of secretsOf(place)) {
      // Versions of a Vault secret are one secret.
      const one = reference.replace(/\?version=\d+(?=#)/, '')
      const owner = owners.get(one)
      if (owner === undefined) owners.set(one, { place, path })
      else if (owner.place.environment !== place.environment)
        // The reference itself is not named: of the other class not even that may be known.
        refuse(linking, place.entry, path, {
          code: 'secret_shared',
          message: `This secret belongs to the environment "${owner.place.environment}" of ${owner.place.entry.id} already, at ${nameOfPlace(placeIn(owner.place.entry, owner.path))}.`,
          hint: 'Give every environment a secret of its own.',
        })
    }
  }
}

function secretsOf({ environment, target }: Place): readonly { readonly reference: string; readonly path: Path }[] {
  const at = (reference: string | undefined, ...rest: Path) => (reference === undefined ? [] : [{ reference, path: ['environments', environment, ...rest] }])
  return [
    ...at(target.inject?.secret, 'inject', 'secret'),
    ...at(target.basic?.password, 'basic', 'password'),
    ...at(typeof target.tls === 'object' ? target.tls.key : undefined, 'tls', 'key'),
    ...(['accessKeyId', 'secretAccessKey', 'sessionToken'] as const).flatMap((member) => at(target.sigv4?.[member], 'sigv4', member)),
    ...at(target.hmac?.secret, 'hmac', 'secret'),
    ...(['oauth2', 'exchange'] as const).flatMap((kind) => [...at(target[kind]?.clientSecret, kind, 'clientSecret'), ...at(target[kind]?.key, kind, 'key')]),
  ]
}

/** A guarded host without a port is guarded on the ports it could be dialled at: the target's, and those of http and https. */
function hostsOf({ entry, target }: Place): readonly GuardHost[] {
  const live = target.target === undefined ? undefined : placeOf(target.target)
  const own = live === undefined ? [] : [{ host: live.host, port: live.port, service: entry.name }]
  const further = target.guardHosts.flatMap((text) => {
    const parsed = parseAuthority(text)
    if ('problem' in parsed) return []
    const ports = parsed.port === undefined ? [443, 80, ...(live === undefined ? [] : [live.port])] : [parsed.port]
    return ports.map((port) => ({ host: parsed.host, port, service: entry.name }))
  })
  const proxied = (target.hosts ?? []).flatMap((host) =>
    target.ports.map((port): GuardHost => ({ host: plainHost(host), port, service: entry.name, proxied: true })),
  )
  return [...own, ...further, ...proxied]
}

/** Where a target is, be it a URL or `host:port`. */
function placeOf(target: string): { readonly host: string; readonly port: number } | undefined {
  const url = parseHttpUrl(target)
  if (!('problem' in url)) return url
  const parsed = parseAuthority(target)
  return 'problem' in parsed || parsed.port === undefined ? undefined : { host: parsed.host, port: parsed.port }
}

/** By name alone, whatever the port: the guard of a nonprod process denies the name, so such a target could never be called. */
function checkNames(linking: Linking, targets: readonly PlacedTarget[], guards: readonly GuardHost[]): void {
  const production = new Map(guards.map((guard) => [plainHost(guard.host), guard.service]))
  const wide = guards.filter(({ host }) => host.startsWith('*.'))
  const serviceOf = (host: string) => production.get(host) ?? wide.find((guard) => hostMatches(guard.host, host))?.service
  for (const { entry, environment, target } of targets) {
    if (target.mode === 'proxy') {
      checkListed(linking, entry, target, guards)
      continue
    }
    if (mayShareName(target)) continue
    for (const { of, host } of namesOf(target)) {
      const service = serviceOf(plainHost(host))
      if (service === undefined) continue
      const path = ['environments', environment, ...(of === 'target' ? ['target'] : [isCallers(target) ? 'exchange' : 'oauth2', 'tokenUrl'])]
      refuse(linking, entry, path, {
        code: 'target_is_prod',
        message: `This nonprod ${of === 'target' ? 'target' : 'token endpoint'} is a production host of "${service}".`,
        hint: 'Write the address of the test system. Where a vendor has one host for test and live, say sharesAddressWithProd: true, and pattern or forbidPattern for the secret.',
      })
    }
  }
}

/** A wildcard may hold production hosts: the guard denies them one by one. What it denies whole is a slip. */
function checkListed(
  linking: Linking,
  entry: Entry<EgressDocument>,
  { environment, hosts, sharesAddressWithProd }: ProxyTarget,
  guards: readonly GuardHost[],
): void {
  for (const [i, host] of hosts.entries()) {
    const guard = guards.find((one) => {
      const shared = sharesAddressWithProd && one.proxied === true && one.service === entry.name
      return !shared && (plainHost(one.host) === host || (one.host.startsWith('*.') && hostMatches(one.host, host)))
    })
    if (guard === undefined) continue
    refuse(linking, entry, ['environments', environment, 'hosts', i], {
      code: 'target_is_prod',
      message: `In a nonprod environment, ${host} is a production host of "${guard.service}".`,
      hint:
        guard.proxied === true && guard.service === entry.name
          ? 'Where a host is the same for test and live, say sharesAddressWithProd: true.'
          : 'Name hosts of the test system.',
    })
  }
}

function isCallers({ credential }: LiveTarget | StreamTarget): boolean {
  return credential?.kind === 'oauth2' && credential.subject === 'caller'
}

function distinct(guards: readonly GuardHost[]): readonly GuardHost[] {
  return Array.from(new Map(guards.map((guard) => [JSON.stringify([guard.host, guard.port, guard.service]), guard])).values())
}
