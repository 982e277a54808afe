/** Signature algorithms that a DPoP proof may use (RFC 9449 section 4.3, 5). */
export const proofAlgorithms = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] as const
