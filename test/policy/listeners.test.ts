import { describe, expect, it } from 'vitest'
import { base, brief, clean, loadCase } from '../support/load.ts'

const withLimits = (limits: string) =>
  loadCase({ files: { 'base.yaml': base.replace('{ address: 127.0.0.1:8080 }', `{ address: "127.0.0.1:8080", limits: { ${limits} } }`) } })

describe('new connections of a listener', () => {
  it('are limited where that is said', async () => {
    expect(clean(await withLimits('newConnections: 50/10s')).listeners.public?.limits.newConnections).toEqual({ points: 50, windowMs: 10_000 })
    expect(clean(await withLimits('idle: 5s')).listeners.public?.limits.newConnections).toBeUndefined()
  })

  it.each(['50/500ms', '50/1500ms', '50/2h', '0/1s'])('at no rate that cannot be kept, such as %s', async (rate) => {
    const { diagnostics } = await withLimits(`newConnections: ${rate}`)
    expect(brief(diagnostics).filter((line) => line.startsWith('error'))).toEqual([expect.stringContaining('rate_window')])
  })
})
