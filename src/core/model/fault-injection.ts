import type { FieldTest } from './field-test.ts'

/** Shares from 0 to 1 of the requests that fit the headers. */
export interface FaultInjection {
  readonly headers: readonly FieldTest[]
  readonly delay: { readonly share: number; readonly ms: number } | undefined
  readonly abort: { readonly share: number; readonly status: { readonly http: number; readonly grpc: number } } | undefined
}
