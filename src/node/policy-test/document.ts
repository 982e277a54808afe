import { isMap, LineCounter, type Node, parseDocument } from 'yaml'
import { z } from 'zod'
import type { Diagnostic } from '../../core/policy/diagnostic.ts'
import { parsePercent } from '../../core/policy/units.ts'

const scalar = z.union([z.string(), z.number(), z.boolean()])

const names = z.array(z.string()).default([])

/** What the client certificate of the connection says. */
const certificate = z.strictObject({ uri: names, dns: names, email: names, commonName: z.string().optional() })

const request = z.strictObject({
  method: z.string().default('GET'),
  path: z.string(),
  host: z.string().default('localhost'),
  headers: z.record(z.string(), scalar).default({}),
  body: z.unknown().optional(),
  client: z.string().default('127.0.0.1'),
  certificate: certificate.optional(),
})

const share = z.string().transform((text, issue) => {
  const parsed = parsePercent(text)
  if (parsed === undefined) issue.addIssue(`"${text}" is not a share: write it as 90%`)
  return parsed ?? 0
})

const expectation = z.strictObject({
  status: z.int().optional(),
  code: z.string().optional(),
  route: z.string().optional(),
  rule: z.string().optional(),
  audited: z.array(z.string()).optional(),
  asked: z.array(z.string()).optional(),
  limits: z.array(z.string()).optional(),
  destination: z.string().optional(),
  share: z.record(z.string(), share).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  token: z.string().optional(),
  claims: z.record(z.string(), z.unknown()).optional(),
})

const policyTest = z.strictObject({
  name: z.string(),
  request,
  principal: z
    .union(
      [
        z.strictObject({ issuer: z.string(), claims: z.record(z.string(), z.unknown()) }),
        z.strictObject({
          apiKey: z.string(),
          owner: z.string(),
          clientId: z.string().optional(),
          scopes: z.array(z.string()).optional(),
          claims: z.record(z.string(), z.unknown()).optional(),
        }),
        z.strictObject({ certificate: z.string(), subject: z.string() }),
      ],
      'is { issuer, claims }, { apiKey, owner } or { certificate, subject }',
    )
    .optional(),
  deciders: z.record(z.string(), z.enum(['allow', 'deny', 'down'])).default({}),
  time: z.iso.datetime({ offset: true }).optional(),
  expect: expectation.refine(
    (one) => Object.keys(one).length > 0,
    'says nothing: give at least one of status, code, route, rule, audited, asked, limits, destination, share, headers, token, claims',
  ),
})

/** One policy test as its file says it, defaults filled in, with its place. */
export type PolicyTest = z.infer<typeof policyTest> & { readonly file: string; readonly line: number }

export interface ReadTests {
  readonly tests: readonly PolicyTest[]
  readonly diagnostics: readonly Diagnostic[]
}

/** Reads one `*.test.yaml`: a list of tests. Every mistake is a diagnostic with its place; never throws. */
export function readPolicyTests(file: string, text: string): ReadTests {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const at = (offset: number, message: string, hint?: string): Diagnostic => {
    const { line, col } = lines.linePos(offset)
    return { severity: 'error', code: 'policy_test_invalid', file, line, column: col, message, hint, object: undefined }
  }
  if (document.errors.length > 0)
    return { tests: [], diagnostics: document.errors.map((error) => at(error.pos[0], error.message.split('\n')[0] ?? error.message)) }
  const parsed = z.array(z.unknown()).safeParse(document.toJS())
  if (!parsed.success) return { tests: [], diagnostics: [at(0, 'A policy test file is a list of tests.', 'Start each with "- name: …".')] }
  const tests: PolicyTest[] = []
  const diagnostics: Diagnostic[] = []
  for (const [index, value] of parsed.data.entries()) {
    const offset = (path: readonly PropertyKey[]) => offsetOf(document, [index, ...path])
    const read = policyTest.safeParse(value)
    if (read.success) tests.push({ ...read.data, file, line: lines.linePos(offset([])).line })
    else for (const issue of read.error.issues) diagnostics.push(at(offset(issue.path), sentence(issue)))
  }
  return { tests, diagnostics }
}

function offsetOf(document: ReturnType<typeof parseDocument>, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true) as Node | undefined
    if (node?.range != null) return node.range[0]
  }
  return isMap(document.contents) ? 0 : (document.contents?.range?.[0] ?? 0)
}

function sentence(issue: z.core.$ZodIssue): string {
  const where = issue.path.length === 0 ? 'The test' : `"${issue.path.join('.')}"`
  return `${where}: ${issue.message}.`
}
