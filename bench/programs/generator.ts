import { readFileSync } from 'node:fs'
import { generate } from '../load/generate.ts'
import type { LoadPlan } from '../load/plan.ts'

/* The bundled load generator as a process of its own: the first argument is a file with the plan, the result is printed as JSON. */

process.stdout.write(JSON.stringify(await generate(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as LoadPlan)))
