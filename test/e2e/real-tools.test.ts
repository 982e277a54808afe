import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../support/certificates.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { isReal } from '../support/real.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { vendorNames } from '../support/vendor-names.ts'

/*
 * Programs as people have them, through the ambassador, none of them told more than where its proxy or its database is. psql: see egress-tcp.test.ts.
 */

const patienceMs = 30_000
const keep = untilTheEnd()
const folder = mkdtempSync(join(tmpdir(), 'sallyport-tools-'))
keep(() => rmSync(folder, { recursive: true, force: true }))
const caFile = join(folder, 'ca.pem')

const has = (debian: string, tool: string, ...args: readonly string[]) =>
  isReal(spawnSync(tool, args).status === 0, `${debian} is not installed: apt-get install -y ${debian}`)

let gateway: Gateway
let secure = ''
let clear = ''

beforeAll(async () => {
  vendorNames(keep)
  const certificates = await makeCertificates()
  const { certificate: cert, key } = await certificates.issue({ dns: 'vendor.example' })
  writeFileSync(caFile, certificates.ca)
  makeRepository()
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { pathname } = new URL(request.url ?? '/', 'http://x')
    const file = join(folder, pathname)
    if (!pathname.startsWith('/shop.git/')) response.end(`${request.method} ${pathname} for ${request.headers.host}`)
    else if (existsSync(file)) response.end(readFileSync(file))
    else response.writeHead(404).end()
  }
  const [tls, plain] = [await listening(createHttpsServer({ cert, key }, answer)), await listening(createHttpServer(answer))]
  secure = `https://vendor.example:${tls}`
  clear = `http://vendor.example:${plain}`
  const loopback = 'allowAddresses: ["127.0.0.0/8"]'
  gateway = await openGateway(keep, {
    'house.yaml': `sallyport: v1
environments: { dev: { class: nonprod }, test: { class: nonprod } }
listeners:
  egress: { address: 127.0.0.1:0, proxy: true }
  admin: { address: 127.0.0.1:0 }
callers: { tools: { listener: egress, mayChooseEnv: [test] } }
egress:
  vendor:
    kind: proxy
    connect: true
    callers: [tools]
    environments:
      dev: { hosts: [vendor.example], ports: [${tls}, ${plain}], ${loopback} }
      test: { mode: deny, reason: closed for the test }
`,
  })
}, patienceMs)

/** A repository with one commit, as a web server without git can serve it. */
function makeRepository(): void {
  const git = (...args: readonly string[]) => spawnSync('git', args, { cwd: folder, env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null' } })
  const who = ['-c', 'user.name=ada', '-c', 'user.email=ada@example']
  git('init', '-q', 'work')
  writeFileSync(join(folder, 'work', 'hello.txt'), 'from the repository')
  git('-C', 'work', 'add', '.')
  git('-C', 'work', ...who, 'commit', '-qm', 'one')
  git('clone', '-q', '--bare', 'work', 'shop.git')
  git('-C', 'shop.git', 'update-server-info')
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  keep(() => void server.close())
  return (server.address() as AddressInfo).port // it is bound to an address
}

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a program whose only way out is the proxy. */
function run(tool: string, args: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const proxy = `http://127.0.0.1:${gateway.port('egress')}`
  const env = { ...process.env, NO_PROXY: '', no_proxy: '', HTTPS_PROXY: proxy, https_proxy: proxy, HTTP_PROXY: proxy, http_proxy: proxy, ...variables }
  return new Promise((resolve) => {
    execFile(tool, args, { env, timeout: patienceMs, cwd: import.meta.dirname }, (error, out, err) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err })
    })
  })
}

/** The last record of the gateway is of this kind, and of the vendor. */
const lastOf = (kind: string) => gateway.journal.findLast((one) => one['kind'] === kind)

describe('through the forward proxy', { timeout: patienceMs }, () => {
  it.skipIf(!has('curl', 'curl', '--version'))('curl gets https by a tunnel, http in the clear, and the reason of a refusal', async () => {
    const proxy = ['-sS', '--proxy', `http://127.0.0.1:${gateway.port('egress')}`, '--cacert', caFile]
    expect(await run('curl', [...proxy, `${secure}/a`])).toMatchObject({ code: 0, out: `GET /a for ${secure.slice(8)}` })
    expect(await run('curl', [...proxy, '-X', 'PUT', '-d', 'x', `${clear}/b`])).toMatchObject({ code: 0, out: `PUT /b for ${clear.slice(7)}` })
    expect(lastOf('request')).toMatchObject({ egress: { service: 'vendor' }, status: 200 })
    const refused = await run('curl', [...proxy, '-v', '--proxy-header', 'x-egress-env: test', `${secure}/a`])
    expect(refused).toMatchObject({ code: 56, err: expect.stringContaining('x-egress-reason: vendor may not be called in test') })
    expect((await run('curl', [...proxy, 'https://elsewhere.example/'])).err).toContain('403')
    // A name of another host inside: what curl sends of its own is right, so it is made to lie.
    const fronted = await run('curl', [
      ...proxy,
      '--connect-to',
      `fronted.example:${secure.split(':')[2]}:vendor.example:${secure.split(':')[2]}`,
      `https://fronted.example:${secure.split(':')[2]}/`,
    ])
    expect(fronted.code).not.toBe(0)
    expect(lastOf('stream')).toMatchObject({
      outcome: 'hello_refused',
      reason: 'the ClientHello names fronted.example, and the tunnel leads to vendor.example',
    })
  })

  it.skipIf(!has('git', 'git', '--version'))('git clones over https', async () => {
    const copy = join(folder, 'copy')
    expect(await run('git', ['clone', '-q', `${secure}/shop.git`, copy], { GIT_SSL_CAINFO: caFile, GIT_CONFIG_GLOBAL: '/dev/null' })).toMatchObject({ code: 0 })
    expect(readFileSync(join(copy, 'hello.txt'), 'utf8')).toBe('from the repository')
  })

  it('Node’s own fetch takes the proxy from its environment', async () => {
    const program = `for (const url of process.argv.slice(1)) console.log(await (await fetch(url)).text())`
    const ran = await run(process.execPath, ['--input-type=module', '-e', program, `${secure}/c`, `${clear}/c`], {
      NODE_USE_ENV_PROXY: '1',
      NODE_EXTRA_CA_CERTS: caFile,
    })
    // It opens a tunnel for both.
    expect(ran).toMatchObject({ code: 0, out: `GET /c for ${secure.slice(8)}\nGET /c for ${clear.slice(7)}\n` })
  })

  it('undici takes it by EnvHttpProxyAgent, for both', async () => {
    const program = `import { EnvHttpProxyAgent, fetch } from 'undici'
      const dispatcher = new EnvHttpProxyAgent()
      for (const url of process.argv.slice(1)) console.log(await (await fetch(url, { dispatcher })).text())`
    const ran = await run(process.execPath, ['--input-type=module', '-e', program, `${secure}/d`, `${clear}/e`], { NODE_EXTRA_CA_CERTS: caFile })
    expect(ran).toMatchObject({ code: 0, out: `GET /d for ${secure.slice(8)}\nGET /e for ${clear.slice(7)}\n` })
  })

  it.skipIf(!has('python3-requests', 'python3', '-c', 'import requests'))('Python’s requests takes it from its environment', async () => {
    const program = 'import requests, sys\nfor url in sys.argv[1:]: print(requests.get(url, timeout=20).text)'
    const ran = await run('python3', ['-c', program, `${secure}/f`, `${clear}/g`], { REQUESTS_CA_BUNDLE: caFile })
    expect(ran).toMatchObject({ code: 0, out: `GET /f for ${secure.slice(8)}\nGET /g for ${clear.slice(7)}\n` })
  })
})

describe.skipIf(!hasRedis())('through a TCP service', { timeout: patienceMs }, () => {
  it('redis-cli speaks to its Redis', async () => {
    const redis = await startRedis()
    keep(() => redis.close())
    const near = await openGateway(keep, {
      'house.yaml': `sallyport: v1
environments: { dev: { class: nonprod } }
callers: { shop: { listener: egress } }
egress:
  cache:
    kind: tcp
    listen: 127.0.0.1:0
    callers: [shop]
    environments: { dev: { target: "127.0.0.1:${redis.port}", allowAddresses: ["127.0.0.0/8"] } }
`,
    })
    const cli = (...args: readonly string[]) => run('redis-cli', ['-h', '127.0.0.1', '-p', `${near.port('egress:cache')}`, ...args])
    expect(await cli('set', 'who', 'ada')).toMatchObject({ out: 'OK\n' })
    expect(await cli('get', 'who')).toMatchObject({ out: 'ada\n' })
  })
})
