#include "platform/pki/authority.h"

#include <gtest/gtest.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>

#include <cstdio>
#include <fstream>

namespace tripod::pki {
namespace {

class CountingEntropy final : public os::Entropy {
 public:
  void fill(std::span<std::byte> out) override {
    for (std::byte& byte : out) {
      state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
      byte = static_cast<std::byte>(state_ >> 56);
    }
  }

 private:
  std::uint64_t state_ = 1;
};

const WallTime now = *parse_rfc3339("2026-11-21T09:00:00Z");

std::uint32_t verify(const std::string& certificate, const std::string& authority,
                     const char* name) {
  mbedtls_x509_crt chain;
  mbedtls_x509_crt trusted;
  mbedtls_x509_crt_init(&chain);
  mbedtls_x509_crt_init(&trusted);
  auto data = [](const std::string& pem) {
    return reinterpret_cast<const unsigned char*>(pem.c_str());
  };
  EXPECT_EQ(mbedtls_x509_crt_parse(&chain, data(certificate), certificate.size() + 1), 0);
  EXPECT_EQ(mbedtls_x509_crt_parse(&trusted, data(authority), authority.size() + 1), 0);
  std::uint32_t flags = 0;
  mbedtls_x509_crt_verify(&chain, &trusted, nullptr, name, &flags, nullptr, nullptr);
  mbedtls_x509_crt_free(&chain);
  mbedtls_x509_crt_free(&trusted);
  return flags &
         ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
}

TEST(Authority, issues_certificates_that_say_what_was_asked_for) {
  CountingEntropy entropy;
  auto authority = Authority::create("tripod", std::chrono::days(3650), now, entropy);
  ASSERT_TRUE(authority.has_value()) << authority.error().message;
  auto pair = authority->issue({.common_name = "kube-apiserver",
                                .organization = "a, b",
                                .names = {"kubernetes.default.svc", "127.0.0.11", "fd00::1"},
                                .server = true,
                                .client = true},
                               now, entropy);
  ASSERT_TRUE(pair.has_value()) << pair.error().message;
  auto facts = describe(pair->certificate_pem);
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->common_name, "kube-apiserver");
  EXPECT_EQ(facts->organizations, (std::vector<std::string>{"a, b"}));
  EXPECT_EQ(facts->names, (std::vector<std::string>{"kubernetes.default.svc", "127.0.0.11",
                                                    "fd00:0:0:0:0:0:0:1"}));
  EXPECT_EQ(to_rfc3339(facts->not_before), "2026-11-21T08:00:00Z");
  EXPECT_EQ(to_rfc3339(facts->not_after), "2027-11-21T09:00:00Z");
  EXPECT_FALSE(facts->is_authority);
  EXPECT_EQ(verify(pair->certificate_pem, authority->pair().certificate_pem, "127.0.0.11"), 0U);
  EXPECT_NE(verify(pair->certificate_pem, authority->pair().certificate_pem, "127.0.0.12"), 0U);
}

TEST(Authority, another_authority_does_not_vouch_for_it) {
  CountingEntropy entropy;
  auto one = Authority::create("tripod", std::chrono::days(10), now, entropy);
  auto two = Authority::create("tripod", std::chrono::days(10), now, entropy);
  auto pair = one->issue({.common_name = "x", .client = true}, now, entropy);
  ASSERT_TRUE(pair.has_value());
  EXPECT_EQ(verify(pair->certificate_pem, one->pair().certificate_pem, nullptr), 0U);
  EXPECT_NE(verify(pair->certificate_pem, two->pair().certificate_pem, nullptr), 0U);
}

TEST(Authority, opens_what_it_made_and_refuses_strangers) {
  CountingEntropy entropy;
  auto one = Authority::create("one", std::chrono::days(10), now, entropy);
  auto two = Authority::create("two", std::chrono::days(10), now, entropy);
  EXPECT_TRUE(Authority::open(one->pair(), entropy).has_value());
  EXPECT_FALSE(
      Authority::open({one->pair().certificate_pem, two->pair().key_pem}, entropy).has_value());
  EXPECT_FALSE(Authority::open({"junk", "junk"}, entropy).has_value());
  auto leaf = one->issue({.common_name = "x", .client = true}, now, entropy);
  EXPECT_FALSE(Authority::open(*leaf, entropy).has_value());
}

TEST(Authority, certificates_do_not_outlive_it) {
  CountingEntropy entropy;
  auto authority = Authority::create("short", std::chrono::days(10), now, entropy);
  auto pair = authority->issue({.common_name = "x", .client = true}, now, entropy);
  EXPECT_EQ(to_rfc3339(describe(pair->certificate_pem)->not_after), "2026-12-01T09:00:00Z");
}

/// The output of a shell command.
std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> piece;
  while (std::size_t size = fread(piece.data(), 1, piece.size(), pipe)) {
    text.append(piece.data(), size);
  }
  pclose(pipe);
  return text;
}

class OpensslTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!output_of("openssl version").starts_with("OpenSSL")) GTEST_SKIP() << "no openssl here";
    std::string pattern = testing::TempDir() + "tripod-pki-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  void TearDown() override {
    if (!folder_.empty()) output_of("rm -r " + folder_);
  }
  std::string put(const std::string& name, const std::string& content) {
    std::string path = folder_ + "/" + name;
    std::ofstream(path) << content;
    return path;
  }

  CountingEntropy entropy_;
  std::string folder_;
};

TEST_F(OpensslTest, verifies_and_reads_what_was_issued) {
  auto wall_now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  auto authority = *Authority::create("tripod", std::chrono::days(3650), wall_now, entropy_);
  auto pair = *authority.issue({.common_name = "kube-apiserver",
                                .organization = "system:masters",
                                .names = {"kubernetes.default.svc", "127.0.0.11", "fd00::1"},
                                .server = true,
                                .client = true},
                               wall_now, entropy_);
  std::string ca = put("ca.crt", authority.pair().certificate_pem);
  std::string certificate = put("server.crt", pair.certificate_pem);
  std::string key = put("server.key", pair.key_pem);
  for (std::string purpose : {"sslserver", "sslclient"}) {
    std::string verified = output_of("openssl verify -x509_strict -purpose " + purpose +
                                     " -verify_ip 127.0.0.11 -CAfile " + ca + " " + certificate);
    EXPECT_EQ(verified, certificate + ": OK\n");
  }
  EXPECT_TRUE(output_of("openssl verify -verify_ip 127.0.0.12 -CAfile " + ca + " " + certificate)
                  .contains("IP address mismatch"));
  std::string text = output_of("openssl x509 -noout -text -nameopt RFC2253 -in " + certificate);
  for (std::string_view line :
       {"Issuer: CN=tripod", "Subject: O=system:masters,CN=kube-apiserver", "ASN1 OID: prime256v1",
        "CA:FALSE", "Digital Signature",
        "TLS Web Server Authentication, TLS Web Client Authentication",
        "DNS:kubernetes.default.svc, IP Address:127.0.0.11, IP Address:FD00:0:0:0:0:0:0:1",
        "Signature Algorithm: ecdsa-with-SHA256"}) {
    EXPECT_TRUE(text.contains(line)) << line << " is not in\n" << text;
  }
  EXPECT_EQ(output_of("openssl x509 -noout -pubkey -in " + certificate),
            output_of("openssl pkey -pubout -in " + key));
}

TEST_F(OpensslTest, refuses_an_authority_whose_name_it_could_not_repeat) {
  auto made = [&](const std::string& subject, const std::string& flags) {
    std::string base = folder_ + "/other";
    output_of(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '" +
        subject + "' -keyout " + base + ".key -out " + base + ".crt " + flags);
    auto pair = KeyPair{output_of("cat " + base + ".crt"), output_of("cat " + base + ".key")};
    return Authority::open(pair, entropy_);
  };
  auto plain = made("/CN=home", "-utf8");
  EXPECT_TRUE(plain.has_value()) << plain.error().message;
  auto longer = made("/O=home/CN=lab", "-utf8");
  ASSERT_FALSE(longer.has_value());
  EXPECT_TRUE(longer.error() == ErrorCode::unsupported) << longer.error().message;
}

TEST(Authority, signs_the_key_of_whoever_proves_to_have_it) {
  CountingEntropy entropy;
  auto authority = Authority::create("tripod", std::chrono::days(3650), now, entropy);
  auto other = Authority::create("tripod", std::chrono::days(3650), now, entropy);
  ASSERT_TRUE(authority && other);
  auto key = make_key(entropy);
  ASSERT_TRUE(key.has_value()) << key.error().message;
  auto request = make_request(*key, "whoever", entropy);
  ASSERT_TRUE(request.has_value()) << request.error().message;
  const WallTime later = now + std::chrono::days(100);
  auto certificate = authority->sign(*request,
                                     {.common_name = "board-4",
                                      .names = {"192.168.1.14"},
                                      .server = true,
                                      .lifetime = std::chrono::seconds(60),
                                      .since_authority = true},
                                     later, entropy);
  ASSERT_TRUE(certificate.has_value()) << certificate.error().message;
  auto facts = describe(*certificate);
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->common_name, "board-4");  // not what the request says
  EXPECT_EQ(facts->names, std::vector<std::string>{"192.168.1.14"});
  EXPECT_TRUE(facts->server);
  EXPECT_FALSE(facts->client);
  EXPECT_EQ(facts->not_before, describe(authority->pair().certificate_pem)->not_before);
  EXPECT_EQ(facts->not_after, later + std::chrono::seconds(60));
  EXPECT_TRUE(is_signed_by(*certificate, authority->pair().certificate_pem));
  EXPECT_FALSE(is_signed_by(*certificate, other->pair().certificate_pem));
}

TEST(Authority, refuses_a_request_that_its_key_did_not_sign) {
  CountingEntropy entropy;
  auto authority = Authority::create("tripod", std::chrono::days(3650), now, entropy);
  auto request = make_request(*make_key(entropy), "board-4", entropy);
  ASSERT_TRUE(authority && request);
  // The last characters of the text are of the signature.
  std::string forged = *request;
  const std::size_t end = forged.rfind("-----END") - 8;
  forged[end] = forged[end] == 'A' ? 'B' : 'A';
  const CertificateRequest wanted{.common_name = "board-4", .client = true};
  EXPECT_TRUE(authority->sign(*request, wanted, now, entropy).has_value());
  EXPECT_FALSE(authority->sign(forged, wanted, now, entropy).has_value());
  EXPECT_FALSE(authority->sign("no PEM", wanted, now, entropy).has_value());
}

TEST_F(OpensslTest, signs_for_strangers_keys_on_p256_alone) {
  auto authority = *Authority::create("tripod", std::chrono::days(10), now, entropy_);
  const auto request_of = [&](const std::string& key) {
    const std::string path = folder_ + "/request";
    output_of("openssl req -new -nodes -subj /CN=x -keyout /dev/null -newkey " + key + " -out " +
              path);
    return output_of("cat " + path);
  };
  CertificateRequest wanted{.common_name = "board-4", .client = true};
  auto ours =
      authority.sign(request_of("ec -pkeyopt ec_paramgen_curve:P-256"), wanted, now, entropy_);
  EXPECT_TRUE(ours.has_value()) << ours.error().message;
  for (const std::string key : {"rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-384"}) {
    const std::string request = request_of(key);
    auto refused = authority.sign(request, wanted, now, entropy_);
    ASSERT_FALSE(refused.has_value()) << key;
    EXPECT_TRUE(refused.error() == ErrorCode::unsupported) << refused.error().message;
    EXPECT_TRUE(refused.error().message.contains("on P-256 (prime256v1)"))
        << refused.error().message;
    wanted.any_key = true;
    auto own = authority.sign(request, wanted, now, entropy_);
    EXPECT_TRUE(own.has_value()) << key << ": " << own.error().message;
    wanted.any_key = false;
  }
}

TEST(Pin, is_the_hash_of_the_public_key) {
  CountingEntropy entropy;
  auto authority = Authority::create("tripod", std::chrono::days(3650), now, entropy);
  ASSERT_TRUE(authority.has_value());
  auto pin = public_key_pin(authority->pair().certificate_pem);
  ASSERT_TRUE(pin.has_value());
  EXPECT_EQ(pin->size(), 7 + 64);
  // Another certificate of the same key has the same pin, which kubeadm's users rely on.
  auto key = make_key(entropy);
  auto request = make_request(*key, "a", entropy);
  const CertificateRequest one{.common_name = "one", .client = true};
  const CertificateRequest two{.common_name = "two", .client = true};
  EXPECT_EQ(*public_key_pin(*authority->sign(*request, one, now, entropy)),
            *public_key_pin(*authority->sign(*request, two, now, entropy)));
  EXPECT_NE(*public_key_pin(*authority->sign(*request, one, now, entropy)), *pin);
}

}  // namespace
}  // namespace tripod::pki
