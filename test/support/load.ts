import { readFileSync } from 'node:fs'
import type { Diagnostic } from '../../src/core/policy/diagnostic.ts'
import { loadPolicy } from '../../src/core/policy/load.ts'
import type { Loaded } from '../../src/core/policy/loading.ts'
import type { Policy } from '../../src/core/policy/policy.ts'

export interface LoadCase {
  /** Text by path under the policies folder. */
  readonly files: Readonly<Record<string, string>>
  readonly environment?: string
  readonly assets?: Readonly<Record<string, Uint8Array>>
  readonly variables?: Readonly<Record<string, string>>
}

/** The demo shop's descriptor set. */
export const shopDescriptors: Uint8Array = new Uint8Array(readFileSync(new URL('../../policies/descriptors/shop.binpb', import.meta.url)))

/** Loads policy files from memory. */
export function loadCase({ files, environment = 'dev', assets = {}, variables = {} }: LoadCase): Promise<Loaded> {
  return loadPolicy({
    files: Object.entries(files).map(([path, text]) => ({ path, text })),
    asset: (path) => (Object.hasOwn(assets, path) ? assets[path] : undefined),
    environment,
    variable: (name) => (Object.hasOwn(variables, name) ? variables[name] : undefined),
  })
}

/** Environments and listeners: what every policy needs. */
export const base = `sallyport: v1
environments:
  dev: { class: nonprod }
  staging: { class: nonprod }
  prod: { class: prod }
listeners:
  public: { address: 127.0.0.1:8080 }
  egress: { address: 127.0.0.1:9100 }
`

/** Loads one file beside the base, and the shop's descriptors. */
export function loadBeside(text: string, more: Omit<LoadCase, 'files'> & { readonly files?: Readonly<Record<string, string>> } = {}): Promise<Loaded> {
  return loadCase({ assets: { 'shop.binpb': shopDescriptors }, ...more, files: { 'base.yaml': base, 'a.yaml': `sallyport: v1\n${text}`, ...more.files } })
}

/** `severity code file:line:col`, one per diagnostic. */
export function brief(diagnostics: readonly Diagnostic[]): readonly string[] {
  return diagnostics.map(({ severity, code, file, line, column }) => `${severity} ${code} ${file}:${line}:${column}`)
}

/** The policy of a load that found nothing to complain about. @throws Error with every complaint otherwise. */
export function clean({ policy, diagnostics }: Loaded): Policy {
  if (policy === undefined || diagnostics.length > 0)
    throw new Error(diagnostics.map((each) => `${each.file}:${each.line}:${each.column} ${each.message}`).join('\n'))
  return policy
}

export interface Marked {
  readonly text: string
  /** `line:column` of each mark, in order. */
  readonly marks: readonly string[]
}

/** Takes the marks «here out of a text and says where they were. */
export function marked(text: string): Marked {
  const marks: string[] = []
  const lines = text.split('\n').map((line, i) => {
    let rest = line
    for (let at = rest.indexOf('«'); at >= 0; at = rest.indexOf('«')) {
      marks.push(`${i + 1}:${at + 1}`)
      rest = rest.slice(0, at) + rest.slice(at + 1)
    }
    return rest
  })
  return { text: lines.join('\n'), marks }
}
