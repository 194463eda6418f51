#pragma once
// Stories as text: a line is a command, the indented lines below it are what it must print.
// Comments (#) and blank lines are kept. The runner plays a file against a fresh Story and
// compares, or with --update rewrites what was printed.
//
//   raft_scenario [--update] [tests/scenario/raft/election.txt ...]

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "platform/base/result.h"

namespace tripod::scenario {

using Words = std::vector<std::string>;
using Lines = std::vector<std::string>;

/// The world of one file, and its verbs.
class Story {
 public:
  virtual ~Story() = default;
  /// Plays one command; appends what it prints. Fails on a verb or argument it does not know.
  virtual Result<> play(const Words& words, Lines& out) = 0;
};

/// The whole main(): plays the files named, or all *.txt in `folder`.
int play_all(int argc, char** argv, const std::string& folder,
             const std::function<std::unique_ptr<Story>()>& make);

}  // namespace tripod::scenario
