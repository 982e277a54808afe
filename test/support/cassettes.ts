import type { Cassettes } from '../../src/core/ports.ts'

/** Cassettes in memory. */
export interface FakeCassettes extends Cassettes {
  /** Texts by cassette and name. */
  readonly kept: Map<string, Map<string, string>>
}

export function fakeCassettes(): FakeCassettes {
  const kept = new Map<string, Map<string, string>>()
  const of = (cassette: string) => kept.get(cassette) ?? new Map<string, string>()
  return {
    kept,
    list: async (cassette) => Array.from(of(cassette), ([name, text]) => ({ name, version: text })),
    read: async (cassette, name) => of(cassette).get(name) ?? Promise.reject(new Error('gone')),
    async add(cassette, about, text) {
      const files = of(cassette)
      files.set(`${String(files.size + 1).padStart(5, '0')}-${about}`, text)
      kept.set(cassette, files)
      return true
    },
  }
}
