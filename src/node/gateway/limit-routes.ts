import type { AdminOptions } from '../admin.ts'
import type { LimitBook } from '../counters.ts'
import type { Ground } from '../ground.ts'

/** What the admin listener needs to look into a book and to write down who changed it. */
export function limitRoutes({ ports, journal }: Pick<Ground, 'ports' | 'journal'>, book: LimitBook): AdminOptions['limits'] {
  // A warning: whoever logs warnings alone must still see who did it.
  return { book, audit: (record) => journal.log('warn', record.event, { ...record }), now: () => ports.clock.now() }
}
