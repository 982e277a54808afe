import { describe } from 'vitest'
import { compression } from '../../src/worker/ports/compression.ts'
import { compressionCases } from '../support/compression-cases.ts'

// The web platform's streams are the same here as in workerd.
describe('compression of a Worker', () => {
  compressionCases(() => compression)
})
