import { hostname, userInfo } from 'node:os'

/** Who runs this command, for records: the user of this process, at this machine. */
export function whoAmI(): string {
  return `${userName()}@${hostname()}`
}

/** A container may run under a number that no user has. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid-${process.getuid?.() ?? '?'}`
  }
}
