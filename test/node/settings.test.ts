import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readSettings, type SettingFlags, SettingsError } from '../../src/node/settings.ts'

const problemsOf = (flags: SettingFlags, variables: Record<string, string>): readonly string[] => {
  try {
    readSettings(flags, variables, false)
    return []
  } catch (error) {
    return error instanceof SettingsError ? error.problems : [String(error)]
  }
}

describe('settings', () => {
  it('have no default environment, and say what to set', () => {
    expect(problemsOf({}, {})).toEqual([expect.stringMatching(/^SALLYPORT_ENV is not set: .*set it or pass --env NAME$/)])
    expect(problemsOf({}, { SALLYPORT_ENV: '' })).toHaveLength(1)
  })

  it('come from flags before variables before defaults', () => {
    const variables = { SALLYPORT_ENV: 'test', SALLYPORT_POLICIES: '/etc/p', REDIS_URL: 'redis://r:1', SALLYPORT_DRAIN: '1m' }
    const plain = readSettings({}, variables, false)
    expect(plain).toMatchObject({
      environment: 'test',
      policies: '/etc/p',
      redisUrl: 'redis://r:1',
      strict: false,
      shutdown: { lameDuckMs: 5000, drainMs: 60_000 },
    })
    expect(plain.log).toEqual({ to: 'stdout', form: 'json', level: 'info', colour: false })
    expect(plain.otlp).toBeUndefined()
    const flagged = readSettings({ environment: 'dev', policies: 'here', strict: true, lameDuck: '0s' }, variables, true)
    expect(flagged).toMatchObject({ environment: 'dev', policies: resolve('here'), strict: true, shutdown: { lameDuckMs: 0 } })
    expect(flagged.log).toMatchObject({ form: 'pretty', colour: true })
  })

  it('report every problem at once, and never repeat a password', () => {
    const problems = problemsOf(
      { logLevel: 'loud' },
      { SALLYPORT_ENV: 'Dev!', REDIS_URL: 'http://:hunter2@r', SALLYPORT_LAME_DUCK: 'soon', SALLYPORT_STRICT: 'maybe' },
    )
    expect(problems).toHaveLength(5)
    expect(problems.join()).not.toContain('hunter2')
  })

  it.each([
    [{ logLevel: 'loud' }, '--log-level is "loud": one of debug, info, warn, error, silent'],
    [{ logFormat: 'xml' }, '--log-format is "xml": one of json, pretty'],
    [{ redis: 'http://r' }, '--redis is not a redis:// or rediss:// URL, nor one of redis+sentinel:// or redis+cluster://'],
    [{ lameDuck: 'soon' }, '--lame-duck is "soon": a duration such as 5s, 500ms or 1m'],
    [{ drain: '1h' }, '--drain is "1h": a duration such as 5s, 500ms or 1m'],
    [{ workers: 'many' }, '--workers is "many": a number of processes from 1 to 256, or auto for one per core'],
    [{ workers: '0' }, '--workers is "0": a number of processes from 1 to 256, or auto for one per core'],
    [{ environment: 'Dev!' }, expect.stringMatching(/^--env is "Dev!": /)],
  ])('name the flag where the flag is wrong: %j', (flags, problem) => {
    const variables = { SALLYPORT_ENV: 'dev', SALLYPORT_LOG_LEVEL: 'quiet', SALLYPORT_DRAIN: 'never' }
    expect(problemsOf({ logLevel: 'info', drain: '1s', ...flags }, variables)).toEqual([problem])
  })

  it('name the variable where the variable is wrong', () => {
    expect(problemsOf({}, { SALLYPORT_ENV: 'dev', SALLYPORT_LOG_LEVEL: 'loud' })).toEqual([expect.stringMatching(/^SALLYPORT_LOG_LEVEL is "loud": /)])
  })

  it('read the collector as OpenTelemetry defines it', () => {
    const otlp = (variables: Record<string, string>, flag?: string) => readSettings({ otlp: flag }, { SALLYPORT_ENV: 'dev', ...variables }, false).otlp
    expect(otlp({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/', OTEL_EXPORTER_OTLP_HEADERS: 'X-Key=a%20b, y=2', OTEL_SERVICE_NAME: 'edge' })).toEqual({
      url: 'http://c:4318/v1/traces',
      headers: { 'x-key': 'a b', y: '2' },
      serviceName: 'edge',
    })
    expect(otlp({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c:1/own' })?.url).toBe('http://c:1/own')
    expect(otlp({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c:1/own' }, 'http://flag:2')?.url).toBe('http://flag:2/v1/traces')
    expect(problemsOf({ otlp: 'nowhere' }, { SALLYPORT_ENV: 'dev' })).toEqual(['--otlp is not an http:// or https:// URL'])
  })

  it('serve with one process unless told otherwise', () => {
    const workers = (value?: string) => readSettings({ environment: 'dev' }, { SALLYPORT_WORKERS: value }, false).workers
    expect([workers(), workers('3'), workers('auto')]).toEqual([1, 3, availableParallelism()])
  })

  it('keep colours off where NO_COLOR says so', () => {
    expect(readSettings({}, { SALLYPORT_ENV: 'dev', NO_COLOR: '1' }, true).log.colour).toBe(false)
  })

  it('name a script for the API reference by its absolute path', () => {
    const script = (variables: Record<string, string>) => readSettings({ environment: 'dev' }, variables, false).referenceScript
    expect(script({})).toBeUndefined()
    expect(script({ SALLYPORT_REFERENCE_SCRIPT: 'viewer.js' })).toBe(resolve('viewer.js'))
  })
})

it('takes how long a request waits for Redis from its variable', () => {
  expect(readSettings({ environment: 'dev' }, { SALLYPORT_STORE_PATIENCE: '45ms' }, false).storePatienceMs).toBe(45)
  expect(readSettings({ environment: 'dev' }, {}, false).storePatienceMs).toBe(20)
})

it('takes the prefixes of NAT64 from their variable, and says what is none', () => {
  const read = (said: string) => readSettings({ environment: 'dev' }, { SALLYPORT_NAT64: said }, false).nat64
  expect(read('64:ff9b::/96, 2001:db8:64::/48')).toEqual(['64:ff9b::/96', '2001:db8:64::/48'])
  expect(read('')).toEqual([])
  for (const wrong of ['64:ff9b::', '64:ff9b::/95', '10.0.0.0/32', '64:ff9b::1/96', '2001:db8:1:2:ff00::/96', 'x/96', '64:ff9b::/96/1'])
    expect(() => read(wrong)).toThrow(/^SALLYPORT_NAT64 has /)
})

it('takes the zone of the machine from its variable', () => {
  expect(readSettings({ environment: 'dev' }, { SALLYPORT_ZONE: 'eu-1a' }, false).zone).toBe('eu-1a')
  expect(readSettings({ environment: 'dev' }, {}, false).zone).toBeUndefined()
})
