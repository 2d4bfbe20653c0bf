#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns an AML file into the bytes of a C array. What the compiler says of itself (creator ID and revision) is replaced and the checksum
left at 0, so that the text depends on the source alone; the engine fills the checksum in."""
import sys

with open(sys.argv[1], "rb") as source:
    aml = bytearray(source.read())
aml[9] = 0
aml[28:32] = b"LODG"
aml[32:36] = (1).to_bytes(4, "little")
with open(sys.argv[2], "w", encoding="ascii") as target:
    for start in range(0, len(aml), 16):
        target.write(" ".join(f"0x{byte:02x}," for byte in aml[start:start + 16]) + "\n")
