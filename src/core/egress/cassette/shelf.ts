import { Fault } from '../../model/fault.ts'
import type { Cassettes } from '../../ports.ts'
import type { Interaction } from './interaction.ts'

/** A recording with the name of its file. */
export interface Recording {
  readonly name: string
  readonly said: Interaction
}

/** All recordings of a cassette, in order. @throws Fault `internal` when one cannot be read. */
export type ReadCassette = (cassettes: Cassettes, cassette: string) => Promise<readonly Recording[]>

/** Builds the reader. A file is read once, and again when it has changed: what was recorded or edited a moment ago counts. */
export function buildShelf(): ReadCassette {
  const kept = new Map<string, Map<string, { readonly version: string; readonly recording: Recording }>>()

  return async (cassettes, cassette) => {
    const before = kept.get(cassette)
    const now: NonNullable<typeof before> = new Map()
    for (const { name, version } of await listed(cassettes, cassette)) {
      const last = before?.get(name)
      now.set(name, last?.version === version ? last : { version, recording: { name, said: await opened(cassettes, cassette, name) } })
    }
    kept.set(cassette, now)
    return Array.from(now.values(), ({ recording }) => recording)
  }
}

async function listed(cassettes: Cassettes, cassette: string) {
  try {
    return await cassettes.list(cassette)
  } catch (error) {
    throw broken(cassette, error)
  }
}

/** Loads what reads cassettes: a process that replays nothing goes without. @throws Error when it cannot be loaded. */
export function loadReplay(): Promise<typeof import('./read-interaction.ts')> {
  return import('./read-interaction.ts')
}

async function opened(cassettes: Cassettes, cassette: string, name: string): Promise<Interaction> {
  try {
    const { readInteraction } = await loadReplay()
    return readInteraction(await cassettes.read(cassette, name))
  } catch (error) {
    throw broken(`${cassette}/${name}`, error)
  }
}

function broken(what: string, error: unknown): Fault {
  const why = error instanceof Error ? error.message : 'unknown'
  return new Fault('internal', 'the cassette cannot be read', { internal: `cassette ${what}: ${why}`.slice(0, 500), cause: error })
}
