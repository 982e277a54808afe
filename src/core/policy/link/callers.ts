import type { CallerDocument } from '../document/callers.ts'
import type { EgressDocument } from '../document/egress.ts'
import type { Caller, CallerClaim, CallerToken } from '../linked/callers.ts'
import { type Entry, type Linking, refer, refuse, suggestion } from './linking.ts'
import { after } from './values.ts'

/** Checks and links the callers. A broken one is left out: services that name it are quarantined. */
export function linkCallers(
  linking: Linking,
  entries: ReadonlyMap<string, Entry<CallerDocument>>,
  services: ReadonlyMap<string, Entry<EgressDocument>>,
  inClass: ReadonlySet<string>,
): readonly Caller[] {
  return Array.from(entries.values(), (entry) => {
    const { value = {} } = entry
    if (value.environment !== undefined) checkEnvironment(linking, entry, ['environment'], value.environment)
    for (const [i, name] of (value.mayChooseEnv ?? []).entries()) checkEnvironment(linking, entry, ['mayChooseEnv', i], name)
    checkListener(linking, entry, value.listener, services)
    if (value.token !== undefined) refer(linking, entry, ['token', 'issuer'], 'issuers', value.token.issuer)
    return {
      name: entry.name,
      listener: value.listener ?? '',
      ...(value.spiffe !== undefined && { spiffe: typeof value.spiffe === 'string' ? [value.spiffe] : value.spiffe }),
      ...(value.token !== undefined && { token: linkToken(value.token) }),
      environment: value.environment,
      // An environment of the other class is out of reach whatever is asked for.
      mayChooseEnv: (value.mayChooseEnv ?? []).filter((name) => inClass.has(name)),
    }
  })
}

function linkToken({ issuer, claims }: NonNullable<CallerDocument['token']>): CallerToken {
  return {
    issuer,
    claims: Object.entries(claims).map(([path, test]): CallerClaim => {
      if (typeof test !== 'object') return { path, kind: 'in', values: [test] }
      return 'length' in test ? { path, kind: 'in', values: test } : { path, kind: 'present' }
    }),
  }
}

function checkListener(
  linking: Linking,
  entry: Entry<CallerDocument>,
  listener: string | undefined,
  services: ReadonlyMap<string, Entry<EgressDocument>>,
): void {
  const service = after(listener ?? '', 'egress:')
  if (service === undefined) return
  const found = services.get(service)
  if (found === undefined) {
    const hint = suggestion(linking, service, new Set(services.keys())) ?? 'Write egress, or egress: and the name of a service.'
    refuse(linking, entry, ['listener'], { code: 'name_unknown', message: `"${service}" is not in "egress".`, hint })
  } else if (found.value !== undefined && found.value.listen === undefined) {
    refuse(linking, entry, ['listener'], {
      code: 'listener_missing',
      message: `The egress service "${service}" has no port of its own.`,
      hint: `Add listen: to egress.${service}, or write listener: egress.`,
    })
  }
}

/** Environments are declared; anything else is a slip. */
export function checkEnvironment<T>(
  linking: Linking,
  entry: Entry<T>,
  path: readonly (string | number)[],
  name: string,
  which: 'key' | 'value' = 'value',
): boolean {
  const names = linking.names('environments')
  if (names.has(name)) return true
  const hint = suggestion(linking, name, names) ?? `Declared: ${Array.from(names).join(', ')}.`
  refuse(linking, entry, path, { code: 'environment_unknown', message: `"${name}" is not a declared environment.`, hint, which })
  return false
}
