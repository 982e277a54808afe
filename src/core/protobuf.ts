/*
 * The door of the protobuf room: descriptors, HTTP rules, strict JSON and its conversion to and from messages.
 */
export { builtinRegistry, type DescriptorBook, readDescriptors } from './protobuf/book.ts'
export { type RpcProblem, rpcsOf, type ServiceRpcs } from './protobuf/rules.ts'
