import { absolute, absoluteAttacks, absoluteControls, proxyListener } from './absolute-forms.ts'
import { atHouse, attackGroup } from './attack.ts'
import { together } from './catalogue.ts'
import { clear, clearAttacks, clearControls } from './clear-tunnels.ts'
import { connectAttacks, connectControls, gateAttacks, tunnelControls, tunnelled } from './tunnels.ts'

const absolutes = atHouse(() => ({ ...together(absolute), listeners: proxyListener }))
const tunnels = atHouse(() => ({ ...together(tunnelled, clear), listeners: proxyListener }))

attackGroup('absolute-form', absolutes, absoluteControls, absoluteAttacks)
attackGroup('CONNECT', tunnels, connectControls, connectAttacks)
attackGroup('the ClientHello in a tunnel', tunnels, tunnelControls, gateAttacks)
attackGroup('tunnels in the clear', tunnels, clearControls, clearAttacks)
