import type { Credential } from '../../model/credential.ts'
import type { CassetteUse, EgressFaults, EgressTarget, LiveTarget, ProxyTarget, StreamTarget } from '../../model/egress-target.ts'
import { compileCidrs, formatAuthority } from '../../net.ts'
import type { EgressDocument } from '../document/egress.ts'
import { parseHttpUrl } from '../document/fields.ts'
import type { TargetDocument } from '../document/targets.ts'
import type { EnvironmentClass } from '../policy.ts'
import type { Path } from '../read/node.ts'
import { type Entry, isSaid, isWhole, type Linking, refuse, warn } from './linking.ts'
import type { Mocks } from './mocks.ts'
import { linkTokens } from './oauth2.ts'
import { secretRule } from './secret-rule.ts'
import { linkHmac, linkSigV4 } from './signing.ts'
import { bytes, ms, share } from './values.ts'
import { linkVend } from './vend.ts'

export interface TargetPlace {
  readonly path: Path
  readonly environment: string
  /** Undefined where the environment's own declaration is broken: then nothing is served, and only what holds in every class is said. */
  readonly kind: EnvironmentClass | undefined
  readonly mocks: Mocks
}

type HttpTarget = Exclude<EgressTarget, StreamTarget | ProxyTarget>

/** Checks and links one target. Undefined when it cannot be read. */
export function linkTarget(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, place: TargetPlace): HttpTarget | undefined {
  const target = targetOf(linking, entry, said, place)
  const faults = faultsOf(linking, entry, said, place)
  return target === undefined || target.mode === 'deny' || faults === undefined ? target : { ...target, faults }
}

function faultsOf(linking: Linking, entry: Entry<EgressDocument>, { faults }: TargetDocument, { path, kind }: TargetPlace): EgressFaults | undefined {
  if (faults === undefined) return undefined
  const { latency, reset, status, bandwidth } = faults
  if ([latency, reset, status, bandwidth].every((one) => share(one?.percent ?? '0%') === 0)) return undefined
  if (kind === 'prod')
    refuse(linking, entry, [...path, 'faults'], {
      code: 'faults_in_prod',
      message: 'Faults are not injected in an environment of class prod.',
      hint: 'Remove them, or write percent: 0%.',
      which: 'key',
    })
  return {
    latency: latency && { share: share(latency.percent), ms: ms(latency.for) },
    reset: reset && { share: share(reset.percent) },
    status: status && { share: share(status.percent), status: status.status },
    bandwidth: bandwidth && { share: share(bandwidth.percent), bytes: Math.max(1, bytes(bandwidth.perSecond)) },
  }
}

function targetOf(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, place: TargetPlace): HttpTarget | undefined {
  const mode = modeOf(linking, entry, said, place)
  checkMembers(linking, entry, said, mode, place)
  checkGuarding(linking, entry, said, place)
  if (mode === 'deny') return { mode, environment: place.environment, reason: said.reason }
  if (mode === 'mock') return said.mock === undefined ? undefined : linkMock(linking, entry, said.mock, place)
  const cassette = mode === 'record' || mode === 'replay' ? cassetteOf(linking, entry, said, mode, place) : undefined
  if (mode === 'replay') return cassette === undefined ? undefined : { mode, environment: place.environment, cassette }
  if (said.target === undefined || (mode !== 'live' && mode !== 'record')) return undefined
  const live = linkLive(linking, entry, said, said.target, place)
  if (live === undefined || mode === 'live') return live
  return cassette === undefined ? undefined : { ...live, record: cassette }
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

/** What calls out, with and without being written down. */
const callOut = ['target', 'inject', 'basic', 'oauth2', 'exchange', 'sigv4', 'hmac', 'tls', 'allowAddresses', 'sharesAddressWithProd', 'ca'] as const

const membersOf = {
  live: [...callOut, 'faults', 'vend'],
  mock: ['mock', 'faults'],
  record: [...callOut, 'vend', 'cassette', 'match', 'faults'],
  replay: ['cassette', 'match', 'faults'],
  deny: ['reason'],
} as const

/** Of other kinds of services. */
const refusedElsewhere = ['hosts', 'ports'] as const

/** What a mode cannot use would be believed; guardHosts are worth having in every mode of a prod environment, and a target may wait for its day. */
function checkMembers(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, mode: TargetDocument['mode'], { path }: TargetPlace): void {
  if (mode === undefined) return
  const needed = mode === 'live' || mode === 'record' ? 'target' : mode === 'mock' ? 'mock' : undefined
  if (needed !== undefined && !isSaid(entry, [...path, needed]))
    refuse(linking, entry, path, {
      code: 'key_missing',
      message: `mode: ${mode} needs "${needed}".`,
      hint: `Add ${needed}:, or choose another mode.`,
      which: 'key',
    })
  const usable: ReadonlySet<string> = new Set([...membersOf[mode], 'mode', 'guardHosts', ...refusedElsewhere])
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

/** What a target records into or replays from. Records of production hold what its customers said. */
function cassetteOf(
  linking: Linking,
  entry: Entry<EgressDocument>,
  said: TargetDocument,
  mode: 'record' | 'replay',
  { path, kind }: TargetPlace,
): CassetteUse | undefined {
  if (mode === 'record' && kind === 'prod')
    refuse(linking, entry, [...path, 'mode'], {
      code: 'record_in_prod',
      message: 'Answers are not recorded in an environment of class prod.',
      hint: 'Record in a nonprod environment.',
    })
  if (said.cassette === undefined) {
    if (!isSaid(entry, [...path, 'cassette']))
      refuse(linking, entry, path, {
        code: 'key_missing',
        message: `mode: ${mode} needs "cassette".`,
        hint: `Add cassette: ${entry.name}.`,
        which: 'key',
      })
    return undefined
  }
  return { name: said.cassette, headers: said.match.headers, body: said.match.body }
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

function linkMock(linking: Linking, entry: Entry<EgressDocument>, file: string, { path, environment, mocks }: TargetPlace): HttpTarget | undefined {
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

function linkLive(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, target: string, place: TargetPlace): LiveTarget | undefined {
  const url = parseHttpUrl(target)
  if ('problem' in url) return undefined
  if (place.kind === 'prod' && url.scheme === 'http')
    refuse(linking, entry, [...place.path, 'target'], {
      code: 'target_clear_text',
      message: 'A production target in clear text would show its credential to everybody on the way.',
      hint: 'Write an https URL.',
    })
  checkAddresses(linking, entry, said, place)
  const credential = linkCredential(linking, entry, said, place)
  const vend = linkVend(linking, entry, said, credential, place)
  const isDefaultPort = url.port === (url.scheme === 'https' ? 443 : 80)
  return {
    mode: 'live',
    environment: place.environment,
    origin: `${url.scheme}://${formatAuthority(url.host, isDefaultPort ? undefined : url.port)}`,
    scheme: url.scheme,
    host: url.host,
    port: url.port,
    basePath: url.path.replace(/\/$/, ''),
    credential,
    allowAddresses: said.allowAddresses,
    sharesAddressWithProd: said.sharesAddressWithProd,
    ca: said.ca,
    certificate: linkCertificate(linking, entry, said, url.scheme, place),
    ...(vend !== undefined && { vend }),
  }
}

function linkCertificate(
  linking: Linking,
  entry: Entry<EgressDocument>,
  { tls }: TargetDocument,
  scheme: 'http' | 'https',
  { path }: TargetPlace,
): LiveTarget['certificate'] {
  // The words are for byte streams, and refused here before.
  if (typeof tls !== 'object') return undefined
  if (scheme === 'http')
    refuse(linking, entry, [...path, 'tls'], {
      code: 'tls_clear_text',
      message: 'A certificate is shown in TLS alone, and this target is reached in clear text.',
      hint: 'Write an https target, or remove tls.',
      which: 'key',
    })
  return tls
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
  const given = (['inject', 'basic', 'oauth2', 'exchange', 'sigv4', 'hmac'] as const).filter((key) => isSaid(entry, [...path, key]))
  if (given.length > 1)
    refuse(linking, entry, [...path, given[1] ?? ''], {
      code: 'credential_twice',
      message: `${given.join(' and ')} exclude each other.`,
      hint: 'Keep one of them.',
      which: 'key',
    })
  if (said.inject !== undefined) return linkInject(linking, entry, said.inject, [...path, 'inject'])
  if (said.basic !== undefined) return { kind: 'basic', username: said.basic.username, password: secretRule(said.basic.password, said.basic) }
  if (said.oauth2 !== undefined) return linkTokens(linking, entry, said.oauth2, [...path, 'oauth2'], 'client')
  if (said.sigv4 !== undefined) return linkSigV4(said.sigv4)
  if (said.hmac !== undefined) return linkHmac(linking, entry, said.hmac, [...path, 'hmac'])
  return said.exchange === undefined ? undefined : linkTokens(linking, entry, said.exchange, [...path, 'exchange'], 'caller')
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
