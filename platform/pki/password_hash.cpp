#include "platform/pki/password_hash.h"

#include <mbedtls/base64.h>
#include <mbedtls/pkcs5.h>

#include <charconv>
#include <format>
#include <optional>
#include <span>

#include "platform/base/bytes.h"
#include "platform/base/check.h"

extern "C" {  // the header does not say so itself
#include <mbedtls/constant_time.h>
}

namespace tripod::pki {
namespace {

constexpr std::string_view scheme = "pbkdf2-sha256$";
using Derived = std::array<unsigned char, 32>;

const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string_view view(std::span<const unsigned char> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Derived derive(std::string_view password, const PasswordSalt& salt, unsigned iterations) {
  Derived derived{};
  const int failed = mbedtls_pkcs5_pbkdf2_hmac_ext(
      MBEDTLS_MD_SHA256, octets(password), password.size(), salt.data(), salt.size(), iterations,
      static_cast<std::uint32_t>(derived.size()), derived.data());
  CHECK(failed == 0, "PBKDF2 fails on bad parameters alone");
  return derived;
}

template <std::size_t Size>
bool read_base64(std::string_view text, std::array<unsigned char, Size>& out) {
  std::size_t written = 0;
  return mbedtls_base64_decode(out.data(), out.size(), &written, octets(text), text.size()) == 0 &&
         written == out.size();
}

struct Parsed {
  unsigned iterations = 0;
  PasswordSalt salt{};
  Derived derived{};
};

std::optional<Parsed> parse(std::string_view text) {
  if (!text.starts_with(scheme)) return std::nullopt;
  text.remove_prefix(scheme.size());
  Parsed parsed;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), parsed.iterations);
  if (error != std::errc() || parsed.iterations == 0 ||
      parsed.iterations > password_iterations_max) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.starts_with('$')) return std::nullopt;
  text.remove_prefix(1);
  const std::size_t middle = text.find('$');
  if (middle == std::string_view::npos || !read_base64(text.substr(0, middle), parsed.salt) ||
      !read_base64(text.substr(middle + 1), parsed.derived)) {
    return std::nullopt;
  }
  return parsed;
}

}  // namespace

std::string hash_password(std::string_view password, const PasswordSalt& salt,
                          unsigned iterations) {
  CHECK(iterations > 0);
  const Derived derived = derive(password, salt, iterations);
  return std::format("{}{}${}${}", scheme, iterations, to_base64(view(salt)),
                     to_base64(view(derived)));
}

bool password_matches(std::string_view password, std::string_view hash) {
  const auto parsed = parse(hash);
  if (!parsed) return false;
  const Derived derived = derive(password, parsed->salt, parsed->iterations);
  return mbedtls_ct_memcmp(derived.data(), parsed->derived.data(), derived.size()) == 0;
}

}  // namespace tripod::pki
