#include "platform/pki/signature.h"

#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/pk.h>

#include <array>
#include <format>
#include <span>

#include "platform/base/sha256.h"

namespace tripod::pki {
namespace {

constexpr std::size_t pem_bytes_max = 2048;
constexpr std::size_t curve_bits = 256;

int draw(void* entropy, unsigned char* out, std::size_t size) {
  static_cast<os::Entropy*>(entropy)->fill(std::as_writable_bytes(std::span(out, size)));
  return 0;
}

class Key {
 public:
  Key() { mbedtls_pk_init(&context_); }
  ~Key() { mbedtls_pk_free(&context_); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  mbedtls_pk_context* get() { return &context_; }
  bool fits() const {
    return mbedtls_pk_can_do(&context_, MBEDTLS_PK_ECDSA) == 1 &&
           mbedtls_pk_get_bitlen(&context_) == curve_bits;
  }

 private:
  mbedtls_pk_context context_;
};

std::unexpected<Error> failed(std::string_view doing, int code) {
  std::array<char, 128> text{};
  mbedtls_strerror(code, text.data(), text.size());
  return fail(ErrorCode::invalid, std::format("{}: {}", doing, text.data()));
}

std::unexpected<Error> other_kind() {
  return fail(ErrorCode::invalid,
              "the key is not one on the curve P-256, as `tripod pki update-key` makes them");
}

const unsigned char* data_of(BytesView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Bytes digest_of(BytesView message) {
  Sha256 hash;
  hash.update(message);
  return hash.finish();
}

}  // namespace

Result<SigningKeys> make_signing_keys(os::Entropy& entropy) {
  Key key;
  int code = mbedtls_pk_setup(key.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
  if (code == 0) {
    code = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key.get()), draw, &entropy);
  }
  if (code != 0) return failed("making a key", code);
  std::array<unsigned char, pem_bytes_max> text{};
  code = mbedtls_pk_write_key_pem(key.get(), text.data(), text.size());
  if (code != 0) return failed("writing a key", code);
  SigningKeys keys{.private_pem = reinterpret_cast<const char*>(text.data()), .public_pem = {}};
  code = mbedtls_pk_write_pubkey_pem(key.get(), text.data(), text.size());
  if (code != 0) return failed("writing a public key", code);
  keys.public_pem = reinterpret_cast<const char*>(text.data());
  return keys;
}

Result<Bytes> sign(const std::string& private_pem, BytesView message, os::Entropy& entropy) {
  Key key;
  int code = mbedtls_pk_parse_key(key.get(), data_of(private_pem), private_pem.size() + 1, nullptr,
                                  0, draw, &entropy);
  if (code != 0) return failed("reading the key", code);
  if (!key.fits()) return other_kind();
  const Bytes digest = digest_of(message);
  std::array<unsigned char, MBEDTLS_PK_SIGNATURE_MAX_SIZE> signature{};
  std::size_t size = 0;
  code = mbedtls_pk_sign(key.get(), MBEDTLS_MD_SHA256, data_of(digest), digest.size(),
                         signature.data(), signature.size(), &size, draw, &entropy);
  if (code != 0) return failed("signing", code);
  return Bytes(reinterpret_cast<const char*>(signature.data()), size);
}

Result<> verify(const std::string& public_pem, BytesView message, BytesView signature) {
  Key key;
  int code = mbedtls_pk_parse_public_key(key.get(), data_of(public_pem), public_pem.size() + 1);
  if (code != 0) return failed("reading the public key", code);
  if (!key.fits()) return other_kind();
  const Bytes digest = digest_of(message);
  code = mbedtls_pk_verify(key.get(), MBEDTLS_MD_SHA256, data_of(digest), digest.size(),
                           data_of(signature), signature.size());
  if (code != 0)
    return fail(ErrorCode::denied, "the signature is not by this key, or not over this");
  return {};
}

}  // namespace tripod::pki
