#include "platform/boards/update/update_file.h"

#include <charconv>
#include <cstdlib>
#include <format>
#include <ranges>
#include <vector>

namespace tripod::boards {
namespace {

constexpr std::string_view magic = "tripod-update ";
constexpr std::size_t digest_digits = 64;
constexpr std::size_t value_bytes_max = 64;
constexpr std::size_t signature_bytes_max = 80;  // DER of two numbers of 32 bytes is at most 72

std::unexpected<Error> damaged(std::string_view what) {
  return fail(ErrorCode::corrupt, std::format("the update file is damaged: {}", what));
}

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

constexpr unsigned version_number_max = 9999;

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.empty() || text.size() % 2 != 0) return {};
  Bytes bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit_of(text[i]);
    const int low = digit_of(text[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

/// Takes "name value" lines off the front, in the order they have to come in.
class Lines {
 public:
  explicit Lines(BytesView text) : text_(text) {}

  std::optional<std::string_view> take(std::string_view name) {
    const std::size_t end = text_.find('\n', at_);
    if (end == BytesView::npos) return {};
    const std::string_view line = text_.substr(at_, end - at_);
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ')
      return {};
    at_ = end + 1;
    return line.substr(name.size() + 1);
  }
  std::size_t taken() const { return at_; }

 private:
  BytesView text_;
  std::size_t at_ = 0;
};

bool is_plain(std::string_view value) {
  if (value.empty() || value.size() > value_bytes_max) return false;
  for (char c : value) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != '_')
      return false;
  }
  return true;
}

Result<UpdateManifest> read_manifest(Lines& lines) {
  auto board = lines.take("board");
  auto version = lines.take("version");
  auto build = lines.take("build");
  auto bytes = lines.take("bytes");
  auto digest = lines.take("sha256");
  if (!board || !is_plain(*board)) return damaged("it names no board");
  if (!version || !is_plain(*version)) return damaged("it names no version");
  auto seconds = build ? number_of<std::int64_t>(*build) : std::nullopt;
  if (!seconds || *seconds < 0) return damaged("it does not say when it was built");
  auto size = bytes ? number_of<std::uint64_t>(*bytes) : std::nullopt;
  if (!size || *size == 0 || *size > update_image_bytes_max || *size % 512 != 0) {
    return damaged("its image has an impossible size");
  }
  if (!digest || digest->size() != digest_digits || !from_hex(*digest)) {
    return damaged("it has no digest of its image");
  }
  return UpdateManifest{.board = std::string(*board),
                        .version = std::string(*version),
                        .build = *seconds,
                        .image_bytes = *size,
                        .image_sha256 = std::string(*digest)};
}

std::string printable(std::string_view text) {
  std::string out(text.substr(0, value_bytes_max));
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  return out;
}

struct Version {
  int major = 0;
  int minor = 0;
};

std::optional<Version> version_of(std::string_view text) {
  std::vector<unsigned> numbers;
  for (const auto part : std::views::split(text, '.')) {
    auto number = number_of<unsigned>(std::string_view(part.begin(), part.end()));
    if (!number || *number > version_number_max) return {};
    numbers.push_back(*number);
  }
  if (numbers.size() != 3) return {};
  return Version{static_cast<int>(numbers[0]), static_cast<int>(numbers[1])};
}

}  // namespace

std::string signed_text(const UpdateManifest& manifest) {
  return std::format("{}{}\nboard {}\nversion {}\nbuild {}\nbytes {}\nsha256 {}\n", magic,
                     update_format, manifest.board, manifest.version, manifest.build,
                     manifest.image_bytes, manifest.image_sha256);
}

std::string encode_update_head(const UpdateManifest& manifest, BytesView signature) {
  return std::format("{}signature {}\n", signed_text(manifest), to_hex(signature));
}

Result<std::optional<UpdateHead>> decode_update_head(BytesView begin) {
  if (!begin.starts_with(magic.substr(0, std::min(magic.size(), begin.size())))) {
    return fail(ErrorCode::invalid,
                "this is no update file; expected one that tools/image --update-key has made");
  }
  const BytesView head = begin.substr(0, update_head_bytes_max);
  if (const std::size_t end = head.find('\n'); end != BytesView::npos) {
    const BytesView format = head.substr(magic.size(), end - magic.size());
    if (number_of<int>(format) != update_format) {
      return fail(ErrorCode::unsupported,
                  std::format("the update file has the format \"{}\"; this board knows {} alone",
                              printable(format), update_format));
    }
  }
  const std::size_t last = head.find("\nsignature ");
  if (last == BytesView::npos || head.find('\n', last + 1) == BytesView::npos) {
    if (begin.size() >= update_head_bytes_max) return damaged("its head has no end");
    return std::nullopt;
  }
  Lines lines(head);
  std::ignore = lines.take("tripod-update");
  auto manifest = read_manifest(lines);
  if (!manifest) return std::unexpected(manifest.error());
  const std::size_t signed_bytes = lines.taken();
  auto signature = lines.take("signature");
  auto bytes = signature ? from_hex(*signature) : std::nullopt;
  if (!bytes || bytes->size() > signature_bytes_max) return damaged("it has no signature");
  return UpdateHead{.manifest = std::move(*manifest),
                    .signed_text = std::string(head.substr(0, signed_bytes)),
                    .signature = std::move(*bytes),
                    .bytes = lines.taken()};
}

Result<> check_update_fits(const UpdateManifest& manifest, std::string_view board,
                           std::string_view version) {
  if (manifest.board != board) {
    return fail(ErrorCode::denied,
                std::format("the update file is for the board {}; this board is a {}",
                            manifest.board, board));
  }
  const auto now = version_of(version);
  const auto then = version_of(manifest.version);
  if (!then) {
    return fail(
        ErrorCode::denied,
        std::format("the update file's version {}: expected X.Y.Z, as 0.2.0", manifest.version));
  }
  if (now && (now->major != then->major || std::abs(now->minor - then->minor) > 1)) {
    return fail(ErrorCode::denied,
                std::format("the update file is tripod {}; from {} a board goes one minor version "
                            "up or down at a time",
                            manifest.version, version));
  }
  return {};
}

}  // namespace tripod::boards
