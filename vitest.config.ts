import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 15_000,
    hookTimeout: 30_000,
    // Journeys wait more than they compute; by default a machine of two cores would run one file at a time.
    maxWorkers: availableParallelism() * 2,
    coverage: { include: ['src/**'], reporter: ['text-summary', 'html'] },
  },
})
