import { create, type DescMessage, fromBinary, type JsonValue, ScalarType, toBinary, toJson } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { Fault } from '../../src/core/model/fault.ts'
import { buildCompiledCodec, type CompiledCodec } from '../../src/core/protobuf/compiled/compiled-codec.ts'
import { buildJsonCodec, type JsonCodec, type JsonCodecOptions, jsonText, parseJson, serialize } from '../../src/core/protobuf.ts'
import { type Dice, diceOf } from './dice.ts'
import { randomJson } from './random-json.ts'
import { randomTypes } from './random-types.ts'

/** Messages in each direction; `CODEC_RUNS=100000 npx vitest run test/protobuf/compiled-codec.test.ts` for the long run. */
const runs = Number(process.env['CODEC_RUNS'] ?? 1000)
const seed = Number(process.env['CODEC_SEED'] ?? 20261120)
const perFile = 10
const time = 30_000 + runs * 20

interface Subject {
  readonly dice: Dice
  readonly desc: DescMessage
  readonly codec: JsonCodec
  readonly compiled: CompiledCodec
  readonly plain: boolean
  readonly text: string
  readonly options: JsonCodecOptions
  /** The library's JSON of wire bytes; undefined when it refuses them. */
  shown(bytes: Uint8Array): JsonValue | undefined
}

/** Each of the random messages, of random types; what fails names its seed. */
function everyRun(check: (subject: Subject) => void): void {
  for (let i = 0; i < runs / perFile; i++) {
    const dice = diceOf(seed + i)
    const { registry, names, plain } = randomTypes(dice)
    const options = { emitDefaults: dice.chance(0.5), enumsAsInts: dice.chance(0.3), protoNames: dice.chance(0.3), ignoreUnknownFields: dice.chance(0.3) }
    const codec = buildJsonCodec(registry, options)
    const compiled = buildCompiledCodec(registry, options)
    const writing = { registry, alwaysEmitImplicit: options.emitDefaults, enumAsInteger: options.enumsAsInts, useProtoFieldName: options.protoNames }
    for (let j = 0; j < perFile; j++) {
      const desc = registry.getMessage(dice.pick(names))
      if (desc === undefined) throw new Error('no such message')
      const text = randomJson(dice, desc)
      const shown = (bytes: Uint8Array): JsonValue | undefined => attempt(() => toJson(desc, fromBinary(desc, bytes), writing))
      try {
        check({ dice, desc, codec, compiled, plain, text, options, shown })
      } catch (error) {
        throw new Error(`seed ${seed + i}, message ${j}: ${desc.typeName} ${text.slice(0, 2000)}`, { cause: error })
      }
    }
  }
}

function attempt<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}

function parsed(text: string): ReturnType<typeof parseJson> {
  return parseJson(new TextEncoder().encode(text))
}

/** The bytes that the library makes of wire bytes; equal for equal messages. */
function canonical(desc: DescMessage, bytes: Uint8Array): string {
  return Buffer.from(toBinary(desc, fromBinary(desc, bytes))).toString('hex')
}

function checked({ desc, codec }: Subject, text: string): Uint8Array {
  return serialize(desc, codec.message(desc, parsed(text)))
}

test(`JSON becomes the same wire bytes as through the library, on ${runs} random messages`, { timeout: time }, () => {
  let compiled = 0
  everyRun((subject) => {
    const { desc, codec, plain, text } = subject
    const json = parsed(text)
    const before = JSON.stringify(json)
    const bytes = codec.encode(desc, json)
    expect(plain && bytes === undefined, 'a plain type is not compiled').toBe(false)
    if (bytes === undefined) return
    compiled++
    expect(JSON.stringify(json), 'the JSON is left as it is').toBe(before)
    expect(canonical(desc, bytes)).toBe(canonical(desc, checked(subject, text)))
  })
  expect(compiled).toBeGreaterThan(runs / 2)
})

test(`wire bytes become the same JSON as through the library, on ${runs} random messages`, { timeout: time }, () => {
  everyRun((subject) => {
    const { desc, codec, plain, compiled, text, shown } = subject
    const bytes = checked(subject, text)
    expect(plain && compiled.text(desc, bytes) === undefined, 'a plain type is not compiled').toBe(false)
    expect(JSON.parse(codec.toText(desc, bytes))).toEqual(JSON.parse(jsonText(shown(bytes) ?? null)))
  })
})

test(`one field becomes the same JSON as in its message through the library, of every kind, on ${runs} random messages`, { timeout: time }, () => {
  const kinds = new Set<string>()
  everyRun((subject) => {
    const { dice, desc, codec, compiled, plain, text, options, shown } = subject
    const bytes = checked(subject, text)
    const other = attempt(() => checked(subject, randomJson(dice, desc))) ?? bytes
    const writing = { alwaysEmitImplicit: true, enumAsInteger: options.enumsAsInts, useProtoFieldName: options.protoNames }
    // A type with required fields has no default message, and is not compiled.
    const defaults = attempt(() => toJson(desc, create(desc), writing)) ?? {}
    for (const whole of [bytes, Uint8Array.from([...bytes, ...other])]) {
      const json = shown(whole)
      if (json === undefined) continue
      for (const field of desc.fields) {
        const name = options.protoNames ? field.name : field.jsonName
        expect(plain && whole === bytes && compiled.fieldText(desc, field, bytes) === undefined, `${name} of a plain type is not compiled`).toBe(false)
        const own = codec.toFieldText(desc, field, whole)
        const member = memberOf(json, name)
        // What is not there has nothing to show, or its default.
        expect(own === undefined ? undefined : JSON.parse(own), name).toEqual(
          own === undefined && sameJson(member, memberOf(defaults, name)) ? undefined : asText(member),
        )
        if (own !== undefined) kinds.add(field.fieldKind === 'scalar' && field.scalar === ScalarType.BYTES ? 'bytes' : field.fieldKind)
      }
    }
  })
  expect([...kinds].sort()).toEqual(['bytes', 'enum', 'list', 'map', 'message', 'scalar'])
})

function memberOf(json: JsonValue, name: string): JsonValue | undefined {
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? json[name] : undefined
}

function asText(json: JsonValue | undefined): unknown {
  return json === undefined ? undefined : JSON.parse(jsonText(json))
}

function sameJson(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

test('fields out of order, twice, merged, and unknown ones show as the library shows them', { timeout: time }, () => {
  everyRun((subject) => {
    const { dice, desc, codec, text, shown } = subject
    const bytes = checked(subject, text)
    const other = attempt(() => checked(subject, randomJson(dice, desc))) ?? bytes
    const unknown = dice.pick([[0xf8, 0xff, 0x01, 0x05], [0xfa, 0xff, 0x01, 0x02, 0x61, 0x62], []])
    const joined = Uint8Array.from([...bytes, ...unknown, ...other])
    expect(outcome(() => codec.toText(desc, joined))).toEqual(refusedOr(shown(joined)))
  })
})

test('malformed wire bytes are refused or read exactly as by the library, with the one fault of the codec', { timeout: time }, () => {
  everyRun((subject) => {
    const { dice, desc, codec, text, shown } = subject
    const bytes = checked(subject, text).slice()
    for (let i = dice.between(1, 3); i > 0 && bytes.length > 0; i--) bytes[dice.below(bytes.length)] = dice.below(256)
    const cut = dice.chance(0.3) ? bytes.subarray(0, dice.below(bytes.length + 1)) : bytes
    expect(outcome(() => codec.toText(desc, cut))).toEqual(refusedOr(shown(cut)))
  })
})

test('bytes of no message at all never hang it nor throw anything else', { timeout: time }, () => {
  everyRun(({ dice, desc, codec, shown }) => {
    const bytes = Uint8Array.from({ length: dice.below(60) }, () => dice.below(256))
    expect(outcome(() => codec.toText(desc, bytes))).toEqual(refusedOr(shown(bytes)))
  })
})

test('JSON that was tampered with is never taken by the compiled codec where the checks refuse it', { timeout: time }, () => {
  everyRun((subject) => {
    const { dice, desc, codec, text } = subject
    const tampered = tamper(dice, text)
    const json = attempt(() => parsed(tampered))
    if (json === undefined) return
    const bytes = codec.encode(desc, json)
    const same = bytes === undefined || canonical(desc, bytes) === attempt(() => canonical(desc, checked(subject, tampered)))
    expect(same, tampered).toBe(true)
  })
})

/** Replaces one value or name of a JSON text by another. */
function tamper(dice: Dice, text: string): string {
  const values = [
    'null',
    'true',
    '0',
    '-1',
    '1.5',
    '1e400',
    '99999999999999999999',
    '"x"',
    '""',
    '"1"',
    '" 1"',
    '"0x1"',
    '{}',
    '[]',
    '[null]',
    '{"a":null}',
    '"NaN"',
    '"2023-02-29T00:00:00Z"',
    '"1s"',
    '4294967296',
  ]
  const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null|\{\}|\[\]/g)]
  if (tokens.length === 0) return dice.pick(values)
  const token = dice.pick(tokens)
  return text.slice(0, token.index) + dice.pick(values) + text.slice(token.index + token[0].length)
}

/** What the codec shows for the library's JSON, as text has it, or its one fault where the library refuses. */
function refusedOr(json: JsonValue | undefined): unknown {
  return json === undefined ? 'upstream_protocol' : { json: JSON.parse(jsonText(json)) as unknown }
}

function outcome(text: () => string): unknown {
  try {
    return { json: JSON.parse(text()) as unknown }
  } catch (error) {
    return error instanceof Fault ? error.code : `not a fault: ${String(error)}`
  }
}
