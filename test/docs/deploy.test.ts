import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { Policy } from '../../src/core/policy/policy.ts'
import { readSettings } from '../../src/node/settings.ts'
import { clean, loadCase } from '../support/load.ts'
import { codesIn, root, rowsOf, textOf } from './pages.ts'

/** The members of a manifest that are looked at here. */
interface Manifest {
  readonly kind?: string
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: { readonly template?: { readonly spec: PodSpec } }
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number
  readonly securityContext?: Readonly<Record<string, unknown>>
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
}

interface Container {
  readonly name: string
  readonly image: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly securityContext?: Readonly<Record<string, unknown>>
  readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly path: string; readonly port: string } } | undefined
}

const yamlFiles = readdirSync(join(root, 'deploy'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.yaml'))
  .map((path) => `deploy/${path}`)

function documentsOf(file: string): readonly Manifest[] {
  return parseAllDocuments(textOf(file)).map((document) => {
    expect(document.errors).toEqual([])
    return document.toJS() as Manifest
  })
}

const manifests = yamlFiles.filter((file) => file.startsWith('deploy/kubernetes/'))
const image = `sallyport:${(JSON.parse(textOf('package.json')) as { readonly version: string }).version}`
const dockerfile = textOf('Dockerfile')
const instruction = (name: string) => JSON.parse(new RegExp(`^${name} (\\[.*\\])$`, 'm').exec(dockerfile)?.[1] ?? '[]') as readonly string[]
/** The gateway's own end, after lame duck and drain, and the spans of a collector that does not answer. Seconds. */
const endsSeconds = 22

function podOf(file: string): PodSpec {
  const pod = documentsOf(file).find(({ kind }) => kind === 'Deployment')?.spec?.template?.spec
  if (pod === undefined) throw new Error(`${file} has no Deployment`)
  return pod
}

function sallyportIn(file: string): Container {
  const pod = podOf(file)
  const container = [...pod.containers, ...(pod.initContainers ?? [])].find((one) => one.image.startsWith('sallyport'))
  if (container === undefined) throw new Error(`${file} has no Sallyport`)
  return container
}

function settingsOf(file: string) {
  const variables = Object.fromEntries((sallyportIn(file).env ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])))
  return readSettings({}, variables, false)
}

async function policyOf(file: string): Promise<Policy> {
  const files = documentsOf(file).find(({ kind }) => kind === 'ConfigMap')?.data ?? {}
  return clean(await loadCase({ files, environment: settingsOf(file).environment }))
}

describe('the deploy examples', () => {
  it('are YAML that parses', () => {
    expect(yamlFiles.length).toBeGreaterThan(2)
    for (const file of yamlFiles) expect(documentsOf(file).length).toBeGreaterThan(0)
  })

  it('are all named in their README', () => {
    const listed = rowsOf('deploy/README.md', 'file').map((row) => `deploy/${/\]\(([^)]+)\)/.exec(row['file'] ?? '')?.[1]}`)
    expect(new Set(listed)).toEqual(new Set([...yamlFiles, 'deploy/systemd/sallyport.service']))
  })
})

describe.each(manifests)('%s', (file) => {
  it('starts what the image starts, of this version', () => {
    const container = sallyportIn(file)
    expect(instruction('ENTRYPOINT')).toEqual(['node', '/app/dist/node/cli/main.js'])
    expect(container.command).toBeUndefined()
    expect(container.args).toEqual(instruction('CMD'))
    expect(container.image).toBe(image)
  })

  it('runs as a user that is not root, with nothing that it may write or gain', () => {
    const pod = podOf(file).securityContext ?? {}
    const own = { ...pod, ...sallyportIn(file).securityContext }
    expect(own).toMatchObject({ runAsNonRoot: true, runAsUser: 1000, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true })
    expect(own['capabilities']).toEqual({ drop: ['ALL'] })
    expect(own['seccompProfile']).toEqual({ type: 'RuntimeDefault' })
  })

  it('sets variables that there are, to values that are taken', () => {
    const known = new Set(rowsOf('docs/operating.md', 'variable').flatMap((row) => codesIn(row['variable'])))
    expect((sallyportIn(file).env ?? []).map(({ name }) => name).filter((name) => !known.has(name))).toEqual([])
    expect(settingsOf(file).strict).toBe(true)
  })

  it('gives the process the time it takes to stop', () => {
    const { lameDuckMs, drainMs } = settingsOf(file).shutdown
    expect(podOf(file).terminationGracePeriodSeconds).toBeGreaterThan((lameDuckMs + drainMs) / 1000 + endsSeconds)
  })

  it('has policies that load without a warning', async () => {
    await expect(policyOf(file)).resolves.toBeDefined()
  })

  it('probes an admin listener that the kubelet can reach, and publishes ports that are bound', async () => {
    const { listeners } = await policyOf(file)
    const container = sallyportIn(file)
    const bound = new Map(
      [listeners.public, listeners.admin].flatMap((listener) => (listener === undefined ? [] : [[listener.address.port, listener.address.host]])),
    )
    expect(container.ports?.map(({ containerPort }) => bound.get(containerPort))).toEqual(container.ports?.map(() => '0.0.0.0'))
    const probes = (['startupProbe', 'livenessProbe', 'readinessProbe'] as const).flatMap((name) => container[name]?.httpGet ?? [])
    expect(probes.length).toBeGreaterThan(1)
    for (const { path, port } of probes) {
      expect(['/livez', '/readyz']).toContain(path)
      expect(container.ports?.find(({ name }) => name === port)?.containerPort).toBe(listeners.admin?.address.port)
    }
  })
})

describe('deploy/systemd/sallyport.service', () => {
  const unit = textOf('deploy/systemd/sallyport.service')
  const settings = new Map([...unit.matchAll(/^([A-Za-z]+)=(.*)$/gm)].map((match) => [match[1] as string, match[2] as string]))

  it('is confined', () => {
    const wanted = { DynamicUser: 'yes', ProtectSystem: 'strict', NoNewPrivileges: 'yes', PrivateDevices: 'yes', CapabilityBoundingSet: '' }
    expect(Object.fromEntries(Object.keys(wanted).map((name) => [name, settings.get(name)]))).toEqual(wanted)
    // V8 compiles at run time: with this it would not start.
    expect(settings.has('MemoryDenyWriteExecute')).toBe(false)
  })

  it('starts the command line, with settings that there are, and gives it time to stop', () => {
    expect(settings.get('ExecStart')).toMatch(/node \S*\/dist\/node\/cli\/main\.js serve$/)
    const variables = Object.fromEntries((settings.get('Environment') ?? '').split(' ').map((pair) => pair.split('=') as [string, string]))
    const { stateDir, shutdown } = readSettings({ environment: 'prod' }, variables, false)
    expect(stateDir).toBe(`%S/${settings.get('StateDirectory')}`)
    expect(Number(settings.get('TimeoutStopSec'))).toBeGreaterThan((shutdown.lameDuckMs + shutdown.drainMs) / 1000 + endsSeconds)
  })
})
