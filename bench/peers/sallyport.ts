import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Child, Peer, Setup } from '../model.ts'

/** Open to everybody who keeps to the rate. */
export const sallyport: Peer = {
  name: 'sallyport',
  suites: ['proxy'],
  about: 'an anonymous route with a limit by network; records and metrics',
  features: ['route', 'limit', 'record', 'metrics', 'ids'],
  extra: false,
  install: 'npm install',
  available: async () => 'of this tree',
  start: async (setup) => await start(setup, proxyPolicies(setup, false)),
}

/** With everything a request to a protected API goes through. */
export const sallyportJwt: Peer = {
  ...sallyport,
  name: 'sallyport-jwt',
  about: 'RS256 tokens, scopes and a CEL condition, a limit by subject; records and metrics',
  features: ['route', 'jwt', 'policy', 'limit', 'record', 'metrics', 'ids'],
  start: async (setup) => await start(setup, proxyPolicies(setup, true)),
}

/** The same duties in front of a gRPC service. */
export const sallyportTranscode: Peer = {
  ...sallyportJwt,
  name: 'sallyport',
  suites: ['transcode', 'shop'],
  start: async (setup) => await start(setup, grpcPolicies(setup)),
}

/** JSON is YAML: the policies are written as data. */
type Policies = Readonly<Record<string, unknown>>

/** High enough that it is counted and never reached. */
const rate = '900000000/1m'

function common({ port, issuer }: Setup, identified: boolean): Policies {
  return {
    sallyport: 'v1',
    environments: { dev: { class: 'nonprod' } },
    listeners: { public: { address: `127.0.0.1:${port}` } },
    limits: { all: { rate, key: identified ? ['issuer', 'subject'] : ['client.network'] } },
    ...(identified
      ? {
          issuers: {
            bench: { issuer: issuer.url, jwks: `${issuer.url}/jwks.json`, audiences: [issuer.audience], algorithms: ['RS256'], tokenTypes: ['at+jwt'] },
          },
        }
      : {}),
  }
}

function protectedBy(id: string, allow: Policies, scope: string): Policies {
  return {
    authenticate: { jwt: 'bench' },
    rules: [
      { id, allow: { ...allow, scopes: [scope] } },
      { id: 'suspended-tenants', deny: { issuers: ['bench'] }, when: 'claims.tenant == "suspended"', reason: 'This tenant is suspended.' },
    ],
  }
}

function proxyPolicies(setup: Setup, identified: boolean): Policies {
  return {
    ...common(setup, identified),
    clusters: { catalog: { sidecar: 'none', protocol: 'http', address: `127.0.0.1:${setup.backendPort}` } },
    routes: {
      catalog: {
        match: { path: '/catalog/{**}', methods: ['GET'] },
        access: identified ? protectedBy('read', { methods: ['GET'] }, 'catalog:read') : { rules: [{ id: 'public', allow: { anonymous: true } }] },
        limits: ['all'],
        timeout: '2s',
        to: 'catalog',
      },
    },
  }
}

function grpcPolicies(setup: Setup): Policies {
  return {
    ...common(setup, true),
    clusters: { orders: { sidecar: 'none', protocol: 'grpc', address: `127.0.0.1:${setup.backendPort}`, descriptors: 'shop.binpb' } },
    routes: {
      orders: {
        match: { grpc: 'shop.v1.Orders' },
        access: protectedBy('orders', { grpc: ['shop.v1.Orders/GetOrder', 'shop.v1.Orders/CreateOrder'] }, 'orders:write'),
        limits: ['all'],
        timeout: '2s',
        to: 'orders',
      },
    },
  }
}

async function start(setup: Setup, policies: Policies): Promise<Child> {
  const folder = join(setup.folder, 'policies')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'bench.json'), JSON.stringify(policies, undefined, 2))
  if (setup.suite.backend.protocol === 'grpc') await copyFile(setup.descriptors, join(folder, 'shop.binpb'))
  const [command = process.execPath, ...args] = setup.sallyport
  const flags = ['--policies', folder, '--env', 'dev', '--strict', '--log-to', '/dev/null', '--log-format', 'json', '--lame-duck', '0s', '--drain', '1s']
  return setup.spawn(command, [...setup.nodeFlags, ...args, 'serve', ...flags])
}
