import * as z from 'zod'
import { type Arguments, type OptionHelp, UsageError } from './command.ts'

/** The option of every command that asks a running gateway. */
export const adminOption: OptionHelp = { name: 'admin', value: 'URL', text: 'its admin listener, such as http://127.0.0.1:9901' }

/** Where most policies put it. */
const usualAdmin = 'http://127.0.0.1:9901'
const patienceMs = 30_000

/** What a gateway answered. `body` is its JSON, or undefined where it is none. */
export interface AdminAnswer {
  readonly status: number
  readonly body: unknown
}

/** @throws UsageError for what is no URL. */
export function adminOf(args: Arguments): URL {
  const said = args.values['admin'] ?? usualAdmin
  const url = URL.parse(said)
  if (url === null || !/^https?:$/.test(url.protocol)) throw new UsageError(`${said} is not the URL of an admin listener`)
  return url
}

/** Asks the admin listener. @throws Error when it cannot be reached. */
export async function askAdmin(admin: URL, path: string, init: RequestInit = {}): Promise<AdminAnswer> {
  const answer = await fetch(new URL(path, admin), { ...init, redirect: 'error', signal: AbortSignal.timeout(patienceMs) }).catch((error: unknown) => {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
    throw new Error(`no answer from ${admin.origin}: ${cause}`)
  })
  return { status: answer.status, body: await answer.json().catch(() => undefined) }
}

const row = z.object({
  service: z.string(),
  environment: z.string(),
  mode: z.string(),
  target: z.string().optional(),
  secret: z.string().optional(),
  // A gateway of an older version does not say.
  callers: z.array(z.object({ name: z.string(), by: z.array(z.enum(['listener', 'spiffe', 'token'])) })).optional(),
  switched: z.object({ by: z.string(), reason: z.string(), at: z.string(), endsAt: z.string().optional() }).optional(),
})

const listing = z.object({ revision: z.string(), environment: z.string(), environmentClass: z.string(), services: z.array(row) })

/** What a running gateway has in force for egress. @throws Error when it cannot be asked, or answers something else. */
export async function egressInForce(admin: URL): Promise<z.output<typeof listing>> {
  const { status, body } = await askAdmin(admin, '/egress')
  const read = listing.safeParse(body)
  if (status !== 200 || !read.success) throw new Error(`${admin.origin} answered ${status}, and nothing about egress: is it the admin listener of a gateway?`)
  return read.data
}
