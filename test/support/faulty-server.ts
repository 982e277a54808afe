import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { faultyBody } from './faulty-body.ts'

/*
 * A service that does as it is told, a word per line of its input: `ok`, `503`, `503 late` (after a tenth of a second) or `cut`. It prints its port, then
 * every word it heard, and `got METHOD PATH` for every request before anything becomes of it. It ends with its input. Every whole answer ends with its
 * last word, so that a reader can tell.
 */

let mode = 'ok'

const server = createServer((request, response) => {
  console.log(`got ${request.method} ${request.url}`)
  request.resume()
  const refuse = () => response.writeHead(503).end('not now')
  if (mode === '503') refuse()
  else if (mode === '503 late') setTimeout(refuse, 100)
  else {
    response.writeHead(200, { 'content-length': faultyBody.length })
    if (mode === 'ok') response.end(faultyBody)
    else response.write(faultyBody.slice(0, 1_000), () => response.socket?.resetAndDestroy())
  }
})
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  const address = server.address()
  console.log(typeof address === 'object' && address !== null ? address.port : 0)
})
createInterface({ input: process.stdin })
  .on('line', (word) => {
    mode = word
    console.log(word)
  })
  .on('close', () => process.exit(0))
