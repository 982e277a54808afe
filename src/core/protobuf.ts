/*
 * The door of the protobuf room: descriptor sets and their HTTP rules, JSON and text values to messages and back.
 */
export { builtinRegistry, type DescriptorBook, emptyBook, healthDescriptors, healthSet, readDescriptors } from './protobuf/book.ts'
export { compareServices, type Difference } from './protobuf/compare.ts'
export { unsetText } from './protobuf/compiled/wire-to-json.ts'
export { type BoundParts, companionsOf, demandsOf, isMakeable } from './protobuf/demands.ts'
export { collide, etagField, fieldOf, isAnything, isTextual, isTextualType, resolvePath } from './protobuf/fields.ts'
export { buildJsonCodec, emptyMessage, type JsonCodec, type JsonCodecOptions, serialize } from './protobuf/json-codec.ts'
export { jsonText } from './protobuf/json-text.ts'
export { buildMessageJson } from './protobuf/message-json.ts'
export { buildRouteCodecs, type RouteTypes } from './protobuf/route-codecs.ts'
export { bindingProblem, rpcsOf } from './protobuf/rules.ts'
export { buildSizes, isDemanded } from './protobuf/sizes.ts'
export { isMembers, type Json, parseJson } from './protobuf/strict-json.ts'
export { buildStringOf } from './protobuf/string-of.ts'
export { type LocalValue, valueFromText } from './protobuf/text-value.ts'
