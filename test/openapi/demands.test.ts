import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bindBytes } from '../../src/core/ingress/translate/bind.ts'
import { planBinding } from '../../src/core/ingress/translate/plan.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { buildOpenapi } from '../../src/core/openapi.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { buildRouteCodecs, parseJson } from '../../src/core/protobuf.ts'
import { schemaProblems } from '../support/json-schema.ts'
import { demandingPolicy, demandPlan } from './random-demands.ts'
import { companionsOf, type Operation, operationsIn, type Parameter, problemsOf, queryOf } from './validate.ts'

interface Tried {
  readonly what: string
  /** What the translator says against the request; undefined when it takes it. */
  readonly problem: string | undefined
}

/** Binds the examples of an operation as the gateway does: those that are required, and each other parameter with what it needs. */
function attempts(policy: Policy, operation: Operation): { readonly bare: Tried; readonly more: readonly Tried[] } {
  const [rpcName, number] = [operation['x-sallyport-rpc'], operation['x-rule']]
  const route = policy.routes[0]
  const types = buildRouteCodecs(policy).get('r')
  const rpc = route?.match.grpc?.rpcs.find((one) => `${one.service}/${one.method}` === rpcName)
  const binding = rpc?.bindings[Number(number)]
  if (route === undefined || types === undefined || rpc === undefined || binding === undefined) throw new Error(`no rule for ${operation.operationId}`)
  const plan = planBinding(types.registry, rpc, binding)
  const parameters = operation.parameters ?? []
  const content = operation.requestBody?.content['application/json']
  const json = content === undefined ? undefined : parseJson(new TextEncoder().encode(JSON.stringify(content.example)))
  const params = Object.fromEntries(parameters.filter((one) => one.in === 'path').map(({ name, example }) => [name, String(example)]))
  const attempt = (extra: readonly Parameter[], what: string): Tried => {
    const query = queryOf([...parameters.filter((one) => one.in === 'query' && one.required === true), ...extra])
    try {
      bindBytes(plan, { params, query, body: json === undefined ? { kind: 'none' } : { kind: 'json', json } }, types.codec, route.translate)
      return { what, problem: undefined }
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      return { what, problem: `${error.message} (?${query}, ${JSON.stringify(content?.example)})` }
    }
  }
  const optional = parameters.filter((one) => one.in === 'query' && one.required !== true)
  return { bare: attempt([], 'the example'), more: optional.map((one) => attempt([one, ...companionsOf(one, parameters)], `with ${one.name}`)) }
}

/** Policies; `DEMANDS_RUNS=1000 npx vitest run test/openapi/demands.test.ts` for the long run. */
const runs = Number(process.env['DEMANDS_RUNS'] ?? 80)

describe('documents of messages that require others', () => {
  it('promise nothing but what the translator takes, and take back what it never takes', { timeout: 120_000 }, () => {
    const seen = { fine: 0, impossible: 0, optional: 0, together: 0 }
    fc.assert(
      fc.property(demandPlan, (plan) => {
        const policy = demandingPolicy(plan)
        const { document, impossible } = buildOpenapi(policy)
        const lost = new Set(impossible.map(({ operation }) => operation))
        for (const { method, path, operation } of operationsIn(document)) {
          const rules = policy.routes[0]?.match.grpc?.rpcs.find((one) => `${one.service}/${one.method}` === operation['x-sallyport-rpc'])?.bindings ?? []
          const rule = rules.findIndex((one) => one.method === method && one.template === path)
          const { bare, more } = attempts(policy, { ...operation, 'x-rule': rule })
          const isLost = lost.has(`${method} ${path}`)
          expect(bare.problem === undefined, `${method} ${path}: ${bare.problem ?? `fine, against ${operation.description}`}`).toBe(!isLost)
          expect(operation.description?.includes('No request to it succeeds.') ?? false).toBe(isLost)
          seen[isLost ? 'impossible' : 'fine']++
          if (isLost) continue
          for (const { what, problem } of more) expect(problem, `${method} ${path} ${what}`).toBeUndefined()
          const content = operation.requestBody?.content['application/json']
          const misfits = content === undefined ? [] : schemaProblems(document, content.schema, content.example)
          expect(misfits, `${method} ${path}`).toEqual([])
          seen.optional += more.length
          seen.together += (operation.parameters ?? []).filter((one) => companionsOf(one, operation.parameters ?? []).length > 0).length
        }
      }),
      { numRuns: runs },
    )
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(0)
  })

  it('are OpenAPI 3.1', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(demandPlan, async (plan) => {
        expect(await problemsOf(buildOpenapi(demandingPolicy(plan)).document)).toEqual([])
      }),
      { numRuns: Math.ceil(runs / 10) },
    )
  })
})
