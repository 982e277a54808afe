import type { DescField } from '@bufbuild/protobuf'
import type { ReflectMessage } from '@bufbuild/protobuf/reflect'

/**
 * The message that holds the last field of `path`, with those on the way set. `onRival` is told when setting a field would clear another
 * member of its oneof, and throws.
 */
export function stepInto(root: ReflectMessage, path: readonly DescField[], onRival: (rival: DescField) => never): ReflectMessage {
  let at = root
  for (const [i, field] of path.entries()) {
    const rival = field.oneof === undefined ? undefined : at.oneofCase(field.oneof)
    if (rival !== undefined && rival !== field) onRival(rival)
    if (i === path.length - 1) break
    if (!at.isSet(field)) at.set(field, at.get(field))
    // Every step but the last is a singular message (resolvePath).
    at = at.get(field) as ReflectMessage
  }
  return at
}
