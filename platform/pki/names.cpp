#include "platform/pki/names.h"

#include <algorithm>
#include <array>
#include <format>

#include "platform/pki/authority.h"

namespace tripod::pki {
namespace {

constexpr std::size_t attribute_bytes_max = 64;  // ub-common-name of RFC 5280

std::string escaped(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (std::string_view(",\\+\"<>;=#").contains(c)) out += '\\';
    out += c;
  }
  return out;
}

unsigned char* writable(const std::string& bytes) {
  // The library's list holds mutable pointers, which it only reads.
  return reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
}

std::string address_text(std::string_view bytes) {
  auto at = [&](std::size_t i) {
    return static_cast<unsigned>(static_cast<unsigned char>(bytes[i]));
  };
  if (bytes.size() == 4) return std::format("{}.{}.{}.{}", at(0), at(1), at(2), at(3));
  std::string out;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    out += std::format("{}{:x}", i == 0 ? "" : ":", at(i) << 8 | at(i + 1));
  }
  return out;
}

}  // namespace

Result<std::string> distinguished_name(std::string_view common_name,
                                       std::string_view organization) {
  if (common_name.empty() ||
      std::max(common_name.size(), organization.size()) > attribute_bytes_max) {
    return fail(ErrorCode::invalid,
                std::format("CN \"{}\", O \"{}\": expected a CN, and at most {} bytes in each",
                            common_name, organization, attribute_bytes_max));
  }
  std::string name = "CN=" + escaped(common_name);
  if (!organization.empty()) name += ",O=" + escaped(organization);
  return name;
}

SubjectValues subject_values(const mbedtls_x509_crt& certificate, std::string_view oid) {
  SubjectValues found;
  for (const mbedtls_asn1_named_data* part = &certificate.subject; part != nullptr;
       part = part->next) {
    std::string_view part_oid(reinterpret_cast<const char*>(part->oid.p), part->oid.len);
    if (part_oid == oid) {
      found.values.emplace_back(reinterpret_cast<const char*>(part->val.p), part->val.len);
    }
  }
  return found;
}

std::string comparable(std::string_view name) {
  std::string plain(name);
  std::array<char, 16> binary{};
  const std::size_t size = mbedtls_x509_crt_parse_cn_inet_pton(plain.c_str(), binary.data());
  if (size > 0) {
    constexpr std::string_view mapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
    std::string_view bytes(binary.data(), size);
    if (size > mapped.size() && bytes.starts_with(mapped)) bytes.remove_prefix(mapped.size());
    return address_text(bytes);
  }
  while (plain.ends_with('.')) plain.pop_back();
  std::ranges::transform(plain, plain.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return plain;
}

std::vector<std::string> alternative_names(const mbedtls_x509_crt& certificate) {
  std::vector<std::string> names;
  for (const mbedtls_x509_sequence* item = &certificate.subject_alt_names;
       item != nullptr && item->buf.p != nullptr; item = item->next) {
    mbedtls_x509_subject_alternative_name name;
    if (mbedtls_x509_parse_subject_alt_name(&item->buf, &name) != 0) continue;
    std::string_view bytes(reinterpret_cast<const char*>(name.san.unstructured_name.p),
                           name.san.unstructured_name.len);
    if (name.type == MBEDTLS_X509_SAN_DNS_NAME) names.emplace_back(bytes);
    if (name.type == MBEDTLS_X509_SAN_IP_ADDRESS) names.push_back(address_text(bytes));
    mbedtls_x509_free_subject_alt_name(&name);
  }
  return names;
}

WallTime to_wall_time(const mbedtls_x509_time& time) {
  std::chrono::year_month_day date{std::chrono::year(time.year),
                                   std::chrono::month(static_cast<unsigned>(time.mon)),
                                   std::chrono::day(static_cast<unsigned>(time.day))};
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(time.hour) +
         std::chrono::minutes(time.min) + std::chrono::seconds(time.sec);
}

AlternativeNames::AlternativeNames(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    mbedtls_x509_san_list node{};
    std::array<char, 16> binary{};
    std::size_t size = mbedtls_x509_crt_parse_cn_inet_pton(name.c_str(), binary.data());
    if (size > 0) {
      const std::string& address = addresses_.emplace_back(binary.data(), size);
      node.node.type = MBEDTLS_X509_SAN_IP_ADDRESS;
      node.node.san.unstructured_name = {MBEDTLS_ASN1_OCTET_STRING, address.size(),
                                         writable(address)};
    } else {
      node.node.type = MBEDTLS_X509_SAN_DNS_NAME;
      node.node.san.unstructured_name = {MBEDTLS_ASN1_IA5_STRING, name.size(), writable(name)};
    }
    nodes_.push_back(node);
  }
  // The library writes its list from the end to the front.
  for (std::size_t i = 1; i < nodes_.size(); ++i) nodes_[i].next = &nodes_[i - 1];
}

}  // namespace tripod::pki
