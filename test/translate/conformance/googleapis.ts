/** Annotated services as public APIs have them: written for these tests, and for nothing else in the repository. */
export const googleapis: Readonly<Record<string, string>> = {
  'example/bookstore/v1/bookstore.proto': `
syntax = "proto3";
package example.bookstore.v1;
import "google/api/annotations.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

service LibraryService {
  rpc CreateShelf(CreateShelfRequest) returns (Shelf) { option (google.api.http) = { post: "/v1/shelves" body: "shelf" }; }
  rpc GetShelf(GetShelfRequest) returns (Shelf) { option (google.api.http) = { get: "/v1/{name=shelves/*}" }; }
  rpc ListShelves(ListShelvesRequest) returns (ListShelvesResponse) { option (google.api.http) = { get: "/v1/shelves" additional_bindings { get: "/v1/shelves:flat" response_body: "shelves" } }; }
  rpc DeleteShelf(DeleteShelfRequest) returns (google.protobuf.Empty) { option (google.api.http) = { delete: "/v1/{name=shelves/*}" }; }
  rpc MergeShelves(MergeShelvesRequest) returns (Shelf) { option (google.api.http) = { post: "/v1/{name=shelves/*}:merge" body: "*" }; }
  rpc CreateBook(CreateBookRequest) returns (Book) { option (google.api.http) = { post: "/v1/{parent=shelves/*}/books" body: "book" }; }
  rpc GetBook(GetBookRequest) returns (Book) { option (google.api.http) = { get: "/v1/{name=shelves/*/books/*}" }; }
  rpc ListBooks(ListBooksRequest) returns (ListBooksResponse) { option (google.api.http) = { get: "/v1/{parent=shelves/*}/books" }; }
  rpc UpdateBook(UpdateBookRequest) returns (Book) { option (google.api.http) = { patch: "/v1/{book.name=shelves/*/books/*}" body: "book" additional_bindings { put: "/v1/{book.name=shelves/*/books/*}" body: "book" } }; }
  rpc MoveBook(MoveBookRequest) returns (Book) { option (google.api.http) = { post: "/v1/{name=shelves/*/books/*}:move" body: "*" }; }
}
message Shelf { string name = 1; string theme = 2; int64 volume_count = 3; google.protobuf.Timestamp create_time = 4; map<string, string> labels = 5; }
message Book {
  enum Format { FORMAT_UNSPECIFIED = 0; PAPER = 1; AUDIO = 2; }
  string name = 1;
  string display_name = 2;
  repeated string authors = 3;
  bool read = 4;
  Format format = 5;
  optional int32 page_count = 6;
  google.protobuf.DoubleValue rating = 7;
  repeated Chapter chapters = 8;
  oneof cover { bytes image = 9; string color = 10; Artist artist = 11; }
  uint64 isbn = 12 [json_name = "isbnNumber"];
}
message Chapter { string title = 1; repeated int32 pages = 2; float weight = 3; }
message Artist { string given_name = 1; Chapter favourite = 2; }
message CreateShelfRequest { Shelf shelf = 1; string shelf_id = 2; bool validate_only = 3; }
message GetShelfRequest { string name = 1; google.protobuf.FieldMask read_mask = 2; }
message ListShelvesRequest { int32 page_size = 1; string page_token = 2; repeated string order_by = 3; }
message ListShelvesResponse { repeated Shelf shelves = 1; string next_page_token = 2; }
message DeleteShelfRequest { string name = 1; bool force = 2; string etag = 3; }
message MergeShelvesRequest { string name = 1; string other_shelf = 2; map<int32, Chapter> by_number = 3; }
message CreateBookRequest { string parent = 1; Book book = 2; string request_id = 3; }
message GetBookRequest { string name = 1; }
message ListBooksRequest { string parent = 1; int32 page_size = 2; string page_token = 3; Filter filter = 4; repeated Book.Format formats = 5; }
message Filter { string author_name = 1; google.protobuf.Timestamp published_after = 2; Range pages = 3; }
message Range { optional int32 min = 1; google.protobuf.Int32Value max = 2; }
message ListBooksResponse { repeated Book books = 1; string next_page_token = 2; }
message UpdateBookRequest { Book book = 1; google.protobuf.FieldMask update_mask = 2; bool allow_missing = 3; }
message MoveBookRequest { string name = 1; string other_shelf = 2; }
`,
  'example/pubsub/v1/pubsub.proto': `
syntax = "proto3";
package example.pubsub.v1;
import "google/api/annotations.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/timestamp.proto";

service Publisher {
  rpc CreateTopic(Topic) returns (Topic) { option (google.api.http) = { put: "/pubsub/v1/{name=projects/*/topics/*}" body: "*" }; }
  rpc Publish(PublishRequest) returns (PublishResponse) { option (google.api.http) = { post: "/pubsub/v1/{topic=projects/*/topics/*}:publish" body: "*" }; }
  rpc ListTopicSnapshots(ListTopicSnapshotsRequest) returns (ListTopicSnapshotsResponse) { option (google.api.http) = { get: "/pubsub/v1/{topic=projects/*/topics/*}/snapshots" }; }
}
service Subscriber {
  rpc Acknowledge(AcknowledgeRequest) returns (google.protobuf.Empty) { option (google.api.http) = { post: "/pubsub/v1/{subscription=projects/*/subscriptions/*}:acknowledge" body: "*" }; }
  rpc StreamingPull(stream StreamingPullRequest) returns (stream PubsubMessage) {}
}
message Topic { string name = 1; map<string, string> labels = 2; google.protobuf.Duration message_retention_duration = 3; SchemaSettings schema_settings = 4; }
message SchemaSettings { enum Encoding { ENCODING_UNSPECIFIED = 0; JSON = 1; BINARY = 2; } string schema = 1; Encoding encoding = 2; }
message PubsubMessage { bytes data = 1; map<string, string> attributes = 2; string message_id = 3; google.protobuf.Timestamp publish_time = 4; string ordering_key = 5; }
message PublishRequest { string topic = 1; repeated PubsubMessage messages = 2; }
message PublishResponse { repeated string message_ids = 1; }
message ListTopicSnapshotsRequest { string topic = 1; int32 page_size = 2; string page_token = 3; }
message ListTopicSnapshotsResponse { repeated string snapshots = 1; string next_page_token = 2; }
message AcknowledgeRequest { string subscription = 1; repeated string ack_ids = 2; }
message StreamingPullRequest { string subscription = 1; repeated string ack_ids = 2; repeated int32 modify_deadline_seconds = 3; int64 max_outstanding_bytes = 4; }
`,
  'example/storage/v2/storage.proto': `
syntax = "proto3";
package example.storage.v2;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";

service Storage {
  rpc Download(DownloadRequest) returns (google.api.HttpBody) { option (google.api.http) = { get: "/storage/v2/b/{bucket}/o/{object=**}" }; }
  rpc Tail(DownloadRequest) returns (stream google.api.HttpBody) { option (google.api.http) = { get: "/storage/v2/b/{bucket}/tail/{object=**}" }; }
  rpc Upload(UploadRequest) returns (Object) { option (google.api.http) = { post: "/upload/storage/v2/b/{bucket}/o/{object.name}" body: "content" additional_bindings { put: "/upload/storage/v2/b/{bucket}/o/{object.name}" body: "content" } }; }
  rpc UploadRaw(google.api.HttpBody) returns (Object) { option (google.api.http) = { post: "/upload/storage/v2/raw" body: "*" }; }
  rpc UploadStream(stream google.api.HttpBody) returns (Object) { option (google.api.http) = { post: "/upload/storage/v2/stream" body: "*" }; }
  rpc Compose(ComposeRequest) returns (ComposeResponse) { option (google.api.http) = { post: "/storage/v2/b/{destination.bucket}/o/{destination.name}:compose" body: "*" response_body: "report" }; }
  rpc Restore(DownloadRequest) returns (Object) { option (google.api.http) = { post: "/storage/v2/b/{bucket}/g/{generation}:restore" body: "*" }; }
}
message DownloadRequest { string bucket = 1; string object = 2; int64 generation = 3; Range range = 4; }
message Range { uint64 offset = 1; optional uint64 limit = 2; }
message Object { string bucket = 1; string name = 2; uint64 size = 3; fixed32 crc32c = 4; bytes md5_hash = 5; sfixed64 generation = 6; }
message UploadRequest { string bucket = 1; Object object = 2; google.api.HttpBody content = 3; bool predefined_acl = 4; }
message ComposeRequest { Object destination = 1; repeated Source source_objects = 2; message Source { string name = 1; sint64 generation = 2; } }
message ComposeResponse { Object object = 1; google.api.HttpBody report = 2; }
`,
  'example/longrunning/operations.proto': `
syntax = "proto3";
package example.longrunning;
import "google/api/annotations.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/rpc/status.proto";

service Operations {
  rpc ListOperations(ListOperationsRequest) returns (ListOperationsResponse) { option (google.api.http) = { get: "/lro/{name=operations}" additional_bindings { get: "/lro/{name=operations}:recent" } }; }
  rpc GetOperation(GetOperationRequest) returns (Operation) { option (google.api.http) = { get: "/lro/{name=operations/**}" }; }
  rpc DeleteOperation(GetOperationRequest) returns (google.protobuf.Empty) { option (google.api.http) = { delete: "/lro/{name=operations/**}" }; }
  rpc CancelOperation(GetOperationRequest) returns (google.protobuf.Empty) { option (google.api.http) = { post: "/lro/{name=operations/**}:cancel" body: "*" }; }
  rpc WaitOperation(WaitOperationRequest) returns (Operation) {}
}
message Operation { string name = 1; google.protobuf.Any metadata = 2; bool done = 3; oneof result { google.rpc.Status error = 4; google.protobuf.Any response = 5; } }
message ListOperationsRequest { string name = 1; string filter = 2; int32 page_size = 3; }
message ListOperationsResponse { repeated Operation operations = 1; string next_page_token = 2; }
message GetOperationRequest { string name = 1; }
message WaitOperationRequest { string name = 1; google.protobuf.Duration timeout = 2; }
`,
  'example/logging/v2/logging.proto': `
syntax = "proto3";
package example.logging.v2;
import "google/api/annotations.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";

service LoggingServiceV2 {
  rpc DeleteLog(DeleteLogRequest) returns (google.protobuf.Empty) {
    option (google.api.http) = {
      delete: "/logging/v2/{log_name=projects/*/logs/*}"
      additional_bindings { delete: "/logging/v2/{log_name=*/*/logs/*}" }
      additional_bindings { delete: "/logging/v2/{log_name=organizations/*/logs/*}" }
      additional_bindings { delete: "/logging/v2/{log_name=folders/*/logs/*}" }
      additional_bindings { delete: "/logging/v2/{log_name=billingAccounts/*/logs/*}" }
    };
  }
  rpc WriteLogEntries(WriteLogEntriesRequest) returns (WriteLogEntriesResponse) { option (google.api.http) = { post: "/logging/v2/entries:write" body: "*" }; }
  rpc ListLogs(ListLogsRequest) returns (ListLogsResponse) {
    option (google.api.http) = {
      get: "/logging/v2/{parent=*/*}/logs"
      additional_bindings { get: "/logging/v2/{parent=projects/*}/logs" }
      additional_bindings { get: "/logging/v2/{parent=organizations/*}/logs" }
      additional_bindings { get: "/logging/v2/{parent=projects/*/locations/*/buckets/*/views/*}/logs" }
    };
  }
  rpc TailLogEntries(stream ListLogsRequest) returns (stream LogEntry) { option (google.api.http) = { post: "/logging/v2/entries:tail" body: "*" }; }
}
message LogEntry {
  string log_name = 1;
  oneof payload { string text_payload = 2; google.protobuf.Struct json_payload = 3; }
  google.protobuf.Timestamp timestamp = 4;
  LogSeverity severity = 5;
  HttpRequest http_request = 6;
  google.protobuf.Value extra = 7;
  google.protobuf.ListValue more = 8;
}
enum LogSeverity { DEFAULT = 0; DEBUG = 100; INFO = 200; ERROR = 500; }
message HttpRequest { string request_method = 1; int32 status = 2; int64 response_size = 3; double latency = 4; }
message DeleteLogRequest { string log_name = 1; }
message WriteLogEntriesRequest { string log_name = 1; map<string, string> labels = 2; repeated LogEntry entries = 3; bool partial_success = 4; map<bool, LogSeverity> severities = 5; }
message WriteLogEntriesResponse {}
message ListLogsRequest { string parent = 1; int32 page_size = 2; string page_token = 3; repeated string resource_names = 4; repeated LogSeverity severities = 5; }
message ListLogsResponse { repeated string log_names = 1; }
`,
  'example/spanner/v1/spanner.proto': `
syntax = "proto3";
package example.spanner.v1;
import "google/api/annotations.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/duration.proto";

service Spanner {
  rpc StreamingRead(ReadRequest) returns (stream PartialResultSet) { option (google.api.http) = { post: "/spanner/v1/{session=projects/*/instances/*/databases/*/sessions/*}:streamingRead" body: "*" }; }
  rpc ReadRows(ReadRowsRequest) returns (stream Row) {
    option (google.api.http) = {
      post: "/bigtable/v2/{table_name=projects/*/instances/*/tables/*}:readRows" body: "*"
      additional_bindings { get: "/bigtable/v2/{table_name=projects/*/instances/*/tables/*}/rows" }
      additional_bindings { get: "/bigtable/v2/{table_name=projects/*/instances/*/tables/*}/keys" response_body: "key" }
    };
  }
  rpc Ingest(stream Row) returns (PartialResultSet) { option (google.api.http) = { post: "/bigtable/v2/rows:ingest" body: "*" }; }
}
message ReadRequest { string session = 1; string table = 2; repeated string columns = 3; KeySet key_set = 4; int64 limit = 5; TransactionSelector transaction = 6; }
message KeySet { repeated google.protobuf.ListValue keys = 1; bool all = 2; }
message TransactionSelector { oneof selector { Options single_use = 1; bytes id = 2; Options begin = 3; } message Options { google.protobuf.Duration max_staleness = 1; bool return_read_timestamp = 2; } }
message PartialResultSet { repeated google.protobuf.Value values = 1; bool chunked_value = 2; bytes resume_token = 3; map<uint64, double> stats = 4; }
message ReadRowsRequest { string table_name = 1; string app_profile_id = 2; int64 rows_limit = 3; RowFilter filter = 4; bool reversed = 5; repeated bytes row_keys = 6; }
message RowFilter { oneof filter { string cell_regex = 1; int32 cells_per_row = 2; RowFilter inner = 3; } }
message Row { bytes key = 1; repeated Cell cells = 2; }
message Cell { sint64 timestamp_micros = 1; bytes value = 2; repeated string labels = 3; }
`,
  'example/iam/v1/iam_policy.proto': `
syntax = "proto3";
package example.iam.v1;
import "google/api/annotations.proto";
import "google/protobuf/field_mask.proto";

service IAMPolicy {
  rpc SetIamPolicy(SetIamPolicyRequest) returns (Policy) { option (google.api.http) = { post: "/iam/v1/{resource=**}:setIamPolicy" body: "*" }; }
  rpc GetIamPolicy(GetIamPolicyRequest) returns (Policy) { option (google.api.http) = { get: "/iam/v1/{resource=**}:getIamPolicy" additional_bindings { post: "/iam/v1/{resource=**}:getIamPolicy" body: "*" } }; }
  rpc TestIamPermissions(TestIamPermissionsRequest) returns (TestIamPermissionsResponse) { option (google.api.http) = { post: "/iam/v1/{resource=**}:testIamPermissions" body: "*" additional_bindings { custom { kind: "QUERY" path: "/iam/v1/{resource=**}:testIamPermissions" } body: "permissions" } }; }
}
message SetIamPolicyRequest { string resource = 1; Policy policy = 2; google.protobuf.FieldMask update_mask = 3; }
message GetIamPolicyRequest { string resource = 1; GetPolicyOptions options = 2; }
message GetPolicyOptions { int32 requested_policy_version = 1; }
message TestIamPermissionsRequest { string resource = 1; repeated string permissions = 2; }
message TestIamPermissionsResponse { repeated string permissions = 1; }
message Policy { int32 version = 1; repeated Binding bindings = 4; bytes etag = 3; }
message Binding { string role = 1; repeated string members = 2; Expr condition = 3; }
message Expr { string expression = 1; string title = 2; }
`,
  'example/ads/googleads/v17/services/nested/campaign_service.proto': `
syntax = "proto3";
package example.ads.googleads.v17.services.nested;
import "google/api/annotations.proto";
import "example/ads/googleads/v17/resources/campaign.proto";

service CampaignService {
  rpc MutateCampaigns(MutateCampaignsRequest) returns (MutateCampaignsResponse) { option (google.api.http) = { post: "/v17/customers/{customer_id=*}/campaigns:mutate" body: "*" }; }
  rpc GetCampaign(GetCampaignRequest) returns (example.ads.googleads.v17.resources.Campaign) { option (google.api.http) = { get: "/v17/customers/{key.customer}/campaigns/{key.number}/on/{key.day}/{enabled}/{status}" }; }
}
message MutateCampaignsRequest { string customer_id = 1; repeated Operation operations = 2; message Operation { oneof operation { example.ads.googleads.v17.resources.Campaign create = 1; string remove = 2; } } }
message MutateCampaignsResponse { repeated example.ads.googleads.v17.resources.Campaign results = 1; }
message GetCampaignRequest { example.ads.googleads.v17.resources.Key key = 1; bool enabled = 2; example.ads.googleads.v17.resources.Campaign.Status status = 3; }
`,
  'example/ads/googleads/v17/resources/campaign.proto': `
syntax = "proto3";
package example.ads.googleads.v17.resources;
import "google/protobuf/timestamp.proto";
message Campaign { enum Status { UNSPECIFIED = 0; ENABLED = 2; PAUSED = 3; } string resource_name = 1; Status status = 2; Key key = 3; map<string, Key> keys = 4; repeated Campaign children = 5; }
message Key { string customer = 1; uint32 number = 2; google.protobuf.Timestamp day = 3; }
`,
  'example/legacy/v1/legacy.proto': `
syntax = "proto2";
package example.legacy.v1;
import "google/api/annotations.proto";

service LegacyService {
  rpc Lookup(LookupRequest) returns (LookupResponse) { option (google.api.http) = { get: "/legacy/v1/{corpus}/{options.level}" additional_bindings { post: "/legacy/v1/{corpus}" body: "*" } additional_bindings { put: "/legacy/v1/{corpus}/hit" body: "hit" } }; }
}
message LookupRequest {
  required string corpus = 1;
  optional Options options = 2;
  optional group Hit = 3 { optional string title = 4; repeated group Part = 5 { required int32 start = 6; } }
  repeated int32 offsets = 7 [packed = true];
  optional int32 limit = 8 [default = 10];
  optional bool fuzzy = 9 [default = true];
  extensions 100 to 199;
}
message Options { required Level level = 1; optional bytes cookie = 2; }
enum Level { LOW = 1; HIGH = 2; }
message LookupResponse { repeated LookupRequest hits = 1; optional Level level = 2 [default = HIGH]; optional double score = 3; }
extend LookupRequest { optional string tracing = 100; repeated Options more_options = 101; }
`,
  'example/modern/v1/modern.proto': `
edition = "2023";
package example.modern.v1;
import "google/api/annotations.proto";

service ModernService {
  rpc Resolve(ResolveRequest) returns (ResolveResponse) { option (google.api.http) = { get: "/modern/v1/{target.host}/{target.port}" additional_bindings { patch: "/modern/v1/{target.host}" body: "target" } additional_bindings { post: "/modern/v1:resolve" body: "*" response_body: "target" } }; }
}
message ResolveRequest { Target target = 1 [features.message_encoding = DELIMITED]; repeated int32 hops = 2 [features.repeated_field_encoding = EXPANDED]; int32 depth = 3 [features.field_presence = IMPLICIT]; State state = 4; string owner = 5; }
message Target { string host = 1; uint32 port = 2; repeated Target via = 3 [features.message_encoding = DELIMITED]; map<string, Target> named = 4; }
enum State { option features.enum_type = CLOSED; STATE_NONE = 0; STATE_UP = 1; }
message ResolveResponse { Target target = 1; State state = 2; int32 depth = 3 [features.field_presence = IMPLICIT]; }
`,
}
