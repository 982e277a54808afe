import { loadedRevision } from '../../core/egress/switched.ts'
import type { Diagnostic } from '../../core/policy/diagnostic.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { Meter } from '../../core/ports.ts'
import { mostDiagnostics, quarantinedIn } from '../admin/detail.ts'
import type { LastLoad } from '../gateway-view.ts'
import type { Log } from '../journal.ts'
import type { LoadOutcome } from '../policy-source.ts'
import { errorsIn, obstacle } from './diagnose.ts'

/** Policies that are in force with what was lost on the way, or what stands against them: then nothing has changed. */
export type Published = { readonly lost: readonly Diagnostic[] } | { readonly obstacle: Diagnostic }

export interface ReloaderParts {
  readonly load: () => Promise<LoadOutcome>
  readonly publish: (policy: Policy) => Promise<Published>
  /** Of the policies in force. */
  readonly inForce: () => { readonly revision: string; readonly policy: Policy }
  readonly now: () => number
  readonly log: Log
  readonly meter: Meter & { forget(name: string): void }
}

/** Puts new policies in force, or keeps the old ones and says why. One attempt at a time; never rejects. */
export class Reloader {
  readonly #parts: ReloaderParts
  #last: LastLoad
  #publishedAt: number
  #inForce: readonly Diagnostic[]
  #running: Promise<unknown> = Promise.resolve()

  /** `diagnostics`: what was said of the policies that it starts with. */
  constructor(parts: ReloaderParts, diagnostics: readonly Diagnostic[]) {
    this.#parts = parts
    this.#publishedAt = parts.now()
    this.#inForce = diagnostics
    this.#last = { outcome: 'published', at: this.#publishedAt, diagnostics }
    this.#measure('published')
    logDiagnostics(parts.log, diagnostics)
  }

  get last(): LastLoad {
    return this.#last
  }

  /** Diagnostics of the policies in force. */
  get inForce(): readonly Diagnostic[] {
    return this.#inForce
  }

  get publishedAt(): number {
    return this.#publishedAt
  }

  /** Looks at the policies folder, and settles when what it says is in force or refused. */
  reload(): Promise<LastLoad> {
    const next = this.#running.then(() => this.#once())
    this.#running = next
    return next
  }

  /** Runs something that changes what is in force in another way: no look at the folder goes on meanwhile. Rejects with what it throws. */
  alone<T>(run: () => Promise<T>): Promise<T> {
    const next = this.#running.then(run)
    this.#running = next.then(
      () => this.#measureRevision(),
      () => {},
    )
    return next
  }

  async #once(): Promise<LastLoad> {
    try {
      const outcome = await this.#parts.load()
      // Nothing changed since the last look: its outcome stands, good or bad.
      if (outcome.kind === 'unchanged') return this.#last
      if (outcome.kind === 'failed' || errorsIn(outcome.diagnostics).length > 0) return this.#refuse(outcome.diagnostics)
      if (outcome.policy.revision === loadedRevision(this.#parts.inForce().policy)) return this.#settle('unchanged', outcome.diagnostics)
      return await this.#publish(outcome.policy, outcome.diagnostics)
    } catch (error) {
      return this.#refuse([obstacle('publish_failed', error, 'Look for the event of the same time in the log.')])
    }
  }

  async #publish(policy: Policy, diagnostics: readonly Diagnostic[]): Promise<LastLoad> {
    const previous = this.#parts.inForce().revision
    const published = await this.#parts.publish(policy)
    if ('obstacle' in published) return this.#refuse([...diagnostics, published.obstacle])
    const { lost } = published
    this.#publishedAt = this.#parts.now()
    this.#parts.log('info', 'policy_published', { revision: policy.revision, previous })
    return this.#settle(lost.length > 0 ? 'failed' : 'published', [...lost, ...diagnostics])
  }

  #refuse(diagnostics: readonly Diagnostic[]): LastLoad {
    this.#parts.log('error', 'policy_refused', { in_force: this.#parts.inForce().revision, errors: errorsIn(diagnostics).length })
    this.#last = { outcome: 'failed', at: this.#parts.now(), diagnostics }
    this.#measure('failed')
    logDiagnostics(this.#parts.log, diagnostics)
    return this.#last
  }

  #settle(outcome: LastLoad['outcome'], diagnostics: readonly Diagnostic[]): LastLoad {
    // What is in force again, after a bad file was put back, has recovered: say so.
    if (outcome === 'unchanged' && this.#last.outcome === 'failed') this.#parts.log('info', 'policy_recovered', { revision: this.#parts.inForce().revision })
    this.#last = { outcome, at: this.#parts.now(), diagnostics }
    this.#inForce = diagnostics
    this.#measure(outcome)
    logDiagnostics(this.#parts.log, diagnostics)
    return this.#last
  }

  #measureRevision(): void {
    const { meter, inForce } = this.#parts
    const { policy, revision } = inForce()
    meter.forget('sallyport_policy_revision_info')
    meter.gauge('sallyport_policy_revision_info', 1, { revision, environment: policy.environment })
  }

  #measure(outcome: LastLoad['outcome']): void {
    const { meter, inForce } = this.#parts
    const { policy } = inForce()
    meter.count('sallyport_reload_total', { outcome })
    meter.gauge('sallyport_policy_last_reload_success', outcome === 'failed' ? 0 : 1, {})
    this.#measureRevision()
    meter.gauge('sallyport_policy_last_reload_timestamp_seconds', this.#publishedAt / 1000, {})
    meter.gauge('sallyport_policy_quarantined_objects', quarantinedIn(policy).length, {})
  }
}

/** Every diagnostic by itself (the first 200 of them), with its place, so that a log line leads to the character that is wrong. */
export function logDiagnostics(log: Log, diagnostics: readonly Diagnostic[]): void {
  for (const one of diagnostics.slice(0, mostDiagnostics)) {
    const place = one.file === '' ? undefined : `${one.file}:${one.line}:${one.column}`
    log(one.severity === 'error' ? 'error' : 'warn', 'policy_diagnostic', { code: one.code, place, message: one.message, hint: one.hint, object: one.object })
  }
  if (diagnostics.length > mostDiagnostics)
    log('error', 'policy_diagnostics_left_out', { count: diagnostics.length - mostDiagnostics, hint: 'sallyport check prints all' })
}
