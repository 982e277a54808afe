import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, createFileRegistry, type FileRegistry, fromBinary, toJson } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { commandNames, readCommands } from '../../src/node/cli/commands.ts'
import { root, sallyport, sallyportProcess } from '../support/command.ts'
import { policiesFolder } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { openOrders, shopDescriptors } from '../support/shop.ts'

const keep = untilTheEnd()
const escape = '\u001b['

const run = (...words: readonly string[]) => sallyport(words)
const shop = ['--policies', join(root, 'policies')] as const

describe('help', () => {
  it('lists every command, and every command says how it is used, with examples', async () => {
    const overview = await run('--help')
    expect([overview.status, overview.err]).toEqual([0, ''])
    const commands = await readCommands()
    expect(commands.map(({ name }) => name)).toEqual(commandNames)
    for (const { name, examples, options } of commands) {
      expect(overview.out).toContain(`  ${name}`)
      const help = await run(...name.split(' '), '--help')
      expect([name, help.status, help.err]).toEqual([name, 0, ''])
      expect(help.out).toContain(`Usage: sallyport ${name}`)
      expect(examples.length).toBeGreaterThan(0)
      for (const example of examples) expect(help.out).toContain(example)
      for (const option of options) expect(help.out).toContain(`--${option.name}`)
      expect(help.out).toContain('Exit status: 0 fine, 1 findings or failure, 2 wrong usage.')
    }
  })
})

describe('a command line that is wrong ends with status 2 and says what was meant', () => {
  it.each([
    [['chekc'], 'unknown command "chekc", did you mean "check"?'],
    [['egress'], 'egress wants one of: list, explain'],
    [['egress', 'lsit'], 'did you mean "egress list"?'],
    [['proto', 'pul'], 'did you mean "proto pull"?'],
    [['check', '--envv', 'dev'], 'unknown option --envv, did you mean --env?'],
    [['check', '--strickt', '--env', 'dev'], 'did you mean --strict?'],
    [['describe', 'rout', 'orders', '--env', 'dev', ...shop], 'did you mean "route"?'],
    [['describe', 'route', 'order', '--env', 'dev', ...shop], 'there is no route "order", did you mean "orders"?'],
    [['explain', 'GET', '/v1/orders/7', '--env', 'dev', ...shop], 'METHOD URL'],
    [['diff', 'dev'], 'name two environments'],
    [['proto', 'pull'], 'HOST:PORT'],
  ])('%j', async (words, message) => {
    const { status, out, err } = await run(...words)
    expect([status, out]).toEqual([2, ''])
    expect(err).toContain(message)
  })

  it('and so does the program, without a stack', async () => {
    const [unknown, nowhere] = await Promise.all([sallyportProcess(['chekc']), sallyportProcess(['serve'])])
    expect([unknown.status, unknown.out]).toEqual([2, ''])
    expect(unknown.err).toBe('unknown command "chekc", did you mean "check"?\nSee: sallyport --help\n')
    expect(nowhere.status).toBe(2)
    expect(nowhere.err).toContain('SALLYPORT_ENV is not set')
    expect(nowhere.err).not.toContain('    at ')
  })
})

describe('check', () => {
  it('is content with the policies that come with it, in every environment', async () => {
    for (const environment of ['dev', 'test', 'prod']) {
      const { status, out } = await run('check', '--env', environment, ...shop)
      expect([environment, status]).toEqual([environment, 0])
      expect(out).toMatch(
        new RegExp(
          `^ok: \\d+ routes, \\d+ egress services for ${environment} \\(\\w+\\), revision [0-9a-f]{16}\ndescriptors/shop\\.binpb: sha256 [0-9a-f]{64}\n(?:limit [a-z-]+: at most \\d+ in any \\d+s, per process; a restart begins anew\n)+(?:retries of route [a-z-]+: keeps at most [^\n]+\n)*$`,
        ),
      )
    }
  })

  it('ends with status 1 and file:line:col when there is something to find, for people and for machines', async () => {
    const { path } = await policiesFolder(keep, {
      'all.yaml': 'sallyport: v1\nenvironments:\n  dev: { class: nonprod }\nroutes:\n  a: { match: { path: /a }, acces: a, to: nobody }\n',
    })
    const [people, machines] = await Promise.all([
      sallyportProcess(['check'], { SALLYPORT_ENV: 'dev', SALLYPORT_POLICIES: path }),
      sallyportProcess(['check', '--env', 'dev', '--policies', path, '--json']),
    ])
    expect([people.status, machines.status, people.err, machines.err]).toEqual([1, 1, '', ''])
    expect(people.out).toMatch(/^all\.yaml:5:\d+: error: .*acces/m)
    expect(people.out).toContain('Did you mean "access"?')
    expect(people.out).not.toContain(escape)
    const said = JSON.parse(machines.out) as { ok: boolean; diagnostics: { file: string; line: number; column: number; severity: string; message: string }[] }
    expect(said.ok).toBe(false)
    expect(said.diagnostics.length).toBeGreaterThanOrEqual(2)
    for (const { file, line, column, severity, message } of said.diagnostics) expect(people.out).toContain(`${file}:${line}:${column}: ${severity}: ${message}`)
  })

  it('colours its words where somebody has asked for it', async () => {
    const { status, out } = await sallyportProcess(['check', '--env', 'dev'], { FORCE_COLOR: '1' })
    expect(status).toBe(0)
    expect(out).toContain(escape)
  })
})

describe('every command that answers in JSON', () => {
  const asked: readonly (readonly [words: readonly string[], status: number, holds: object])[] = [
    [['check', '--env', 'dev'], 0, { ok: true, environment: 'dev', diagnostics: [] }],
    [['test', '--env', 'dev'], 0, { failed: [], diagnostics: [] }],
    [['explain', 'GET', 'http://api.shop.example/v1/orders/7', '--env', 'dev'], 1, { route: 'orders', outcome: { status: 401, code: 'unauthenticated' } }],
    [['describe', 'route', 'orders', '--env', 'dev'], 0, { kind: 'route', name: 'orders', environment: 'dev' }],
    [['diff', 'test', 'prod'], 0, { from: 'test', to: 'prod' }],
    [['egress', 'explain', 'payments', 'POST', '/v1/charges', '--env', 'dev', '--want', 'prod'], 1, { passes: false }],
  ]
  it.each(asked)('%j', async (words, status, holds) => {
    const answer = await run(...words, '--json', ...shop)
    expect([answer.status, answer.err]).toEqual([status, ''])
    expect(JSON.parse(answer.out)).toMatchObject(holds)
  })
})

describe('for people', () => {
  const claims = ['--claims', '{"sub":"alice","tenant":"red","scope":"orders:read"}'] as const

  it('test runs the policy tests and counts them', async () => {
    const { status, out } = await run('test', '--env', 'dev', ...shop)
    expect(status).toBe(0)
    expect(out).toMatch(/^ok +nobody reads orders without a token$/m)
    expect(out).toMatch(/^\d+ passed, 0 failed$/m)
  })

  it('test shows what differs, with its place, and names the rules that no test exercised', async () => {
    const { path } = await policiesFolder(keep, {
      'all.yaml': `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { public: { address: "127.0.0.1:8080" } }
clusters: { web: { address: "127.0.0.1:8081" } }
routes:
  web: { match: { path: /web }, access: { rules: [{ id: all, allow: { anonymous: true } }, { id: never, deny: { methods: [DELETE] } }] }, to: web }
`,
      'all.test.yaml': '- name: everybody is kept out\n  request: { method: GET, path: /web }\n  expect: { status: 403 }\n',
    })
    const { status, out } = await run('test', '--env', 'dev', '--policies', path)
    expect(status).toBe(1)
    expect(out).toMatch(/^FAILED everybody is kept out +all\.test\.yaml:1$/m)
    expect(out).toContain('status: expected 403, got 200')
    expect(out).toContain('0 passed, 1 failed')
    expect(out).toMatch(/Rules no test exercised:\n +web\/never$/m)
  })

  it('explain names the route, the rules, the limit, the destination and the outcome', async () => {
    const { status, out } = await run('explain', 'GET', 'http://api.shop.example/v1/orders/7', '--env', 'dev', ...claims, ...shop)
    expect(status).toBe(0)
    for (const part of ['Request     GET /v1/orders/7 at api.shop.example from 127.0.0.1', 'RPC         /shop.v1.Orders/GetOrder', 'Variables   {"id":"7"}']) {
      expect(out).toContain(part)
    }
    expect(out).toMatch(/per-client +issuer=shop subject=alice +at most 30$/m)
    expect(out).toMatch(/Destination orders\/v[12] \(sticky, bucket 0\.\d{4}\)/)
    expect(out).toContain('Forwarded: orders/read lets it pass.')
  })

  it('explain says who refuses, and why', async () => {
    const { status, out } = await run('explain', 'GET', 'http://api.shop.example/v1/tenants/blue/orders/7', '--env', 'dev', ...claims, ...shop)
    expect(status).toBe(1)
    expect(out).toContain('Refused by orders/own-tenant-only: 403 forbidden.')
    expect(out).toContain('A tenant may read its own orders only.')
  })

  it('describe gives every value its origin', async () => {
    const { out } = await run('describe', 'route', 'orders', '--env', 'dev', ...shop)
    expect(out).toMatch(/timeout +"?2s"? +orders\.yaml:\d+:\d+/)
    expect(out).toMatch(/GET \/v1\/orders\/\{id\} → GetOrder/)
  })

  it('diff shows what production has that test has not', async () => {
    const { status, out } = await run('diff', 'test', 'prod', ...shop)
    expect(status).toBe(0)
    expect(out).toMatch(/per-client.*30.*→.*300/)
    expect((await run('diff', 'dev', 'dev', ...shop)).out).toBe('no difference\n')
  })

  it('egress list and egress explain show modes, targets and references, and never a secret', async () => {
    const list = await run('egress', 'list', '--env', 'dev', ...shop)
    expect(list.out).toMatch(/^SERVICE +ENVIRONMENT +MODE +TARGET +SECRET +CALLERS$/m)
    expect(list.out).toMatch(/^payments +test +live +http:\/\/127\.0\.0\.1:9201 +env:DEMO_SANDBOX_KEY +checkout/m)
    // Of production a nonprod process knows no target.
    expect(list.out).not.toMatch(/prod|localhost|LIVE/)
    const explained = await run('egress', 'explain', 'payments', 'POST', '/v1/charges', '--env', 'dev', '--want', 'prod', ...shop)
    expect(explained.status).toBe(1)
    expect(explained.out).toMatch(/^NO +environment +prod is not a nonprod environment/m)
    expect(explained.out).toContain('This call would be refused.\nWhat is switched at run time is not known here: say --admin URL')
    const odd = await run('egress', 'explain', 'payments', 'FOO', '/v1/charges', '--env', 'dev', ...shop)
    expect([odd.status, odd.out]).toEqual([1, expect.stringMatching(/^NO +method +FOO is no method that the parser of HTTP\/1\.1 knows: 400/m)])
    const trace = await run('egress', 'explain', 'payments', 'TRACE', '/v1/charges', '--env', 'dev', ...shop)
    expect(trace.out).toMatch(/^NO +method +TRACE is not implemented: 501$/m)
    const nobody = await run('egress', 'explain', 'payments', 'GET', '/', '--env', 'dev', '--admin', 'http://127.0.0.1:1', ...shop)
    expect([nobody.status, nobody.err]).toEqual([1, expect.stringContaining('no answer from http://127.0.0.1:1')])
  })

  it('schema prints the JSON Schema that is checked in', async () => {
    const { status, out } = await run('schema')
    expect(status).toBe(0)
    const schema = JSON.parse(out) as Readonly<Record<string, unknown>>
    expect(schema['$schema']).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(schema).toEqual(JSON.parse(await readFile(join(root, 'schema/sallyport.v1.json'), 'utf8')))
  })
})

describe('proto pull', () => {
  /** Every file of the shop's own package, as JSON. */
  const ownFiles = (registry: FileRegistry) =>
    [...registry.files]
      .filter(({ proto }) => proto.package.startsWith('shop.'))
      .map(({ proto }) => toJson(FileDescriptorProtoSchema, create(FileDescriptorProtoSchema, { ...proto, sourceCodeInfo: undefined })))
  const registryOf = (bytes: Uint8Array) => createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes))

  it("brings from the shop's reflection the set that is pinned", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-e2e-'))
    keep(() => rm(folder, { recursive: true, force: true }))
    const file = join(folder, 'pulled.binpb')
    const { port } = await openOrders(keep)
    const { status, out, err } = await sallyportProcess(['proto', 'pull', `127.0.0.1:${port}`, '--out', file, '--json'])
    expect([status, err]).toEqual([0, ''])
    const pulled = await readFile(file)
    expect(JSON.parse(out)).toEqual({ file, bytes: pulled.length, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(ownFiles(registryOf(pulled)).length).toBeGreaterThan(0)
    expect(ownFiles(registryOf(pulled))).toEqual(ownFiles(registryOf(shopDescriptors)))
  })

  it('says that nobody is there, with status 1', async () => {
    const { status, out, err } = await run('proto', 'pull', '127.0.0.1:1')
    expect([status, out]).toEqual([1, ''])
    expect(err).toMatch(/^127\.0\.0\.1:1: /)
  })
})
