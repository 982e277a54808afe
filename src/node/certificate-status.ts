import { X509Certificate } from 'node:crypto'
import { readCertificate, spiffeOf } from '../core/certificate.ts'
import type { Policy } from '../core/policy/policy.ts'
import type { Secrets } from '../core/ports.ts'
import { plansOf } from './gateway/listener-set.ts'
import { type MaterialStanding, materialsOf } from './tls-material.ts'

/** One of the gateway's own certificates, for people. */
export interface CertificateStatus {
  /** Whose it is: `listener public`, `cluster orders`, `egress payments`. */
  readonly use: string
  /** Undefined, as all that the certificate says, when there never was a good one. */
  readonly subject: string | undefined
  /** Its SPIFFE id; undefined where it has none. */
  readonly spiffe: string | undefined
  /** When it begins and when it ends, milliseconds since the epoch. */
  readonly beginsAt: number | undefined
  readonly endsAt: number | undefined
  /** Since its files were last looked at, milliseconds. */
  readonly ageMs: number
  /** Why what is in the files now is not used. */
  readonly problem: string | undefined
}

/** The certificates that this process shows, to callers and to upstreams, under these policies: those that somebody asked for so far. */
export function certificatesOf(secrets: Secrets, policy: Policy): readonly CertificateStatus[] {
  const newest = new Map<string, MaterialStanding>()
  for (const one of materialsOf(secrets)) {
    if (!isOwn(one) || !isInForce(one, policy)) continue
    const there = newest.get(one.use)
    // Policies that named other files have left theirs behind.
    if (there === undefined || one.ageMs < there.ageMs) newest.set(one.use, one)
  }
  return Array.from(newest.values(), statusOf).sort((a, b) => a.use.localeCompare(b.use, 'en'))
}

function isOwn({ references }: MaterialStanding): boolean {
  return references.certificate !== undefined
}

function isInForce({ use, references }: MaterialStanding, policy: Policy): boolean {
  const { clusters, egress } = policy
  const [kind = '', name = ''] = use.split(' ', 2)
  if (kind === 'listener') return plansOf(policy).some((plan) => plan.name === name)
  if (kind === 'cluster') return Object.hasOwn(clusters, name) && clusters[name]?.tls?.certificate === references.certificate
  return kind !== 'egress' || Object.hasOwn(egress, name)
}

function statusOf({ use, good, ageMs, problem }: MaterialStanding): CertificateStatus {
  const pem = good?.certificate
  if (pem === undefined) return { use, subject: undefined, spiffe: undefined, beginsAt: undefined, endsAt: undefined, ageMs, problem }
  const { raw, subject, subjectAltName, validFrom } = new X509Certificate(pem)
  const read = readCertificate(raw)
  const svid = 'problem' in read ? read : spiffeOf(read)
  const named = (subject ?? '').replaceAll('\n', ', ') || subjectAltName || 'no name'
  return { use, subject: named, spiffe: 'problem' in svid ? undefined : svid.id, beginsAt: Date.parse(validFrom), endsAt: good?.endsAt, ageMs, problem }
}
