import type { Credential, EgressTarget, SecretRule } from '../../model/route.ts'
import { compileCidrs, formatAuthority } from '../../net.ts'
import type { EgressDocument, TargetDocument } from '../document/egress.ts'
import { parseHttpUrl } from '../document/fields.ts'
import type { EnvironmentClass } from '../policy.ts'
import type { Path } from '../read/node.ts'
import { type Entry, isSaid, isWhole, type Linking, refuse, warn } from './linking.ts'
import type { Mocks } from './mocks.ts'

export interface TargetPlace {
  readonly path: Path
  readonly environment: string
  /** Undefined where the environment's own declaration is broken: then nothing is served, and only what holds in every class is said. */
  readonly kind: EnvironmentClass | undefined
  readonly mocks: Mocks
}

/** Checks and links one target. Undefined when it cannot be read. */
export function linkTarget(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, place: TargetPlace): EgressTarget | undefined {
  const mode = modeOf(linking, entry, said, place)
  checkMembers(linking, entry, said, mode, place)
  checkGuarding(linking, entry, said, place)
  if (mode === 'deny') return { mode, environment: place.environment, reason: said.reason }
  if (mode === 'mock') return said.mock === undefined ? undefined : linkMock(linking, entry, said.mock, place)
  return mode === 'live' && said.target !== undefined ? linkLive(linking, entry, said, said.target, place) : undefined
}

function modeOf(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, { path }: TargetPlace): TargetDocument['mode'] {
  if (said.mode !== undefined) return said.mode
  const [hasTarget, hasMock] = [isSaid(entry, [...path, 'target']), isSaid(entry, [...path, 'mock'])]
  if (hasTarget !== hasMock) return hasTarget ? 'live' : 'mock'
  if (isWhole(entry, path.join('.'))) {
    const message = hasTarget ? 'target and mock stand side by side, and no mode says which counts.' : 'Neither a target nor a mock is given.'
    refuse(linking, entry, path, { code: 'mode_unclear', message, hint: 'Write mode: live with target, mode: mock with mock, or mode: deny.', which: 'key' })
  }
  return undefined
}

const membersOf = {
  live: ['target', 'inject', 'basic', 'oauth2', 'guardHosts', 'allowAddresses', 'sharesAddressWithProd', 'ca'],
  mock: ['mock'],
  deny: ['reason'],
} as const

/** What a mode cannot use would be believed; guardHosts are worth having in every mode of a prod environment, and a target may wait for its day. */
function checkMembers(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, mode: TargetDocument['mode'], { path }: TargetPlace): void {
  if (mode === undefined) return
  const needed = mode === 'live' ? 'target' : mode === 'mock' ? 'mock' : undefined
  if (needed !== undefined && !isSaid(entry, [...path, needed]))
    refuse(linking, entry, path, {
      code: 'key_missing',
      message: `mode: ${mode} needs "${needed}".`,
      hint: `Add ${needed}:, or choose another mode.`,
      which: 'key',
    })
  const usable: ReadonlySet<string> = new Set([...membersOf[mode], 'mode', 'guardHosts'])
  for (const key of Object.keys(said)) {
    if (usable.has(key) || !isSaid(entry, [...path, key])) continue
    warn(linking, entry, [...path, key], {
      code: 'no_effect',
      message: `"${key}" has no effect with mode: ${mode}.`,
      hint: 'Remove it, or change the mode.',
      which: 'key',
    })
  }
}

/** The production guard stands in nonprod processes, and denies hosts of prod environments. */
export function checkGuarding(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, { path, kind }: TargetPlace): void {
  if (kind === undefined) return
  const isProd = kind === 'prod'
  const idle = isProd ? 'sharesAddressWithProd' : 'guardHosts'
  if (isProd ? !said.sharesAddressWithProd : said.guardHosts.length === 0) return
  warn(linking, entry, [...path, idle], {
    code: 'no_effect',
    message: `"${idle}" has no effect in a ${kind} environment.`,
    hint: isProd ? 'Say it of the nonprod target.' : 'Say it of a prod environment: its hosts are denied to every nonprod process.',
    which: 'key',
  })
}

function linkMock(linking: Linking, entry: Entry<EgressDocument>, file: string, { path, environment, mocks }: TargetPlace): EgressTarget | undefined {
  const mock = mocks(file, entry.id)
  if (mock === undefined) {
    refuse(linking, entry, [...path, 'mock'], {
      code: 'mock_missing',
      message: `There is no file ${file} under the policies folder.`,
      hint: 'Paths begin at the policies folder, such as mocks/payments.yaml.',
    })
    return undefined
  }
  return { mode: 'mock', environment, mock }
}

function linkLive(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, target: string, place: TargetPlace): EgressTarget | undefined {
  const url = parseHttpUrl(target)
  if ('problem' in url) return undefined
  if (place.kind === 'prod' && url.scheme === 'http')
    refuse(linking, entry, [...place.path, 'target'], {
      code: 'target_clear_text',
      message: 'A production target in clear text would show its credential to everybody on the way.',
      hint: 'Write an https URL.',
    })
  checkAddresses(linking, entry, said, place)
  const isDefaultPort = url.port === (url.scheme === 'https' ? 443 : 80)
  return {
    mode: 'live',
    environment: place.environment,
    origin: `${url.scheme}://${formatAuthority(url.host, isDefaultPort ? undefined : url.port)}`,
    scheme: url.scheme,
    host: url.host,
    port: url.port,
    basePath: url.path.replace(/\/$/, ''),
    credential: linkCredential(linking, entry, said, place),
    allowAddresses: said.allowAddresses,
    sharesAddressWithProd: said.sharesAddressWithProd,
    ca: said.ca,
  }
}

const linkLocal = compileCidrs(['169.254.0.0/16', 'fe80::/10'])

/** In production the guard must not be opened to metadata services, nor to everything. */
export function checkAddresses(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, { path, kind }: TargetPlace): void {
  for (const [i, network] of said.allowAddresses.entries()) {
    const holds = compileCidrs([network])
    const wide = network.endsWith('/0')
    if (!wide && !linkLocal(network.split('/')[0] ?? '') && !holds('169.254.169.254') && !holds('fe80::1')) continue
    const message = wide
      ? `${network} opens the address guard to every address.`
      : `${network} holds link-local addresses, where metadata services hand out credentials.`
    const problem = { code: 'addresses_wide', message, hint: 'Name the network of the target.' }
    if (kind === 'prod') refuse(linking, entry, [...path, 'allowAddresses', i], problem)
    else warn(linking, entry, [...path, 'allowAddresses', i], problem)
  }
}

function linkCredential(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, { path }: TargetPlace): Credential | undefined {
  const given = (['inject', 'basic', 'oauth2'] as const).filter((key) => isSaid(entry, [...path, key]))
  if (given.length > 1)
    refuse(linking, entry, [...path, given[1] ?? ''], {
      code: 'credential_twice',
      message: `${given.join(' and ')} exclude each other.`,
      hint: 'Keep one of them.',
      which: 'key',
    })
  if (said.inject !== undefined) return linkInject(linking, entry, said.inject, [...path, 'inject'])
  if (said.basic !== undefined) return { kind: 'basic', username: said.basic.username, password: secretRule(said.basic.password, said.basic) }
  if (said.oauth2 === undefined) return undefined
  const { tokenUrl, clientId, clientSecret, auth, scope, audience } = said.oauth2
  return { kind: 'oauth2', tokenUrl, clientId, auth, clientSecret: secretRule(clientSecret, said.oauth2), scope, audience }
}

function linkInject(linking: Linking, entry: Entry<EgressDocument>, inject: NonNullable<TargetDocument['inject']>, path: Path): Credential | undefined {
  const secret = secretRule(inject.secret, inject)
  if ((inject.header === undefined) === (inject.query === undefined)) {
    if (isWhole(entry, path.join('.')))
      refuse(linking, entry, path, {
        code: 'inject_shape',
        message: 'A secret goes into exactly one of header and query.',
        hint: 'Write header: authorization, or query: api_key.',
        which: 'key',
      })
    return undefined
  }
  if (inject.query !== undefined) {
    if (isSaid(entry, [...path, 'format']))
      refuse(linking, entry, [...path, 'format'], { code: 'no_effect', message: '"format" is for headers.', hint: 'Remove it.', which: 'key' })
    return { kind: 'query', parameter: inject.query, secret }
  }
  if (inject.format.split('{secret}').length !== 2)
    refuse(linking, entry, [...path, 'format'], {
      code: 'format_shape',
      message: 'The format holds {secret} more than once.',
      hint: 'Write it once, such as "Bearer {secret}".',
    })
  return { kind: 'header', header: inject.header ?? '', format: inject.format, secret }
}

function secretRule(
  reference: string,
  { pattern, forbidPattern }: { readonly pattern?: string | undefined; readonly forbidPattern?: string | undefined },
): SecretRule {
  return { reference, pattern, forbidPattern }
}
