/** When Node's release lines stop getting security fixes (nodejs.org release schedule), as the last good day. */
const endOfLife: Readonly<Record<string, string>> = {
  '24': '2028-04-30',
  '25': '2026-06-01',
  '26': '2029-04-30',
}

/** Oldest line that runs Sallyport. */
const oldest = 24

/** A sentence about a Node that should not be used any more, or undefined. `now` is wall time in milliseconds. */
export function nodeWarning(version: string, now: number): string | undefined {
  const major = version.replace(/^v/, '').split('.', 1)[0] ?? ''
  if (Number(major) < oldest) return `Node ${version} is older than Sallyport supports; use Node ${oldest} or newer`
  const end = endOfLife[major]
  if (end === undefined || now <= Date.parse(`${end}T23:59:59Z`)) return undefined
  return `Node ${version} gets no security fixes since ${end}; use a newer line`
}
