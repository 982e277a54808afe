import { type Certificate, certificateReader, spiffeOf } from '../../certificate.ts'
import type { Matched } from '../../model/exchange.ts'
import type { Subject } from '../../model/principal.ts'
import { compilePattern } from '../../pattern.ts'
import type { RequirementLeaf } from '../../policy/linked/access.ts'
import type { CertificateMapping } from '../../policy/linked/certificates.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Clock } from '../../ports.ts'
import { certificateInvalid } from './answers.ts'
import type { Check, Credential } from './credential.ts'
import { isPrintable } from './gate.ts'
import type { IdentifyPorts } from './ports.ts'
import { certificateThumbprint } from './proof/certificate.ts'
import type { Proved } from './requirement.ts'

/** One way from a certificate to a subject; a problem otherwise, as the end of a sentence. */
type Mapping = (certificate: Certificate) => { readonly subject: string } | { readonly problem: string }

/** What is taken from the certificate of a connection, by the mappings that a route names. */
export type MapCertificate = (der: Uint8Array, thumbprint: string | undefined) => Proved

/** Client certificates (RFC 8446 section 4.4.2) that the listener has verified, made subjects by the mappings of the policies. */
export function buildClientCertificates(policy: Policy, ports: Pick<IdentifyPorts, 'clock' | 'digest'>): Credential {
  return {
    kinds: ['mtls'],
    prepare: (leaves) => prepare(leaves, policy, ports),
    close() {},
  }
}

function prepare(leaves: readonly RequirementLeaf[], policy: Policy, ports: Pick<IdentifyPorts, 'clock' | 'digest'>): Check {
  const map = buildMapCertificate(leaves, policy, ports.clock)
  const prove = async (x: Matched, der: Uint8Array): Promise<Proved> => map(der, await certificateThumbprint(x, ports))
  return {
    broken: soundOf(leaves, policy).length === 0 ? `no usable mapping of certificates among ${leaves.map(({ name }) => name).join(', ')}` : undefined,
    challenges: [],
    prove: (x) => (x.client.certificate === undefined ? undefined : prove(x, x.client.certificate)),
  }
}

/**
 * Finds the subject of a certificate by the first of these mappings that knows it. Throws `certificate_invalid` where none does: who shows a
 * certificate is somebody, or refused.
 */
export function buildMapCertificate(leaves: readonly RequirementLeaf[], policy: Policy, clock: Pick<Clock, 'now'>): MapCertificate {
  const read = certificateReader()
  const mappings = soundOf(leaves, policy).map((mapping) => ({ mapping, find: compileMapping(mapping) }))
  return (der, thumbprint) => {
    const certificate = read(der)
    if ('problem' in certificate) throw certificateInvalid(`a certificate that cannot be read: ${certificate.problem}`)
    // The listener looked when the connection was made; connections outlive certificates.
    const now = clock.now()
    if (now < certificate.notBefore || now > certificate.notAfter) throw certificateInvalid('a certificate that is not valid at this time')
    const problems: string[] = []
    for (const { mapping, find } of mappings) {
      const found = find(certificate)
      if ('subject' in found) return { leaf: { kind: 'mtls', name: mapping.name }, subject: subjectFrom(mapping, certificate, found.subject, thumbprint) }
      problems.push(`${mapping.name}: ${found.problem}`)
    }
    throw certificateInvalid(`a certificate that no mapping knows (${problems.join('; ')})`)
  }
}

function soundOf(leaves: readonly RequirementLeaf[], policy: Policy): readonly CertificateMapping[] {
  const mappings = leaves.flatMap(({ kind, name }) => (kind === 'mtls' ? (policy.certificates[name] ?? []) : []))
  return [...new Set(mappings)].filter(({ quarantined }) => quarantined === undefined)
}

function compileMapping(mapping: CertificateMapping): Mapping {
  const patterns = mapping.names.map(compilePattern)
  const fits = (name: string) => isPrintable(name) && (patterns.length === 0 || patterns.some((pattern) => pattern(name)))
  if (mapping.subject === 'spiffe') return (certificate) => spiffeSubject(mapping, certificate, fits)
  const names = namesIn[mapping.subject]
  return (certificate) => {
    const fitting = names(certificate).filter(fits)
    const [subject, ...others] = fitting
    // Two names are two subjects, and nobody may choose which one to be.
    if (others.length > 0) return { problem: 'several of its names fit' }
    return subject === undefined ? { problem: `no ${mapping.subject} of it fits` } : { subject }
  }
}

const namesIn: Readonly<Record<Exclude<CertificateMapping['subject'], 'spiffe'>, (certificate: Certificate) => readonly string[]>> = {
  'uri-san': ({ san }) => san.uri,
  'dns-san': ({ san }) => san.dns,
  'email-san': ({ san }) => san.email,
  'common-name': ({ commonNames }) => (commonNames.length === 1 ? commonNames : []),
}

function spiffeSubject({ trustDomain }: CertificateMapping, certificate: Certificate, fits: (name: string) => boolean): ReturnType<Mapping> {
  const spiffe = spiffeOf(certificate)
  if ('problem' in spiffe) return spiffe
  if (spiffe.trustDomain !== trustDomain) return { problem: 'it is of another trust domain' }
  return fits(spiffe.id) ? { subject: spiffe.id } : { problem: 'its SPIFFE id does not fit' }
}

function subjectFrom(mapping: CertificateMapping, certificate: Certificate, subject: string, thumbprint: string | undefined): Subject {
  const { san, serial, issuer, notBefore, notAfter } = certificate
  const claims = {
    sub: subject,
    san: bag(san),
    serial,
    thumbprint,
    issuer,
    subject: certificate.subject,
    not_before: notBefore / 1000,
    not_after: notAfter / 1000,
  }
  return Object.freeze({
    kind: 'subject',
    by: 'mtls',
    issuer: mapping.name,
    subject,
    clientId: undefined,
    scopes: new Set(mapping.scopes),
    claims: bag(claims),
  })
}

/** Without a prototype, and without what is not there: a claim is either said or absent. */
function bag(members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const said = Object.entries(members).filter(([, value]) => value !== undefined)
  return Object.freeze(Object.assign(Object.create(null) as Record<string, unknown>, Object.fromEntries(said)))
}
