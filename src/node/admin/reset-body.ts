import * as z from 'zod'
import { KeyProblem } from '../counters.ts'

const line = z
  .string()
  .min(1, 'is empty')
  .max(200, 'is longer than 200 characters')
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, 'is not one line of text')
const word = z.string().min(1, 'is empty')

const reset = z.strictObject({
  limit: word,
  key: z.union([word, z.array(word).min(1, 'is empty')], 'is neither text nor a list of words'),
  by: line,
  reason: line.optional(),
})

/** Reads who resets which key of a limit, and why. @throws KeyProblem naming the member that is wrong */
export function readReset(text: string): z.infer<typeof reset> {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw new KeyProblem('the body is not JSON')
  }
  const read = reset.safeParse(body)
  if (read.success) return read.data
  const issues = read.error.issues.map((issue) => (issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`))
  throw new KeyProblem(issues.join('; '))
}
