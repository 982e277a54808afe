import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { sallyportProcess, signalGroup, startCommand } from '../support/command.ts'
import { untilTheEnd } from '../support/keep.ts'
import { hasEnvoy } from '../support/real.ts'

const keep = untilTheEnd()
const envoyThere = hasEnvoy()

describe.each([
  ['through Envoy', envoyThere, undefined, 'Envoy ('],
  ['through the stand-in of a machine without Envoy', true, '/nowhere', 'a built-in stand-in ('],
] as const)('demo --check, %s', (_name, there, ENVOY_BIN, sidecar) => {
  it.skipIf(!there)('runs through the whole main job, and finds nothing that differs', { timeout: 60_000 }, async () => {
    const { status, out } = await sallyportProcess(['demo', '--check'], ENVOY_BIN === undefined ? {} : { ENVOY_BIN })
    expect(out).toContain(`sidecar      ${sidecar}`)
    expect(out).not.toContain('DIFFERS')
    expect(out).toMatch(/\nAll (\d+) steps are as they must be\.\n$/)
    expect(status).toBe(0)
    const steps = out.match(/^\d+\. .* {2}ok$/gm) ?? []
    expect(steps.length).toBeGreaterThanOrEqual(17)
  })
})

/** Every process of the group that `leader` leads, by its command. */
function groupOf(leader: number): readonly string[] {
  return processes()
    .filter(({ group, state }) => group === leader && state !== 'Z')
    .map(({ command }) => command)
}

function processes(): readonly { readonly group: number; readonly state: string; readonly command: string }[] {
  if (!existsSync('/proc/self/stat')) {
    const lines = execFileSync('ps', ['-A', '-o', 'pgid=,stat=,comm='], { encoding: 'utf8' }).split('\n')
    return lines.map((line) => line.trim().split(/\s+/)).map(([group, state = '', command = '']) => ({ group: Number(group), state: state.charAt(0), command }))
  }
  // proc(5): pid (comm) state ppid pgrp
  return readdirSync('/proc').flatMap((pid) => {
    const [, command = '', state = '', group] = /^\d+ \((.*)\) (\w) \d+ (\d+)/.exec(statOf(pid)) ?? []
    return group === undefined ? [] : [{ group: Number(group), state, command }]
  })
}

/** Empty for what is no process, or is none any more. */
function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return ''
  }
}

it('Ctrl-C ends the interactive demo cleanly: exit status 0, no process and no folder left behind', { timeout: 60_000 }, async () => {
  const demo = startCommand(keep, ['demo'])
  await expect.poll(demo.out, { timeout: 45_000, interval: 20 }).toContain('End it with Ctrl-C.')
  const leader = demo.child.pid ?? 0
  expect(groupOf(leader).some((command) => command.includes('envoy'))).toBe(envoyThere)
  const folder = /^policies +(\S+)$/m.exec(demo.out())?.[1] ?? ''
  expect(existsSync(folder)).toBe(true)
  const admin = /admin (http:\S+)/.exec(demo.out())?.[1] ?? ''
  expect((await fetch(`${admin}/readyz`)).status).toBe(200)

  const asked = performance.now()
  signalGroup(demo.child, 'SIGINT')
  const { status, out, err } = await demo.ended
  expect([status, err.replace('Starting the shop …\n', '')]).toEqual([0, ''])
  expect(performance.now() - asked).toBeLessThan(5000)
  expect(out.endsWith('Stopping …\n')).toBe(true)
  expect(groupOf(leader)).toEqual([])
  expect(existsSync(folder)).toBe(false)
})

it.each([
  ['demo', 0],
  // A check that was stopped has not found that all is well.
  ['demo --check', 1],
])('Ctrl-C in the middle of the steps ends %s with status %i, and nothing is left behind', { timeout: 60_000 }, async (words, expected) => {
  const demo = startCommand(keep, words.split(' '))
  await expect.poll(demo.out, { timeout: 45_000, interval: 5 }).toMatch(/^1\. /m)
  signalGroup(demo.child, 'SIGINT')
  const { status, out } = await demo.ended
  expect([status, out.includes('All '), out.includes('DIFFERS')]).toEqual([expected, false, false])
  expect(groupOf(demo.child.pid ?? 0)).toEqual([])
})
