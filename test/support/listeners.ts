import type { ListenerPlan, OpenListener, RunningListener } from '../../src/node/gateway/listener-set.ts'

/** Listeners without sockets: one owner per port, ports that refuse, and what happened in order. */
export interface FakeListeners {
  readonly open: OpenListener
  readonly events: string[]
  /** Names of what is bound, in the order it was. */
  readonly names: string[]
  /** This port cannot be bound. */
  refuse(port: number): void
  /** Closing waits from now on, until it is closed with no time at all. */
  hold(): void
}

export function fakeListeners(): FakeListeners {
  const taken = new Map<number, string>()
  const refused = new Set<number>()
  const events: string[] = []
  const bound: string[] = []
  let nextPort = 40_000
  let holding = false

  const open = async (plan: ListenerPlan): Promise<RunningListener> => {
    const port = plan.address.port === 0 ? nextPort++ : plan.address.port
    if (refused.has(port)) throw Object.assign(new Error('no'), { code: 'EACCES' })
    if (taken.has(port)) throw Object.assign(new Error('no'), { code: 'EADDRINUSE' })
    taken.set(port, plan.name)
    bound.push(plan.name)
    events.push(`open ${plan.name} ${plan.address.port}`)
    let finish: () => void = () => {}
    const closed = new Promise<void>((resolve) => {
      finish = resolve
    })
    return {
      host: plan.address.host,
      port,
      close({ lameDuckMs, drainMs }) {
        if (taken.delete(port)) {
          bound.splice(bound.indexOf(plan.name), 1)
          events.push(`close ${plan.name} ${plan.address.port} after ${lameDuckMs} within ${drainMs}`)
        } else events.push(`cut ${plan.name}`)
        if (!holding || drainMs === 0) finish()
        return closed
      },
    }
  }
  return {
    open,
    events,
    names: bound,
    refuse: (port) => void refused.add(port),
    hold: () => {
      holding = true
    },
  }
}
