// Runs tests/scenario/scheduler/*.txt; the language is described in its README.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "firmware/scheduler/place.h"

namespace tripod::scheduler {
namespace {

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

/// "a=b:c" -> {"a", "b", "c"}
std::array<std::string, 3> parts_of(const std::string& text) {
  std::size_t equals = text.find('=');
  std::size_t colon = text.find(':', equals);
  return {text.substr(0, equals), text.substr(equals + 1, colon - equals - 1),
          colon == std::string::npos ? "" : text.substr(colon + 1)};
}

class Scenario {
 public:
  /// The answer of a place statement; nothing for others.
  std::optional<std::string> run(const std::vector<std::string>& words) {
    if (words[0] == "node") {
      nodes_[words[1]].read(node_object(words));
    } else if (words[0] == "remove-node") {
      nodes_.erase(words[1]);
    } else if (words[0] == "pod") {
      PodInfo info = PodInfo::parse(pod_object(words));
      if (std::string on = std::exchange(info.node_name, ""); !on.empty()) nodes_[on].place(info);
      pods_[words[1]] = std::move(info);
    } else if (words[0] == "place") {
      Placement placement = place(nodes_, pods_.at(words[1]), 1);
      if (placement.node.empty()) return placement.message();
      nodes_[placement.node].place(pods_.at(words[1]));
      return placement.node;
    } else {
      ADD_FAILURE() << "unknown statement " << words[0];
    }
    return std::nullopt;
  }

 private:
  static json::Value node_object(const std::vector<std::string>& words) {
    json::Value node = json::Object();
    json::set(node, {"metadata", "name"}, json::Value(words[1]));
    for (std::size_t i = 2; i < words.size(); ++i) {
      const std::string& word = words[i];
      if (word == "cordoned") {
        json::set(node, {"spec", "unschedulable"}, true);
      } else if (word.starts_with("label:")) {
        auto [key, value, rest] = parts_of(word.substr(6));
        json::set(node, {"metadata", "labels", key}, json::Value(value));
      } else if (word.starts_with("taint:")) {
        auto [key, value, effect] = parts_of(word.substr(6));
        json::ensure_array(node, {"spec", "taints"})
            .push_back(json::Object{{"key", key}, {"value", value}, {"effect", effect}});
      } else {
        auto [key, value, rest] = parts_of(word);
        json::set(node, {"status", "allocatable", key}, json::Value(value));
      }
    }
    return node;
  }

  static json::Value pod_object(const std::vector<std::string>& words) {
    json::Value pod = json::Object();
    json::set(pod, {"metadata", "name"}, json::Value(words[1]));
    json::set(pod, {"metadata", "uid"}, json::Value(words[1]));
    json::Value container = json::Object();
    for (std::size_t i = 2; i < words.size(); ++i) {
      const std::string& word = words[i];
      auto [key, value, rest] = parts_of(word.substr(word.find(':') + 1));
      if (word == "tolerate-all") {
        json::ensure_array(pod, {"spec", "tolerations"})
            .push_back(json::Object{{"operator", "Exists"}});
      } else if (word.starts_with("tolerate:")) {
        json::ensure_array(pod, {"spec", "tolerations"})
            .push_back(json::Object{{"key", key}, {"value", value}, {"effect", rest}});
      } else if (word.starts_with("selector:")) {
        json::set(pod, {"spec", "nodeSelector", key}, json::Value(value));
      } else if (key == "port") {
        json::ensure_array(container, {"ports"})
            .push_back(json::Object{{"hostPort", std::stoi(value)}});
      } else if (key == "owner") {
        json::ensure_array(pod, {"metadata", "ownerReferences"})
            .push_back(json::Object{{"uid", value}, {"controller", true}});
      } else if (key == "on") {
        json::set(pod, {"spec", "nodeName"}, json::Value(value));
      } else {
        json::set(container, {"resources", "requests", key}, json::Value(value));
      }
    }
    json::ensure_array(pod, {"spec", "containers"}).push_back(std::move(container));
    return pod;
  }

  Nodes nodes_;
  std::map<std::string, PodInfo> pods_;
};

TEST(SchedulerScenario, files) {
  const bool update = std::getenv("TRIPOD_UPDATE") != nullptr;
  int places = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/scenario/scheduler")) {
    if (entry.path().extension() != ".txt") continue;
    std::ifstream in(entry.path());
    std::ostringstream rewritten;
    Scenario scenario;
    std::optional<std::string> answer;
    int number = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      if (line.starts_with("=> ")) {
        ASSERT_TRUE(answer) << entry.path() << ":" << number;
        if (!update) EXPECT_EQ("=> " + *answer, line) << entry.path() << ":" << number;
        rewritten << "=> " << *answer << "\n";
        answer.reset();
        ++places;
        continue;
      }
      rewritten << line << "\n";
      std::vector<std::string> words = words_of(line);
      if (words.empty() || words[0].starts_with("#")) continue;
      EXPECT_FALSE(answer) << "no answer before " << entry.path() << ":" << number;
      answer = scenario.run(words);
    }
    EXPECT_FALSE(answer) << "no answer at the end of " << entry.path();
    if (update) std::ofstream(entry.path()) << rewritten.str();
  }
  EXPECT_GE(places, 20);
}

}  // namespace
}  // namespace tripod::scheduler
