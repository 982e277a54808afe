import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { cpuTicks, parseCpuList, parseMachineTimes, parseResident, parseStat } from '../../bench/harness/proc.ts'

const line = (name: string): string =>
  `4242 (${name}) S 1 4242 4242 0 -1 4194560 2000 300 0 0 150 50 7 3 20 0 11 0 123456 1000000 2000 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0`

describe('figures of /proc', () => {
  test('user and system time are fields 14 and 15, those of waited children 16 and 17', () => {
    expect(parseStat(line('node'))).toEqual({ user: 150, system: 50, childUser: 7, childSystem: 3 })
  })

  test.each(['node (deleted)', 'a b c', ') 1 2 3 (', 'MainThread'])('a program may be called %j', (name) => {
    expect(parseStat(line(name))).toEqual({ user: 150, system: 50, childUser: 7, childSystem: 3 })
  })

  test.each(['', 'nonsense', '1 (short) S 1 2'])('%j is not a line of it', (text) => {
    expect(() => parseStat(text)).toThrow('not a line')
  })

  test('resident memory is found wherever it stands, and is nothing for a kernel thread', () => {
    expect(parseResident('Name:\tnode\nVmPeak:\t  900 kB\nVmRSS:\t  51234 kB\nThreads:\t11\n')).toBe(51_234)
    expect(parseResident('Name:\tkthreadd\nThreads:\t1\n')).toBe(0)
  })

  test('waiting and stolen time are not busy, and guest time is not counted twice', () => {
    expect(parseMachineTimes('cpu  100 1 50 800 10 0 4 35 20 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n')).toEqual({ all: 1000, busy: 155, stolen: 35 })
  })

  test('a list of CPUs holds numbers and ranges', () => {
    expect(parseCpuList('0-3,8\n')).toEqual([0, 1, 2, 3, 8])
    expect(parseCpuList('5')).toEqual([5])
  })

  test.runIf(process.platform === 'linux')('the time of a child that has ended counts for its parent', async () => {
    // 300 ms of work are 30 ticks of the usual clock.
    const work = 'const end = process.cpuUsage().user + 3e5; while (process.cpuUsage().user < end);'
    const parent = spawn(process.execPath, [
      '-e',
      `require('node:child_process').execFileSync(process.execPath, ['-e', '${work}']); console.log('done'); process.stdin.resume()`,
    ])
    await once(parent.stdout, 'data')
    expect(cpuTicks(parent.pid ?? 0)).toBeGreaterThanOrEqual(25)
    parent.stdin.end()
    await once(parent, 'exit')
    expect(cpuTicks(parent.pid ?? 0)).toBe(0)
  })
})
