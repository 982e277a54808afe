import { createServer } from 'node:http'
import { createInterface } from 'node:readline'

/*
 * A service that does as it is told, a word per line of its input: `ok`, `503` or `cut`. It prints its port, then every word it heard, and
 * ends with its input. Every whole answer ends with its last word, so that a reader can tell.
 */

let mode = 'ok'
const body = `${'x'.repeat(2_000)} whole`

const server = createServer((request, response) => {
  request.resume()
  if (mode === '503') {
    response.writeHead(503).end('not now')
    return
  }
  response.writeHead(200, { 'content-length': body.length })
  if (mode === 'ok') response.end(body)
  else response.write(body.slice(0, 1_000), () => response.socket?.resetAndDestroy())
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
