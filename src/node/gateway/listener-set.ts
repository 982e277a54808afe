import { parseAuthority } from '../../core/net.ts'
import type { Address, ListenerTls, PublicListener } from '../../core/policy/linked/listeners.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { GracefulClose } from '../listeners.ts'

/** A bound address. */
export interface BoundListener {
  /** `public`, `egress`, `egress:<service>` or `admin`. */
  readonly name: string
  readonly host: string
  readonly port: number
}

/** A listener that a policy wants. Two plans that say the same are the same listener. */
export interface ListenerPlan {
  /** `public`, `egress`, `egress:<service>` or `admin`. */
  readonly name: string
  readonly address: Address
  /** What the public listener adds. */
  readonly settings: PublicListener | undefined
  /** Of a port by which workloads come. */
  readonly tls?: ListenerTls | undefined
  /** It carries bytes for a TCP service. */
  readonly stream?: true
}

/** A listener that was bound. */
export interface RunningListener {
  readonly host: string
  /** The real port, where the plan said 0. */
  readonly port: number
  /** Settles when every connection is gone. A second call may shorten the end; it never lengthens it. Never rejects. */
  close(graceful: GracefulClose): Promise<void>
}

export type OpenListener = (plan: ListenerPlan) => Promise<RunningListener>

const atOnce: GracefulClose = { lameDuckMs: 0, drainMs: 0 }

interface Bound {
  readonly plan: ListenerPlan
  readonly listener: RunningListener
}

/** A change of listeners that is ready: every new address is bound. */
export interface PreparedListeners {
  /**
   * Lets go of what is not wanted any more, and rebinds the addresses that change their owner or settings.
   * Returns a sentence for each that could not be bound again.
   */
  commit(): Promise<readonly string[]>
  /** Closes what was opened for this change. */
  abort(): Promise<void>
}

/** The listeners of a policy. */
export function plansOf(policy: Policy): readonly ListenerPlan[] {
  const plain = (name: string, address: Address, tls?: ListenerTls): ListenerPlan => ({ name, address, settings: undefined, ...(tls !== undefined && { tls }) })
  const { public: outside, egress, admin } = policy.listeners
  return [
    ...(outside === undefined ? [] : [{ name: 'public', address: outside.address, settings: outside }]),
    ...(egress === undefined ? [] : [plain('egress', egress.address, egress.tls)]),
    ...Object.values(policy.egress).flatMap(({ service, tls }) =>
      service.listen === undefined
        ? []
        : [{ ...plain(`egress:${service.name}`, addressFrom(service.listen), tls), ...(service.stream !== undefined && { stream: true as const }) }],
    ),
    ...(admin === undefined ? [] : [plain('admin', admin.address)]),
  ]
}

/** Which listeners are bound. A change binds first and lets go later, so that no address is without a listener longer than it must be. */
export class ListenerSet {
  readonly #open: OpenListener
  readonly #drainMs: number
  #bound: ReadonlyMap<string, Bound> = new Map()
  /** The end has begun: nothing is bound any more. */
  #ended = false
  /** Listeners that drain. */
  readonly #closing = new Map<Bound, Promise<void>>()

  constructor(open: OpenListener, drainMs: number) {
    this.#open = open
    this.#drainMs = drainMs
  }

  get bound(): readonly BoundListener[] {
    return [...this.#bound.values()].map(({ plan, listener }) => ({ name: plan.name, host: listener.host, port: listener.port }))
  }

  /** @throws Error naming the listener and its address when a new address cannot be bound; nothing has changed then. */
  async prepare(plans: readonly ListenerPlan[]): Promise<PreparedListeners> {
    if (this.#ended) throw new Error('the gateway is stopping')
    const kept = new Map<string, Bound>()
    const later: ListenerPlan[] = []
    const opened: Bound[] = []
    const taken = new Set([...this.#bound.values()].map(({ plan }) => addressText(plan.address)))
    try {
      for (const plan of plans) {
        const there = this.#bound.get(plan.name)
        if (there !== undefined && same(there.plan, plan)) kept.set(plan.name, there)
        else if (taken.has(addressText(plan.address)) && plan.address.port !== 0) later.push(await this.#rehearse(plan))
        else opened.push(await this.#bind(plan))
      }
    } catch (error) {
      await closeAll(opened)
      throw error
    }
    return { commit: () => this.#commit(kept, opened, later), abort: () => closeAll(opened) }
  }

  /** Ends the set: closes every listener but those that `spared` names, and settles when nothing drains any more. */
  async close(graceful: GracefulClose, spared: (name: string) => boolean = () => false): Promise<void> {
    this.#ended = true
    const all = [...this.#bound.values()]
    this.#bound = new Map(all.filter(({ plan }) => spared(plan.name)).map((bound) => [bound.plan.name, bound]))
    for (const bound of all) if (!spared(bound.plan.name)) this.#letGo(bound, graceful)
    await Promise.all(this.#closing.values())
  }

  /** Cuts whatever still drains. */
  async cut(): Promise<void> {
    await closeAll([...this.#closing.keys()])
  }

  /** Without a lame duck it stops accepting in this very turn. */
  #letGo(bound: Bound, graceful: GracefulClose): void {
    const closed = bound.listener.close(graceful).finally(() => this.#closing.delete(bound))
    this.#closing.set(bound, closed)
  }

  async #commit(kept: ReadonlyMap<string, Bound>, opened: readonly Bound[], later: readonly ListenerPlan[]): Promise<readonly string[]> {
    if (this.#ended) {
      await closeAll(opened)
      return []
    }
    const gone = [...this.#bound.values()].filter((bound) => kept.get(bound.plan.name) !== bound)
    const next = new Map([...kept, ...opened.map((bound) => [bound.plan.name, bound] as const)])
    this.#bound = next
    for (const bound of gone) this.#letGo(bound, { lameDuckMs: 0, drainMs: this.#drainMs })
    const problems: string[] = []
    for (const plan of later) {
      try {
        next.set(plan.name, await this.#bindAgain(plan))
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error))
      }
    }
    return problems
  }

  /** An address that is in use can only be bound after the old listener let go: whatever else could fail is tried before, on a free port. */
  async #rehearse(plan: ListenerPlan): Promise<ListenerPlan> {
    await closeAll([await this.#bind({ ...plan, address: { ...plan.address, port: 0 } })])
    return plan
  }

  /** The system may need a moment to give an address back that was just let go. */
  async #bindAgain(plan: ListenerPlan): Promise<Bound> {
    for (let attempt = 1; attempt < 5; attempt++) {
      try {
        return await this.#bind(plan)
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20 * attempt))
      }
    }
    return await this.#bind(plan)
  }

  async #bind(plan: ListenerPlan): Promise<Bound> {
    try {
      return { plan, listener: await this.#open(plan) }
    } catch (error) {
      throw new Error(`listener ${plan.name} cannot be bound to ${addressText(plan.address)}: ${reasonOf(error)}`, { cause: error })
    }
  }
}

async function closeAll(all: readonly Bound[]): Promise<void> {
  await Promise.all(all.map(({ listener }) => listener.close(atOnce)))
}

function same(one: ListenerPlan, other: ListenerPlan): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function addressText({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** @throws Error for what the loader would have refused. */
function addressFrom(text: string): Address {
  const parsed = parseAuthority(text)
  if ('problem' in parsed || parsed.port === undefined) throw new Error(`${text} is not an address`)
  return { host: parsed.host, port: parsed.port }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return (error as NodeJS.ErrnoException).code ?? error.message
}
