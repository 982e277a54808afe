// Builds the Worker of every environment as a deployment would, without deploying: offline and quiet. Exits 1 when one cannot be built.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'sallyport-dry-run-'))
const quiet = {
  CI: '1',
  NO_COLOR: '1',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_LOG_PATH: join(scratch, 'logs'),
}
let failed = false
for (const environment of ['staging', 'production']) {
  const args = ['node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--env', environment, '--outdir', join(scratch, environment)]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, env: { ...process.env, ...quiet }, encoding: 'utf8' })
  const size = /Total Upload: .*/.exec(stdout)?.[0] ?? 'no size'
  console.log(`${environment}: ${status === 0 ? size : 'failed'}`)
  if (status !== 0) {
    failed = true
    console.error(stdout, stderr)
  }
}
rmSync(scratch, { recursive: true, force: true })
process.exitCode = failed ? 1 : 0
