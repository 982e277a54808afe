import { expect, it } from 'vitest'
import { diff } from '../../src/node/cli/commands/diff.ts'
import { base } from '../support/load.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { ask } from './ask.ts'

const shop = (more = '') => `sallyport: v1
clusters: { a: { address: "127.0.0.1:1" } }
limits: { l: { rate: 30/10s, key: [client.network] } }
routes:
  r: { match: { path: /r, methods: [GET] }, to: a, limits: [l], access: { rules: [{ id: all, allow: { anonymous: true } }] } }
${more}`

it('prints a change on one line, and what is on one side only with its whole value', async () => {
  const folder = await tempFolder({ 'base.yaml': base, 'shop.yaml': shop(), 'environments/prod.yaml': 'sallyport: v1\nlimits: { l: { rate: 300/10s } }\n' })
  const { status, out } = await ask(diff, 'dev', 'prod', '--policies', folder.path)
  expect([status, out]).toEqual([0, '  limits.l.points: 30 → 300\n\n1 difference from dev to prod\n'])
})

it('compares with another folder, and says the same to machines', async () => {
  const folder = await tempFolder({ 'base.yaml': base, 'shop.yaml': shop().replace('methods: [GET]', 'methods: [GET, PUT]') })
  const other = await tempFolder({
    'base.yaml': base,
    'shop.yaml': shop('callers: { c: {} }\negress: { e: { host: e.internal, callers: [c], environments: { dev: { mode: deny } } } }\n'),
  })
  const { out } = await ask(diff, 'dev', 'dev', '--policies', folder.path, '--against', other.path)
  expect(out.split('\n').slice(0, 3)).toEqual([
    '+ callers.c: {"name":"c","listener":"egress","mayChooseEnv":[]}',
    expect.stringMatching(/^\+ egress\.e: \{"service":\{"name":"e",.*"targets":\{"dev":\{"mode":"deny","environment":"dev"\}\}\}$/),
    '  routes.r.match.methods: ["GET","PUT"] → ["GET"]',
  ])
  const { out: json } = await ask(diff, 'dev', 'dev', '--policies', other.path, '--against', folder.path, '--json')
  expect(JSON.parse(json)).toMatchObject({
    changes: [{ path: 'callers.c', from: { name: 'c' } }, { path: 'egress.e' }, { path: 'routes.r.match.methods', from: ['GET'], to: ['GET', 'PUT'] }],
  })
})
