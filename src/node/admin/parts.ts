import { html } from 'hono/html'

/** A piece of a page; what is put into it is escaped. */
export type Html = ReturnType<typeof html>

/** A heading and a table, or a sentence where there is nothing to show. */
export function section(title: string, count: number, heads: readonly (string | Html)[], rows: readonly Html[], empty: string): Html {
  if (rows.length === 0) return html`<h2>${title}</h2><p class="soft">${empty}</p>`
  const head = heads.map((name) => html`<th scope="col">${name}</th>`)
  return html`<h2>${title}<small>${count}</small></h2>
<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${[...rows]}</tbody></table></div>`
}

/** Items one below the other. */
export function list(items: readonly Html[]): Html | string {
  return items.length === 0 ? html`<span class="soft">none</span>` : html`<ul>${items.map((item) => html`<li>${item}</li>`)}</ul>`
}

/** A word with a colour. */
export function tag(kind: '' | 'good' | 'warn' | 'bad', text: string): Html {
  return html`<span class="tag ${kind}">${text}</span>`
}

/** Wall time for a reader: `2026-01-31 12:00:00 UTC`. */
export function spoken(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

const units: readonly (readonly [number, string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
]

/** At most two units: `3 h 12 min`. */
export function lengthText(ms: number): string {
  const at = units.findIndex(([size]) => ms >= size)
  if (at < 0) return `${Math.round(ms)} ms`
  const [size, name] = units[at] as readonly [number, string]
  const next = units[at + 1]
  const rest = next === undefined ? 0 : Math.floor((ms % size) / next[0])
  return `${Math.floor(ms / size)} ${name}${next === undefined || rest === 0 ? '' : ` ${rest} ${next[1]}`}`
}
