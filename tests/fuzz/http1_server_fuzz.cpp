#include "tests/fuzz/http_server_driver.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const tripod::BytesView input(reinterpret_cast<const char*>(data), size);
  tripod::http::test::drive_server(input, "http/1.1", {});
  return 0;
}
