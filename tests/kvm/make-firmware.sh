#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# make-firmware.sh OUTPUT PRIVATE-DIRECTORY LINKER-SCRIPT SOURCE…: a flat firmware image without a library or a host's start code.
set -eu
output=$1 private=$2 script=$3
shift 3
mkdir -p "$private"
gcc -m32 -Os -ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none -nostdlib -static -no-pie \
  -Wl,-T,"$script" -Wl,--build-id=none -o "$private/image.elf" "$@"
objcopy -O binary --gap-fill 0xff "$private/image.elf" "$output"
