import type { LiveTarget } from '../../model/egress-target.ts'
import type { Target } from '../../model/wire.ts'

/** Why a path could lead out of the one that a target is confined to, in a sentence; undefined when it cannot. */
export function unconfined({ basePath }: LiveTarget, { encodedSlash, semicolon }: Pick<Target, 'encodedSlash' | 'semicolon'>): string | undefined {
  return basePath.length > 1 && (encodedSlash || semicolon) ? 'an encoded slash or ";" could lead out of the path that this target is confined to' : undefined
}
