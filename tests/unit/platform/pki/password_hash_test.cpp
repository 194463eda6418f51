#include "platform/pki/password_hash.h"

#include <gtest/gtest.h>

namespace tripod::pki {
namespace {

constexpr PasswordSalt salt{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

TEST(PasswordHash, has_the_documented_form) {
  // Reference: Python's hashlib.pbkdf2_hmac("sha256", b"secret", bytes(range(1, 17)), 4096).
  EXPECT_EQ(
      hash_password("secret", salt, 4096),
      "pbkdf2-sha256$4096$AQIDBAUGBwgJCgsMDQ4PEA==$5fkbUT8i7Lk3tOnTwBj8R0QoKLJRkj3fUj4t240H4+w=");
}

TEST(PasswordHash, only_the_password_itself_matches) {
  const std::string hash = hash_password("secret", salt, 10);
  EXPECT_TRUE(password_matches("secret", hash));
  EXPECT_FALSE(password_matches("Secret", hash));
  EXPECT_FALSE(password_matches("", hash));
  EXPECT_TRUE(password_matches("", hash_password("", salt, 10)));
}

TEST(PasswordHash, what_is_no_hash_matches_nothing) {
  for (const std::string_view hash :
       {"", "$2a$10$bcrypt", "pbkdf2-sha256$",
        "pbkdf2-sha256$0$AQ==$AQ==", "pbkdf2-sha256$99999999999$AQIDBAUGBwgJCgsMDQ4PEA==$AQ==",
        "pbkdf2-sha256$10$AQIDBAUGBwgJCgsMDQ4PEA==$",
        "pbkdf2-sha256$10$AQIDBAUGBwgJCgsMDQ4PEA==", "pbkdf2-sha256$10$????$AQ=="}) {
    EXPECT_FALSE(password_matches("", hash)) << hash;
  }
}

}  // namespace
}  // namespace tripod::pki
