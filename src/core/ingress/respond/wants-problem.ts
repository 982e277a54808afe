import type { Fields } from '../../model/wire.ts'

const weight = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

/**
 * Whether a caller would rather have `application/problem+json` than `application/json` (RFC 9110 section 12.5.1): it is named, with a `q` above
 * zero that is no less than that of plain JSON.
 */
export function wantsProblem(headers: Fields): boolean {
  const ranges = headers.all('accept').flatMap((value) => value.match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) ?? [])
  const likings = ranges.map(likingOf)
  const greatest = (type: string) => Math.max(-1, ...likings.filter((liking) => liking.type === type).map(({ q }) => q))
  const problem = greatest('application/problem+json')
  const plain = ['application/json', 'application/*', '*/*'].map(greatest).find((q) => q >= 0) ?? 0
  return problem > 0 && problem >= plain
}

function likingOf(range: string): { readonly type: string; readonly q: number } {
  const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
  const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1'
  return { type, q: weight.test(q) ? Number(q) : -1 }
}
