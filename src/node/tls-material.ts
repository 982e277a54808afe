import { X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Clock, Secrets } from '../core/ports.ts'

/** References (`file:…`, `env:…`) to PEM text that is good together only. */
export interface MaterialReferences {
  readonly ca: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
}

/** PEM that was read at one moment, was found to fit together, and is ready for handshakes. */
export interface TlsMaterial {
  readonly ca: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
  readonly context: SecureContext
  /** Differs from one reading to the next that says something else. */
  readonly generation: number
  /** When the own certificate ends, milliseconds since the epoch; undefined without one. */
  readonly endsAt: number | undefined
}

/** Hears what becomes of certificates. `use` says whose they are: `listener public`, `cluster orders`. */
export interface CertificateNotices {
  /** Used from now on: for the first time, or in place of others. */
  taken(use: string, material: TlsMaterial): void
  /** They cannot be read or do not fit together. `serving`: the last good ones are used on. Said once for each reason. */
  refused(use: string, reason: string, serving: boolean): void
}

export interface MaterialPorts {
  readonly clock: Pick<Clock, 'ticks'>
  readonly secrets: Secrets
  readonly certificates?: CertificateNotices | undefined
}

/** Files are looked at again no sooner than this: what is handshaken later than that knows the new ones. Milliseconds. */
export const lookAgainMs = 1_000

/** How one set of material stands. */
export interface MaterialStanding {
  readonly use: string
  readonly references: MaterialReferences
  /** Undefined: there never was a good one. */
  readonly good: TlsMaterial | undefined
  /** Since its files were last looked at, milliseconds. */
  readonly ageMs: number
  /** Why what is there now is not used. */
  readonly problem: string | undefined
}

/** One set of TLS material, current on every asking. A set that goes bad keeps the last good one. */
export interface MaterialKeeper {
  /** At once where it was looked at within `lookAgainMs`. @throws Error when there never was a good one */
  now(): TlsMaterial | Promise<TlsMaterial>
  /** Undefined before it was first asked for. */
  standing(): MaterialStanding | undefined
}

/** By the secrets they come from: endpoints of a cluster share what they name alike. As many as policies ever named. */
const keepers = new WeakMap<Secrets, Map<string, MaterialKeeper>>()

/** The keeper of these references. They are told apart by use as well, so that notices name each. */
export function keeperOf(references: MaterialReferences, use: string, ports: MaterialPorts): MaterialKeeper {
  const known = keepers.get(ports.secrets) ?? new Map<string, MaterialKeeper>()
  keepers.set(ports.secrets, known)
  const key = JSON.stringify([use, references.ca, references.certificate, references.key])
  const there = known.get(key)
  if (there !== undefined) return there
  const made = openKeeper(references, use, ports)
  known.set(key, made)
  return made
}

/** Everything that was asked for so far. */
export function materialsOf(secrets: Secrets): readonly MaterialStanding[] {
  return Array.from(keepers.get(secrets)?.values() ?? []).flatMap((keeper) => keeper.standing() ?? [])
}

let generations = 0

function openKeeper(references: MaterialReferences, use: string, ports: MaterialPorts): MaterialKeeper {
  const { clock, secrets, certificates } = ports
  // Variables of a process do not change.
  const changes = [references.ca, references.certificate, references.key].some((reference) => reference?.startsWith('file:') === true)
  const named = [references.ca, references.certificate, references.key].some((reference) => reference !== undefined)
  let good: TlsMaterial | undefined
  let lookedAt: number | undefined
  let looking: Promise<TlsMaterial> | undefined
  let complaint: string | undefined

  async function look(): Promise<TlsMaterial> {
    try {
      const fresh = await readTwice(references, secrets, good)
      complaint = undefined
      // Whoever names none trusts what the machine trusts: nothing was taken.
      if (fresh !== good && named) certificates?.taken(use, fresh)
      good = fresh
      return fresh
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (reason !== complaint) certificates?.refused(use, reason, good !== undefined)
      complaint = reason
      if (good === undefined) throw error
      return good
    } finally {
      lookedAt = clock.ticks()
      looking = undefined
    }
  }

  return {
    now() {
      if (good !== undefined && (!changes || clock.ticks() - (lookedAt ?? 0) < lookAgainMs)) return good
      looking ??= look()
      return looking
    },
    standing() {
      if (lookedAt === undefined) return undefined
      const { ca, certificate, key } = references
      return { use, references: { ca, certificate, key }, good, ageMs: clock.ticks() - lookedAt, problem: complaint }
    },
  }
}

/** Whoever replaces two files one after the other is met in between once, hardly twice. */
async function readTwice(references: MaterialReferences, secrets: Secrets, before: TlsMaterial | undefined): Promise<TlsMaterial> {
  try {
    return await readMaterial(references, secrets, before)
  } catch {
    return readMaterial(references, secrets, before)
  }
}

async function readMaterial(references: MaterialReferences, secrets: Secrets, before: TlsMaterial | undefined): Promise<TlsMaterial> {
  const read = async (reference: string | undefined) => (reference === undefined ? undefined : secrets.read(reference))
  const [ca, certificate, key] = await Promise.all([read(references.ca), read(references.certificate), read(references.key)])
  if (before !== undefined && before.ca === ca && before.certificate === certificate && before.key === key) return before
  if (ca !== undefined) checkCertificates(ca, references.ca)
  if (certificate !== undefined) checkCertificates(certificate, references.certificate)
  const context = contextOf({ ca, certificate, key }, references)
  generations += 1
  const endsAt = certificate === undefined ? undefined : Date.parse(new X509Certificate(certificate).validTo)
  return { ca, certificate, key, context, generation: generations, endsAt }
}

/** A key that does not belong to its certificate is found here. @throws Error */
function contextOf({ ca, certificate, key }: MaterialReferences, references: MaterialReferences): SecureContext {
  try {
    return createSecureContext({
      ...(ca !== undefined && { ca }),
      ...(certificate !== undefined && { cert: certificate }),
      ...(key !== undefined && { key }),
      minVersion: 'TLSv1.2',
    })
  } catch (error) {
    const named = [references.certificate, references.key].filter((reference) => reference !== undefined).join(' and ')
    throw new Error(`${named || references.ca}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

const block = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g

/**
 * OpenSSL takes what it finds of a bundle and says nothing of the rest: half a file of authorities would be fewer of them, or none.
 * @throws Error
 */
function checkCertificates(pem: string, reference: string | undefined): void {
  const blocks = pem.match(block) ?? []
  const begun = pem.match(/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/g)?.length ?? 0
  if (blocks.length === 0) throw new Error(`${reference} holds no certificate`)
  if (begun !== blocks.length) throw new Error(`${reference} holds a certificate that breaks off`)
  // As files come out that are put one behind the other without a line end between them: OpenSSL finds nothing in it.
  if (/[^\r\n]-----BEGIN /.test(pem)) throw new Error(`${reference} holds a certificate that does not begin on a line of its own`)
  if (!blocks.every(isReadable)) throw new Error(`${reference} holds a certificate that cannot be read`)
}

function isReadable(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch {
    return false
  }
}
