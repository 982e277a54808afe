import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { listenRaw, listenTls, portArgument, untilInputEnds } from './until-input-ends.ts'

/*
 * Plays the Catalog service for any GET, on the bare socket: a few microseconds of CPU per request, so that the peers in front of it are what is
 * measured. It takes requests without a body only. With files of a certificate and its key behind the port it speaks TLS.
 */

const book = JSON.stringify({
  sku: 'b-1',
  title: 'The Art of the Gate',
  price: '19.90',
  authors: ['A. Warden', 'B. Porter'],
  publisher: 'Castle and Keep',
  pages: 312,
  inStock: true,
  tags: ['gates', 'locks'],
})
const one = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(book)}\r\n\r\n${book}`)
const endOfHead = Buffer.from('\r\n\r\n')

function answer(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let requests = 0
    for (let end = rest.indexOf(endOfHead); end >= 0; end = rest.indexOf(endOfHead)) {
      rest = rest.subarray(end + endOfHead.length)
      requests += 1
    }
    if (requests > 0) socket.write(requests === 1 ? one : Buffer.concat(Array.from({ length: requests }, () => one)))
  })
}

const [certificate, key] = process.argv.slice(3)
if (certificate === undefined || key === undefined) listenRaw(portArgument(), answer)
else listenTls(portArgument(), { cert: readFileSync(certificate), key: readFileSync(key) }, answer)
untilInputEnds()
