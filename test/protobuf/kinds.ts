/** A message with a field of every kind, as source text. */
export const kindsProto = `
syntax = "proto3";
package test.v1;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; COLOR_BLUE = 2; }

message Kinds {
  int32 int32_value = 1;
  sint32 sint32_value = 2;
  uint32 uint32_value = 3;
  fixed32 fixed32_value = 4;
  int64 int64_value = 5;
  sfixed64 sfixed64_value = 6;
  uint64 uint64_value = 7;
  float float_value = 8;
  double double_value = 9;
  bool bool_value = 10;
  string string_value = 11;
  bytes bytes_value = 12;
  Color color = 13;
  optional int32 maybe = 14;
  repeated int32 numbers = 15;
  repeated Color colors = 16;
  repeated Kinds children = 17;
  map<string, string> labels = 18;
  map<int32, int64> counts = 19;
  map<bool, Kinds> by_flag = 20;
  oneof choice {
    string text = 21;
    int64 number = 22;
    Kinds nested = 23;
  }
  google.protobuf.Timestamp at = 30;
  google.protobuf.Duration lasting = 31;
  google.protobuf.FieldMask mask = 32;
  google.protobuf.Struct fields = 33;
  google.protobuf.Value anything = 34;
  google.protobuf.ListValue list = 35;
  google.protobuf.Any any = 36;
  google.protobuf.StringValue wrapped_text = 37;
  google.protobuf.Int64Value wrapped_long = 38;
  google.protobuf.BoolValue wrapped_flag = 39;
  string renamed = 40 [json_name = "otherName"];
}
`
