import { link, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cassettes, Random } from '../core/ports.ts'

/** A cassette with more would be no example any more, but a data set. */
const mostFiles = 1000
/** Far above what a recording of two bodies of 1 MiB takes. Bytes. */
const longestFile = 16 * 1024 * 1024

const numbered = /^(\d{5})-[a-z0-9-]*\.json$/

/**
 * Cassettes under a folder: a folder each, a file per interaction, numbered in the order they were added. Only this user may read them. A file
 * appears whole under a number that nobody else has, so several processes can record into one cassette, and a reader never sees half of one.
 */
export function createCassettes(folder: string, random: Pick<Random, 'hex'>): Cassettes {
  return {
    async list(cassette) {
      const names = await namesIn(join(folder, cassette))
      return Promise.all(names.map(async (name) => ({ name, version: await versionOf(join(folder, cassette, name)) })))
    },
    async read(cassette, name) {
      const path = join(folder, cassette, name)
      if ((await stat(path)).size > longestFile) throw new Error(`longer than ${longestFile} bytes`)
      return readFile(path, 'utf8')
    },
    async add(cassette, about, text) {
      const place = join(folder, cassette)
      await mkdir(place, { recursive: true, mode: 0o700 })
      const fresh = join(place, `.${random.hex(8)}.tmp`)
      try {
        await writeFile(fresh, text, { mode: 0o600, flag: 'wx' })
        return await placed(fresh, place, about)
      } finally {
        await rm(fresh, { force: true })
      }
    },
  }
}

/** Gives a finished file the next number. False when there are too many. */
async function placed(fresh: string, place: string, about: string): Promise<boolean> {
  const names = await namesIn(place)
  if (names.length >= mostFiles) return false
  const slug = about
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 60)
    .replace(/^-|-$/g, '')
  for (let number = numberOf(names.at(-1)) + 1; number <= 99_999; number += 1) {
    const digits = String(number).padStart(5, '0')
    const claim = join(place, `.${digits}.number`)
    // A number is claimed before it is used: two files of one number would have no order.
    if (!(await linked(fresh, claim))) continue
    try {
      if ((await namesIn(place)).some((name) => numberOf(name) === number)) continue
      await link(fresh, join(place, `${digits}-${slug}.json`))
      return true
    } finally {
      await rm(claim, { force: true })
    }
  }
  return false
}

/** False when the name is taken. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** In the order of their numbers; none when the folder is not there. */
async function namesIn(place: string): Promise<string[]> {
  try {
    return (await readdir(place)).filter((name) => numbered.test(name)).sort()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

function numberOf(name: string | undefined): number {
  return name === undefined ? 0 : Number(numbered.exec(name)?.[1] ?? 0)
}

async function versionOf(path: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(path)
  return `${ino} ${size} ${mtimeMs}`
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
