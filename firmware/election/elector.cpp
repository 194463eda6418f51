#include "firmware/election/elector.h"

namespace tripod::election {
namespace {

constexpr double jitter_factor = 1.2;
constexpr std::string_view leader_annotation = "control-plane.alpha.kubernetes.io/leader";
constexpr std::chrono::seconds healthy_grace{20};
constexpr std::chrono::seconds release_timeout{2};

}  // namespace

std::string make_identity(std::string_view host, os::Entropy& entropy) {
  std::uint64_t high = (entropy.next() & ~0xf000ULL) | 0x4000ULL;       // version 4
  std::uint64_t low = (entropy.next() & ~(3ULL << 62)) | (2ULL << 62);  // RFC 9562 variant
  return std::format("{}_{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", host, high >> 32,
                     high >> 16 & 0xffff, high & 0xffff, low >> 48, low & 0xffffffffffffULL);
}

Result<> Config::validate() const {
  if (!leader_elect) return {};
  if (lease_duration <= renew_deadline) {
    return fail(ErrorCode::invalid,
                "leader-elect-lease-duration must be greater than leader-elect-renew-deadline");
  }
  if (std::chrono::duration<double>(renew_deadline) <=
      jitter_factor * std::chrono::duration<double>(retry_period)) {
    return fail(ErrorCode::invalid,
                "leader-elect-renew-deadline must be greater than leader-elect-retry-period * 1.2");
  }
  if (lease_duration < std::chrono::seconds(1)) {
    return fail(ErrorCode::invalid, "leader-elect-lease-duration must be at least 1s");
  }
  if (retry_period.count() <= 0)
    return fail(ErrorCode::invalid, "leader-elect-retry-period must be greater than zero");
  return {};
}

Elector::Elector(kube::Client& client, os::Entropy& entropy, Logger logger, Config config)
    : client_(client),
      clock_(client.clock()),
      entropy_(entropy),
      logger_(std::move(logger)),
      config_(std::move(config)),
      candidate_{config_.identity,
                 std::chrono::duration_cast<std::chrono::seconds>(config_.lease_duration)} {
  CHECK(config_.validate().has_value());
  CHECK(!config_.identity.empty() && !config_.resource_name.empty());
}

bool Elector::may_write() const {
  if (!leading_) return false;
  return !config_.leader_elect || clock_.now() < renewed_at_ + config_.renew_deadline;
}

Result<> Elector::healthy() const {
  if (!leading_ || !config_.leader_elect) return {};
  if (clock_.now() <= renewed_at_ + config_.lease_duration + healthy_grace) return {};
  return fail(ErrorCode::timeout, std::format("failed election to renew leadership on lease {}",
                                              config_.resource_name));
}

Task<void> Elector::run(Elected& work, kube::EventRecorder* events) {
  events_ = events;
  async::ScopeCore& scope = co_await async::current_scope();
  while (!scope.cancelled()) {
    if (!co_await acquire()) co_return;
    leading_ = true;
    logger_.info("became leader", LogField("lease", config_.resource_name),
                 LogField("identity", config_.identity));
    tell("became leader");
    co_await hold(work);
    leading_ = false;
    logger_.info("stopped leading", LogField("lease", config_.resource_name));
    if (scope.cancelled() && config_.leader_elect) co_await release();
  }
}

/// False when cancelled first.
Task<bool> Elector::acquire() {
  if (!config_.leader_elect) co_return true;
  async::ScopeCore& scope = co_await async::current_scope();
  Scope watching(scope.executor());
  watching.spawn(watch_for_release());
  const bool won = co_await stand_by();
  watching.cancel();
  co_await watching.join();
  co_return won;
}

Task<bool> Elector::stand_by() {
  async::ScopeCore& scope = co_await async::current_scope();
  while (true) {
    auto won = co_await attempt();
    if (scope.cancelled()) co_return false;
    if (won && *won) co_return true;
    if (!won) {
      logger_.debug("lease not read or written", LogField("lease", config_.resource_name),
                    LogField("error", won.error().to_string()));
    }
    (void)co_await async::with_timeout(clock_, until_next_try(), released_.wait());
    if (scope.cancelled()) co_return false;
  }
}

/// A jittered retry_period as client-go has it, or until the lease runs out when that comes first.
Duration Elector::until_next_try() {
  const double spread = jitter_factor * static_cast<double>(entropy_.next() % 1024) / 1024.0;
  const auto wait = std::chrono::duration_cast<Duration>(config_.retry_period * (1.0 + spread));
  if (!observed_) return wait;
  const Duration left =
      observed_->at + std::chrono::seconds(observed_->record.lease_duration_seconds) - clock_.now();
  return left > Duration::zero() ? std::min(wait, left) : wait;
}

/// Until cancelled. A watch that cannot be had or ends is asked for again after a retry_period.
Task<void> Elector::watch_for_release() {
  async::ScopeCore& scope = co_await async::current_scope();
  while (!scope.cancelled()) {
    (void)co_await async::sleep_for(clock_, config_.retry_period);
    if (!scope.cancelled()) co_await follow_record();
  }
}

Task<void> Elector::follow_record() {
  kube::WatchOptions options{.label_selector = {},
                             .field_selector = "metadata.name=" + config_.resource_name,
                             .resource_version = {}};
  auto stream = co_await client_.watch(resource(), config_.resource_namespace, std::move(options));
  while (stream) {
    auto event = co_await (*stream)->next();
    if (!event || !*event) co_return;
    kube::WatchEvent& seen = **event;
    if (seen.type == kube::WatchEventType::bookmark) continue;
    if (kube::name_of(seen.object) != config_.resource_name) continue;
    const bool free = seen.type == kube::WatchEventType::deleted ||
                      record_of(seen.object).holder_identity.empty();
    if (seen.type != kube::WatchEventType::deleted) remember(std::move(seen.object), clock_.now());
    if (free) released_.notify();
  }
}

/// Runs the work in a scope of its own, until the lease is lost or the caller is cancelled; returns
/// when it has ended.
Task<void> Elector::hold(Elected& work) {
  async::ScopeCore& scope = co_await async::current_scope();
  Scope working(scope.executor());
  working.spawn(work.lead());
  co_await keep_renewing();
  working.cancel();
  co_await working.join();
}

Task<void> Elector::keep_renewing() {
  async::ScopeCore& scope = co_await async::current_scope();
  if (!config_.leader_elect) {
    async::Oneshot<void> never;
    (void)co_await never;
    co_return;
  }
  bool failed = false;
  while (!scope.cancelled()) {
    const MonotonicTime deadline = renewed_at_ + config_.renew_deadline;
    const MonotonicTime next = std::min<MonotonicTime>(
        deadline, clock_.now() + (failed ? config_.retry_period : config_.renew_period()));
    if (!co_await async::sleep_until(clock_, next)) co_return;
    if (clock_.now() >= deadline) break;
    // Half the time at most, so that a lost request is followed by another one in time.
    const Duration limit = std::min<Duration>(deadline - clock_.now(), config_.renew_deadline / 2);
    auto renewed = co_await async::with_timeout(clock_, limit, attempt());
    if (renewed && !*renewed) {
      logger_.warn("lease was taken", LogField("lease", config_.resource_name),
                   LogField("by", leader()));
      break;
    }
    failed = !renewed;
    if (failed && !scope.cancelled()) {
      logger_.warn("lease not renewed", LogField("lease", config_.resource_name),
                   LogField("error", renewed.error().to_string()));
    }
  }
  if (!scope.cancelled()) tell("stopped leading");
}

/// One try to get or keep the lease. False: somebody else's. An error: not known.
Task<Result<bool>> Elector::attempt() {
  const MonotonicTime began = clock_.now();
  // Our own lease is renewed without reading it first; its resourceVersion guards the write.
  const bool ours = object_ && observed_ && observed_->record.holder_identity == config_.identity;
  if (!ours) {
    auto read = co_await client_.get(resource(), config_.resource_namespace, config_.resource_name);
    if (!read && !read.error().is_not_found()) {
      co_return fail(ErrorCode::unavailable, read.error().to_string());
    }
    if (read) {
      remember(std::move(*read), clock_.now());
    } else {
      object_.reset();
      observed_.reset();
    }
  }
  std::optional<Record> current;
  if (observed_) current = observed_->record;
  Action action = elect(candidate_, current, observed_, clock_.now(), clock_.wall_now());
  if (action.step == Step::wait) co_return false;
  auto written = co_await write(std::move(action));
  if (written && *written) renewed_at_ = began;
  co_return written;
}

Task<Result<bool>> Elector::write(Action action) {
  json::Value object = object_ ? *object_ : blank();
  set_record(object, action.desired);
  kube::ApiResult<json::Value> answer;
  if (action.step == Step::create) {
    answer = co_await client_.create(resource(), config_.resource_namespace, std::move(object));
  } else {
    answer = co_await client_.update(resource(), std::move(object));
  }
  if (answer) {
    remember(std::move(*answer), clock_.now());
    co_return true;
  }
  if (answer.error().code == 409 || answer.error().is_not_found()) {
    auto read = co_await client_.get(resource(), config_.resource_namespace, config_.resource_name);
    if (read) {
      remember(std::move(*read), clock_.now());
      const std::string& holder = observed_->record.holder_identity;
      if (!holder.empty() && holder != config_.identity) co_return false;
    } else if (read.error().is_not_found()) {
      object_.reset();
      observed_.reset();
    }
  }
  co_return fail(ErrorCode::unavailable, answer.error().to_string());
}

/// In a scope of its own, for the caller's is cancelled already.
Task<void> Elector::release() {
  async::ScopeCore& scope = co_await async::current_scope();
  Scope releasing(scope.executor());
  auto limit = clock_.call_at(clock_.now() + release_timeout, [&] { releasing.cancel(); });
  releasing.spawn(release_now());
  co_await releasing.join();
}

Task<void> Elector::release_now() {
  if (!object_ || !observed_ || observed_->record.holder_identity != config_.identity) co_return;
  json::Value object = *object_;
  set_record(object, released(observed_->record, clock_.wall_now()));
  auto answer = co_await client_.update(resource(), std::move(object));
  if (!answer) {
    logger_.warn("lease not released", LogField("lease", config_.resource_name),
                 LogField("error", answer.error().to_string()));
  }
  object_.reset();
  observed_.reset();
}

void Elector::remember(json::Value object, MonotonicTime now) {
  observed_ = observe(observed_, record_of(object), now);
  object_ = std::move(object);
}

json::Value Elector::blank() const {
  json::Object object;
  object["apiVersion"] = resource().api_version();
  object["kind"] = resource().kind;
  object["metadata"] =
      json::Object{{"name", config_.resource_name}, {"namespace", config_.resource_namespace}};
  return object;
}

kube::Resource Elector::resource() const {
  return config_.resource_lock == Lock::leases ? kube::resources::leases
                                               : kube::resources::endpoints;
}

Record Elector::record_of(const json::Value& object) const {
  return config_.resource_lock == Lock::leases
             ? from_lease(object)
             : from_annotation(kube::annotation(object, leader_annotation));
}

void Elector::set_record(json::Value& object, const Record& record) const {
  if (config_.resource_lock == Lock::leases) {
    to_lease(record, object);
  } else {
    kube::set_annotation(object, leader_annotation, to_annotation(record));
  }
}

void Elector::tell(std::string_view what) {
  if (!events_ || !object_) return;
  events_->record(resource(), *object_, kube::EventType::normal, "LeaderElection",
                  std::format("{} {}", config_.identity, what));
}

}  // namespace tripod::election
