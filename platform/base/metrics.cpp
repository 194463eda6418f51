#include "platform/base/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <format>

#include "platform/base/check.h"

namespace tripod::metrics {
namespace {

std::string escape(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::string render(const Labels& labels, std::string_view extra = {}) {
  if (labels.empty() && extra.empty()) return "";
  std::string out = "{";
  for (const auto& [name, value] : labels) {
    if (out.size() > 1) out += ',';
    out += std::format("{}=\"{}\"", name, escape(value));
  }
  if (!extra.empty()) {
    if (out.size() > 1) out += ',';
    out += extra;
  }
  return out + "}";
}

std::string_view type_name(char type) {
  return type == 'c' ? "counter" : type == 'g' ? "gauge" : "histogram";
}

}  // namespace

struct Registry::Family {
  char type;
  std::string help;
  std::map<Labels, std::unique_ptr<Counter>> counters;
  std::map<Labels, std::unique_ptr<Gauge>> gauges;
  std::map<Labels, std::unique_ptr<Histogram>> histograms;
};

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {
  CHECK(std::ranges::is_sorted(bounds_));
}

void Histogram::observe(double value) {
  auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  ++counts_[static_cast<std::size_t>(bucket)];
  sum_ += value;
  ++count_;
}

Registry::Registry() = default;
Registry::~Registry() = default;

Registry::Family& Registry::family(std::string_view name, std::string_view help, char type) {
  auto found = families_.find(name);
  if (found == families_.end()) {
    auto made = std::make_unique<Family>(Family{type, std::string(help), {}, {}, {}});
    found = families_.emplace(std::string(name), std::move(made)).first;
  }
  CHECK(found->second->type == type, name);
  return *found->second;
}

Counter& Registry::counter(std::string_view name, std::string_view help, const Labels& labels) {
  auto& slot = family(name, help, 'c').counters[labels];
  if (!slot) slot = std::make_unique<Counter>();
  return *slot;
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  auto& slot = family(name, help, 'g').gauges[labels];
  if (!slot) slot = std::make_unique<Gauge>();
  return *slot;
}

Histogram& Registry::histogram(std::string_view name, std::string_view help,
                               const std::vector<double>& bounds, const Labels& labels) {
  auto& slot = family(name, help, 'h').histograms[labels];
  if (!slot) slot = std::make_unique<Histogram>(bounds);
  return *slot;
}

void Registry::on_collect(std::function<void()> refresh) {
  refreshers_.push_back(std::move(refresh));
}

std::string Registry::expose() {
  for (const auto& refresh : refreshers_) refresh();
  std::string out;
  for (const auto& [name, family] : families_) {
    out += std::format("# HELP {} {}\n# TYPE {} {}\n", name, family->help, name,
                       type_name(family->type));
    for (const auto& [labels, series] : family->counters) {
      out += std::format("{}{} {}\n", name, render(labels), series->value());
    }
    for (const auto& [labels, series] : family->gauges) {
      out += std::format("{}{} {}\n", name, render(labels), series->value());
    }
    for (const auto& [labels, series] : family->histograms) {
      std::uint64_t cumulative = 0;
      for (std::size_t i = 0; i < series->bounds().size(); ++i) {
        cumulative += series->counts()[i];
        std::string le = std::format("le=\"{}\"", series->bounds()[i]);
        out += std::format("{}_bucket{} {}\n", name, render(labels, le), cumulative);
      }
      out += std::format("{}_bucket{} {}\n", name, render(labels, "le=\"+Inf\""), series->count());
      out += std::format("{}_sum{} {}\n", name, render(labels), series->sum());
      out += std::format("{}_count{} {}\n", name, render(labels), series->count());
    }
  }
  return out;
}

}  // namespace tripod::metrics
