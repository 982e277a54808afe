import { expect } from 'vitest'
import { type Answer, http1 } from '../support/clients.ts'
import type { IssuerDouble } from '../support/issuer.ts'
import type { Journey, Saw, Token } from './cases.ts'
import type { House, Seen } from './house.ts'

export type Ground = 'node' | 'worker'

/** What came of one journey. */
export interface Outcome {
  readonly answer: Answer
  /** What the echo service saw of it. */
  readonly seen: readonly Seen[]
  /** Calls that the Worker made to the gateway behind it. */
  readonly handedOver: number
}

/** Sends a journey's request through one door. */
export async function walk(house: House, ground: Ground, journey: Journey): Promise<Outcome> {
  const token = await tokenFor(house, journey.token ?? 'none', `u-${ground}-${journey.name}`)
  const headers = [...(journey.headers ?? []), ...(token === undefined ? [] : [['authorization', `Bearer ${token}`] as const])]
  let outcome: Outcome | undefined
  for (let i = 0; i < (journey.times ?? 1); i++) {
    const before = house.seen.length
    const callsBefore = house.worker.calls.length
    const answer = await http1(house.doors[ground], { method: journey.method ?? 'GET', path: journey.path, headers, body: journey.body })
    const calls = house.worker.calls.slice(callsBefore)
    const origin = `http://127.0.0.1:${house.doors.node}/`
    outcome = { answer, seen: house.seen.slice(before), handedOver: calls.filter((url) => url.startsWith(origin)).length }
  }
  if (outcome === undefined) throw new Error('a journey is walked at least once')
  return outcome
}

/** Holds an outcome to what the journey says. */
export function judge({ answer, seen, handedOver }: Outcome, journey: Journey): void {
  expect({ status: answer.status, text: answer.text }).toMatchObject({ status: journey.status })
  const problem = problemOf(answer)
  if (journey.code !== undefined) expect(problem['code']).toBe(journey.code)
  if (journey.rule !== undefined) expect(problem['rule']).toBe(journey.rule)
  expectFields(answer.headers, journey.answer ?? {})
  expect(Object.keys(answer.headers)).not.toContain('x-of-this-hop')
  // Refused at the edge, the gateway behind has no work with it; a limit may let one more pass where a window ends.
  if (journey.saw === 'nothing' && journey.times === undefined) expect(handedOver).toBe(0)
  if (journey.saw === 'nothing') expect(seen).toEqual([])
  else if (journey.saw !== undefined) expectSaw(seen, journey.saw)
}

function expectSaw(seen: readonly Seen[], { method, path, body, headers = {}, without = [] }: Saw): void {
  expect(seen).toHaveLength(1)
  const [request] = seen as [Seen] // one
  expect(request).toMatchObject({
    ...(method === undefined ? {} : { method }),
    ...(path === undefined ? {} : { path }),
    ...(body === undefined ? {} : { body }),
  })
  expectFields(request.headers, headers)
  for (const name of without) expect(Object.keys(request.headers)).not.toContain(name)
}

function expectFields(fields: Readonly<Record<string, string | string[] | undefined>>, wanted: Readonly<Record<string, string | RegExp>>): void {
  for (const [name, value] of Object.entries(wanted)) {
    const found = `${name}: ${String(fields[name])}`
    if (typeof value === 'string') expect(found).toBe(`${name}: ${value}`)
    else expect(fields[name], name).toMatch(value)
  }
}

/** What both grounds must say alike: all of a refusal but its id, and the headers that clients act on. */
export function comparable({ answer }: Outcome): Readonly<Record<string, unknown>> {
  const { instance: _id, ...problem } = problemOf(answer)
  const kept = ['content-type', 'www-authenticate', 'allow', 'cache-control', 'location', 'x-from']
  return { status: answer.status, problem, headers: Object.fromEntries(kept.map((name) => [name, answer.headers[name]])) }
}

function problemOf(answer: Answer): Readonly<Record<string, unknown>> {
  return answer.headers['content-type'] === 'application/problem+json' && answer.text !== '' ? (JSON.parse(answer.text) as Record<string, unknown>) : {}
}

const kinds: Readonly<Record<Exclude<Token, 'none'>, (mint: Mint, by: House) => Promise<string> | string>> = {
  reader: (mint) => mint({}),
  writer: (mint) => mint({ scope: 'things:write' }),
  'no-scope': (mint) => mint({ scope: undefined }),
  expired: (mint) => mint({ iat: now() - 600, exp: now() - 300 }),
  'other-audience': (mint) => mint({ aud: 'https://other.example.com' }),
  'foreign-key': (mint, { stranger }) => mint({}, stranger),
  'too-long-lived': (mint) => mint({ exp: now() + 10 * 86_400 }),
  'wrong-type': (mint, { issuer }) => mint({}, issuer, { typ: 'logout+jwt' }),
  unsigned: async (mint) => (await mint({})).replace(/[^.]*$/, ''),
  garbage: () => 'not-a-token',
}

type Mint = (claims: Readonly<Record<string, unknown>>, by?: IssuerDouble, header?: Readonly<Record<string, unknown>>) => Promise<string>

function now(): number {
  return Math.floor(Date.now() / 1000)
}

async function tokenFor(house: House, kind: Token, subject: string): Promise<string | undefined> {
  if (kind === 'none') return undefined
  const mint: Mint = (claims, by = house.issuer, header = {}) => by.token({ sub: subject, tenant: 'red', scope: 'things:read', ...claims }, { header })
  return kinds[kind](mint, house)
}
