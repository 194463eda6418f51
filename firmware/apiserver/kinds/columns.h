#pragma once
// Columns of the Tables, per kind: name, type, format, priority (0 always, 1 with -o wide),
// description. In the order of the cells that printers/ makes.

#include <array>

#include "firmware/apiserver/registry/resource.h"

namespace tripod::apiserver::columns {

inline constexpr Column name{
    "Name", "string", "name", 0,
    "Name must be unique within a namespace and is set when the object is created."};
inline constexpr Column age{"Age", "string", "", 0, "Time since the object was created."};

inline constexpr std::array pod{
    name,
    Column{"Ready", "string", "", 0, "Ready containers of all containers."},
    Column{"Status", "string", "", 0, "What the states of the containers add up to."},
    Column{"Restarts", "string", "", 0, "Restarts of the containers, and when the last one was."},
    age,
    Column{"IP", "string", "", 1, "Address of the pod."},
    Column{"Node", "string", "", 1, "Node the pod is bound to."},
    Column{"Nominated Node", "string", "", 1, "Node the pod is to run on after a preemption."},
    Column{"Readiness Gates", "string", "", 1, "Readiness gates that are true, of all."},
};
inline constexpr std::array node{
    name,
    Column{"Status", "string", "", 0, "Readiness, and whether pods may be placed."},
    Column{"Roles", "string", "", 0, "Roles, from the node's labels."},
    age,
    Column{"Version", "string", "", 0, "Version of the kubelet."},
    Column{"Internal-IP", "string", "", 1, "Address inside the cluster."},
    Column{"External-IP", "string", "", 1, "Address outside the cluster."},
    Column{"OS-Image", "string", "", 1, "Operating system, as the node reports it."},
    Column{"Kernel-Version", "string", "", 1, "Kernel, as the node reports it."},
    Column{"Container-Runtime", "string", "", 1, "Container runtime and its version."},
};
inline constexpr std::array service{
    name,
    Column{"Type", "string", "", 0, "How the service is exposed."},
    Column{"Cluster-IP", "string", "", 0, "Virtual address inside the cluster."},
    Column{"External-IP", "string", "", 0, "Addresses outside the cluster."},
    Column{"Port(s)", "string", "", 0, "Ports the service exposes."},
    age,
    Column{"Selector", "string", "", 1, "Labels of the pods that serve it."},
};
inline constexpr std::array endpoints{
    name,
    Column{"Endpoints", "string", "", 0, "Addresses that serve it."},
    age,
};
inline constexpr std::array endpoint_slice{
    name,
    Column{"AddressType", "string", "", 0, "Type of the addresses."},
    Column{"Ports", "string", "", 0, "Ports of every endpoint."},
    Column{"Endpoints", "string", "", 0, "Addresses of the endpoints."},
    age,
};
inline constexpr std::array config_map{name, Column{"Data", "string", "", 0, "Number of entries."},
                                       age};
inline constexpr std::array secret{
    name,
    Column{"Type", "string", "", 0, "What the data is for."},
    Column{"Data", "string", "", 0, "Number of entries."},
    age,
};
inline constexpr std::array service_account{
    name, Column{"Secrets", "string", "", 0, "Number of secrets it may use."}, age};
inline constexpr std::array name_space{
    name, Column{"Status", "string", "", 0, "Phase of the namespace."}, age};
inline constexpr std::array event{
    Column{"Last Seen", "string", "", 0, "Time since it last happened."},
    Column{"Type", "string", "", 0, "Normal or Warning."},
    Column{"Reason", "string", "", 0, "Why it happened, in one word."},
    Column{"Object", "string", "", 0, "The object it is about."},
    Column{"Subobject", "string", "", 1, "The part of the object it is about."},
    Column{"Source", "string", "", 1, "The component that reports it."},
    Column{"Message", "string", "", 0, "What happened."},
    Column{"First Seen", "string", "", 1, "Time since it first happened."},
    Column{"Count", "string", "", 1, "How often it happened."},
    Column{"Name", "string", "name", 1, "Name of the event."},
};
inline constexpr std::array lease{name, Column{"Holder", "string", "", 0, "Who holds the lease."},
                                  age};
inline constexpr std::array deployment{
    name,
    Column{"Ready", "string", "", 0, "Ready pods of those wanted."},
    Column{"Up-to-date", "string", "", 0, "Pods made from the current template."},
    Column{"Available", "string", "", 0, "Pods ready for long enough."},
    age,
    Column{"Containers", "string", "", 1, "Names of the containers of the template."},
    Column{"Images", "string", "", 1, "Images of the containers of the template."},
    Column{"Selector", "string", "", 1, "Labels of the pods that belong to it."},
};
inline constexpr std::array replicas{
    name,
    Column{"Desired", "integer", "", 0, "Pods wanted."},
    Column{"Current", "integer", "", 0, "Pods that exist."},
    Column{"Ready", "integer", "", 0, "Pods that are ready."},
    age,
    Column{"Containers", "string", "", 1, "Names of the containers of the template."},
    Column{"Images", "string", "", 1, "Images of the containers of the template."},
    Column{"Selector", "string", "", 1, "Labels of the pods that belong to it."},
};

}  // namespace tripod::apiserver::columns
