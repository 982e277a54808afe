import { StartError } from '../gateway/start.ts'
import type { Done, Order, OrderName, Orders } from './orders.ts'

/** How a process ended: `status 1`, or the name of a signal. */
export type Ending = string

/** A worker process, as the primary sees it. */
export interface Hand {
  readonly pid: number
  /** Rejects with StartError when the worker cannot start, with Error when it says why not, ends before, or is silent for so long. */
  order<Name extends OrderName>(name: Name, given: Orders[Name][0], withinMs: number): Promise<Orders[Name][1]>
  /** Settles when the process has ended. Never rejects. */
  readonly ended: Promise<Ending>
  /** Ends it without any grace. */
  kill(): void
}

/** What a hand needs of a process. */
export interface HandParts {
  readonly pid: number
  readonly post: (order: Order) => void
  readonly ended: Promise<Ending>
  readonly kill: () => void
}

interface Waiting {
  readonly resolve: (value: never) => void
  readonly reject: (error: Error) => void
}

/** Orders and their answers over messages. `hear` takes what the process says; anything that is no answer is left aside. */
export function openHand({ pid, post, ended, kill }: HandParts): { readonly hand: Hand; readonly hear: (message: unknown) => void } {
  const waiting = new Map<number, Waiting>()
  let number = 0
  const order: Hand['order'] = (name, given, withinMs) =>
    new Promise((resolve, reject) => {
      const mine = ++number
      const timer = setTimeout(() => settle(mine, (one) => one.reject(new Error(`worker ${pid} did not ${name} within ${withinMs / 1000} s`))), withinMs)
      const over = () => clearTimeout(timer)
      waiting.set(mine, {
        resolve: (value) => {
          over()
          resolve(value)
        },
        reject: (error) => {
          over()
          reject(error)
        },
      })
      post({ order: mine, name, given })
    })
  const settle = (mine: number, how: (one: Waiting) => void) => {
    const one = waiting.get(mine)
    waiting.delete(mine)
    if (one !== undefined) how(one)
  }
  const fail = async () => {
    const how = await ended
    for (const mine of waiting.keys()) settle(mine, (one) => one.reject(new Error(`worker ${pid} ended by ${how}`)))
  }
  void fail()
  const hear = (message: unknown) => {
    if (!isDone(message)) return
    settle(message.done, (one) => {
      if ('is' in message)
        one.resolve(message.is as never) // what the order's answer is
      else one.reject(new StartError(message.failed, message.diagnostics))
    })
  }
  return { hand: { pid, order, ended, kill }, hear }
}

function isDone(message: unknown): message is Done {
  return typeof message === 'object' && message !== null && 'done' in message
}
