import type { Reply } from '../model/call.ts'
import { admit } from './protect/admission.ts'
import type { SendPorts, Shipment } from './shipment.ts'
import { runTries } from './tries.ts'

/**
 * Sends a shipment, again where the policy wants it and it is safe, and hands back the first answer that stands.
 * @throws Fault `overloaded` or `circuit_open` where the upstream is protected, `deadline_exhausted` without dialling when too little time is left, or
 * what the last try met
 */
export async function send(job: Shipment, ports: SendPorts): Promise<Reply> {
  const admitted = await admit(job, ports)
  let parts = 1
  // The request counts until nothing of it is under way: neither a try whose answer still flows, nor the loop that may start one.
  const leave = () => {
    parts -= 1
    if (parts === 0) admitted.over()
  }
  const enter = () => {
    parts += 1
    return leave
  }
  try {
    return await runTries(job, ports, enter)
  } finally {
    admitted.answered()
    leave()
  }
}
