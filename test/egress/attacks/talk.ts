import { connect } from 'node:net'
import { apart } from './apart.ts'
import { careless } from './canaries.ts'

/** All that came before the connection ended, latin1. */
export interface Talked {
  /** As it came; bodies without the framing of chunks. */
  readonly text: string
  readonly bytes: string
  /** Of each answer its status and, where it is a refusal of ours, the code; what was said that is no HTTP; `closed` for nothing. */
  readonly ends: string
}

/** At once behind what is said; or when this has been heard. */
export type HangsUp = 'at once' | { readonly heard: string }

/** Says bytes to a port, piece by piece, and hears everything up to the end of the connection. @throws Error when that does not come in 5 s. */
export function talk(port: number, pieces: readonly string[], hangsUp?: HangsUp): Promise<Talked> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: hangsUp !== undefined })
    let text = ''
    let said = false
    const maybeEnd = () => {
      if (said && (hangsUp === 'at once' || (hangsUp !== undefined && text.includes(hangsUp.heard)))) socket.end()
    }
    socket.setTimeout(5_000, () => socket.destroy(new Error(`no end of the connection within 5 s: ${text.slice(0, 300)}`)))
    socket.on('data', (part) => {
      text += part.toString('latin1')
      maybeEnd()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A reset is an end.
      if (error.code === undefined) reject(error)
    })
    socket.on('end', () => void socket.end())
    socket.on('close', () => resolve({ text: unchunked(text), bytes: text, ends: endsOf(text) }))
    void (async () => {
      for (const piece of pieces) {
        socket.write(piece, 'latin1')
        await apart()
      }
      said = true
      maybeEnd()
    })()
  })
}

/** Whoever cuts a secret into chunks has not hidden it. */
function unchunked(text: string): string {
  return text.replaceAll(/(transfer-encoding: chunked\r\n(?:[^\r\n]+\r\n)*\r\n)([^]*?)(?=\r\nHTTP\/1\.1 |$)/gi, (_, head: string, body: string) => {
    let rest = body
    let plain = ''
    for (let size = /^([0-9a-f]+)\r\n/i.exec(rest); size !== null; size = /^(?:\r\n)?([0-9a-f]+)\r\n/i.exec(rest)) {
      const at = size[0].length
      const length = Number.parseInt(size[1] ?? '', 16)
      plain += rest.slice(at, at + length)
      rest = rest.slice(at + length)
    }
    return head + plain + rest
  })
}

function endsOf(text: string): string {
  const answers = [...text.matchAll(/HTTP\/1\.1 (\d{3}) [^\r]*\r\n(?:[^\r\n]+\r\n)*\r\n(?:\{[^\r\n]*?"code":"(\w+)")?/g)]
  const lines = answers.map(([, status, code]) => (code === undefined ? `${status}` : `${status} ${code}`))
  return lines.length === 0 ? text.trim() || 'closed' : lines.join(', ')
}

/** The ids under which the answers say they are recorded. */
export function idsOf(text: string): readonly string[] {
  return [...text.matchAll(/^x-egress-request-id: (\S+)\r$/gim)].map(([, id]) => id ?? '')
}

/** A message in bytes. */
export function message(lines: readonly string[], body = ''): string {
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

/** A request as a careless workload sends it, with these header lines first; the connection ends with it. */
export function request(line: string, host: string, headers: readonly string[] = [], body = ''): string {
  const length = body === '' ? [] : [`content-length: ${Buffer.byteLength(body, 'latin1')}`]
  return message([`${line} HTTP/1.1`, `host: ${host}`, ...headers, ...careless, ...length, 'connection: close'], body)
}
