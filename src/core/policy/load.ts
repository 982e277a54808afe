import { didYouMean } from '../suggest.ts'
import { collect, idOf, mockPaths, objectsOf, type RawObject } from './collect.ts'
import type { Diagnostic } from './diagnostic.ts'
import type { EgressDocument } from './document/egress.ts'
import { openDescriptors } from './link/descriptors.ts'
import type { Entry } from './link/linking.ts'
import { openMocks } from './link/mocks.ts'
import { type Linked, type LinkInput, linkObjects } from './link.ts'
import type { Loaded, LoadInput, Origin } from './loading.ts'
import { lostRoutes } from './lost.ts'
import { originsOf } from './origins.ts'
import { applyOverlay } from './overlay.ts'
import { outside } from './read/node.ts'
import { type ReadFile, readText } from './read.ts'
import { compare, openReport, type Report, sortDiagnostics } from './report.ts'
import { revisionOf } from './revision.ts'
import type { Shaped } from './shape.ts'

/** Files in; linked policy and every diagnostic out. Pure, and never throws for anything a file says. */
export async function loadPolicy(input: LoadInput): Promise<Loaded> {
  const report = openReport()
  const { policies, overlays } = readFiles(input, report)
  const base = collect(policies, report)
  const shared = {
    shapes: new Map<RawObject, Shaped<unknown>>(),
    descriptors: await openDescriptors(input.asset, base.values()),
    mocks: openMocks(input, report),
    incomplete: policies.some((file) => file.cut !== undefined),
    lost: lostRoutes(policies, base, (path) => input.files.find((file) => file.path === path)?.text ?? ''),
  }
  checkEnvironments(input, base, policies, overlays, report)
  const { objects, doubt } = overlaid(base, overlays.get(input.environment), report)
  const linked = linkObjects({ ...shared, objects, doubt, environment: input.environment, report })
  for (const [environment, overlay] of overlays) {
    if (environment !== input.environment) checkOverlay(base, environment, overlay, shared, report)
  }
  const diagnostics = sortDiagnostics(withoutCut(policies, report))
  const policy = linked.policy === undefined ? undefined : { revision: await revisionOf(linked.policy), ...linked.policy }
  return { policy, diagnostics, origins: originsIn(linked, input.environment) }
}

/** Errors of a file that take nothing of what it says away. */
const harmless: ReadonlySet<string> = new Set(['version_missing', 'version_unknown', 'json_invalid'])

/** The overlay in force may narrow anything: an error in it that is no one object's leaves everything in doubt. */
function overlaid(base: ReadonlyMap<string, RawObject>, overlay: Overlay | undefined, report: Report) {
  if (overlay === undefined) return { objects: base, doubt: undefined }
  const own = openReport()
  const objects = applyOverlay(base, overlay.file(own), own)
  report.absorb(own)
  const first = own.diagnostics().find(({ severity, object, code }) => severity === 'error' && object === undefined && !harmless.has(code))
  const doubt = first === undefined ? undefined : `what this environment narrows is not known: ${first.file}:${first.line}:${first.column} ${first.message}`
  return { objects, doubt }
}

interface Overlay {
  readonly path: string
  readonly file: (report: Report) => ReadFile
}

const overlayPath = /^environments\/([^/]+)\.(?:ya?ml|json)$/

function readFiles(input: LoadInput, report: Report): { readonly policies: readonly ReadFile[]; readonly overlays: ReadonlyMap<string, Overlay> } {
  const overlays = new Map<string, Overlay>()
  const read: { readonly file: ReadFile; readonly own: Report }[] = []
  for (const { path, text } of input.files.toSorted((a, b) => compare(a.path, b.path))) {
    if (/\.test\.(?:ya?ml|json)$/.test(path)) continue
    const environment = overlayPath.exec(path)?.[1]
    if (environment === undefined) {
      const own = openReport()
      read.push({ file: readText({ file: path, kind: 'file', text, variable: input.variable, objects: true }, own), own })
    } else if (overlays.has(environment)) {
      report.error({
        code: 'name_repeated',
        at: outside(path),
        message: `The environment "${environment}" has a second overlay: ${overlays.get(environment)?.path}.`,
        hint: 'Merge the two.',
      })
    } else {
      // Variables of another environment need not be set here.
      const lenient = environment !== input.environment
      overlays.set(environment, { path, file: (to) => readText({ file: path, kind: 'overlay', text, variable: input.variable, lenient, objects: true }, to) })
    }
  }
  const mocks = mockPaths(read.map(({ file }) => file))
  const policies = read.filter(({ file }) => !mocks.has(file.source.file))
  for (const { own } of policies) report.absorb(own)
  return { policies: policies.map(({ file }) => file), overlays }
}

function checkEnvironments(
  input: LoadInput,
  base: ReadonlyMap<string, RawObject>,
  policies: readonly ReadFile[],
  overlays: ReadonlyMap<string, Overlay>,
  report: Report,
): void {
  const names = Array.from(base.values()).flatMap(({ section, name }) => (section === 'environments' ? [name] : []))
  const listed = names.length === 0 ? 'Add environments: { dev: { class: nonprod } }.' : `Declared: ${names.join(', ')}.`
  if (policies.length === 0)
    report.error({ code: 'policies_missing', at: outside('policies'), message: 'There is no policy file.', hint: 'Write one, such as policies/gateway.yaml.' })
  else if (names.length === 0)
    report.error({ code: 'environments_missing', at: outside(policies[0]?.source.file ?? 'policies'), message: 'No environment is declared.', hint: listed })
  else if (!names.includes(input.environment))
    report.error({
      code: 'environment_unknown',
      at: outside('SALLYPORT_ENV'),
      message: `"${input.environment}" is not a declared environment.`,
      hint: didYouMean(input.environment, names) ?? listed,
    })
  for (const [environment, { path }] of overlays) {
    if (!names.includes(environment))
      report.error({
        code: 'environment_unknown',
        at: outside(path),
        message: `This overlay is for "${environment}", which is not a declared environment.`,
        hint: didYouMean(environment, names) ?? listed,
      })
  }
}

/** An overlay of another environment is checked as if that environment were in force; what is wrong elsewhere is known already. */
function checkOverlay(
  base: ReadonlyMap<string, RawObject>,
  environment: string,
  { path, file }: Overlay,
  shared: Omit<LinkInput, 'objects' | 'environment' | 'report' | 'doubt'>,
  report: Report,
): void {
  const aside = openReport()
  const objects = applyOverlay(base, file(aside), aside)
  linkObjects({ ...shared, objects, doubt: undefined, environment, report: aside })
  report.absorb({ ...aside, diagnostics: () => aside.diagnostics().filter((each) => each.file === path), broken: () => new Map() })
}

/** Of an object in a file that does not parse, half may be missing: only the parser's own errors mean anything. */
function withoutCut(policies: readonly ReadFile[], report: Report): readonly Diagnostic[] {
  const silent = openReport()
  const cut = new Set(
    policies.filter((file) => file.cut !== undefined).flatMap((file) => objectsOf(file, silent).map(({ section, name }) => idOf(section, name))),
  )
  return report.diagnostics().filter(({ object }) => object === undefined || !cut.has(object))
}

function originsIn({ entries, classes }: Linked, environment: string): Loaded['origins'] {
  const origins: Record<string, Origin> = {}
  for (const entry of entries) originsOf(entry.section === 'egress' ? ofClass(entry, classes, environment) : entry, origins)
  return origins
}

/** Of the other class no target and no name of a secret may be known. */
function ofClass(entry: Entry<unknown>, classes: Linked['classes'], environment: string): Entry<unknown> {
  // The cast is safe: entries of this section were checked as egress services.
  const { environments, ...rest } = (entry.value ?? {}) as Partial<EgressDocument>
  const kept = Object.entries(environments ?? {}).filter(([name]) => classes.get(name) === classes.get(environment))
  return { ...entry, value: { ...rest, environments: Object.fromEntries(kept) } }
}
