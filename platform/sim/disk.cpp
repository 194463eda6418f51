#include "platform/sim/disk.h"

#include <sqlite3.h>

#include <format>

#include "platform/base/check.h"

namespace tripod::sim {
namespace {

/// What a disk writes in one piece.
constexpr std::size_t sector_bytes = 512;

}  // namespace

void DiskFile::apply(Bytes& content, const Change& change) {
  if (change.truncates) {
    content.resize(change.offset);
    return;
  }
  const std::size_t bytes = change.data.size();
  if (content.size() < change.offset + bytes) content.resize(change.offset + bytes);
  content.replace(change.offset, bytes, change.data);
}

void DiskFile::apply_damaged(Bytes& content, Change change, Random& random, Loss loss) {
  if (loss == Loss::flipped && !change.data.empty() && random.chance(0.5)) {
    for (std::uint64_t flips = 1 + random.below(8); flips > 0; --flips) {
      char& byte = change.data[static_cast<std::size_t>(random.below(change.data.size()))];
      byte = static_cast<char>(byte ^ (1 << random.below(8)));
    }
  }
  if (loss != Loss::torn || change.data.empty() || random.chance(0.5)) {
    return apply(content, change);
  }
  for (std::size_t at = 0; at < change.data.size(); at += sector_bytes) {
    if (random.chance(0.5)) continue;
    apply(content, {change.offset + at, change.data.substr(at, sector_bytes), false});
  }
}

void DiskFile::write(std::size_t offset, BytesView data) {
  changes_.push_back({offset, Bytes(data), false});
  apply(current_, changes_.back());
}

void DiskFile::truncate(std::size_t size) {
  changes_.push_back({size, {}, true});
  apply(current_, changes_.back());
}

void DiskFile::sync() {
  for (const Change& change : changes_) apply(durable_, change);
  changes_.clear();
  ever_synced_ = true;
}

std::optional<Bytes> DiskFile::after_crash(Random& random, Loss loss) const {
  if (!ever_synced_ && (loss == Loss::everything || random.chance(0.5))) return std::nullopt;
  Bytes left = durable_;
  if (loss == Loss::everything) return left;
  const auto tail = static_cast<std::size_t>(random.below(changes_.size() + 1));
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    const bool kept = loss == Loss::a_tail ? i < tail : random.chance(0.5);
    if (kept) apply_damaged(left, changes_[i], random, loss);
  }
  return left;
}

Disk::Disk(const std::string& name, Random& random)
    // SQLite's list of VFSes is the process's: other worlds may have a disk of that name.
    : name_(std::format("{}@{}", name, static_cast<const void*>(this))), random_(random) {
  vfs_ = register_vfs(*this, name_);
}

Disk::~Disk() {
  withdraw_vfs(*vfs_);
}

std::shared_ptr<DiskFile> Disk::find(const std::string& path) const {
  auto found = files_.find(path);
  return found == files_.end() ? nullptr : found->second;
}

std::shared_ptr<DiskFile> Disk::create(const std::string& path) {
  auto& file = files_[path];
  if (!file) file = std::make_shared<DiskFile>();
  return file;
}

void Disk::rename(const std::string& from, const std::string& to) {
  auto node = files_.extract(from);
  CHECK(!node.empty());
  files_[to] = std::move(node.mapped());
}

std::vector<std::string> Disk::paths() const {
  std::vector<std::string> all;
  for (const auto& [path, file] : files_) all.push_back(path);
  return all;
}

std::uint64_t Disk::used_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [path, file] : files_) sum += file->content().size();
  return sum;
}

Disk::Image Disk::image_after_cut(Random& random, Loss loss) const {
  Image image;
  for (const auto& [path, file] : files_) {
    std::optional<Bytes> content = file->after_crash(random, loss);
    if (content) image.emplace(path, std::move(*content));
  }
  return image;
}

void Disk::restore(const Image& image) {
  files_.clear();
  for (const auto& [path, content] : image) {
    auto file = std::make_shared<DiskFile>();
    file->write(0, content);
    file->sync();
    files_.emplace(path, std::move(file));
  }
  begin_life();
}

void Disk::crash() {
  restore(image_after_cut(random_, static_cast<Loss>(random_.below(kinds_of_loss))));
}

void Disk::reopen() {
  for (auto& [path, file] : files_) file = std::make_shared<DiskFile>(*file);
  begin_life();
}

void Disk::begin_life() {
  ++life_;
  tripped_ = false;
  failed_ = false;
  trip_in_ = 0;
  fail_in_ = 0;
}

void Disk::fail_after(std::uint64_t operations, DiskError error) {
  fail_in_ = operations + 1;
  failure_ = error;
}

DiskError Disk::admit(std::uint64_t life, std::uint64_t grow_bytes, bool is_sync) {
  if (life != life_ || tripped_) return DiskError::io;
  if (observer_) observer_();
  ++operations_;
  if (is_sync) ++syncs_;
  if (trip_in_ != 0 && --trip_in_ == 0) {
    tripped_ = true;
    return DiskError::io;
  }
  if (fail_in_ != 0 && --fail_in_ == 0) {
    failed_ = true;
    return failure_;
  }
  if (grow_bytes > 0 && capacity_bytes_ != UINT64_MAX &&
      used_bytes() + grow_bytes > capacity_bytes_) {
    return DiskError::full;
  }
  return DiskError::none;
}

}  // namespace tripod::sim
