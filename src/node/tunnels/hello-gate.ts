import type { Socket } from 'node:net'
import { HelloReader, helloProblem } from '../../core/client-hello.ts'
import type { TunnelPlace } from '../../core/egress/tunnel.ts'
import type { Clock } from '../../core/ports.ts'

/** How the wait for a ClientHello ended: it fits, it or what came in its place does not, a request in the clear came, it was not there in time, a side is gone. */
export type HelloEnd =
  | { readonly kind: 'fits' }
  | { readonly kind: 'refused'; readonly problem: string }
  | { readonly kind: 'clear' }
  | { readonly kind: 'late' }
  | { readonly kind: 'left' }
  | { readonly kind: 'lost' }

/** Reads a client up to the end of its ClientHello, and puts all of it back: nothing has gone to the target by then. */
export function awaitHello(near: Socket, far: Socket, { target, clientHelloMs }: TunnelPlace, clock: Clock): Promise<HelloEnd> {
  return new Promise((resolve) => {
    const reader = new HelloReader()
    const seen: Buffer[] = []
    const timer = clock.after(clientHelloMs, () => done({ kind: 'late' }))
    const left = () => done({ kind: 'left' })
    const lost = () => done({ kind: 'lost' })
    function done(end: HelloEnd): void {
      timer.cancel()
      near.off('readable', look)
      near.off('end', left)
      near.off('close', left)
      far.off('close', lost)
      resolve(end)
    }
    const giveBack = () => near.unshift(Buffer.concat(seen))
    function look(): void {
      for (;;) {
        const chunk = near.read() as Buffer | null // no encoding is set
        if (chunk === null) return
        seen.push(chunk)
        if (seen.length === 1 && target.port !== 443 && isLetter(chunk[0])) {
          giveBack()
          return done({ kind: 'clear' })
        }
        const reading = reader.take(chunk)
        if (reading.kind === 'more') continue
        const problem = reading.kind === 'refused' ? reading.problem : helloProblem(reading.serverName, target.host)
        if (problem !== undefined) return done({ kind: 'refused', problem })
        giveBack()
        return done({ kind: 'fits' })
      }
    }
    near.on('readable', look)
    near.once('end', left)
    near.once('close', left)
    far.once('close', lost)
    // It may have ended while the target was dialled: its end is not told twice.
    if (near.destroyed || near.readableEnded) left()
    if (far.destroyed) lost()
  })
}

/** The first of a method, and of nothing that speaks TLS. */
function isLetter(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x5a
}
