/**
 * What a compiled conversion throws when it meets anything but plain, valid input. It says nothing about the input: the checked
 * conversion runs again on the same input and has the last word, with the message that belongs to it.
 */
export const unfit = new Error('not for the compiled codec')

/** Gives the input up to the checked conversion. */
export function giveUp(): never {
  throw unfit
}

/** Nested messages that a compiled conversion follows. Deeper ones are left to the checked conversion, which has the real limit (100). */
export const deepest = 64
