import type { Policy } from './policy.ts'

/** First 16 hex digits of SHA-256 over the linked policy as canonical JSON, descriptor sets by their own digest. */
export async function revisionOf(policy: Omit<Policy, 'revision'>): Promise<string> {
  const descriptors: Record<string, string> = {}
  for (const [path, bytes] of Object.entries(policy.descriptors)) descriptors[path] = await sha256(bytes)
  const text = canonicalJson({ ...policy, descriptors })
  return (await sha256(new TextEncoder().encode(text))).slice(0, 16)
}

/** Lower-case hex SHA-256. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  // A copy: the digest takes no view of shared memory.
  const digest = await globalThis.crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** JSON with members in code unit order and undefined ones left out. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
  })
}
