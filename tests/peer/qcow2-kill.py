#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A writer that is killed at random moments, again and again on the same qcow2 image.

usage: qcow2-kill.py BLOCK-IO

After each kill qemu-img check may find leaks and nothing else, the engine must open the image again, and every block must hold what
it held at the last flush that was over, or something written later. LODGE_TEST_KILLS says how often (40).
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

BLOCK = 4096
BLOCKS = 2048


def script(rng, content, history, start):
    """Commands, and in history what each block may hold from which command on: (command, byte)."""
    lines = []
    flushes = {}
    for i in range(400):
        if i % 20 == 19:
            lines += ["wait", "flush", f"mark {start + i}"]
            flushes[start + i] = i
            continue
        n = rng.choice((1, 1, 1, 2, 16, 40))
        first = rng.randrange(BLOCKS - n)
        kind = rng.random()
        if kind < 0.85:
            value = rng.randrange(1, 256)
            # No two at once on one block.
            if any(history[b] and history[b][-1][0] >= i // 20 * 20 for b in range(first, first + n)):
                lines.append("wait")
            lines.append(f"awrite -P {value} {first * BLOCK} {n * BLOCK}")
        else:
            value = 0
            lines += ["wait", f"{'discard' if kind < 0.95 else 'zero'} {first * BLOCK} {n * BLOCK}"]
        for b in range(first, first + n):
            history[b].append((i, value))
    return "\n".join(lines) + "\n", flushes


def main():
    if shutil.which("qemu-img") is None:
        print("1..0 # SKIP qemu-img is not installed")
        return 0
    tool = sys.argv[1]
    kills = int(os.environ.get("LODGE_TEST_KILLS", 40))
    seed = int(os.environ.get("LODGE_TEST_SEED", random.SystemRandom().randrange(1 << 31)))
    rng = random.Random(seed)
    print(f"# LODGE_TEST_SEED={seed}")
    variants = ["cluster_size=65536", "cluster_size=4096", "cluster_size=512", "cluster_size=65536,extended_l2=on"]
    print(f"1..{len(variants)}")
    failed = 0
    for number, options in enumerate(variants, 1):
        with tempfile.TemporaryDirectory(prefix="lodge-kill-") as directory:
            path = os.path.join(directory, "disk.qcow2")
            dump = os.path.join(directory, "dump")
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, str(BLOCK * BLOCKS)], check=True)
            problem = None
            early = 0
            for _ in range(max(kills // len(variants), 1)):
                done = subprocess.run([tool, "-r", "-f", "qcow2", path, f"dump {dump} 0 {BLOCK * BLOCKS}"], capture_output=True, text=True)
                if done.returncode != 0:
                    problem = done.stderr
                    break
                with open(dump, "rb") as f:
                    before = f.read()
                history = [[(-1, before[b * BLOCK])] for b in range(BLOCKS)]
                commands, flushes = script(rng, before, history, 1000)
                with open(os.path.join(directory, "script"), "w") as f:
                    f.write(commands)
                with open(os.path.join(directory, "script")) as stdin:
                    writer = subprocess.Popen([tool, "-f", "qcow2", path, "-"], stdin=stdin, stdout=subprocess.PIPE, text=True)
                    # The first mark says that it has begun; from there on any moment.
                    marks = [writer.stdout.readline()]
                    time.sleep(rng.random() * 0.08)
                    writer.kill()
                    rest = writer.communicate()[0]
                marks += rest.splitlines()
                early += writer.returncode != 0
                last = max([flushes[int(m)] for m in marks if m.strip().isdigit()], default=-1)
                for _ in range(50):
                    # The kernel may need a moment to let the dead writer's files and locks go.
                    check = subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", path], capture_output=True, text=True)
                    if "lock" not in check.stderr:
                        break
                    time.sleep(0.02)
                if check.returncode not in (0, 3):
                    problem = f"qemu-img check: {check.returncode}\n{check.stdout}{check.stderr}"
                    break
                done = subprocess.run([tool, "-r", "-f", "qcow2", path, f"dump {dump} 0 {BLOCK * BLOCKS}"], capture_output=True, text=True)
                if done.returncode != 0:
                    problem = done.stderr
                    break
                with open(dump, "rb") as f:
                    after = f.read()
                for b in range(BLOCKS):
                    settled = [value for at, value in history[b] if at < last][-1:]
                    allowed = set(settled + [value for at, value in history[b] if at > last])
                    # A kill tears at pages at worst, and these are whole blocks; but one write of many blocks may be half done.
                    found = set(after[b * BLOCK:(b + 1) * BLOCK])
                    if not found <= allowed:
                        problem = f"block {b} holds {sorted(found)}, may hold {sorted(allowed)}; last flush at {last}"
                        break
                if problem:
                    break
            failed += problem is not None
            for line in (problem or "").splitlines():
                print("# " + line)
            print(f"# {early} kills met a writer at work")
            print(f"{'not ok' if problem else 'ok'} {number} - /qcow2/kill/{options}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
