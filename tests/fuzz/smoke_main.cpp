// Runs a fuzz target without libFuzzer: the corpus as it is, then mutations of it under a fixed
// seed.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int mutations = 3000;
constexpr std::size_t input_bytes_max = 16 * 1024;

/// xorshift64; the same on every machine.
class Random {
 public:
  std::size_t below(std::size_t bound) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return bound == 0 ? 0 : static_cast<std::size_t>(state_ % bound);
  }

 private:
  std::uint64_t state_ = 0x9e3779b97f4a7c15ULL;
};

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

void mutate(std::string& input, const std::vector<std::string>& corpus, Random& random) {
  const std::size_t at = random.below(input.size() + 1);
  const std::size_t size = random.below(std::min<std::size_t>(input.size() - at, 32) + 1);
  const std::string& other = corpus[random.below(corpus.size())];
  const std::size_t from = random.below(other.size() + 1);
  switch (random.below(6)) {
    case 0: input.insert(at, 1, static_cast<char>(random.below(256))); break;
    case 1: input.erase(at, size); break;
    case 2: input.insert(at, input.substr(at, size)); break;
    case 3: input.replace(at, size, other.substr(from, random.below(64))); break;
    case 4: input.insert(at, other.substr(from)); break;
    default:
      if (at < input.size()) input[at] = static_cast<char>(input[at] ^ 1 << random.below(8));
  }
  if (input.size() > input_bytes_max) input.resize(input_bytes_max);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> corpus;
  for (int i = 1; i < argc; ++i) {
    for (const auto& file : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream stream(file.path(), std::ios::binary);
      corpus.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
    }
  }
  if (corpus.empty()) {
    std::fputs("no corpus: name its folder\n", stderr);
    return 1;
  }
  std::ranges::sort(corpus);
  for (const std::string& input : corpus) run(input);
  Random random;
  for (int i = 0; i < mutations; ++i) {
    std::string input = corpus[random.below(corpus.size())];
    for (std::size_t left = 1 + random.below(8); left > 0; --left) mutate(input, corpus, random);
    run(input);
  }
  std::printf("%zu inputs, %d mutations\n", corpus.size(), mutations);
  return 0;
}
