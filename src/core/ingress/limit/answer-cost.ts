import type { Reply } from '../../model/call.ts'
import type { Metered } from '../../model/exchange.ts'
import type { Fields } from '../../model/wire.ts'
import type { Clock, Counters, Meter } from '../../ports.ts'
import { type Asked, ask, type PlannedLimit, whenSettled } from './plan.ts'
import { isNear, readingAfter } from './refusal.ts'

/** What an upstream says in its answer that the request cost: an integer of at least 1, once in the head and once in the trailers at most. */
const costHeader = 'x-sallyport-cost'

interface Open {
  readonly asked: Asked
  readonly most: number
  /** Points that were counted so far. */
  paid: number
}

type Charged = Metered & { readonly remark?: string | undefined }

/**
 * Charges what the answer says the request cost above what was taken for it: from its head at once, from its trailers (or how a gRPC call ended) as its last
 * message is read. Never less than was taken, and never more than the route lets a limit be charged. Answers the reply, to be read instead.
 */
export function chargeAnswer(limits: readonly PlannedLimit[], x: Charged, reply: Reply, ports: ChargePorts): Reply | Promise<Reply> {
  const bill = openBill(limits, x, ports)
  if (reply.kind === 'grpc') {
    const messages = thenAtEnd(reply.messages, () => bill(reply.status().trailers))
    return whenSettled(bill(reply.metadata), () => ({ ...reply, messages }))
  }
  const { body, trailers } = reply
  const whole = body === undefined || body instanceof Uint8Array || trailers === undefined ? body : thenAtEnd(body, () => bill(trailers()))
  return whenSettled(bill(reply.headers), () => ({ ...reply, body: whole }))
}

interface ChargePorts {
  readonly counters: Counters
  readonly meter: Meter
  readonly clock: Pick<Clock, 'now'>
}

function openBill(limits: readonly PlannedLimit[], x: Charged, { counters, meter, clock }: ChargePorts): (said: Fields) => void | Promise<void> {
  let open: readonly Open[] | undefined
  const count = (limit: string, outcome: 'charged' | 'capped' | 'invalid') => meter.count('sallyport_limit_answer_costs_total', { limit, outcome })

  return function bill(said) {
    const values = said.all(costHeader)
    if (values.length === 0) return undefined
    open ??= openOf(limits, x)
    const cost = values.length === 1 ? readCost(values[0] ?? '') : undefined
    if (cost === undefined) {
      for (const { asked } of open) count(asked.limit.name, 'invalid')
      Object.assign(x, { remark: x.remark ?? `${costHeader} is not one integer of at least 1` })
      return undefined
    }
    return charge(open, cost)
  }

  function charge(all: readonly Open[], cost: number): void | Promise<void> {
    const due = all.flatMap((one) => {
      const more = Math.min(cost, one.most) - one.paid
      if (more <= 0) return []
      count(one.asked.limit.name, cost > one.most ? 'capped' : 'charged')
      one.paid += more
      return [{ limit: one.asked.limit, descriptor: { ...one.asked.descriptor, cost: more } }]
    })
    if (due.length === 0) return undefined
    return whenSettled(counters.charge(due.map(({ descriptor }) => descriptor)), (lefts) => {
      const readings = x.readings.map((reading) => {
        const left = lefts.find(({ limit }) => limit === reading.limit)
        const charged = due.find(({ limit }) => limit.name === reading.limit)
        if (left === undefined || charged === undefined) return reading
        // Whoever was near before was counted then.
        if (isNear(left.remaining, reading.quota) && !isNear(reading.remaining, reading.quota))
          meter.count('sallyport_limit_near_total', { limit: reading.limit })
        return readingAfter(reading, charged.limit, left, charged.descriptor.cost, clock)
      })
      Object.assign(x, { readings })
    })
  }
}

/** A limit on trial that would have refused the request took nothing, and is charged nothing. */
function openOf(limits: readonly PlannedLimit[], x: Metered): readonly Open[] {
  const exceeded = new Set(x.readings.filter(({ audit }) => audit === 'exceeded').map(({ limit }) => limit))
  return ask(limits, x).flatMap((asked) => {
    const { most } = asked.limit.use.response ?? { most: 0 }
    return exceeded.has(asked.limit.name) ? [] : [{ asked, most, paid: asked.descriptor.cost }]
  })
}

function readCost(text: string): number | undefined {
  const cost = /^\d{1,15}$/.test(text) ? Number(text) : 0
  return cost >= 1 ? cost : undefined
}

/** The same pieces at the same pace; the end comes when `end` is done. */
function thenAtEnd(source: AsyncIterable<Uint8Array>, end: () => void | Promise<void>): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const inner = source[Symbol.asyncIterator]()
      return {
        async next() {
          const step = await inner.next()
          if (step.done === true) await end()
          return step
        },
        async return() {
          return (await inner.return?.()) ?? { done: true, value: undefined }
        },
      }
    },
  }
}
