import * as z from 'zod'
import { defaulted, describe } from './build.ts'
import { pattern, scope, trustDomain } from './fields.ts'

export const certificate = z.strictObject({
  subject: describe(
    z.enum(['uri-san', 'dns-san', 'email-san', 'common-name']).optional(),
    'Which name of the certificate is the subject; this or `spiffe`. The common name says nothing unless it is chosen here.',
  ),
  spiffe: describe(
    z.strictObject({ trustDomain: describe(trustDomain, 'Whose identities are taken.') }).optional(),
    'The subject is the SPIFFE id of an X.509-SVID.',
  ),
  // Not `match`: a mapping with a match is a route, wherever it stands.
  names: defaulted(z.array(pattern), 'certificates.names', 'RE2 patterns for the whole name; one must fit.'),
  scopes: defaulted(z.array(scope), 'certificates.scopes', 'What its subjects may do, as a token would say it.'),
})

export type CertificateDocument = z.output<typeof certificate>
