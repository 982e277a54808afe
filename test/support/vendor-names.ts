import { promises } from 'node:dns'
import { vi } from 'vitest'
import type { Keep } from './keep.ts'

/** Lets the system's resolver answer names as given, and 127.0.0.1 for every other name under `.example`. What is asked for is kept. */
export function vendorNames(keep: Keep, names: Readonly<Record<string, readonly string[]>> = {}): readonly string[] {
  const asked: string[] = []
  const real = promises.lookup
  const spy = vi.spyOn(promises, 'lookup').mockImplementation(((host: string, options: object) => {
    asked.push(host)
    const given = names[host] ?? (host.endsWith('.example') ? ['127.0.0.1'] : undefined)
    if (given === undefined) return real(host, options)
    return Promise.resolve(given.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })))
  }) as typeof promises.lookup)
  keep(() => spy.mockRestore())
  return asked
}
