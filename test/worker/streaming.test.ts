import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import { gunzipSync, gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { testEdgePolicy } from '../support/edge-policy.ts'
import { untilTheEnd } from '../support/keep.ts'
import { openHttp } from '../support/shop.ts'
import { openBareWorker } from '../support/worker.ts'

const keep = untilTheEnd()
let worker: Awaited<ReturnType<typeof openBareWorker>>
/** The gateway behind: what it does with the next request. */
let behind: (response: ServerResponse) => void

beforeAll(async () => {
  const port = await openHttp(keep, (_request, response) => behind(response))
  worker = await openBareWorker(keep, { policy: testEdgePolicy(), vars: { ORIGIN: `http://127.0.0.1:${port}` } })
})

const patience = { timeout: 10_000, interval: 10 }

describe('a call to the gateway behind', () => {
  it('passes a compressed answer on whole', async () => {
    const text = 'compressed '.repeat(100)
    behind = (response) => response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': gzipSync(text).length }).end(gzipSync(text))
    const answer = await open('/open/gzip', { 'accept-encoding': 'gzip' })
    const body = await bytesOf(answer)
    expect((answer.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString()).toBe(text)
  })

  it('is a fault when the gateway hangs up', async () => {
    behind = (response) => response.destroy()
    const answer = await open('/open/hangs-up')
    expect(answer.statusCode).toBe(502)
    expect(JSON.parse(await rest(answer))).toMatchObject({ code: 'upstream_reset' })
  })

  it('ends with the time that its downstream has', async () => {
    behind = () => {}
    const answer = await open('/open/late', { 'x-server-timeout': '0.2' })
    expect(answer.statusCode).toBe(504)
    expect(JSON.parse(await rest(answer))).toMatchObject({ code: 'deadline_exceeded' })
  })
})

describe('an answer that streams', () => {
  it('flows while it is made', async () => {
    const made = Promise.withResolvers<ServerResponse>()
    behind = (response) => {
      response.write('one')
      made.resolve(response)
    }
    const answer = await open('/open/flow')
    expect(await next(answer)).toBe('one')
    const response = await made.promise
    response.write('two')
    expect(await next(answer)).toBe('two')
    response.end()
    expect(await rest(answer)).toBe('')
    await vi.waitFor(() => expect(recordOf('/open/flow')).toMatchObject({ ending: 'whole', bytes_out: 6 }), patience)
  })

  it('ends the call behind at the next chunk after the client went, and says so in the record', async () => {
    const gone = Promise.withResolvers<boolean>()
    behind = (response) => {
      // The platform notices a client that went only when it has something to send.
      const writing = setInterval(() => response.write('more'), 10)
      response.on('close', () => {
        clearInterval(writing)
        gone.resolve(!response.writableFinished)
      })
    }
    const answer = await open('/open/gone')
    await next(answer)
    answer.destroy()
    expect(await gone.promise).toBe(true)
    await vi.waitFor(() => expect(recordOf('/open/gone')).toMatchObject({ ending: 'given_up', refusal: { code: 'client_closed' } }), patience)
  })

  it('does not look whole when it breaks off, whether its length was known or not', async () => {
    for (const [path, headers] of Object.entries({ '/open/chunks': {}, '/open/length': { 'content-length': '100' } })) {
      behind = (response) => {
        response.writeHead(200, headers)
        response.write('one', () => setImmediate(() => response.destroy()))
      }
      await expect(open(path).then(rest)).rejects.toThrow(/aborted|hang up|reset/i)
      await vi.waitFor(() => expect(recordOf(path)).toMatchObject({ ending: 'broken_off', refusal: { code: 'upstream_reset' } }), patience)
    }
  })

  it('is made no faster than the client takes it', async () => {
    const chunk = Buffer.alloc(65_536)
    let sent = 0
    let isStuck = false
    behind = (response) => {
      const pump = () => {
        isStuck = false
        while (sent < 256 * 1024 * 1024) {
          sent += chunk.length
          if (!response.write(chunk)) {
            isStuck = true
            response.once('drain', pump)
            return
          }
        }
        response.end()
      }
      pump()
    }
    const answer = await open('/open/slow')
    let before = -1
    await vi.waitFor(
      () => {
        const same = before === sent
        before = sent
        expect(isStuck && same).toBe(true)
      },
      { timeout: 10_000, interval: 200 },
    )
    expect(sent).toBeLessThan(64 * 1024 * 1024)
    answer.destroy()
  })
})

function recordOf(path: string) {
  return worker.logs().find((record) => record['path'] === path)
}

function open(path: string, headers: Readonly<Record<string, string>> = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: worker.port, path, headers }, resolve).on('error', reject)
  })
}

function next(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    response.once('data', (chunk: Buffer) => resolve(chunk.toString()))
    response.once('error', reject)
  })
}

async function rest(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return text
}

async function bytesOf(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const chunk of response) parts.push(chunk as Buffer) // no encoding is set
  return Buffer.concat(parts)
}
