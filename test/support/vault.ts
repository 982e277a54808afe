import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Keep } from './keep.ts'

type Fields = Readonly<Record<string, unknown>>

interface Token {
  /** Seconds of a lease; 0 for ever. */
  readonly ttl: number
  readonly renewable: boolean
  /** How long it may live with all its renewals, in seconds of leases that are still to be given. */
  left: number
}

/**
 * A server that speaks the part of Vault's HTTP API that a reader of secrets uses, as its documentation has it: KV version 2 at `kv`, tokens with
 * leases, Kubernetes auth, sealing. It has no clock: a lease ends when the test says so.
 */
export interface FakeVault {
  readonly address: string
  /** Paths that were asked for, with the method, oldest first. */
  readonly asked: string[]
  /** A new version of a secret. */
  put(path: string, fields: Fields): void
  delete(path: string, version: number): void
  addToken(token: string, more?: Partial<Token>): void
  revoke(token: string): void
  /** Who may log in as the role `gateway`. */
  account(jwt: string, lease: { readonly ttl: number; readonly renewable: boolean; readonly left?: number }): void
  /** What it answers to everything from now on; undefined puts it right. */
  answer(instead: 'sealed' | 'standby' | 'error' | 'html' | 'nothing' | 'silence' | undefined): void
  readonly namespace: { required: string | undefined }
}

export async function openVault(keep: Keep): Promise<FakeVault> {
  const secrets = new Map<string, (Fields | undefined)[]>()
  const tokens = new Map<string, Token>()
  const accounts = new Map<string, { readonly ttl: number; readonly renewable: boolean; readonly left?: number }>()
  const asked: string[] = []
  const namespace: FakeVault['namespace'] = { required: undefined }
  let instead: Parameters<FakeVault['answer']>[0]
  let given = 0

  const server = createServer((request, response) => void handle(request, response))

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request)
    asked.push(`${request.method} ${request.url}`)
    if (instead === 'silence') return
    if (instead === 'nothing') request.socket.destroy()
    else if (instead === 'sealed') send(response, 503, { errors: ['Vault is sealed'] })
    else if (instead === 'standby') response.writeHead(307, { location: 'https://10.0.0.2:8200/' }).end()
    else if (instead === 'error') send(response, 500, { errors: ['internal error'] })
    else if (instead === 'html') response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
    else if (namespace.required !== undefined && request.headers['x-vault-namespace'] !== namespace.required) denied(response)
    else route(request, response, body)
  }

  function route(request: IncomingMessage, response: ServerResponse, body: Fields): void {
    const url = new URL(request.url ?? '', 'http://vault')
    if (url.pathname === '/v1/auth/kubernetes/login' && request.method === 'POST') return logIn(response, body)
    const name = String(request.headers['x-vault-token'] ?? '')
    const token = tokens.get(name)
    if (token === undefined || request.headers['x-vault-request'] !== 'true') return denied(response)
    if (url.pathname === '/v1/auth/token/lookup-self') return send(response, 200, envelope({ data: { id: name, ttl: token.ttl, renewable: token.renewable } }))
    if (url.pathname === '/v1/auth/token/renew-self' && request.method === 'POST') return renew(response, name, token)
    const path = /^\/v1\/kv\/data\/(.+)$/.exec(url.pathname)?.[1]
    return path === undefined ? send(response, 404, { errors: [] }) : read(response, path, url.searchParams.get('version'))
  }

  function read(response: ServerResponse, path: string, wanted: string | null): void {
    if (path.startsWith('denied')) return denied(response)
    const versions = secrets.get(path)
    const version = wanted === null ? (versions?.length ?? 0) : Number(wanted)
    if (versions === undefined || version > versions.length) return send(response, 404, { errors: [] })
    const data = versions[version - 1] ?? null
    const metadata = {
      created_time: '2026-01-01T00:00:00Z',
      custom_metadata: null,
      deletion_time: data === null ? '2026-01-02T00:00:00Z' : '',
      destroyed: false,
      version,
    }
    return send(response, data === null ? 404 : 200, envelope({ data: { data, metadata } }))
  }

  function logIn(response: ServerResponse, { role, jwt }: Fields): void {
    const lease = accounts.get(String(jwt))
    if (role !== 'gateway' || lease === undefined) return denied(response)
    const name = `hvs.${++given}`
    tokens.set(name, { left: Number.POSITIVE_INFINITY, ...lease })
    return send(
      response,
      200,
      envelope({ auth: { client_token: name, accessor: 'a', policies: ['default'], lease_duration: lease.ttl, renewable: lease.renewable } }),
    )
  }

  function renew(response: ServerResponse, name: string, token: Token): void {
    if (!token.renewable) return send(response, 400, { errors: ['lease is not renewable'] })
    const lease = Math.min(token.ttl, token.left)
    token.left -= lease
    return send(response, 200, envelope({ auth: { client_token: name, lease_duration: lease, renewable: true } }))
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  keep(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    namespace,
    put: (path, fields) => void secrets.set(path, [...(secrets.get(path) ?? []), fields]),
    delete(path, version) {
      secrets.get(path)?.splice(version - 1, 1, undefined)
    },
    addToken: (token, more) => void tokens.set(token, { ttl: 0, renewable: false, left: Number.POSITIVE_INFINITY, ...more }),
    revoke: (token) => void tokens.delete(token),
    account: (jwt, lease) => void accounts.set(jwt, lease),
    answer: (next) => void (instead = next),
  }
}

function envelope(more: Fields): Fields {
  return { request_id: 'r', lease_id: '', renewable: false, lease_duration: 0, data: null, wrap_info: null, warnings: null, auth: null, ...more }
}

function denied(response: ServerResponse): void {
  send(response, 403, { errors: ['permission denied'] })
}

function send(response: ServerResponse, status: number, body: Fields): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function bodyOf(request: IncomingMessage): Promise<Fields> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text === '' ? {} : (JSON.parse(text) as Fields)
}
