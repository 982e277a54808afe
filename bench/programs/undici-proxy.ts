import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { Pool } from 'undici'
import { portArgument, untilInputEnds } from './until-input-ends.ts'

/* A reverse proxy as one writes it in an afternoon: node:http in front, undici's pool behind, bodies piped, none of a gateway's duties. The second argument is the backend's port. */

const backend = new Pool(`http://127.0.0.1:${process.argv[3]}`, { connections: 64 })
const ownToThisHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'proxy-authorization', 'proxy-authenticate', 'host'])

async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !ownToThisHop.has(name)))
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
  const answer = await backend.request({ method: request.method ?? 'GET', path: request.url ?? '/', headers, body: hasBody ? request : null })
  response.writeHead(answer.statusCode, Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !ownToThisHop.has(name))))
  await pipeline(answer.body, response)
}

createServer((request, response) => {
  pass(request, response).catch(() => {
    if (response.headersSent) response.destroy()
    else response.writeHead(502).end()
  })
}).listen(portArgument(), '127.0.0.1')
untilInputEnds()
