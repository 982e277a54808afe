import type { Journey } from './cases.ts'

/** What the Worker does otherwise, and why it may. */
export interface Difference {
  readonly reason: string
  readonly worker: Partial<Pick<Journey, 'status' | 'code' | 'rule' | 'answer' | 'saw'>>
}

const resolved = {
  reason: 'The platform resolves dot segments before the Worker sees the URL. What is left is one path, which is judged and handed on as such.',
  worker: { status: 401, code: 'unauthenticated', answer: { 'www-authenticate': 'Bearer realm="sallyport"' } },
} as const

/** Every known difference between the grounds, by the journey's name. What is not listed here must be alike. */
export const differences: Readonly<Record<string, Difference>> = {
  'a dot segment': resolved,
  'an encoded dot segment': resolved,
  'two credentials in two lines': {
    reason: 'The platform joins repeated fields with a comma: the same refusal, found one room later, with another sentence.',
    worker: {},
  },
  'a route of this host': {
    reason: 'Host cannot be set on a call to the origin. A route of other hosts than the origin would never match there, so the edge has it quarantined.',
    worker: { status: 503, code: 'config_quarantined', answer: { 'content-type': 'application/problem+json' }, saw: 'nothing' },
  },
  'an upgrade is not offered': {
    reason: "Node's listener refuses an upgrade before the walk, the Worker's front guard in it: the same refusal with another sentence.",
    worker: {},
  },
}
