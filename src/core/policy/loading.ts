import type { Diagnostic } from './diagnostic.ts'
import type { Policy } from './policy.ts'

export interface PolicyFile {
  /** Relative to the policies folder, with `/`. */
  readonly path: string
  readonly text: string
}

/** What goes into loading. */
export interface LoadInput {
  /** Every `*.yaml`, `*.yml`, `*.json` under the folder, overlays included, policy tests left out. */
  readonly files: readonly PolicyFile[]
  /** A file that stands beside them (descriptors, mocks); undefined when there is none. */
  readonly asset: (path: string) => Uint8Array | undefined
  readonly environment: string
  /** Process environment variables, for `${NAME}`. */
  readonly variable: (name: string) => string | undefined
}

/** Where an effective value came from. */
export interface Origin {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly kind: 'file' | 'overlay' | 'default'
  /** The effective value as the files would say it, as JSON text. */
  readonly value: string
}

/** What comes out of loading. */
export interface Loaded {
  /** Undefined when nothing can be served. With errors among the diagnostics, the objects they touch are quarantined in it. */
  readonly policy: Policy | undefined
  /** Every problem there is, errors first, then by place. */
  readonly diagnostics: readonly Diagnostic[]
  /** By dotted path of the document, such as `routes.orders.timeout`. Of egress environments, those of the class in force only. */
  readonly origins: Readonly<Record<string, Origin>>
}
