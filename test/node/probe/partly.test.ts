import { expect, test } from 'vitest'
import type { Names } from '../../../src/core/ports.ts'
import { createChannels } from '../../../src/node/channels.ts'
import { createClock } from '../../../src/node/clock.ts'
import { probePolicy } from '../../../src/node/probe/probe.ts'
import { emptyPolicy } from '../../support/policy.ts'
import { fakeDiscover, fakePorts, fakeResolve, fakeSecrets } from '../../support/ports.ts'
import { cluster, foundBy } from '../../support/sendable.ts'
import { httpServer } from '../../support/sockets.ts'

test('an SRV target without addresses is named, once, and the others are tried', async () => {
  const server = await httpServer((_request, response) => response.end())
  const names: Names = {
    async addresses(host) {
      if (host === 'b.mesh') throw new Error('DNS answers SERVFAIL')
      return { addresses: ['127.0.0.1'], ttlMs: undefined }
    },
    services: async () => ({ services: ['a.mesh', 'b.mesh'].map((host) => ({ priority: 1, weight: 1, host, port: server.port })), ttlMs: undefined }),
  }
  const clock = createClock()
  const dial = { clock, resolve: fakeResolve(), secrets: fakeSecrets() }
  const clusters = {
    c: cluster('c', { endpoints: foundBy({ kind: 'srv', name: '_http._tcp.c.mesh' }), subsets: { v2: { authority: 'v2.test', endpoints: undefined } } }),
  }
  const { probes, diagnostics } = await probePolicy(
    emptyPolicy({ clusters }),
    { 'clusters.c.endpoints.srv': { kind: 'file', file: 'c.yaml', line: 3, column: 5, value: '' } },
    { ...dial, discover: fakeDiscover({ clock, names }), channels: createChannels(dial), fetch: fakePorts().fetch },
  )
  const target = 'srv _http._tcp.c.mesh'
  expect(probes.map((one) => [one.target, one.subset, one.outcome, one.text])).toEqual([
    [target, undefined, 'trouble', 'no addresses of b.mesh: DNS answers SERVFAIL'],
    [`127.0.0.1:${server.port}`, undefined, 'ok', 'speaks http'],
    [`127.0.0.1:${server.port}`, 'v2', 'ok', 'speaks http'],
  ])
  expect(diagnostics).toMatchObject([
    { severity: 'warning', code: 'endpoint_unresolved', file: 'c.yaml', line: 3, message: `${target}: no addresses of b.mesh: DNS answers SERVFAIL.` },
  ])
})
