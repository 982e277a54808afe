/** A place in a distributed trace (W3C Trace Context level 1). Ids are lower-case hex: 32 and 16 characters. */
export interface Trace {
  readonly traceId: string
  /** Our own span. */
  readonly spanId: string
  /** The caller's span, when it sent a valid `traceparent`. */
  readonly parentId: string | undefined
  readonly sampled: boolean
  /** Passed on as received; empty when there was none. */
  readonly tracestate: string
}

const shape = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/

/**
 * Continues the caller's trace, or starts one where `traceparent` is absent or invalid (W3C Trace Context 3.2.2.5:
 * version `ff`, an all-zero id, or a version 00 with more than four parts is invalid).
 */
export function continueTrace(traceparent: string | undefined, tracestate: string | undefined, hex: (bytes: number) => string): Trace {
  const parts = traceparent === undefined ? null : shape.exec(traceparent)
  if (parts !== null && isValid(parts, traceparent as string)) {
    const flags = Number.parseInt(parts[4] as string, 16)
    return { traceId: parts[2] as string, spanId: hex(8), parentId: parts[3], sampled: (flags & 1) === 1, tracestate: tracestate ?? '' }
  }
  return { traceId: hex(16), spanId: hex(8), parentId: undefined, sampled: true, tracestate: '' }
}

function isValid(parts: RegExpExecArray, whole: string): boolean {
  const [, version, traceId, parentId] = parts
  if (version === 'ff' || /^0+$/.test(traceId as string) || /^0+$/.test(parentId as string)) return false
  return version !== '00' || whole.length === 55
}

/** The `traceparent` that names our span as the parent of what follows. */
export function traceparentOf(trace: Trace): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`
}
