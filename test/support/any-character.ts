import fc from 'fast-check'

const surrogates = 0x800

/** Any character but half of a surrogate pair: as fast-check's unit `binary`, which first builds a table of all of them. */
export const anyCharacter: fc.Arbitrary<string> = fc.nat(0x10_ffff - surrogates).map((at) => String.fromCodePoint(at < 0xd800 ? at : at + surrogates))
