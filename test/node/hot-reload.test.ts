import { rename } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { JournalRecord } from '../../src/core/ports.ts'
import { startSallyport } from '../../src/node/main.ts'
import { textOf } from '../../src/node/record-values.ts'
import { readSettings } from '../../src/node/settings.ts'
import { type TempFolder, tempFolder } from '../support/temp-folder.ts'

const policies = (port: number, prefix: string) => `sallyport: v1

environments:
  dev: { class: nonprod }

listeners:
  public: { address: "127.0.0.1:0" }
  admin: { address: "127.0.0.1:0" }

clusters:
  shop: { address: "127.0.0.1:${port}" }

routes:
  shop:
    match: { path: "/${prefix}/{**}" }
    access: { rules: [ { id: public, allow: { anonymous: true } } ] }
    to: shop
`

interface Readiness {
  readonly status: string
  readonly lastLoad: { readonly outcome: string; readonly diagnostics: readonly string[] }
}

/** A gateway over a real folder, loaded in a real thread, watched by the real system. */
async function gateway() {
  const upstream = createServer((_, response) => void response.end('shop'))
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    upstream.closeAllConnections()
    upstream.close()
  })
  const { port } = upstream.address() as AddressInfo
  const folder = await tempFolder({ 'all.yaml': policies(port, 'one') })
  const settings = readSettings({ environment: 'dev', policies: folder.path, logLevel: 'silent', lameDuck: '0s', drain: '1s' }, {}, false)
  const running = await startSallyport(settings)
  onTestFinished(() => running.close({ hurry: true }))
  const url = (name: string) => `http://127.0.0.1:${running.addresses.find((one) => one.name === name)?.port}`
  const get = async (path: string) => (await fetch(`${url('public')}${path}`)).status
  const event = (name: string) =>
    new Promise<JournalRecord>((resolve) => {
      const stop = running.journal.subscribe((record) => {
        if (record['event'] !== name) return
        stop()
        resolve(record)
      })
    })
  const ready = async (): Promise<Readiness> => JSON.parse(await (await fetch(`${url('admin')}/readyz`)).text())
  return { folder, running, get, event, ready, url, text: (prefix: string) => policies(port, prefix) }
}

/** As careful writers do it: nobody sees half a file. */
async function replace(folder: TempFolder, name: string, content: string): Promise<void> {
  await folder.write('.next', content)
  await rename(join(folder.path, '.next'), join(folder.path, name))
}

describe('a policies folder that is edited while the gateway serves', () => {
  it('takes effect without a restart', async () => {
    const { folder, get, event, text } = await gateway()
    expect([await get('/one/x'), await get('/two/x')]).toEqual([200, 404])
    const published = event('policy_published')
    await replace(folder, 'all.yaml', text('two'))
    await published
    expect([await get('/one/x'), await get('/two/x')]).toEqual([404, 200])
  })

  it('changes nothing while it is broken, names the place everywhere, and recovers with the next good write', async () => {
    const { folder, get, event, ready, url, text } = await gateway()
    const refused = event('policy_refused')
    const diagnosed = event('policy_diagnostic')
    await folder.write('all.yaml', text('two').replace('routes:', 'rotes:'))
    await refused
    const place = textOf((await diagnosed)['place'])
    expect(place).toMatch(/^all\.yaml:\d+:\d+$/)
    expect(await get('/one/x')).toBe(200)
    const detail = await ready()
    expect(detail).toMatchObject({ status: 'ready', lastLoad: { outcome: 'failed' } })
    expect(detail.lastLoad.diagnostics[0]).toContain(place)
    expect(await (await fetch(`${url('admin')}/metrics`)).text()).toContain('sallyport_policy_last_reload_success 0')

    const published = event('policy_published')
    await folder.write('all.yaml', text('three'))
    await published
    expect([await get('/one/x'), await get('/three/x')]).toEqual([404, 200])
    expect(await ready()).toMatchObject({ lastLoad: { outcome: 'published', diagnostics: [] } })
  })

  it('recovers when the broken file is put back as it was', async () => {
    const { folder, event, ready, text, get } = await gateway()
    const refused = event('policy_refused')
    await folder.write('all.yaml', 'sallyport: v1\nroutes: [')
    await refused
    const recovered = event('policy_recovered')
    await folder.write('all.yaml', text('one'))
    await recovered
    expect(await ready()).toMatchObject({ lastLoad: { outcome: 'unchanged', diagnostics: [] } })
    expect(await get('/one/x')).toBe(200)
  })

  it('keeps serving when the folder goes away, and says so', async () => {
    const { folder, event, ready, get, running } = await gateway()
    const refused = event('policy_refused')
    await rename(folder.path, `${folder.path}-gone`)
    onTestFinished(() => rename(`${folder.path}-gone`, folder.path))
    // The poll would find it within two seconds; a signal need not wait for it.
    await Promise.all([running.reload(), refused])
    expect(await ready()).toMatchObject({ status: 'ready', lastLoad: { outcome: 'failed', diagnostics: [expect.stringContaining('cannot be read')] } })
    expect(await get('/one/x')).toBe(200)
  })
})
