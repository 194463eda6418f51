#include "platform/json/json.h"

#include <gtest/gtest.h>

namespace tripod::json {
namespace {

Value must_parse(std::string_view text) {
  auto value = parse(text);
  EXPECT_TRUE(value.has_value()) << text << ": " << (value ? "" : value.error().to_string());
  return value ? *value : Value();
}

TEST(Json, keeps_key_order_and_numbers) {
  constexpr std::string_view text =
      R"({"z":1,"a":-5,"m":18446744073709551615,"s":"a\"\\\n\u0001ü","e":{},"l":[]})";
  EXPECT_EQ(serialize(must_parse(text)), text);
}

TEST(Json, prints_floating_numbers_as_go_does) {
  EXPECT_EQ(serialize(must_parse("[1.0,0.5,1e21,1e20,1e-7,0.000001,-2.50]")),
            "[1,0.5,1e+21,100000000000000000000,1e-7,0.000001,-2.5]");
}

TEST(Json, refuses_with_offset) {
  auto value = parse(R"({"a":})");
  ASSERT_FALSE(value.has_value());
  EXPECT_NE(value.error().message.find("offset 5"), std::string::npos) << value.error().message;
  EXPECT_FALSE(parse("{} x").has_value());
  EXPECT_TRUE(parse("{} \n").has_value());
  EXPECT_FALSE(parse("").has_value());
  EXPECT_FALSE(parse("\"\xff\"").has_value());
}

TEST(Json, refuses_numbers_that_are_none) {
  for (const char* text : {"1e999", "[-1e400]", R"({"a":{"b":[1,2e309]}})"}) {
    const auto refused = parse(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().message, "invalid JSON: a number is out of the range of float64");
  }
  EXPECT_EQ(serialize(*parse("[1e308,-1e308,1e-400]")), "[1e+308,-1e+308,0]");
}

TEST(Json, bounds_depth_and_size) {
  EXPECT_TRUE(parse(std::string(60, '[') + std::string(60, ']')).has_value());
  EXPECT_FALSE(parse(std::string(70, '[') + std::string(70, ']')).has_value());
  auto large = parse("[1,2,3]", {.bytes_max = 3});
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().code, ErrorCode::too_large);
}

TEST(Json, finds_duplicates_with_path) {
  auto found = find_duplicates(R"({"a":[{"b":1},{"b":{"x":"}\"","x":2}}],"a":3,"c":"a"})");
  EXPECT_EQ(found, (std::vector<std::string>{"a[1].b.x", "a"}));
  EXPECT_TRUE(find_duplicates(R"( {"a" : {"a" : [ ] } , "b":null} )").empty());
}

TEST(Json, reads_paths_without_ceremony) {
  const Value pod =
      must_parse(R"({"metadata":{"name":"x","generation":3.0},"spec":{"ok":true,"l":[1]}})");
  EXPECT_EQ(get_string(pod, "metadata", "name"), "x");
  EXPECT_EQ(get_string(pod, "metadata", "name", "deeper"), "");
  EXPECT_EQ(get_int(pod, "metadata", "generation"), 3);
  EXPECT_FALSE(get_int(pod, "metadata", "name").has_value());
  EXPECT_TRUE(get_bool(pod, "spec", "ok"));
  EXPECT_EQ(get_array(pod, "spec", "l")->size(), 1u);
  EXPECT_EQ(find(pod, "spec", "none"), nullptr);
}

TEST(Json, writes_paths) {
  Value value;
  set(value, {"a", "b"}, 1);
  ensure_object(value, "a", "c")["d"] = "x";
  ensure_array(value, {"a", "l"}).push_back(2);
  EXPECT_EQ(serialize(value), R"({"a":{"b":1,"c":{"d":"x"},"l":[2]}})");
  EXPECT_TRUE(erase(value, {"a", "b"}));
  EXPECT_FALSE(erase(value, {"a", "b"}));
  EXPECT_EQ(serialize(value), R"({"a":{"c":{"d":"x"},"l":[2]}})");
}

TEST(Json, compares) {
  EXPECT_TRUE(equal(must_parse(R"({"a":1,"b":[1.0]})"), must_parse(R"({"b":[1],"a":1.0})")));
  EXPECT_FALSE(equal(must_parse(R"({"a":1})"), must_parse(R"({"a":1,"b":null})")));
  const Value left = must_parse(R"({"a":1,"b":{},"c":[]})");
  const Value right = must_parse(R"({"a":1,"d":null})");
  EXPECT_TRUE(equal_semantic(&left, &right));
  EXPECT_TRUE(equal_semantic(nullptr, nullptr));
  EXPECT_FALSE(equal_semantic(&left, nullptr));
}

TEST(Json, merges) {
  Value into = must_parse(R"({"a":{"x":1},"l":[1]})");
  merge_missing(into, must_parse(R"({"a":{"x":2,"y":3},"l":[9],"n":4})"));
  EXPECT_EQ(serialize(into), R"({"a":{"x":1,"y":3},"l":[1],"n":4})");
  merge_over(into, must_parse(R"({"a":{"x":2},"l":[9]})"));
  EXPECT_EQ(serialize(into), R"({"a":{"x":2,"y":3},"l":[9],"n":4})");
}

TEST(Json, follows_pointers) {
  const Value value = must_parse(R"({"a/b":[{"m~n":7}],"":1})");
  EXPECT_EQ(as_int(*find_pointer(value, "/a~1b/0/m~0n")), 7);
  EXPECT_EQ(as_int(*find_pointer(value, "/")), 1);
  EXPECT_EQ(find_pointer(value, ""), &value);
  EXPECT_EQ(find_pointer(value, "/a~1b/1"), nullptr);
  EXPECT_FALSE(parse_pointer("a").has_value());
  EXPECT_EQ(escape_pointer("a/b~c"), "a~1b~0c");
}

}  // namespace
}  // namespace tripod::json
