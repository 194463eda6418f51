#include "platform/boards/net/mdns/mdns_message.h"

namespace tripod::boards {
namespace {

constexpr std::size_t header_bytes = 12;
constexpr int jumps_max = 16;
constexpr std::size_t name_bytes_max = 255;
constexpr int records_max = 128;
constexpr std::uint16_t class_internet = 1;
constexpr std::uint16_t top_bit =
    0x8000;  // of a class: "unicast, please", or "forget what you knew"
constexpr std::uint16_t response_flag = 0x8000;
constexpr std::uint16_t authoritative_flag = 0x0400;
constexpr std::uint16_t operation_bits = 0x7800;
constexpr std::uint32_t ttl_s = 120;
constexpr std::uint32_t ttl_legacy_s = 10;

/// Reads on from a place in the message; after the first failure everything fails.
class Reader {
 public:
  explicit Reader(BytesView message) : message_(message) {}

  bool ok() const { return ok_; }
  std::uint16_t number_16() {
    BytesView two = take(2);
    return ok_ ? static_cast<std::uint16_t>(byte(two, 0) << 8 | byte(two, 1)) : std::uint16_t{0};
  }
  BytesView take(std::size_t size) {
    if (!ok_ || size > message_.size() - at_) {
      ok_ = false;
      return {};
    }
    BytesView out = message_.substr(at_, size);
    at_ += size;
    return out;
  }

  /// RFC 1035, 4.1.4: labels, the last of which may point to an earlier name.
  std::string name() {
    std::string out;
    std::size_t at = at_;
    bool jumped = false;
    for (int jumps = 0; ok_ && jumps < jumps_max;) {
      if (at >= message_.size()) break;
      int size = byte(message_, at);
      if (size >= 0xc0) {
        if (at + 1 >= message_.size()) break;
        if (!jumped) at_ = at + 2;
        jumped = true;
        at = static_cast<std::size_t>((size & 0x3f) << 8 | byte(message_, at + 1));
        ++jumps;
        continue;
      }
      if (size > 63 || at + 1 + static_cast<std::size_t>(size) > message_.size()) break;
      if (size == 0) {
        if (!jumped) at_ = at + 1;
        return out;
      }
      if (!out.empty()) out += '.';
      for (char c : message_.substr(at + 1, static_cast<std::size_t>(size))) {
        out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      }
      if (out.size() > name_bytes_max) break;
      at += 1 + static_cast<std::size_t>(size);
    }
    ok_ = false;
    return {};
  }

 private:
  static int byte(BytesView bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }

  BytesView message_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

void add_16(Bytes& out, std::uint32_t value) {
  out += static_cast<char>(static_cast<std::uint8_t>(value >> 8));
  out += static_cast<char>(static_cast<std::uint8_t>(value));
}

void add_name(Bytes& out, std::string_view name) {
  while (!name.empty()) {
    std::size_t dot = name.find('.');
    std::string_view label = name.substr(0, dot);
    out += static_cast<char>(label.size());
    out += label;
    name = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
  }
  out += '\0';
}

bool read_records(Reader& reader, int count, MdnsMessage& message) {
  for (int i = 0; i < count; ++i) {
    MdnsMessage::Record record{.name = reader.name(), .ip = {}};
    std::uint16_t type = reader.number_16();
    reader.number_16();  // class
    reader.take(4);      // time to live
    BytesView data = reader.take(reader.number_16());
    if (!reader.ok()) return false;
    if (type == static_cast<std::uint16_t>(DnsType::a) && data.size() == 4) {
      record.ip = ipv4_of(data);
    } else if (type == static_cast<std::uint16_t>(DnsType::aaaa) && data.size() == 16) {
      record.ip.v6 = true;
      for (std::size_t j = 0; j < 16; ++j) record.ip.octets[j] = static_cast<std::uint8_t>(data[j]);
    } else {
      continue;
    }
    message.records.push_back(std::move(record));
  }
  return true;
}

}  // namespace

std::optional<MdnsMessage> decode_mdns(BytesView bytes) {
  if (bytes.size() < header_bytes || bytes.size() > mdns_bytes_max) return std::nullopt;
  Reader reader(bytes);
  MdnsMessage message;
  message.id = reader.number_16();
  std::uint16_t flags = reader.number_16();
  if ((flags & operation_bits) != 0) return std::nullopt;
  message.response = (flags & response_flag) != 0;
  int questions = reader.number_16();
  int answers = reader.number_16();
  reader.take(4);  // authorities and additional records are not looked at
  if (questions > records_max || answers > records_max) return std::nullopt;
  for (int i = 0; i < questions; ++i) {
    MdnsMessage::Question question{.name = reader.name(), .type = DnsType::any};
    question.type = static_cast<DnsType>(reader.number_16());
    std::uint16_t asked = reader.number_16() & static_cast<std::uint16_t>(~top_bit);
    if (!reader.ok()) return std::nullopt;
    const bool addresses = question.type == DnsType::a || question.type == DnsType::aaaa ||
                           question.type == DnsType::any;
    if (addresses && (asked == class_internet || asked == 255)) {
      message.questions.push_back(std::move(question));
    }
  }
  if (!read_records(reader, answers, message)) return std::nullopt;
  return message;
}

Bytes encode_mdns(const MdnsAnswer& answer) {
  Bytes out;
  add_16(out, answer.legacy_id.value_or(0));
  add_16(out, response_flag | authoritative_flag);
  add_16(out, answer.legacy_id ? 1 : 0);
  add_16(out, static_cast<std::uint32_t>(answer.addresses.size()));
  add_16(out, 0);
  add_16(out, 0);
  if (answer.legacy_id) {
    add_name(out, answer.name);
    add_16(out, static_cast<std::uint32_t>(answer.legacy_type));
    add_16(out, class_internet);
  }
  for (const Ip& ip : answer.addresses) {
    add_name(out, answer.name);
    add_16(out, static_cast<std::uint32_t>(ip.v6 ? DnsType::aaaa : DnsType::a));
    add_16(out, class_internet | (answer.legacy_id ? 0U : std::uint32_t{top_bit}));
    add_16(out, 0);
    add_16(out, answer.legacy_id ? ttl_legacy_s : ttl_s);
    Bytes data = ip.bytes();
    add_16(out, static_cast<std::uint32_t>(data.size()));
    out += data;
  }
  return out;
}

}  // namespace tripod::boards
