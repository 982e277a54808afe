import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JournalRecord } from '../../src/core/ports.ts'
import { createJournal, type JournalOptions } from '../../src/node/journal.ts'
import { lineOf } from '../../src/node/line.ts'
import { prettyLine } from '../../src/node/pretty.ts'
import { anyCharacter } from '../support/any-character.ts'
import { fakeClock } from '../support/clock.ts'
import { tempFolder } from '../support/temp-folder.ts'

const value = fc.letrec<{ value: JournalRecord[string] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string({ unit: anyCharacter }),
    fc.double(),
    fc.boolean(),
    fc.constant(undefined),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), tie('value'), { maxKeys: 4 }),
  ),
})).value

describe('a line', () => {
  it('means what JSON.stringify would write, on one line', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), value), (record) => {
        const line = lineOf(record)
        expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(record)))
        // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
        expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
      }),
    )
  })
})

const request: JournalRecord = {
  kind: 'request',
  time: '2026-01-01T12:00:00.123Z',
  wing: 'ingress',
  method: 'GET',
  host: 'api.example.com',
  path: '/v1/orders/7',
  status: 403,
  refusal: { code: 'forbidden', rule: 'orders/own' },
  destination: { cluster: 'orders', subset: 'v1' },
  duration_ms: 1.5,
  ending: 'whole',
}

describe('the pretty form', () => {
  it('says in one line what came, where it went and why it was refused', () => {
    expect(prettyLine(request, false)).toBe('12:00:00.123 in  403 GET api.example.com/v1/orders/7 → orders/v1 1.5 ms forbidden: orders/own')
  })

  it('never lets a request move the cursor', () => {
    const line = prettyLine({ ...request, host: 'a\u001b[2Jb\r\n\u202e' }, true)
    expect(line).toContain('a\\u001b[2Jb\\u000d\\u000a\\u202e')
  })

  it('shows an event with its facts', () => {
    const event: JournalRecord = { kind: 'event', time: '2026-01-01T12:00:00.000Z', level: 'warn', event: 'reload_failed', file: 'a.yaml', line: 3 }
    expect(prettyLine(event, false)).toBe('12:00:00.000 warn  reload_failed file=a.yaml line=3')
  })
})

async function journalTo(options: Partial<JournalOptions> = {}) {
  const folder = await tempFolder()
  const path = join(folder.path, 'log')
  const journal = createJournal({ to: path, form: 'json', colour: false, level: 'info', ...options }, fakeClock())
  const lines = async () => (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '')
  return { journal, lines }
}

describe('the journal', () => {
  it('appends what it was given, in order, and everything is there after a flush', async () => {
    const { journal, lines } = await journalTo()
    for (let i = 0; i < 5000; i++) journal.write({ kind: 'request', i, padding: 'x'.repeat(50) })
    await journal.flush()
    expect((await lines()).map((line) => JSON.parse(line).i)).toEqual(Array.from({ length: 5000 }, (_, i) => i))
    await journal.close()
  })

  it('leaves out what is below its level, but not for subscribers', async () => {
    const { journal, lines } = await journalTo({ level: 'warn' })
    const seen: JournalRecord[] = []
    const stop = journal.subscribe((record) => void seen.push(record))
    journal.write(request)
    journal.log('info', 'started')
    stop()
    journal.log('error', 'broken', { why: 'x' })
    await journal.close()
    expect((await lines()).map((line) => JSON.parse(line))).toEqual([
      { kind: 'event', time: '2026-01-01T00:00:00.000Z', level: 'error', event: 'broken', why: 'x' },
    ])
    expect(seen.map((record) => record['kind'])).toEqual(['request', 'event'])
  })

  it('makes an event of what a room notes', async () => {
    const { journal, lines } = await journalTo()
    journal.write({ event: 'limit_store_lost', reason: 'timeout' })
    await journal.close()
    expect(JSON.parse((await lines())[0] as string)).toEqual({
      kind: 'event',
      time: '2026-01-01T00:00:00.000Z',
      level: 'warn',
      event: 'limit_store_lost',
      reason: 'timeout',
    })
  })

  it('takes no more after it closed', async () => {
    const { journal, lines } = await journalTo()
    journal.write({ kind: 'request', n: 1 })
    await journal.close()
    journal.write({ kind: 'request', n: 2 })
    expect(await lines()).toHaveLength(1)
  })

  it('drops and counts what a reader that never reads leaves waiting', async () => {
    const { journal } = await journalTo()
    const big = 'x'.repeat(1024 * 1024)
    // All in one turn of the event loop: no write can finish in between.
    for (let i = 0; i < 20; i++) journal.write({ kind: 'request', big })
    expect(journal.dropped).toBeGreaterThan(0)
    expect(journal.dropped).toBeLessThan(6)
    await journal.close()
  })
})
