import type { JsonValue } from '@bufbuild/protobuf'
import { type Case, conform } from './house.ts'
import { becomes, bodyRefused, sent } from './requests.ts'

const fields = `
  int32 optional_int32 = 1;
  int64 optional_int64 = 2;
  uint32 optional_uint32 = 3;
  uint64 optional_uint64 = 4;
  sint32 optional_sint32 = 5;
  sint64 optional_sint64 = 6;
  fixed32 optional_fixed32 = 7;
  fixed64 optional_fixed64 = 8;
  sfixed32 optional_sfixed32 = 9;
  sfixed64 optional_sfixed64 = 10;
  float optional_float = 11;
  double optional_double = 12;
  bool optional_bool = 13;
  string optional_string = 14;
  bytes optional_bytes = 15;
  NestedMessage optional_nested_message = 18;
  NestedEnum optional_nested_enum = 21;
  AliasedEnum optional_aliased_enum = 23;
  repeated int32 repeated_int32 = 31;
  repeated int64 repeated_int64 = 32;
  repeated double repeated_double = 42;
  repeated bool repeated_bool = 43;
  repeated string repeated_string = 44;
  repeated bytes repeated_bytes = 45;
  repeated NestedMessage repeated_nested_message = 48;
  repeated NestedEnum repeated_nested_enum = 51;
  map<int32, int32> map_int32_int32 = 56;
  map<int64, int64> map_int64_int64 = 57;
  map<uint64, uint64> map_uint64_uint64 = 59;
  map<bool, bool> map_bool_bool = 68;
  map<string, string> map_string_string = 69;
  map<string, bytes> map_string_bytes = 70;
  map<string, NestedMessage> map_string_nested_message = 71;
  map<string, NestedEnum> map_string_nested_enum = 73;
  oneof oneof_field {
    uint32 oneof_uint32 = 111;
    NestedMessage oneof_nested_message = 112;
    string oneof_string = 113;
    bool oneof_bool = 115;
    NestedEnum oneof_enum = 119;
    google.protobuf.NullValue oneof_null_value = 120;
    google.protobuf.Value oneof_value = 121;
  }
  google.protobuf.BoolValue optional_bool_wrapper = 201;
  google.protobuf.Int32Value optional_int32_wrapper = 202;
  google.protobuf.Int64Value optional_int64_wrapper = 203;
  google.protobuf.UInt32Value optional_uint32_wrapper = 204;
  google.protobuf.UInt64Value optional_uint64_wrapper = 205;
  google.protobuf.FloatValue optional_float_wrapper = 206;
  google.protobuf.DoubleValue optional_double_wrapper = 207;
  google.protobuf.StringValue optional_string_wrapper = 208;
  google.protobuf.BytesValue optional_bytes_wrapper = 209;
  repeated google.protobuf.Int32Value repeated_int32_wrapper = 212;
  google.protobuf.Duration optional_duration = 301;
  google.protobuf.Timestamp optional_timestamp = 302;
  google.protobuf.FieldMask optional_field_mask = 303;
  google.protobuf.Struct optional_struct = 304;
  google.protobuf.Value optional_value = 306;
  google.protobuf.NullValue optional_null_value = 307;
  repeated google.protobuf.Duration repeated_duration = 311;
  repeated google.protobuf.Timestamp repeated_timestamp = 312;
  repeated google.protobuf.Value repeated_value = 316;
  google.protobuf.ListValue optional_list_value = 317;
  int32 fieldname1 = 401;
  int32 field_name2 = 402;
  int32 _field_name3 = 403;
  int32 field__name4_ = 404;
  int32 field0name5 = 405;
  int32 field_0_name6 = 406;
  int32 fieldName7 = 407;
  int32 FieldName8 = 408;
  int32 field_Name9 = 409;
  int32 Field_Name10 = 410;
  int32 renamed = 411 [json_name = "@custom"];
  optional int32 maybe = 412;
  optional NestedEnum maybe_enum = 413;
`

const protos = {
  'conformance/json/v1/json.proto': `
syntax = "proto3";
package conformance.json.v1;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

// The same message twice: an Any keeps the second from the compiled codec.
service Json {
  rpc Compiled(TestAllTypes) returns (Empty);
  rpc Checked(TestAllTypesAndAny) returns (Empty);
}
message Empty {}
message NestedMessage { int32 a = 1; TestAllTypes corecursive = 2; }
enum NestedEnum { FOO = 0; BAR = 1; BAZ = 2; NEG = -1; }
enum AliasedEnum { option allow_alias = true; ALIAS_FOO = 0; ALIAS_BAR = 1; ALIAS_BAZ = 2; MOO = 2; moo = 2; bAz = 2; }
message TestAllTypes {${fields}}
message TestAllTypesAndAny {${fields}
  google.protobuf.Any optional_any = 305;
  repeated google.protobuf.Any repeated_any = 315;
}
`,
}

const suite = (test: string): string => `binary_json_conformance_suite.cc: ${test}`
const wire = '/conformance.json.v1.Json/'

const both = (test: string, json: string, message: JsonValue): readonly Case[] =>
  ['Compiled', 'Checked'].map((rpc) => becomes(`${rpc}: ${json}`, suite(test), sent(`POST ${wire}${rpc}`, json), rpc, message))
const neither = (test: string, json: string, says = ''): readonly Case[] =>
  ['Compiled', 'Checked'].map((rpc) => bodyRefused(`${rpc}: ${json} is refused`, suite(test), sent(`POST ${wire}${rpc}`, json), says))
const any = (test: string, json: string, message: JsonValue): Case => becomes(json, suite(test), sent(`POST ${wire}Checked`, json), 'Checked', message)
const noAny = (test: string, json: string, says = 'optionalAny'): Case =>
  bodyRefused(`${json} is refused`, suite(test), sent(`POST ${wire}Checked`, json), says)
/** The member alone, with what it becomes; undefined where that is the default. */
const one = (test: string, member: string, json: string, value?: JsonValue): readonly Case[] =>
  both(test, `{"${member}": ${json}}`, value === undefined ? {} : { [member]: value })
const no = (test: string, member: string, json: string): readonly Case[] => neither(test, `{"${member}": ${json}}`, member)
/** The same, where the parser of JSON refuses it before anybody looks at members. */
const noJson = (test: string, json: string): readonly Case[] => neither(test, json, 'the body is not acceptable JSON')

const max64 = '9223372036854775807'
const min64 = '-9223372036854775808'
const maxU64 = '18446744073709551615'

conform('ProtoJSON input: numbers', { protos }, [
  ...one('Int32FieldMaxValue', 'optionalInt32', '2147483647', 2147483647),
  ...one('Int32FieldMinValue', 'optionalInt32', '-2147483648', -2147483648),
  ...one('Uint32FieldMaxValue', 'optionalUint32', '4294967295', 4294967295),
  ...one('Int64FieldMaxValue', 'optionalInt64', `"${max64}"`, max64),
  ...one('Int64FieldMinValue', 'optionalInt64', `"${min64}"`, min64),
  ...one('Uint64FieldMaxValue', 'optionalUint64', `"${maxU64}"`, maxU64),
  ...one('Int64FieldMaxValueNotQuoted', 'optionalInt64', max64, max64),
  ...one('Int64FieldMinValueNotQuoted', 'optionalInt64', min64, min64),
  ...one('Uint64FieldMaxValueNotQuoted', 'optionalUint64', maxU64, maxU64),
  ...one('Int32FieldStringValue', 'optionalInt32', '"2147483647"', 2147483647),
  ...one('Int32FieldStringValueEscaped', 'optionalInt32', '"2\\u003147483647"', 2147483647),
  ...one('Int32FieldQuotedExponentialValue', 'optionalInt32', '"1e5"', 100000),
  ...one('Int32FieldStringValueZero', 'optionalInt32', '"0"'),
  ...one('Int32FieldExponentialFormat', 'optionalInt32', '1e5', 100000),
  ...one('Int32FieldFloatTrailingZero', 'optionalInt32', '100000.000', 100000),
  ...one('Int32FieldMaxFloatValue', 'optionalInt32', '2147483647.0', 2147483647),
  ...one('Int32FieldMinFloatValue', 'optionalInt32', '-2147483648.0', -2147483648),
  ...one('Uint32FieldMaxFloatValue', 'optionalUint32', '4294967295.0', 4294967295),
  ...one('Int64FieldExponent', 'optionalInt64', '"9.223372036854775807e18"', max64),
  ...one('Int64FieldIntegral', 'optionalInt64', '"1.0"', '1'),
  ...one('Int32FieldNegativeZero', 'optionalInt32', '-0'),
  ...one('Int64FieldBeyondDouble', 'optionalInt64', '9007199254740993', '9007199254740993'),
  ...one('Sint32', 'optionalSint32', '-2147483648', -2147483648),
  ...one('Sint64', 'optionalSint64', `"${min64}"`, min64),
  ...one('Fixed32', 'optionalFixed32', '4294967295', 4294967295),
  ...one('Fixed64', 'optionalFixed64', `"${maxU64}"`, maxU64),
  ...one('Sfixed32', 'optionalSfixed32', '-1', -1),
  ...one('Sfixed64', 'optionalSfixed64', '-1', '-1'),
  ...no('Int32FieldNotInteger', 'optionalInt32', '0.5'),
  ...no('Uint32FieldNotInteger', 'optionalUint32', '0.5'),
  ...no('Int64FieldNotInteger', 'optionalInt64', '"0.5"'),
  ...no('Uint64FieldNotInteger', 'optionalUint64', '"0.5"'),
  ...no('Int32FieldTooLarge', 'optionalInt32', '2147483648'),
  ...no('Int32FieldTooSmall', 'optionalInt32', '-2147483649'),
  ...no('Uint32FieldTooLarge', 'optionalUint32', '4294967296'),
  ...no('Uint32FieldNegative', 'optionalUint32', '-1'),
  ...no('Int64FieldTooLarge', 'optionalInt64', '"9223372036854775808"'),
  ...no('Int64FieldTooSmall', 'optionalInt64', '-9223372036854775809'),
  ...no('Uint64FieldTooLarge', 'optionalUint64', '18446744073709551616'),
  ...no('Uint64FieldNegative', 'optionalUint64', '"-1"'),
  ...no('Int32FieldPlusSign', 'optionalInt32', '"+1"'),
  ...no('Int32FieldLeadingZero', 'optionalInt32', '"01"'),
  ...no('Int32FieldNegativeWithLeadingZero', 'optionalInt32', '"-01"'),
  ...no('Int32FieldLeadingSpace', 'optionalInt32', '" 1"'),
  ...no('Int32FieldTrailingSpace', 'optionalInt32', '"1 "'),
  ...no('Int32FieldHex (reference 5: @bufbuild/protobuf takes it)', 'optionalInt32', '"0x10"'),
  ...no('Int32FieldStringValueNonNumeric', 'optionalInt32', '"abc"'),
  ...no('Int32FieldStringValuePartiallyNumeric', 'optionalInt32', '"12abc"'),
  ...no('Int32FieldStringValueEmpty', 'optionalInt32', '""'),
  ...no('Int32FieldQuotedNotIntegral', 'optionalInt32', '"1.5"'),
  ...no('Int32FieldExponentTooLarge', 'optionalInt32', '1e10'),
  ...no('Int64FieldExponentAbsurd', 'optionalInt64', '"1e400"'),
  ...no('Int64FieldExponentAbsurdUnquoted', 'optionalInt64', '1e400'),
  ...no('Int32FieldBool', 'optionalInt32', 'true'),
  ...no('Int32FieldObject', 'optionalInt32', '{}'),
  ...no('Int32FieldList', 'optionalInt32', '[1]'),
  ...noJson('Int32FieldLeadingZeroNotQuoted', '{"optionalInt32": 01}'),
  ...one('FloatFieldMinPositiveValue', 'optionalFloat', '1.1754943508222875e-38', 1.1754943508222875e-38),
  ...one('FloatFieldMaxPositiveValue', 'optionalFloat', '3.4028234663852886e38', 3.4028234663852886e38),
  ...one('FloatFieldQuotedValue', 'optionalFloat', '"1"', 1),
  ...one('FloatFieldQuotedExponentialValue', 'optionalFloat', '"1.5e2"', 150),
  ...one('FloatFieldNan', 'optionalFloat', '"NaN"', 'NaN'),
  ...one('FloatFieldInfinity', 'optionalFloat', '"Infinity"', 'Infinity'),
  ...one('FloatFieldNegativeInfinity', 'optionalFloat', '"-Infinity"', '-Infinity'),
  ...one('FloatFieldNegativeZero', 'optionalFloat', '"-0"', '-0').map((made) => ({
    ...made,
    reaches: { ...made.reaches, rpc: made.reaches?.rpc ?? '', message: { optionalFloat: -0 } },
  })),
  ...noJson('FloatFieldNanNotQuoted', '{"optionalFloat": NaN}'),
  ...noJson('FloatFieldInfinityNotQuoted', '{"optionalFloat": Infinity}'),
  ...noJson('FloatFieldNegativeInfinityNotQuoted', '{"optionalFloat": -Infinity}'),
  ...no('FloatFieldTooSmall', 'optionalFloat', '-3.502823e+38'),
  ...no('FloatFieldTooLarge', 'optionalFloat', '3.502823e+38'),
  ...no('FloatFieldQuotedTooLarge', 'optionalFloat', '"3.502823e+38"'),
  ...no('FloatFieldStringValueEmpty', 'optionalFloat', '""'),
  ...no('FloatFieldStringValueNonNumeric', 'optionalFloat', '"abc"'),
  ...no('FloatFieldSpelling', 'optionalFloat', '"inf"'),
  ...no('FloatFieldSpelling', 'optionalFloat', '"nan"'),
  ...no('FloatFieldSpace', 'optionalFloat', '" 1"'),
  ...one('DoubleFieldMinPositiveValue', 'optionalDouble', '2.22507e-308', 2.22507e-308),
  ...one('DoubleFieldMaxPositiveValue', 'optionalDouble', '1.7976931348623157e308', 1.7976931348623157e308),
  ...one('DoubleFieldMinNegativeValue', 'optionalDouble', '-2.22507e-308', -2.22507e-308),
  ...one('DoubleFieldQuotedValue', 'optionalDouble', '"1"', 1),
  ...one('DoubleFieldNan', 'optionalDouble', '"NaN"', 'NaN'),
  ...one('DoubleFieldInfinity', 'optionalDouble', '"Infinity"', 'Infinity'),
  ...one('DoubleFieldNegativeInfinity', 'optionalDouble', '"-Infinity"', '-Infinity'),
  ...one('DoubleFieldManyDigits', 'optionalDouble', '12345678901234567890', 12345678901234567000),
  ...one('DoubleFieldUnderflow', 'optionalDouble', '1e-400'),
  ...no('DoubleFieldTooSmall', 'optionalDouble', '-1.89769e+308'),
  ...no('DoubleFieldTooLarge', 'optionalDouble', '1.89769e+308'),
  ...no('DoubleFieldQuotedTooLarge', 'optionalDouble', '"1e400"'),
  ...no('DoubleFieldHex', 'optionalDouble', '"0x1p3"'),
])

conform('ProtoJSON input: texts, enums, messages', { protos }, [
  ...one('StringField', 'optionalString', '"Hello world!"', 'Hello world!'),
  ...one('StringFieldUnicode', 'optionalString', '"谷歌"', '谷歌'),
  ...one('StringFieldEscape', 'optionalString', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'),
  ...one('StringFieldUnicodeEscape', 'optionalString', '"\\u8C37\\u6B4C"', '谷歌'),
  ...one('StringFieldUnicodeEscapeWithLowercaseHexLetters', 'optionalString', '"\\u8c37\\u6b4c"', '谷歌'),
  ...one('StringFieldSurrogatePair', 'optionalString', '"\\uD83D\\uDE01"', '😁'),
  ...one('StringFieldEmbeddedNull', 'optionalString', '"a\\u0000b"', 'a\u0000b'),
  ...one('StringEndsWithEscapeChar', 'optionalString', '"abc\\\\"', 'abc\\'),
  ...noJson('StringFieldUppercaseEscapeLetter', '{"optionalString": "\\U8C37\\U6b4C"}'),
  ...noJson('StringFieldInvalidEscape', '{"optionalString": "\\uXXXX\\u6B4C"}'),
  ...noJson('StringFieldUnterminatedEscape', '{"optionalString": "\\u8C3"}'),
  ...noJson('StringFieldUnpairedHighSurrogate', '{"optionalString": "\\uD800"}'),
  ...noJson('StringFieldUnpairedLowSurrogate', '{"optionalString": "\\uDC00"}'),
  ...noJson('StringFieldSurrogateInWrongOrder', '{"optionalString": "\\uDE01\\uD83D"}'),
  ...no('StringFieldNotAString', 'optionalString', '12345'),
  ...no('StringFieldBool', 'optionalString', 'true'),
  ...one('BytesField', 'optionalBytes', '"AQI="', 'AQI='),
  ...one('BytesFieldBase64Url', 'optionalBytes', '"-_"', '+w=='),
  ...one('BytesFieldUnpadded', 'optionalBytes', '"AQI"', 'AQI='),
  ...one('BytesFieldStandard', 'optionalBytes', '"+/8="', '+/8='),
  ...no('BytesFieldInvalidBase64Characters', 'optionalBytes', '"-_=="'.replace('-_==', '*_==')),
  ...no('BytesFieldOneCharacter', 'optionalBytes', '"A"'),
  ...no('BytesFieldBlank', 'optionalBytes', '"AQ I="'),
  ...no('BytesFieldNotAString', 'optionalBytes', '[1,2]'),
  ...one('BoolFieldTrue', 'optionalBool', 'true', true),
  ...one('BoolFieldFalse', 'optionalBool', 'false'),
  ...no('BoolFieldIntegerZero', 'optionalBool', '0'),
  ...no('BoolFieldIntegerOne', 'optionalBool', '1'),
  ...no('BoolFieldDoubleQuotedTrue (reference 1.5: Envoy takes it)', 'optionalBool', '"true"'),
  ...no('BoolFieldDoubleQuotedFalse', 'optionalBool', '"false"'),
  ...noJson('BoolFieldCamelCaseTrue', '{"optionalBool": True}'),
  ...noJson('BoolFieldAllCapitalTrue', '{"optionalBool": TRUE}'),
  ...one('EnumField', 'optionalNestedEnum', '"BAR"', 'BAR'),
  ...one('EnumFieldNumericValueZero', 'optionalNestedEnum', '0'),
  ...one('EnumFieldNumericValueNonZero', 'optionalNestedEnum', '1', 'BAR'),
  ...one('EnumFieldNegative', 'optionalNestedEnum', '-1', 'NEG'),
  ...one('EnumFieldUnknownValue', 'optionalNestedEnum', '123', 123),
  ...one('EnumFieldWithAlias', 'optionalAliasedEnum', '"ALIAS_BAZ"', 'ALIAS_BAZ'),
  ...one('EnumFieldWithAliasUseAlias', 'optionalAliasedEnum', '"MOO"', 'ALIAS_BAZ'),
  ...one('EnumFieldWithAliasLowerCase', 'optionalAliasedEnum', '"moo"', 'ALIAS_BAZ'),
  ...one('EnumFieldWithAliasDifferentCase', 'optionalAliasedEnum', '"bAz"', 'ALIAS_BAZ'),
  ...no('EnumFieldUnknownName', 'optionalNestedEnum', '"NOPE"'),
  ...no('EnumFieldWrongCase', 'optionalNestedEnum', '"bar"'),
  ...no('EnumFieldEmptyName', 'optionalNestedEnum', '""'),
  ...no('EnumFieldNotInteger', 'optionalNestedEnum', '1.5'),
  ...no('EnumFieldOutOfRange', 'optionalNestedEnum', '2147483648'),
  ...no('EnumFieldBool', 'optionalNestedEnum', 'true'),
  ...noJson('EnumFieldNotQuoted', '{"optionalNestedEnum": FOO}'),
  ...one('MessageField', 'optionalNestedMessage', '{"a": 1234}', { a: 1234 }),
  ...one('MessageFieldEmpty', 'optionalNestedMessage', '{}', {}),
  ...one('MessageFieldRecursive', 'optionalNestedMessage', '{"corecursive": {"optionalNestedMessage": {"a": 1}}}', {
    corecursive: { optionalNestedMessage: { a: 1 } },
  }),
  ...no('MessageFieldNotMessage', 'optionalNestedMessage', '123'),
  ...no('MessageFieldList', 'optionalNestedMessage', '[]'),
  ...no('MessageFieldUnknownMember', 'optionalNestedMessage', '{"b": 1}'),
  ...both('OptionalDefault', '{"maybe": 0}', { maybe: 0 }),
  ...both('OptionalEnumDefault', '{"maybeEnum": "FOO"}', { maybeEnum: 'FOO' }),
  ...both('OptionalNull', '{"maybe": null}', {}),
])

conform('ProtoJSON input: lists, maps, oneofs', { protos }, [
  ...one('PrimitiveRepeatedField', 'repeatedInt32', '[1, 2, 3, 4]', [1, 2, 3, 4]),
  ...one('RepeatedQuoted', 'repeatedInt64', '["1", 2, "-3"]', ['1', '2', '-3']),
  ...one('EnumRepeatedField', 'repeatedNestedEnum', '["FOO", "BAR", 2, 77]', ['FOO', 'BAR', 'BAZ', 77]),
  ...one('StringRepeatedField', 'repeatedString', '["Hello", ""]', ['Hello', '']),
  ...one('BytesRepeatedField', 'repeatedBytes', '["AAEC", "AQI="]', ['AAEC', 'AQI=']),
  ...one('DoubleRepeatedField', 'repeatedDouble', '[0, "NaN", 1.5]', [0, 'NaN', 1.5]),
  ...one('MessageRepeatedField', 'repeatedNestedMessage', '[{"a": 1234}, {}]', [{ a: 1234 }, {}]),
  ...one('RepeatedEmpty', 'repeatedInt32', '[]'),
  ...one('RepeatedNull', 'repeatedInt32', 'null'),
  ...no('RepeatedFieldWrongElementTypeExpectingIntegersGotBool', 'repeatedInt32', '[1, false, 3]'),
  ...no('RepeatedFieldWrongElementTypeExpectingIntegersGotString', 'repeatedInt32', '[1, 2, "name"]'),
  ...no('RepeatedFieldWrongElementTypeExpectingIntegersGotMessage', 'repeatedInt32', '[1, {"a": 4}]'),
  ...no('RepeatedFieldWrongElementTypeExpectingStringsGotInt', 'repeatedString', '["1", 2]'),
  ...no('RepeatedFieldWrongElementTypeExpectingStringsGotBool', 'repeatedString', '["1", true]'),
  ...no('RepeatedFieldWrongElementTypeExpectingMessagesGotInt', 'repeatedNestedMessage', '[{"a": 1}, 2]'),
  ...no('RepeatedFieldPrimitiveElementIsNull', 'repeatedInt32', '[1, null, 2]'),
  ...no('RepeatedFieldMessageElementIsNull', 'repeatedNestedMessage', '[{"a":1}, null]'),
  ...no('RepeatedFieldNotList', 'repeatedInt32', '1'),
  ...no('RepeatedFieldObject', 'repeatedInt32', '{"0": 1}'),
  ...no('RepeatedFieldNestedList', 'repeatedInt32', '[[1]]'),
  ...noJson('RepeatedFieldTrailingComma', '{"repeatedInt32": [1, 2,]}'),
  ...one('Int32MapField', 'mapInt32Int32', '{"1": 2, "-3": 4}', { '1': 2, '-3': 4 }),
  ...one('Int64MapField', 'mapInt64Int64', `{"${max64}": "1", "${min64}": 2}`, { [max64]: '1', [min64]: '2' }),
  ...one('Uint64MapField', 'mapUint64Uint64', `{"${maxU64}": 1}`, { [maxU64]: '1' }),
  ...one('BoolMapField', 'mapBoolBool', '{"true": true, "false": false}', { true: true, false: false }),
  ...one('BoolMapEscapedKey', 'mapBoolBool', '{"tr\\u0075e": true}', { true: true }),
  ...one('StringMapField', 'mapStringString', '{"": "", "a": "b"}', { '': '', a: 'b' }),
  ...one('BytesMapField', 'mapStringBytes', '{"a": "-_"}', { a: '+w==' }),
  ...one('MessageMapField', 'mapStringNestedMessage', '{"hello": {"a": 1234}, "world": {}}', { hello: { a: 1234 }, world: {} }),
  ...one('EnumMapField', 'mapStringNestedEnum', '{"a": "BAR", "b": 0, "c": 77}', { a: 'BAR', b: 'FOO', c: 77 }),
  ...one('MapNull', 'mapStringString', 'null'),
  ...one('MapKeyZero', 'mapInt32Int32', '{"0": 0}', { '0': 0 }),
  ...noJson('MapFieldKeyIsNull', '{"mapInt32Int32": {null: 1}}'),
  ...noJson('Int32MapFieldKeyNotQuoted', '{"mapInt32Int32": {1: 2}}'),
  ...noJson('BoolMapFieldKeyNotQuoted', '{"mapBoolBool": {true: true}}'),
  ...no('MapFieldValueIsNull', 'mapInt32Int32', '{"0": null}'),
  ...no('MapFieldMessageValueIsNull', 'mapStringNestedMessage', '{"a": null}'),
  ...no('MapFieldList', 'mapInt32Int32', '[]'),
  ...no('MapKeyNotInteger', 'mapInt32Int32', '{"a": 1}'),
  ...no('MapKeyTooLarge', 'mapInt32Int32', '{"2147483648": 1}'),
  ...no('MapKeyHex (reference 5: @bufbuild/protobuf takes it)', 'mapInt32Int32', '{"0x1": 1}'),
  ...no('MapKeySpace', 'mapInt32Int32', '{" 1": 1}'),
  ...no('MapKeyBoolWrong', 'mapBoolBool', '{"True": true}'),
  ...no('MapKeyBoolNumber', 'mapBoolBool', '{"1": true}'),
  ...no('MapValueWrongType', 'mapStringString', '{"a": 1}'),
  ...both('OneofFieldUint32', '{"oneofUint32": 0}', { oneofUint32: 0 }),
  ...both('OneofFieldMessage', '{"oneofNestedMessage": {}}', { oneofNestedMessage: {} }),
  ...both('OneofFieldString', '{"oneofString": ""}', { oneofString: '' }),
  ...both('OneofFieldBool', '{"oneofBool": false}', { oneofBool: false }),
  ...both('OneofFieldEnum', '{"oneofEnum": "FOO"}', { oneofEnum: 'FOO' }),
  ...both('OneofFieldNullValue', '{"oneofNullValue": null}', { oneofNullValue: null }),
  ...both('OneofFieldNullValueByName', '{"oneofNullValue": "NULL_VALUE"}', { oneofNullValue: null }),
  ...both('OneofFieldValueNull', '{"oneofValue": null}', { oneofValue: null }),
  ...both('OneofFieldNullFirst', '{"oneofUint32": null, "oneofString": "test"}', { oneofString: 'test' }),
  ...both('OneofFieldNullSecond', '{"oneofString": "test", "oneofUint32": null}', { oneofString: 'test' }),
  ...both('OneofFieldNullMessageFirst', '{"oneofNestedMessage": null, "oneofString": "test"}', { oneofString: 'test' }),
  ...both('OneofFieldNullMessageSecond', '{"oneofString": "test", "oneofNestedMessage": null}', { oneofString: 'test' }),
  ...both('OneofFieldAllNull', '{"oneofString": null, "oneofUint32": null}', {}),
  ...neither('OneofFieldDuplicate', '{"oneofUint32": 1, "oneofString": "test"}', 'oneof'),
  ...neither('OneofFieldDuplicateDefaults', '{"oneofUint32": 0, "oneofString": ""}', 'oneof'),
  ...neither('OneofFieldDuplicateNullValue', '{"oneofUint32": 0, "oneofNullValue": null}', 'oneof'),
])

conform('ProtoJSON input: well-known types', { protos }, [
  ...one('OptionalBoolWrapper', 'optionalBoolWrapper', 'false', false),
  ...one('OptionalInt32Wrapper', 'optionalInt32Wrapper', '0', 0),
  ...one('OptionalInt64Wrapper', 'optionalInt64Wrapper', '0', '0'),
  ...one('OptionalUint32Wrapper', 'optionalUint32Wrapper', '0', 0),
  ...one('OptionalUint64Wrapper', 'optionalUint64Wrapper', '"0"', '0'),
  ...one('OptionalFloatWrapper', 'optionalFloatWrapper', '0', 0),
  ...one('OptionalDoubleWrapper', 'optionalDoubleWrapper', '"NaN"', 'NaN'),
  ...one('OptionalStringWrapper', 'optionalStringWrapper', '""', ''),
  ...one('OptionalBytesWrapper', 'optionalBytesWrapper', '""', ''),
  ...one('RepeatedInt32Wrapper', 'repeatedInt32Wrapper', '[0, 1]', [0, 1]),
  ...one('OptionalWrapperTypesWithNullValue', 'optionalInt32Wrapper', 'null'),
  ...no('WrapperAsMessage', 'optionalInt32Wrapper', '{"value": 1}'),
  ...no('WrapperOutOfRange', 'optionalInt32Wrapper', '2147483648'),
  ...no('RepeatedWrapperNull', 'repeatedInt32Wrapper', '[null]'),
  ...one('DurationMinValue', 'optionalDuration', '"-315576000000.999999999s"', '-315576000000.999999999s'),
  ...one('DurationMaxValue', 'optionalDuration', '"315576000000.999999999s"', '315576000000.999999999s'),
  ...one('DurationRepeatedValue', 'repeatedDuration', '["1.5s", "-1.5s"]', ['1.500s', '-1.500s']),
  ...one('DurationNegativeNanos', 'optionalDuration', '"-0.5s"', '-0.500s'),
  ...one('DurationZero', 'optionalDuration', '"0s"', '0s'),
  ...one('DurationNull', 'optionalDuration', 'null'),
  ...no('DurationMissingS', 'optionalDuration', '"1"'),
  ...no('DurationTooSmall', 'optionalDuration', '"-315576000001.000000000s"'),
  ...no('DurationTooLarge', 'optionalDuration', '"315576000001.000000000s"'),
  ...no('DurationTooManyDigits', 'optionalDuration', '"1.0000000001s"'),
  ...no('DurationNumber', 'optionalDuration', '1'),
  ...no('DurationTail', 'optionalDuration', '"1s "'),
  ...no('DurationJsonInputTrailing', 'optionalDuration', '"1sx"'),
  ...one('TimestampMinValue', 'optionalTimestamp', '"0001-01-01T00:00:00Z"', '0001-01-01T00:00:00Z'),
  ...one('TimestampMaxValue', 'optionalTimestamp', '"9999-12-31T23:59:59.999999999Z"', '9999-12-31T23:59:59.999999999Z'),
  ...one('TimestampRepeatedValue', 'repeatedTimestamp', '["0001-01-01T00:00:00Z","9999-12-31T23:59:59.999999999Z"]', [
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999999999Z',
  ]),
  ...one('TimestampLeap', 'optionalTimestamp', '"1993-02-10T00:00:00.000Z"', '1993-02-10T00:00:00Z'),
  ...one('TimestampWithPositiveOffset', 'optionalTimestamp', '"1970-01-01T08:00:01+08:00"', '1970-01-01T00:00:01Z'),
  ...one('TimestampWithNegativeOffset', 'optionalTimestamp', '"1969-12-31T16:00:01-08:00"', '1970-01-01T00:00:01Z'),
  ...one('TimestampNull', 'optionalTimestamp', 'null'),
  ...one('TimestampBeforeEpoch', 'optionalTimestamp', '"1969-12-31T23:59:59.999999999Z"', '1969-12-31T23:59:59.999999999Z'),
  ...no('TimestampTooSmall', 'optionalTimestamp', '"0000-01-01T00:00:00Z"'),
  ...no('TimestampTooLarge', 'optionalTimestamp', '"10000-01-01T00:00:00Z"'),
  ...no('TimestampMissingZ', 'optionalTimestamp', '"0001-01-01T00:00:00"'),
  ...no('TimestampMissingT', 'optionalTimestamp', '"0001-01-01 00:00:00Z"'),
  ...no('TimestampLowercaseZ', 'optionalTimestamp', '"0001-01-01T00:00:00z"'),
  ...no('TimestampLowercaseT', 'optionalTimestamp', '"0001-01-01t00:00:00Z"'),
  ...no('TimestampNoSuchDay (reference 5: @bufbuild/protobuf takes it)', 'optionalTimestamp', '"2023-02-29T00:00:00Z"'),
  ...no('TimestampLeapSecond', 'optionalTimestamp', '"2016-12-31T23:59:60Z"'),
  ...no('TimestampNumber', 'optionalTimestamp', '0'),
  ...no('TimestampOutOfRangeByOffset (reference 2.7)', 'optionalTimestamp', '"0001-01-01T00:00:00+01:00"'),
  ...no('TimestampOutOfRangeByOffset (reference 2.7)', 'optionalTimestamp', '"9999-12-31T23:59:59-01:00"'),
  ...one('FieldMask', 'optionalFieldMask', '"foo,barBaz"', 'foo,barBaz'),
  ...one('EmptyFieldMask', 'optionalFieldMask', '""', ''),
  ...one('FieldMaskPath', 'optionalFieldMask', '"a.bC.d"', 'a.bC.d'),
  ...no('FieldMaskInvalidCharacter', 'optionalFieldMask', '"foo,bar_bar"'),
  ...no('FieldMaskList', 'optionalFieldMask', '["foo"]'),
  ...one(
    'Struct',
    'optionalStruct',
    '{"nullValue": null, "intValue": 1234, "boolValue": true, "doubleValue": 1234.5678, "stringValue": "Hello", "listValue": [1, "a"], "objectValue": {"value": 0}}',
    {
      nullValue: null,
      intValue: 1234,
      boolValue: true,
      doubleValue: 1234.5678,
      stringValue: 'Hello',
      listValue: [1, 'a'],
      objectValue: { value: 0 },
    },
  ),
  ...one('StructWithEmptyListValue', 'optionalStruct', '{"listValue": []}', { listValue: [] }),
  ...one('StructEmpty', 'optionalStruct', '{}', {}),
  ...one('StructNull', 'optionalStruct', 'null'),
  ...no('StructList', 'optionalStruct', '[]'),
  ...one('ValueAcceptInteger', 'optionalValue', '1', 1),
  ...one('ValueAcceptFloat', 'optionalValue', '1.5', 1.5),
  ...one('ValueAcceptBool', 'optionalValue', 'false', false),
  ...one('ValueAcceptNull', 'optionalValue', 'null', null),
  ...one('ValueAcceptString', 'optionalValue', '"hello"', 'hello'),
  ...one('ValueAcceptList', 'optionalValue', '[0, "hello"]', [0, 'hello']),
  ...one('ValueAcceptListWithNull', 'optionalValue', '["x", null, "y"]', ['x', null, 'y']),
  ...one('ValueAcceptObject', 'optionalValue', '{"value": 1}', { value: 1 }),
  ...one('ValueStringNan', 'optionalValue', '"NaN"', 'NaN'),
  ...no('ValueNumberTooLarge', 'optionalValue', '1e400'),
  ...one('RepeatedValue', 'repeatedValue', '[["a"], null, {}]', [['a'], null, {}]),
  ...one('ListValue', 'optionalListValue', '[1, null, [], {}]', [1, null, [], {}]),
  ...no('ListValueObject', 'optionalListValue', '{}'),
  ...one('NullValueInNormalMessage', 'optionalNullValue', 'null'),
  ...one('NullValueByName', 'optionalNullValue', '"NULL_VALUE"'),
  any('Any', '{"optionalAny": {"@type": "type.googleapis.com/conformance.json.v1.TestAllTypes", "optionalInt32": 12345}}', {
    optionalAny: { '@type': 'type.googleapis.com/conformance.json.v1.TestAllTypes', optionalInt32: 12345 },
  }),
  any('AnyUnorderedTypeTag', '{"optionalAny": {"optionalInt32": 12345, "@type": "type.googleapis.com/conformance.json.v1.TestAllTypes"}}', {
    optionalAny: { '@type': 'type.googleapis.com/conformance.json.v1.TestAllTypes', optionalInt32: 12345 },
  }),
  any(
    'AnyNested',
    '{"optionalAny": {"@type": "type.googleapis.com/google.protobuf.Any", "value": {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"}}}',
    {
      optionalAny: { '@type': 'type.googleapis.com/google.protobuf.Any', value: { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1s' } },
    },
  ),
  ...(
    [
      ['AnyWithInt32ValueWrapper', 'Int32Value', '12345', 12345],
      ['AnyWithStringValueWrapper', 'StringValue', '""', ''],
      ['AnyWithDuration', 'Duration', '"1.5s"', '1.500s'],
      ['AnyWithTimestamp', 'Timestamp', '"1970-01-01T00:00:00Z"', '1970-01-01T00:00:00Z'],
      ['AnyWithFieldMask', 'FieldMask', '"foo,barBaz"', 'foo,barBaz'],
      ['AnyWithStruct', 'Struct', '{"foo": 1}', { foo: 1 }],
      ['AnyWithValueForJsonObject', 'Value', '{"foo": 1}', { foo: 1 }],
      ['AnyWithValueForInteger', 'Value', '1', 1],
      ['AnyWithValueForNull', 'Value', 'null', null],
      ['AnyWithListValue', 'ListValue', '[1]', [1]],
    ] as const
  ).map(([test, type, json, value]) =>
    any(test, `{"optionalAny": {"@type": "type.googleapis.com/google.protobuf.${type}", "value": ${json}}}`, {
      optionalAny: { '@type': `type.googleapis.com/google.protobuf.${type}`, value: value as JsonValue },
    }),
  ),
  any('AnyRepeated', '{"repeatedAny": [{"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"}]}', {
    repeatedAny: [{ '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1s' }],
  }),
  any('AnyWithNoType', '{"optionalAny": {}}', { optionalAny: {} }),
  any('AnyNull', '{"optionalAny": null}', {}),
  noAny('AnyUnknownType', '{"optionalAny": {"@type": "type.googleapis.com/nope.Nope", "a": 1}}'),
  noAny('AnyWktRepresentationWithBadTypes', '{"optionalAny": {"@type": 1, "value": "1s"}}'),
  noAny('AnyWktRepresentationWithEmptyTypeAndValue', '{"optionalAny": {"@type": "", "value": ""}}'),
  noAny('AnyWithoutTypeButMembers', '{"optionalAny": {"optionalInt32": 1}}'),
  noAny('AnyWktWithoutValue', '{"optionalAny": {"@type": "type.googleapis.com/google.protobuf.Duration"}}'),
  noAny('AnyWktWrongValue', '{"optionalAny": {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1h"}}'),
  noAny('AnyWktMoreMembers', '{"optionalAny": {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s", "more": 1}}'),
  noAny('AnyUnknownMember', '{"optionalAny": {"@type": "type.googleapis.com/conformance.json.v1.NestedMessage", "nope": 1}}'),
  noAny('AnyWrongMember', '{"optionalAny": {"@type": "type.googleapis.com/conformance.json.v1.NestedMessage", "a": "x"}}'),
  noAny('AnyNotObject', '{"optionalAny": "x"}'),
])

conform('ProtoJSON input: names, null, unknown members', { protos }, [
  ...both('FieldNameInSnakeCase', '{"fieldname1": 1, "fieldName2": 2, "FieldName3": 3, "fieldName4": 4}', {
    fieldname1: 1,
    fieldName2: 2,
    FieldName3: 3,
    fieldName4: 4,
  }),
  ...both('FieldNameWithNumbers', '{"field0name5": 5, "field0Name6": 6}', { field0name5: 5, field0Name6: 6 }),
  ...both('FieldNameWithMixedCases', '{"fieldName7": 7, "FieldName8": 8, "fieldName9": 9, "FieldName10": 10}', {
    fieldName7: 7,
    FieldName8: 8,
    fieldName9: 9,
    FieldName10: 10,
  }),
  ...both(
    'OriginalProtoFieldName',
    '{"fieldname1": 1, "field_name2": 2, "_field_name3": 3, "field__name4_": 4, "field0name5": 5, "field_0_name6": 6, "fieldName7": 7, "FieldName8": 8, "field_Name9": 9, "Field_Name10": 10}',
    {
      fieldname1: 1,
      fieldName2: 2,
      FieldName3: 3,
      fieldName4: 4,
      field0name5: 5,
      field0Name6: 6,
      fieldName7: 7,
      FieldName8: 8,
      fieldName9: 9,
      FieldName10: 10,
    },
  ),
  ...both('FieldNameEscaped', '{"fieldn\\u0061me1": 1}', { fieldname1: 1 }),
  ...both('JsonNameOverride', '{"@custom": 1}', { '@custom': 1 }),
  ...both('JsonNameOverrideProtoName', '{"renamed": 1}', { '@custom': 1 }),
  ...neither('FieldNameDuplicateDifferentCasing1', '{"optional_nested_message": {"a": 1}, "optionalNestedMessage": {}}', 'both of its names'),
  ...neither('FieldNameDuplicateDifferentCasing2', '{"optionalNestedMessage": {"a": 1}, "optional_nested_message": {}}', 'both of its names'),
  ...neither('FieldNameDuplicateNull', '{"field_name2": null, "fieldName2": 1}', 'both of its names'),
  ...neither('JsonNameDuplicate', '{"@custom": 1, "renamed": 1}', 'both of its names'),
  ...noJson('FieldNameDuplicate', '{"optionalInt32": 1, "optionalInt32": 2}'),
  ...noJson('FieldNameNotQuoted', '{fieldname1: 1}'),
  ...noJson('TrailingCommaInAnObject', '{"fieldname1": 1,}'),
  ...noJson('TrailingCommaInAnObjectWithSpace', '{"fieldname1": 1 ,}'),
  ...noJson('JsonWithComments', '{"fieldname1": /* comment */ 1}'),
  ...neither('FieldNameWrongCase', '{"FIELDNAME1": 1}', 'FIELDNAME1: not a field'),
  ...neither('FieldNameByNumber', '{"1": 1}', '1: not a field'),
  ...neither('FieldNameEmpty', '{"": 1}', 'not a field'),
  ...neither('FieldNameExtensionOfNothing', '{"[conformance.json.v1.nope]": 1}', 'not a field'),
  ...both(
    'AllFieldAcceptNull',
    '{"optionalInt32": null, "optionalInt64": null, "optionalFloat": null, "optionalBool": null, "optionalString": null, "optionalBytes": null, "optionalNestedEnum": null, "optionalNestedMessage": null, "repeatedInt32": null, "repeatedString": null, "repeatedNestedMessage": null, "mapInt32Int32": null, "mapStringNestedMessage": null, "optionalTimestamp": null, "optionalStruct": null}',
    {},
  ),
  ...neither('UnknownMember', '{"unknown": 1}', 'unknown: not a field'),
  ...neither('UnknownMemberNull', '{"unknown": null}', 'unknown: not a field'),
  ...neither('UnknownMemberNested', '{"optionalNestedMessage": {"unknown": {}}}', 'optionalNestedMessage.unknown: not a field'),
  ...neither('UnknownMemberInList', '{"repeatedNestedMessage": [{}, {"unknown": 1}]}', 'repeatedNestedMessage[1].unknown: not a field'),
  ...neither('UnknownMemberInMap', '{"mapStringNestedMessage": {"k": {"unknown": 1}}}', 'mapStringNestedMessage["k"].unknown: not a field'),
])

conform('ProtoJSON input: ignoreUnknownFields', { protos, route: 'translate: { ignoreUnknownFields: true }' }, [
  ...both('IgnoreUnknownJsonNumber', '{"unknown": 1, "fieldname1": 1}', { fieldname1: 1 }),
  ...both('IgnoreUnknownJsonString', '{"unknown": "a"}', {}),
  ...both('IgnoreUnknownJsonTrue', '{"unknown": true}', {}),
  ...both('IgnoreUnknownJsonFalse', '{"unknown": false}', {}),
  ...both('IgnoreUnknownJsonNull', '{"unknown": null}', {}),
  ...both('IgnoreUnknownJsonObject', '{"unknown": {"a": [1, {}]}}', {}),
  ...both('IgnoreUnknownNested', '{"optionalNestedMessage": {"unknown": 1, "a": 2}}', { optionalNestedMessage: { a: 2 } }),
  ...both('IgnoreUnknownExtension', '{"[nope.nope]": 1}', {}),
  ...both('IgnoreUnknownEnumStringValue', '{"optionalNestedEnum": "UNKNOWN_ENUM_VALUE"}', {}),
  ...both('IgnoreUnknownEnumStringValueInOptionalField', '{"maybeEnum": "UNKNOWN_ENUM_VALUE"}', {}),
  ...both('IgnoreUnknownEnumStringValueInRepeatedField', '{"repeatedNestedEnum": ["FOO", "UNKNOWN_ENUM_VALUE", "BAR"]}', {
    repeatedNestedEnum: ['FOO', 'BAR'],
  }),
  ...both('IgnoreUnknownEnumStringValueInMapValue', '{"mapStringNestedEnum": {"a": "FOO", "b": "UNKNOWN_ENUM_VALUE"}}', { mapStringNestedEnum: { a: 'FOO' } }),
  ...both('IgnoreUnknownEnumStringValueInOneof', '{"oneofEnum": "UNKNOWN_ENUM_VALUE"}', {}),
  any('IgnoreUnknownInAny', '{"optionalAny": {"@type": "type.googleapis.com/conformance.json.v1.NestedMessage", "nope": 1, "a": 2}}', {
    optionalAny: { '@type': 'type.googleapis.com/conformance.json.v1.NestedMessage', a: 2 },
  }),
  ...neither('KnownWrongType', '{"optionalInt32": "x", "unknown": 1}', 'optionalInt32'),
  ...neither('KnownEnumWrongType', '{"optionalNestedEnum": 1.5}', 'optionalNestedEnum'),
  ...noJson('UnknownTwice', '{"unknown": 1, "unknown": 2}'),
  ...neither('BothNames', '{"field_name2": 1, "fieldName2": 1}', 'both of its names'),
])
