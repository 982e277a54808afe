import { beforeAll, beforeEach, expect, it } from 'vitest'
import { access, rule } from '../support/access.ts'
import { decider, opaUrl } from '../support/asking.ts'
import { http1 } from '../support/clients.ts'
import { testEdgePolicy } from '../support/edge-policy.ts'
import { untilTheEnd } from '../support/keep.ts'
import { openWorker, type RunningWorker } from '../support/worker.ts'

const keep = untilTheEnd()
let worker: RunningWorker
let opa: () => Response | Promise<Response>
/** What OPA was told, and what reached the gateway behind. */
let told: string[] = []
let behind = 0

beforeAll(async () => {
  const open = { ...access('open', [rule('everyone', 'allow', { anonymous: true })], { kind: 'none' }), ask: ['opa'] }
  const deciders = { opa: decider('opa', { timeoutMs: 1_000, cache: { allowMs: 60_000, denyMs: 0, staleForMs: 0 } }) }
  worker = await openWorker(keep, {
    policy: testEdgePolicy({ access: { open }, deciders }),
    vars: { ORIGIN: 'http://localhost:9' },
    outbound: async (request) => {
      if (request.url === opaUrl) {
        told.push(await request.text())
        return opa()
      }
      behind += 1
      return new Response('from behind')
    },
  })
})

beforeEach(() => {
  told = []
  behind = 0
})

const ask = (path: string) => http1(worker.port, { path })
const codeOf = (text: string) => (JSON.parse(text) as { readonly code: string }).code

it('an edge asks OPA about what the rules allow, and remembers what it said', async () => {
  opa = () => Response.json({ result: true })
  expect((await ask('/open/a')).text).toBe('from behind')
  expect((await ask('/open/a')).text).toBe('from behind')
  expect([told, behind]).toEqual([['{"input":{"method":"GET","path":"/open/a","principal":{"kind":"anonymous"}}}'], 2])
})

it('and hands nothing over that OPA denies', async () => {
  opa = () => Response.json({ result: false })
  const { status, text } = await ask('/open/b')
  expect([status, codeOf(text), behind]).toEqual([403, 'forbidden', 0])
})

it.each<[string, () => Response | Promise<Response>]>([
  ['fails', () => new Response('oops', { status: 500 })],
  ['says nothing in its time', () => new Promise(() => {})],
  ['says too much', () => new Response(`{"result":true}${' '.repeat(100_000)}`)],
])('nor while OPA %s', async (what, answer) => {
  opa = answer
  const { status, text } = await ask(`/open/${encodeURIComponent(what)}`)
  expect([status, codeOf(text), behind]).toEqual([503, 'decision_unavailable', 0])
})
