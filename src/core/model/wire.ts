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
  /** Where the request target itself says that it goes: of absolute-form and CONNECT, which the forward proxy takes. */
  readonly proxied?: Proxied | undefined
  readonly headers: Fields
  readonly body: Body | undefined
  /** What the downstream wants to speak on its connection instead of HTTP, where the ground can do that. */
  readonly upgrade?: Upgrade | undefined
}

/** A place that a caller of the forward proxy names: a host as `parseAuthority` reads it, and a port. */
export interface Proxied {
  readonly host: string
  readonly port: number
}

/** A change of protocol (RFC 9110 section 7.8). */
export interface Upgrade {
  /** `websocket` (RFC 6455), or another name, whose letters may be of either case. */
  readonly protocol: string
  /** Subprotocols of a WebSocket, in order of preference; undefined when the downstream names none at all. One that holds a token is left out. */
  readonly subprotocols: readonly string[] | undefined
  /** Extensions of a WebSocket with their parameters, as offered. */
  readonly extensions: readonly string[]
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

/**
 * A change of protocol that a downstream asks for, mostly to WebSocket (RFC 6455). Until it is made the request is answered like any other. Either the
 * gateway speaks the WebSocket itself (`open`), or an upstream does, through it (`pass`).
 */
export interface SocketOffer {
  /** `websocket`, or the name as the downstream writes it. */
  readonly protocol: string
  /** A WebSocket that the gateway speaks itself. */
  readonly opened: boolean
  /** Bytes so far, for the record: of messages, or of all that is passed on. */
  readonly received: number
  /**
   * Answers 101 with these fields and gives the downstream's text messages, one by one: a reader that stops pulling stops the sender. It ends
   * when the downstream says that it has no more (an empty message). Called once. What breaks the WebSocket ends the request's lifeline too.
   * @throws Fault `client_closed` when nobody is there any more; the messages throw it when the downstream leaves
   */
  open(head: Fields, messageLimit: number): AsyncIterable<Uint8Array>
  /** Passes the connection on to an upstream, should the answer be a 101: its body is then what the downstream hears. Called once. */
  pass(limits: PassLimits): Passage
}

/** Milliseconds. */
export interface PassLimits {
  /** A connection that is silent for longer in both directions is closed. */
  readonly idleMs: number
  /** From the change of protocol to its end, whatever is said. */
  readonly lifetimeMs: number | undefined
}

/** The downstream's part of a connection that is passed on. */
export interface Passage {
  /** What the downstream says once the protocol was changed: nothing before. Read once; it ends when the downstream has no more to say. */
  readonly said: () => AsyncIterable<Uint8Array>
  /** To be called when the upstream has no more to say and all it said was read; the downstream may go on. */
  readonly heard: () => void
}

/** How a WebSocket is closed: a code of RFC 6455 section 7.4.1 and a reason of at most 123 bytes. */
export interface SocketEnd {
  readonly code: number
  readonly reason: string
}
