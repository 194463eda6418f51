#include "firmware/etcd/raft/log.h"

#include "platform/base/check.h"

namespace tripod::etcd::raft {

Log::Log(const Recovered& recovered, LogIndex applied, const Limits& limits)
    : limits_(limits),
      base_(recovered.base),
      runs_(recovered.term_runs),
      conf_changes_(recovered.conf_changes),
      last_(recovered.last),
      committed_(std::max({recovered.hard_state.commit, recovered.base.index, applied})),
      durable_(recovered.last),
      told_to_persist_(recovered.last),
      settled_(recovered.last),
      handed_out_(applied),
      applied_(applied) {
  CHECK(base_.index <= applied_ && applied_ <= last_);
  CHECK(committed_ <= last_);
  CHECK(runs_.empty() == (base_.index == last_));
}

LogPosition Log::last() const {
  return {last_, runs_.empty() ? base_.term : runs_.back().term};
}

std::optional<Term> Log::term_at(LogIndex index) const {
  if (index == base_.index) return base_.term;
  if (index < base_.index || index > last_) return std::nullopt;
  auto after = std::ranges::upper_bound(runs_, index, {}, &TermRun::first);
  CHECK(after != runs_.begin());
  return std::prev(after)->term;
}

bool Log::up_to_date(LogPosition other) const {
  LogPosition own = last();
  return other.term > own.term || (other.term == own.term && other.index >= own.index);
}

LogPosition Log::hint(LogIndex index, Term term) const {
  index = std::min(index, last_);
  if (index <= base_.index) return base_;
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
    if (run->first <= index && run->term <= term) return {index, run->term};
    if (run->first <= index) index = run->first.previous();
  }
  return base_;
}

void Log::append(Entry entry) {
  CHECK(entry.index == last_.next());
  CHECK(entry.term >= last().term);
  if (runs_.empty() || runs_.back().term != entry.term) runs_.push_back({entry.index, entry.term});
  if (entry.type == EntryType::conf_change) conf_changes_.push_back(entry.index);
  last_ = entry.index;
  cache_bytes_ += entry.size_bytes();
  unsettled_bytes_ += entry.size_bytes();
  cache_.push_back(std::move(entry));
}

void Log::merge(std::span<Entry> entries) {
  for (Entry& entry : entries) {
    if (entry.index <= base_.index) continue;
    if (term_at(entry.index) == entry.term) continue;
    if (entry.index <= last_) cut_from(entry.index);
    append(std::move(entry));
  }
}

void Log::cut_from(LogIndex index) {
  CHECK(index > committed_,
        std::format("entry {} is committed up to {}", index.value, committed_.value));
  while (!cache_.empty() && cache_.back().index >= index) {
    std::size_t bytes = cache_.back().size_bytes();
    cache_bytes_ -= bytes;
    if (cache_.back().index > settled_) unsettled_bytes_ -= bytes;
    cache_.pop_back();
  }
  while (!runs_.empty() && runs_.back().first >= index) runs_.pop_back();
  while (!conf_changes_.empty() && conf_changes_.back() >= index) conf_changes_.pop_back();
  window_.clear();
  last_ = index.previous();
  durable_ = std::min(durable_, last_);
  told_to_persist_ = std::min(told_to_persist_, last_);
  settled_ = std::min(settled_, last_);
}

void Log::commit_to(LogIndex index) {
  CHECK(index <= last_, std::format("commit {} beyond last {}", index.value, last_.value));
  if (index <= committed_) return;
  committed_ = index;
  settle();
}

void Log::settle() {
  LogIndex both = std::min(committed_, durable_);
  while (settled_ < both) {
    settled_ = settled_.next();
    const Entry* entry = find(settled_);
    CHECK(entry != nullptr && unsettled_bytes_ >= entry->size_bytes());
    unsettled_bytes_ -= entry->size_bytes();
  }
  shrink_cache();
}

void Log::reset(LogPosition base) {
  CHECK(base.index > committed_);
  base_ = base;
  runs_.clear();
  conf_changes_.clear();
  cache_.clear();
  window_.clear();
  cache_bytes_ = 0;
  unsettled_bytes_ = 0;
  last_ = committed_ = durable_ = told_to_persist_ = settled_ = handed_out_ = applied_ = base.index;
}

void Log::skip_to(LogIndex index) {
  CHECK(index >= handed_out_ && index <= durable_);
  commit_to(index);
  handed_out_ = applied_ = index;
}

void Log::compact(LogIndex index) {
  CHECK(index <= applied_);
  if (index <= base_.index) return;
  base_ = {index, *term_at(index)};
  auto keep = std::ranges::upper_bound(runs_, index, {}, &TermRun::first);
  if (index == last_) {
    runs_.clear();
  } else {
    // The run that holds `index` goes on behind it, unless the next one starts right there.
    bool next_starts = keep != runs_.end() && keep->first == index.next();
    if (!next_starts) (--keep)->first = index.next();
    runs_.erase(runs_.begin(), keep);
  }
  std::erase_if(conf_changes_, [&](LogIndex at) { return at <= index; });
  while (!cache_.empty() && cache_.front().index <= index) {
    cache_bytes_ -= cache_.front().size_bytes();
    cache_.pop_front();
  }
  if (!window_.empty() && window_.front().index <= index) window_.clear();
}

std::vector<Entry> Log::take_unpersisted() {
  std::vector<Entry> entries;
  for (LogIndex index = told_to_persist_.next(); index <= last_; index = index.next()) {
    const Entry* entry = find(index);
    CHECK(entry != nullptr, "an entry that is not durable left memory");
    entries.push_back(*entry);
  }
  told_to_persist_ = last_;
  return entries;
}

void Log::persisted() {
  CHECK(durable_ <= told_to_persist_);
  durable_ = told_to_persist_;
  settle();
}

std::vector<Entry> Log::take_committed(std::size_t bytes_max) {
  std::vector<Entry> taken;
  LogIndex end = std::min(committed_, durable_);
  std::size_t bytes = 0;
  while (handed_out_ < end) {
    const Entry* entry = find(handed_out_.next());
    if (entry == nullptr) break;
    bytes += entry->size_bytes();
    if (!taken.empty() && bytes > bytes_max) break;
    taken.push_back(*entry);
    handed_out_ = entry->index;
  }
  return taken;
}

void Log::applied_to(LogIndex index) {
  CHECK(index >= applied_ && index <= handed_out_,
        std::format("applied {} -> {}, handed out {}", applied_.value, index.value,
                    handed_out_.value));
  applied_ = index;
}

std::vector<Entry> Log::entries(LogIndex first, std::size_t bytes_max,
                                std::size_t count_max) const {
  std::vector<Entry> found;
  std::size_t bytes = 0;
  for (LogIndex index = first; index <= last_ && found.size() < count_max; index = index.next()) {
    const Entry* entry = find(index);
    if (entry == nullptr) break;
    bytes += entry->size_bytes();
    if (!found.empty() && bytes > bytes_max) break;
    found.push_back(*entry);
  }
  return found;
}

void Log::offer(std::vector<Entry> entries) {
  window_.clear();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].index.value != entries[0].index.value + i) return;
    if (entries[i].index <= base_.index || term_at(entries[i].index) != entries[i].term) return;
  }
  window_ = std::move(entries);
}

const Entry* Log::find(LogIndex index) const {
  if (!cache_.empty() && index >= cache_.front().index && index <= cache_.back().index) {
    return &cache_[static_cast<std::size_t>(index.value - cache_.front().index.value)];
  }
  if (!window_.empty() && index >= window_.front().index && index <= window_.back().index) {
    return &window_[static_cast<std::size_t>(index.value - window_.front().index.value)];
  }
  return nullptr;
}

void Log::shrink_cache() {
  while (!cache_.empty() && cache_.front().index <= settled_ &&
         (cache_bytes_ > limits_.cache_bytes_max || cache_.size() > limits_.cache_entries_max)) {
    cache_bytes_ -= cache_.front().size_bytes();
    cache_.pop_front();
  }
}

bool Log::conf_change_within(LogIndex from, LogIndex to) const {
  auto after = std::ranges::upper_bound(conf_changes_, from);
  return after != conf_changes_.end() && *after <= to;
}

}  // namespace tripod::etcd::raft
