import { randomUUID } from 'node:crypto'
import type { Clock, Descriptor } from '../../core/ports.ts'
import { leaseMs } from './limit-call.ts'

/** Sends a lease to the store again, or ends it there. Never rejects. */
export type LeaseSender = (mode: 'renew' | 'give', descriptors: readonly Descriptor[], lease: string) => void

/** The places that requests of this process hold in the store. One timer for all keeps them, so those of a process that died end by themselves. */
export class Leases {
  readonly #clock: Pick<Clock, 'after'>
  readonly #send: LeaseSender
  readonly #held = new Map<string, readonly Descriptor[]>()
  #timer: { cancel(): void } | undefined

  constructor(clock: Pick<Clock, 'after'>, send: LeaseSender) {
    this.#clock = clock
    this.#send = send
  }

  /** A name that no other lease has. */
  next(): string {
    return randomUUID()
  }

  /** Keeps a lease until what it returns is called. */
  hold(lease: string, descriptors: readonly Descriptor[]): () => void {
    this.#held.set(lease, descriptors)
    this.#timer ??= this.#clock.after(leaseMs / 3, () => this.#renew())
    return () => {
      if (this.#held.delete(lease)) this.#send('give', descriptors, lease)
    }
  }

  /** Renews nothing any more: what is still held ends with its time. */
  close(): void {
    this.#timer?.cancel()
    this.#held.clear()
  }

  #renew(): void {
    this.#timer = this.#held.size === 0 ? undefined : this.#clock.after(leaseMs / 3, () => this.#renew())
    for (const [lease, descriptors] of this.#held) this.#send('renew', descriptors, lease)
  }
}
