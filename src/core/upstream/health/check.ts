import { Fault } from '../../model/fault.ts'
import { FieldList } from '../../model/fields.ts'
import { Lifeline } from '../../model/lifeline.ts'
import type { Fields } from '../../model/wire.ts'
import type { MetricName } from '../../observe/metrics.ts'
import type { HealthCheck } from '../../policy/linked/health.ts'
import type { Channel, Endpoint, Ports } from '../../ports.ts'
import { forgetFailures } from '../balance/times.ts'
import type { Member } from '../state.ts'
import type { Roster } from './roster.ts'

const checks = 'sallyport_upstream_health_checks_total' satisfies MetricName

/** What is said at one endpoint to learn how it is. */
export interface Question {
  readonly rule: HealthCheck
  readonly authority: string
  /** What the sidecar asks for beside it. */
  readonly fields: Fields
}

export interface Checking {
  close(): void
}

type CheckPorts = Pick<Ports, 'clock' | 'random' | 'channels' | 'meter'>

/** Intervals differ by up to this share either way, so that many gateways do not ask at one moment. */
const jitter = 0.1

/** Largest answer of a gRPC health service, bytes: it says one number. */
const messageLimit = 4_096

/**
 * Asks one endpoint how it is, at once and then again and again until it is closed, over connections of its own that are made as those of
 * requests are. The first answer of all is a verdict; later it takes several in a row to turn it.
 */
export function openCheck(member: Member, question: Question, roster: Roster, ports: CheckPorts): Checking {
  const { rule } = question
  const { clock, random, meter } = ports
  const endpoint: Endpoint = {
    ...member.endpoint,
    key: `health ${member.endpoint.key}`,
    connectTimeoutMs: Math.min(rule.timeoutMs, member.endpoint.connectTimeoutMs),
    idleMs: rule.intervalMs * 2,
    // Whether it is well must not hang on how busy it is.
    connections: undefined,
  }
  const channel = ports.channels.acquire(endpoint)
  // A reload may ask another question while requests of the last policies are under way: of the two answers only the newer one counts, at once.
  const mine = {}
  member.standing.checks.push(mine)
  let fresh = true
  let closed = false
  let against = 0
  let line = new Lifeline()
  let timer: { cancel(): void } | undefined

  function learn(problem: string | undefined): void {
    const { standing } = member
    meter.count(checks, { cluster: roster.cluster, outcome: problem === undefined ? 'passed' : 'failed' })
    const verdict = problem === undefined ? 'healthy' : 'unhealthy'
    if (standing.checks.at(-1) !== mine) return
    if (problem !== undefined) standing.problem = problem
    const isFirst = fresh
    fresh = false
    if (standing.checked === verdict) {
      against = 0
      return
    }
    against += 1
    if (!isFirst && against < (problem === undefined ? rule.healthyAfter : rule.unhealthyAfter)) return
    against = 0
    const now = clock.ticks()
    // One that was there all along and has its first check only now is not new.
    if (standing.checked === 'unhealthy') {
      standing.since = now
      forgetFailures(member, now)
    }
    Object.assign(standing, { checked: verdict, problem })
    roster.changed(now)
  }

  async function round(): Promise<void> {
    line = new Lifeline()
    const late = clock.after(rule.timeoutMs, () => line.end(new Fault('deadline_exceeded', `no answer within ${rule.timeoutMs} ms`)))
    let problem: string | undefined
    try {
      problem = await ask(channel, endpoint, question, line, clock.ticks() + rule.timeoutMs, ports)
    } catch (error) {
      problem = reasonOf(Fault.from(error))
    }
    late.cancel()
    line.settle()
    if (closed) return
    learn(problem)
    timer = clock.after(rule.intervalMs * (1 - jitter + 2 * jitter * random.unit()), () => void round())
  }

  void round()
  return {
    close() {
      closed = true
      const { checks: asking } = member.standing
      asking.splice(asking.indexOf(mine), 1)
      timer?.cancel()
      line.end(new Fault('client_closed', 'nobody wants to know'))
      channel.release()
    },
  }
}

function reasonOf({ detail, message }: Fault): string {
  return detail.internal ?? message
}

/** Undefined when it is well. */
async function ask(channel: Channel, endpoint: Endpoint, question: Question, line: Lifeline, deadline: number, ports: CheckPorts): Promise<string | undefined> {
  const { authority, fields } = question
  const wanted = question.rule.ask
  if (wanted.kind === 'tcp') {
    await ports.channels.reach(endpoint, deadline)
    return undefined
  }
  const idleMs = question.rule.timeoutMs
  const options = { lifeline: line, deadline, idleMs, messageLimit }
  if (wanted.kind === 'grpc') return await askGrpc(channel, wanted.service, { authority, fields }, options)
  const headers = new FieldList([...fields.entries(), ['user-agent', 'sallyport-health']])
  const scheme = endpoint.tls === undefined ? 'http' : 'https'
  const reply = await channel.http({ kind: 'http', method: 'GET', scheme, authority, target: wanted.path, headers, body: undefined }, options)
  if (reply.body !== undefined && !(reply.body instanceof Uint8Array)) await readAway(reply.body)
  return wanted.statuses.some(({ from, to }) => reply.status >= from && reply.status <= to) ? undefined : `it answers ${reply.status}`
}

/** Reads a short body to its end, so that its connection can be used again; a long one is cut. */
async function readAway(body: AsyncIterable<Uint8Array>): Promise<void> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > 65_536) return
  }
}

/** grpc.health.v1.Health/Check: HealthCheckRequest{1: service}, HealthCheckResponse{1: status}, where 1 is SERVING. */
async function askGrpc(
  channel: Channel,
  service: string,
  { authority, fields }: Pick<Question, 'authority' | 'fields'>,
  options: Parameters<Channel['grpc']>[1],
): Promise<string | undefined> {
  const name = new TextEncoder().encode(service)
  const message = service === '' ? new Uint8Array() : Uint8Array.of(0x0a, name.length, ...name)
  const metadata = new FieldList([...fields.entries()])
  const call = { kind: 'grpc', path: '/grpc.health.v1.Health/Check', authority, metadata, messages: message, serverStream: false } as const
  const reply = await channel.grpc(call, options)
  let status = 0
  for await (const said of reply.messages) status = said[0] === 0x08 ? (said[1] ?? 0) : 0
  const ended = reply.status()
  if (ended.code !== 0) return `its health service ends with gRPC status ${ended.code}${ended.message === '' ? '' : `: ${ended.message}`}`
  return status === 1 ? undefined : `its health service says ${['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'][status] ?? status}`
}
