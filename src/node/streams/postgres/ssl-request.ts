import type { Socket } from 'node:net'

/** SSLRequest (PostgreSQL message formats): its length, and a version number that no protocol has. */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
const yes = 0x53 // "S"
const no = 0x4e // "N"

/**
 * Asks a PostgreSQL server to speak TLS from here on, which every version can. Nothing but the one byte that allows it may have come when TLS
 * begins: whatever somebody on the way put behind it was never encrypted, and must not be taken for the server's word (CVE-2021-23222).
 * @throws Error when the server does not want to, says anything else, or ends
 */
export function askForTls(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (problem: string | undefined) => {
      socket.off('readable', look).off('end', ended).off('close', ended)
      if (problem === undefined) resolve()
      else reject(new Error(problem))
    }
    const look = () => {
      const answer: Buffer | null = socket.read()
      if (answer !== null) done(problemWith(answer))
    }
    const ended = () => done('ended instead of answering whether it speaks TLS')
    socket.on('readable', look).on('end', ended).on('close', ended)
    socket.write(sslRequest)
  })
}

function problemWith(answer: Buffer): string | undefined {
  if (answer[0] === no) return 'does not speak TLS'
  if (answer[0] !== yes) return 'did not answer whether it speaks TLS'
  return answer.length > 1 ? 'something was said in clear text behind the answer that TLS may begin' : undefined
}
