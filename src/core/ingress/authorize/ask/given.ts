/** A field value as RFC 9110 section 5.5 has it, ASCII only: what every hop after this one reads alike. */
const fieldValue = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/

/**
 * What a decision point may give to the upstream: the headers that the policies name, of valid values. Others are left out.
 * @throws Error for a value that would break the request.
 */
export function givenHeaders(
  pairs: Iterable<readonly [name: string, value: string]>,
  allowed: readonly string[],
): readonly (readonly [name: string, value: string])[] {
  const given: (readonly [string, string])[] = []
  for (const [spelt, value] of pairs) {
    const name = spelt.toLowerCase()
    if (!allowed.includes(name)) continue
    if (value.length > 4096 || !fieldValue.test(value)) throw new Error(`its header ${name} has a value that cannot be sent`)
    given.push([name, value])
  }
  return given
}
