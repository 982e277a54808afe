import type { Subject } from '../../../model/principal.ts'
import type { Issuer } from '../../../policy/linked/issuers.ts'
import { tokenInvalid } from '../answers.ts'
import { judgeAudience, judgeTimes, numericDate, optionalPrintable, principalFromAnswer } from '../claims.ts'
import { isJsonObject, type JsonObject } from '../strict-json.ts'

/**
 * The principal of a token that its issuer calls active, if what it says besides holds for us (RFC 7662 sections 2.2 and 4): the issuer, the
 * audience, times as in a JWT (but none has to be there: the issuer itself says that the token is good now), and a type that is an access token's.
 * @throws Fault `token_invalid`
 */
export function judgeAnswer(issuer: Issuer, answer: JsonObject, now: number): Subject {
  if (answer['active'] !== true) throw tokenInvalid('not active, its issuer says')
  if (answer['iss'] !== undefined && answer['iss'] !== issuer.issuer) throw tokenInvalid('of another issuer than the one that was asked')
  judgeTimes(issuer, answer, now)
  if (answer['aud'] !== undefined || issuer.introspection?.audience !== 'optional') judgeAudience(issuer, answer)
  judgeType(answer)
  optionalPrintable(answer, 'jti')
  return principalFromAnswer(issuer, answer)
}

/** An endpoint answers about refresh tokens too. A type that is none of an access token's gives them away. */
function judgeType(answer: JsonObject): void {
  const type = optionalPrintable(answer, 'token_type')?.toLowerCase()
  if (type === undefined || type === 'bearer') return
  if (type !== 'dpop') throw tokenInvalid(`a token of type "${type.slice(0, 40)}"`)
  const binding = answer['cnf']
  if (!isJsonObject(binding) || binding['jkt'] === undefined) throw tokenInvalid('a token of type "dpop" that is bound to no key')
}

/** When the answer ends by itself, milliseconds since the epoch: at `exp`, without tolerance. */
export function endOfAnswer(answer: JsonObject): number {
  return numericDate(answer, 'exp') ?? Number.POSITIVE_INFINITY
}
