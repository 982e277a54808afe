import type { ShrinkRule } from '../../policy/linked/endpoints.ts'

/**
 * Whether a new set of `next` endpoints may take the place of one of `now`. `take`: at once; `hold`: when the source has said so for long
 * enough; `keep`: never. Nothing is ever held back from a source whose first set this is, but an empty one.
 */
export function judgeShrinking(now: number, next: number, rule: ShrinkRule): 'take' | 'hold' | 'keep' {
  if (next === 0) return rule.empty === 'take' && now > 0 ? 'hold' : 'keep'
  return now - next > now * rule.share ? 'hold' : 'take'
}
