import type { DescMessage } from '@bufbuild/protobuf'
import { type JsonCodec, parseJson, serialize } from '../../protobuf.ts'

/** A message in JSON as protobuf. @throws Fault `body_invalid` */
export function wireOfJson(bytes: Uint8Array, input: DescMessage, codec: JsonCodec): Uint8Array {
  const json = parseJson(bytes)
  return codec.encode(input, json) ?? serialize(input, codec.message(input, json))
}

/** The same for each message of a stream. */
export async function* eachOfJson(messages: AsyncIterable<Uint8Array>, input: DescMessage, codec: JsonCodec): AsyncIterable<Uint8Array> {
  for await (const message of messages) yield wireOfJson(message, input, codec)
}
