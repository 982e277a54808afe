import { readFile } from 'node:fs/promises'
import type { Hono } from 'hono'
import type { JsonObject } from '../../core/openapi.ts'
import type { Policy } from '../../core/policy/policy.ts'
import { referencePage } from './reference-page.ts'

/** One version, by its hash: whoever changes the file there changes nothing here. */
const publicScript = {
  src: 'https://cdn.jsdelivr.net/npm/@scalar/api-reference@1.72.1/dist/browser/standalone.js',
  integrity: 'sha384-U11tb2XnKvmwt8RlTvnwUnYgrN+ur4Xyh9htLhjajWNR/Oyl5AX5DEz00qRmlrmK',
} as const
const ownScript = { src: '/reference/scalar.js', integrity: undefined } as const

/** Starts the viewer when its script has come, and takes the plain list away, whose styles would reach into it. Nothing that it shows is sent anywhere. */
const startScript = `const place = document.getElementById('viewer')
if (window.Scalar !== undefined) {
  window.Scalar.createApiReference(place, {
    url: '/openapi.json',
    withDefaultFonts: false,
    hideTestRequestButton: true,
    hideClientButton: true,
    showDeveloperTools: 'never',
    telemetry: false,
    agent: { disabled: true },
    mcp: { disabled: true },
  })
  document.getElementById('plain').remove()
  document.getElementById('style').remove()
  document.body.style.margin = '0'
}
`

/** Adds the OpenAPI document of what is in force, and the page that shows it. `file` stands in for the public script. */
export function addReference(app: Hono, policy: () => Policy | Promise<Policy>, file: string | undefined): void {
  const known = new WeakMap<Policy, JsonObject>()
  const documentOf = async (now: Policy): Promise<JsonObject> => {
    // What knows messages is much, and a gateway without routes has it only when somebody looks here.
    const made = known.get(now) ?? (await import('../../core/openapi.ts')).buildOpenapi(now).document
    known.set(now, made)
    return made
  }
  app.get('/openapi.json', async (c) => c.json(await documentOf(await policy())))
  app.get('/reference', async (c) => {
    const now = await policy()
    const script = c.req.query('plain') !== undefined ? undefined : file === undefined ? publicScript : ownScript
    c.header('content-security-policy', pagePolicy(script?.src))
    return c.html(referencePage(await documentOf(now), now, script))
  })
  app.get('/reference/start.js', (c) => c.body(startScript, 200, { 'content-type': 'text/javascript; charset=utf-8' }))
  if (file === undefined) return
  app.get('/reference/scalar.js', async (c) => {
    const script = await readFile(file).catch(() => undefined)
    if (script === undefined) return c.notFound()
    return c.body(new Uint8Array(script), 200, { 'content-type': 'text/javascript; charset=utf-8' })
  })
}

/** The viewer writes its own styles; it may ask this listener alone. */
function pagePolicy(script: string | undefined): string {
  const sources = script === undefined ? "'none'" : script.startsWith('https:') ? `'self' ${script}` : "'self'"
  const connect = script === undefined ? "'none'" : "'self'"
  return `default-src 'none'; script-src ${sources}; style-src 'unsafe-inline'; img-src data:; connect-src ${connect}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`
}
