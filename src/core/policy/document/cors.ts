import * as z from 'zod'
import { parseAuthority } from '../../net.ts'
import { checked, defaulted, describe, overridable } from './build.ts'
import { durationBetween, headerName, method } from './fields.ts'

const origin = checked(checkOrigin, { title: 'origin', examples: ['https://app.example.com', 'https://*.example.com', '*'] })

/** An origin as browsers write it (RFC 6454 section 6.2), or one label of it open, or `*`. */
function checkOrigin(value: string): string | undefined {
  if (value === '*') return undefined
  if (value === 'null') return '"null" is the origin of every page that has none; only "*" covers it.'
  const [scheme = '', rest, ...more] = value.split('://')
  if (rest === undefined || more.length > 0 || !/^[a-z][a-z0-9+.-]*$/.test(scheme)) return `"${value}" is not an origin: write scheme://host, in lower case.`
  const isWeb = scheme === 'http' || scheme === 'https'
  // Apps and extensions have origins of their own making, such as capacitor://localhost.
  if (!isWeb) return /^[a-z0-9_.-]+$/.test(rest) ? undefined : `"${value}" is not an origin: nothing but a host may follow "${scheme}://".`
  const host = rest.startsWith('*.') ? rest.slice(2) : rest
  const parsed = host.includes('*') ? { problem: '"*" stands for the first label alone' } : parseAuthority(host)
  if ('problem' in parsed) return `"${value}" is not an origin: ${/[/?#]/.test(rest) ? 'it ends with the host and port' : parsed.problem}.`
  if (rest !== rest.toLowerCase()) return `"${value}" never comes: browsers write origins in lower case.`
  if (parsed.port === (scheme === 'https' ? 443 : 80)) return `"${value}" never comes: browsers leave ":${parsed.port}" out.`
  return undefined
}

const wildcard = z.literal('*')

/** Which pages of other origins may call a route. */
export const cors = z.strictObject({
  origins: describe(overridable(z.array(origin).min(1)), 'Pages that may call it: exact origins, https://*.example.com (one label), or "*" for any.'),
  methods: describe(z.array(method).min(1).optional(), "Methods they may use; without it the route's own. GET covers HEAD."),
  headers: defaulted(
    z.array(z.union([wildcard, headerName])),
    'routes.cors.headers',
    'Request headers they may send beside the safelisted ones; "*" for any but authorization. gRPC-Web and Connect ones are added on grpc routes.',
  ),
  expose: defaulted(
    z.array(z.union([wildcard, headerName])),
    'routes.cors.expose',
    'Answer headers they may read beside the safelisted ones. grpc-status, grpc-message and grpc-status-details-bin are added on grpc routes.',
  ),
  credentials: defaulted(z.boolean(), 'routes.cors.credentials', 'Cookies and client certificates may go with it. Not with "*".'),
  maxAge: defaulted(durationBetween('0s', '1d'), 'routes.cors.maxAge', 'How long a browser may remember a preflight.'),
  privateNetwork: defaulted(z.boolean(), 'routes.cors.privateNetwork', 'Pages of the public internet may call it where it stands in a private network.'),
})
