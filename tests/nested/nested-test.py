#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""nested-test.py LODGE WRITER.BIN CACHE-DIRECTORY [CHECK…]: stock guests on a true /dev/kvm; TAP output. One boot of the bench for all checks."""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import images  # noqa: E402
from bench import Bench, Skip  # noqa: E402

# (name, its time limit in seconds)
CHECKS = [("grub_menu_and_keys", 600), ("kernel_one_processor", 600), ("kernel_four_processors", 700), ("full_disk_pauses_and_goes_on", 240),
          ("sata_drives", 900)]
# Many minutes each: with LODGE_LONG=1, or by name.
LONG_CHECKS = [("debian_disk", 1100), ("same_content_as_qemu", 700), ("sound", 600), ("virtio_gpu", 600), ("window", 1200), ("nvme_drive", 700), ("ide_drives", 700),
               ("uefi_shell_and_variables", 600), ("uefi_kernel_and_tpm", 600), ("uefi_disks_in_boot_order", 600)]

TRIES = 3


def main():
    program, cache = os.path.abspath(os.environ.get("LODGE_RELEASE", sys.argv[1])), os.path.abspath(sys.argv[3])
    names = sys.argv[4:]
    chosen = [c for c in CHECKS + LONG_CHECKS if c[0] in names] if names else CHECKS + LONG_CHECKS * ("LODGE_LONG" in os.environ)
    os.makedirs(cache, exist_ok=True)
    print(f"1..{len(chosen)}", flush=True)
    failures = 0
    try:
        bench = Bench(keep=cache, uefi=any(name.startswith("uefi_") for name, _timeout in chosen))
        if {"debian_disk", "same_content_as_qemu"} & {name for name, _timeout in chosen}:
            images.debian_disk(bench.path("debian.raw"), cache)
        if "sound" in {name for name, _timeout in chosen}:
            images.sound_shell(bench.share)
        kernel, _ = images.kernel_and_shell(bench.share)
    except Skip as reason:
        for number, (name, _timeout) in enumerate(chosen, 1):
            print(f"ok {number} - {name} # SKIP {reason}")
        return 0
    bench.put(sys.argv[2], "writer.bin")
    with open(bench.path("kernel"), "w", encoding="utf-8") as f:
        f.write(kernel)
    with bench:
        print(f"# the bench was ready after {bench.ready_seconds:.1f} s", flush=True)
        for number, (name, timeout) in enumerate(chosen, 1):
            if name.startswith("uefi_") and not bench.runs_uefi:
                print(f"ok {number} - {name} # SKIP this QEMU ends itself under UEFI firmware, and where is not known", flush=True)
                continue
            begin = time.monotonic()
            for tries in range(1, TRIES + 1):
                result = bench.run(f"exec python3 {HERE}/inside.py {program} {name}", timeout)
                if result.code == 0 or tries == TRIES:
                    break
                # Software emulation of nested virtualization stalls now and then, for any inner machine: once more, and say so.
                print(f"# {name}, try {tries}: " + repr(result).replace("\n", "\n# "), flush=True)
            failures += result.code != 0
            print(f"{'ok' if result.code == 0 else 'not ok'} {number} - {name}", flush=True)
            print(f"# took {time.monotonic() - begin:.1f} s", flush=True)
            if result.code != 0:
                print("# " + repr(result).replace("\n", "\n# "), flush=True)
        if failures:
            bench.keep_files()
    return 1 if failures else 0


sys.exit(main())
