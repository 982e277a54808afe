import { describe, expect, test } from 'vitest'
import { codingOf, type Liking, likingOfGzip } from '../../src/core/model/coding.ts'
import { FieldList } from '../../src/core/model/fields.ts'

describe('codings', () => {
  const likings: readonly (readonly [accept: string | undefined, Liking])[] = [
    [undefined, 'no'],
    ['', 'no'],
    ['gzip', 'yes'],
    ['GZIP', 'yes'],
    ['x-gzip', 'yes'],
    ['br, deflate, gzip;q=0.1', 'yes'],
    ['gzip, deflate, br, zstd', 'yes'],
    ['*', 'yes'],
    ['br', 'no'],
    ['gzip;q=0', 'no'],
    ['gzip;q=0.000, *', 'no'],
    ['*;q=0', 'no'],
    ['identity', 'no'],
    ['gzip;q=0.5, identity', 'no'],
    ['gzip;q=0.5, identity;q=0.4', 'yes'],
    ['gzip; q=0.5, *;q=0.7', 'no'],
    ['gzip, identity;q=0', 'only'],
    ['gzip, *;q=0', 'only'],
    ['gzip;q=2', 'no'],
    ['gzip;q=', 'no'],
  ]
  test.each(likings)('RFC 9110 section 12.5.3: %s', (accept, liking) => {
    const fields = new FieldList(accept === undefined ? [] : [['accept-encoding', accept]])
    expect(likingOfGzip(fields, 'accept-encoding')).toBe(liking)
  })

  const codings: readonly (readonly [values: readonly string[], coding: string])[] = [
    [[], 'identity'],
    [['', 'identity'], 'identity'],
    [['GZip'], 'gzip'],
    [['x-gzip'], 'gzip'],
    [['identity, gzip'], 'gzip'],
    [['gzip', 'br'], 'gzip, br'],
  ]
  test.each(codings)('RFC 9110 section 8.4: %j', (values, coding) => {
    expect(codingOf(values)).toBe(coding)
  })
})
