import { expect, test } from 'vitest'
import { FieldList } from '../../src/core/model/fields.ts'
import { eachEndToEnd, endToEnd } from '../../src/core/model/hop-by-hop.ts'

const fields = new FieldList([
  ['accept', 'a'],
  ['connection', 'Keep-Alive, X-Mine'],
  ['x-mine', '1'],
  ['accept', 'b'],
  ['te', 'trailers'],
  ['x-other', '2'],
])
const kept = [
  ['accept', 'a'],
  ['accept', 'b'],
  ['x-other', '2'],
]

test('fields of one hop and those that Connection names are dropped; order and repetition of the others are kept', () => {
  expect(endToEnd(fields).entries()).toEqual(kept)
})

test('what is visited is what is copied', () => {
  const visited: (readonly [string, string])[] = []
  eachEndToEnd(fields, (name, value) => visited.push([name, value]))
  expect(visited).toEqual(kept)
})

test('without Connection only the known fields of one hop are dropped', () => {
  const plain = fields.without((name) => name === 'connection')
  expect(endToEnd(plain).entries()).toEqual([
    ['accept', 'a'],
    ['x-mine', '1'],
    ['accept', 'b'],
    ['x-other', '2'],
  ])
})
