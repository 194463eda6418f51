#include "tests/scenario/runner.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <format>
#include <fstream>
#include <sstream>

namespace tripod::scenario {
namespace {

Words words_of(const std::string& line) {
  std::istringstream stream(line);
  Words words;
  for (std::string word; stream >> word;) words.push_back(std::move(word));
  return words;
}

bool is_output(const std::string& line) {
  return line.starts_with("  ");
}
bool is_command(const std::string& line) {
  return !line.empty() && !is_output(line) && !line.starts_with('#');
}

Lines read_lines(const std::string& path) {
  std::ifstream file(path);
  Lines lines;
  for (std::string line; std::getline(file, line);) lines.push_back(std::move(line));
  return lines;
}

/// The file as it should be: the same commands, with what they print now.
Result<Lines> replay(const Lines& lines, Story& story) {
  Lines result;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (is_output(lines[i])) continue;
    result.push_back(lines[i]);
    if (!is_command(lines[i])) continue;
    Lines printed;
    if (auto played = story.play(words_of(lines[i]), printed); !played) {
      return fail(ErrorCode::invalid, std::format("line {}: {}", i + 1, played.error().message));
    }
    for (const std::string& line : printed) result.push_back("  " + line);
  }
  return result;
}

void print_difference(const Lines& wanted, const Lines& found) {
  auto [left, right] = std::ranges::mismatch(wanted, found);
  auto line = left - wanted.begin();
  for (auto at = std::max<std::ptrdiff_t>(0, line - 5); at < line; ++at) {
    std::printf("      %s\n", wanted[static_cast<std::size_t>(at)].c_str());
  }
  std::printf("    - %s\n", left == wanted.end() ? "(end)" : left->c_str());
  for (int i = 0; i < 6 && right != found.end(); ++i, ++right)
    std::printf("    + %s\n", right->c_str());
}

bool play_file(const std::string& path, Story& story, bool update) {
  Lines wanted = read_lines(path);
  if (wanted.empty()) {
    std::printf("FAIL %s: empty or not there\n", path.c_str());
    return false;
  }
  auto found = replay(wanted, story);
  if (!found) {
    std::printf("FAIL %s: %s\n", path.c_str(), found.error().message.c_str());
    return false;
  }
  if (*found == wanted) {
    std::printf("ok   %s\n", path.c_str());
    return true;
  }
  if (update) {
    std::ofstream file(path, std::ios::trunc);
    for (const std::string& line : *found) file << line << '\n';
    std::printf("new  %s\n", path.c_str());
    return true;
  }
  std::printf("FAIL %s\n", path.c_str());
  print_difference(wanted, *found);
  return false;
}

}  // namespace

int play_all(int argc, char** argv, const std::string& folder,
             const std::function<std::unique_ptr<Story>()>& make) {
  bool update = false;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--update") {
      update = true;
    } else {
      paths.push_back(std::move(argument));
    }
  }
  if (paths.empty()) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".txt" && entry.path().stem() != "CMakeLists")
        paths.push_back(entry.path().string());
    }
    std::ranges::sort(paths);
  }
  std::size_t failed = 0;
  for (const std::string& path : paths) {
    std::unique_ptr<Story> story = make();
    if (!play_file(path, *story, update)) ++failed;
  }
  std::printf("%zu stories, %zu failed\n", paths.size(), failed);
  return failed == 0 && !paths.empty() ? 0 : 1;
}

}  // namespace tripod::scenario
