import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
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

/** Over TLS where a certificate is given. */
export async function openScriptServer(
  keep: Keep,
  first: (request: IncomingMessage, response: ServerResponse) => void,
  tls?: { readonly certificate: string; readonly key: string },
): Promise<ScriptServer> {
  let answer = first
  const asked: string[] = []
  const take = (request: IncomingMessage, response: ServerResponse) => {
    asked.push(request.url ?? '')
    answer(request, response)
  }
  const server = tls === undefined ? createServer(take) : createSecureServer({ cert: tls.certificate, key: tls.key }, take)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  keep(() => {
    server.closeAllConnections()
    server.close()
  })
  const bound = server.address()
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`
  return {
    url,
    asked,
    say: (next) => {
      answer = next
    },
    cut: () => server.closeAllConnections(),
  }
}
