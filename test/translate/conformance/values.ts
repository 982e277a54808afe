import type { JsonValue } from '@bufbuild/protobuf'

/** A text for a field, and the JSON that it must become, or what its sender must be told. */
export interface Value {
  readonly field: string
  readonly text: string
  /** Undefined: the default, which proto3 does not write. */
  readonly json?: JsonValue | undefined
  readonly refusal?: string
  readonly source: string
}

/** One field of every type that a text can be given for. */
export const valuesProto = `
message Values {
  int32 int32 = 1;
  sint32 sint32 = 2;
  sfixed32 sfixed32 = 3;
  uint32 uint32 = 4;
  fixed32 fixed32 = 5;
  int64 int64 = 6;
  sint64 sint64 = 7;
  sfixed64 sfixed64 = 8;
  uint64 uint64 = 9;
  fixed64 fixed64 = 10;
  bool bool = 11;
  float float = 12;
  double double = 13;
  string string = 14;
  bytes bytes = 15;
  Color color = 16;
  google.protobuf.Int32Value int32_value = 17;
  google.protobuf.UInt32Value uint32_value = 18;
  google.protobuf.Int64Value int64_value = 19;
  google.protobuf.UInt64Value uint64_value = 20;
  google.protobuf.BoolValue bool_value = 21;
  google.protobuf.FloatValue float_value = 22;
  google.protobuf.DoubleValue double_value = 23;
  google.protobuf.StringValue string_value = 24;
  google.protobuf.BytesValue bytes_value = 25;
  google.protobuf.Timestamp timestamp = 26;
  google.protobuf.Duration duration = 27;
  google.protobuf.FieldMask mask = 28;
  optional int32 maybe_int32 = 29;
  optional string maybe_string = 30;
  optional bool maybe_bool = 31;
  optional Color maybe_color = 32;
}

enum Color {
  option allow_alias = true;
  COLOR_UNSPECIFIED = 0;
  COLOR_RED = 1;
  COLOR_CRIMSON = 1;
  COLOR_BLUE = 2;
  COLOR_NEGATIVE = -3;
}
`

/** What `valuesProto` needs before it. */
export const valuesImports = `import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
`

type Taken = readonly [text: string, json?: JsonValue]

function taken(field: string, source: string, rows: readonly Taken[]): readonly Value[] {
  return rows.map(([text, json]) => ({ field, text, json, source }))
}

function wrong(field: string, source: string, refusal: string, texts: readonly string[]): readonly Value[] {
  return texts.map((text) => ({ field, text, refusal, source }))
}

const row = (type: string, deviation = ''): string => `reference 2.5: ${type}${deviation === '' ? '' : `; ${deviation}`}`
const ints = row('int and uint, decimal, range checked', 'grpc-gateway reads 0x10 as 16 and 010 as 8')
const bools = row('bool, true and false', 'grpc-gateway takes 1 t T, Envoy yes, y, 1')
const floats = row('float and double: decimal, NaN, Infinity, -Infinity', 'Envoy takes hex')
const enums = row('enum: name or number, unknown number of an open enum')
const bytes = row('bytes: both alphabets, padded or not', 'grpc-gateway refuses unpadded')
const wrappers = row('wrappers: the bare value')
const times = row('Timestamp: RFC 3339')
const durations = row('Duration: ProtoJSON', 'grpc-gateway takes 1h')
const masks = row('FieldMask: both spellings', 'Vanguard refuses snake_case, grpc-gateway does not convert camelCase')

const int32 = { most: '2147483647', least: '-2147483648', above: '2147483648', below: '-2147483649' }
const uint32 = { most: '4294967295', above: '4294967296' }
const int64 = { most: '9223372036854775807', least: '-9223372036854775808', above: '9223372036854775808', below: '-9223372036854775809' }
const uint64 = { most: '18446744073709551615', above: '18446744073709551616' }
/** Not the decimal form of an integer. */
const notDecimal = [
  'abc',
  '+1',
  '-0',
  '00',
  '010',
  '0x10',
  '1e3',
  '1.0',
  '1.5',
  '1_000',
  '1,000',
  '%201',
  '1%20',
  '--1',
  '-',
  'NaN',
  'Infinity',
  '%D9%A1',
  '1n',
  'null',
]

const signed32 = ['int32', 'sint32', 'sfixed32'].flatMap((field) => [
  ...taken(field, ints, [
    [int32.most, Number(int32.most)],
    [int32.least, Number(int32.least)],
  ]),
  ...wrong(field, ints, 'expected an integer from -2147483648 to 2147483647', [int32.above, int32.below]),
])
const unsigned32 = ['uint32', 'fixed32'].flatMap((field) => [
  ...taken(field, ints, [[uint32.most, Number(uint32.most)]]),
  ...wrong(field, ints, 'expected an integer from 0 to 4294967295', [uint32.above, '-1']),
])
const signed64 = ['int64', 'sint64', 'sfixed64'].flatMap((field) => [
  ...taken(field, ints, [
    [int64.most, int64.most],
    [int64.least, int64.least],
  ]),
  ...wrong(field, ints, 'expected an integer from -9223372036854775808 to 9223372036854775807', [int64.above, int64.below]),
])
const unsigned64 = ['uint64', 'fixed64'].flatMap((field) => [
  ...taken(field, ints, [[uint64.most, uint64.most]]),
  ...wrong(field, ints, 'expected an integer from 0 to 18446744073709551615', [uint64.above, '-1']),
])

/** The rows of one conversion table for path and query. */
export const values: readonly Value[] = [
  ...signed32,
  ...unsigned32,
  ...signed64,
  ...unsigned64,
  ...taken('int32', ints, [['0'], ['7', 7], ['-7', -7], ['%37', 7]]),
  ...wrong('int32', ints, 'expected an integer', notDecimal),
  ...taken('int64', ints, [['0'], ['9007199254740993', '9007199254740993'], ['-1', '-1']]),
  ...wrong('int64', ints, 'expected an integer', ['0x10', '010', '1e3', '1.0', '99999999999999999999999999']),
  ...taken('bool', bools, [['true', true], ['false']]),
  ...wrong('bool', bools, 'expected true or false', ['TRUE', 'True', 't', '1', '0', 'yes', 'on', 'y', 'null', 'true%20', '%22true%22']),
  ...taken('double', floats, [
    ['0'],
    ['1.5', 1.5],
    ['-1.5e3', -1500],
    ['1e-3', 0.001],
    ['1E5', 100000],
    ['NaN', 'NaN'],
    ['Infinity', 'Infinity'],
    ['-Infinity', '-Infinity'],
    ['1.7976931348623157e308', 1.7976931348623157e308],
    ['5e-324', 5e-324],
    ['0.1', 0.1],
    ['12345678901234567890', 12345678901234567000],
  ]),
  ...wrong('double', floats, 'expected a number', [
    '1e309',
    '-1e309',
    '0x1',
    '1.',
    '.5',
    '+1',
    'nan',
    'inf',
    'infinity',
    '-NaN',
    '1e',
    '1,5',
    '01',
    'abc',
    '%201',
  ]),
  ...taken('float', floats, [
    ['1.5', 1.5],
    ['3.4028234663852886e38', 3.4028234663852886e38],
    ['NaN', 'NaN'],
    ['-Infinity', '-Infinity'],
  ]),
  ...wrong('float', floats, 'expected a number', ['3.5e38', '-3.5e38', '1e39']),
  ...taken('string', row('string'), [
    ['a', 'a'],
    ['true', 'true'],
    ['12', '12'],
    ['null', 'null'],
    ['%22a%22', '"a"'],
    ['a,b', 'a,b'],
    ['%20', ' '],
  ]),
  ...taken('color', enums, [
    ['COLOR_RED', 'COLOR_RED'],
    ['COLOR_CRIMSON', 'COLOR_RED'],
    ['1', 'COLOR_RED'],
    ['COLOR_UNSPECIFIED'],
    ['0'],
    ['-3', 'COLOR_NEGATIVE'],
    ['99', 99],
    ['-2147483648', -2147483648],
    ['2147483647', 2147483647],
  ]),
  ...wrong('color', enums, 'not a value of', ['COLOR_GREEN', 'color_red', 'RED', 'Color_Red', '2147483648', '1.0', '01', '0x1', 'COLOR_RED%20']),
  ...taken('bytes', bytes, [
    ['AQID', 'AQID'],
    ['AQI=', 'AQI='],
    ['AQI', 'AQI='],
    ['AQ', 'AQ=='],
    ['AQ==', 'AQ=='],
    ['%2B%2F8=', '+/8='],
    ['-_8=', '+/8='],
    ['-_8', '+/8='],
    ['%2B%2F8', '+/8='],
  ]),
  ...wrong('bytes', bytes, 'expected base64', ['A', 'AQID=', 'AQ=', 'A*ID', 'AQ%20ID', 'AQ=I', '%C3%A9']),
  ...taken('int32_value', wrappers, [
    ['5', 5],
    ['0', 0],
    ['-5', -5],
  ]),
  ...taken('uint32_value', wrappers, [
    ['5', 5],
    ['0', 0],
  ]),
  ...taken('int64_value', wrappers, [
    [int64.most, int64.most],
    ['0', '0'],
  ]),
  ...taken('uint64_value', wrappers, [
    [uint64.most, uint64.most],
    ['0', '0'],
  ]),
  ...taken('bool_value', wrappers, [
    ['true', true],
    ['false', false],
  ]),
  ...taken('float_value', wrappers, [
    ['1.5', 1.5],
    ['0', 0],
    ['NaN', 'NaN'],
  ]),
  ...taken('double_value', wrappers, [
    ['1.5', 1.5],
    ['0', 0],
    ['-Infinity', '-Infinity'],
  ]),
  ...taken('string_value', wrappers, [
    ['a', 'a'],
    ['null', 'null'],
  ]),
  ...taken('bytes_value', wrappers, [
    ['AQ', 'AQ=='],
    ['-_8', '+/8='],
  ]),
  ...wrong('int32_value', wrappers, 'expected an integer', ['2147483648', 'abc', '1.0']),
  ...wrong('uint32_value', wrappers, 'expected an integer', ['-1']),
  ...wrong('int64_value', wrappers, 'expected an integer', [int64.above]),
  ...wrong('bool_value', wrappers, 'expected true or false', ['1']),
  ...wrong('double_value', wrappers, 'expected a number', ['1e309', 'abc']),
  ...wrong('bytes_value', wrappers, 'expected base64', ['A']),
  ...taken('timestamp', times, [
    ['2024-02-29T12:30:00Z', '2024-02-29T12:30:00Z'],
    ['2024-01-01T00:00:00.5Z', '2024-01-01T00:00:00.500Z'],
    ['2024-01-01T00:00:00.123456789Z', '2024-01-01T00:00:00.123456789Z'],
    ['2024-01-01T01:00:00-01:00', '2024-01-01T02:00:00Z'],
    ['2024-01-01T01:00:00%2B01:00', '2024-01-01T00:00:00Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
    ['9999-12-31T23:59:59.999999999Z', '9999-12-31T23:59:59.999999999Z'],
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z'],
  ]),
  ...wrong('timestamp', times, 'expected a time', [
    '2024-01-01',
    '2024-01-01T00:00:00',
    '2024-01-01t00:00:00Z',
    '2024-01-01T00:00:00z',
    '2024-01-01%2000:00:00Z',
    '1700000000',
    '2024-01-01T00:00:00.1234567890Z',
    '10000-01-01T00:00:00Z',
    '24-01-01T00:00:00Z',
  ]),
  ...wrong('timestamp', times, 'no such day', [
    '2023-02-29T00:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-00-01T00:00:00Z',
    '2024-04-31T00:00:00Z',
    '0000-01-01T00:00:00Z',
  ]),
  ...wrong('timestamp', times, 'no such time', ['2024-01-01T24:00:00Z', '2024-01-01T00:60:00Z', '2024-01-01T00:00:61Z']),
  ...wrong('timestamp', 'reference 2.7: years 0001 to 9999 after applying the offset', 'out of range', [
    '0001-01-01T00:00:00%2B01:00',
    '9999-12-31T23:59:59-01:00',
  ]),
  ...taken('duration', durations, [
    ['1.5s', '1.500s'],
    ['-1.5s', '-1.500s'],
    ['0s', '0s'],
    ['3s', '3s'],
    ['0.000000001s', '0.000000001s'],
    ['315576000000s', '315576000000s'],
    ['-315576000000s', '-315576000000s'],
  ]),
  ...wrong('duration', durations, 'expected a duration', ['1h', '1m30s', '1.5', '1', 's', '1.s', '.5s', '+1s', '1S', '1.0000000001s', '1%20s', '1ms']),
  ...wrong('duration', 'reference 2.7: within ±315,576,000,000 s', 'out of range', ['315576000001s', '-315576000001s']),
  ...taken('mask', masks, [
    ['display_name', 'displayName'],
    ['displayName', 'displayName'],
    ['a,b.c_d,e', 'a,b.cD,e'],
    ['a.b.c', 'a.b.c'],
  ]),
  ...taken('mask', 'AIP-134: the special value * is full replacement', [['*', '*']]),
  ...wrong('mask', masks, 'is not a field path', ['a,,b', 'a.', '.a', 'a_bC', 'a%20b', 'a,', 'a%2Fb']),
  ...taken('maybe_int32', row('optional: the default value is present'), [['0', 0]]),
  ...taken('maybe_bool', row('optional: the default value is present'), [['false', false]]),
  ...taken('maybe_color', row('optional: the default value is present'), [
    ['COLOR_UNSPECIFIED', 'COLOR_UNSPECIFIED'],
    ['0', 'COLOR_UNSPECIFIED'],
  ]),
]

/** The JSON name of a field of `Values`. */
export function jsonName(field: string): string {
  return field.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
