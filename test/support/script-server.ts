import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Keep } from './keep.ts'

/** A real HTTP server whose answers are a function that may be exchanged. */
export interface ScriptServer {
  readonly url: string
  /** Targets in the order they were asked. */
  readonly asked: readonly string[]
  /** What everything answers from now on. */
  say(answer: (request: IncomingMessage, response: ServerResponse) => void): void
  /** Cuts every connection. */
  cut(): void
}

export async function openScriptServer(keep: Keep, first: (request: IncomingMessage, response: ServerResponse) => void): Promise<ScriptServer> {
  let answer = first
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  keep(() => {
    server.closeAllConnections()
    server.close()
  })
  const bound = server.address()
  const url = `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`
  return {
    url,
    asked,
    say: (next) => {
      answer = next
    },
    cut: () => server.closeAllConnections(),
  }
}
