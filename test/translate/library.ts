/** A service with every shape of HTTP rule, as source text. */
export const libraryProto = `
syntax = "proto3";
package lib.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

service Library {
  rpc Get(Request) returns (Reply) {
    option (google.api.http) = { get: "/v1/{name=shelves/*/books/*}" additional_bindings { get: "/v1/one/{id}" } additional_bindings { get: "/v1/deep/{inner.name}" } };
  }
  rpc Rest(Request) returns (Reply) { option (google.api.http) = { get: "/v1/rest/{name=**}" }; }
  rpc Typed(Request) returns (Reply) {
    option (google.api.http) = {
      get: "/v1/int/{count}"
      additional_bindings { get: "/v1/long/{total}" }
      additional_bindings { get: "/v1/flag/{flag}" }
      additional_bindings { get: "/v1/color/{color}" }
      additional_bindings { get: "/v1/bytes/{data}" }
      additional_bindings { get: "/v1/at/{at}" }
      additional_bindings { get: "/v1/wrapped/{wrapped}" }
      additional_bindings { get: "/v1/ratio/{ratio}" }
      additional_bindings { get: "/v1/left/{left}" }
    };
  }
  rpc Create(Request) returns (Reply) {
    option (google.api.http) = { post: "/v1/books/{id}" body: "*" additional_bindings { post: "/v1/left/{left}" body: "*" } additional_bindings { post: "/v1/wrapped/{wrapped}" body: "*" } };
  }
  rpc Put(Request) returns (Reply) {
    option (google.api.http) = {
      put: "/v1/inner/{inner.name}" body: "inner"
      additional_bindings { put: "/v1/tags" body: "tags" }
      additional_bindings { put: "/v1/count" body: "count" }
      additional_bindings { put: "/v1/labels" body: "labels" }
      additional_bindings { put: "/v1/when" body: "at" }
      additional_bindings { put: "/v1/total" body: "total" }
    };
  }
  rpc Patch(Request) returns (Reply) { option (google.api.http) = { patch: "/v1/inner/{inner.name}" body: "inner" }; }
  rpc Upload(google.api.HttpBody) returns (Reply) { option (google.api.http) = { post: "/v1/upload" body: "*" }; }
  rpc Attach(Attachment) returns (Reply) { option (google.api.http) = { post: "/v1/attach/{id}" body: "file" }; }
  rpc Watch(Request) returns (stream Reply) { option (google.api.http) = { get: "/v1/watch" }; }
  rpc Feed(stream Request) returns (Reply) { option (google.api.http) = { post: "/v1/feed" body: "*" }; }
  rpc Fill(stream Request) returns (stream Reply) {
    option (google.api.http) = {
      post: "/v1/fill/{id}" body: "*"
      additional_bindings { patch: "/v1/fill/{inner.name}" body: "inner" }
      additional_bindings { get: "/v1/fill/{id}" }
    };
  }
  rpc Stash(stream google.api.HttpBody) returns (Reply) { option (google.api.http) = { post: "/v1/stash" body: "*" }; }
  rpc Download(Request) returns (google.api.HttpBody) { option (google.api.http) = { get: "/v1/download" }; }
  rpc Pages(Request) returns (stream google.api.HttpBody) { option (google.api.http) = { get: "/v1/pages" }; }
  rpc Shapes(Request) returns (Reply) {
    option (google.api.http) = {
      get: "/v1/shape/text" response_body: "text"
      additional_bindings { get: "/v1/shape/long" response_body: "big_number" }
      additional_bindings { get: "/v1/shape/list" response_body: "items" }
      additional_bindings { get: "/v1/shape/map" response_body: "labels" }
      additional_bindings { get: "/v1/shape/message" response_body: "inner" }
      additional_bindings { get: "/v1/shape/time" response_body: "at" }
      additional_bindings { get: "/v1/shape/file" response_body: "file" }
    };
  }
}

enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; COLOR_BLUE = 2; }

message Inner {
  string name = 1;
  string display_name = 2;
  Inner deeper = 3;
  repeated string tags = 4;
  google.protobuf.Timestamp at = 5;
  optional int32 size = 6;
}

message Request {
  string name = 1;
  string id = 2;
  Inner inner = 3;
  int32 count = 4;
  int64 total = 5;
  bool flag = 6;
  Color color = 7;
  bytes data = 8;
  google.protobuf.Timestamp at = 9;
  google.protobuf.Int64Value wrapped = 10;
  double ratio = 11;
  repeated string tags = 12;
  repeated Color colors = 13;
  repeated Inner inners = 14;
  map<string, string> labels = 15;
  oneof side { string left = 16; string right = 17; Inner both = 18; }
  google.protobuf.FieldMask update_mask = 19;
  google.protobuf.StringValue note = 20;
  optional string maybe = 21;
  string long_name = 22 [json_name = "otherName"];
  uint32 unsigned = 23;
}

message Attachment { string id = 1; google.api.HttpBody file = 2; string title = 3; }

message Reply {
  string text = 1;
  int64 big_number = 2;
  repeated string items = 3;
  map<string, string> labels = 4;
  Inner inner = 5;
  google.protobuf.Timestamp at = 6;
  google.api.HttpBody file = 7;
}
`
