import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import type { Policy } from '../../core/policy/policy.ts'
import { type ListenerPlan, plansOf } from '../gateway/listener-set.ts'

/** Below the ports that systems give to outgoing connections, which come and go all the time: what is free here stays free until it is bound. */
const [lowest, highest] = [20_000, 32_000]
const tries = 100

/** The listeners that worker processes bind: all but the admin listener. */
export function walkPlans(policy: Policy, ports: Readonly<Record<string, number>>): readonly ListenerPlan[] {
  return chosenPlans(policy, ports).filter(({ name }) => name !== 'admin')
}

/** What the primary binds. */
export function adminPlans(policy: Policy, ports: Readonly<Record<string, number>>): readonly ListenerPlan[] {
  return chosenPlans(policy, ports).filter(({ name }) => name === 'admin')
}

/** Chooses a port for every listener of a policy that has port 0 and is not in `known` yet: all processes must know all of them. @throws Error when none is free. */
export async function choosePorts(policy: Policy, known: Readonly<Record<string, number>>): Promise<Readonly<Record<string, number>>> {
  const ports: Record<string, number> = {}
  for (const { name, address } of plansOf(policy)) {
    if (address.port === 0) ports[name] = known[name] ?? (await freePort(address.host, [...Object.values(known), ...Object.values(ports)]))
  }
  return ports
}

function chosenPlans(policy: Policy, ports: Readonly<Record<string, number>>): readonly ListenerPlan[] {
  return plansOf(policy).map((plan) => ({ ...plan, address: { ...plan.address, port: plan.address.port === 0 ? (ports[plan.name] ?? 0) : plan.address.port } }))
}

async function freePort(host: string, taken: readonly number[]): Promise<number> {
  for (let i = 0; i < tries; i++) {
    const port = randomInt(lowest, highest)
    if (!taken.includes(port) && (await canBind(host, port))) return port
  }
  throw new Error(`no free port between ${lowest} and ${highest} on ${host}`)
}

/** What else stands against an address is for whoever binds it to say. */
function canBind(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'))
    server.listen({ host, port }, () => server.close(() => resolve(true)))
  })
}
