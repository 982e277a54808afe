/** Values of a query parameter by its decoded name, form encoding (WHATWG URL section 5.1). Decoded when first asked; a malformed escape stays as it is. */
export function queryReader(raw: string): (name: string) => readonly string[] {
  let pairs: readonly (readonly [name: string, value: string])[] | undefined
  return (name) => {
    pairs ??= raw
      .split('&')
      .filter((pair) => pair !== '')
      .map(readPair)
    return pairs.filter(([given]) => given === name).map(([, value]) => value)
  }
}

function readPair(pair: string): readonly [string, string] {
  const equals = pair.indexOf('=')
  return equals < 0 ? [decode(pair), ''] : [decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))]
}

function decode(text: string): string {
  const spaced = text.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    return spaced
  }
}
