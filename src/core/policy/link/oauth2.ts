import type { ClientAuth } from '../../model/client-auth.ts'
import type { Credential } from '../../model/credential.ts'
import type { TokensDocument } from '../document/credentials.ts'
import type { EgressDocument } from '../document/egress.ts'
import type { Path } from '../read/node.ts'
import { type Entry, isWhole, type Linking, refuse } from './linking.ts'
import { secretRule } from './secret-rule.ts'

type Material = 'clientSecret' | 'key' | 'certificate' | 'keyId' | 'issuer'

/** What each way of proving oneself is made of, and what else it can use. */
const made: Readonly<Record<ClientAuth, { readonly needs: readonly Material[]; readonly uses: readonly Material[] }>> = {
  client_secret_basic: { needs: ['clientSecret'], uses: [] },
  client_secret_post: { needs: ['clientSecret'], uses: [] },
  private_key_jwt: { needs: ['key'], uses: ['keyId', 'issuer'] },
  tls_client_auth: { needs: ['certificate', 'key'], uses: [] },
}

const materials = ['clientSecret', 'key', 'certificate', 'keyId', 'issuer'] as const

/** Links where tokens of a target come from. Undefined when the gateway would have nothing to prove itself with. */
export function linkTokens(
  linking: Linking,
  entry: Entry<EgressDocument>,
  said: TokensDocument,
  path: Path,
  subject: 'client' | 'caller',
): Credential | undefined {
  const auth = said.auth ?? guessed(said)
  checkMaterial(linking, entry, said, auth, path)
  const reference = made[auth].needs.includes('key') ? said.key : said.clientSecret
  if (reference === undefined) return undefined
  const { tokenUrl, clientId, keyId, issuer, ca, scope, audience, resource = [] } = said
  const certificate = auth === 'tls_client_auth' ? said.certificate : undefined
  const secret = secretRule(reference, said, reference === said.key)
  return { kind: 'oauth2', subject, tokenUrl, clientId, auth, secret, keyId, issuer, certificate, ca, scope, audience, resource }
}

function guessed({ certificate, key }: TokensDocument): ClientAuth {
  if (certificate !== undefined) return 'tls_client_auth'
  return key === undefined ? 'client_secret_basic' : 'private_key_jwt'
}

function checkMaterial(linking: Linking, entry: Entry<EgressDocument>, said: TokensDocument, auth: ClientAuth, path: Path): void {
  const { needs, uses } = made[auth]
  const missing = needs.filter((member) => said[member] === undefined)
  if (missing.length > 0 && isWhole(entry, path.join('.')))
    refuse(linking, entry, said.auth === undefined ? path : [...path, 'auth'], {
      code: 'client_credential',
      message: `auth: ${auth} needs ${missing.join(' and ')}.`,
      hint: 'Add it, or choose another auth.',
      which: said.auth === undefined ? 'key' : 'value',
    })
  if (missing.length > 0) return
  for (const member of materials) {
    if (said[member] === undefined || needs.includes(member) || uses.includes(member)) continue
    refuse(linking, entry, [...path, member], {
      code: 'no_effect',
      message: `"${member}" has no effect with auth: ${auth}.`,
      hint: 'Remove it, or choose another auth.',
      which: 'key',
    })
  }
}
