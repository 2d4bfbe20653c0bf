#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill.py LODGE WRITER.BIN [TIMES]: kill -9 of a machine's process at random moments under writes.

The guest is a firmware image that does nothing but write (writer-bios.c). After each kill qemu-img must find the image clean or with leaks
only (which it repairs), every sector must hold what belongs there, and the bundle must open. TAP output."""
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

SIZE = 64 << 20
MAGIC = 0x4C4F4447


def start(program, bundle, env):
    log = os.path.join(bundle, "log/firmware.log")
    if os.path.exists(log):
        os.unlink(log)
    process = subprocess.Popen([program, "machine", bundle, "--headless"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, env=env)
    deadline = time.monotonic() + 30
    while not (os.path.exists(log) and os.path.getsize(log) > 0):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError("the machine does not write: " + process.stderr.read().decode())
        time.sleep(0.002)
    return process


def check_image(path):
    """The problem as text, or None; leaks are repaired."""
    # The kernel closes the files of a killed process that used io_uring a moment after the process is gone.
    deadline = time.monotonic() + 10
    while True:
        result = subprocess.run(["qemu-img", "check", "-f", "qcow2", path], capture_output=True, text=True)
        if "lock" not in result.stderr or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    if result.returncode == 3:
        result = subprocess.run(["qemu-img", "check", "-f", "qcow2", "-r", "leaks", path], capture_output=True, text=True)
    return None if result.returncode == 0 else result.stdout + result.stderr


def check_content(path, work):
    raw = os.path.join(work, "raw")
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw], check=True)
    written = 0
    with open(raw, "rb") as f:
        for sector in range(SIZE // 512):
            magic, lba, _round = struct.unpack_from("<III", f.read(512))
            if magic == 0 and lba == 0:
                continue
            if magic != MAGIC or lba != sector:
                return f"sector {sector} holds {magic:#x}, {lba}", written
            written += 1
    return None, written


def main():
    program, bios = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    times = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError as error:
        print(f"1..0 # SKIP /dev/kvm cannot be opened on this host: {error.strerror}")
        return 0
    seed = int(os.environ.get("LODGE_SEED", random.randrange(1 << 30)))
    random.seed(seed)
    print(f"1..2\n# seed {seed} (LODGE_SEED repeats it)", flush=True)
    problems, not_opened, written = [], [], 0
    with tempfile.TemporaryDirectory() as work:
        runtime = os.path.join(work, "run")
        os.mkdir(runtime, 0o700)
        env = {**os.environ, "XDG_DATA_HOME": work, "XDG_RUNTIME_DIR": runtime}
        bundle = os.path.join(work, "lodge/machines/kill.lodge")
        image = os.path.join(bundle, "disk0.qcow2")
        os.makedirs(bundle)
        with open(os.path.join(bundle, "machine.conf"), "w", encoding="utf-8") as f:
            f.write("[machine]\nname=kill\nuuid=6f2d4a52-8a60-4a8c-9b0d-2f6f6c6f6467\nmemory=16\n"
                    f"firmware-image={bios}\n[disk0]\nclass=sata-disk\nimage=disk0.qcow2\nformat=qcow2\nport=0\n")
        for turn in range(times):
            if turn % 20 == 0:  # a young image allocates, an old one overwrites
                if os.path.exists(image):
                    os.unlink(image)
                options = random.choice(["cluster_size=64k", "cluster_size=4k", "cluster_size=64k,extended_l2=on", "cluster_size=512"])
                subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, image, str(SIZE)], check=True)
            process = start(program, bundle, env)
            time.sleep(random.uniform(0, 0.25))
            process.kill()
            process.wait()
            process.stderr.close()
            problem = check_image(image)
            if problem is not None:
                problems.append(f"kill {turn}: {problem}")
                shutil.copy(image, "kill-corrupt.qcow2")
                break
            if turn % 10 == 9:
                problem, written = check_content(image, work)
                if problem is not None:
                    problems.append(f"kill {turn}: {problem}")
                    break
            shown = subprocess.run([program, "show", "kill"], capture_output=True, text=True, env=env)
            if shown.returncode != 0:
                not_opened.append(f"kill {turn}: {shown.stderr}")
    print(("not ok" if problems or written == 0 else "ok") + f" 1 - {times} kills under writes leave no corrupt image")
    print(("not ok" if not_opened else "ok") + " 2 - the bundle opens after every kill")
    for text in problems + not_opened:
        print("# " + text.replace("\n", "\n# "))
    print(f"# {written} sectors written at the end")
    return 1 if problems or not_opened or written == 0 else 0


sys.exit(main())
