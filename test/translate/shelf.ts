/** A service of resources with entity tags, maps and empty answers, as source text. */
export const shelfProto = `
syntax = "proto3";
package shelf.v1;
import "google/api/annotations.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

service Shelf {
  rpc Get(GetRequest) returns (Book) { option (google.api.http) = { get: "/v1/books/{id}" }; }
  rpc Find(GetRequest) returns (Found) { option (google.api.http) = { get: "/v1/find/{id}" response_body: "book" }; }
  rpc Update(UpdateRequest) returns (Book) { option (google.api.http) = { patch: "/v1/books/{book.id}" body: "book" }; }
  rpc Replace(Book) returns (Book) { option (google.api.http) = { put: "/v1/books/{id}" body: "*" }; }
  rpc Delete(DeleteRequest) returns (google.protobuf.Empty) { option (google.api.http) = { delete: "/v1/books/{id}" }; }
  rpc Count(GetRequest) returns (Found) { option (google.api.http) = { post: "/v1/books/{id}:count" body: "*" }; }
  rpc List(ListRequest) returns (Found) { option (google.api.http) = { get: "/v1/books" }; }
  rpc Watch(GetRequest) returns (stream Book) { option (google.api.http) = { get: "/v1/watch/{id}" }; }
  rpc Clear(GetRequest) returns (Found) { option (google.api.http) = { post: "/v1/clear/{id}" response_body: "nothing" }; }
}

enum Kind { KIND_UNSPECIFIED = 0; KIND_PAPER = 1; }
message Book { string id = 1; string title = 2; string etag = 3; repeated string tags = 4; }
message Found {
  Book book = 1;
  int32 total = 2;
  google.protobuf.Empty nothing = 3;
}
message GetRequest { string id = 1; }
message UpdateRequest { Book book = 1; google.protobuf.FieldMask update_mask = 2; }
message DeleteRequest { string id = 1; string etag = 2; }
message Nested { map<string, string> labels = 1; }
message ListRequest {
  map<string, string> labels = 1;
  map<int32, Kind> kinds = 2;
  map<bool, int64> flags = 3;
  map<string, google.protobuf.Timestamp> times = 4;
  map<string, Book> books = 5;
  Nested nested = 6;
  string name = 7;
}
`
