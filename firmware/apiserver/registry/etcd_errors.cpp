#include "firmware/apiserver/registry/etcd_errors.h"

namespace tripod::apiserver {

kube::StatusError from_etcd(const grpc::Status& status, const kube::GroupResource& resource,
                            std::string_view verb) {
  switch (status.code) {
    case grpc::StatusCode::unavailable:
    case grpc::StatusCode::deadline_exceeded:
    case grpc::StatusCode::cancelled:
    case grpc::StatusCode::aborted: return kube::errors::server_timeout(resource, verb, 2);
    case grpc::StatusCode::resource_exhausted:
      return kube::errors::too_many_requests(status.message, 1);
    case grpc::StatusCode::ok:
    case grpc::StatusCode::unknown:
    case grpc::StatusCode::invalid_argument:
    case grpc::StatusCode::not_found:
    case grpc::StatusCode::already_exists:
    case grpc::StatusCode::permission_denied:
    case grpc::StatusCode::failed_precondition:
    case grpc::StatusCode::out_of_range:
    case grpc::StatusCode::unimplemented:
    case grpc::StatusCode::internal:
    case grpc::StatusCode::data_loss:
    case grpc::StatusCode::unauthenticated: return kube::errors::internal_error(status.message);
  }
  return kube::errors::internal_error(status.message);
}

bool is_compacted(const grpc::Status& status) {
  return status.code == grpc::StatusCode::out_of_range &&
         status.message.find("has been compacted") != std::string::npos;
}

Bytes prefix_end(std::string_view prefix) {
  Bytes end(prefix);
  while (!end.empty()) {
    const auto last = static_cast<unsigned char>(end.back());
    if (last < 0xff) {
      end.back() = static_cast<char>(last + 1);
      return end;
    }
    end.pop_back();
  }
  return Bytes(1, '\0');
}

}  // namespace tripod::apiserver
