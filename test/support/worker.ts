import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { limitBinding, limitsAtEdge } from '../../src/core/edge.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import type { Keep } from './keep.ts'

// Before wrangler is read: quiet, and nothing but loopback.
Object.assign(process.env, {
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_LOG_PATH: join(tmpdir(), 'sallyport-wrangler-logs'),
})

/** The Worker's own settings; a name that is undefined is left out. */
export type Vars = Readonly<Record<string, string | undefined>>

export interface WorkerOptions {
  /** An edge policy, as `edgePolicyOf` makes it. */
  readonly policy: Policy
  /** Take the place of the usual ones. */
  readonly vars?: Vars
  /** Without these rate-limit bindings. */
  readonly unbound?: readonly string[]
  /** Answers calls out instead of the network: every one passes here. */
  readonly outbound?: (request: Request) => Promise<Response> | Response
}

/** The Worker in workerd, on loopback. */
export interface RunningWorker {
  readonly port: number
  /** URLs of every call out so far. */
  readonly calls: readonly string[]
  /** What it wrote to the console, parsed. */
  logs(): readonly Readonly<Record<string, unknown>>[]
}

export const edgeIssuer = 'https://edge.example.com'

/** Builds the Worker from source around a policy and runs it until `keep` closes it. One at a time: its calls out are watched in this process. */
export async function openWorker(keep: Keep, options: WorkerOptions): Promise<RunningWorker> {
  const { createTestHarness } = await import('wrangler')
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-worker-'))
  const module = join(folder, 'policy.json')
  await writeFile(module, JSON.stringify(options.policy))
  const limits = limitsAtEdge(options.policy).filter(({ name }) => options.unbound?.includes(limitBinding(name)) !== true)
  const vars = { SALLYPORT_ENV: options.policy.environment, EDGE_ISSUER: edgeIssuer, EDGE_KEY: await edgeKey(), ...options.vars }
  const harness = createTestHarness({
    workers: [
      {
        config: {
          name: 'edge',
          main: new URL('../../src/worker/main.ts', import.meta.url).pathname,
          compatibility_date: '2026-10-01',
          compatibility_flags: ['enable_request_signal', 'no_nodejs_compat', 'no_nodejs_compat_v2'],
          alias: { 'sallyport:policy': module },
          vars: Object.fromEntries(Object.entries(vars).filter((entry): entry is [string, string] => entry[1] !== undefined)),
          ratelimits: limits.map((limit, i) => ({
            name: limitBinding(limit.name),
            namespace_id: `${9000 + i}`,
            simple: { limit: limit.points + limit.burst, period: limit.windowMs / 1000 },
          })),
        },
      },
    ],
  })
  const calls: string[] = []
  const real = globalThis.fetch
  // The harness sends whatever the Worker fetches through this process's own fetch.
  globalThis.fetch = async (...args) => {
    const request = new Request(...args)
    calls.push(request.url)
    return options.outbound === undefined ? real(...args) : options.outbound(request)
  }
  keep(async () => {
    globalThis.fetch = real
    await harness.close()
    await rm(folder, { recursive: true, force: true })
  })
  const { url } = await harness.listen()
  return { port: Number(url.port), calls, logs: () => harness.getLogs().flatMap(({ message }) => parsed(message)) }
}

/** A private ES256 key as the secret holds it. */
export async function edgeKey(): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return JSON.stringify(await exportJWK(privateKey))
}

function parsed(line: string): Readonly<Record<string, unknown>>[] {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? [value as Record<string, unknown>] : []
  } catch {
    return []
  }
}
