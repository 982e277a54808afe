import type { IssuerDouble } from '../../support/issuer.ts'
import type { House } from './house.ts'

/** The header of a token that passes, of main's ES256 key. */
export function goodHeader(house: House): Readonly<Record<string, unknown>> {
  return { alg: 'ES256', kid: house.key('ES256').kid, typ: 'at+jwt' }
}

/** The payload of a token that passes, with more members as text behind the others. */
export function goodPayload(house: House, issuer: IssuerDouble = house.main, more = ''): string {
  const now = house.now()
  return `{"iss":"${issuer.url}","aud":"${issuer.audience}","sub":"u1","scope":"orders:read","iat":${now},"exp":${now + 300}${more}}`
}
