import * as oauth from 'oauth4webapi'
import { clientProof } from '../../../client-proof.ts'
import type { Introspection } from '../../../policy/linked/issuers.ts'
import type { FetchResponse } from '../../../ports.ts'
import { discover } from '../fetch-keys.ts'
import type { IdentifyPorts } from '../ports.ts'
import { isJsonObject, type JsonObject, parseStrictJson } from '../strict-json.ts'

/** Whom to ask, and as whom. */
export interface Source {
  /** The `iss` value. */
  readonly issuer: string
  readonly settings: Introspection
}

export type AskPorts = Pick<IdentifyPorts, 'clock' | 'fetch' | 'secrets'>

/** The endpoint says that the gateway is not who it claims to be, or may not ask. */
export class ClientRefused extends Error {
  override readonly name = 'ClientRefused'
}

/** The endpoint is well and refuses this request, for which a token of the caller's choice may be the reason. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused'
}

const answerLimit = 65_536
const deepest = 8

/** The endpoint that the settings name, else the one that discovery does. @throws Error */
export async function findEndpoint({ issuer, settings }: Source, { fetch }: AskPorts, budget: () => number): Promise<string> {
  const url = settings.url ?? (await discover(issuer, 'introspection_endpoint', fetch, budget))
  const { protocol, hostname } = new URL(url)
  // What is sent there are tokens, and what proves who we are.
  if (protocol !== 'https:' && !/^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname))
    throw new Error('the introspection endpoint is not https')
  return url
}

/**
 * Asks about one token (RFC 7662 section 2.1) within `budget()` milliseconds: what the endpoint answers, when `active` is a boolean in it.
 * @throws ClientRefused, RequestRefused; Error for every other way of not getting an answer. Messages hold nothing that was sent or answered.
 */
export async function askAbout(token: string, endpoint: string, source: Source, ports: AskPorts, budget: () => number): Promise<JsonObject> {
  return answerIn(await post(token, endpoint, source, ports, budget))
}

async function post(token: string, endpoint: string, source: Source, ports: AskPorts, budget: () => number): Promise<FetchResponse> {
  const proof = await proofOf(source.settings, ports)
  let answer: FetchResponse | undefined
  await oauth.introspectionRequest({ issuer: source.issuer, introspection_endpoint: endpoint }, { client_id: source.settings.clientId }, proof, token, {
    additionalParameters: { token_type_hint: 'access_token' },
    // `findEndpoint` has judged the URL.
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: async (url, { headers, body }) => {
      const timeoutMs = budget()
      if (timeoutMs <= 0) throw new Error('no time left')
      answer = await ports.fetch({ url, method: 'POST', headers, body: body.toString(), timeoutMs, limit: answerLimit })
      // The library makes the request; its answer is read by our own strict reader.
      return new Response()
    },
  })
  if (answer === undefined) throw new Error('nothing was asked')
  return answer
}

async function proofOf({ auth, credential }: Introspection, { secrets, clock }: AskPorts): Promise<oauth.ClientAuth> {
  return clientProof({ auth }, await secrets.read(credential), clock)
}

function answerIn({ status, headers, text }: FetchResponse): JsonObject {
  if (status === 401 || status === 403) throw new ClientRefused(`the introspection endpoint refuses the gateway's own client (${status})`)
  if (status >= 400 && status < 500 && status !== 429) throw new RequestRefused(`the introspection endpoint answered ${status}`)
  if (status !== 200) throw new Error(`the introspection endpoint answered ${status}`)
  const type = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
  if (type === 'application/token-introspection+jwt') throw new Error('the introspection endpoint signs its answers (RFC 9701), which is not supported')
  if (type !== 'application/json') throw new Error('the introspection endpoint did not answer JSON')
  const answer = strictly(text)
  if (!isJsonObject(answer) || typeof answer['active'] !== 'boolean') throw new Error('the introspection endpoint did not say whether the token is active')
  return answer
}

function strictly(text: string): unknown {
  try {
    return parseStrictJson(text, deepest)
  } catch (error) {
    throw new Error('the introspection endpoint answered JSON that is not acceptable', { cause: error })
  }
}
