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
  readonly metadata?: { readonly name: string; readonly namespace?: string }
  readonly data?: Readonly<Record<string, string>>
  readonly rules?: readonly unknown[]
  readonly spec?: {
    readonly template?: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>>; readonly annotations?: Readonly<Record<string, string>> }
      readonly spec: PodSpec
    }
    readonly scaleTargetRef?: { readonly kind: string; readonly name: string }
    readonly selector?: unknown
  }
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number
  readonly securityContext?: Readonly<Record<string, unknown>>
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly serviceAccountName?: string
  readonly automountServiceAccountToken?: boolean
  readonly volumes?: readonly { readonly name: string }[]
}

interface Container {
  readonly name: string
  readonly image: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
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

/** Those that run the image. */
const manifests = yamlFiles.filter((file) => !file.startsWith('deploy/envoy/') && file !== 'deploy/kubernetes/egress-only.yaml')
const image = `sallyport:${(JSON.parse(textOf('package.json')) as { readonly version: string }).version}`
const dockerfile = textOf('Dockerfile')
const instruction = (name: string) => JSON.parse(new RegExp(`^${name} (\\[.*\\])$`, 'm').exec(dockerfile)?.[1] ?? '[]') as readonly string[]
/** The gateway's own end, after lame duck and drain, and the spans of a collector that does not answer. Seconds. */
const endsSeconds = 22

function templateOf(file: string) {
  const template = documentsOf(file).find(({ kind }) => kind === 'Deployment' || kind === 'DaemonSet')?.spec?.template
  if (template === undefined) throw new Error(`${file} has no Deployment and no DaemonSet`)
  return template
}

const podOf = (file: string): PodSpec => templateOf(file).spec

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
  const { policy, diagnostics } = await loadCase({ files, environment: settingsOf(file).environment })
  return clean({ policy, diagnostics, origins: {} })
}

describe('the deploy examples', () => {
  it('are YAML that parses', () => {
    expect(yamlFiles.length).toBeGreaterThan(2)
    for (const file of yamlFiles) expect(documentsOf(file).length).toBeGreaterThan(0)
  })

  it('are all named in their README', () => {
    const listed = rowsOf('deploy/README.md', 'file').map((row) => `deploy/${/\]\(([^)]+)\)/.exec(row['file'] ?? '')?.[1]}`)
    expect(new Set(listed)).toEqual(new Set([...yamlFiles, 'deploy/systemd/sallyport.service', 'deploy/nftables/egress-only.nft']))
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
    // The last one is Node's own.
    const known = new Set([...rowsOf('docs/operating.md', 'variable').flatMap((row) => codesIn(row['variable'])), 'NODE_OPTIONS'])
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
    const { listeners, egress } = await policyOf(file)
    const container = sallyportIn(file)
    const own = Object.values(egress).flatMap(({ service }) => (service.listen === undefined ? [] : [service.listen.split(':')]))
    const bound = new Map([
      ...[listeners.public, listeners.admin].flatMap((listener) => (listener === undefined ? [] : [[listener.address.port, listener.address.host] as const])),
      ...own.map(([host, port]) => [Number(port), host] as const),
    ])
    expect(container.ports?.map(({ containerPort }) => bound.get(containerPort))).toEqual(container.ports?.map(() => '0.0.0.0'))
    const probes = (['startupProbe', 'livenessProbe', 'readinessProbe'] as const).flatMap((name) => container[name]?.httpGet ?? [])
    expect(probes.length).toBeGreaterThan(1)
    for (const { path, port } of probes) {
      expect(['/livez', '/readyz']).toContain(path)
      expect(container.ports?.find(({ name }) => name === port)?.containerPort).toBe(listeners.admin?.address.port)
    }
  })
})

describe.each(manifests)('%s', (file) => {
  it('mounts every file that its policies read, and every volume that it has', async () => {
    const mounts = sallyportIn(file).volumeMounts ?? []
    expect(new Set(mounts.map(({ name }) => name))).toEqual(new Set(podOf(file).volumes?.map(({ name }) => name)))
    const references = [...JSON.stringify(await policyOf(file)).matchAll(/"file:(\/run\/[^"]+)"/g)].map((match) => match[1] ?? '')
    const service = '/var/run/secrets/kubernetes.io/serviceaccount/'
    expect(references.length).toBeGreaterThan(0)
    expect(references.filter((path) => !path.startsWith(service) && !mounts.some(({ mountPath }) => path.startsWith(`${mountPath}/`)))).toEqual([])
  })

  it('names service accounts, workloads and pods that are there', () => {
    const all = documentsOf(file)
    const named = (kind: string) => all.filter((each) => each.kind === kind).map(({ metadata }) => metadata?.name)
    const { serviceAccountName } = podOf(file)
    expect(serviceAccountName === undefined ? [] : [serviceAccountName]).toEqual(named('ServiceAccount'))
    const scaled = all.flatMap(({ spec }) => spec?.scaleTargetRef ?? [])
    expect(scaled.filter(({ kind, name }) => !named(kind).includes(name))).toEqual([])
    const chosen = all.filter(({ kind }) => kind === 'PodDisruptionBudget').map(({ spec }) => spec?.selector)
    expect(chosen).toEqual(chosen.map(() => ({ matchLabels: templateOf(file).metadata.labels })))
  })
})

describe('the ambassador', () => {
  it('beside one workload takes what comes over loopback for that workload', async () => {
    const { callers, egress } = await policyOf('deploy/kubernetes/ambassador-sidecar.yaml')
    expect(callers['checkout']).toMatchObject({ listener: 'egress', environment: undefined })
    expect(egress['payments']?.service.listen).toMatch(/^127\.0\.0\.1:/)
  })

  it('of a node takes nobody for a caller who does not prove it, over TLS', async () => {
    const { callers, egress } = await policyOf('deploy/kubernetes/ambassador-daemonset.yaml')
    expect(Object.values(callers).filter(({ spiffe, token }) => spiffe === undefined && token === undefined)).toEqual([])
    expect(egress['payments']?.tls?.clientCa).toBeDefined()
  })
})

describe('the way out alone', () => {
  it('is what the ambassador of the node has for a name', () => {
    const [policy] = documentsOf('deploy/kubernetes/egress-only.yaml')
    const name = templateOf('deploy/kubernetes/ambassador-daemonset.yaml').metadata.labels['app.kubernetes.io/name']
    expect(policy?.kind).toBe('NetworkPolicy')
    expect(JSON.stringify(policy?.spec)).toContain(`"operator":"NotIn","values":["${name}"]`)
  })
})

describe('the gateway', () => {
  const annotations = (mesh: string) => templateOf(`deploy/${mesh}/gateway.yaml`).metadata.annotations ?? {}
  const clusterOf = async (mesh: string) => (await policyOf(`deploy/${mesh}/gateway.yaml`)).clusters['catalog']

  it('without a mesh finds pods by EndpointSlices, may look at these and nothing else, and knows them by SPIFFE id', async () => {
    const file = 'deploy/kubernetes/gateway.yaml'
    const cluster = await clusterOf('kubernetes')
    expect(cluster?.endpoints).toMatchObject({ kind: 'kubernetes', namespace: documentsOf(file).find(({ kind }) => kind === 'Role')?.metadata?.namespace })
    expect(documentsOf(file).find(({ kind }) => kind === 'Role')?.rules).toEqual([
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list', 'watch'] },
    ])
    expect(podOf(file).automountServiceAccountToken).toBe(true)
    expect(cluster?.tls?.spiffe).toEqual(['spiffe://corp/ns/shop/sa/catalog'])
  })

  it('in Istio takes what comes itself, and sends to Services', async () => {
    expect(await clusterOf('istio')).toMatchObject({ sidecar: 'istio', endpoints: { addresses: [{ host: 'catalog.shop.svc.cluster.local' }] } })
    expect(annotations('istio')['traffic.sidecar.istio.io/includeInboundPorts']).toBe('')
    expect(templateOf('deploy/istio/gateway.yaml').metadata.labels['sidecar.istio.io/inject']).toBe('true')
  })

  it('in Linkerd is injected in ingress mode, which is what its preset is for', async () => {
    expect((await clusterOf('linkerd'))?.sidecar).toBe('linkerd')
    expect(annotations('linkerd')['linkerd.io/inject']).toBe('ingress')
    const ports = sallyportIn('deploy/linkerd/gateway.yaml').ports?.map(({ containerPort }) => containerPort)
    expect(annotations('linkerd')['config.linkerd.io/skip-inbound-ports']).toBe(ports?.join(','))
  })

  it('in Consul dials the ports that its sidecar binds', async () => {
    const cluster = await clusterOf('consul')
    const [name, port] = annotations('consul')['consul.hashicorp.com/connect-service-upstreams']?.split(':') ?? []
    expect([cluster?.sidecar, cluster?.name]).toEqual(['consul', name])
    expect(cluster?.endpoints).toMatchObject({ addresses: [{ host: '127.0.0.1', port: Number(port) }] })
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

describe('deploy/README.md', () => {
  const snippets = [...textOf('deploy/README.md').matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
  const rest = `sallyport: v1
environments: { prod: { class: prod } }
listeners: { public: { address: 127.0.0.1:8080 } }
routes: { catalog: { match: { path: /catalog }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: catalog } }
`

  it.each(snippets)('has snippets that load without a warning: %s', async (snippet) => {
    await expect(
      loadCase({ files: { 'rest.yaml': rest, 'snippet.yaml': `sallyport: v1\n${snippet}` }, environment: 'prod' }).then(clean),
    ).resolves.toBeDefined()
  })

  it('has one for each of the meshes, and one for none', () => {
    expect(snippets.map((snippet) => /sidecar: (\w+)/.exec(snippet)?.[1])).toEqual(['envoy', 'istio', 'linkerd', 'consul', undefined])
  })
})
