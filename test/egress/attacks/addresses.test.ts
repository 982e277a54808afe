import { badAddresses, goodAddresses } from './address-kinds.ts'
import { spelledAttacks, spelledControls, spellings } from './address-spellings.ts'
import { atHouse, attackGroup, denied, passes } from './attack.ts'
import { openCatalogue, together } from './catalogue.ts'

const home = '93.184.216.34'
const dialling = (address: string) => (address.includes(':') ? `[${address}]:443` : `${address}:443`)
const made = openCatalogue('name')
const house = atHouse(() => together(made, spellings))

attackGroup(
  'a name that leads to one address',
  house,
  goodAddresses.map(([what, address]) => passes(what, made.leading([address]), dialling(address))),
  badAddresses.map(([what, address, kind]) => denied(`${what}: ${address}`, made.leading([address]), { why: kind })),
)

const spread = ['127.0.0.1', '10.0.0.7', '169.254.169.254', '::1', '::ffff:127.0.0.1', '64:ff9b::7f00:1', '168.63.129.16', '0.0.0.0', '2130706433']

attackGroup(
  'a name with a bad address among good ones',
  house,
  [
    passes('two public addresses: the first is dialled', made.leading([home, '93.184.216.35']), `${home}:443`),
    passes('both families', made.leading(['2606:4700:4700::1111', home]), '[2606:4700:4700::1111]:443'),
  ],
  [
    ...spread.map((bad) => denied(`${bad} behind a public address`, made.leading([home, bad]))),
    ...spread.map((bad) => denied(`${bad} before a public address`, made.leading([bad, home]))),
    denied('one of twenty', made.leading([...Array.from({ length: 19 }, (_, i) => `93.184.216.${i + 1}`), '10.0.0.7']), { why: '10.0.0.7' }),
    denied('the unspecified address of both families', made.leading(['::', '0.0.0.0'])),
  ],
)

attackGroup('an address that is written in the policies', house, spelledControls, spelledAttacks)
