import type { ConnectionOptions } from 'node:tls'
import { beforeAll, describe, expect, it } from 'vitest'
import type { FaultCode } from '../../../src/core/model/fault.ts'
import { type Answer, bytes, clients, type Sent, tlsBytes } from '../../support/clients.ts'
import type { Recorded } from '../../support/http-recorder.ts'
import { untilTheEnd } from '../../support/keep.ts'
import { type House, type HouseOptions, openHouse } from './house.ts'

/** How an attack must be answered: all of it, and nothing more. */
export interface Refused {
  readonly status: number
  readonly code: FaultCode
  /** The whole WWW-Authenticate; undefined where there must be none. */
  readonly challenge: string | undefined
  /** Whoever frames or addresses one request ambiguously loses the connection with it (over HTTP/1). */
  readonly closes: boolean
}

const plain = (status: number, code: FaultCode): Refused => ({ status, code, challenge: undefined, closes: false })
const closing = (status: number, code: FaultCode): Refused => ({ ...plain(status, code), closes: true })
const challenged = (status: number, code: FaultCode, challenge: string): Refused => ({ ...plain(status, code), challenge })

const bearer = 'Bearer realm="sallyport"'
const proofAlgorithms = 'ES256 ES384 ES512 EdDSA Ed25519 PS256 PS384 PS512 RS256 RS384 RS512'

export const refusals = {
  nobody: challenged(401, 'unauthenticated', bearer),
  badToken: challenged(401, 'token_invalid', `${bearer}, error="invalid_token", error_description="the access token is not valid"`),
  noSingleToken: challenged(
    400,
    'credential_invalid',
    `${bearer}, error="invalid_request", error_description="the Authorization header holds no single access token"`,
  ),
  severalTokens: {
    ...challenged(400, 'credential_invalid', `${bearer}, error="invalid_request", error_description="authorization is given more than once"`),
    closes: true,
  },
  severalProofs: {
    ...challenged(
      400,
      'credential_invalid',
      `DPoP realm="sallyport", error="invalid_request", error_description="dpop is given more than once", algs="${proofAlgorithms}"`,
    ),
    closes: true,
  },
  badProof: challenged(
    401,
    'proof_invalid',
    `DPoP error="invalid_dpop_proof", error_description="the proof of possession is not valid", algs="${proofAlgorithms}"`,
  ),
  nonceWanted: challenged(401, 'proof_invalid', `DPoP error="use_dpop_nonce", error_description="a nonce is required", algs="${proofAlgorithms}"`),
  forbidden: plain(403, 'forbidden'),
  noRoute: plain(404, 'route_not_found'),
  noMethod: plain(405, 'method_not_allowed'),
  path: closing(400, 'path_ambiguous'),
  routePath: plain(400, 'path_ambiguous'),
  host: closing(400, 'host_invalid'),
  request: closing(400, 'request_invalid'),
  notImplemented: closing(501, 'not_implemented'),
  tooLarge: closing(431, 'headers_too_large'),
  tooLong: closing(414, 'target_too_long'),
} as const satisfies Record<string, Refused>

/** One message to the gateway: a request of a client with any manners, or bare bytes. */
export type Message =
  | { readonly over: 'HTTP/1.1' | 'h2c'; readonly sent: Sent }
  | { readonly over: 'bytes'; readonly text: string; readonly tls?: ConnectionOptions }

export interface Control {
  readonly name: string
  readonly send: (house: House) => readonly Message[] | Promise<readonly Message[]>
  /** Whether the service got of each message what it must; by default any request will do. */
  readonly saw?: (request: Recorded) => boolean
}

export interface Attack {
  readonly name: string
  /** Where it is described, or forbidden. */
  readonly source: string
  readonly send: Control['send']
  readonly as: Refused
  /** A part of the reason in the record: it is this attack that was seen, and no other fault of the request. */
  readonly why?: string
}

/** The house of a test file. */
export function atHouse(options?: HouseOptions): () => House {
  const keep = untilTheEnd()
  let house: House | undefined
  beforeAll(async () => {
    house = await openHouse(keep, options)
  })
  return () => {
    if (house === undefined) throw new Error('the house is not open yet')
    return house
  }
}

/**
 * A group of attacks and, first, its controls: requests that differ in the attacked detail alone, and pass. Nothing but the controls reaches
 * the service behind.
 */
export function attackGroup(title: string, house: () => House, controls: readonly Control[], attacks: readonly Attack[]): void {
  describe.each([title])('%s', () => {
    let passed = 0
    let before = 0
    beforeAll(() => {
      before = house().upstream.requests.length
    })

    it.each(controls.map((control) => [control.name, control] as const))('control: %s passes', async (_, { send, saw = () => true }) => {
      for (const message of await send(house())) {
        const at = house().upstream.requests.length
        const { status, text } = await deliver(house().port, message)
        expect({ status, text }).toMatchObject({ status: 200 })
        passed += 1
        expect(house().upstream.requests).toHaveLength(at + 1)
        expect(house().upstream.requests.slice(at).every(saw)).toBe(true)
      }
    })

    it.each(attacks.map((attack) => [attack.name, attack.source, attack] as const))('%s (%s)', async (_name, _source, attack) => {
      const messages = await attack.send(house())
      expect(messages).not.toEqual([])
      for (const message of messages) expect(await flawsOf(house(), message, attack)).toEqual([])
    })

    it('nothing but the controls reached the service', async () => {
      expect(controls).not.toEqual([])
      expect(house().upstream.requests.length - before).toBe(passed)
    })
  })
}

/** What is wrong with the answer to a message that must be refused; nothing, when it is refused as it must be and the service behind heard nothing. */
export async function flawsOf(house: House, message: Message, { as, why }: Pick<Attack, 'as' | 'why'>): Promise<readonly string[]> {
  const size = house.upstream.size()
  const answer = await deliver(house.port, message)
  const problem = problemOf(answer)
  const flaws = [
    ...differs('status', answer.status, as.status),
    ...differs('status in the problem', problem['status'], as.status),
    ...differs('code', problem['code'], as.code),
    ...differs('challenge', answer.headers['www-authenticate'], as.challenge),
    ...differs('id', problem['instance'], answer.headers['x-request-id']),
    ...differs('cache-control', answer.headers['cache-control'], 'no-store'),
    // Who is not known yet learns of no rule.
    ...(as.status === 401 ? differs('rule', problem['rule'], undefined) : []),
    ...(as.closes && message.over !== 'h2c' ? differs('connection', answer.headers['connection'], 'close') : []),
    ...(why === undefined ? [] : await wrongReason(house, problem['instance'], why)),
  ]
  return [...flaws, ...differs('bytes that reached the service', house.upstream.size() - size, 0)]
}

function differs(what: string, found: unknown, wanted: unknown): readonly string[] {
  return found === wanted ? [] : [`${what}: ${String(found)}, not ${String(wanted)}`]
}

async function wrongReason(house: House, id: unknown, why: string): Promise<readonly string[]> {
  const { refusal } = await house.gateway.entry((record) => record['id'] === id)
  const reason = JSON.stringify(refusal)
  return reason.includes(JSON.stringify(why).slice(1, -1)) ? [] : [`recorded: ${reason}, not ${why}`]
}

/** The answer to one message. */
export function deliver(port: number, message: Message): Promise<Answer> {
  if (message.over === 'bytes') return message.tls === undefined ? bytes(port, message.text) : tlsBytes(port, message.text, message.tls)
  const { headers = [] } = message.sent
  const named = headers.some(([name]) => name.toLowerCase() === 'connection')
  // So that it is the gateway who closes, where it closes.
  const kept = message.over === 'h2c' || named ? headers : [...headers, ['connection', 'keep-alive'] as const]
  return clients[message.over](port, { ...message.sent, headers: kept })
}

function problemOf({ headers, text, status }: Answer): Readonly<Record<string, unknown>> {
  if (headers['content-type'] !== 'application/problem+json') throw new Error(`no problem document but ${status} ${text.slice(0, 200)}`)
  return JSON.parse(text) as Record<string, unknown>
}

/** The same request over both protocols. */
export function both(sent: Sent): readonly Message[] {
  return [http1(sent), h2c(sent)]
}

export function http1(sent: Sent): Message {
  return { over: 'HTTP/1.1', sent }
}

export function h2c(sent: Sent): Message {
  return { over: 'h2c', sent }
}

/** Bare bytes. Lines are written as they must be on the wire. */
export function raw(...lines: readonly string[]): Message {
  return { over: 'bytes', text: lines.join('\r\n') }
}

/** A bearer token where one is needed, over HTTP/1.1, and where one may be, over h2c: a bad one is never taken for none. */
export function withToken(token: string): readonly Message[] {
  const headers = [['authorization', `Bearer ${token}`]] as const
  return [http1({ path: '/private/7', headers }), h2c({ path: '/maybe/7', headers })]
}

type Made<T> = (house: House) => T | Promise<T>

export function tokenControl(name: string, make: Made<string>): Control {
  return { name, send: async (house) => withToken(await make(house)) }
}

/** A token that must not be taken. */
export function tokenAttack(name: string, source: string, why: string, make: Made<string>): Attack {
  return { name, source, why, as: refusals.badToken, send: async (house) => withToken(await make(house)) }
}
