#!/bin/bash
# The compiler launcher: ccache with every path of the build folder made relative, the precompiled
# header's among them, which ccache would leave absolute, so that a second clone hits what the first compiled.
# Usage: ccache.sh SOURCE_DIR compiler argument...; the build folder is the working directory.
export CCACHE_BASEDIR=$1 CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
shift
exec ccache "${@/#"$PWD/"/}"
