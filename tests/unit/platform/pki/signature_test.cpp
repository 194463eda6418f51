#include "platform/pki/signature.h"

#include <gtest/gtest.h>

namespace tripod::pki {
namespace {

class CountingEntropy final : public os::Entropy {
 public:
  explicit CountingEntropy(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::byte> out) override {
    for (std::byte& byte : out) {
      state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
      byte = static_cast<std::byte>(state_ >> 56);
    }
  }

 private:
  std::uint64_t state_;
};

TEST(Signature, is_accepted_from_its_key_over_its_message_alone) {
  CountingEntropy entropy(1);
  auto ours = make_signing_keys(entropy);
  auto others = make_signing_keys(entropy);
  ASSERT_TRUE(ours && others);
  auto signature = sign(ours->private_pem, "message", entropy);
  ASSERT_TRUE(signature) << signature.error().message;
  EXPECT_TRUE(verify(ours->public_pem, "message", *signature));
  EXPECT_EQ(verify(ours->public_pem, "Message", *signature).error(), ErrorCode::denied);
  EXPECT_EQ(verify(others->public_pem, "message", *signature).error(), ErrorCode::denied);
  EXPECT_EQ(verify(ours->public_pem, "message", "").error(), ErrorCode::denied);
  for (std::size_t i = 0; i < signature->size(); ++i) {
    Bytes bent = *signature;
    bent[i] = static_cast<char>(bent[i] ^ 1);
    EXPECT_FALSE(verify(ours->public_pem, "message", bent)) << i;
  }
}

TEST(Signature, is_the_same_each_time) {
  CountingEntropy entropy(1);
  auto keys = make_signing_keys(entropy);
  ASSERT_TRUE(keys);
  CountingEntropy other(77);
  EXPECT_EQ(*sign(keys->private_pem, "message", entropy),
            *sign(keys->private_pem, "message", other));
}

TEST(Signature, names_what_is_no_key) {
  CountingEntropy entropy(1);
  EXPECT_EQ(sign("no key", "message", entropy).error(), ErrorCode::invalid);
  EXPECT_EQ(verify("no key", "message", "x").error(), ErrorCode::invalid);
  auto keys = make_signing_keys(entropy);
  EXPECT_EQ(verify(keys->private_pem, "message", "x").error(), ErrorCode::invalid)
      << "the private one is not what a board has";
}

}  // namespace
}  // namespace tripod::pki
