import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findProgram, outputOf } from '../harness/machine.ts'
import type { Child, Peer, Setup } from '../model.ts'

/** One process, one worker; the duties that nginx has of its own are on: buffered JSON log, limit_req, request id. */
export const nginx: Peer = {
  name: 'nginx',
  suites: ['proxy'],
  about: 'one process; JSON access log, limit_req and request id, no JWT (the open-source server has none)',
  features: ['route', 'limit', 'record', 'ids'],
  extra: false,
  install: 'apt-get install nginx-light',
  available: async () => await version(),
  start: async (setup) => await start(setup, true),
}

/** The same with nothing but the proxy. */
export const nginxPlain: Peer = {
  ...nginx,
  name: 'nginx-plain',
  about: 'one process; no log, no limit, no request id',
  features: ['route'],
  extra: true,
  start: async (setup) => await start(setup, false),
}

async function version(): Promise<string | undefined> {
  const path = findProgram('nginx')
  return path === undefined ? undefined : /nginx\/\S+/.exec((await outputOf(path, ['-v'])) ?? '')?.[0]
}

async function start({ folder, port, backendPort, spawn }: Setup, duties: boolean): Promise<Child> {
  await mkdir(join(folder, 'temp'), { recursive: true })
  const file = join(folder, 'nginx.conf')
  await writeFile(file, configuration(folder, port, backendPort, duties))
  return spawn(findProgram('nginx') ?? 'nginx', ['-c', file, '-p', folder, '-e', 'stderr'])
}

function configuration(folder: string, port: number, backendPort: number, duties: boolean): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${join(folder, 'temp', kind)};`)
  const shared = [
    'log_format record escape=json \'{"time":"$time_iso8601","id":"$request_id","client":"$remote_addr","method":"$request_method","path":"$uri",\'',
    '  \'"status":$status,"bytes":$body_bytes_sent,"seconds":$request_time,"upstream":"$upstream_addr","upstream_seconds":"$upstream_response_time"}\';',
    'access_log /dev/null record buffer=64k flush=1s;',
    'limit_req_zone $binary_remote_addr zone=clients:1m rate=1000000r/s;',
  ]
  const perRequest = ['limit_req zone=clients burst=100000 nodelay;', 'proxy_set_header x-request-id $request_id;']
  return `daemon off;
master_process off;
pid ${join(folder, 'nginx.pid')};
error_log stderr crit;
events { worker_connections 1024; }
http {
  ${temporary.join('\n  ')}
  ${(duties ? shared : ['access_log off;']).join('\n  ')}
  keepalive_requests 1000000000;
  upstream backend { server 127.0.0.1:${backendPort}; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location /catalog/ {
      ${(duties ? perRequest : []).join('\n      ')}
      proxy_http_version 1.1;
      proxy_set_header connection "";
      proxy_set_header host $host;
      proxy_set_header authorization "";
      proxy_set_header x-forwarded-for $remote_addr;
      proxy_pass http://backend;
    }
  }
}
`
}
