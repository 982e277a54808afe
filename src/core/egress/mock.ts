import type { HttpReply } from '../model/call.ts'
import { delay } from '../model/delay.ts'
import type { Placed } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import type { MockAnswer, MockBook } from '../model/mock-book.ts'
import { compileTemplate, type Params } from '../model/template-match.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { compileAnswer, type Filler } from './mock/fill.ts'
import { fillingsOf, lazyBody, memberAt } from './mock/request.ts'

/** @throws Fault `mock_miss`, `body_too_large`, `deadline_exceeded`. */
export type Mock = (x: Placed) => Promise<HttpReply>

interface Canned {
  readonly answer: MockAnswer
  readonly fits: (method: string, path: string) => Params | undefined
  readonly conditions: readonly (readonly [path: string, value: string | number | boolean])[]
  readonly filler: Filler
  readonly headers: readonly (readonly [string, string])[]
}

/**
 * Builds the room that answers in the vendor's place: the first canned answer whose method, path and body members fit. A
 * request that none fits is 501 and reaches nobody. The body is read, up to 1 MiB, only where an answer asks for it.
 */
export function buildMock(policy: Policy, ports: Pick<Ports, 'clock'>): Mock {
  const books = new Map<MockBook, readonly Canned[]>()
  for (const { targets } of Object.values(policy.egress)) {
    for (const target of Object.values(targets)) if (target.mode === 'mock') books.set(target.mock, target.mock.map(compile))
  }

  return async function mock(x) {
    if (x.target.mode !== 'mock') throw new Fault('internal', 'internal error', { internal: 'a call that is not mocked came to the mock' })
    const body = lazyBody(x)
    for (const canned of books.get(x.target.mock) ?? []) {
      const params = canned.fits(x.request.method, x.request.target.path)
      if (params === undefined || !(await holds(canned, body))) continue
      if (canned.answer.delayMs > 0) await delay(x, canned.answer.delayMs, ports.clock)
      return reply(canned, x, params, canned.filler.needsBody ? await body() : undefined)
    }
    throw new Fault('mock_miss', `no mock of ${x.service.name} answers ${x.request.method} ${x.request.target.path}`)
  }
}

function compile(answer: MockAnswer): Canned {
  const fits = compileTemplate(answer.path)
  const methods = new Set(answer.methods.includes('GET') ? [...answer.methods, 'HEAD'] : answer.methods)
  const headers = answer.headers.map(([name, value]) => [name.toLowerCase(), value] as const)
  return {
    answer,
    fits: (method, path) => (methods.size === 0 || methods.has(method) ? fits(path) : undefined),
    conditions: Object.entries(answer.body),
    filler: compileAnswer(answer.answer, headers.find(([name]) => name === 'content-type')?.[1]),
    headers,
  }
}

async function holds(canned: Canned, body: () => Promise<unknown>): Promise<boolean> {
  if (canned.conditions.length === 0) return true
  const content = await body()
  return canned.conditions.every(([path, value]) => memberAt(content, path) === value)
}

function reply(canned: Canned, x: Placed, params: Params, body: unknown): HttpReply {
  const { answer, filler } = canned
  const bytes = new TextEncoder().encode(filler.render(fillingsOf(x, params, body)))
  const headers = new FieldList(canned.headers)
  if (!headers.has('content-type') && bytes.length > 0) headers.append('content-type', filler.json ? 'application/json' : 'text/plain; charset=utf-8')
  const bodiless = answer.status === 204 || answer.status === 304
  if (!bodiless) headers.set('content-length', `${bytes.length}`)
  return { kind: 'http', status: answer.status, headers, body: bodiless || x.request.method === 'HEAD' ? undefined : bytes }
}
