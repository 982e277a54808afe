import { openSync } from 'node:fs'
import { isoTime } from '../core/observe/time.ts'
import type { Clock, Journal, JournalRecord, JournalValue } from '../core/ports.ts'
import { lineOf } from './line.ts'
import { prettyLine } from './pretty.ts'
import { openWriter } from './writer.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

/** Says what the gateway itself does, beside the records of requests. */
export type Log = (level: Exclude<LogLevel, 'silent'>, event: string, facts?: Readonly<Record<string, JournalValue>>) => void

export interface JournalOptions {
  /** `stdout`, `stderr`, or the path of a file that is appended to. */
  readonly to: string
  /** `json`: one object per line. `pretty`: one line for human eyes. */
  readonly form: 'json' | 'pretty'
  readonly colour: boolean
  /** Records of requests count as `info`. */
  readonly level: LogLevel
}

export interface NodeJournal extends Journal {
  readonly log: Log
  /** Writes lines that another process has made of its records, without the last newline. */
  pass(lines: string): void
  /** Sees every record, whatever the level. Returns a way to stop. */
  subscribe(take: (record: JournalRecord) => void): () => void
  /** Records lost because the reader is too slow. */
  readonly dropped: number
  flush(): Promise<void>
  /** Flushes and lets go; records after it go nowhere. */
  close(): Promise<void>
}

/** What a room writes that is no record of a request becomes a warning under its own `event`. @throws when the file cannot be opened. */
export function createJournal(options: JournalOptions, clock: Pick<Clock, 'now'>): NodeJournal {
  const descriptor = options.to === 'stdout' ? 1 : options.to === 'stderr' ? 2 : openSync(options.to, 'a', 0o640)
  // A human waits for the line; a machine is served better by fewer, larger writes.
  const writer = openWriter(descriptor, { delayMs: options.form === 'pretty' ? 0 : 100, owned: descriptor > 2 })
  const subscribers = new Set<(record: JournalRecord) => void>()
  const threshold = order.indexOf(options.level)
  let dropped = 0
  let closed = false

  const put = (rank: number, record: JournalRecord) => {
    for (const take of subscribers) take(record)
    if (closed || rank < threshold) return
    if (!writer.line(options.form === 'json' ? lineOf(record) : prettyLine(record, options.colour))) dropped += 1
  }
  const log: Log = (level, event, facts) => put(order.indexOf(level), { kind: 'event', time: isoTime(clock.now()), level, event, ...facts })
  const atExit = () => writer.flushNow()
  process.on('exit', atExit)
  return {
    write: (record) => (record['kind'] === 'request' || record['kind'] === 'stream' ? put(order.indexOf('info'), record) : log('warn', 'noted', record)),
    log,
    pass(lines) {
      if (!closed && !writer.line(lines)) dropped += lines.split('\n').length
    },
    subscribe(take) {
      subscribers.add(take)
      return () => void subscribers.delete(take)
    },
    get dropped() {
      return dropped
    },
    flush: () => writer.flush(),
    async close() {
      closed = true
      process.off('exit', atExit)
      await writer.close()
    },
  }
}
