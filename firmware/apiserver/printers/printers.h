#pragma once
// The cells of one row of a Table, per kind: what `kubectl get` and `kubectl get -o wide` show. The
// columns stand in the kind's row (kinds/); cells come in the same order. Pure.

#include "platform/base/time.h"
#include "platform/json/json.h"

namespace tripod::apiserver::printers {

void pod(const json::Value& object, WallTime now, json::Array& out);
void node(const json::Value& object, WallTime now, json::Array& out);
void service(const json::Value& object, WallTime now, json::Array& out);
void endpoints(const json::Value& object, WallTime now, json::Array& out);
void endpoint_slice(const json::Value& object, WallTime now, json::Array& out);
void config_map(const json::Value& object, WallTime now, json::Array& out);
void secret(const json::Value& object, WallTime now, json::Array& out);
void service_account(const json::Value& object, WallTime now, json::Array& out);
void name_space(const json::Value& object, WallTime now, json::Array& out);
void event(const json::Value& object, WallTime now, json::Array& out);
void lease(const json::Value& object, WallTime now, json::Array& out);
void deployment(const json::Value& object, WallTime now, json::Array& out);
/// ReplicaSet and ReplicationController.
void replicas(const json::Value& object, WallTime now, json::Array& out);

}  // namespace tripod::apiserver::printers
