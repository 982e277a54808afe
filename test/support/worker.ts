import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exportJWK, generateKeyPair } from 'jose'
import { limitBinding, limitsAtEdge } from '../../src/core/edge.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import type { Keep } from './keep.ts'

/** Variables under which wrangler is quiet and keeps to loopback. */
export const quietWrangler = {
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_LOG_PATH: join(tmpdir(), 'sallyport-wrangler-logs'),
} as const

/** wrangler, read after it was told to be quiet. */
export function readWrangler(): Promise<typeof import('wrangler')> {
  Object.assign(process.env, quietWrangler)
  return import('wrangler')
}

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
  const { createTestHarness } = await readWrangler()
  const harness = createTestHarness({ workers: [{ config: await configOf(keep, options) }] })
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
  })
  const { url } = await harness.listen()
  return { port: Number(url.port), calls, logs: () => harness.getLogs().flatMap(({ message }) => parsed(message)) }
}

/**
 * The same without the harness's own way out, through which neither a client that goes nor an answer that breaks off is seen: the
 * Worker calls loopback itself.
 */
export async function openBareWorker(keep: Keep, options: Omit<WorkerOptions, 'outbound'>): Promise<Omit<RunningWorker, 'calls'>> {
  const { unstable_startWorker } = await readWrangler()
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-worker-'))
  keep(() => rm(folder, { recursive: true, force: true }))
  const config = join(folder, 'wrangler.json')
  await writeFile(config, JSON.stringify(await configOf(keep, options)))
  const lines: string[] = []
  const worker = await unstable_startWorker({
    config,
    build: { nodejsCompatMode: null },
    dev: {
      inspector: false,
      server: { hostname: '127.0.0.1', port: 0 },
      logLevel: 'none',
      watch: false,
      persist: false,
      structuredLogsHandler: ({ message }: { readonly message: string }) => void lines.push(message),
    },
  })
  keep(() => worker.dispose())
  await worker.ready
  return { port: Number((await worker.url).port), logs: () => lines.flatMap(parsed) }
}

async function configOf(keep: Keep, options: WorkerOptions) {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-worker-'))
  keep(() => rm(folder, { recursive: true, force: true }))
  const policy = join(folder, 'policy.json')
  await writeFile(policy, JSON.stringify(options.policy))
  const limits = limitsAtEdge(options.policy).filter(({ name }) => options.unbound?.includes(limitBinding(name)) !== true)
  const vars = { SALLYPORT_ENV: options.policy.environment, EDGE_ISSUER: edgeIssuer, EDGE_KEY: await edgeKey(), ...options.vars }
  return {
    name: 'edge',
    main: fileURLToPath(new URL('../../src/worker/main.ts', import.meta.url)),
    compatibility_date: '2026-10-01',
    compatibility_flags: ['enable_request_signal', 'no_nodejs_compat', 'no_nodejs_compat_v2'],
    alias: { 'sallyport:policy': policy },
    vars: Object.fromEntries(Object.entries(vars).filter((entry): entry is [string, string] => entry[1] !== undefined)),
    ratelimits: limits.map((limit, i) => ({
      name: limitBinding(limit.name),
      namespace_id: `${9000 + i}`,
      simple: { limit: limit.points + limit.burst, period: limit.windowMs === 10_000 ? (10 as const) : (60 as const) },
    })),
  }
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
