import { compileHide, hidden, mapChildren } from '../../json-path.ts'
import type { Fields } from '../../model/wire.ts'
import { maskBytes, needlesOf } from '../../observe/mask.ts'
import { buildRedactor, maskedValues } from '../../observe/redact.ts'

/** What takes everything secret out of what is written to a cassette. */
export interface Cleaner {
  readonly text: (text: string) => string
  readonly bytes: (bytes: Uint8Array) => Uint8Array
  /** JSON values: members that the policy or their names hide, and secrets in what is left. */
  readonly json: (value: unknown) => unknown
  /** The value of a field, a query parameter or a member of a form. */
  readonly named: (name: string, value: string) => string
  readonly header: (name: string, value: string) => string
  /** Whether no spelling of a known secret is left. */
  readonly isClean: (text: string) => boolean
}

/** Names that hold credentials wherever they stand, folded: in queries, forms and JSON. */
const secretNames: ReadonlySet<string> = new Set(
  [
    ['accesstoken', 'refreshtoken', 'idtoken', 'sessiontoken', 'subjecttoken', 'actortoken', 'securitytoken', 'xamzsecuritytoken', 'token', 'authtoken'],
    ['clientsecret', 'secret', 'secretkey', 'privatekey', 'apikey', 'apisecret', 'accesskey', 'password', 'passwd', 'passphrase'],
    ['assertion', 'clientassertion', 'authorization', 'signature', 'xamzsignature', 'sig', 'cookie'],
  ].flat(),
)

/** Headers of answers whose values are credentials, or lead to them. */
const secretHeader = /cookie|auth(?!ority)|token|secret|session|credential|signature|api-?key/

/** A token in the midst of a text: after its scheme, as a JWT, or as a parameter of a URL. */
const bearer = /\b(bearer|basic)\s+[\w\-.~+/]{6,}=*/gi
const jwt = /\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g
const parameter = /([?&;]([^=&#\s"';]{1,64})=)([^&#\s"';]+)/g

/** So short a value of a caller's own header is a word, not a secret: it would be found in every text. */
const shortestOwn = 6

/**
 * Builds the cleaner of one interaction: `secrets` are values that the gateway added, `request` gives the caller's own credentials, the mask is that
 * of the service.
 */
export function buildCleaner(
  secrets: readonly string[],
  request: Fields,
  mask: { readonly headers: readonly string[]; readonly jsonPaths: readonly string[] },
): Cleaner {
  const own = maskedValues((name) => request.all(name), mask.headers).filter((value) => value.length >= shortestOwn)
  const known = [...secrets, ...own]
  const redact = buildRedactor(known)
  const needles = needlesOf(known)
  const masked = new Set(mask.headers)
  const hide = compileHide(mask.jsonPaths)

  const text = (value: string) =>
    redact(value)
      .replaceAll(parameter, (whole: string, head: string, name: string) => (isSecretName(name) ? head + hidden : whole))
      .replaceAll(jwt, hidden)
      .replaceAll(bearer, `$1 ${hidden}`)
  const named = (name: string, value: string) => (isSecretName(name) ? hidden : text(value))
  const leaves = (value: unknown): unknown => {
    if (typeof value === 'string') return text(value)
    if (typeof value === 'number') return redact(String(value)) === String(value) ? value : hidden
    if (typeof value !== 'object' || value === null) return value
    const clean = mapChildren(value, (child, key) => (typeof key === 'string' && isSecretName(key) && child !== null ? hidden : leaves(child)))
    return Array.isArray(clean) || clean === value ? clean : Object.fromEntries(Object.entries(clean as object).map(([key, child]) => [text(key), child]))
  }
  return {
    text,
    bytes: (bytes) => maskBytes(bytes, needles),
    json: (value) => leaves(hide(value)),
    named,
    header: (name, value) => (masked.has(name) || secretHeader.test(name) ? hidden : text(value)),
    isClean: (whole) => redact(whole) === whole,
  }
}

function isSecretName(name: string): boolean {
  return secretNames.has(name.toLowerCase().replaceAll(/[^a-z0-9]/g, ''))
}
