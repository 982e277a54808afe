import type { LoadPlan, LoadResult } from './plan.ts'

/**
 * The script that makes wrk send the requests of a plan and print its result as one line of JSON. Lua reads the escapes that
 * JSON.stringify writes for ASCII text. @throws RangeError for a request with anything else in it.
 */
export function wrkScript({ request, tokens }: LoadPlan): string {
  const script = [
    `local tokens = {${tokens.map((token) => JSON.stringify(token)).join(',')}}`,
    'local requests, n = {}, 0',
    'function init(args)',
    `  local method, path = ${JSON.stringify(request.method)}, ${JSON.stringify(request.path)}`,
    `  local body = ${request.body === '' ? 'nil' : JSON.stringify(request.body)}`,
    ...Object.entries(request.headers).map(([name, value]) => `  wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`),
    '  for i, token in ipairs(tokens) do',
    '    wrk.headers["authorization"] = "Bearer " .. token',
    '    requests[i] = wrk.format(method, path, nil, body)',
    '  end',
    'end',
    'function request()',
    '  n = n % #requests + 1',
    '  return requests[n]',
    'end',
    'function done(summary, latency)',
    '  local e = summary.errors',
    '  io.write(string.format(\'\\n{"requests":%d,"micros":%d,"errors":%d,"p50":%d,"p99":%d}\\n\', summary.requests, summary.duration,',
    '    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))',
    'end',
    '',
  ].join('\n')
  if (/[^\n\x20-\x7e]/.test(script)) throw new RangeError('wrk is given ASCII only')
  return script
}

/** Threads are one per load CPU at most; one feeds any peer on one CPU. */
export function wrkArguments({ port, connections, seconds }: LoadPlan, script: string): readonly string[] {
  return ['-t1', `-c${connections}`, `-d${Math.max(1, Math.round(seconds))}s`, '--timeout', '5s', '-s', script, `http://127.0.0.1:${port}`]
}

/** Reads the line that the script printed. @throws Error when there is none. */
export function parseWrk(output: string): LoadResult {
  const line = /^\{"requests".*\}$/m.exec(output)?.[0]
  if (line === undefined) throw new Error(`wrk gave no result: ${output.trim().slice(-200)}`)
  const { requests, micros, errors, p50, p99 } = JSON.parse(line) as Readonly<Record<'requests' | 'micros' | 'errors' | 'p50' | 'p99', number>>
  return { requests, seconds: micros / 1e6, errors, p50Ms: p50 / 1000, p99Ms: p99 / 1000 }
}
