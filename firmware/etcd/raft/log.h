#pragma once
// The log as the core sees it: where it starts and ends, the term of every place in it (kept as
// runs, for terms change rarely), and the entries of a recent stretch. Older entries are on disk;
// whoever needs one asks for a read.
//
//   base <= applied <= handed out <= min(committed, durable)
//   committed <= last, durable <= last
//
// Entries that are not durable are always in memory; the rest of the stretch is bounded by
// Limits::cache_*.

#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "firmware/etcd/raft/recovered.h"
#include "firmware/etcd/raft/types.h"

namespace tripod::etcd::raft {

class Log {
 public:
  Log(const Recovered& recovered, LogIndex applied, const Limits& limits);

  LogPosition base() const { return base_; }
  LogIndex first() const { return base_.index.next(); }
  LogPosition last() const;
  LogIndex committed() const { return committed_; }
  LogIndex durable() const { return durable_; }
  LogIndex handed_out() const { return handed_out_; }
  LogIndex applied() const { return applied_; }
  /// Of `base` to `last`; nothing outside.
  std::optional<Term> term_at(LogIndex index) const;
  bool matches(LogPosition position) const { return term_at(position.index) == position.term; }
  /// Whether a log that ends in `other` has at least what this one has (thesis section 3.6.1).
  bool up_to_date(LogPosition other) const;
  /// The last place at or before `index` whose term is not above `term`.
  LogPosition hint(LogIndex index, Term term) const;

  /// Adds one at the end.
  void append(Entry entry);
  /// Takes what a leader sent after a place that matches: skips what is there, cuts off what
  /// contradicts, adds the rest.
  void merge(std::span<Entry> entries);
  /// Commits up to `index`, which is not beyond the end. Going back does nothing.
  void commit_to(LogIndex index);
  /// Starts anew behind a snapshot.
  void reset(LogPosition base);
  /// A snapshot brought the state machine to `index`, which is durable here: nothing up to it is
  /// handed out.
  void skip_to(LogIndex index);
  /// Forgets everything up to `index`, which is applied.
  void compact(LogIndex index);

  /// Entries that nobody was told to persist yet; they count as told afterwards.
  std::vector<Entry> take_unpersisted();
  bool has_unpersisted() const { return told_to_persist_ < last().index; }
  /// All that take_unpersisted() gave and that was not cut off since is durable.
  void persisted();

  /// Committed, durable entries after handed_out(), as far as they are in memory and fit
  /// `bytes_max` (at least one).
  std::vector<Entry> take_committed(std::size_t bytes_max);
  /// Whether the next of them is on disk only.
  bool committed_on_disk() const {
    return handed_out_ < std::min(committed_, durable_) && !in_memory(handed_out_.next());
  }
  void applied_to(LogIndex index);

  bool in_memory(LogIndex index) const { return find(index) != nullptr; }
  /// Entries from `first` on that are in memory, without a gap, within the bounds but at least one.
  std::vector<Entry> entries(LogIndex first, std::size_t bytes_max, std::size_t count_max) const;
  /// Keeps entries read from disk until the next ones come; drops them if they are not of this log.
  void offer(std::vector<Entry> entries);

  /// Bytes that are not both committed and durable.
  std::size_t unsettled_bytes() const { return unsettled_bytes_; }
  /// Whether a configuration entry lies after `from` and at or before `to`.
  bool conf_change_within(LogIndex from, LogIndex to) const;

 private:
  void cut_from(LogIndex index);
  void settle();
  void shrink_cache();
  const Entry* find(LogIndex index) const;

  Limits limits_;
  LogPosition base_;
  std::vector<TermRun> runs_;  // of the entries after base
  std::vector<LogIndex> conf_changes_;
  std::deque<Entry> cache_;    // ends with last, unless empty
  std::vector<Entry> window_;  // read from disk for someone who is behind
  std::size_t cache_bytes_ = 0;
  std::size_t unsettled_bytes_ = 0;
  LogIndex last_;
  LogIndex committed_;
  LogIndex durable_;
  LogIndex told_to_persist_;
  LogIndex settled_;  // committed and durable, or there when this life began
  LogIndex handed_out_;
  LogIndex applied_;
};

}  // namespace tripod::etcd::raft
