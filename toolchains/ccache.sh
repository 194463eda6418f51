#!/bin/bash
# The compiler launcher: ccache, so that a second clone hits what the first compiled. Paths of the build folder are
# made relative. A precompiled header names its clone, so it is made anew in each, and a sum of what went into it
# stands for it in the hash (ccache's pch_external_checksum).
# Usage: ccache.sh SOURCE_DIR compiler argument...; the build folder is the working directory.
source_dir=$1
shift
output= sysroot=
for argument; do
  case $argument in
    *.pch) output=$argument ;;
    --sysroot=*) sysroot=${argument#--sysroot=} ;;
  esac
done
if [[ " $* " == *" -o $output "* && -n $output ]]; then
  "$@" || exit
  { cat "${output%.pch}" "$sysroot/.tripod-stamp"; "$1" --version; } | sha256sum >"$output.sum"
  exit
fi
export CCACHE_BASEDIR=$source_dir CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1 CCACHE_SLOPPINESS=pch_defines,time_macros
exec ccache "${@/#"$PWD/"/}"
