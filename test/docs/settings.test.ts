import { describe, expect, it } from 'vitest'
import { serve } from '../../src/node/cli/commands/serve.ts'
import { readSettings } from '../../src/node/settings.ts'
import { readVaultSettings } from '../../src/node/vault/settings.ts'
import { codesIn, rowsOf, sorted } from './pages.ts'

const rows = rowsOf('docs/operating.md', 'variable')

/** Every variable that the settings look at, whatever the others say. */
function variablesRead(values: Readonly<Record<string, string>>): ReadonlySet<string> {
  const names = new Set<string>()
  const variables = new Proxy(values, {
    get(target, name) {
      names.add(String(name))
      return Reflect.get(target, name)
    },
  })
  readSettings({ environment: 'dev' }, variables, true)
  return names
}

describe('the settings in docs/operating.md', () => {
  it('are the variables that the program reads, and no others', () => {
    const read = new Set([
      ...variablesRead({}),
      ...variablesRead({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }),
      ...variablesRead({ VAULT_ADDR: 'https://vault.example', VAULT_ROLE: 'gateway' }),
      'SALLYPORT_ENV',
    ])
    expect(sorted(rows.map((row) => codesIn(row['variable'])[0]))).toEqual(sorted(read))
  })

  it('are the flags of serve, and no others', () => {
    const listed = rows.flatMap((row) => codesIn(row['flag']))
    expect(sorted(listed)).toEqual(sorted(serve.options.map(({ name }) => `--${name}`)))
  })

  it('have the defaults that the program has', () => {
    const vault = readVaultSettings({ VAULT_ADDR: 'https://vault.example', VAULT_ROLE: 'gateway' }, [])
    const byVariable = new Map(rows.map((row) => [codesIn(row['variable'])[0], codesIn(row['default'])[0]]))
    const { strict, log, workers, storePatienceMs, shutdown, policies, otlp } = readSettings({ environment: 'dev', otlp: 'http://127.0.0.1:4318' }, {}, false)
    expect(policies.endsWith(`/${byVariable.get('SALLYPORT_POLICIES')}`)).toBe(true)
    expect({
      SALLYPORT_STRICT: `${strict}`,
      SALLYPORT_LOG: log.to,
      SALLYPORT_LOG_FORMAT: log.form,
      SALLYPORT_LOG_LEVEL: log.level,
      SALLYPORT_WORKERS: `${workers}`,
      SALLYPORT_STORE_PATIENCE: `${storePatienceMs}ms`,
      SALLYPORT_LAME_DUCK: `${shutdown.lameDuckMs / 1000}s`,
      SALLYPORT_DRAIN: `${shutdown.drainMs / 1000}s`,
      OTEL_SERVICE_NAME: otlp?.serviceName,
      VAULT_AUTH_PATH: vault?.login.kind === 'kubernetes' ? vault.login.mount : '',
      VAULT_REFRESH: `${(vault?.refreshMs ?? 0) / 1000}s`,
      VAULT_STALE: `${(vault?.staleMs ?? 0) / 60_000}m`,
    }).toEqual(Object.fromEntries([...byVariable].filter(([, value]) => value !== undefined && value !== 'policies')))
  })
})
