/** A service with the four kinds of calls and a message of text, for what is not about types. */
export const plainProtos: Readonly<Record<string, string>> = {
  'plain/v1/plain.proto': `
syntax = "proto3";
package plain.v1;
import "google/api/annotations.proto";

service Plain {
  rpc Get(Note) returns (Note) {
    option (google.api.http) = { get: "/v1/notes/{text}" };
    option idempotency_level = NO_SIDE_EFFECTS;
  }
  rpc Put(Note) returns (Note) { option (google.api.http) = { post: "/v1/notes" body: "*" }; }
  rpc Watch(Note) returns (stream Note) { option (google.api.http) = { get: "/v1/notes:watch" }; }
  rpc Send(stream Note) returns (Note) { option (google.api.http) = { post: "/v1/notes:send" body: "*" }; }
  rpc Chat(stream Note) returns (stream Note) { option (google.api.http) = { post: "/v1/notes:chat" body: "*" }; }
}

message Note { string text = 1; int64 count = 2; repeated string tags = 3; Note inner = 4; }
`,
}
