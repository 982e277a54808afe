import * as z from 'zod'
import { defaulted, describe, filled } from './build.ts'
import { cidr, claimPath, claimValue, expression, fieldTests, grpcMethod, host, method, name, path, pattern, spiffeId, text, timeOfDay } from './fields.ts'

export interface RequirementDocument {
  readonly jwt?: string | undefined
  readonly apiKey?: string | undefined
  readonly introspection?: string | undefined
  readonly mtls?: string | undefined
  readonly anyOf?: readonly RequirementDocument[] | undefined
  readonly allOf?: readonly RequirementDocument[] | undefined
  readonly optional?: RequirementDocument | undefined
}

const requirement = z
  .strictObject({
    jwt: name.optional().meta({ description: 'A bearer token of this issuer.' }),
    apiKey: name.optional().meta({ description: 'A key of this set of API keys.' }),
    introspection: name.optional().meta({ description: 'A bearer token that this issuer is asked about.' }),
    mtls: name.optional().meta({ description: 'A client certificate that this mapping of `certificates` knows.' }),
    get anyOf() {
      return z.array(requirement).min(1).optional().meta({ description: 'One of these.' })
    },
    get allOf() {
      return z.array(requirement).min(2).optional().meta({ description: 'All of these at once.' })
    },
    get optional() {
      return requirement.optional().meta({ description: 'May be left out; a bad credential is still refused.' })
    },
  })
  .meta({ minProperties: 1, maxProperties: 1, id: 'requirement' }) as z.ZodType<RequirementDocument>

const values = z.array(claimValue).min(1)

const claimTest = z.union([
  claimValue,
  values,
  z
    .strictObject({
      equals: z
        .string()
        .regex(/^(?:path\.[A-Za-z_][\w.]*|header\.[a-z0-9!#$%&'*+.^_`|~-]+|query\.[^\s&=]+|claim\.[^\s]+|host)$/)
        .meta({ title: 'attribute', examples: ['path.tenant', 'header.x-tenant', 'query.tenant', 'claim.org', 'host'] })
        .optional()
        .meta({ description: 'Equal to another fact of the request.' }),
      present: z.literal(true).optional().meta({ description: 'The claim is there.' }),
    })
    .meta({ minProperties: 1, maxProperties: 1 }),
])

const scopes = z.union([
  z.array(text).min(1),
  filled(
    z.strictObject({
      all: describe(z.array(text).min(1).optional(), 'Every one of these.'),
      any: describe(z.array(text).min(1).optional(), 'At least one of these.'),
    }),
  ),
])

const roles = z.union([
  z.array(text).min(1),
  z
    .strictObject({
      all: describe(z.array(text).min(1).optional(), 'Every one of these.'),
      any: describe(z.array(text).min(1).optional(), 'At least one of these.'),
      claim: describe(claimPath.optional(), 'The claim that holds the roles, as a list of texts or one text; without it `roles`.'),
    })
    .meta({ minProperties: 1 }),
])

const acr = z.union([
  z.array(text).min(1),
  z.strictObject({
    atLeast: describe(text, 'The lowest class that is enough.'),
    order: describe(z.array(text).min(2), 'All classes, the weakest first.'),
  }),
])

const time = z.strictObject({
  days: describe(
    z
      .array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']))
      .min(1)
      .optional(),
    'Days on which it begins; without it every day.',
  ),
  from: describe(timeOfDay, 'First minute.'),
  to: describe(timeOfDay, 'First minute after; before `from` it is on the next day.'),
  zone: describe(
    z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/)
      .meta({ title: 'time zone', examples: ['Europe/Berlin', 'UTC'] }),
    'IANA time zone.',
  ),
})

const tls = z.strictObject({
  spiffe: describe(z.array(spiffeId).min(1).optional(), 'SPIFFE ids; `*` stands for one segment of the path, and at the end for everything below.'),
  dns: describe(z.array(host).min(1).optional(), 'A DNS name of it, or *.example.com for one label.'),
  uri: describe(z.array(pattern).min(1).optional(), 'RE2 patterns for the whole of a URI of it.'),
})

const matcher = z.strictObject({
  anonymous: describe(
    z.boolean().optional(),
    'In allow: fits a request without a credential too; without it principals only. In deny and audit: fits requests without a credential alone.',
  ),
  methods: describe(z.array(method).min(1).optional(), 'HTTP methods; GET implies HEAD.'),
  paths: describe(z.array(path).min(1).optional(), 'Path templates over the canonical path.'),
  grpc: describe(z.array(grpcMethod).min(1).optional(), 'package.Service/Method, or package.Service/*.'),
  hosts: describe(z.array(host).min(1).optional(), 'Host names, or *.example.com for one label.'),
  issuers: describe(z.array(name).min(1).optional(), 'Issuers of the token, or sets of API keys, by name.'),
  scopes: describe(scopes.optional(), 'Scopes the token must have: all of a list, or {all, any}.'),
  roles: describe(roles.optional(), 'Roles of the token: one of a list; {all, any, claim} for more.'),
  acr: describe(acr.optional(), 'The authentication context class (claim `acr`): one of a list, or {atLeast, order}.'),
  amr: describe(scopes.optional(), 'Authentication methods (claim `amr`): all of a list; {all, any} for more.'),
  claims: describe(filled(z.record(claimPath, claimTest)).optional(), 'Claims by dotted path: a value, a list of values, {equals: path.x} or {present: true}.'),
  clients: describe(z.array(text).min(1).optional(), 'OAuth2 client ids.'),
  cidrs: describe(z.array(cidr).min(1).optional(), 'Networks of the client address.'),
  headers: describe(filled(fieldTests).optional(), 'Request headers.'),
  tls: describe(filled(tls).optional(), 'The client certificate of the connection, whoever the principal is; all that are given must hold.'),
  listener: describe(
    z
      .array(z.enum(['public', 'edge']))
      .min(1)
      .optional(),
    'How the request came in: `public`, the listener of that name; `edge`, a Worker in front, which decides by the same policies.',
  ),
  times: describe(z.array(time).min(1).optional(), 'Time windows; one must be open.'),
})

const rule = z.strictObject({
  id: describe(name, 'Unique in its policy; answers and records name it.'),
  allow: describe(matcher.optional(), 'Lets pass what fits. Everything that is given must hold.'),
  deny: describe(matcher.optional(), 'Refuses what fits, whatever else allows it. An empty mapping fits everything.'),
  audit: describe(matcher.optional(), 'Records what fits, and decides nothing.'),
  when: describe(expression.optional(), 'A further condition in CEL.'),
  reason: describe(text.optional(), 'Shown to the refused caller, of a deny, or of an allow that only lacks scopes.'),
  mode: defaulted(z.enum(['enforce', 'audit']), 'access.mode', 'audit: evaluated and recorded, never enforced.'),
  widen: describe(z.literal(true).optional(), "Needed on an allow rule that an environment's overlay adds."),
})

export const access = z.strictObject({
  authenticate: describe(
    z.union([z.literal('none'), requirement]).optional(),
    'Which credentials a request must bring. Left out: the only issuer there is when a rule needs a principal (optional when a rule also allows anonymous requests), otherwise none.',
  ),
  ask: describe(
    z.union([name, z.array(name).min(1)]).optional(),
    'Deciders that are asked about what the rules allow; all must allow it too, those of other policies of the route as well.',
  ),
  rules: describe(z.array(rule).min(1), 'Any deny that fits refuses; otherwise one allow must fit; otherwise the request is refused. Order does not count.'),
  mode: defaulted(
    z.enum(['enforce', 'audit']),
    'access.mode',
    'audit: all rules of the policy are evaluated and recorded, none is enforced, and nobody is asked for a credential.',
  ),
})

export type AccessDocument = z.output<typeof access>
export type RuleDocument = z.output<typeof rule>
export type MatcherDocument = z.output<typeof matcher>
