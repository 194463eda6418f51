#include "firmware/kube/selector.h"

#include <gtest/gtest.h>

namespace tripod::kube {
namespace {

json::Value parsed(std::string_view text) {
  return json::parse(text).value();
}

bool matches(std::string_view selector, std::string_view labels) {
  auto made = LabelSelector::parse(selector);
  EXPECT_TRUE(made.has_value()) << selector << ": " << (made ? "" : made.error().message);
  const json::Value value = parsed(labels);
  return made && made->matches(&value);
}

std::string error_of(std::string_view selector) {
  auto made = LabelSelector::parse(selector);
  return made ? "" : made.error().message;
}

TEST(LabelSelector, matches_as_kubernetes_does) {
  constexpr std::string_view labels = R"({"app":"web","tier":"front","empty":"","n":"5"})";
  for (const char* yes :
       {"", "app", "app=web", "app==web", "app = web", "app!=db", "missing!=x", "!missing",
        "app in (web, db)", "app notin (db)", "missing notin (a)", "empty=", "empty in ()",
        "app=web,tier in (front),!x", "n>4", "n<6", "in!=x", "app in (web,)", "empty=,app"}) {
    EXPECT_TRUE(matches(yes, labels)) << yes;
  }
  for (const char* no : {"missing", "app=db", "app!=web", "!app", "app in (db)", "app notin (web)",
                         "n>5", "app>1", "app=web,tier=back", "missing="}) {
    EXPECT_FALSE(matches(no, labels)) << no;
  }
}

TEST(LabelSelector, words_its_errors) {
  EXPECT_EQ(error_of("a=b c"), "found 'c', expected: ',' or 'end of string'");
  EXPECT_EQ(error_of("a,"), "found '', expected: identifier after ','");
  EXPECT_EQ(error_of("=a"), "found '=', expected: !, identifier, or 'end of string'");
  EXPECT_EQ(error_of("a in b"), "unable to parse requirement: found 'b' expected: '('");
  EXPECT_EQ(error_of("a ( b"),
            "unable to parse requirement: found '(', expected: in, notin, =, ==, !=, gt, lt");
  EXPECT_TRUE(error_of("a/b/c=d").starts_with(
      "unable to parse requirement: key: Invalid value: \"a/b/c\""));
  EXPECT_TRUE(error_of("a=b$").starts_with(
      "unable to parse requirement: values[0][a]: Invalid value: \"b$\": a valid"));
  EXPECT_EQ(
      error_of("a>b"),
      "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, "
      "the value must be an integer");
}

TEST(LabelSelector, reads_selector_objects) {
  const json::Value selector = parsed(
      R"({"matchLabels":{"b":"1","a":"2"},"matchExpressions":[{"key":"c","operator":"In","values":["y","x"]},
          {"key":"d","operator":"DoesNotExist"}]})");
  auto made = LabelSelector::from_object(&selector);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->to_string(), "a=2,b=1,c in (x,y),!d");
  const json::Value labels = parsed(R"({"a":"2","b":"1","c":"x"})");
  EXPECT_TRUE(made->matches(&labels));
  EXPECT_FALSE(made->matches(nullptr));
  EXPECT_FALSE(LabelSelector::from_object(nullptr)->matches(&labels));
  const json::Value empty = json::Object();
  EXPECT_TRUE(LabelSelector::from_object(&empty)->matches(nullptr));
  const json::Value bad = parsed(R"({"matchExpressions":[{"key":"c","operator":"Like"}]})");
  EXPECT_EQ(LabelSelector::from_object(&bad).error().message,
            "\"Like\" is not a valid label selector operator");
}

TEST(LabelSelector, reads_maps) {
  const json::Value map = parsed(R"({"b":"1","a":"2"})");
  EXPECT_EQ(LabelSelector::from_map(&map).to_string(), "a=2,b=1");
  EXPECT_TRUE(LabelSelector::from_map(nullptr).everything());
}

TEST(FieldSelector, matches_paths) {
  const json::Value pod = parsed(R"({"metadata":{"name":"x"},"spec":{"nodeName":"n1","ok":true}})");
  auto matches = [&](std::string_view text) { return FieldSelector::parse(text)->matches(pod); };
  EXPECT_TRUE(matches("metadata.name=x,spec.nodeName!=n2"));
  EXPECT_TRUE(matches("metadata.name==x,,spec.missing="));
  EXPECT_TRUE(matches("spec.ok=true"));
  EXPECT_FALSE(matches("metadata.name!=x"));
  auto selector = FieldSelector::parse("spec.nodeName=,metadata.name=a\\,b");
  EXPECT_EQ(selector->exact("metadata.name"), "a,b");
  EXPECT_EQ(selector->to_string(), "metadata.name=a\\,b,spec.nodeName=");
}

TEST(FieldSelector, words_its_errors) {
  EXPECT_EQ(FieldSelector::parse("abc").error().message,
            "invalid selector: 'abc'; can't understand 'abc'");
  EXPECT_FALSE(FieldSelector::parse("a=b=c").has_value());
  EXPECT_FALSE(FieldSelector::parse("a=b\\x").has_value());
}

}  // namespace
}  // namespace tripod::kube
