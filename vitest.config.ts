import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'
import { WaitingFirst } from './test/support/waiting-first.ts'

// Compiled code of all modules that Node itself loads, here and in the processes that tests start: they start in half the time.
// Not while coverage is measured, which it makes less precise.
const isAsked = (option: string) => process.argv.some((word) => word.startsWith(option))
if (!isAsked('--coverage')) {
  process.env['NODE_COMPILE_CACHE'] ??= resolve(import.meta.dirname, 'node_modules/.compile-cache')
}

/** Files that change what belongs to the whole process (`fetch`, the environment), or measure its processor time: each in a process of its own. */
const alone = [
  'test/bench/**/*.test.ts',
  'test/e2e/compression.test.ts',
  'test/policy/bounds.test.ts',
  'test/policy/read.test.ts',
  'test/policy/speed.test.ts',
  'test/worker/**/*.test.ts',
]

export default defineConfig({
  test: {
    testTimeout: 15_000,
    hookTimeout: 30_000,
    // Journeys wait more than they compute; by default a machine of two cores would run one file at a time.
    maxWorkers: availableParallelism() * 2,
    // Of two orders, the one that is set here would win over chance.
    sequence: isAsked('--sequence.shuffle') ? {} : { sequencer: WaitingFirst },
    coverage: { include: ['src/**'], reporter: ['text-summary', 'html'] },
    projects: [
      // Files run one after the other in the same few processes, and modules are evaluated once in each of them: see CONTRIBUTING.md.
      { extends: true, test: { name: 'together', include: ['test/**/*.test.ts'], exclude: alone, isolate: false } },
      { extends: true, test: { name: 'alone', include: alone } },
    ],
  },
})
