import { Hono } from 'hono'
import { generate } from 'selfsigned'
import { type Served, serveApp } from '../serve-app.ts'

/** A sample payments vendor: the same API twice, a sandbox and a live one that wants TLS and a live key. */
export interface Vendor extends Served {
  /** Calls that reached it. */
  readonly calls: () => number
}

interface Face {
  readonly name: 'sandbox' | 'live'
  readonly key: string
}

export async function startSandbox(port: number, key: string): Promise<Vendor> {
  return await start(port, { name: 'sandbox', key })
}

/** The live vendor with the certificate of its own authority. */
export async function startLive(port: number, key: string): Promise<Vendor & { readonly ca: string }> {
  const pem = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  return { ...(await start(port, { name: 'live', key }, { key: pem.private, cert: pem.cert })), ca: pem.cert }
}

async function start(port: number, face: Face, tls?: { readonly key: string; readonly cert: string }): Promise<Vendor> {
  let calls = 0
  const charges = new Map<string, Readonly<Record<string, unknown>>>()
  const app = new Hono()
  app.use(async (c, next) => {
    calls += 1
    if (c.req.header('authorization') !== `Bearer ${face.key}`) return c.json({ error: 'bad key' }, 401)
    return await next()
  })
  app.post('/v1/charges', async (c) => {
    const body = (await c.req.json()) as { amount?: number; currency?: string }
    const charge = { id: `ch_${face.name}_${charges.size + 1}`, ...body, livemode: face.name === 'live', from: face.name }
    charges.set(charge.id, charge)
    return c.json(charge, 201)
  })
  app.get('/v1/charges/:id', (c) => {
    const charge = charges.get(c.req.param('id'))
    return charge === undefined ? c.json({ error: 'no such charge' }, 404) : c.json(charge)
  })
  return { ...(await serveApp(app, port, tls)), calls: () => calls }
}
