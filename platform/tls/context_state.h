#pragma once
// The mbedTLS objects of a Context; inside platform/tls only. Handshakes, which use the key and
// verify chains, all run on one lane; record protection needs none of it.

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "platform/tls/context.h"
#include "platform/tls/verified_chains.h"

namespace tripod::tls {

struct Context::State {
  State();
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  mbedtls_ssl_config config;
  mbedtls_x509_crt certificate;
  mbedtls_x509_crt authority;
  mbedtls_pk_context key;
  VerifiedChains clients;         // of servers
  std::vector<const char*> alpn;  // null-terminated, into Options
};

/// "doing: SSL - A fatal alert message was received from our peer".
Error mbedtls_error(int code, std::string_view doing);

}  // namespace tripod::tls
