/** Plain JSON. Documents are built from it and never changed afterwards. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json
}

/** The object without members that are undefined: what is not known is not written. */
export function present(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(members).filter((member): member is [string, Json] => member[1] !== undefined))
}
