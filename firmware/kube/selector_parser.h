#pragma once
// The grammar of label selector queries: "a=b,c in (x,y),!d,e>5". Used by selector.cpp.

#include <string_view>
#include <vector>

#include "firmware/kube/selector.h"

namespace tripod::kube {

/// Requirements in the order of the text.
Result<std::vector<Requirement>> parse_requirements(std::string_view text);

/// Checks key and values against what the operator allows.
Result<Requirement> make_requirement(std::string_view key, SelectorOperator op,
                                     std::vector<std::string> values);

}  // namespace tripod::kube
