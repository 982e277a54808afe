import type { JsonValue } from '@bufbuild/protobuf'
import type { StreamForm } from '../../model/exchange.ts'

/** How one form writes a stream of JSON texts. */
export interface Writing {
  readonly message: (json: string, first: boolean) => string
  /** What follows the last message; `none` says that there was no message at all. */
  readonly end: (none: boolean) => string
  /** An error after the answer has begun; undefined where the form has no place for one, so that the answer must break off. */
  readonly error: ((status: JsonValue) => string) | undefined
  /** Said now and then while nothing comes; undefined where nothing can be. */
  readonly idle: string | undefined
}

/** The forms. Messages hold no line breaks: they are JSON without blanks. */
export const writings: Readonly<Record<StreamForm['kind'], Writing>> = {
  ndjson: {
    message: (json) => `${json}\n`,
    end: () => '',
    error: (status) => `${JSON.stringify({ error: status })}\n`,
    idle: undefined,
  },
  // WHATWG HTML section 9.2. A browser asks again after every end: `event: end` tells a page that this one was meant.
  sse: {
    message: (json) => `data: ${json}\n\n`,
    end: () => 'event: end\ndata: {}\n\n',
    error: (status) => `event: error\ndata: ${JSON.stringify(status)}\n\n`,
    idle: ':\n\n',
  },
  array: {
    message: (json, first) => `${first ? '[' : ','}${json}`,
    end: (none) => (none ? '[]' : ']'),
    error: undefined,
    idle: undefined,
  },
}
