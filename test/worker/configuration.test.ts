import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Unstable_Config } from 'wrangler'
import { limitBinding, limitsAtEdge } from '../../src/core/edge.ts'
import { loadFolder } from '../../src/node/policy-source/load-folder.ts'
import { readWrangler } from '../support/worker.ts'

const { unstable_readConfig } = await readWrangler()

const config = fileURLToPath(new URL('../../wrangler.toml', import.meta.url))
const folder = fileURLToPath(new URL('../../policies', import.meta.url))
const environments = ['staging', 'production'] as const

function read(env?: string): Unstable_Config {
  return unstable_readConfig(env === undefined ? { config } : { config, env }, { hideWarnings: true })
}

function textOf({ vars }: Unstable_Config, name: string): string {
  const value = vars[name]
  return typeof value === 'string' ? value : ''
}

function limitsOf({ ratelimits }: Unstable_Config) {
  return Object.fromEntries(ratelimits.map(({ name, simple }) => [name, simple]))
}

describe.each(environments)('the environment %s of wrangler.toml', (env) => {
  const settings = read(env)
  const environment = textOf(settings, 'SALLYPORT_ENV')

  it('is whole: an environment inherits neither variables nor bindings', () => {
    expect(Object.keys(settings.vars).sort()).toEqual(['EDGE_ISSUER', 'ORIGIN', 'SALLYPORT_ENV'])
    expect(settings.vars['ORIGIN']).toMatch(/^https:\/\/[a-z.]+$/)
    expect(settings.vars['EDGE_ISSUER']).toMatch(/^https:\/\//)
    expect(settings.routes).toHaveLength(1)
  })

  it('is built with the policies of the environment that it says it is', () => {
    expect(settings.build.command).toMatch(new RegExp(`worker bundle --env ${environment}$`))
  })

  it('has a binding for every limit of its policies, with the same numbers', async () => {
    const { policy } = await loadFolder({ folder, environment, variables: {}, known: undefined })
    if (policy === undefined) throw new Error(`the policies cannot be linked for ${environment}`)
    const wanted = limitsAtEdge(policy).map(({ name, points, burst, windowMs }) => [limitBinding(name), { limit: points + burst, period: windowMs / 1000 }])
    expect(wanted.length).toBeGreaterThan(0)
    expect(limitsOf(settings)).toEqual(Object.fromEntries(wanted))
  })

  it('bundles nothing of Node and sees clients go', () => {
    expect(settings.compatibility_flags).toEqual(['enable_request_signal', 'no_nodejs_compat', 'no_nodejs_compat_v2'])
    expect(settings.compatibility_date).toMatch(/^2026-(?:0\d-\d\d|10-(?:[01]\d|2[0-3]))$/)
  })
})

describe('wrangler.toml', () => {
  it('names no target without an environment', () => {
    const top = read()
    expect(top.vars).toEqual({})
    expect(top.ratelimits).toEqual([])
    expect(top.routes ?? []).toEqual([])
    expect(top.workers_dev).toBe(false)
    expect(top.build.command).toBeUndefined()
  })

  it('shares no counter, origin or environment between environments', () => {
    const all = environments.map(read)
    const ids = all.flatMap(({ ratelimits }) => ratelimits.map(({ namespace_id }) => namespace_id))
    expect(new Set(ids).size).toBe(ids.length)
    for (const name of ['SALLYPORT_ENV', 'ORIGIN', 'EDGE_ISSUER']) expect(new Set(all.map(({ vars }) => vars[name])).size).toBe(all.length)
  })
})
