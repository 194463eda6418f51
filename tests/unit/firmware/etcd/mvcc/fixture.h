#pragma once
// A store over a state.db in a directory of its own, and short spellings of requests.

#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "firmware/etcd/mvcc/store.h"

namespace tripod::etcd {

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    directory_ = std::filesystem::temp_directory_path() /
                 std::format("tripod-mvcc-{}-{}", getpid(), static_cast<const void*>(this));
    std::filesystem::create_directories(directory_);
    open();
  }
  ~StoreTest() override {
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  void open() {
    auto store = Store::open(directory_ / "state.db", "", 2, [this] { work_wanted_ = true; });
    CHECK(store.has_value(), store ? "" : store.error().to_string());
    store_ = std::move(*store);
    index_ = store_->applied_index();
  }
  /// As after a restart that had committed everything.
  void reopen() {
    store_->commit();
    store_.reset();
    open();
  }

  CommandReply apply(CommandRequest request, MonotonicTime now = {}, std::uint64_t term = 1) {
    Bytes data;
    append_command(data, {1, 1, ++sequence_}, request);
    CommandReply result = reject(outcome::stopped);
    store_->apply(++index_, term, data, now, [&](CommandId id, CommandReply reply) {
      EXPECT_EQ(id.sequence, sequence_);
      result = std::move(reply);
    });
    return result;
  }
  template <typename Response>
  Response must(CommandRequest request) {
    CommandReply reply = apply(std::move(request));
    CHECK(reply.has_value(), reply ? "" : reply.error().message);
    return std::get<Response>(std::move(*reply));
  }
  Revision put(Bytes key, Bytes value, LeaseId lease = 0) {
    return must<PutResponse>(
               PutRequest{.key = std::move(key), .value = std::move(value), .lease = lease})
        .header.revision;
  }
  DeleteRangeResponse erase(Bytes key, Bytes end = {}) {
    return must<DeleteRangeResponse>(
        DeleteRangeRequest{.key = std::move(key), .range_end = std::move(end), .prev_kv = true});
  }
  void compact(Revision revision) {
    must<CompactionResponse>(CompactionRequest{.revision = revision});
    while (!store_->space().compact_some(3)) continue;
  }
  std::size_t rows_in_file() {
    std::size_t rows = 0;
    store_->db().scan_heads(0, std::numeric_limits<RowId>::max(), [&](RowId, const Row&) {
      ++rows;
      return true;
    });
    return rows;
  }
  /// "a=1 b=2 (2 more)" of [key, end) at a revision, or the error's text.
  std::string list(RangeRequest request) {
    auto reply = store_->space().range(request);
    if (!reply) return reply.error().message;
    std::string out;
    for (const KeyValue& kv : reply->kvs) {
      if (!out.empty()) out += ' ';
      out += kv.key + "=" + kv.value;
    }
    if (reply->more) out += " more";
    return out + std::format(" #{}", reply->count);
  }
  std::string list(Bytes key, Bytes end = {}, Revision revision = 0) {
    return list(
        RangeRequest{.key = std::move(key), .range_end = std::move(end), .revision = revision});
  }
  KeySpace& space() { return store_->space(); }

  static inline const Bytes everything{"\0", 1};

  std::filesystem::path directory_;
  std::unique_ptr<Store> store_;
  std::uint64_t index_ = 0;
  std::uint64_t sequence_ = 0;
  bool work_wanted_ = false;
};

}  // namespace tripod::etcd
