import { found } from '../../support/canary.ts'

/** Signs that every encoding writes in another way stand in all of them. */
const salt = '+/&"<>\\?='

/** What the gateway injects: nobody but its own vendor may see it. */
export const secret = `sk_test_7Hq${salt}w2Zr8Kd4VbN1`
/** What a token endpoint gives for it: as secret. */
export const granted = 'granted.9Zs+/~x4Lm7QvT2'
/** What the caller brings of its own, in every place for credentials: nobody but the gateway may see it. */
export const own = `mine.5tGvY${salt}c6Rm9Xp3Js0L`
/** What is said inside the mesh alone. */
export const mesh = `mesh.8uBnE${salt}h1Wk4Qf7Za2D`

/** Fields that a workload of the mesh sends without thinking. */
export const careless: readonly string[] = [
  `authorization: Bearer ${own}`,
  `cookie: session=${own}`,
  `x-api-key: ${own}`,
  `proxy-authorization: Basic ${Buffer.from(`us:${own}`).toString('base64')}`,
  `x-forwarded-client-cert: Subject="${mesh}"`,
  `x-sallyport-token: ${mesh}`,
  `baggage: mesh=${mesh}`,
]

/** The forms in which anything secret stands in what the caller got. */
export const leaksTo = {
  caller: (text: string) => found(text, { secret, granted, own, mesh }),
  vendor: (text: string) => found(text, { own, mesh }),
  record: (text: string) => found(text, { secret, granted, own, mesh }),
} as const
