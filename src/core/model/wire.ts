/** Header or metadata fields: names lower-case, order and repetition kept. */
export interface Fields {
  /** The first value of `name` (lower-case), or undefined. */
  get(name: string): string | undefined
  /** Every value of `name` (lower-case), in order of arrival. */
  all(name: string): readonly string[]
  has(name: string): boolean
  entries(): readonly (readonly [name: string, value: string])[]
  /** The same without a pair for each field: requests are copied often. */
  each(visit: (name: string, value: string) => void): void
}

/** A message body that is read once. `chunks` pulls: a reader that stops pulling stops the sender. */
export interface Body {
  /** Bytes announced by Content-Length; undefined when the body is framed otherwise. */
  readonly length: number | undefined
  /** Bytes read so far, where the ground counts them: for the record. */
  readonly received?: number | undefined
  /** The whole body. @throws Fault `body_too_large` past `limit` bytes. */
  bytes(limit: number): Uint8Array | Promise<Uint8Array>
  chunks(): AsyncIterable<Uint8Array>
}

/** Where a request points, after `receive` made it canonical. Nothing later parses a URL again. */
export interface Target {
  /** Canonical path: absolute, unreserved characters decoded, other escapes upper-case. */
  readonly path: string
  /** The raw query without its `?`; empty when there is none. */
  readonly query: string
  /** The path holds `%2F`: a proxied route refuses it unless it says `allow: [encodedSlash]`. */
  readonly encodedSlash: boolean
  /** The path holds `;` or `%3B`: a proxied route refuses it unless it says `allow: [semicolon]`. */
  readonly semicolon: boolean
}

/** A request after `receive`, whatever protocol it came by. */
export interface Inbound {
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** Host with its port when one was given, lower-case. */
  readonly authority: string
  /** `authority` without the port. */
  readonly host: string
  readonly target: Target
  readonly headers: Fields
  readonly body: Body | undefined
}

/** An answer on its way downstream. An iterable body is pulled: a slow downstream slows its producer. */
export interface Outbound {
  readonly status: number
  readonly headers: Fields
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | undefined
  /** Read once, after the body ended. */
  readonly trailers?: (() => Fields) | undefined
  /** The framing of the request cannot be trusted: answer, then close the connection. */
  readonly close?: boolean | undefined
}
