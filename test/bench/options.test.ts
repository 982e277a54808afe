import { describe, expect, test } from 'vitest'
import { secondsThatFit } from '../../bench/harness/time.ts'
import { chosenPeers, readOptions } from '../../bench/options.ts'
import { peers } from '../../bench/peers.ts'
import { suites } from '../../bench/suites.ts'

const read = (...words: readonly string[]) => {
  const options = readOptions(words, peers)
  if (options === 'help') throw new Error('help')
  return options
}

describe('the command line of the bench', () => {
  test('without a word: two suites, five rounds, as long as there is time for, the peers that are not extra', () => {
    const options = read()
    expect(options).toMatchObject({ suites: ['proxy', 'transcode'], rounds: 5, seconds: undefined, connections: 64, load: 'auto', json: undefined })
    expect(chosenPeers(options, 'proxy', peers).map((peer) => peer.name)).toEqual(['sallyport', 'sallyport-jwt', 'nginx', 'node+undici'])
    expect(chosenPeers(options, 'transcode', peers).map((peer) => peer.name)).toEqual(['sallyport', 'grpc-js'])
  })

  test('--full is every suite and every peer', () => {
    const options = read('--full')
    expect(options.suites).toEqual(Object.keys(suites))
    expect(new Set(options.suites.flatMap((suite) => chosenPeers(options, suite, peers)))).toEqual(new Set(peers))
  })

  test('a peer that is named runs, even an extra one, and no other', () => {
    const options = read('--peers', 'nginx-plain,grpc-js')
    expect(options.suites.flatMap((suite) => chosenPeers(options, suite, peers).map((peer) => peer.name))).toEqual(['nginx-plain', 'grpc-js'])
  })

  test.each([
    [['--suite', 'nosuch'], 'no suite "nosuch"'],
    [['--suite', 'toString'], 'no suite "toString"'],
    [['--peers', 'apache'], 'no peer "apache"'],
    [['--rounds', '0'], '--rounds'],
    [['--seconds', '1.5'], '--seconds'],
    [['--connections', 'x'], '--connections'],
    [['--load', 'ab'], '--load'],
    [['--sweet', 'proxy'], '--sweet'],
    [['stray'], 'stray'],
  ])('%j is refused', (words, why) => {
    expect(() => readOptions(words, peers)).toThrow(why)
  })

  test('every suite has its reference among its peers, and names are unique in a suite', () => {
    for (const suite of Object.values(suites)) {
      const names = peers.filter((peer) => peer.suites.includes(suite.name)).map((peer) => peer.name)
      expect(names).toContain(suite.reference)
      expect(new Set(names).size).toBe(names.length)
    }
  })

  test('two seconds where they fit, one where the run would take longer than two minutes', () => {
    expect(secondsThatFit({ elapsed: 6, peers: 6, rounds: 5, fixedSeconds: 2 })).toBe(2)
    expect(secondsThatFit({ elapsed: 40, peers: 6, rounds: 5, fixedSeconds: 2 })).toBe(1)
    expect(secondsThatFit({ elapsed: 6, peers: 6, rounds: 9, fixedSeconds: 2 })).toBe(1)
  })
})
