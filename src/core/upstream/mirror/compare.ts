import type { MirrorDiff } from '../../model/mirror.ts'
import type { Fields } from '../../model/wire.ts'
import { compilePointers, pointerOf } from './pointer.ts'
import { redacted, redactedPath } from './redacted.ts'

/** What one of the two services answered. */
export interface Seen {
  /** HTTP status, or gRPC code. */
  readonly status: number
  readonly headers: Fields
  /** The body as JSON, as bytes where it is none; undefined where it could not be kept. */
  readonly body: { readonly json: unknown } | { readonly bytes: Uint8Array } | undefined
}

export interface Difference {
  /** `status`, `header NAME`, `body`, or a JSON pointer into it. */
  readonly at: string
  /** What each of them says, redacted and cut. */
  readonly main: string
  readonly mirror: string
}

export interface Comparison {
  /** The first so many. */
  readonly differences: readonly Difference[]
  readonly count: number
  /** The bodies could not be compared. */
  readonly left: boolean
}

/** More are counted and not listed. */
const most = 20
const deepest = 64

/** Compiles the comparison of two answers. `hide` takes the credentials of the request out of a text. */
export function compileCompare(diff: MirrorDiff): (main: Seen, mirror: Seen, hide: (text: string) => string) => Comparison {
  const ignored = compilePointers(diff.ignore)
  const masked = compilePointers(diff.mask)
  return (main, mirror, hide) => {
    const differences: Difference[] = []
    let count = 0
    const add = (at: string, one: string, other: string) => {
      count += 1
      if (differences.length < most) differences.push({ at: hide(at.slice(0, 200)), main: hide(one), mirror: hide(other) })
    }
    const walk = (one: unknown, other: unknown, path: readonly string[]): void => {
      if (Object.is(one, other) || ignored(path)) return
      const inner = path.length < deepest ? membersOf(one, other) : undefined
      if (inner === undefined) {
        const secret = masked(path)
        add(path.length === 0 ? 'body' : pointerOf(redactedPath(path)), redacted(one, path, secret), redacted(other, path, secret))
        return
      }
      for (const key of inner.keys) walk(inner.one[key], inner.other[key], [...path, key])
    }

    if (main.status !== mirror.status) add('status', `${main.status}`, `${mirror.status}`)
    for (const name of diff.headers) {
      const [one, other] = [main.headers.all(name).join(', '), mirror.headers.all(name).join(', ')]
      if (one !== other) add(`header ${name}`, redacted(one, [name], false), redacted(other, [name], false))
    }
    const [one, other] = [main.body, mirror.body]
    if (one === undefined || other === undefined) return { differences, count, left: true }
    if ('json' in one && 'json' in other) walk(one.json, other.json, [])
    else if (!('bytes' in one && 'bytes' in other && sameBytes(one.bytes, other.bytes))) add('body', kindOf(one), kindOf(other))
    return { differences, count, left: false }
  }
}

type Members = Readonly<Record<string, unknown>>

/** The members of two objects, or of two lists; undefined for anything else, which is compared as a whole. */
function membersOf(one: unknown, other: unknown): { readonly keys: readonly string[]; readonly one: Members; readonly other: Members } | undefined {
  if (!isMembers(one) || !isMembers(other) || Array.isArray(one) !== Array.isArray(other)) return undefined
  return { keys: [...new Set([...Object.keys(one), ...Object.keys(other)])], one, other }
}

/** An object or a list; both have members by name. */
function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null
}

function kindOf(body: { readonly json: unknown } | { readonly bytes: Uint8Array }): string {
  return 'json' in body ? 'JSON' : `${body.bytes.length} bytes`
}

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  for (let i = 0; i < one.length; i += 1) if (one[i] !== other[i]) return false
  return true
}
