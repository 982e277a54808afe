import { badAddresses, goodAddresses } from './address-kinds.ts'
import { atHouse, attackGroup, denied, passes } from './attack.ts'
import { guarded, type Part } from './house.ts'
import type { Zone } from './world.ts'

const home = '93.184.216.34'
const dialling = (address: string) => (address.includes(':') ? `[${address}]:443` : `${address}:443`)

/** One service for each zone: `named` leads wherever its name does. */
const zones: Record<string, Zone> = {}
const services: Record<string, Part> = {}
let made = 0
function serviceFor(zone: Zone, more: Part = {}): string {
  made += 1
  const name = `s${made}`
  zones[`${name}.vendor.example`] = zone
  services[name] = { environments: { dev: guarded(`https://${name}.vendor.example`, more) } }
  return name
}

const alone = {
  controls: goodAddresses.map(([what, address]) => passes(what, serviceFor([address]), dialling(address))),
  attacks: badAddresses.map(([what, address, kind]) => denied(`${what}: ${address}`, serviceFor([address]), { why: kind })),
}

const spread = ['127.0.0.1', '10.0.0.7', '169.254.169.254', '::1', '::ffff:127.0.0.1', '64:ff9b::7f00:1', '168.63.129.16', '0.0.0.0', '2130706433']
const among = {
  controls: [
    passes('two public addresses: the first is dialled', serviceFor([home, '93.184.216.35']), `${home}:443`),
    passes('both families', serviceFor(['2606:4700:4700::1111', home]), '[2606:4700:4700::1111]:443'),
  ],
  attacks: [
    ...spread.map((bad) => denied(`${bad} behind a public address`, serviceFor([home, bad]))),
    ...spread.map((bad) => denied(`${bad} before a public address`, serviceFor([bad, home]))),
    denied('one of twenty', serviceFor([...Array.from({ length: 19 }, (_, i) => `93.184.216.${i + 1}`), '10.0.0.7']), { why: '10.0.0.7' }),
    denied('every family of nowhere', serviceFor(['::', '0.0.0.0'])),
  ],
}

attackGroup('a name that leads to one address', atHouse({ services, zones }), alone.controls, alone.attacks)
attackGroup('a name with a bad address among good ones', atHouse({ services, zones }), among.controls, among.attacks)
