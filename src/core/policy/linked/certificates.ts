/** How a verified client certificate becomes a subject. */
export interface CertificateMapping {
  readonly name: string
  readonly quarantined: string | undefined
  /** Which name of the certificate says who. */
  readonly subject: 'spiffe' | 'uri-san' | 'dns-san' | 'email-san' | 'common-name'
  /** Of `spiffe`: whose identities are taken. */
  readonly trustDomain: string | undefined
  /** RE2 patterns for the whole name; one must fit. Empty: every name fits. */
  readonly names: readonly string[]
  /** What its subjects may do, as a token's scopes. */
  readonly scopes: readonly string[]
}
