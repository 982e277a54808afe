import { describe, expect, it } from 'vitest'
import type { Policy } from '../../src/core/policy/policy.ts'
import { readSettings, SettingsError, type WorkerEnv } from '../../src/worker/settings.ts'
import { testEdgePolicy } from '../support/edge-policy.ts'

const binding = { limit: async () => ({ success: true }) }
const whole: WorkerEnv = {
  SALLYPORT_ENV: 'dev',
  ORIGIN: 'https://origin.example.com',
  EDGE_ISSUER: 'https://edge.example.com',
  EDGE_KEY: 'secret-text',
  LIMIT_THREE: binding,
}

function problemsOf(changes: WorkerEnv, policy: Policy = testEdgePolicy()): readonly string[] {
  try {
    readSettings({ ...whole, ...changes }, policy)
    return []
  } catch (error) {
    if (error instanceof SettingsError) return error.problems
    throw error
  }
}

const inProd = testEdgePolicy({ environment: 'dev', environmentClass: 'prod' })

describe('the settings of a Worker', () => {
  it('are an origin, an issuer, and a binding for each limit', () => {
    const { origin, issuer, limits } = readSettings(whole, testEdgePolicy())
    expect(origin).toEqual({ scheme: 'https', host: 'origin.example.com', port: 443, authority: 'origin.example.com' })
    expect(issuer).toBe('https://edge.example.com')
    expect([...limits]).toEqual([['three', binding]])
  })

  it.each(['SALLYPORT_ENV', 'ORIGIN', 'EDGE_ISSUER', 'EDGE_KEY'])('have no default for %s', (name) => {
    expect(problemsOf({ [name]: undefined })).toEqual([`${name} is not set`])
    expect(problemsOf({ [name]: '' })).toEqual([`${name} is not set`])
  })

  it('name every problem at once, and no value', () => {
    const problems = problemsOf({ SALLYPORT_ENV: 'prod', ORIGIN: 'gopher://inside', EDGE_KEY: undefined, LIMIT_THREE: undefined })
    expect(problems).toHaveLength(4)
    expect(problems.join()).not.toMatch(/inside|secret-text/)
  })

  it('are of the environment that the policies were linked for', () => {
    expect(problemsOf({ SALLYPORT_ENV: 'prod' })).toEqual(['SALLYPORT_ENV is not the environment that the bundled policies were linked for'])
  })

  it('want a binding that counts, for limits that a route uses', () => {
    expect(problemsOf({ LIMIT_THREE: undefined })).toEqual(['LIMIT_THREE is not a rate-limit binding'])
    expect(problemsOf({ LIMIT_THREE: 'yes' })).toEqual(['LIMIT_THREE is not a rate-limit binding'])
    expect(problemsOf({ LIMIT_THREE: undefined }, testEdgePolicy({ routes: [] }))).toEqual([])
  })

  it.each(['http://origin.example.com', 'http://10.0.0.1:8080', 'http://localhost.example.com'])('refuse %s: a token would travel in clear text', (ORIGIN) => {
    expect(problemsOf({ ORIGIN })).toEqual(['ORIGIN is not https'])
  })

  it.each(['http://127.0.0.1:8080', 'http://[::1]:8080', 'http://localhost:8080'])('take %s outside prod only', (ORIGIN) => {
    expect(problemsOf({ ORIGIN })).toEqual([])
    expect(problemsOf({ ORIGIN }, inProd)).toEqual(['ORIGIN is not https'])
  })

  it.each(['https://origin.example.com/base', 'https://user:pw@origin.example.com', 'https://origin.example.com/?a=1', 'ftp://origin.example.com', 'origin'])(
    'refuse %s as an origin',
    (ORIGIN) => {
      expect(problemsOf({ ORIGIN })).toEqual(['ORIGIN is not an http(s) URL of scheme, host and port'])
    },
  )
})
