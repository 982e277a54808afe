import * as z from 'zod'
import { defaulted, describe, filled } from './build.ts'
import { claimPath, claimValue, name, spiffeId } from './fields.ts'

const callerClaim = z.union([claimValue, z.array(claimValue).min(1), z.strictObject({ present: z.literal(true).meta({ description: 'The claim is there.' }) })])

export const caller = z.strictObject({
  listener: defaulted(
    z
      .string()
      .regex(/^egress(?::[a-z0-9][a-z0-9_-]*)?$/)
      .meta({ title: 'egress listener', examples: ['egress', 'egress:payments'] }),
    'callers.listener',
    'Whoever comes by it is this caller: egress (the shared port and every own port), or egress:SERVICE (one own port).',
  ),
  spiffe: describe(
    z.union([spiffeId, z.array(spiffeId).min(1)]).optional(),
    'SPIFFE id of the certificate that it shows, or ids of which one; `*` stands for one segment of the path, and at the end for everything below.',
  ),
  token: describe(
    z
      .strictObject({
        issuer: describe(name, 'Issuer of the JWT that it brings.'),
        claims: describe(filled(z.record(claimPath, callerClaim)), 'Claims by dotted path: a value, a list of values, or {present: true}. All must fit.'),
      })
      .optional(),
    'The token that it brings, in proxy-authorization.',
  ),
  environment: describe(name.optional(), "Environment of its calls; without it the process's."),
  mayChooseEnv: defaulted(z.array(name), 'callers.mayChooseEnv', 'Environments that it may ask for with x-egress-env.'),
})

export type CallerDocument = z.output<typeof caller>
