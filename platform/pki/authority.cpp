#include "platform/pki/authority.h"

#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <format>
#include <memory>

#include "platform/base/check.h"
#include "platform/base/sha256.h"
#include "platform/pki/names.h"

namespace tripod::pki {
namespace {

constexpr std::size_t pem_bytes_max = 8192;
constexpr std::size_t serial_bytes = 16;
constexpr std::chrono::hours backdating{1};

int draw(void* entropy, unsigned char* out, std::size_t size) {
  static_cast<os::Entropy*>(entropy)->fill(std::as_writable_bytes(std::span(out, size)));
  return 0;
}

struct Key {
  mbedtls_pk_context context;
  Key() { mbedtls_pk_init(&context); }
  ~Key() { mbedtls_pk_free(&context); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
};

struct Certificate {
  mbedtls_x509_crt context;
  Certificate() { mbedtls_x509_crt_init(&context); }
  ~Certificate() { mbedtls_x509_crt_free(&context); }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
};

struct Writer {
  mbedtls_x509write_cert context;
  Writer() { mbedtls_x509write_crt_init(&context); }
  ~Writer() { mbedtls_x509write_crt_free(&context); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
};

std::unexpected<Error> failed(std::string_view doing, int code) {
  std::array<char, 128> text{};
  mbedtls_strerror(code, text.data(), text.size());
  return fail(ErrorCode::invalid, std::format("{}: {}", doing, text.data()));
}

/// "20261121090842", as the library wants it.
std::string compact(WallTime time) {
  return std::format("{:%Y%m%d%H%M%S}", std::chrono::floor<std::chrono::seconds>(time));
}

const unsigned char* pem_data(const std::string& pem) {
  return reinterpret_cast<const unsigned char*>(pem.c_str());
}

Result<> load(const KeyPair& pair, Certificate& certificate, Key& key, os::Entropy& entropy) {
  int code = mbedtls_x509_crt_parse(&certificate.context, pem_data(pair.certificate_pem),
                                    pair.certificate_pem.size() + 1);
  if (code != 0) return failed("reading the authority's certificate", code);
  code = mbedtls_pk_parse_key(&key.context, pem_data(pair.key_pem), pair.key_pem.size() + 1,
                              nullptr, 0, draw, &entropy);
  if (code != 0) return failed("reading the authority's key", code);
  code = mbedtls_pk_check_pair(&certificate.context.pk, &key.context, draw, &entropy);
  if (code != 0) return failed("the authority's certificate and key do not belong together", code);
  return {};
}

Result<> generate(Key& key, os::Entropy& entropy) {
  int code = mbedtls_pk_setup(&key.context, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
  if (code == 0) {
    code =
        mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key.context), draw, &entropy);
  }
  if (code != 0) return failed("making a key", code);
  return {};
}

Result<std::string> key_pem(Key& key) {
  std::array<unsigned char, pem_bytes_max> text{};
  int code = mbedtls_pk_write_key_pem(&key.context, text.data(), text.size());
  if (code != 0) return failed("writing a key", code);
  return std::string(reinterpret_cast<const char*>(text.data()));
}

/// Issuers are found by the bytes of their names, so only a name that issue() writes again exactly
/// will do.
bool plain_name(const mbedtls_x509_name& name) {
  std::string_view oid(reinterpret_cast<const char*>(name.oid.p), name.oid.len);
  return oid == MBEDTLS_OID_AT_CN && name.val.tag == MBEDTLS_ASN1_UTF8_STRING &&
         name.next == nullptr;
}

/// Who signs what for how long; shared by an authority's own certificate and those it issues.
struct Signing {
  std::string subject;
  std::string issuer;
  mbedtls_pk_context& subject_key;
  mbedtls_pk_context& issuer_key;
  WallTime not_before;
  WallTime not_after;
};

Result<> begin(Writer& writer, const Signing& signing, os::Entropy& entropy) {
  mbedtls_x509write_cert* out = &writer.context;
  mbedtls_x509write_crt_set_version(out, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(out, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(out, &signing.subject_key);
  mbedtls_x509write_crt_set_issuer_key(out, &signing.issuer_key);
  std::array<unsigned char, serial_bytes> serial{};
  draw(&entropy, serial.data(), serial.size());
  serial[0] = static_cast<unsigned char>((serial[0] & 0x7f) | 0x40);  // positive, of full length
  int code = mbedtls_x509write_crt_set_serial_raw(out, serial.data(), serial.size());
  if (code == 0) code = mbedtls_x509write_crt_set_subject_name(out, signing.subject.c_str());
  if (code == 0) code = mbedtls_x509write_crt_set_issuer_name(out, signing.issuer.c_str());
  if (code == 0) {
    code = mbedtls_x509write_crt_set_validity(out, compact(signing.not_before).c_str(),
                                              compact(signing.not_after).c_str());
  }
  if (code == 0) code = mbedtls_x509write_crt_set_subject_key_identifier(out);
  if (code == 0) code = mbedtls_x509write_crt_set_authority_key_identifier(out);
  if (code != 0) return failed("describing a certificate", code);
  return {};
}

Result<std::string> written(Writer& writer, os::Entropy& entropy) {
  std::array<unsigned char, pem_bytes_max> text{};
  int code = mbedtls_x509write_crt_pem(&writer.context, text.data(), text.size(), draw, &entropy);
  if (code != 0) return failed("signing a certificate", code);
  return std::string(reinterpret_cast<const char*>(text.data()));
}

Result<KeyPair> sign(Writer& writer, Key& subject_key, os::Entropy& entropy) {
  auto certificate = written(writer, entropy);
  if (!certificate) return std::unexpected(certificate.error());
  auto key = key_pem(subject_key);
  if (!key) return std::unexpected(key.error());
  return KeyPair{std::move(*certificate), std::move(*key)};
}

struct Request {
  mbedtls_x509_csr context;
  Request() { mbedtls_x509_csr_init(&context); }
  ~Request() { mbedtls_x509_csr_free(&context); }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
};

/// ECDSA on P-256, as make_key() makes it.
Result<> check_kind(const mbedtls_pk_context& key) {
  const bool ours = mbedtls_pk_get_type(&key) == MBEDTLS_PK_ECKEY &&
                    mbedtls_pk_ec(key)->MBEDTLS_PRIVATE(grp).id == MBEDTLS_ECP_DP_SECP256R1;
  if (ours) return {};
  return fail(ErrorCode::unsupported,
              std::format("the request is for a key of another kind ({}, {} bits): expected an "
                          "elliptic-curve key on P-256 (prime256v1)",
                          mbedtls_pk_get_name(&key), mbedtls_pk_get_bitlen(&key)));
}

/// Whoever asks has the key: the request is signed by it.
Result<> check_possession(mbedtls_x509_csr& request) {
  const auto hash = request.MBEDTLS_PRIVATE(sig_md);
  const mbedtls_md_info_t* info = mbedtls_md_info_from_type(hash);
  std::array<unsigned char, MBEDTLS_MD_MAX_SIZE> digest{};
  int code = info == nullptr ? MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG
                             : mbedtls_md(info, request.cri.p, request.cri.len, digest.data());
  if (code == 0) {
    code = mbedtls_pk_verify_ext(request.MBEDTLS_PRIVATE(sig_pk), request.MBEDTLS_PRIVATE(sig_opts),
                                 &request.pk, hash, digest.data(), mbedtls_md_get_size(info),
                                 request.MBEDTLS_PRIVATE(sig).p, request.MBEDTLS_PRIVATE(sig).len);
  }
  if (code != 0) return failed("the request is not signed by its own key", code);
  return {};
}

Result<> set_extended_usage(Writer& writer, const CertificateRequest& request) {
  auto oid = [](const char* bytes, std::size_t size) {
    // The library only reads the identifier.
    return mbedtls_asn1_buf{MBEDTLS_ASN1_OID, size,
                            reinterpret_cast<unsigned char*>(const_cast<char*>(bytes))};
  };
  mbedtls_asn1_sequence server{
      oid(MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)), nullptr};
  mbedtls_asn1_sequence client{
      oid(MBEDTLS_OID_CLIENT_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH)), nullptr};
  if (request.server && request.client) server.next = &client;
  int code =
      mbedtls_x509write_crt_set_ext_key_usage(&writer.context, request.server ? &server : &client);
  if (code != 0) return failed("setting the usage of a certificate", code);
  return {};
}

}  // namespace

Result<Authority> Authority::create(std::string common_name, std::chrono::days lifetime,
                                    WallTime now, os::Entropy& entropy) {
  Key key;
  if (auto made = generate(key, entropy); !made) return std::unexpected(made.error());
  auto name = distinguished_name(common_name, "");
  if (!name) return std::unexpected(name.error());
  Writer writer;
  Signing signing{*name, *name, key.context, key.context, now - backdating, now + lifetime};
  if (auto begun = begin(writer, signing, entropy); !begun) return std::unexpected(begun.error());
  int code = mbedtls_x509write_crt_set_basic_constraints(&writer.context, 1, 0);
  if (code == 0) {
    code = mbedtls_x509write_crt_set_key_usage(
        &writer.context, MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN);
  }
  if (code != 0) return failed("describing an authority", code);
  auto pair = tripod::pki::sign(writer, key, entropy);
  if (!pair) return std::unexpected(pair.error());
  return Authority(std::move(*pair));
}

Result<Authority> Authority::open(KeyPair pair, os::Entropy& entropy) {
  Certificate certificate;
  Key key;
  if (auto loaded = load(pair, certificate, key, entropy); !loaded) {
    return std::unexpected(loaded.error());
  }
  if (mbedtls_x509_crt_get_ca_istrue(&certificate.context) != 1) {
    return fail(ErrorCode::invalid, "the certificate is not an authority's");
  }
  if (!plain_name(certificate.context.subject)) {
    return fail(ErrorCode::unsupported,
                "the authority's name is more than one common name (CN) in UTF-8");
  }
  return Authority(std::move(pair));
}

namespace {

/// Describes the certificate that `own` signs for `key`, up to the signature.
Result<> prepare(Writer& writer, const CertificateRequest& request, const std::string& own_pem,
                 Key& own_key, mbedtls_pk_context& key, WallTime now, os::Entropy& entropy) {
  CHECK(request.server || request.client);
  auto facts = describe(own_pem);
  if (!facts) return std::unexpected(facts.error());
  auto subject = distinguished_name(request.common_name, request.organization);
  auto issuer = distinguished_name(facts->common_name, "");
  if (!subject) return std::unexpected(subject.error());
  if (!issuer) return std::unexpected(issuer.error());
  const WallTime begin_at =
      request.since_authority ? facts->not_before : std::max(now - backdating, facts->not_before);
  Signing signing{*subject, *issuer,
                  key,      own_key.context,
                  begin_at, std::min<WallTime>(now + request.lifetime, facts->not_after)};
  if (auto begun = begin(writer, signing, entropy); !begun) return begun;
  AlternativeNames names(request.names);
  int code = mbedtls_x509write_crt_set_basic_constraints(&writer.context, 0, -1);
  if (code == 0) {
    code = mbedtls_x509write_crt_set_key_usage(&writer.context, MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
  }
  if (code == 0 && !request.names.empty()) {
    code = mbedtls_x509write_crt_set_subject_alternative_name(&writer.context, names.list());
  }
  if (code != 0) return failed("describing a certificate", code);
  return set_extended_usage(writer, request);
}

}  // namespace

Result<KeyPair> Authority::issue(const CertificateRequest& request, WallTime now,
                                 os::Entropy& entropy) const {
  Certificate own;
  Key own_key;
  Key key;
  if (auto loaded = load(pair_, own, own_key, entropy); !loaded)
    return std::unexpected(loaded.error());
  if (auto made = generate(key, entropy); !made) return std::unexpected(made.error());
  Writer writer;
  auto prepared =
      prepare(writer, request, pair_.certificate_pem, own_key, key.context, now, entropy);
  if (!prepared) return std::unexpected(prepared.error());
  return tripod::pki::sign(writer, key, entropy);
}

Result<std::string> Authority::sign(const std::string& request_pem,
                                    const CertificateRequest& request, WallTime now,
                                    os::Entropy& entropy) const {
  Request asked;
  const int code =
      mbedtls_x509_csr_parse(&asked.context, pem_data(request_pem), request_pem.size() + 1);
  if (code != 0) return failed("reading a certificate request", code);
  if (!request.any_key) {
    if (auto kind = check_kind(asked.context.pk); !kind) return std::unexpected(kind.error());
  }
  if (auto possessed = check_possession(asked.context); !possessed) {
    return std::unexpected(possessed.error());
  }
  Certificate own;
  Key own_key;
  if (auto loaded = load(pair_, own, own_key, entropy); !loaded)
    return std::unexpected(loaded.error());
  Writer writer;
  auto prepared =
      prepare(writer, request, pair_.certificate_pem, own_key, asked.context.pk, now, entropy);
  if (!prepared) return std::unexpected(prepared.error());
  return written(writer, entropy);
}

Result<CertificateFacts> describe(const std::string& certificate_pem) {
  Certificate certificate;
  int code = mbedtls_x509_crt_parse(&certificate.context, pem_data(certificate_pem),
                                    certificate_pem.size() + 1);
  if (code != 0) return failed("reading a certificate", code);
  CertificateFacts facts;
  facts.common_name = subject_values(certificate.context, MBEDTLS_OID_AT_CN).value_or_empty();
  facts.organizations = subject_values(certificate.context, MBEDTLS_OID_AT_ORGANIZATION).values;
  facts.names = alternative_names(certificate.context);
  facts.not_before = to_wall_time(certificate.context.valid_from);
  facts.not_after = to_wall_time(certificate.context.valid_to);
  facts.is_authority = mbedtls_x509_crt_get_ca_istrue(&certificate.context) == 1;
  const auto meant_for = [&](const char* oid, std::size_t size) {
    return mbedtls_x509_crt_check_extended_key_usage(&certificate.context, oid, size) == 0;
  };
  facts.server = meant_for(MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH));
  facts.client = meant_for(MBEDTLS_OID_CLIENT_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH));
  return facts;
}

bool is_signed_by(const std::string& certificate_pem, const std::string& authority_pem) {
  Certificate own;
  Certificate authority;
  int code =
      mbedtls_x509_crt_parse(&own.context, pem_data(certificate_pem), certificate_pem.size() + 1);
  if (code == 0) {
    code = mbedtls_x509_crt_parse(&authority.context, pem_data(authority_pem),
                                  authority_pem.size() + 1);
  }
  if (code != 0) return false;
  std::uint32_t flags = 0;
  std::ignore = mbedtls_x509_crt_verify(&own.context, &authority.context, nullptr, nullptr, &flags,
                                        nullptr, nullptr);
  constexpr std::uint32_t dates = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
  return (flags & ~dates) == 0;
}

Result<std::string> make_key(os::Entropy& entropy) {
  Key key;
  if (auto made = generate(key, entropy); !made) return std::unexpected(made.error());
  return key_pem(key);
}

Result<std::string> make_request(const std::string& key_pem, const std::string& common_name,
                                 os::Entropy& entropy) {
  Key key;
  int code = mbedtls_pk_parse_key(&key.context, pem_data(key_pem), key_pem.size() + 1, nullptr, 0,
                                  draw, &entropy);
  if (code != 0) return failed("reading a key", code);
  auto name = distinguished_name(common_name, "");
  if (!name) return std::unexpected(name.error());
  mbedtls_x509write_csr writer;
  mbedtls_x509write_csr_init(&writer);
  mbedtls_x509write_csr_set_md_alg(&writer, MBEDTLS_MD_SHA256);
  mbedtls_x509write_csr_set_key(&writer, &key.context);
  std::array<unsigned char, pem_bytes_max> text{};
  code = mbedtls_x509write_csr_set_subject_name(&writer, name->c_str());
  if (code == 0) {
    code = mbedtls_x509write_csr_pem(&writer, text.data(), text.size(), draw, &entropy);
  }
  mbedtls_x509write_csr_free(&writer);
  if (code != 0) return failed("making a certificate request", code);
  return std::string(reinterpret_cast<const char*>(text.data()));
}

Result<std::string> public_key_pin(const std::string& certificate_pem) {
  Certificate certificate;
  const int code = mbedtls_x509_crt_parse(&certificate.context, pem_data(certificate_pem),
                                          certificate_pem.size() + 1);
  if (code != 0) return failed("reading a certificate", code);
  // Whoever trusts the pin trusts all that stands beside it.
  if (certificate.context.next != nullptr) {
    return fail(ErrorCode::invalid, "several certificates where one authority's is expected");
  }
  const mbedtls_x509_buf& key = certificate.context.pk_raw;
  return "sha256:" + to_hex(sha256(BytesView(reinterpret_cast<const char*>(key.p), key.len)));
}

}  // namespace tripod::pki
