/** Where the ambassador hands out credentials, where a target says so. */
export const vendPath = '/.sallyport/credentials'

/** Whether a path is the ambassador's own: nothing there or under it is asked of a vendor. */
export function isVendPath(path: string): boolean {
  return path === vendPath || path.startsWith(`${vendPath}/`)
}
