import type { SwitchDesk } from '../../src/node/switching.ts'

/** For admin apps on which nobody switches. */
export const noSwitches: SwitchDesk = { switch: () => Promise.reject(new Error('nobody switches here')) }
