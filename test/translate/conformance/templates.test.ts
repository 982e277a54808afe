import { conform } from './house.ts'

const protos = {
  'conformance/templates/v1/templates.proto': `
syntax = "proto3";
package conformance.templates.v1;
import "google/api/annotations.proto";

service Templates {
  rpc One(Named) returns (Named) { option (google.api.http) = { get: "/v1/one/{name}" }; }
}

message Named { string name = 1; }
`,
}

conform('templates', { protos }, [
  {
    name: 'a variable of one segment takes the segment',
    source: 'http.proto, "Path template syntax": Variable',
    send: { path: '/v1/one/a' },
    reply: { messages: [{ name: 'b' }] },
    reaches: { rpc: 'One', message: { name: 'a' } },
    answer: { status: 200, headers: { 'content-type': 'application/json' }, json: { name: 'b' } },
  },
  {
    name: 'an unknown path reaches nothing',
    source: 'http.proto, "Path template syntax"',
    send: { path: '/v1/two/a' },
    answer: { status: 404 },
  },
])
