#pragma once
// A board whose slots are strings, behind its door: what an update does to it, and how it wakes up.

#include "firmware/update/door.h"
#include "platform/base/sha256.h"
#include "platform/boards/update/boot_choice.h"
#include "platform/http/in_process.h"
#include "platform/pki/signature.h"
#include "tests/unit/firmware/support/test_world.h"

namespace tripod::update {

inline constexpr std::string_view kind = "qemu-virt";
inline constexpr std::size_t piece_bytes = 4096;
inline constexpr std::size_t image_bytes = 3 * piece_bytes + 512;  // not a whole number of pieces

class FakeSlots final : public Slots {
 public:
  Result<SlotFacts> facts() override {
    return SlotFacts{
        .board = std::string(kind), .version = version, .build = build, .boot = boot, .last = last};
  }
  Result<std::string> public_key() override {
    if (key.empty()) return fail(ErrorCode::not_found, "no key");
    return key;
  }
  Result<std::unique_ptr<SlotWriting>> begin(const boards::UpdateManifest&) override {
    ++begun;
    written.clear();
    return std::make_unique<Writing>(*this);
  }
  Result<> try_once(const boards::UpdateManifest& manifest) override {
    last = {.phase = boards::UpdatePhase::trying,
            .partition = boards::other_slot(boot.partition),
            .version = manifest.version,
            .build = manifest.build,
            .reason = ""};
    if (tried) tried();
    return {};
  }

  /// The restart, and what came of it.
  void wake_up(bool healthy) {
    if (healthy) {
      version = last.version;
      build = last.build;
      boot.partition = boot.rule = last.partition;
      last.phase = boards::UpdatePhase::kept;
    } else {
      last.phase = boards::UpdatePhase::failed;
      last.reason = "it was not healthy within 300 s: etcd has no leader";
    }
  }

  std::string version = "0.1.0";
  std::int64_t build = 1;
  std::string key;
  boards::BootFacts boot{.partition = 2, .tried = false, .rule = 2};
  boards::UpdateRecord last;
  Bytes written;
  int begun = 0;
  bool forgetful = false;  // the card returns other bytes
  std::function<void()> tried;

 private:
  class Writing final : public SlotWriting {
   public:
    explicit Writing(FakeSlots& slots) : slots_(slots) {}
    Result<> append(BytesView piece) override {
      slots_.written += piece;
      return {};
    }
    Result<std::string> read_back() override {
      if (slots_.forgetful) slots_.written[7] = static_cast<char>(slots_.written[7] ^ 1);
      Sha256 hash;
      hash.update(slots_.written);
      return to_hex(hash.finish());
    }

   private:
    FakeSlots& slots_;
  };
};

/// What is behind the door.
class Behind final : public http::Handler {
 public:
  Task<void> handle(std::unique_ptr<http::Exchange> exchange) override {
    co_await http::send(*exchange, {.status = 299, .headers = {}}, share("behind"));
  }
};

struct FakeBoard {
  FakeBoard(test::VirtualLoop& loop, std::string name)
      : test_world(loop, name),
        door({.name = name,
              .ready = [this] { return ready; },
              .leads = [this] { return leads; },
              .slots = &slots,
              .piece_bytes = piece_bytes},
             behind, test_world.world),
        admin(loop, door, "kubernetes-admin", {"system:masters"}),
        user(loop, door, "somebody", {"system:authenticated"}),
        nobody(loop, door, "", {}) {}

  test::TestWorld test_world;
  FakeSlots slots;
  Behind behind;
  bool ready = true;
  bool leads = false;
  Door door;
  http::InProcessTransport admin;
  http::InProcessTransport user;
  http::InProcessTransport nobody;
};

inline Bytes image() {
  Bytes bytes(image_bytes, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 1024);
  return bytes;
}

inline boards::UpdateManifest manifest_of(BytesView bytes) {
  Sha256 hash;
  hash.update(bytes);
  return {.board = std::string(kind),
          .version = "0.2.0",
          .build = 2,
          .image_bytes = bytes.size(),
          .image_sha256 = to_hex(hash.finish())};
}

inline Bytes update_file(const boards::UpdateManifest& manifest, const std::string& private_pem,
                         BytesView bytes) {
  test::CountingEntropy entropy;
  auto signature = pki::sign(private_pem, boards::signed_text(manifest), entropy);
  CHECK(signature.has_value());
  return boards::encode_update_head(manifest, *signature) + Bytes(bytes);
}

}  // namespace tripod::update
