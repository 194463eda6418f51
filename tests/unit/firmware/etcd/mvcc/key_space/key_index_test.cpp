#include "firmware/etcd/mvcc/key_space/key_index.h"

#include <gtest/gtest.h>

#include <random>

namespace tripod::etcd {
namespace {

Bytes name_of_key(unsigned number) {
  return std::format("key-{:05}", number);
}

TEST(RowList, keeps_order_through_growth_and_shrinking) {
  RowList rows;
  for (RowId id = 1; id <= 20; ++id) rows.push_back(id);
  EXPECT_EQ(rows.size(), 20U);
  rows.drop_front(5);
  EXPECT_EQ(*rows.begin(), 6);
  RowList moved = std::move(rows);
  EXPECT_TRUE(rows.empty());
  moved.drop_front(14);
  EXPECT_EQ(moved.size(), 1U);
  EXPECT_EQ(moved.back(), 20);
  moved.push_back(21);
  EXPECT_EQ(moved.size(), 2U);
  moved.drop_front(2);
  EXPECT_TRUE(moved.empty());
  moved.push_back(30);
  EXPECT_EQ(moved.back(), 30);
}

TEST(KeyIndex, finds_and_scans_as_a_sorted_map_does) {
  KeyIndex index;
  std::map<Bytes, RowId> model;
  std::mt19937 random(7);
  for (RowId row = 1; row <= 5000; ++row) {
    const Bytes key = name_of_key(static_cast<unsigned>(random() % 3000));
    index.obtain(key).rows.push_back(row_id(row, 0, false));
    model[key] = row_id(row, 0, false);
  }
  EXPECT_EQ(index.size(), model.size());
  for (unsigned i = 0; i < 3000; ++i) {
    const IndexEntry* entry = index.find(name_of_key(i));
    const auto found = model.find(name_of_key(i));
    ASSERT_EQ(entry != nullptr, found != model.end());
    if (entry != nullptr) EXPECT_EQ(entry->rows.back(), found->second);
  }
  for (int round = 0; round < 50; ++round) {
    const Bytes begin = name_of_key(static_cast<unsigned>(random() % 3000));
    const Bytes end = name_of_key(static_cast<unsigned>(random() % 3000));
    std::vector<Bytes> seen;
    index.scan(KeyRange::of(begin, end), [&](const IndexEntry& entry) {
      seen.push_back(entry.key);
      return true;
    });
    std::vector<Bytes> wanted;
    for (auto it = model.lower_bound(begin); it != model.end() && it->first < end; ++it) {
      wanted.push_back(it->first);
    }
    EXPECT_EQ(seen, wanted);
  }
}

TEST(KeyIndex, compaction_in_slices_drops_the_same_as_at_once) {
  for (const std::size_t slice : {std::size_t{1}, std::size_t{7}, std::size_t{100000}}) {
    KeyIndex index;
    std::mt19937 random(3);
    for (Revision revision = 2; revision < 3000; ++revision) {
      IndexEntry& entry = index.obtain(name_of_key(static_cast<unsigned>(random() % 300)));
      const bool erase = entry.alive() && random() % 4 == 0;
      entry.created = erase ? 0 : revision;
      entry.rows.push_back(row_id(revision, 0, erase));
    }
    std::set<RowId> dropped;
    std::map<Bytes, std::optional<RowId>> before;
    const Revision at = 2000;
    index.scan(KeyRange::of("", BytesView("\0", 1)), [&](const IndexEntry& entry) {
      before[entry.key] = entry.at(at);
      return true;
    });
    Bytes cursor;
    while (!index.compact_some(cursor, slice, at, [&](RowId id) { dropped.insert(id); })) continue;
    EXPECT_GT(dropped.size(), 1000U);
    std::size_t left = 0;
    index.scan(KeyRange::of("", BytesView("\0", 1)), [&](const IndexEntry& entry) {
      EXPECT_EQ(entry.at(at), before[entry.key]) << entry.key;
      for (const RowId id : entry.rows) EXPECT_FALSE(dropped.contains(id));
      left += entry.rows.size();
      return true;
    });
    EXPECT_EQ(left + dropped.size(), 2998U);
  }
}

TEST(KeyIndex, an_entry_is_small) {
  EXPECT_LE(sizeof(IndexEntry), 72U);
}

}  // namespace
}  // namespace tripod::etcd
