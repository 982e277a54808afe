import { html, raw } from 'hono/html'
import type { Json, JsonObject } from '../../core/openapi.ts'
import type { Policy } from '../../core/policy/policy.ts'
import { referenceStyle, style } from './style.ts'

type Html = ReturnType<typeof html>

/** Where the viewer comes from; with an integrity hash when that is another host. */
export interface ViewerScript {
  readonly src: string
  readonly integrity: string | undefined
}

interface Listed {
  readonly method: string
  readonly path: string
  readonly operation: JsonObject
}

/** The API reference: a list that needs neither script nor network, and a viewer that takes its place where it can be had. */
export function referencePage(document: JsonObject, policy: Policy, script: ViewerScript | undefined): Html {
  const operations = operationsIn(document)
  const tags = Array.from(new Map(membersIn(document['tags']).map((tag) => [text(tag['name']), text(tag['description'])])))
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API reference · ${policy.environment}</title>
<style id="style">${raw(style + referenceStyle)}</style>
</head>
<body>
<div id="viewer"></div>
<main id="plain">
<header>
<h1>Sally<span>port</span></h1>
<span class="tag">API reference</span><span class="tag">${policy.environment} · ${policy.environmentClass}</span>
<nav><a href="/">status</a><a href="/openapi.json">openapi.json</a></nav>
</header>
<p class="soft">${operations.length} operations, revision <code>${policy.revision}</code>. Errors are problem documents (RFC 9457), or <code>google.rpc.Status</code> where the service itself refuses.</p>
${tags.map(([name, description]) =>
  group(
    name,
    description,
    operations.filter(({ operation }) => listOf(operation['tags']).includes(name)),
  ),
)}
</main>
${script === undefined ? '' : scripts(script)}
</body>
</html>`
}

function scripts({ src, integrity }: ViewerScript): Html {
  const viewer =
    integrity === undefined
      ? html`<script defer src="${src}"></script>`
      : html`<script defer src="${src}" integrity="${integrity}" crossorigin="anonymous"></script>`
  return html`${viewer}<script defer src="/reference/start.js"></script>`
}

function group(name: string, description: string, operations: readonly Listed[]): Html {
  return html`<h2>${name}<small>${operations.length}</small></h2>
${description === '' ? '' : html`<p class="soft words">${description}</p>`}
<div class="operations">${operations.map(item)}</div>`
}

function item({ method, path, operation }: Listed): Html {
  const deprecated = operation['deprecated'] === true ? html` <span class="tag warn">deprecated</span>` : ''
  return html`<details>
<summary><b class="method ${method}">${method.toUpperCase()}</b><code>${path}</code><span class="soft">${text(operation['summary'])}${deprecated}</span></summary>
<div class="inside">
${operation['description'] === undefined ? '' : html`<p class="words">${text(operation['description'])}</p>`}
<p>${whoMay(operation)}${limits(operation)}</p>
${parameters(operation)}
${body(operation)}
${answers(operation)}
</div>
</details>`
}

function whoMay({ security }: JsonObject): Html {
  const ways = membersIn(security).map((way) =>
    Object.entries(way).map(([name, scopes]) => `${name}${listOf(scopes).length === 0 ? '' : ` with ${listOf(scopes).join(' ')}`}`),
  )
  if (ways.length === 0) return html`<span class="tag warn">public</span>`
  return html`${ways.map((way) => html`<span class="tag">${way.length === 0 ? 'without a credential' : `token of ${way.join(' and ')}`}</span> `)}`
}

function limits(operation: JsonObject): readonly Html[] {
  return membersIn(operation['x-sallyport-limits']).map(
    ({ name, quota, windowSeconds, cost }) =>
      html` <span class="tag">${text(name)}: ${text(quota)} in ${text(windowSeconds)} s${cost === 1 ? '' : `, costs ${text(cost)}`}</span>`,
  )
}

function parameters(operation: JsonObject): Html | string {
  const all = membersIn(operation['parameters'])
  if (all.length === 0) return ''
  const rows = all.map(
    (one) => html`<tr><th scope="row"><code>${text(one['name'])}</code>${one['required'] === true ? html` <span class="tag">required</span>` : ''}</th>
<td>${text(one['in'])}</td><td>${typeText(one['schema'])}</td><td><code>${exampleText(one['example'])}</code></td><td class="words">${text(one['description']).replaceAll('`', '')}</td></tr>`,
  )
  return html`<h3>Parameters</h3><div class="scroll"><table><thead><tr>${['Name', 'In', 'Type', 'Example', 'What it says'].map((head) => html`<th scope="col">${head}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`
}

function body(operation: JsonObject): Html | string {
  const content = Object.entries(membersOf(membersOf(operation['requestBody'])['content']))
  if (content.length === 0) return ''
  return html`<h3>Body</h3>${content.map(([type, media]) => {
    const { schema, example } = membersOf(media)
    return html`<p class="soft small"><code>${type}</code> ${typeText(schema)}</p><pre>${typeof example === 'string' ? example : JSON.stringify(example, null, 2)}</pre>`
  })}`
}

function answers(operation: JsonObject): Html {
  const all = Object.entries(membersOf(operation['responses'])).map(([status, response]) => {
    const content = Object.entries(membersOf(membersOf(response)['content']))
    const good =
      content.length === 0
        ? ''
        : html`: ${content.map(([type, media], i) => html`${i === 0 ? '' : ', '}<code>${type}</code> ${typeText(membersOf(media)['schema'])}`)}`
    return html`<li><b>${status}</b> ${failureText(response)}${good}</li>`
  })
  return html`<h3>Answers</h3><ul class="list">${all}</ul>`
}

/** What a shared answer is called, or what one of its own says. */
function failureText(response: Json): string {
  const { $ref, description } = membersOf(response)
  const name = text($ref).split('/').at(-1) ?? ''
  return name === '' ? text(description).replace(/\.$/, '') : name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase()
}

function typeText(schema: Json | undefined): string {
  const { type, format, $ref, items, anyOf, enum: values } = membersOf(schema)
  if ($ref !== undefined) return text($ref).split('/').at(-1) ?? ''
  if (type === 'array') return `list of ${typeText(items)}`
  if (Array.isArray(anyOf))
    return anyOf
      .map(typeText)
      .filter((one) => one !== 'null')
      .join(' or ')
  if (Array.isArray(values)) return listOf(values).join(', ')
  const name = Array.isArray(type) ? listOf(type)[0] : text(type)
  return [name, format === undefined ? '' : `(${text(format)})`].filter((one) => one !== '').join(' ')
}

function exampleText(example: Json | undefined): string {
  return example === undefined ? '' : typeof example === 'string' ? example : JSON.stringify(example)
}

function operationsIn(document: JsonObject): readonly Listed[] {
  return Object.entries(membersOf(document['paths'])).flatMap(([path, item]) =>
    Object.entries(membersOf(item)).map(([method, operation]) => ({ method, path, operation: membersOf(operation) })),
  )
}

// The document is our own: these only narrow its types.

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function membersOf(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {}
}

function membersIn(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

function listOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.map(text) : []
}

function text(value: Json | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}
