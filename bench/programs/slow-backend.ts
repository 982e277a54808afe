import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { portArgument } from './until-input-ends.ts'

/*
 * A service that works on 10 requests at a time, 100 ms each: 100 a second. The rest waits in line, and work is done though nobody waits for it any
 * longer, as in most services. A number on its input is how many milliseconds
 * one request takes from then on; `clear` answers everybody who waits at once; `line` makes it print how many wait or are worked on.
 */

const workers = 10
let takesMs = 100
let busy = 0
const line: (() => void)[] = []

function work(): void {
  if (busy >= workers) return
  const answer = line.shift()
  if (answer === undefined) return
  busy += 1
  setTimeout(() => {
    busy -= 1
    answer()
    work()
  }, takesMs)
}

createServer((request, response) => {
  request.resume()
  response.on('error', () => {})
  line.push(() => response.end('done'))
  work()
}).listen(portArgument(), '127.0.0.1')
createInterface({ input: process.stdin })
  .on('line', (text) => {
    if (text === 'line') console.log(line.length + busy)
    else if (text === 'clear') for (const answer of line.splice(0)) answer()
    else takesMs = Number(text)
  })
  .on('close', () => process.exit(0))
process.on('SIGTERM', () => process.exit(0))
