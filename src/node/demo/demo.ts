import { join } from 'node:path'
import { type Running, startSallyport } from '../main.ts'
import { readSettings } from '../settings.ts'
import { type Issuer, startIssuer } from './issuer.ts'
import { type Shop, startShop } from './mesh/shop.ts'
import type { Step } from './step.ts'
import { type DemoWorld, demoSteps } from './steps.ts'
import { startLive, startSandbox, type Vendor } from './vendor/vendor.ts'
import { openWorkspace, type Workspace } from './workspace.ts'

export interface DemoOptions {
  /** The shop's policies. */
  readonly policies: string
  /** Take free ports instead of the usual ones, so that demos can run side by side. */
  readonly anyPorts: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where the gateway's own records go: a file, or nowhere. */
  readonly log: string | undefined
}

/** The whole demo, running: issuer, mesh, vendors, and Sallyport in front of them. */
export interface Demo {
  readonly world: DemoWorld
  readonly running: Running
  readonly shop: Shop
  readonly steps: readonly Step[]
  close(): Promise<void>
}

const sandboxKey = 'sk_test_demo'
const liveKey = 'sk_live_demo'

/** Starts everything on loopback, in environment `dev`. What was started is ended again when a later part fails. */
export async function startDemo(options: DemoOptions): Promise<Demo> {
  const opened: (() => Promise<unknown>)[] = []
  const keep = async <Part extends { close(): Promise<unknown> }>(part: Promise<Part>): Promise<Part> => {
    const started = await part
    opened.unshift(() => started.close())
    return started
  }
  const close = async (): Promise<void> => {
    for (const end of opened.splice(0)) await end()
  }
  try {
    const workspace = await keep(openWorkspace(options.policies, options.anyPorts))
    const { ports } = workspace
    const issuer = await keep(startIssuer(ports.issuer))
    const descriptors = join(workspace.policies, 'descriptors', 'shop.binpb')
    const shop = await keep(startShop({ sidecarPort: ports.sidecar, descriptors, env: options.env }))
    await keep(startSandbox(ports.sandbox, sandboxKey))
    const live = await keep(startLive(ports.live, liveKey))
    const running = await keep(startGateway(workspace, options, live.ca))
    const world = worldOf(workspace, issuer, live, running)
    return { world, running, shop, steps: await demoSteps(world), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function startGateway(workspace: Workspace, options: DemoOptions, liveCa: string): Promise<Running> {
  const secrets = { DEMO_SANDBOX_KEY: sandboxKey, DEMO_LIVE_KEY: liveKey, DEMO_LIVE_CA: liveCa }
  const variables = { ...options.env, ...secrets, REDIS_URL: undefined }
  const log = options.log === undefined ? { logLevel: 'silent' } : { logTo: options.log, logFormat: 'json' }
  return await startSallyport(
    readSettings({ environment: 'dev', policies: workspace.policies, strict: true, lameDuck: '0s', drain: '2s', ...log }, variables, false),
  )
}

function worldOf(workspace: Workspace, issuer: Issuer, live: Vendor, running: Running): DemoWorld {
  return {
    workspace,
    issuer,
    live,
    revision: () => running.live.current.revision,
    revisionAfter: (revision) => waitFor(() => (running.live.current.revision === revision ? undefined : running.live.current.revision), 10_000),
  }
}

/** Looks every 20 ms until there is an answer. @throws Error after `forMs`. */
async function waitFor<T>(look: () => T | undefined, forMs: number): Promise<T> {
  const until = performance.now() + forMs
  while (performance.now() < until) {
    const found = look()
    if (found !== undefined) return found
    await new Promise((next) => setTimeout(next, 20))
  }
  throw new Error(`the edit was not in force after ${forMs} ms`)
}
