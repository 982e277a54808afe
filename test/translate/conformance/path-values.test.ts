import { conform } from './house.ts'
import { becomes, refused, sent } from './requests.ts'
import { jsonName, values, valuesImports, valuesProto } from './values.ts'

const fields = [...new Set(values.map(({ field }) => field))]
const bindings = fields.map((field) => `additional_bindings { get: "/${field}/{${field}}" }`).join('\n      ')

const protos = {
  'conformance/paths/v1/paths.proto': `
syntax = "proto3";
package conformance.paths.v1;
import "google/api/annotations.proto";
${valuesImports}
service Paths {
  rpc Take(Values) returns (Empty) {
    option (google.api.http) = {
      get: "/deep/{string}"
      ${bindings}
    };
  }
  rpc Nested(Outer) returns (Empty) {
    option (google.api.http) = {
      get: "/nested/{values.int32}/{values.timestamp}"
      additional_bindings { get: "/rest/{values.string=**}" }
      additional_bindings { get: "/oneof/{left}" }
      additional_bindings { get: "/oneof/in/{message.string}" }
      additional_bindings { get: "/wrapped/{values.string_value=**}" }
      additional_bindings { get: "/optional/{maybe=**}" }
      additional_bindings { get: "/masked/{mask}" }
    };
  }
}
message Empty {}
message Outer {
  Values values = 1;
  oneof side { string left = 2; int32 right = 3; Values message = 4; }
  optional string maybe = 5;
  google.protobuf.FieldMask mask = 6;
}
${valuesProto}`,
  'conformance/closed/v1/closed.proto': `
edition = "2023";
package conformance.closed.v1;
import "google/api/annotations.proto";
service Closed {
  rpc Take(Values) returns (Values) { option (google.api.http) = { get: "/closed/{level}" additional_bindings { get: "/open/{open}" } additional_bindings { get: "/delimited/{group.level}" } }; }
}
message Values { Level level = 1; Open open = 2; Values group = 3 [features.message_encoding = DELIMITED]; }
enum Level { option features.enum_type = CLOSED; LEVEL_LOW = 1; LEVEL_HIGH = 2; }
enum Open { OPEN_ZERO = 0; OPEN_ONE = 1; }
`,
}

const enums = 'reference 2.5: enum; unknown number accepted for open enums'

conform('values of path variables', { protos }, [
  ...values.map(({ field, text, json, refusal, source }) =>
    refusal === undefined
      ? becomes(`${field} takes ${text}`, source, sent(`GET /${field}/${text}`), 'Take', json === undefined ? {} : { [jsonName(field)]: json })
      : refused(`${field} refuses ${text}`, source, sent(`GET /${field}/${text}`), { says: [`path variable "${field}": `, refusal] }),
  ),
  becomes('nested fields of two types', 'http.proto: FieldPath', sent('GET /nested/-5/2024-01-01T00:00:00Z'), 'Nested', {
    values: { int32: -5, timestamp: '2024-01-01T00:00:00Z' },
  }),
  refused('a nested field is named in full', 'design: 4xx with the field path in the message', sent('GET /nested/x/2024-01-01T00:00:00Z'), {
    says: 'path variable "values.int32": expected an integer',
  }),
  becomes('a member of a oneof', 'http.proto: FieldPath', sent('GET /oneof/a'), 'Nested', { left: 'a' }),
  becomes('a field inside a member of a oneof', 'http.proto: FieldPath', sent('GET /oneof/in/a'), 'Nested', { message: { string: 'a' } }),
  becomes('** that took nothing is the default of its field', 'reference 2.5: empty value', sent('GET /rest'), 'Nested', { values: {} }),
  becomes('** that took nothing is a wrapper of an empty string', 'reference 2.5: StringValue set but empty; Vanguard 400', sent('GET /wrapped'), 'Nested', {
    values: { stringValue: '' },
  }),
  becomes('** that took nothing is present in an optional field', 'reference 2.5: empty value, present', sent('GET /optional'), 'Nested', { maybe: '' }),
  becomes('a closed enum by name', enums, sent('GET /closed/LEVEL_HIGH'), 'Take', { level: 'LEVEL_HIGH' }),
  becomes('a closed enum by number', enums, sent('GET /closed/1'), 'Take', { level: 'LEVEL_LOW' }),
  refused('a number that a closed enum has not', enums, sent('GET /closed/3'), { says: 'path variable "level": not a value of conformance.closed.v1.Level' }),
  refused('zero, which a closed enum has not', enums, sent('GET /closed/0'), { says: 'not a value of' }),
  becomes('a number that an open enum has not', enums, sent('GET /open/3'), 'Take', { open: 3 }),
  becomes('the zero of an explicit field is present', 'editions 2023: field_presence EXPLICIT', sent('GET /open/0'), 'Take', { open: 'OPEN_ZERO' }),
  becomes('a field of a delimited message', 'editions 2023: message_encoding DELIMITED', sent('GET /delimited/1'), 'Take', { group: { level: 'LEVEL_LOW' } }),
])
