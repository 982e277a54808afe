import { isLive, type Placed, type PlacedLive } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import { isVendPath, vendPath } from '../model/vend-path.ts'
import type { Outbound } from '../model/wire.ts'
import { isAddress } from '../net.ts'
import type { MetricName } from '../observe/metrics.ts'
import { isoTime } from '../observe/time.ts'
import type { Ports } from '../ports.ts'
import type { GetShortLived, ShortLived } from './credential.ts'

/** @throws Fault `egress_denied`, `method_not_allowed`, `credential_unavailable` */
export type Vend = (x: Placed) => Promise<Outbound>

const counted = 'sallyport_egress_vended_total' satisfies MetricName

/** Keys that AWS issues live longer, but nobody here knows how long: those who use them come again by then. */
const awsMs = 900_000

/** Whether a call is about the credential itself. Nothing under this path reaches a vendor. */
export function isVending(x: Placed): boolean {
  return isVendPath(x.request.target.path)
}

/**
 * Builds the room that hands a short-lived credential to a workload that must have it itself (a library that signs, a stream that the gateway does not carry), as metadata
 * services do. Only callers that the target lists, and only those who say that they mean it, in a header that no browser and no fetcher of foreign URLs sends by itself.
 */
export function buildVend(getShortLived: GetShortLived, { clock, meter }: Pick<Ports, 'clock' | 'meter'>): Vend {
  return async function vend(x) {
    const { service, caller, target, request } = x
    const name = caller.kind === 'caller' ? caller.name : ''
    const refuse = (reason: string) => new Fault('egress_denied', reason, { rule: `${service.name}/vend` })
    if (!isLive(x) || x.target.vend === undefined) throw refuse(`${service.name} gives no credentials away in ${target.environment}`)
    if (!x.target.vend.callers.includes(name)) throw refuse(`${name} may not fetch the credential of ${service.name}`)
    if (request.target.path !== vendPath) throw refuse(`credentials are fetched at ${vendPath}`)
    if (request.method !== 'GET') throw new Fault('method_not_allowed', 'a credential is fetched with GET', { headers: [['allow', 'GET']] })
    const problem = problemOf(x) ?? (request.body === undefined && request.target.query === '' ? undefined : 'it is asked for without a body and a query')
    if (problem !== undefined) throw refuse(problem)
    return handed(x, await getShortLived(x), name)
  }

  function handed(x: PlacedLive, credential: ShortLived, caller: string): Outbound {
    const { service, target } = x
    const secrets = credential.kind === 'token' ? [credential.token] : [credential.secretAccessKey, credential.sessionToken]
    Object.assign(x, { secrets, vended: credential.kind })
    meter.count(counted, { service: service.name, environment: target.environment, caller })
    const body = new TextEncoder().encode(JSON.stringify(membersOf(credential, clock.now())))
    const headers = new FieldList([
      ['content-type', 'application/json'],
      ['content-length', `${body.length}`],
      ['cache-control', 'no-store'],
    ])
    return { status: 200, headers, body }
  }
}

/** Of a token: the answer of a token endpoint (RFC 6749 section 5.1). Of AWS keys: what its SDKs read from a container's endpoint. */
function membersOf(credential: ShortLived, now: number): Readonly<Record<string, string | number>> {
  if (credential.kind === 'token') return { access_token: credential.token, token_type: 'Bearer', expires_in: Math.floor(credential.leftMs / 1_000) }
  const { accessKeyId, secretAccessKey, sessionToken } = credential
  return { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken, Expiration: isoTime(now + awsMs) }
}

/** What is sent for somebody else: by a browser for a page, by a proxy for whoever asked it. (Node's own fetch sends `sec-fetch-mode` too.) */
const forOthers = /^(?:origin|referer|cookie|via|forwarded|x-forwarded-.*|sec-fetch-site|sec-ch-.*)$/i

/**
 * Whether a page in a browser on this machine could have sent it: one that makes its own host name lead here (DNS rebinding) is of the same origin, and may send
 * any header without asking. Its name has a dot, and nobody gives it a certificate or a token.
 */
function isForeignName({ caller, service, request: { host } }: Placed): boolean {
  const known = caller.kind === 'caller' && (caller.spiffe !== undefined || caller.token !== undefined)
  return !known && host.includes('.') && host !== service.host?.toLowerCase() && !isAddress(host) && !host.startsWith('[')
}

/** Why nothing is handed out to who sends these headers. */
function problemOf(x: Placed): string | undefined {
  const { arrival, request } = x
  const { headers } = request
  if (isForeignName(x)) return `it is not handed out for the host ${request.host}, which is neither an address nor this service's name`
  // As they came: what a proxy says of others is taken out of the request before.
  const foreign = arrival.rawHeaders.find((name, i) => i % 2 === 0 && forOthers.test(name))
  if (foreign !== undefined) return `it is not handed out to a request with ${foreign.toLowerCase()}, which is made for somebody else`
  const [said, ...more] = headers.all('x-egress-vend')
  const [authorization, ...others] = headers.all('authorization')
  // The SDKs of AWS send this header alone: AWS_CONTAINER_AUTHORIZATION_TOKEN.
  const means = (said === 'true' && more.length === 0) || (said === undefined && authorization === 'x-egress-vend' && others.length === 0)
  return means ? undefined : 'it is fetched with the header x-egress-vend: true'
}
