import type { Diagnostic } from '../../core/policy/diagnostic.ts'

/** Something that stands against policies which are sound in themselves: an address that is taken, a store that has no URL. */
export function obstacle(code: string, error: unknown, hint: string): Diagnostic {
  const message = error instanceof Error ? error.message : String(error)
  return { severity: 'error', code, file: '', line: 1, column: 1, message: `${message}.`, hint, object: undefined }
}

export function errorsIn(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.filter((one) => one.severity === 'error')
}
