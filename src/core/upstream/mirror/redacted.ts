const mark = '[redacted]'

/** Members that hold secrets, by what they are called. */
const secretName =
  /pass(?:word|wd|phrase|code)?$|secret|token|authori[sz]ation|cookie|session|credential|api[-_]?key|private[-_]?key|signature|^(?:pin|otp|cvv|cvc|ssn|iban)$/i

/** Values that look like secrets, wherever they stand: tokens, keys, numbers of cards. */
const secretValue = /^(?:bearer|basic|dpop)\s|^ey[\w-]+\.[\w-]*\.|-----BEGIN|^(?:sk|pk|rk|gh[a-z]|xox[a-z]|AKIA)[-_\w]{8,}|^\d(?:[ -]?\d){12,18}$/i
const dense = /^[\w+/=.~-]{20,}$/

const longest = 64

/**
 * A value as it may be written down: scalars cut, what is or may be a secret marked, and of objects and lists only what they are. `path`: what it is
 * called, and all that it stands in: in a list of tokens or an object of secrets the members are called anything.
 */
export function redacted(value: unknown, path: readonly string[], masked: boolean): string {
  if (value === undefined) return 'missing'
  if (masked || path.some((name) => secretName.test(name))) return mark
  if (Array.isArray(value)) return `list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'object'
  if (typeof value !== 'string') return isCardNumber(value) ? mark : JSON.stringify(value)
  if (secretValue.test(value) || isDense(value)) return mark
  return JSON.stringify(value.length > longest ? `${value.slice(0, longest)}…` : value)
}

/** A path as it may be written down: below a member that holds secrets, names may be secrets themselves; places in a list are none. */
export function redactedPath(path: readonly string[]): readonly string[] {
  const from = path.findIndex((name) => secretName.test(name))
  return from < 0 ? path : path.map((name, i) => (i > from && !/^\d{1,5}$/.test(name) ? mark : name))
}

function isCardNumber(value: unknown): boolean {
  return typeof value === 'number' && secretValue.test(`${value}`)
}

/** One long word with letters and digits is more often a key than a word. Long texts may hold one anywhere, and are searched word by word. */
function isDense(text: string): boolean {
  return text
    .split(/[\s"',;:(){}[\]]+/)
    .some((word) => dense.test(word) && /\d/.test(word) && /[A-Za-z]/.test(word) && !/^\d{4}-\d\d-\d\dT[\d:.+Z-]*$/.test(word))
}
