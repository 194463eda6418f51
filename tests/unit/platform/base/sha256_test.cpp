#include "platform/base/sha256.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace tripod
