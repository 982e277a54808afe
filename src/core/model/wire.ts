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
  /** Over an open WebSocket, where each chunk of the body is a text message: how it is closed. Read once, after the body ended. */
  readonly ending?: (() => SocketEnd) | undefined
  /** The framing of the request cannot be trusted: answer, then close the connection. */
  readonly close?: boolean | undefined
}

/** A WebSocket that a downstream asks for (RFC 6455). Until it is opened the request is answered like any other. */
export interface SocketOffer {
  readonly opened: boolean
  /** Bytes of messages so far, for the record. */
  readonly received: number
  /**
   * Answers 101 with these fields and gives the downstream's text messages, one by one: a reader that stops pulling stops the sender. It ends
   * when the downstream says that it has no more (an empty message). Called once. What breaks the WebSocket ends the request's lifeline too.
   * @throws Fault `client_closed` when nobody is there any more; the messages throw it when the downstream leaves
   */
  open(head: Fields, messageLimit: number): AsyncIterable<Uint8Array>
}

/** How a WebSocket is closed: a code of RFC 6455 section 7.4.1 and a reason of at most 123 bytes. */
export interface SocketEnd {
  readonly code: number
  readonly reason: string
}
