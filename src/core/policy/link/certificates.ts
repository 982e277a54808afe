import type { CertificateDocument } from '../document/certificates.ts'
import type { CertificateMapping } from '../linked/certificates.ts'
import type { Entries } from './entries.ts'
import { type Entry, isSaid, isWhole, type Linking, nameOfPlace, placeIn, refuse } from './linking.ts'

/** Checks and links the mappings of client certificates. Quarantine is set later. */
export function linkCertificates(linking: Linking, entries: Entries): readonly CertificateMapping[] {
  return Array.from(entries.certificates.values(), (entry) => {
    const taken = [
      ['an issuer', placeOf(entries.issuers.get(entry.name))],
      ['a set of API keys', placeOf(entries.apiKeys.get(entry.name))],
    ] as const
    for (const [what, place] of taken) {
      if (place === undefined) continue
      refuse(linking, entry, [], {
        code: 'name_taken',
        message: `"${entry.name}" is ${what}, too (${place}): limits and records could not tell their subjects apart.`,
        hint: 'Give one of them another name.',
        which: 'key',
      })
    }
    checkSubject(linking, entry)
    return linkCertificate(entry)
  })
}

function placeOf<T extends object>(entry: Entry<T> | undefined): string | undefined {
  return entry === undefined ? undefined : nameOfPlace(placeIn(entry, []))
}

function checkSubject(linking: Linking, entry: Entry<CertificateDocument>): void {
  const said = (['subject', 'spiffe'] as const).filter((key) => isSaid(entry, [key]))
  if (said.length === 1 || !isWhole(entry, 'subject') || !isWhole(entry, 'spiffe')) return
  refuse(linking, entry, said.slice(1, 2), {
    code: 'certificate_shape',
    message: said.length === 0 ? 'It is not said which name of a certificate is the subject.' : 'The subject is said twice.',
    hint: 'Write subject: uri-san, dns-san, email-san or common-name, or spiffe: { trustDomain: … }.',
    which: 'key',
  })
}

function linkCertificate({ name, value = {} }: Entry<CertificateDocument>): CertificateMapping {
  return {
    name,
    quarantined: undefined,
    subject: value.subject ?? 'spiffe',
    // Without one no certificate fits: no trust domain is empty.
    trustDomain: value.spiffe?.trustDomain,
    names: value.names ?? [],
    scopes: value.scopes ?? [],
  }
}
