#pragma once
// The constants that tools/schema/compile.py makes of the text tables. Used by schema.cpp.

#include "firmware/kube/schema/schema.h"

namespace tripod::kube::schema::tables {

std::span<const Type> all();
std::span<const Package> all_packages();

}  // namespace tripod::kube::schema::tables
