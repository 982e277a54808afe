/** What every descriptor set of these services starts from: google/api/field_behavior.proto. */
const fieldBehavior = `
syntax = "proto3";
package google.api;
import "google/protobuf/descriptor.proto";
extend google.protobuf.FieldOptions { repeated google.api.FieldBehavior field_behavior = 1052 [packed = false]; }
enum FieldBehavior { FIELD_BEHAVIOR_UNSPECIFIED = 0; OPTIONAL = 1; REQUIRED = 2; OUTPUT_ONLY = 3; INPUT_ONLY = 4; IMMUTABLE = 5; }
`

const museum = `
syntax = "proto3";
package museum.v1;
import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

// Keeps the exhibits.
//
// (-- For reviewers alone. --)
service Museum {
  // Finds one exhibit. Halls and shelves are part of its name.
  rpc GetExhibit(GetExhibitRequest) returns (Exhibit) {
    option (google.api.http) = {
      get: "/v1/{name=halls/*/exhibits/*}"
      additional_bindings { get: "/v1/exhibits/{id}" }
      additional_bindings { get: "/v1/{name=basement/*}:peek" }
    };
  }
  rpc ListExhibits(ListExhibitsRequest) returns (ListExhibitsResponse) { option (google.api.http) = { get: "/v1/exhibits" response_body: "exhibits" }; }
  rpc CountExhibits(ListExhibitsRequest) returns (ListExhibitsResponse) {
    option deprecated = true;
    option (google.api.http) = { get: "/v1/exhibits:count" response_body: "total" };
  }
  rpc CreateExhibit(CreateExhibitRequest) returns (Exhibit) {
    option (google.api.http) = { post: "/v1/halls/{hall}/exhibits" body: "exhibit" additional_bindings { post: "/v1/halls/{hall}:stock" body: "*" } };
  }
  rpc UpdateExhibit(UpdateExhibitRequest) returns (Exhibit) { option (google.api.http) = { patch: "/v1/exhibits/{exhibit.id}" body: "exhibit" }; }
  rpc TagExhibit(TagExhibitRequest) returns (google.protobuf.Empty) {
    option (google.api.http) = {
      put: "/v1/exhibits/{id}/tags" body: "tags"
      additional_bindings { put: "/v1/exhibits/{id}/labels" body: "labels" }
      additional_bindings { put: "/v1/exhibits/{id}/weight" body: "weight" }
    };
  }
  rpc ReadFile(FileRequest) returns (google.api.HttpBody) { option (google.api.http) = { get: "/v1/files/{path=**}" }; }
  rpc WriteFile(FileUpload) returns (google.protobuf.Empty) { option (google.api.http) = { put: "/v1/uploads/{folder}" body: "file" }; }
  rpc Visit(VisitRequest) returns (stream Exhibit) { option (google.api.http) = { get: "/v1/visit/{day}/{kind}/{amount}" }; }
  rpc Restock(stream Exhibit) returns (google.protobuf.Empty);
  rpc Talk(stream Note) returns (stream Note) { option (google.api.http) = { post: "/v1/talk/{room}" body: "*" }; }
  rpc Anything(Everything) returns (Everything) {
    option (google.api.http) = { post: "/v1/everything" body: "*" additional_bindings { get: "/v1/everything" } additional_bindings { custom { kind: "*" path: "/v1/whatever" } } };
  }
  rpc Lock(GetExhibitRequest) returns (google.protobuf.Empty) { option (google.api.http) = { custom { kind: "LOCK" path: "/v1/exhibits/{id}" } }; }
}

// How much of it is left.
enum Condition { CONDITION_UNSPECIFIED = 0; CONDITION_WHOLE = 1; CONDITION_SHARDS = 2; }

// Something to look at.
message Exhibit {
  // Unique in the museum.
  string id = 1 [(google.api.field_behavior) = REQUIRED];
  string display_name = 2;
  Condition condition = 3;
  repeated Exhibit parts = 4;
  google.protobuf.Timestamp acquired_at = 5 [(google.api.field_behavior) = OUTPUT_ONLY];
  oneof origin { string donor = 6; Purchase purchase = 7; Condition found = 8; }
  map<string, Note> notes = 9;
  string key = 10 [(google.api.field_behavior) = INPUT_ONLY];
  string old_name = 11 [deprecated = true];
}
message Purchase { int64 price = 1; string currency = 2; }
message Note { string room = 1; string text = 2; }
message GetExhibitRequest { string name = 1; string id = 2; Condition at_least = 3; }
message Range { int64 from = 1; uint32 to = 2; Range inner = 3; }
message ListExhibitsRequest {
  string hall = 1 [(google.api.field_behavior) = REQUIRED];
  // From when on.
  google.protobuf.Timestamp since = 2;
  google.protobuf.Duration for = 3;
  repeated Condition conditions = 4;
  repeated int64 ids = 5;
  Range price = 6;
  oneof order { string order_by = 7; bool newest = 8; Range by_range = 9; }
  google.protobuf.Int32Value limit = 10;
  google.protobuf.FieldMask read_mask = 11;
  bytes token = 12;
  double ratio = 13;
  repeated Note not_in_a_query = 14;
  map<string, string> nor_this = 15;
  google.protobuf.Struct nor_that = 16;
}
message ListExhibitsResponse { repeated Exhibit exhibits = 1; uint64 total = 2; }
message CreateExhibitRequest {
  string hall = 1 [(google.api.field_behavior) = REQUIRED];
  Exhibit exhibit = 2 [(google.api.field_behavior) = REQUIRED];
  string request_id = 3;
}
message UpdateExhibitRequest { Exhibit exhibit = 1; google.protobuf.FieldMask update_mask = 2; }
message TagExhibitRequest { string id = 1; repeated string tags = 2; map<int64, bool> labels = 3; int64 weight = 4; oneof by { string hand = 5; string machine = 6; } }
message FileRequest { string path = 1; google.protobuf.BoolValue inline = 2; }
message FileUpload { string folder = 1; google.api.HttpBody file = 2; }
message VisitRequest { google.protobuf.Timestamp day = 1; Condition kind = 2; int64 amount = 3; }
message Everything {
  double a_double = 1; float a_float = 2; int32 an_int32 = 3; int64 an_int64 = 4; uint32 a_uint32 = 5; uint64 a_uint64 = 6;
  sint32 a_sint32 = 7; sint64 a_sint64 = 8; fixed32 a_fixed32 = 9; fixed64 a_fixed64 = 10; sfixed32 an_sfixed32 = 11; sfixed64 an_sfixed64 = 12;
  bool a_bool = 13; string a_string = 14; bytes some_bytes = 15; Condition an_enum = 16;
  map<string, int64> by_text = 17; map<int32, Note> by_number = 18; map<bool, Condition> by_truth = 19;
  google.protobuf.Timestamp at = 20; google.protobuf.Duration lasts = 21; google.protobuf.FieldMask mask = 22;
  google.protobuf.Struct object = 23; google.protobuf.Value value = 24; google.protobuf.ListValue list = 25; google.protobuf.Any any = 26; google.protobuf.Empty nothing = 27;
  google.protobuf.NullValue null = 28;
  google.protobuf.DoubleValue w_double = 29; google.protobuf.FloatValue w_float = 30; google.protobuf.Int64Value w_int64 = 31; google.protobuf.UInt64Value w_uint64 = 32;
  google.protobuf.Int32Value w_int32 = 33; google.protobuf.UInt32Value w_uint32 = 34; google.protobuf.BoolValue w_bool = 35; google.protobuf.StringValue w_string = 36;
  google.protobuf.BytesValue w_bytes = 37; google.api.HttpBody http_body = 38; optional string maybe = 39; repeated bytes many_bytes = 40; string odd = 41 [json_name = "o.d"];
}
`

const old = `
syntax = "proto2";
package old.v1;
import "google/api/annotations.proto";
service Archive {
  rpc Find(Query) returns (Answer) { option (google.api.http) = { get: "/old/{shelf}" additional_bindings { post: "/old" body: "*" } }; }
}
enum Kind { PAPER = 3; STONE = 4; }
message Query { required string shelf = 1; required Kind kind = 2; optional group Limits = 3 { optional int32 most = 1; } required Place place = 4; }
message Place { required int32 row = 1; optional string note = 2 [default = "none"]; }
message Answer { optional string text = 1; }
`

const claims = `
syntax = "proto2";
package claims.v1;
import "google/api/annotations.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
service Claims {
  rpc Deep(Claim) returns (Claim) {
    option (google.api.http) = {
      get: "/x/{self.self.self.name}"
      additional_bindings { post: "/y/{self.self.name}" body: "*" }
      additional_bindings { patch: "/z/{self.name}" body: "self" }
      additional_bindings { get: "/x/{self.name}/by/{place.row}" }
    };
  }
  rpc Watch(Claim) returns (stream Claim) { option (google.api.http) = { get: "/watch/{place.row}" }; }
  rpc Send(stream Claim) returns (Claim) { option (google.api.http) = { post: "/send" body: "*" }; }
  rpc Never(Endless) returns (Claim) { option (google.api.http) = { get: "/never/{name}" additional_bindings { post: "/never/{name}" body: "*" } }; }
  rpc Free(Loose) returns (Claim) { option (google.api.http) = { get: "/free/{name}" additional_bindings { post: "/free/{name}" body: "any" } }; }
}
message Claim {
  optional string name = 1;
  required int64 number = 2;
  required Place place = 3;
  optional Claim self = 4;
  optional Bag bag = 5;
  repeated Place others = 6;
}
message Place { required int32 row = 1; required google.protobuf.Timestamp since = 2; optional string note = 3; }
message Bag { required string owner = 1; optional string label = 2; }
message Endless { optional string name = 1; required Endless more = 2; }
message Loose { optional string name = 1; required google.protobuf.Struct any = 2; }
`

/** Services with every shape of rule and type that OpenAPI and HttpRule see differently. */
export const museumFiles: Readonly<Record<string, string>> = {
  'google/api/field_behavior.proto': fieldBehavior,
  'museum.proto': museum,
  'old.proto': old,
  'claims.proto': claims,
}
