import type { JournalRecord, JournalValue } from '../core/ports.ts'
import { mapOf, textOf } from './record-values.ts'

const colours = { grey: 90, red: 31, green: 32, yellow: 33, cyan: 36 } as const
type Colour = keyof typeof colours
type Paint = (colour: Colour, text: string) => string

/** A record as one line for human eyes. Control characters are shown, never sent to the terminal. */
export function prettyLine(record: JournalRecord, colour: boolean): string {
  const paint: Paint = colour ? (name, text) => `\u001b[${colours[name]}m${text}\u001b[0m` : (_, text) => text
  return record['kind'] === 'request' ? requestLine(record, paint) : eventLine(record, paint)
}

function requestLine(record: JournalRecord, paint: Paint): string {
  const status = Number(record['status'])
  const refusal = mapOf(record['refusal'])
  const permit = mapOf(record['permit'])
  const parts = [
    paint('grey', timeOf(record)),
    record['wing'] === 'egress' ? paint('cyan', 'out') : 'in ',
    paint(status >= 500 ? 'red' : status >= 400 ? 'yellow' : 'green', String(status)),
    shown(record['method']),
    `${shown(record['host'])}${shown(record['path'] ?? record['target'])}`,
    whereOf(record),
    paint('grey', `${shown(record['duration_ms'])} ms`),
    refusal['code'] === undefined ? '' : paint('yellow', `${shown(refusal['code'])}${because(refusal)}`),
    permit['rule'] === undefined ? '' : paint('grey', `by ${shown(permit['policy'])}/${shown(permit['rule'])}`),
    record['ending'] === 'whole' ? '' : paint('red', shown(record['ending'])),
  ]
  return parts.filter((part) => part !== '').join(' ')
}

/** The route and where it led, or the egress service with its environment. */
function whereOf(record: JournalRecord): string {
  const egress = mapOf(record['egress'])
  if (egress['service'] !== undefined) return `→ ${shown(egress['service'])} (${shown(egress['environment'])} ${shown(egress['mode'])})`
  const destination = mapOf(record['destination'])
  if (destination['cluster'] === undefined) return ''
  return `→ ${shown(destination['cluster'])}${destination['subset'] === undefined ? '' : `/${shown(destination['subset'])}`}`
}

function because(refusal: JournalRecord): string {
  const why = refusal['rule'] ?? refusal['reason']
  return why === undefined ? '' : `: ${shown(why)}`
}

const levels: Readonly<Record<string, Colour>> = { error: 'red', warn: 'yellow', info: 'green', debug: 'grey' }

function eventLine(record: JournalRecord, paint: Paint): string {
  const level = shown(record['level'])
  const facts = Object.entries(record)
    .filter(([name, value]) => value !== undefined && !['kind', 'time', 'level', 'event'].includes(name))
    .map(([name, value]) => `${paint('grey', `${name}=`)}${shown(value)}`)
  return [paint('grey', timeOf(record)), paint(levels[level] ?? 'grey', level.padEnd(5)), shown(record['event']), ...facts].join(' ')
}

function timeOf(record: JournalRecord): string {
  return shown(record['time']).slice(11, 23)
}

/** C0, DEL, C1 and direction overrides are spelled out: what a request says must not move the reader's cursor. */
function shown(value: JournalValue): string {
  return textOf(value).replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
