import { codingOf, httpCodings } from '../../model/coding.ts'
import { Fault } from '../../model/fault.ts'
import type { Body, Inbound } from '../../model/wire.ts'
import type { Compression } from '../../ports.ts'

/**
 * The body without its content coding (RFC 9110 section 8.4). What `bytes` gives keeps to its limit both packed and inflated; `chunks` are inflated
 * while they are pulled. @throws Fault `media_type_unsupported` for any coding but gzip; while it is read `body_invalid` for what is no gzip
 */
export function inflated({ headers, body }: Pick<Inbound, 'headers' | 'body'>, compression: Compression): Body | undefined {
  const coding = codingOf(headers.all('content-encoding'))
  if (coding === 'identity' || body === undefined || body.length === 0) return body
  if (coding !== 'gzip') {
    // RFC 9110 section 15.5.16: the field says which codings would have been taken.
    const accepted = [['accept-encoding', httpCodings]] as const
    throw new Fault('media_type_unsupported', `the content encoding "${coding}" is not supported; supported: ${httpCodings}`, { headers: accepted })
  }
  return inflatedBody(body, compression)
}

/** The same for a body that is known to be gzip. */
export function inflatedBody(body: Body, compression: Compression): Body {
  return {
    length: undefined,
    get received() {
      return body.received
    },
    bytes: async (limit) => compression.gunzip(await body.bytes(limit), limit),
    chunks: () => compression.inflate(body.chunks()),
  }
}
