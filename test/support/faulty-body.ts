/** What an endpoint of `faulty-server.ts` answers when nothing is wrong. */
export const faultyBody = `${'x'.repeat(2_000)} whole`
