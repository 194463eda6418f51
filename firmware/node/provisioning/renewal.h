#pragma once
// Certificates that end are signed anew, and files that changed are taken up. The key of a
// certificate stays, so that a renewal is one file that is replaced in one step.
//
// Signed by the authorities if this board holds their keys, else by another board, asked with this
// board's own certificate. A clock that cannot be right renews nothing: one before the certificate
// or its authority began. One that runs ahead does no harm (README.md: when certificates begin).
//
// Lives on the loop thread; keys are used on the crypto lane.

#include <functional>
#include <map>
#include <string>

#include "firmware/kube/client/client.h"
#include "firmware/node/provisioning/authorities.h"
#include "firmware/node/provisioning/requests.h"
#include "platform/base/metrics.h"

namespace tripod::node {

enum class Due : std::uint8_t {
  no,
  yes,
  clock_is_wrong,
  authority_ends,  // no certificate of it can last longer
};

/// Pure. `lifetime` is that of new certificates; `jitter` from 0 to 1 spreads boards that began
/// together: a third of the lifetime is left, or a little less.
Due is_due(const pki::CertificateFacts& certificate, const pki::CertificateFacts& authority,
           std::chrono::seconds lifetime, double jitter, WallTime now);

class Renewal {
 public:
  /// `api` is null on a board without an API server. `changed` is called when files are others than
  /// before.
  Renewal(const Config& config, const Authorities& authorities, kube::Client* api, os::World world,
          metrics::Registry& metrics, std::function<void()> changed);

  /// Until its scope is cancelled.
  Task<void> run();

 private:
  struct Wanted {
    CertificateFiles files;
    pki::CertificateFacts facts;
  };

  Task<void> look();
  std::vector<Wanted> wanted();
  Task<Result<>> renew_elsewhere(std::vector<Wanted> wanted);
  Task<std::vector<EtcdServer>> others();
  Result<Caller> own_caller();
  std::string fingerprint();
  void say_once(std::string text);

  const Config& config_;
  const Authorities& authorities_;
  kube::Client* api_;
  os::World world_;
  metrics::Registry& metrics_;
  std::function<void()> changed_;
  Logger log_;
  double jitter_;
  std::string fingerprint_;
  std::string said_;
};

/// Before the start, when certificates have ended while the board was off: those that this board
/// can sign by itself.
Result<> renew_ended(const Config& config, os::World world);

}  // namespace tripod::node
