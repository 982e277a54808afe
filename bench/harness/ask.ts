import { request } from 'node:http'
import { connect } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import type { Answer, BenchRequest, Child } from '../model.ts'

const patienceMs = 20_000

/** Sends one request on a connection of its own. @throws Error when there is no answer in five seconds. */
export async function ask(port: number, { method, path, headers, body }: BenchRequest, token: string | undefined): Promise<Answer> {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const length = body === '' ? {} : { 'content-length': Buffer.byteLength(body) }
  return await new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, method, path, headers: { ...headers, ...authorization, ...length }, agent: false, timeout: 5000 },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        answer.on('error', reject)
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, type: answer.headers['content-type'] ?? '', body: text }))
      },
    )
    asked.on('timeout', () => asked.destroy(new Error('no answer in five seconds')))
    asked.on('error', reject)
    asked.end(body)
  })
}

/** Looks until the port accepts connections. @throws Error with what the process complained of, when it ends first or takes too long. */
export async function untilListening(port: number, child: Child, name: string): Promise<void> {
  const until = performance.now() + patienceMs
  const ended = child.ended.then(() => true)
  const pause = (): Promise<boolean> => new Promise((next) => setTimeout(next, 25, false))
  let over = false
  while (!over && performance.now() < until) {
    if (await accepts(port)) return
    over = await Promise.race([ended, pause()])
  }
  throw new Error(`${name} ${over ? 'ended' : 'does not listen'}: ${child.complaint() || 'it does not say why'}`)
}

async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

/** What is wrong with an answer, compared as JSON values, or undefined. */
export function faultIn(answer: Answer, wanted: unknown): string | undefined {
  if (answer.status !== 200) return `status ${answer.status}: ${answer.body.slice(0, 300)}`
  if (!/^application\/json\b/.test(answer.type)) return `content-type is "${answer.type}"`
  let value: unknown
  try {
    value = JSON.parse(answer.body)
  } catch {
    return `the body is not JSON: ${answer.body.slice(0, 300)}`
  }
  return isDeepStrictEqual(value, wanted) ? undefined : `another answer than the service gives: ${answer.body.slice(0, 300)}`
}
