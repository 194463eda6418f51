#pragma once
// Counters, gauges and histograms, and their Prometheus text exposition (format 0.0.4).
//
// A Registry belongs to one board. Series are created once and kept by reference: a Counter& stays
// valid as long as its registry. Loop thread only.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tripod::metrics {

/// Label names and values, in exposition order.
using Labels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  void add(double amount = 1) { value_ += amount; }
  double value() const { return value_; }

 private:
  double value_ = 0;
};

class Gauge {
 public:
  void set(double value) { value_ = value; }
  void add(double amount) { value_ += amount; }
  double value() const { return value_; }

 private:
  double value_ = 0;
};

class Histogram {
 public:
  /// `bounds`: upper bounds of the buckets, rising, without +Inf.
  explicit Histogram(std::vector<double> bounds);
  void observe(double value);

  const std::vector<double>& bounds() const { return bounds_; }
  const std::vector<std::uint64_t>& counts() const {
    return counts_;
  }  // not cumulative; last is +Inf
  double sum() const { return sum_; }
  std::uint64_t count() const { return count_; }

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;
  double sum_ = 0;
  std::uint64_t count_ = 0;
};

class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// The series of that family with these labels; made on first use. A name keeps the type it got
  /// first.
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& histogram(std::string_view name, std::string_view help,
                       const std::vector<double>& bounds, const Labels& labels = {});

  /// Called before each exposition, to set gauges that are read rather than kept (memory, queue
  /// lengths).
  void on_collect(std::function<void()> refresh);

  /// The whole exposition, families by name, for `Content-Type: text/plain; version=0.0.4`.
  std::string expose();

 private:
  struct Family;
  Family& family(std::string_view name, std::string_view help, char type);

  std::map<std::string, std::unique_ptr<Family>, std::less<>> families_;
  std::vector<std::function<void()>> refreshers_;
};

}  // namespace tripod::metrics
