import type { Credential } from '../../model/credential.ts'
import type { HmacDocument, SigV4Document } from '../document/credentials.ts'
import type { EgressDocument } from '../document/egress.ts'
import type { Path } from '../read/node.ts'
import { type Entry, type Linking, refuse } from './linking.ts'
import { secretRule } from './secret-rule.ts'

/** Links an AWS signature; `pattern` and `forbidPattern` are about the secret access key. */
export function linkSigV4(said: SigV4Document): Credential {
  const { region, service, accessKeyId, secretAccessKey, sessionToken, payload } = said
  return {
    kind: 'sigv4',
    region,
    service,
    accessKeyId: secretRule(accessKeyId, {}),
    secret: secretRule(secretAccessKey, said),
    sessionToken: sessionToken === undefined ? undefined : secretRule(sessionToken, {}),
    payload,
  }
}

const known = new Set(['method', 'host', 'path', 'query', 'timestamp', 'body', 'bodyHash'])

/** Links an HMAC. A placeholder that is none would be signed as it stands, and a time that nobody is told could not be verified. */
export function linkHmac(linking: Linking, entry: Entry<EgressDocument>, said: HmacDocument, path: Path): Credential {
  const { algorithm, message, header, format, encoding, timestampHeader } = said
  for (const [, word = ''] of message.matchAll(/\{([^{}]*)\}/g)) {
    if (known.has(word)) continue
    refuse(linking, entry, [...path, 'message'], {
      code: 'placeholder_unknown',
      message: `{${word}} is no part of a call.`,
      hint: `There are ${Array.from(known, (name) => `{${name}}`).join(', ')}.`,
    })
  }
  const told = timestampHeader !== undefined || format.includes('{timestamp}')
  if (message.includes('{timestamp}') !== told)
    refuse(linking, entry, path, {
      code: 'timestamp_half',
      message: told ? 'The vendor is told a time that is not signed.' : 'The message holds {timestamp}, and nothing tells the vendor which.',
      hint: told ? 'Put {timestamp} into message.' : 'Add timestampHeader, or put {timestamp} into format.',
      which: 'key',
    })
  return {
    kind: 'hmac',
    secret: secretRule(said.secret, said),
    algorithm,
    message,
    header: header.toLowerCase(),
    format,
    encoding,
    timestampHeader: timestampHeader?.toLowerCase(),
  }
}
