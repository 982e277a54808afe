import { FieldList } from '../../../model/fields.ts'
import type { Fields } from '../../../model/wire.ts'
import type { Cluster } from '../../../policy/linked/clusters.ts'
import type { DecisionPoint } from '../../../policy/linked/deciders.ts'
import type { Ports } from '../../../ports.ts'
import { isMembers, type Json, parseJson } from '../../../protobuf.ts'
import { httpReplyOf, startOf } from './http.ts'
import type { Inputs } from './inputs.ts'
import { type Answer, type Consult, plainAnswer, type Question, shortened, type Until } from './question.ts'

/** Bytes of an answer; a decision is short. */
const answerLimit = 64 * 1024

type OpaPorts = Pick<Ports, 'clock' | 'fetch'>
type OpaPoint = Extract<DecisionPoint, { kind: 'opa' }>

/**
 * Asks Open Policy Agent (its REST API, `POST /v1/data/<path>` with `{"input": …}`). The value of the rule decides: a boolean, or an
 * object with `allow`, and perhaps `reason` and `ttl` (seconds). A rule without a value denies. Anything else is no answer.
 */
export function buildOpa({ at, path }: OpaPoint, clusters: Readonly<Record<string, Cluster>>, consult: Consult, ports: OpaPorts): Question {
  const target = `/v1/data/${path}`
  const send =
    'url' in at
      ? (body: string, until: Until) => overFetch(`${at.url}${target}`, body, until, ports)
      : (body: string, until: Until) => overCluster(at.cluster, clusters[at.cluster]?.authority, target, body, until, consult)
  return async (inputs, until) => {
    const { status, text } = await send(JSON.stringify({ input: inputOf(inputs) }), until)
    if (status !== 200) throw new Error(`it answered ${status}`)
    return readAnswer(text)
  }
}

interface Answered {
  readonly status: number
  readonly text: string
}

async function overFetch(url: string, body: string, { deadline }: Until, { fetch, clock }: OpaPorts): Promise<Answered> {
  const headers = { 'content-type': 'application/json', accept: 'application/json' }
  return fetch({ url, method: 'POST', headers, body, timeoutMs: Math.max(1, Math.floor(deadline - clock.ticks())), limit: answerLimit })
}

async function overCluster(cluster: string, authority: string | undefined, target: string, body: string, until: Until, consult: Consult): Promise<Answered> {
  const bytes = new TextEncoder().encode(body)
  const headers: Fields = new FieldList([
    ['content-type', 'application/json'],
    ['accept', 'application/json'],
    ['content-length', `${bytes.byteLength}`],
  ])
  const message = { length: bytes.byteLength, bytes: () => bytes, chunks: () => once(bytes) }
  const call = { kind: 'http', method: 'POST', scheme: 'http', authority: authority ?? cluster, target, headers, body: message } as const
  const reply = httpReplyOf(await consult(cluster, call, until))
  const { text, whole } = await startOf(reply.body, answerLimit)
  if (!whole) throw new Error(`its answer is longer than ${answerLimit} bytes`)
  return { status: reply.status, text }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}

/** The input document. The id of the request is left out: OPA has decision ids of its own. What is undefined is not written. */
function inputOf({ method, path, query, host, route, rpc, params, token, principal, address, headers }: Inputs): unknown {
  const client = address === undefined ? undefined : { address }
  return { method, path, query, host, route, rpc, params, token, principal, client, headers: Object.keys(headers).length === 0 ? undefined : headers }
}

function readAnswer(text: string): Answer {
  const json = read(text)
  if (!isMembers(json)) throw new Error('its answer is no JSON object')
  const result = json['result']
  if (result === undefined) return plainAnswer(false, 'the rule has no value')
  if (typeof result === 'boolean') return plainAnswer(result)
  if (!isMembers(result) || typeof result['allow'] !== 'boolean') throw new Error('the value of its rule is neither true or false nor an object with allow')
  const { reason, ttl } = result
  const ttlMs = typeof ttl === 'number' && ttl >= 0 ? ttl * 1000 : undefined
  if (ttl !== undefined && ttlMs === undefined) throw new Error('its ttl is no number of seconds')
  return { ...plainAnswer(result['allow']), reason: typeof reason === 'string' ? shortened(reason) : undefined, ttlMs }
}

function read(text: string): Json {
  try {
    return parseJson(new TextEncoder().encode(text))
  } catch (cause) {
    throw new Error('its answer is not JSON', { cause })
  }
}
