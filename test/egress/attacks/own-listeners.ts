import { type Case, denied, passes } from './attack.ts'
import { openCatalogue } from './catalogue.ts'
import type { Part } from './house.ts'

/** The gateway's own listeners as targets: calls would go round in circles, or reach the admin listener, which has no login. */
export const looping = openCatalogue('loop')

/** Loopback has room for listeners of a test's own, on a port on which the world speaks HTTP. */
const at = { public: '127.9.9.1', admin: '127.9.9.2', service: '127.9.9.3', stream: '127.9.9.4' } as const
const port = 8080

export const ownListeners: Part = { public: { address: `${at.public}:${port}` }, admin: { address: `${at.admin}:${port}` } }

const open: Part = { allowAddresses: ['127.0.0.0/8', '::1', 'fd00::/8'] }
looping.add({ listen: `${at.service}:${port}`, environments: { dev: { mode: 'deny', reason: 'its listener is what counts' } } })
looping.add({ kind: 'tcp', listen: `${at.stream}:${port}`, environments: { dev: { mode: 'deny', reason: 'its listener is what counts' } } })

const leading = (zone: readonly string[], of = port) => {
  const host = `loop-${of}-${zone.join('-')}.vendor.example`.replaceAll(':', 'x')
  looping.zone(host, zone)
  return looping.at(`http://${host}:${of}`, open)
}
const own = (name: string, to: string): Case => denied(name, to, { why: 'one of our own listeners' })

export const ownListenerControls: readonly Case[] = [
  passes('another address of loopback, listed', looping.at(`http://127.9.9.9:${port}`, open), `127.9.9.9:${port}`),
  passes('the address of a listener on another port, listed', looping.at(`http://${at.public}`, open), `${at.public}:80`),
]

export const ownListenerAttacks: readonly Case[] = [
  ...Object.entries(at).map(([what, address]) => own(`the ${what} listener by address`, looping.at(`http://${address}:${port}`, open))),
  ...Object.entries(at).map(([what, address]) => own(`the ${what} listener by a name`, leading([address]))),
  own('the admin listener among other addresses', leading(['127.9.9.9', at.admin])),
  {
    name: 'the admin listener for tokens',
    to: looping.at('http://127.9.9.9', {
      ...open,
      inject: undefined,
      oauth2: { tokenUrl: `http://${at.admin}:${port}/token`, clientId: 'us', clientSecret: 'env:VENDOR_KEY' },
    }),
    ends: '503 credential_unavailable',
  },
]
