import * as z from 'zod'
import { access } from './document/access.ts'
import { apiKeys } from './document/api-keys.ts'
import { caller } from './document/callers.ts'
import { certificate } from './document/certificates.ts'
import { cluster } from './document/clusters.ts'
import { decider } from './document/deciders.ts'
import { egress } from './document/egress.ts'
import { environment } from './document/environments.ts'
import { name, secret } from './document/fields.ts'
import { issuer } from './document/issuers.ts'
import { limit } from './document/limits.ts'
import { listeners } from './document/listeners.ts'
import { route } from './document/routes.ts'
import { debug, exchange, resource, token } from './document/tokens.ts'

/** `store` has one member. */
const store = { redis: secret.meta({ description: 'Where the URL of Redis stands; without a store, limits are counted in memory.' }) }

/** Sections that map any name to one kind of object. */
export const namedSections = {
  environments: environment,
  issuers: issuer,
  apiKeys,
  certificates: certificate,
  tokens: token,
  exchanges: exchange,
  resources: resource,
  clusters: cluster,
  limits: limit,
  deciders: decider,
  access,
  routes: route,
  callers: caller,
  egress,
}

/** Sections whose members have fixed names and a kind each. */
export const fixedSections = { listeners, store, debug }

export type NamedSection = keyof typeof namedSections
type FixedSection = keyof typeof fixedSections

export const sectionNames: readonly string[] = [...Object.keys(namedSections), ...Object.keys(fixedSections)]

/** The schema of `section.name`; undefined where there is no such thing. */
export function schemaOf(section: string, member: string): z.ZodType | undefined {
  if (Object.hasOwn(namedSections, section)) return namedSections[section as NamedSection]
  const fixed: Readonly<Record<string, z.ZodType>> = Object.hasOwn(fixedSections, section) ? fixedSections[section as FixedSection] : {}
  return Object.hasOwn(fixed, member) ? fixed[member] : undefined
}

function named<S extends z.ZodType>(schema: S, description: string) {
  return z.record(name, schema).optional().meta({ description })
}

/** One whole file. */
export const documentSchema = z.strictObject({
  $schema: z.string().optional().meta({ description: 'Where this schema is, for editors.' }),
  sallyport: z.literal('v1').meta({ description: 'Version of the format.' }),
  environments: named(environment, 'The known environments and their class. SALLYPORT_ENV names the one in force.'),
  listeners: z
    .strictObject({ public: listeners.public.optional(), egress: listeners.egress.optional(), admin: listeners.admin.optional() })
    .optional()
    .meta({ description: 'Bound addresses.' }),
  store: z.strictObject({ redis: store.redis.optional() }).optional().meta({ description: 'What replicas share.' }),
  debug: z.strictObject({ key: debug.key.optional() }).optional().meta({ description: 'Who may ask how a request was decided.' }),
  issuers: named(issuer, 'Who issues tokens.'),
  apiKeys: named(apiKeys, 'API keys.'),
  certificates: named(certificate, 'How client certificates become subjects.'),
  tokens: named(token, 'Tokens that the gateway makes for services.'),
  exchanges: named(exchange, 'Where tokens of downstreams are exchanged (RFC 8693).'),
  resources: named(resource, 'What routes are a part of, as published for clients (RFC 9728).'),
  clusters: named(cluster, 'Upstreams in the mesh.'),
  limits: named(limit, 'Rate limits.'),
  deciders: named(decider, 'External decision points that access policies may ask.'),
  access: named(access, 'Access policies: who may do what.'),
  routes: named(route, 'Which requests go where, and what they must prove.'),
  callers: named(caller, 'Workloads that call out.'),
  egress: named(egress, 'Third parties behind the ambassador.'),
})
