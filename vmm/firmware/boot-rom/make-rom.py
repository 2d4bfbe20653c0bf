#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiles the option ROM and writes it as the bytes of a C array: make-rom.py OUTPUT PRIVATE_DIR SOURCE… -- COMPILER…
Fills in what only the finished ROM knows: its size and the two checksums."""
import os
import subprocess
import sys

split = sys.argv.index("--")
output, private, *sources = sys.argv[1:split]
compiler = sys.argv[split + 1:]
script = next(source for source in sources if source.endswith(".ld"))
code = [source for source in sources if source.endswith((".c", ".S"))]
os.makedirs(private, exist_ok=True)
image = os.path.join(private, "rom.bin")
subprocess.run([*compiler, "-m32", "-march=i386", "-Os", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-pic", "-fno-pie",
                "-fno-stack-protector", "-fcf-protection=none", "-fno-asynchronous-unwind-tables", "-mno-sse", "-mno-mmx", "-fno-strict-aliasing",
                "-Wno-array-bounds", "-Wno-unused-command-line-argument", "-include", os.path.join(os.path.dirname(script), "rom.h"), "-nostdlib", "-static", "-no-pie",
                "-Wl,--build-id=none", "-Wl,-z,noexecstack", "-Wl,--no-warn-rwx-segments", "-Wl,-T," + script, "-Wl,--oformat,binary",
                "-o", image, *code], check=True)
with open(image, "rb") as file:
    rom = bytearray(file.read())
rom += bytes(-len(rom) % 512)
PNP = 0x20
assert rom[PNP:PNP + 4] == b"$PnP" and len(rom) <= 0x8000
rom[2] = len(rom) // 512
rom[PNP + 9] = -sum(rom[PNP:PNP + 32]) & 0xFF
rom[6] = -sum(rom) & 0xFF  # a byte that nothing uses
assert sum(rom) % 256 == 0
with open(output, "w", encoding="ascii") as target:
    for start in range(0, len(rom), 16):
        target.write(" ".join(f"0x{byte:02x}," for byte in rom[start:start + 16]) + "\n")
