import type { Journal } from '../../core/ports.ts'

/** Every record one line of JSON on the console, which the platform collects. */
export function createJournal(): Journal {
  return { write: (record) => console.log(JSON.stringify(record)) }
}
