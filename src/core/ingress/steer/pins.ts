import { type ClaimEquals, claimAt } from '../../model/claims.ts'
import type { WeightedDestination } from '../../model/destination.ts'
import type { Metered } from '../../model/exchange.ts'
import { compileFieldTests } from '../../pattern.ts'

/** The first destination, in file order, whose pin fits the request: all its header tests and all its claims hold. */
export function compilePins(destinations: readonly WeightedDestination[]): (x: Metered) => WeightedDestination | undefined {
  const pinned = destinations.flatMap((destination) => {
    if (destination.pin === undefined) return []
    return [{ destination, headersFit: compileFieldTests(destination.pin.headers), claims: destination.pin.claims }]
  })
  return (x) => {
    for (const { destination, headersFit, claims } of pinned) {
      if (headersFit((name) => x.request.headers.all(name)) && claimsFit(x, claims)) return destination
    }
    return undefined
  }
}

/** Equal in value and type. Nobody without verified claims has any. */
function claimsFit(x: Metered, claims: readonly ClaimEquals[]): boolean {
  if (claims.length === 0) return true
  const { principal } = x
  return principal.kind === 'subject' && claims.every((claim) => claimAt(principal.claims, claim.path) === claim.value)
}
