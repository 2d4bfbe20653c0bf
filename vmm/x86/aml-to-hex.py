#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns an AML file into the bytes of a C array. What the compiler says of itself (creator ID and revision) is replaced and the checksum
left at 0, so that the text depends on the source alone; the firmware fills the checksum in. The block If (0) { External … } that
iasl writes first is for disassemblers only, and SeaBIOS's parser stops at it: it is left out."""
import sys

HEADER = 36
IF, ZERO, EXTERNAL = 0xA0, 0x00, 0x15

with open(sys.argv[1], "rb") as source:
    aml = bytearray(source.read())
if aml[HEADER] == IF:
    extra = aml[HEADER + 1] >> 6  # PkgLength, ACPI 6.5 20.2.4
    length = aml[HEADER + 1] & (0x0F if extra else 0x3F)
    for i in range(extra):
        length |= aml[HEADER + 2 + i] << (4 + 8 * i)
    content = HEADER + 2 + extra
    assert aml[content] == ZERO and aml[content + 1] == EXTERNAL
    del aml[HEADER:HEADER + 1 + length]
    aml[4:8] = len(aml).to_bytes(4, "little")
aml[9] = 0
aml[28:32] = b"LODG"
aml[32:36] = (1).to_bytes(4, "little")
with open(sys.argv[2], "w", encoding="ascii") as target:
    for start in range(0, len(aml), 16):
        target.write(" ".join(f"0x{byte:02x}," for byte in aml[start:start + 16]) + "\n")
