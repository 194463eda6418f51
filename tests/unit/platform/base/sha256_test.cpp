#include "platform/base/sha256.h"

#include <gtest/gtest.h>

#include "platform/base/base64.h"

namespace tripod {
namespace {

std::string digest(BytesView content) {
  Sha256 hash;
  hash.update(content);
  return to_hex(hash.finish());
}

TEST(Sha256, gives_the_published_digests) {
  EXPECT_EQ(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest(Bytes(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, does_not_care_where_pieces_end) {
  Bytes content;
  for (int i = 0; i < 1000; ++i) content.push_back(static_cast<char>(i * 7));
  for (std::size_t piece : {1U, 3U, 63U, 64U, 65U, 999U}) {
    Sha256 hash;
    for (std::size_t at = 0; at < content.size(); at += piece) {
      hash.update(BytesView(content).substr(at, piece));
    }
    EXPECT_EQ(to_hex(hash.finish()), digest(content)) << piece;
  }
}

// RFC 4231, cases 2 and 6.
TEST(HmacSha256, gives_the_published_codes) {
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256(Bytes(131, '\xaa'),
                               "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Base64, gives_back_what_went_in) {
  for (const Bytes& bytes :
       {Bytes(), Bytes("f"), Bytes("fo"), Bytes("foo"), Bytes("\xff\xfe\0", 3)}) {
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  }
  EXPECT_EQ(to_base64_url("\xff\xfe"), "__4");
  EXPECT_EQ(from_base64("a*b="), std::nullopt);
}

TEST(ConstantTime, knows_equal_from_other) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
}

}  // namespace
}  // namespace tripod
