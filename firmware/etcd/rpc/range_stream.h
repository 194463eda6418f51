#pragma once
// KV.RangeStream, as of etcd 3.7: a Range answered in pieces of bounded size, all of one revision,
// so that neither side holds the whole of it. Put together, the pieces are what Range answers: each
// has keys alone, the last one header, more and count as well. Key order only, without revision
// filters; what is not offered is UNIMPLEMENTED, upon which clients page by themselves.

#include "firmware/etcd/member.h"
#include "platform/grpc/server.h"

namespace tripod::etcd::rpc {

Task<grpc::Status> range_stream(Member* member, grpc::ServerCall call);

}  // namespace tripod::etcd::rpc
