#pragma once
// The head of an update file: what its image is for, and who vouches for it. Pure. The file is
//
//   tripod-update 1\n        the format; another number is another format
//   board KIND\n             as the folder in platform/boards
//   version X.Y.Z\n          of tripod
//   build SECONDS\n          SOURCE_DATE_EPOCH of the image
//   bytes N\n                of the image
//   sha256 HEX\n             of the image
//   signature HEX\n          DER of an ECDSA signature (P-256, SHA-256) over all lines above
//
// and behind it the image: the FAT file system of a boot slot, as it goes onto the partition.

#include <optional>
#include <string>

#include "platform/base/bytes.h"
#include "platform/base/result.h"

namespace tripod::boards {

struct UpdateManifest {
  std::string board;
  std::string version;
  std::int64_t build = 0;
  std::uint64_t image_bytes = 0;
  std::string image_sha256;  // 64 hexadecimal digits

  friend bool operator==(const UpdateManifest&, const UpdateManifest&) = default;
};

inline constexpr int update_format = 1;
inline constexpr std::size_t update_head_bytes_max = 2048;
inline constexpr std::uint64_t update_image_bytes_max = std::uint64_t{1} << 30;
inline constexpr std::string_view update_media_type = "application/vnd.tripod.update";

/// The lines that the signature covers.
std::string signed_text(const UpdateManifest& manifest);
/// The whole head. `signature` as raw bytes.
std::string encode_update_head(const UpdateManifest& manifest, BytesView signature);

struct UpdateHead {
  UpdateManifest manifest;
  std::string signed_text;
  Bytes signature;
  std::size_t bytes = 0;  // the image begins here
};

/// Of the beginning of a file; nothing when it is too short to tell. Fails with `invalid` for what
/// is no update file, `unsupported` for another format, `corrupt` for a head that is damaged.
Result<std::optional<UpdateHead>> decode_update_head(BytesView begin);

/// Whether such an image may run on a board of that kind that runs `version` now: boards of one
/// cluster are at most one minor version apart. Fails with `denied`.
Result<> check_update_fits(const UpdateManifest& manifest, std::string_view board,
                           std::string_view version);

}  // namespace tripod::boards
