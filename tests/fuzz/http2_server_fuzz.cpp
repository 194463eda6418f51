#include "tests/fuzz/http_server_driver.h"

namespace {

// The client's preface and empty SETTINGS, so that mutations are not lost on them.
constexpr std::string_view opening("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 33);

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const tripod::BytesView input(reinterpret_cast<const char*>(data), size);
  tripod::http::test::drive_server(input, "h2", opening);
  return 0;
}
