import type { MockAnswer } from '../../model/mock-book.ts'
import { isTemplateError, parseTemplate } from '../../model/template.ts'
import { type MapNode, nodeAt, type Path, plainOf, spotAt } from '../read/node.ts'
import type { Report } from '../report.ts'
import { Examples, isRecord } from './openapi-examples.ts'

/** HEAD before GET, which answers it too. */
const methods = ['head', 'get', 'put', 'post', 'delete', 'options', 'patch', 'trace'] as const

/** So many are named by a diagnostic. */
const named = 5

interface Operation {
  readonly method: string
  /** As the document has it. */
  readonly path: string
  readonly template: string
  readonly answer: Pick<MockAnswer, 'status' | 'headers' | 'answer'>
}

/**
 * Reads an OpenAPI document (3.0 or 3.1) into canned answers: for each method and path the lowest 2xx that has an example or no body. A path counts
 * with the base path of the first server before it and without. Concrete paths come before templated ones (OpenAPI 3.1.1 section 4.8.8.2). What answers
 * nothing is named by a warning: such calls are misses.
 */
export function readOpenApiMocks(root: MapNode, report: Report): readonly MockAnswer[] {
  const document = plainOf(root)
  if (!isRecord(document)) return []
  const at = (path: Path, which: 'key' | 'value' = 'key') => spotAt(root, root.at, path, which)
  if (!/^3\.[01]\.\d+$/.test(String(document['openapi']))) {
    report.error({
      code: 'mock_openapi_version',
      at: at(['openapi'], 'value'),
      message: `Version ${JSON.stringify(document['openapi'])} of OpenAPI is not read.`,
      hint: 'Write the document in version 3.0 or 3.1.',
    })
    return []
  }
  if (!isRecord(document['paths'])) {
    report.error({ code: 'mock_openapi_shape', at: at(['paths']), message: 'The document has no paths.', hint: 'Write a mapping of paths to operations.' })
    return []
  }
  const examples = new Examples(document)
  const unread: string[] = []
  const operations = Object.entries(document['paths']).flatMap(([path, said]) => {
    if (path.startsWith('x-')) return []
    const template = templateOf(path)
    const item = examples.resolve(said)
    if (template === undefined || !isRecord(item)) {
      const message = template === undefined ? `Path ${path} is no template that can be read.` : `Path ${path} says nothing that can be read.`
      report.warn({
        code: 'mock_openapi_unread',
        at: at(['paths', path]),
        message: `${message} Calls of it are misses.`,
        hint: 'A parameter is a whole segment.',
      })
      return []
    }
    return methods.flatMap((method): readonly Operation[] => {
      const operation = examples.resolve(item[method])
      if (operation === undefined) return []
      const answer = isRecord(operation) ? examples.answerOf(operation['responses']) : undefined
      if (answer === undefined) unread.push(`${method.toUpperCase()} ${path}`)
      return answer === undefined ? [] : [{ method: method.toUpperCase(), path, template, answer }]
    })
  })
  if (unread.length > 0) {
    const rest = unread.length > named ? ` and ${unread.length - named} more` : ''
    report.warn({
      code: 'mock_openapi_unread',
      at: at(['paths']),
      message: `No 2xx answer with a JSON example: ${unread.slice(0, named).join(', ')}${rest}. Calls of them are misses.`,
      hint: 'Write example: or examples: at the media type or in its schema.',
    })
  }
  const base = baseOf(document['servers'])
  if (base === undefined)
    report.warn({
      code: 'mock_openapi_unread',
      at: at(nodeAt(root, ['servers', 0, 'url']) === undefined ? ['servers'] : ['servers', 0, 'url']),
      message: 'The URL of the first server has no path that can be read: paths count from the root alone.',
      hint: 'Write a URL, or a path that begins with "/".',
    })
  const ordered = operations.toSorted((a, b) => openness(a.template) - openness(b.template))
  return (base === undefined || base === '' ? [''] : [base, '']).flatMap((before) =>
    ordered.map(({ method, template, answer }) => ({ methods: [method], path: joined(before, template), body: {}, delayMs: 0, ...answer })),
  )
}

/** The same path as a template of ours, whose names are identifiers. */
function templateOf(path: string): string | undefined {
  const template = path.replaceAll(/\{([^{}]*)\}/g, (_, name: string) => `{${name.replaceAll(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d|$)/, '_')}}`)
  return isTemplateError(parseTemplate(template)) ? undefined : template
}

/** Variables of a template; of two that fit the same path the one with fewer is meant. */
function openness(template: string): number {
  return template.split('{').length - 1
}

function joined(base: string, template: string): string {
  return base !== '' && template === '/' ? base : `${base}${template}`
}

/** The path of the first server, without a slash at its end, with the defaults of its variables. Undefined where it cannot be read. */
function baseOf(servers: unknown): string | undefined {
  const first: unknown = Array.isArray(servers) ? servers[0] : undefined
  if (first === undefined) return ''
  if (!isRecord(first) || typeof first['url'] !== 'string') return undefined
  const { variables } = first
  const url = first['url'].replaceAll(/\{([^{}]*)\}/g, (whole, name: string) => {
    const variable = isRecord(variables) ? variables[name] : undefined
    return isRecord(variable) && typeof variable['default'] === 'string' ? variable['default'] : whole
  })
  if (!URL.canParse(url, 'http://server.invalid')) return undefined
  const base = new URL(url, 'http://server.invalid').pathname.replace(/\/+$/, '')
  // What a variable without a default leaves behind stands in no path.
  return base === '' || (!base.includes('%7B') && !isTemplateError(parseTemplate(base))) ? base : undefined
}
