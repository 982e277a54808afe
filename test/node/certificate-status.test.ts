import { expect, test } from 'vitest'
import { metrics } from '../../src/core/observe/metrics.ts'
import { certificatesOf } from '../../src/node/certificate-status.ts'
import { measureProcess } from '../../src/node/gateway/process-metrics.ts'
import { createMeter } from '../../src/node/meter.ts'
import { keeperOf } from '../../src/node/tls-material.ts'
import { makeCertificates } from '../support/certificates.ts'
import { fakeClock } from '../support/clock.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakeSecrets } from '../support/ports.ts'
import { cluster } from '../support/sendable.ts'

test('certificates of the policies in force are shown with their names, their end, and why new ones are not used', async () => {
  const clock = fakeClock()
  const { ca, issue } = await makeCertificates()
  const own = await issue({ dns: 'gateway.test', uri: ['spiffe://corp/ns/edge/sa/gateway'] })
  const files: Record<string, string> = { 'file:/tls.crt': own.certificate, 'file:/tls.key': own.key, 'file:/ca.pem': ca }
  const secrets = fakeSecrets()
  const read = async (reference: string) => files[reference] ?? Promise.reject(new Error(`${reference} is not there`))
  const ports = { clock, secrets: { ...secrets, read } }
  const references = { ca: 'file:/ca.pem', certificate: 'file:/tls.crt', key: 'file:/tls.key' }
  const tls = { serverName: undefined, spiffe: undefined, ...references }
  const clusters = {
    orders: cluster('orders', { tls }),
    trusting: cluster('trusting', { tls: { ...tls, certificate: undefined, key: undefined } }),
    plain: cluster('plain'),
  }
  const egress = { address: { host: '127.0.0.1', port: 8081 } }
  const policyOf = (more: Partial<typeof clusters>) =>
    emptyPolicy({ listeners: { public: undefined, egress, admin: undefined }, clusters: { ...clusters, ...more } })
  const shown = (more: Partial<typeof clusters> = {}) => certificatesOf(ports.secrets, policyOf(more))

  const keeper = keeperOf(references, 'cluster orders', ports)
  expect(shown()).toEqual([])
  await keeper.now()
  await keeperOf({ ...references, certificate: undefined, key: undefined }, 'cluster trusting', ports).now()
  await keeperOf(references, 'cluster gone', ports).now()
  await keeperOf(references, 'cluster plain', ports).now()
  await keeperOf(references, 'egress gone', ports).now()
  await keeperOf(references, 'listener gone', ports).now()
  await expect(keeperOf({ ...references, key: 'file:/lost.key' }, 'listener egress', ports).now()).rejects.toThrow('is not there')
  expect(shown()).toEqual([
    {
      use: 'cluster orders',
      subject: 'CN=gateway.test',
      spiffe: 'spiffe://corp/ns/edge/sa/gateway',
      beginsAt: expect.any(Number),
      endsAt: expect.any(Number),
      ageMs: 0,
      problem: undefined,
    },
    { use: 'listener egress', subject: undefined, spiffe: undefined, beginsAt: undefined, endsAt: undefined, ageMs: 0, problem: 'file:/lost.key is not there' },
  ])

  expect(shown({ orders: cluster('orders', { tls: { ...tls, certificate: 'file:/other.crt' } }) }).map(({ use }) => use)).toEqual(['listener egress'])

  clock.advance(5_000)
  expect(shown()[0]?.ageMs).toBe(5_000)
  delete files['file:/tls.key']
  await keeper.now()
  expect(shown()[0]).toMatchObject({ subject: 'CN=gateway.test', ageMs: 0, problem: 'file:/tls.key is not there' })
})

test('the metrics say when the certificates in use end, and forget those of a cluster that is gone', () => {
  const meter = createMeter(metrics)
  const own = (use: string, endsAt: number | undefined) => ({ use, endsAt, subject: undefined, spiffe: undefined, beginsAt: 0, ageMs: 0, problem: undefined })
  const ends = (...certificates: ReturnType<typeof own>[]) => {
    measureProcess(meter, { startedAt: 0, inFlight: 0, keySets: [], sources: [], certificates }, { dropped: 0 })
    return meter.text().match(/^sallyport_certificate_end_timestamp_seconds\{.*$/gm)
  }
  const of = (use: string, seconds: number) => `sallyport_certificate_end_timestamp_seconds{use="${use}"} ${seconds}`
  expect(ends(own('cluster orders', 5_999), own('cluster gone', 7_000), own('listener public', undefined))).toEqual([
    of('cluster orders', 5),
    of('cluster gone', 7),
  ])
  expect(ends(own('cluster orders', 9_000))).toEqual([of('cluster orders', 9)])
})
