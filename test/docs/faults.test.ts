import { describe, expect, it } from 'vitest'
import { faultCatalogue } from '../../src/core/model/fault.ts'
import { codesIn, rowsOf, sorted } from './pages.ts'

// gRPC status codes by number (https://grpc.github.io/grpc/core/md_doc_statuscodes.html), those that the catalogue uses.
const grpcNames: Readonly<Record<number, string>> = {
  1: 'CANCELLED',
  3: 'INVALID_ARGUMENT',
  4: 'DEADLINE_EXCEEDED',
  7: 'PERMISSION_DENIED',
  8: 'RESOURCE_EXHAUSTED',
  12: 'UNIMPLEMENTED',
  13: 'INTERNAL',
  14: 'UNAVAILABLE',
  16: 'UNAUTHENTICATED',
}

const rows = rowsOf('docs/faults.md', 'code')

describe('docs/faults.md', () => {
  it('lists every fault of the catalogue once, and no other', () => {
    const listed = rows.map((row) => codesIn(row['code'])[0])
    expect(sorted(listed)).toEqual(sorted(Object.keys(faultCatalogue)))
  })

  it.each(Object.entries(faultCatalogue))('says of %s what the catalogue says', (code, { http, grpc, retryable }) => {
    const row = rows.find((one) => codesIn(one['code'])[0] === code)
    expect({ HTTP: row?.['HTTP'], gRPC: row?.['gRPC'], retry: row?.['retry'] }).toEqual({
      HTTP: `${http}`,
      gRPC: `${grpc} ${grpcNames[grpc]}`,
      retry: retryable ? 'yes' : 'no',
    })
  })

  it('says of every fault what it means and what to do', () => {
    const silent = rows.filter((row) => (row['what it means'] ?? '') === '' || (row['what to do'] ?? '') === '')
    expect(silent).toEqual([])
  })
})
