/** What is understood of the bytes of a connection, so that it is ended where nothing is torn. */
export interface Conversation {
  /** Told of what the workload says. @returns what of it the target is to hear */
  fromNear(chunk: Buffer): Buffer
  /** The workload has ended. @returns what the target has not heard yet of what it said */
  nearEnded(): Buffer
  /** Told of what the target says. */
  fromFar(chunk: Buffer): void
  /** Whether it may end now. `quiet`: nothing has moved for a moment. */
  rests(quiet: boolean): boolean
}

const nothing = Buffer.alloc(0)

/** Of a protocol that is not known: it rests when the target had the last word, and nothing has moved since for a moment. */
export function anyConversation(): Conversation {
  let asking = false
  return {
    fromNear(chunk) {
      asking = true
      return chunk
    },
    nearEnded: () => nothing,
    fromFar() {
      asking = false
    },
    rests: (quiet) => quiet && !asking,
  }
}
