import { parseArgs } from 'node:util'
import type { BalanceKind } from '../src/core/policy/linked/balance.ts'
import { buildBalance, type Candidate } from '../src/core/upstream/balance.ts'
import { newStanding } from '../src/core/upstream/health/standing.ts'
import { createClock } from '../src/node/clock.ts'
import { createRandom } from '../src/node/random.ts'

/*
 * What one choice of an endpoint costs, with the clock and the random numbers of the gateway. The health filter is part of it: a twentieth of the
 * endpoints is unhealthy, another ejected. `node bench/balance.ts [--endpoints 1000] [--picks 1000000] [--rounds 7]`
 */

/** Microseconds that a choice may take. */
const bound = 0.5

const kinds: readonly BalanceKind[] = ['round_robin', 'least_request', 'peak_ewma', 'random', 'ring_hash', 'maglev']

const { values } = parseArgs({
  options: {
    endpoints: { type: 'string', default: '1000' },
    picks: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '7' },
  },
})
const [count, picks, rounds] = [Number(values.endpoints), Number(values.picks), Number(values.rounds)]

const ports = { clock: createClock(), random: createRandom() }
const subjects = Array.from({ length: 10_000 }, (_, i) => `user-${i.toString(16).padStart(8, '0')}-7d3c-4a5e-9f10`)

function endpoint(i: number, weight: number): Candidate {
  const name = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:8080`
  const standing = newStanding(ports.clock.ticks())
  standing.checked = i % 20 === 3 ? 'unhealthy' : 'healthy'
  if (i % 20 === 7) Object.assign(standing, { unproven: true, ejectedUntil: ports.clock.ticks() + 3_600_000 })
  const address = { kind: 'tcp', host: name, port: 8080 } as const
  const of = { key: name, protocol: 'http1', address, tls: undefined, connectTimeoutMs: 1000, idleMs: 4000 } as const
  const channel = { http: never, grpc: never, release: () => {} }
  const member = { endpoint: of, name, channel, active: i % 3, ewma: 5 + (i % 11), mean: 5 + (i % 11), sampledAt: ports.clock.ticks(), standing }
  return { member, weight, score: 0 }
}

function never(): never {
  throw new Error('nothing is sent here')
}

/** Nanoseconds of CPU time per choice; the best of some rounds, because others use this machine. */
function measure(kind: BalanceKind, weighted: boolean): { readonly nanoseconds: number; readonly preparedMs: number } {
  const all = Array.from({ length: count }, (_, i) => endpoint(i, weighted ? 1 + (i % 5) : 1))
  const changes = { version: 0 }
  const balance = buildBalance(kind, ports, { checked: true, outlier: true }, changes)
  const begun = performance.now()
  balance(all, subjects[0])
  const preparedMs = performance.now() - begun
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage()
    for (let i = 0; i < picks; i += 1) balance(all, subjects[i % subjects.length])
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, ((user + system) * 1_000) / picks)
  }
  return { nanoseconds: best, preparedMs }
}

console.log(`one choice of ${count} endpoints, a tenth of them not usable (best of ${rounds} × ${picks}); at most ${bound} µs`)
let failed = false
for (const kind of kinds) {
  for (const weighted of [false, true]) {
    const { nanoseconds, preparedMs } = measure(kind, weighted)
    failed ||= nanoseconds > bound * 1_000
    const name = `${kind}${weighted ? ', weighted' : ''}`
    console.log(
      `${name.padEnd(24)} ${(nanoseconds / 1_000).toFixed(3)} µs   prepared in ${preparedMs.toFixed(1)} ms${nanoseconds > bound * 1_000 ? '   TOO SLOW' : ''}`,
    )
  }
}
process.exitCode = failed ? 1 : 0
