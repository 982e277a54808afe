import type { Meter } from '../core/ports.ts'
import type { Log } from './journal.ts'
import type { CertificateNotices } from './tls-material.ts'

/** Says in the log and in the metrics what becomes of certificates. Texts of keys are in neither. */
export function createCertificateNotices(meter: Meter, log: Log): CertificateNotices {
  return {
    taken(use, { certificate, endsAt }) {
      meter.count('sallyport_certificate_reads_total', { use, outcome: 'taken' })
      // Trust in whoever is trusted anyway is no news.
      if (certificate === undefined) return
      log('info', 'certificate_taken', { use, ends: endsAt === undefined ? undefined : new Date(endsAt).toISOString() })
    },
    refused(use, reason, serving) {
      meter.count('sallyport_certificate_reads_total', { use, outcome: 'failed' })
      log('error', 'certificate_refused', { use, reason, serving: serving ? 'the last good ones' : 'nothing' })
    },
  }
}
