import { beforeAll, describe, expect, it, vi } from 'vitest'
import { untilTheEnd } from '../../support/keep.ts'
import { leaksTo } from './canaries.ts'
import { type House, type HouseOptions, hostOf, openHouse } from './house.ts'
import { foreignSockets } from './sockets.ts'
import { type HangsUp, idsOf, request, type Talked, talk } from './talk.ts'
import type { Script } from './vendor.ts'

/** One message of a workload and all that may come of it. */
export interface Case {
  readonly name: string
  /** Where it is described, or forbidden. */
  readonly source?: string
  /** The listener: the shared port, unless said. */
  readonly at?: string
  /** The service that is meant, by its name on the shared port: a plain GET of /v1/x, unless `send` says more. */
  readonly to?: string
  /** Bytes, in pieces; a function where they need to know the house. */
  readonly send?: string | readonly string[] | ((house: House) => string | readonly string[])
  /** In place of bytes: another way to talk. */
  readonly by?: (port: number) => Promise<Talked>
  /** What the vendor answers; a plain 200, unless said. */
  readonly script?: Script
  /** As `Talked.ends`. */
  readonly ends: string
  /** Exactly what is dialled; nothing, unless said. */
  readonly dialled?: readonly string[]
  /** Exactly what the vendor is asked, as `METHOD target body`; nothing, unless said. */
  readonly asked?: readonly string[]
  /** A part of the reason in the record: it is this attack that was seen, and no other fault of the request. */
  readonly why?: string
  /** What else must hold; sentences about what does not. */
  readonly flaws?: Look
  /** When the caller says that it has nothing more to say, where that is not for the gateway: at once, or when it has heard this. */
  readonly hangsUp?: HangsUp
  /** What the caller may see all the same: only of controls that show that the scan sees. */
  readonly shows?: readonly string[]
}

/** Looks at what came of a case; sentences about what is wrong. */
export type Look = (seen: Seen) => readonly string[] | Promise<readonly string[]>

/** What came of one case. */
export interface Seen {
  readonly house: House
  /** What the caller got. */
  readonly text: string
  /** The same as it came over the wire. */
  readonly bytes: string
  readonly heard: House['world']['vendor']['heard']
  /** Bytes of connections that are no HTTP. */
  readonly said: readonly string[]
  /** Names that were looked up. */
  readonly names: readonly string[]
}

/** The house of a test file. What it holds is asked for when every table is written. */
export function atHouse(options: () => HouseOptions): () => House {
  const keep = untilTheEnd()
  let house: House | undefined
  beforeAll(async () => {
    house = await openHouse(keep, options())
  })
  return () => {
    if (house === undefined) throw new Error('the house is not open yet')
    return house
  }
}

/** A group of attacks and, first, its controls: their legitimate neighbours, that pass. */
export function attackGroup(title: string, house: () => House, controls: readonly Case[], attacks: readonly Case[]): void {
  // In their order: what a name leads to, or what is stored, is a matter of what was asked before.
  describe(`${title}:`, { shuffle: false }, () => {
    const ids: string[] = []
    it.each(controls.map((one) => [one.name, one] as const))('control: %s', async (_, one) => {
      expect(await flawsOf(house(), one, ids)).toEqual([])
    })

    it.each(attacks.map((one) => [one.source === undefined ? one.name : `${one.name} (${one.source})`, one] as const))('%s', async (_, one) => {
      expect(await flawsOf(house(), one, ids)).toEqual([])
    })

    it('has controls; all of it is on record without a secret, and no socket went past the seam', async () => {
      expect(controls).not.toEqual([])
      expect(foreignSockets()).toEqual([])
      const { journal, running } = house().gateway
      const recorded = () => new Set(journal.map((record) => record['id']))
      await vi.waitFor(() => expect(ids.filter((id) => !recorded().has(id))).toEqual([]), { timeout: 5_000, interval: 5 })
      expect(leaksTo.record(JSON.stringify(journal))).toEqual([])
      expect(leaksTo.record(await (await fetch(`http://${running.admin?.host}:${running.admin?.port}/metrics`)).text())).toEqual([])
    })
  })
}

async function flawsOf(house: House, one: Case, ids: string[]): Promise<readonly string[]> {
  const { gateway, world } = house
  const { vendor } = world
  const before = { dialled: world.dialled.length, heard: vendor.heard.length, asked: world.asked.length, bytes: vendor.bytes.length }
  vendor.script = one.script ?? (() => undefined)
  const port = gateway.port(one.at ?? 'egress')
  const { text, bytes, ends } = await (one.by?.(port) ?? talk(port, piecesOf(house, one), one.hangsUp))
  const heard = vendor.heard.slice(before.heard)
  ids.push(...idsOf(text))
  const shown = new Set(one.shows)
  const flaws = [
    ...differs('ends', ends, one.ends),
    ...differs('dialled', world.dialled.slice(before.dialled).join(', '), (one.dialled ?? []).join(', ')),
    ...differs('asked', heard.map(({ method, target, body }) => `${method} ${target} ${body}`.trimEnd()).join(', '), (one.asked ?? []).join(', ')),
    ...leaksTo.caller(text).flatMap((leak) => (shown.delete(leak) ? [] : [`the caller sees ${leak}`])),
    ...[...shown].map((form) => `the caller does not see ${form}`),
    ...leaksTo.vendor(JSON.stringify(heard)).map((leak) => `the vendor sees ${leak}`),
    ...leaksTo.vendor(vendor.bytes.slice(before.bytes).join('')).map((leak) => `bytes carry ${leak}`),
    ...((await one.flaws?.({ house, text, bytes, heard, said: vendor.bytes.slice(before.bytes), names: world.asked.slice(before.asked) })) ?? []),
  ]
  return one.why === undefined ? flaws : [...flaws, ...(await wrongReason(house, idsOf(text)[0], one.why))]
}

function piecesOf(house: House, { to, send }: Case): readonly string[] {
  const said = typeof send === 'function' ? send(house) : (send ?? request('GET /v1/x', hostOf(to ?? '')))
  return typeof said === 'string' ? [said] : said
}

function differs(what: string, found: string, wanted: string): readonly string[] {
  return found === wanted ? [] : [`${what}: ${found || 'nothing'}; not ${wanted || 'nothing'}`]
}

async function wrongReason({ gateway }: House, id: string | undefined, why: string): Promise<readonly string[]> {
  const { refusal } = await gateway.entry((record) => record['id'] === id)
  const reason = JSON.stringify(refusal) ?? 'no refusal'
  return reason.includes(JSON.stringify(why).slice(1, -1)) ? [] : [`recorded: ${reason}, not ${why}`]
}

/** What passes: one request to the vendor, at this address. */
export function passes(name: string, to: string, address: string, more: Partial<Case> = {}): Case {
  return { name, to, ends: '200', dialled: [address], asked: ['GET /v1/x'], ...more }
}

/** What the address guard holds back. */
export function denied(name: string, to: string, more: Partial<Case> = {}): Case {
  return { name, to, ends: '403 address_denied', ...more }
}
