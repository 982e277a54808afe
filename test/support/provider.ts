import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK } from 'jose'
import type { Keep } from './keep.ts'
import type { Answers, ClientName, Hits, IssuerPlan, Order, ProviderFault, ProviderTls } from './provider/plan.ts'

/** One issuer: a real OpenID provider at a port of its own. */
export interface IdentityProvider {
  /** The `iss` of its tokens. */
  readonly url: string
  /** Where it asks for client certificates; undefined without TLS. */
  readonly tlsUrl: string | undefined
  /** Private key of its client `assertion`. */
  readonly clientKey: CryptoKey
  /** A new key that signs from now on; those before stay in the key set unless `alone`. Returns its key id. */
  rotate(options?: { readonly alone?: boolean }): Promise<string>
  /** What it answers from now on instead; undefined puts it right. */
  fail(fault: ProviderFault | undefined): Promise<void>
  /** What it was asked for since it was opened or restarted. */
  hits(): Promise<Hits>
  /** The logout token (OpenID Connect Back-Channel Logout 1.0) that it sends to a client about a subject. */
  logoutToken(client: ClientName, subject: string): Promise<string>
}

/** A process with any number of issuers in it, which can be lost together. */
export interface ProviderProcess {
  open(options?: { readonly tls?: ProviderTls; readonly nonce?: boolean }): Promise<IdentityProvider>
  /** Stops it from running without closing anything (SIGSTOP). */
  freeze(): void
  thaw(): void
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>
  /** A new process with the same issuers, keys and ports. */
  restart(): Promise<void>
}

const program = fileURLToPath(new URL('./provider/program.ts', import.meta.url))

/** Starts a process for identity providers (oidc-provider) on loopback; `keep` ends it. */
export async function startProviders(keep: Keep): Promise<ProviderProcess> {
  let link = launch()
  const plans = new Map<number, IssuerPlan>()
  keep(() => link.kill())
  return {
    async open({ tls, nonce = false } = {}) {
      const [key, client] = await Promise.all([signingKey(), generateKeyPair('ES256', { extractable: true })])
      const clientKey = { ...(await exportJWK(client.publicKey)), alg: 'ES256', use: 'sig' }
      const asked: IssuerPlan = { port: 0, tlsPort: 0, keys: [key], clientKey, tls, nonce }
      const ports = await link.tell({ do: 'open', plan: asked })
      plans.set(ports.port, { ...asked, ...ports })
      return issuerOf(ports.port, client.privateKey, plans, (order) => link.tell(order))
    },
    freeze: () => link.signal('SIGSTOP'),
    thaw: () => link.signal('SIGCONT'),
    kill: () => link.kill(),
    async restart() {
      link = launch()
      for (const plan of plans.values()) await link.tell({ do: 'open', plan })
    },
  }
}

type Tell = <Done extends Order['do']>(order: Extract<Order, { readonly do: Done }>) => Promise<Answers[Done]>

function issuerOf(port: number, clientKey: CryptoKey, plans: Map<number, IssuerPlan>, tell: Tell): IdentityProvider {
  return {
    url: `http://127.0.0.1:${port}`,
    tlsUrl: plans.get(port)?.tls === undefined ? undefined : `https://127.0.0.1:${plans.get(port)?.tlsPort}`,
    clientKey,
    async rotate({ alone = false } = {}) {
      const plan = plans.get(port)
      const key = await signingKey()
      if (plan === undefined || key.kid === undefined) throw new Error(`no issuer at ${port}`)
      const keys = [key, ...(alone ? [] : plan.keys)]
      plans.set(port, { ...plan, keys })
      await tell({ do: 'keys', port, keys })
      return key.kid
    },
    fail: (fault) => tell({ do: 'fail', port, fault }),
    hits: () => tell({ do: 'hits', port }),
    logoutToken: (client, subject) => tell({ do: 'logout', port, client, subject }),
  }
}

let made = 0

async function signingKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return { ...(await exportJWK(privateKey)), kid: `key-${++made}`, alg: 'ES256', use: 'sig' }
}

interface Link {
  readonly tell: Tell
  signal(signal: NodeJS.Signals): void
  kill(): Promise<void>
}

/** A child process that answers each order once. */
function launch(): Link {
  const child = fork(program, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] })
  const waiting = new Map<number, { readonly resolve: (value: unknown) => void; readonly reject: (problem: Error) => void }>()
  let last = 0
  child.on('message', ({ id, value, problem }: { readonly id: number; readonly value?: unknown; readonly problem?: string }) => {
    const asker = waiting.get(id)
    waiting.delete(id)
    if (problem === undefined) asker?.resolve(value)
    else asker?.reject(new Error(problem))
  })
  child.on('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the provider has ended'))
    waiting.clear()
  })
  const tell: Tell = (order) =>
    new Promise((resolve, reject) => {
      const id = ++last
      // The program answers each order with what `Answers` says of it.
      waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      child.send({ id, order }, (error) => error !== null && reject(error))
    })
  return { tell, signal: (signal) => void child.kill(signal), kill: () => end(child) }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}
