import type { MockAnswer, MockBook } from '../../model/mock-book.ts'
import { type MockAnswerDocument, mockAnswer } from '../document/mocks.ts'
import type { LoadInput } from '../loading.ts'
import { nodeAt, spotAt } from '../read/node.ts'
import { readText } from '../read.ts'
import type { Report } from '../report.ts'
import { checkShape } from '../shape.ts'
import { ms } from './values.ts'

/** Reads a file of canned answers for `object`, each file once. Undefined when there is none; its problems stand in it. */
export type Mocks = (file: string, object: string) => MockBook | undefined

export function openMocks(input: LoadInput, report: Report): Mocks {
  const read = new Map<string, { readonly book: MockBook | undefined; readonly sound: boolean }>()
  return (file, object) => {
    const known = read.get(file)
    const text = known === undefined ? textOf(input, file) : undefined
    const result = known ?? (text === undefined ? { book: undefined, sound: true } : readMock(input, file, text, report))
    read.set(file, result)
    if (!result.sound)
      report.markBroken(object, { source: { file, kind: 'file', position: () => ({ line: 1, column: 1 }) }, offset: 0 }, 'its mock file has errors')
    return result.book
  }
}

function textOf(input: LoadInput, file: string): string | undefined {
  const listed = input.files.find(({ path }) => path === file)
  const bytes = listed === undefined ? input.asset(file) : undefined
  return listed?.text ?? (bytes === undefined ? undefined : new TextDecoder().decode(bytes))
}

function readMock(input: LoadInput, file: string, text: string, outer: Report): { readonly book: MockBook; readonly sound: boolean } {
  let sound = true
  // Errors in a mock file have no object of their own; they break whoever names the file.
  const report: Report = {
    ...outer,
    error: (problem) => {
      sound = false
      outer.error({ ...problem, object: undefined })
    },
  }
  const { root, source } = readText({ file, kind: 'file', text, variable: input.variable }, report)
  const start = { source, offset: 0 }
  if (root?.kind !== 'list') {
    if (sound)
      report.error({
        code: 'file_shape',
        at: root?.at ?? start,
        message: 'A mock file is a list of answers.',
        hint: 'Begin each with "- match: { method: GET, path: /… }".',
      })
    return { book: [], sound }
  }
  const book = root.items.flatMap((node, i) => {
    const { value } = checkShape(mockAnswer, node, { object: `${file}.${i}`, start: node.at }, report)
    for (const [key, other] of [
      ['json', 'text'],
      ['method', 'methods'],
    ] as const) {
      const around = key === 'json' ? [] : ['match']
      if (nodeAt(node, [...around, key]) === undefined || nodeAt(node, [...around, other]) === undefined) continue
      report.error({
        code: 'mock_shape',
        at: spotAt(node, node.at, [...around, other], 'key'),
        message: `${key} and ${other} exclude each other.`,
        hint: 'Keep one of them.',
      })
    }
    const answer = answerOf(value)
    return answer === undefined ? [] : [answer]
  })
  return { book, sound }
}

function answerOf(value: Partial<MockAnswerDocument> | undefined): MockAnswer | undefined {
  if (value?.match === undefined) return undefined
  const { match, status = 200, headers = {}, json, text, delay = '' } = value
  const fields = Object.entries(headers)
  const typed = json === undefined || fields.some(([name]) => name === 'content-type') ? fields : [['content-type', 'application/json'] as const, ...fields]
  return {
    methods: match.methods ?? (match.method === undefined ? [] : [match.method]),
    path: match.path,
    body: match.body,
    status,
    headers: typed,
    answer: json === undefined ? (text ?? '') : JSON.stringify(json),
    delayMs: ms(delay),
  }
}
