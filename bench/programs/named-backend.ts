import { createServer } from 'node:http'
import { untilInputEnds } from './until-input-ends.ts'

/*
 * Services that answer with their own name, the port, after about so many milliseconds (the first argument; half of it to half more), each on one of the
 * ports that follow. Any number of requests at a time.
 */
const [takesMs = 0, ...ports] = process.argv.slice(2).map(Number)
for (const port of ports) {
  createServer((request, response) => {
    request.resume()
    const answer = () => response.setHeader('content-length', `${port}`.length).end(`${port}`)
    if (takesMs === 0) answer()
    else setTimeout(answer, takesMs * (0.5 + Math.random()))
  }).listen(port, '127.0.0.1')
}
untilInputEnds()
