#pragma once
// A client's watch that goes on through the loss of its member, and notes everything it was told,
// for the promises that etcd's robustness tests list: ordered, unique, atomic, resumable, reliable,
// bookmarkable, with the right previous values.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "firmware/etcd/client.h"
#include "tests/sim/etcd/history.h"

namespace tripod::etcd::robustness {

class Watcher final : public WatchObserver {
 public:
  Watcher(std::string name, Bytes key, Bytes range_end, Model& model)
      : name_(std::move(name)),
        key_(std::move(key)),
        range_end_(std::move(range_end)),
        model_(model) {}

  /// Watches through `client`, from the revision after the last one seen. `skip` more are left out:
  /// a mistake to be noticed.
  void attach(Client& client, Revision skip = 0);
  void detach() { watch_.reset(); }
  bool attached() const { return watch_ != nullptr && !cancelled_; }
  void request_progress() {
    if (watch_) watch_->request_progress();
  }
  Revision seen() const { return seen_; }
  bool watches_everything() const { return key_ == Bytes(1, '\0'); }
  /// Sees each event as it is told.
  std::function<void(const Event&)> on_event;

  void on_events(Revision revision, const std::vector<Event>& events) override;
  void on_cancelled(Revision compact_revision, grpc::Status status) override;

  /// What it was told against what happened.
  std::vector<std::string> check() const;

 private:
  struct Bookmark {
    Revision revision = 0;
    std::size_t events = 0;  // told before it
  };
  /// Revisions from `first` to before `end` were compacted before it could be told of them.
  struct Gap {
    Revision first = 0;
    Revision end = 0;
  };
  bool in_gap(Revision revision) const;
  void violated(std::string what) { violations_.push_back(name_ + ": " + std::move(what)); }

  std::string name_;
  Bytes key_;
  Bytes range_end_;
  Model& model_;
  std::unique_ptr<Watch> watch_;
  bool cancelled_ = false;
  Revision seen_ = 1;  // everything up to here was told
  Revision end_of_last_batch_ = 1;
  std::vector<Event> events_;
  std::vector<Bookmark> bookmarks_;
  std::vector<Gap> gaps_;
  std::vector<std::string> violations_;
};

}  // namespace tripod::etcd::robustness
