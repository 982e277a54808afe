import { atHouse, attackGroup } from './attack.ts'
import { together } from './catalogue.ts'
import { workload } from './house.ts'
import { looping, ownListenerAttacks, ownListenerControls, ownListeners } from './own-listeners.ts'
import { carried, fixedStreams, streamAttacks, streamCallers, streamControls } from './streams.ts'

const house = atHouse(() => {
  const { services, zones } = together(carried, looping)
  return {
    zones,
    services: { ...services, ...fixedStreams },
    callers: { [workload]: { listener: 'egress' }, ...streamCallers },
    listeners: ownListeners,
  }
})

attackGroup('TCP', house, streamControls, streamAttacks)
attackGroup('our own listeners', house, ownListenerControls, ownListenerAttacks)
