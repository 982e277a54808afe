/** A structured-field list of strings with parameters (RFC 9651 section 3.1), strictly: throws where a parser must fail. */
export interface SfItem {
  readonly value: string
  readonly params: Readonly<Record<string, number | boolean | string>>
}

export function parseSfStringList(text: string): readonly SfItem[] {
  const items: SfItem[] = []
  let at = 0
  const fail = (what: string): never => {
    throw new Error(`${what} at ${at} of ${text}`)
  }
  const take = (pattern: RegExp, what: string): string => {
    pattern.lastIndex = at
    const found = pattern.exec(text) ?? fail(what)
    at += found[0].length
    return found[0]
  }
  const string = () =>
    take(/"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"/y, 'no string')
      .slice(1, -1)
      .replaceAll(/\\(.)/g, '$1')
  for (;;) {
    const value = string()
    const params: Record<string, number | boolean | string> = {}
    while (text[at] === ';') {
      at++
      take(/ */y, 'space')
      const key = take(/[a-z*][a-z0-9_\-.*]*/y, 'no key')
      if (text[at] === '=') {
        at++
        params[key] = text[at] === '"' ? string() : Number(take(/-?[0-9]{1,15}(?![0-9.])/y, 'no integer'))
      } else params[key] = true
    }
    items.push({ value, params })
    if (at === text.length) return items
    take(/[ \t]*,[ \t]*/y, 'no comma')
  }
}
