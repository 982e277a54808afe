import { create, type DescMessage, fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildJsonCodec, type DescriptorBook, type JsonCodecOptions, parseJson, serialize } from '../../src/core/protobuf.ts'
import { anyCharacter } from '../support/any-character.ts'
import { bookFrom } from '../support/protos.ts'
import { refusal } from '../support/refusal.ts'
import { kindsProto } from './kinds.ts'

const plain: JsonCodecOptions = { emitDefaults: false, enumsAsInts: false, protoNames: false, ignoreUnknownFields: false }
let book: DescriptorBook
let kinds: DescMessage

beforeAll(async () => {
  book = await bookFrom({ 'test.proto': kindsProto })
  const desc = book.registry.getMessage('test.v1.Kinds')
  if (desc === undefined) throw new Error('no Kinds')
  kinds = desc
})

/** JSON text to the wire and back to JSON. */
function through(text: string, options: Partial<JsonCodecOptions> = {}): JsonValue {
  const codec = buildJsonCodec(book.registry, { ...plain, ...options })
  return codec.toJson(kinds, serialize(kinds, codec.message(kinds, parseJson(new TextEncoder().encode(text)))))
}

describe('ProtoJSON input that is accepted', () => {
  const cases: readonly (readonly [what: string, input: string, output: unknown])[] = [
    ['an empty message', '{}', {}],
    ['the proto name and the JSON name', '{"int32_value":1,"int64Value":"2"}', { int32Value: 1, int64Value: '2' }],
    ['a json_name of the author', '{"otherName":"x"}', { otherName: 'x' }],
    ['the proto name beside a json_name', '{"renamed":"x"}', { otherName: 'x' }],
    ['a number in quotes', '{"int32Value":"7"}', { int32Value: 7 }],
    ['an integer with exponent', '{"int32Value":1e5}', { int32Value: 100000 }],
    ['a quoted integer with exponent', '{"int64Value":"1e5"}', { int64Value: '100000' }],
    ['an integer with a zero fraction', '{"int32Value":1.0,"int64Value":"10.00"}', { int32Value: 1, int64Value: '10' }],
    ['an integer scaled down to an integer', '{"int64Value":"1500e-2"}', { int64Value: '15' }],
    ['minus zero', '{"int32Value":-0,"maybe":-0}', { maybe: 0 }],
    ['the largest int64, not quoted', '{"int64Value":9223372036854775807}', { int64Value: '9223372036854775807' }],
    ['the smallest int64, not quoted', '{"int64Value":-9223372036854775808}', { int64Value: '-9223372036854775808' }],
    ['the largest uint64', '{"uint64Value":"18446744073709551615"}', { uint64Value: '18446744073709551615' }],
    ['NaN and infinities as strings', '{"doubleValue":"NaN","floatValue":"-Infinity"}', { doubleValue: 'NaN', floatValue: '-Infinity' }],
    ['a long number as a double', '{"doubleValue":12345678901234567890}', { doubleValue: 12345678901234567000 }],
    ['an enum by name and by number', '{"color":"COLOR_RED","colors":[2,"COLOR_RED",7]}', { color: 'COLOR_RED', colors: ['COLOR_BLUE', 'COLOR_RED', 7] }],
    ['standard base64', '{"bytesValue":"+/8="}', { bytesValue: '+/8=' }],
    ['URL base64 without padding', '{"bytesValue":"-_8"}', { bytesValue: '+/8=' }],
    ['null clears a field', '{"int32Value":null,"at":null,"labels":null,"numbers":null,"color":null}', {}],
    ['null is a Value', '{"anything":null}', { anything: null }],
    ['null in a list of values', '{"list":[null,1,"a",[true],{"b":null}]}', { list: [null, 1, 'a', [true], { b: null }] }],
    ['a map with integer keys', '{"counts":{"1":"2","-3":4}}', { counts: { '1': '2', '-3': '4' } }],
    ['a map with bool keys', '{"byFlag":{"true":{"int32Value":1}}}', { byFlag: { true: { int32Value: 1 } } }],
    ['a map key that is a prototype name', '{"labels":{"__proto__":"x","constructor":"y"}}', JSON.parse('{"labels":{"__proto__":"x","constructor":"y"}}')],
    ['a struct key that is a prototype name', '{"fields":{"__proto__":{"a":1}}}', JSON.parse('{"fields":{"__proto__":{"a":1}}}')],
    ['a presence field with its default', '{"maybe":0}', { maybe: 0 }],
    ['a oneof member with null beside the one that is set', '{"text":null,"number":"5"}', { number: '5' }],
    ['a time with offset and nanoseconds', '{"at":"2024-02-29T23:59:59.123456789+01:00"}', { at: '2024-02-29T22:59:59.123456789Z' }],
    ['a leap day of a century that has one', '{"at":"2000-02-29T00:00:00Z"}', { at: '2000-02-29T00:00:00Z' }],
    ['a duration', '{"lasting":"-1.5s"}', { lasting: '-1.500s' }],
    ['a field mask', '{"mask":"a,bC.d"}', { mask: 'a,bC.d' }],
    ['wrappers', '{"wrappedText":"","wrappedLong":"1e3","wrappedFlag":false}', { wrappedText: '', wrappedLong: '1000', wrappedFlag: false }],
    [
      'an Any',
      '{"any":{"@type":"type.googleapis.com/test.v1.Kinds","int64Value":"5e1"}}',
      { any: { '@type': 'type.googleapis.com/test.v1.Kinds', int64Value: '50' } },
    ],
    [
      'an Any of a well-known type',
      '{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"2s"}}',
      { any: { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '2s' } },
    ],
    ['an empty Any', '{"any":{}}', { any: {} }],
  ]
  test.each(cases)('%s', (_, input, output) => {
    expect(through(input)).toEqual(output)
  })
})

describe('ProtoJSON input that is refused, with the path of the member', () => {
  const cases: readonly (readonly [what: string, input: string, path: string])[] = [
    ['null as the message', 'null', 'body'],
    ['a list as the message', '[]', 'body'],
    ['a string as the message', '"x"', 'body'],
    ['an unknown field', '{"children":[{"nope":1}]}', 'children[0].nope'],
    ['both names of a field', '{"int32Value":1,"int32_value":1}', 'int32_value'],
    ['two members of a oneof', '{"text":"a","number":1}', 'number'],
    ['hex in an integer', '{"int64Value":"0x10"}', 'int64Value'],
    ['hex in a 32-bit integer', '{"int32Value":"0x10"}', 'int32Value'],
    ['blanks around an integer', '{"int64Value":" 7 "}', 'int64Value'],
    ['blanks around a double', '{"doubleValue":" 7 "}', 'doubleValue'],
    ['a plus sign', '{"int32Value":"+7"}', 'int32Value'],
    ['a leading zero', '{"int32Value":"007"}', 'int32Value'],
    ['an empty number', '{"int32Value":""}', 'int32Value'],
    ['a fraction in an integer', '{"int32Value":1.5}', 'int32Value'],
    ['an exponent that ends in a fraction', '{"int64Value":"15e-1"}', 'int64Value'],
    ['an integer out of range', '{"int32Value":2147483648}', 'int32Value'],
    ['a negative unsigned integer', '{"uint32Value":-1}', 'uint32Value'],
    ['a long out of range', '{"int64Value":9223372036854775808}', 'int64Value'],
    ['an unsigned long out of range', '{"uint64Value":"18446744073709551616"}', 'uint64Value'],
    ['a huge exponent', '{"int64Value":"1e999999"}', 'int64Value'],
    ['a double out of range', '{"doubleValue":1e400}', 'doubleValue'],
    ['a quoted double out of range', '{"doubleValue":"1e400"}', 'doubleValue'],
    ['a float out of range', '{"floatValue":1e39}', 'floatValue'],
    ['a bool in quotes', '{"boolValue":"true"}', 'boolValue'],
    ['a number for a bool', '{"boolValue":1}', 'boolValue'],
    ['a number for a string', '{"stringValue":1}', 'stringValue'],
    ['a long number for a string', '{"stringValue":12345678901234567890}', 'stringValue'],
    ['text that is no base64', '{"bytesValue":"a*b="}', 'bytesValue'],
    ['blanks in base64', '{"bytesValue":"YW Jj"}', 'bytesValue'],
    ['base64 with padding inside', '{"bytesValue":"YQ==YQ=="}', 'bytesValue'],
    ['an unknown enum name', '{"children":[{"colors":["COLOR_GREEN"]}]}', 'children[0].colors[0]'],
    ['an enum number out of range', '{"color":2147483648}', 'color'],
    ['an enum number with a fraction', '{"color":1.5}', 'color'],
    ['null in a list', '{"numbers":[1,null]}', 'numbers[1]'],
    ['null in a map', '{"labels":{"a":null}}', 'labels["a"]'],
    ['an object for a list', '{"numbers":{}}', 'numbers'],
    ['a list for a map', '{"labels":[]}', 'labels'],
    ['a hex map key', '{"counts":{"0x10":1}}', 'counts["0x10"]'],
    ['a map key that is no bool', '{"byFlag":{"True":{}}}', 'byFlag["True"]'],
    ['a day that does not exist', '{"at":"2023-02-29T00:00:00Z"}', 'at'],
    ['a leap day of a century without', '{"at":"1900-02-29T00:00:00Z"}', 'at'],
    ['the 31st of April', '{"at":"2023-04-31T00:00:00Z"}', 'at'],
    ['the year zero', '{"at":"0000-01-01T00:00:00Z"}', 'at'],
    ['hour 24', '{"at":"2023-01-01T24:00:00Z"}', 'at'],
    ['a lower-case t', '{"at":"2023-01-01t00:00:00z"}', 'at'],
    ['a time without an offset', '{"at":"2023-01-01T00:00:00"}', 'at'],
    ['text after a duration', '{"lasting":"1sfoo"}', 'lasting'],
    ['ten digits of nanoseconds', '{"lasting":"1.1234567890s"}', 'lasting'],
    ['a duration without unit', '{"lasting":"1"}', 'lasting'],
    ['a number for a Struct', '{"fields":1}', 'fields'],
    ['a number out of range in a Struct', '{"fields":{"a":1e400}}', 'fields.a'],
    ['an Any without @type', '{"any":{"x":1}}', 'any'],
    ['an Any of unknown type', '{"any":{"@type":"type.googleapis.com/nope.Nope"}}', 'any'],
    ['a bad member inside an Any', '{"any":{"@type":"type.googleapis.com/test.v1.Kinds","int32Value":"x"}}', 'any.int32Value'],
    ['a bad value inside an Any', '{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"2"}}', 'any.value'],
  ]
  test.each(cases)('%s', (_, input, path) => {
    const fault = refusal(() => through(input))
    expect(fault?.code).toBe('body_invalid')
    expect(fault?.message.slice(0, path.length + 2)).toBe(`${path}: `)
  })
})

test('what only the library refuses is a fault of the body too', () => {
  for (const text of ['{"mask":"a_b"}', '{"lasting":"999999999999s"}', '{"at":"9999-12-31T23:59:59-01:00"}']) {
    expect([text, refusal(() => through(text))?.code]).toEqual([text, 'body_invalid'])
  }
})

test('unknown fields and enum names are passed over when the route says so', () => {
  expect(through('{"nope":1,"color":"NOPE","colors":["NOPE","COLOR_RED"],"int32Value":1}', { ignoreUnknownFields: true })).toEqual({
    int32Value: 1,
    colors: ['COLOR_RED'],
  })
})

test('defaults, numbers for enums and proto names are written when the route says so', () => {
  const output = through('{"color":"COLOR_RED","maybe":0}', { emitDefaults: true, enumsAsInts: true, protoNames: true })
  expect(output).toMatchObject({ color: 1, maybe: 0, int64_value: '0', numbers: [], labels: {}, string_value: '', renamed: '' })
  expect(output).not.toHaveProperty('text')
  expect(output).not.toHaveProperty('at')
  expect(through('{}', { emitDefaults: true })).not.toHaveProperty('maybe')
})

test('a message that cannot be read is the upstream’s fault', () => {
  const codec = buildJsonCodec(book.registry, plain)
  expect(() => codec.toJson(kinds, new Uint8Array([0x0a, 0xff]))).toThrow(expect.objectContaining({ code: 'upstream_protocol' }))
})

const colors = fc.constantFrom<JsonValue>('COLOR_UNSPECIFIED', 'COLOR_RED', 'COLOR_BLUE')
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)
const text = fc.string({ unit: anyCharacter })
const bytes = fc.uint8Array({ maxLength: 20 }).map((value) => Buffer.from(value).toString('base64'))
const time = fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true }).map((date) => date.toISOString())
const messageArbitrary = fc.letrec<{ kinds: JsonValue }>((tie) => ({
  kinds: fc.record(
    {
      int32Value: int32,
      sint32Value: int32,
      uint32Value: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      int64Value: int64,
      sfixed64Value: int64,
      doubleValue: fc.double({ noNaN: true, noDefaultInfinity: true }),
      floatValue: fc.float({ noNaN: true, noDefaultInfinity: true }),
      boolValue: fc.boolean(),
      stringValue: text,
      bytesValue: bytes,
      color: colors,
      maybe: int32,
      numbers: fc.array(int32),
      colors: fc.array(colors),
      children: fc.array(tie('kinds'), { maxLength: 2 }),
      labels: fc.dictionary(text, text),
      counts: fc.dictionary(int32.map(String), int64),
      text,
      at: time,
      fields: fc.dictionary(text, fc.jsonValue({ maxDepth: 2 })),
      anything: fc.jsonValue({ maxDepth: 3 }),
      wrappedLong: int64,
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<JsonValue>,
})).kinds

test('any message goes from JSON to the wire and back as the protobuf library takes it', () => {
  fc.assert(
    fc.property(messageArbitrary, (json) => {
      const source = JSON.stringify(json)
      const expected = toJson(kinds, fromBinary(kinds, toBinary(kinds, fromJson(kinds, JSON.parse(source) as JsonValue, { registry: book.registry }))))
      expect(through(source)).toEqual(expected)
    }),
  )
})

test('any JSON value is converted or refused as body_invalid', () => {
  const names = fc.constantFrom(
    'int32Value',
    'int64_value',
    'color',
    'numbers',
    'labels',
    'counts',
    'at',
    'any',
    '@type',
    'fields',
    'children',
    'nested',
    '__proto__',
  )
  const value = fc.letrec<{ json: JsonValue }>((tie) => ({
    json: fc.oneof(
      { depthSize: 'small' },
      fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<JsonValue>,
      fc.array(tie('json'), { maxLength: 3 }),
      fc.dictionary(names, tie('json'), { maxKeys: 4 }) as fc.Arbitrary<JsonValue>,
    ),
  })).json
  fc.assert(
    fc.property(value, (json) => {
      expect(['body_invalid', undefined]).toContain(refusal(() => through(JSON.stringify(json)))?.code)
    }),
    { numRuns: 500 },
  )
})

test('a required field that is missing is a fault of the body', async () => {
  const old = await bookFrom({ 'old.proto': 'syntax = "proto2"; package old.v1; message Old { required string id = 1; }' })
  const desc = old.registry.getMessage('old.v1.Old')
  if (desc === undefined) throw new Error('no Old')
  expect(() => serialize(desc, create(desc))).toThrow(expect.objectContaining({ code: 'body_invalid' }))
})
