import type { Diagnostic } from '../../core/policy/diagnostic.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { GatewayView } from '../gateway-view.ts'

/** An object of the policies in force that answers 503, and why. */
export interface Quarantined {
  /** `section.name` */
  readonly object: string
  readonly reason: string
}

/** Everything broken in the policies in force, by section and name. */
export function quarantinedIn(policy: Policy): readonly Quarantined[] {
  const of = (section: string, objects: Iterable<{ readonly name: string; readonly quarantined: string | undefined }>) =>
    [...objects].flatMap(({ name, quarantined }) => (quarantined === undefined ? [] : [{ object: `${section}.${name}`, reason: quarantined }]))
  return [
    ...of('issuers', Object.values(policy.issuers)),
    ...of('apiKeys', Object.values(policy.apiKeys)),
    ...of('certificates', Object.values(policy.certificates)),
    ...of('clusters', Object.values(policy.clusters)),
    ...of('access', Object.values(policy.access)),
    ...of('routes', policy.routes),
    ...of(
      'egress',
      Object.values(policy.egress).map((linked) => linked.service),
    ),
  ]
}

/** What `/readyz` says beside its status: enough to see what is wrong without a shell on the machine. */
export function readinessOf(view: GatewayView): object {
  const { policy } = view.snapshot
  return {
    status: view.phase === 'serving' ? 'ready' : view.phase,
    revision: view.snapshot.revision,
    environment: policy.environment,
    environmentClass: policy.environmentClass,
    publishedAt: timeText(view.publishedAt),
    lastLoad: { outcome: view.lastLoad.outcome, at: timeText(view.lastLoad.at), diagnostics: shownDiagnostics(view.lastLoad.diagnostics) },
    quarantined: quarantinedIn(policy),
    keySets: view.keySets,
    guards: view.guards,
    sources: view.sources,
    certificates: view.certificates.map(({ beginsAt, endsAt, ...one }) => ({ ...one, beginsAt: optionalTime(beginsAt), endsAt: optionalTime(endsAt) })),
    inFlight: view.inFlight,
    workers: view.workers,
    warnings: view.warnings,
  }
}

/** How many diagnostics a log and an answer hold: a folder with thousands of mistakes has one mistake in its making. `sallyport check` prints all. */
export const mostDiagnostics = 200

/** The first of them as text, and how many more there are. */
function shownDiagnostics(all: readonly Diagnostic[]): readonly string[] {
  const shown = all.slice(0, mostDiagnostics).map(diagnosticText)
  return all.length > mostDiagnostics ? [...shown, `and ${all.length - mostDiagnostics} more: see sallyport check`] : shown
}

/** `file:line:col: severity: message (hint)`, as compilers write it. */
export function diagnosticText(one: Diagnostic): string {
  const place = one.file === '' ? '' : `${one.file}:${one.line}:${one.column}: `
  return `${place}${one.severity}: ${one.message}${one.hint === undefined ? '' : ` (${one.hint})`}`
}

function optionalTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : timeText(ms)
}

/** Wall time in milliseconds as RFC 3339 without fractions. */
function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
