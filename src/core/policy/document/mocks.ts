import * as z from 'zod'
import { defaulted, describe } from './build.ts'
import { claimPath, claimValue, durationBetween, headerName, method, path } from './fields.ts'

const mockMatch = z.strictObject({
  method: describe(method.optional(), 'One HTTP method.'),
  methods: describe(z.array(method).min(1).optional(), 'HTTP methods; without them any.'),
  path: describe(path, 'Path template.'),
  body: defaulted(z.record(claimPath, claimValue), 'mocks.body', 'Members of a JSON body that must be equal, by dotted path.'),
})

/** One canned answer of a mock file. */
export const mockAnswer = z.strictObject({
  match: describe(mockMatch, 'Which requests it answers.'),
  status: defaulted(z.int().min(200).max(599), 'mocks.status', 'HTTP status.'),
  headers: defaulted(z.record(headerName, z.string()), 'mocks.headers', 'Headers of the answer.'),
  json: describe(z.json().optional(), 'Body as JSON; {{path.x}}, {{query.x}}, {{header.x}} and {{body.a.b}} in its texts are filled in.'),
  text: describe(z.string().optional(), 'Body as text, filled in likewise.'),
  delay: defaulted(durationBetween('0ms', '1m'), 'mocks.delay', 'Time before the answer.'),
})

export type MockAnswerDocument = z.output<typeof mockAnswer>
