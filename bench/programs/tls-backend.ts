import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TLSSocket } from 'node:tls'

/*
 * A service behind mutual TLS, on two ports: HTTP/1.1, and HTTP/2 (gRPC too: any call is answered with one empty message). Answers name whom the caller's
 * certificate is for. Arguments: the ports, and a folder with server.crt, server.key and clients.pem, which are read anew at every line of its input; each
 * is answered by a line when new handshakes use them.
 */
const [http1Port, http2Port, folder = ''] = process.argv.slice(2)
const read = () => ({
  cert: readFileSync(join(folder, 'server.crt')),
  key: readFileSync(join(folder, 'server.key')),
  ca: readFileSync(join(folder, 'clients.pem')),
})
const options = { ...read(), requestCert: true, rejectUnauthorized: true }

function callerOf({ socket }: IncomingMessage | Http2ServerRequest): string {
  return String((socket as TLSSocket).getPeerCertificate().subject?.CN) // it is a TLS server
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  response.setHeader('x-caller', callerOf(request)).end('done')
}

function answerHttp2(request: Http2ServerRequest, response: Http2ServerResponse): void {
  request.resume()
  response.setHeader('x-caller', callerOf(request))
  if (request.headers['content-type']?.startsWith('application/grpc') !== true) {
    response.end('done')
    return
  }
  response.setHeader('content-type', 'application/grpc')
  response.addTrailers({ 'grpc-status': '0' })
  response.end(Buffer.alloc(5))
}

const http1 = createServer(options, answer).listen(Number(http1Port), '127.0.0.1')
// Or the gateway would keep its connections, and need no new handshake.
http1.maxRequestsPerSocket = 50
const servers = [http1, createSecureServer(options, answerHttp2).listen(Number(http2Port), '127.0.0.1')]
createInterface({ input: process.stdin })
  .on('line', () => {
    for (const server of servers) server.setSecureContext(read())
    console.log('read')
  })
  .on('close', () => process.exit(0))
process.on('SIGTERM', () => process.exit(0))
