import { rpcsOf } from '../protobuf.ts'
import { idOf, type RawObject } from './collect.ts'
import { descriptorsIn } from './document/clusters.ts'
import { type NamedSection, schemaOf, sectionNames } from './document.ts'
import { linkAccess } from './link/access.ts'
import { linkApiKeys } from './link/api-keys.ts'
import { linkCallers } from './link/callers.ts'
import { linkCertificates } from './link/certificates.ts'
import { linkClusters } from './link/clusters.ts'
import { linkDeciders } from './link/deciders.ts'
import type { Descriptors } from './link/descriptors.ts'
import { linkEgress } from './link/egress.ts'
import type { Entries } from './link/entries.ts'
import { quarantineRoutes } from './link/half.ts'
import { linkIssuers } from './link/issuers.ts'
import { linkLimits } from './link/limits.ts'
import type { Entry, Linking } from './link/linking.ts'
import { linkListeners } from './link/listeners.ts'
import type { Mocks } from './link/mocks.ts'
import { buildQuarantine } from './link/quarantine.ts'
import { checkRecognition } from './link/recognition.ts'
import { linkRoutes } from './link/routes.ts'
import { linkExchanges, linkResources, linkTokens } from './link/tokens.ts'
import { checkWhole } from './link/whole.ts'
import type { LostRoute } from './lost.ts'
import type { EnvironmentClass, Policy } from './policy.ts'
import type { Report } from './report.ts'
import { checkShape, type Shaped } from './shape.ts'

export interface LinkInput {
  readonly objects: ReadonlyMap<string, RawObject>
  readonly environment: string
  readonly report: Report
  /** Shapes that were checked already, by the object as it stands: each is reported once. */
  readonly shapes: Map<RawObject, Shaped<unknown>>
  readonly descriptors: Descriptors
  readonly mocks: Mocks
  /** Some file does not parse. */
  readonly incomplete: boolean
  readonly lost: readonly LostRoute[]
  /** Why nothing may be served: what this environment narrows is not known. */
  readonly doubt: string | undefined
}

export interface Linked {
  /** Undefined when nothing can be served. */
  readonly policy: Omit<Policy, 'revision'> | undefined
  readonly entries: readonly Entry<unknown>[]
  readonly classes: ReadonlyMap<string, EnvironmentClass>
}

/** Checks shapes and meaning of all objects for one environment, and links them. */
export function linkObjects(input: LinkInput): Linked {
  const bySection = Map.groupBy(
    Array.from(input.objects.values(), (object) => entryOf(object, input)),
    (entry) => entry.section,
  )
  const section = (name: string) => new Map((bySection.get(name) ?? []).map((entry) => [entry.name, entry]))
  // The casts are safe: each section's entries were checked with that section's own schema.
  const entries = Object.fromEntries(sectionNames.map((name) => [name, section(name)])) as unknown as Entries
  const classes = new Map(
    Array.from(entries.environments.values()).flatMap(({ name, value }) => (value?.class === undefined ? [] : [[name, value.class] as const])),
  )
  const environmentClass = classes.get(input.environment)
  // Without a class nothing can be told apart; the strict reading finds the most problems.
  const linking = openLinking(input, entries, environmentClass ?? 'prod')
  const policy = link(linking, entries, classes, input)
  const serves = environmentClass !== undefined && !['environments', 'listeners'].some((name) => isBroken(input, bySection.get(name) ?? []))
  return { policy: serves ? policy : undefined, entries: Array.from(bySection.values()).flat(), classes }
}

function isBroken({ report }: LinkInput, entries: readonly Entry<unknown>[]): boolean {
  return entries.some(({ id }) => report.brokenBy(id) !== undefined)
}

function entryOf(object: RawObject, { report, shapes }: LinkInput): Entry<unknown> {
  const id = idOf(object.section, object.name)
  const schema = schemaOf(object.section, object.name)
  const known =
    shapes.get(object) ??
    (schema === undefined ? { value: undefined, removed: [] } : checkShape(schema, object.value, { object: id, start: object.key }, report))
  shapes.set(object, known)
  return {
    section: object.section,
    name: object.name,
    id,
    key: object.key,
    node: object.value,
    value: known.value,
    removed: [...object.dropped, ...known.removed],
    dropped: object.dropped,
  }
}

function openLinking({ report, environment, incomplete }: LinkInput, entries: Entries, environmentClass: EnvironmentClass): Linking {
  const names = new Map<NamedSection, ReadonlySet<string>>()
  return {
    report,
    environment,
    environmentClass,
    names: (section) => {
      const known = names.get(section) ?? new Set(entries[section].keys())
      names.set(section, known)
      return known
    },
    introspects: (issuer) => {
      const entry = entries.issuers.get(issuer)
      return entry?.value?.introspection !== undefined || entry?.removed.some((gone) => gone.startsWith('introspection')) !== false
    },
    used: new Set(),
    needs: new Map(),
    incomplete,
    unsure: new Set(),
  }
}

function link(
  linking: Linking,
  entries: Entries,
  classes: ReadonlyMap<string, EnvironmentClass>,
  { environment, descriptors, mocks, lost, doubt }: LinkInput,
): Omit<Policy, 'revision'> {
  const { environmentClass } = linking
  const store = entries.store.get('redis')
  const debugKey = entries.debug.get('key')?.value
  const environments = Array.from(classes).flatMap(([name, kind]) => (kind === environmentClass ? [name] : []))
  const listeners = linkListeners(linking, {
    public: entries.listeners.get('public'),
    egress: entries.listeners.get('egress'),
    admin: entries.listeners.get('admin'),
  })
  const issuers = linkIssuers(linking, entries.issuers, { said: store !== undefined })
  const apiKeys = linkApiKeys(linking, entries, { said: store !== undefined })
  const certificates = linkCertificates(linking, entries)
  const tokens = linkTokens(linking, entries.tokens)
  const exchanges = linkExchanges(entries.exchanges)
  const resources = linkResources(linking, entries.resources)
  const clusters = linkClusters(linking, entries.clusters, descriptors)
  const limits = linkLimits(linking, entries.limits, { said: store !== undefined })
  const deciders = linkDeciders(linking, entries.deciders, entries.clusters)
  const access = Array.from(entries.access.values(), (entry) => ({ entry, policy: linkAccess(linking, entry, entry.name) }))
  const routes = linkRoutes(linking, entries.routes, { clusters: entries.clusters, access: entries.access, limits: entries.limits, descriptors })
  const callers = linkCallers(linking, entries.callers, entries.egress, new Set(environments))
  const { services, guards } = linkEgress(linking, entries.egress, { classes, listeners, mocks })
  checkRecognition(linking, entries, callers)
  checkWhole(linking, entries, access, routes, listeners)

  const ownReason = buildQuarantine(linking)
  const reasonOf = (object: string) => ownReason(object) ?? (/^(?:routes|egress)\./.test(object) ? doubt : undefined)
  const sound = <T extends { readonly name: string }>(section: string, list: readonly T[]) =>
    list.filter(({ name }) => reasonOf(`${section}.${name}`) === undefined)
  const linkedRoutes = quarantineRoutes({ routes, lost, reasonOf, templatesOf: templatesIn(entries.clusters, descriptors) })
  const policies = [
    ...access.map(({ entry, policy }) => ({ id: entry.id, policy })),
    ...routes.flatMap(({ entry, inline }) => (inline === undefined || entries.access.has(entry.name) ? [] : [{ id: entry.id, policy: inline }])),
  ]
  return {
    environment,
    environmentClass,
    environments,
    listeners,
    store: { redis: typeof store?.value === 'string' ? store.value : undefined },
    debug: { key: typeof debugKey === 'string' ? debugKey : undefined },
    issuers: byName(issuers.map((issuer) => quarantineIssuer(issuer, reasonOf(`issuers.${issuer.name}`)))),
    apiKeys: byName(apiKeys.map((set) => quarantineKeys(set, reasonOf(`apiKeys.${set.name}`)))),
    certificates: byName(certificates.map((mapping) => quarantineCertificate(mapping, reasonOf(`certificates.${mapping.name}`)))),
    tokens: byName(sound('tokens', tokens)),
    exchanges: byName(sound('exchanges', exchanges)),
    resources: byName(sound('resources', resources)),
    clusters: byName(clusters.map((cluster) => quarantineCluster(cluster, reasonOf(`clusters.${cluster.name}`)))),
    limits: byName(sound('limits', limits)),
    deciders: byName(sound('deciders', deciders)),
    access: byName(policies.map(({ id, policy }) => quarantineAccess(policy, reasonOf(id)))),
    routes: linkedRoutes,
    callers: byName(sound('callers', callers)),
    egress: Object.fromEntries(services.map((linked) => [linked.service.name, quarantineService(linked, reasonOf(`egress.${linked.service.name}`))])),
    guards,
    descriptors: descriptorsOf(linkedRoutes, descriptors),
  }
}

function byName<T extends { readonly name: string }>(list: readonly T[]): Readonly<Record<string, T>> {
  return Object.fromEntries(list.map((each) => [each.name, each]))
}

// What is quarantined keeps its name, and nothing that half an object could do harm with.

type ObjectOf<K extends keyof Policy> = Policy[K] extends Readonly<Record<string, infer T>> ? T : never

function quarantineIssuer(issuer: ObjectOf<'issuers'>, quarantined: string | undefined): ObjectOf<'issuers'> {
  return quarantined === undefined ? issuer : { ...issuer, quarantined, jwks: undefined, audiences: [], algorithms: [], introspection: undefined }
}

function quarantineCertificate(mapping: ObjectOf<'certificates'>, quarantined: string | undefined): ObjectOf<'certificates'> {
  return quarantined === undefined ? mapping : { ...mapping, quarantined, scopes: [] }
}

/** The header stays: what stands in it is taken out of requests all the same. */
function quarantineKeys(set: ObjectOf<'apiKeys'>, quarantined: string | undefined): ObjectOf<'apiKeys'> {
  return quarantined === undefined ? set : { ...set, quarantined, store: { kind: 'redis' }, scopes: [] }
}

function quarantineCluster(cluster: ObjectOf<'clusters'>, quarantined: string | undefined): ObjectOf<'clusters'> {
  return quarantined === undefined
    ? cluster
    : { ...cluster, quarantined, endpoints: { kind: 'static', addresses: [] }, subsets: {}, tls: undefined, descriptors: undefined }
}

function quarantineAccess(policy: ObjectOf<'access'>, quarantined: string | undefined): ObjectOf<'access'> {
  return quarantined === undefined ? policy : { ...policy, quarantined, authenticate: { kind: 'none' }, rules: [] }
}

/** Its port stays what it is: whoever speaks TLS to it is refused over TLS. What the forward proxy lists stays listed: no wider service is to take it over. */
function quarantineService(linked: ObjectOf<'egress'>, quarantined: string | undefined): ObjectOf<'egress'> {
  if (quarantined === undefined) return linked
  const listed = Object.entries(linked.targets).filter(([, { mode }]) => mode === 'proxy')
  return { ...linked, service: { ...linked.service, quarantined }, targets: Object.fromEntries(listed) }
}

/** Native paths and bindings of a service, from whichever descriptor set has it. */
function templatesIn(clusters: Entries['clusters'], descriptors: Descriptors): (service: string) => readonly string[] | undefined {
  const paths = new Set(Array.from(clusters.values(), ({ value }) => descriptorsIn(value?.descriptors)?.file).filter((path) => path !== undefined))
  return (service) => {
    for (const path of paths) {
      const pinned = descriptors(path)
      const found = 'problem' in pinned ? undefined : rpcsOf(pinned.book, service)
      if (found === undefined) continue
      const left = found.problems.flatMap(({ template }) => (template === undefined ? [] : [template]))
      return [`/${service}/{method}`, ...found.rpcs.flatMap(({ bindings }) => bindings.map(({ template }) => template)), ...left]
    }
    return undefined
  }
}

function descriptorsOf(routes: Policy['routes'], descriptors: Descriptors): Policy['descriptors'] {
  const paths = new Set(routes.flatMap(({ match }) => (match.grpc === undefined || match.grpc.descriptors === '' ? [] : [match.grpc.descriptors])))
  return Object.fromEntries(
    Array.from(paths).flatMap((path) => {
      const found = descriptors(path)
      return 'bytes' in found ? [[path, found.bytes] as const] : []
    }),
  )
}
