#include "platform/tls/context.h"

#include <mbedtls/error.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <psa/crypto.h>

#include <array>
#include <format>

#include "platform/base/check.h"
#include "platform/tls/context_state.h"

namespace tripod::tls {
namespace {

// ECDHE with AEAD only (RFC 9325, section 4.2); the order is the server's preference.
constexpr int aes_first[] = {MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
                             MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
                             MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
                             MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                             MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                             MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                             MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                             MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                             MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                             0};
constexpr int chacha20_first[] = {MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
                                  MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
                                  MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
                                  MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                  MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                                  MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                  MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                                  MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                                  MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                                  0};

// Without the finite fields that the library would take too: one handshake over ffdhe8192 keeps the
// crypto lane busy for seconds.
constexpr std::uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

int draw(void* entropy, unsigned char* out, std::size_t size) {
  static_cast<os::Entropy*>(entropy)->fill(std::as_writable_bytes(std::span(out, size)));
  return 0;
}

const unsigned char* data_of(const std::string& pem) {
  return reinterpret_cast<const unsigned char*>(pem.c_str());
}

Result<> read_chain(mbedtls_x509_crt& chain, const std::string& pem, std::string_view what) {
  int code = mbedtls_x509_crt_parse(&chain, data_of(pem), pem.size() + 1);
  if (code < 0) return std::unexpected(mbedtls_error(code, std::format("reading {}", what)));
  if (code > 0) {
    return fail(ErrorCode::invalid,
                std::format("reading {}: {} of its certificates cannot be read", what, code));
  }
  return {};
}

/// A side that could not finish any handshake is refused before it tries.
Result<> check(Context::Side side, const Options& options) {
  if (side == Context::Side::server && options.certificate_pem.empty()) {
    return fail(ErrorCode::invalid, "a TLS server needs a certificate");
  }
  bool verifies = options.peers != PeerCertificates::none;
  if (verifies && options.authority_pem.empty()) {
    return fail(ErrorCode::invalid, "verifying peers needs an authority's certificate");
  }
  return {};
}

int authmode(Context::Side side, PeerCertificates peers) {
  if (side == Context::Side::client && peers != PeerCertificates::none) {
    return MBEDTLS_SSL_VERIFY_REQUIRED;
  }
  // The library's TLS 1.3 server would send its alert under keys that the client no longer reads
  // with. The session refuses by itself, right after the handshake.
  return peers == PeerCertificates::none ? MBEDTLS_SSL_VERIFY_NONE : MBEDTLS_SSL_VERIFY_OPTIONAL;
}

Result<> present(Context::State& state, const Options& options, os::Entropy& entropy) {
  if (auto read = read_chain(state.certificate, options.certificate_pem, "the certificate"); !read)
    return read;
  int code = mbedtls_pk_parse_key(&state.key, data_of(options.key_pem), options.key_pem.size() + 1,
                                  nullptr, 0, draw, &entropy);
  if (code != 0) return std::unexpected(mbedtls_error(code, "reading the key"));
  code = mbedtls_pk_check_pair(&state.certificate.pk, &state.key, draw, &entropy);
  if (code != 0) return fail(ErrorCode::invalid, "the key is not the certificate's");
  code = mbedtls_ssl_conf_own_cert(&state.config, &state.certificate, &state.key);
  if (code != 0) return std::unexpected(mbedtls_error(code, "presenting the certificate"));
  return {};
}

}  // namespace

Error mbedtls_error(int code, std::string_view doing) {
  std::array<char, 160> text{};
  mbedtls_strerror(code, text.data(), text.size());
  return {ErrorCode::invalid, std::format("{}: {}", doing, text.data())};
}

Context::State::State() {
  mbedtls_ssl_config_init(&config);
  mbedtls_x509_crt_init(&certificate);
  mbedtls_x509_crt_init(&authority);
  mbedtls_pk_init(&key);
}

Context::State::~State() {
  mbedtls_ssl_config_free(&config);
  mbedtls_x509_crt_free(&certificate);
  mbedtls_x509_crt_free(&authority);
  mbedtls_pk_free(&key);
}

Context::Context(Side side, Options options)
    : side_(side), options_(std::move(options)), state_(std::make_unique<State>()) {}
Context::~Context() = default;

Result<std::shared_ptr<const Context>> Context::open(Side side, Options options,
                                                     os::Entropy& entropy) {
  if (auto checked = check(side, options); !checked) return std::unexpected(checked.error());
  CHECK(psa_crypto_init() ==
        PSA_SUCCESS);  // TLS 1.3 needs it; every call after the first does nothing
  std::shared_ptr<Context> context(new Context(side, std::move(options)));
  State& state = *context->state_;
  const Options& own = context->options_;
  int endpoint = side == Side::server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT;
  int code = mbedtls_ssl_config_defaults(&state.config, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);
  if (code != 0) return std::unexpected(mbedtls_error(code, "setting up TLS"));
  mbedtls_ssl_conf_rng(&state.config, draw, &entropy);
  mbedtls_ssl_conf_min_tls_version(&state.config, MBEDTLS_SSL_VERSION_TLS1_2);
  mbedtls_ssl_conf_ciphersuites(&state.config, own.prefer_chacha20 ? chacha20_first : aes_first);
  mbedtls_ssl_conf_groups(&state.config, groups);
  mbedtls_ssl_conf_authmode(&state.config, authmode(side, own.peers));
  mbedtls_ssl_conf_renegotiation(&state.config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
  mbedtls_ssl_conf_session_tickets(&state.config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
  if (!own.authority_pem.empty()) {
    if (auto read = read_chain(state.authority, own.authority_pem, "the authority's certificate");
        !read) {
      return std::unexpected(read.error());
    }
    if (side == Side::client) {
      mbedtls_ssl_conf_ca_chain(&state.config, &state.authority, nullptr);
    } else {
      // Servers verify by themselves, after the handshake: what they know already is cheap.
      mbedtls_ssl_conf_dn_hints(&state.config, &state.authority);
    }
  }
  if (!own.certificate_pem.empty()) {
    if (auto done = present(state, own, entropy); !done) return std::unexpected(done.error());
  }
  if (!own.alpn.empty()) {
    for (const std::string& name : own.alpn) state.alpn.push_back(name.c_str());
    state.alpn.push_back(nullptr);
    code = mbedtls_ssl_conf_alpn_protocols(&state.config, state.alpn.data());
    if (code != 0) return std::unexpected(mbedtls_error(code, "setting ALPN"));
  }
  return context;
}

}  // namespace tripod::tls
