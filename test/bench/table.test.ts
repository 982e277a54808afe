import { describe, expect, test } from 'vitest'
import { columns, figure } from '../../bench/report/table.ts'

describe('the table', () => {
  test('names stand to the left and figures to the right', () => {
    expect(
      columns([
        ['peer', 'µs'],
        ['nginx', '12.6'],
        ['b', '231'],
      ]),
    ).toBe('peer     µs\n-----  ----\nnginx  12.6\nb       231')
  })

  test('empty cells leave no blanks at the end of a line', () => {
    expect(
      columns([
        ['a', 'b'],
        ['x', ''],
      ]),
    ).toBe('a  b\n-  -\nx')
  })

  test.each([
    [0.1234, '0.123'],
    [1.234, '1.23'],
    [12.34, '12.3'],
    [123.4, '123'],
    [12_345, '12,345'],
  ])('%d is shown as %s', (value, text) => {
    expect(figure(value)).toBe(text)
  })
})
