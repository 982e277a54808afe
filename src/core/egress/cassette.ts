export { buildRecord } from './cassette/record.ts'
export { buildReplay } from './cassette/replay.ts'
export { loadReplay } from './cassette/shelf.ts'
