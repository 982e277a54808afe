import { hidden } from '../../json-path.ts'
import type { HttpReply } from '../../model/call.ts'
import type { CassetteUse } from '../../model/egress-target.ts'
import type { Placed } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import { FieldList } from '../../model/fields.ts'
import type { Ports } from '../../ports.ts'
import { bytesOf } from './body.ts'
import { buildCleaner } from './clean.ts'
import { differences } from './match.ts'
import { cassettesOf } from './record.ts'
import { recordedRequestBytes, recordRequest } from './request.ts'
import { buildShelf, type Recording } from './shelf.ts'

/** @throws Fault `replay_miss`, which says what differs; `body_too_large`; `not_implemented` where the ground keeps no cassettes; `internal` for a cassette that cannot be read. */
export type Replay = (x: Placed) => Promise<HttpReply>

/**
 * Builds the room that answers from a cassette and dials nothing. Of the recordings that fit, the first answers the first such request, the second the
 * second; the last one answers all that come after. Counting begins anew with each policy revision, and is each process's own.
 */
export function buildReplay(ports: Pick<Ports, 'cassettes'>): Replay {
  const read = buildShelf()
  const answered = new Map<string, number>()

  return async function replay(x) {
    if (x.target.mode !== 'replay') throw new Fault('internal', 'internal error', { internal: 'a call that is not replayed came to the replay' })
    const { cassette: use } = x.target
    const recordings = await read(cassettesOf(ports), use.name)
    const asked = recordRequest(x, await x.request.body?.bytes(recordedRequestBytes), use, buildCleaner([], x.request.headers, x.service.mask))
    const judged = recordings.map((recording) => ({ recording, differs: differences(asked, recording.said.request, use) }))
    const fitting = judged.filter(({ differs }) => differs.length === 0)
    const [first] = fitting
    if (first === undefined) throw missed(use, `${asked.method} ${x.request.target.path}`, judged)
    const key = `${use.name}/${first.recording.name}`
    const turn = answered.get(key) ?? 0
    answered.set(key, turn + 1)
    // The cast is safe: the place is within a list that is not empty.
    return replyOf((fitting[Math.min(turn, fitting.length - 1)] as typeof first).recording, x.request.method)
  }
}

interface Judged {
  readonly recording: Recording
  readonly differs: readonly string[]
}

/** Most names of what differs that are said. */
const said = 8

function missed(use: CassetteUse, what: string, judged: readonly Judged[]): Fault {
  // Another path is further away than anything else.
  const distance = ({ differs }: Judged) => differs.length + (differs.includes('path') ? 1000 : 0) + (differs.includes('method') ? 500 : 0)
  const nearest = judged.reduce<Judged | undefined>((best, one) => (best === undefined || distance(one) < distance(best) ? one : best), undefined)
  if (nearest === undefined) return new Fault('replay_miss', `the cassette ${use.name} is empty: nothing was recorded`)
  const names = nearest.differs.slice(0, said).join(', ') + (nearest.differs.length > said ? ' and more' : '')
  return new Fault('replay_miss', `nothing in the cassette ${use.name} answers ${what}; the nearest, ${nearest.recording.name}, differs in ${names}`)
}

function replyOf({ said }: Recording, method: string): HttpReply {
  const { status, headers, body } = said.response
  // What was hidden is no value to hand out.
  const fields = new FieldList(headers.filter(([, value]) => value !== hidden))
  const bytes = body === undefined ? new Uint8Array(0) : bytesOf(body)
  const bodiless = status === 204 || status === 304
  if (!bodiless && (method !== 'HEAD' || bytes.length > 0)) fields.set('content-length', `${bytes.length}`)
  return { kind: 'http', status, headers: fields, body: bodiless || method === 'HEAD' ? undefined : bytes }
}
