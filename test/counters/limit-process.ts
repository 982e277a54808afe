import type { LimitSpec } from '../../src/core/ports.ts'
import { createRedisCounters } from '../../src/node/redis-counters.ts'
import { fakeClock } from '../support/clock.ts'
import { memoryMeter } from '../support/ports.ts'

/** A process of its own: asks each limit as often as told, all at once, and prints how many passed, and how many were answered without the store. */
const [url = '', times = '0', text = '[]'] = process.argv.slice(2)
// The cast is safe: the test that starts this wrote it.
const limits = JSON.parse(text) as readonly LimitSpec[]
// A clock that stands still remembers no refusal for longer than it is true.
const counters = createRedisCounters({ url, clock: fakeClock(Date.now()), meter: memoryMeter(), patienceMs: 5000 })
await counters.ready(5000)
const passed: Record<string, number> = {}
let degraded = 0
for (const limit of limits) {
  passed[limit.name] = 0
  for (let i = 0; i < Number(times); i++) {
    const taken = await counters.take([{ limit, key: 'k', cost: 1 }])
    if (taken.readings[0]?.degraded === true) degraded++
    else if (taken.allowed) passed[limit.name] = (passed[limit.name] ?? 0) + 1
  }
}
process.stdout.write(JSON.stringify({ passed, degraded }))
await counters.close()
