import { type DescMessage, fromBinary, fromJson, type Registry, toBinary, toJson } from '@bufbuild/protobuf'
import { buildCompiledCodec } from '../src/core/protobuf/compiled/compiled-codec.ts'
import { type Members, messagesOf } from './codec/messages.ts'
import { race } from './codec/race.ts'
import { spreadOf } from './report/statistics.ts'

/*
 * The compiled codec beside @bufbuild/protobuf, both in this one process, in turn, on the same messages. JSON → wire begins at parsed JSON
 * and wire → JSON ends at JSON text, for both; the library does not even make the checks that the gateway has before it.
 */
const rounds = 15
const milliseconds = 100

function contests(registry: Registry, desc: DescMessage, json: Members): readonly (readonly [direction: string, ours: () => unknown, theirs: () => unknown])[] {
  const codec = buildCompiledCodec(registry, { emitDefaults: false, enumsAsInts: false, protoNames: false, ignoreUnknownFields: false })
  const bytes = toBinary(desc, fromJson(desc, json))
  return [
    ['JSON → wire', () => codec.encode(desc, json), () => toBinary(desc, fromJson(desc, json))],
    ['wire → JSON', () => codec.text(desc, bytes), () => JSON.stringify(toJson(desc, fromBinary(desc, bytes)))],
  ]
}

function row(cells: readonly string[]): string {
  return `${cells.map((cell, i) => (i < 2 ? cell.padEnd(13) : cell.padStart(20))).join('')}\n`
}

const { registry, messages } = messagesOf()
process.stdout.write(`Node ${process.version}, ${rounds} rounds of ${milliseconds} ms each in turn; µs per message and ratio, medians\n\n`)
process.stdout.write(row(['message', 'direction', '@bufbuild/protobuf', 'compiled', 'ratio']))
for (const { name, desc, json } of messages) {
  for (const [direction, ours, theirs] of contests(registry, desc, json)) {
    const laps = race(ours, theirs, rounds, milliseconds)
    const micros = (times: readonly number[]): string => (spreadOf(times).median * 1000).toFixed(2)
    const ratio = spreadOf(laps.map((lap) => lap.theirs / lap.ours)).median.toFixed(2)
    process.stdout.write(row([name, direction, micros(laps.map((lap) => lap.theirs)), micros(laps.map((lap) => lap.ours)), `${ratio} ×`]))
  }
}
