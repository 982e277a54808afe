import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { guidePages, root, textOf } from './pages.ts'

const pages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'deploy/README.md', ...guidePages()]

/** Where the links of a page lead that stay in the repository. Code is left out: what looks like a link there is none. */
function linksOf(page: string): readonly string[] {
  const prose = textOf(page)
    .replaceAll(/^```[\s\S]*?^```$/gm, '')
    .replaceAll(/`[^`\n]*`/g, '`')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string).filter((target) => !/^[a-z][a-z+.-]*:/i.test(target))
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = textOf(page)
    .replaceAll(/^```[\s\S]*?^```$/gm, '')
    .matchAll(/^#{1,6} (.+)$/gm)
  const slug = (heading: string) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
  return new Set(Array.from(headings, (match) => slug(match[1] as string)))
}

function problemOf(page: string, link: string): string | undefined {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? page : join(dirname(page), path)
  if (target.startsWith('..')) return `${link} leads out of the repository`
  if (!existsSync(join(root, target))) return `${link} leads nowhere`
  if (anchor === undefined) return undefined
  if (!statSync(join(root, target)).isFile()) return `${link} names a heading of a folder`
  return anchorsOf(target).has(anchor) ? undefined : `${link} names no heading of ${target}`
}

describe('the links between the pages', () => {
  it.each(pages)('lead somewhere from %s', (page) => {
    expect(linksOf(page).flatMap((link) => problemOf(page, link) ?? [])).toEqual([])
  })

  it('reach every page of the guide from its index', () => {
    const linked = new Set(linksOf('docs/README.md').map((link) => join('docs', link.split('#', 1)[0] ?? '')))
    expect(guidePages().filter((page) => page !== 'docs/README.md' && !linked.has(page))).toEqual([])
  })
})
