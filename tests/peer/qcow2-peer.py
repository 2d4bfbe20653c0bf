#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same work on qcow2 images by the engine (block-io) and by QEMU (qemu-img, qemu-io).

usage: qcow2-peer.py BLOCK-IO [CASE…]

Each case makes an image with its own geometry, features and backing files by qemu-img, then lets both sides write to it in turns
at random, and after each turn demands that qemu-img check finds no error and no leak, that qemu-img compare finds what a plain
copy has, that the engine reads the same, and that internal snapshots still hold what they held. LODGE_TEST_SEED fixes the random
numbers.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile

KIB = 1024
MIB = 1024 * KIB
NOISE = 4 * MIB


class Failure(Exception):
    pass


def run(*argv, stdin=None, ok=(0,)):
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True)
    if done.returncode not in ok:
        raise Failure(f"{' '.join(argv)}: exit code {done.returncode}\n{stdin or ''}\n{done.stdout}{done.stderr}")
    return done.stdout


class Case:
    """One image, what it should hold, and the files around it."""

    def __init__(self, tool, directory, rng, size, options, depth=0, base_kinds=(), compressed=False, snapshots=0, direct=False, threads=False):
        self.tool, self.dir, self.rng, self.size = tool, directory, rng, size
        self.direct, self.threads = direct, threads
        self.path = os.path.join(directory, "top.qcow2")
        self.noise_path = os.path.join(directory, "noise")
        self.noise = rng.randbytes(NOISE)
        with open(self.noise_path, "wb") as f:
            f.write(self.noise)
        self.shadow = bytearray(size)
        self.snapshots = []
        self.cluster = 64 * KIB
        for option in options:
            if option.startswith("cluster_size="):
                self.cluster = int(option.split("=")[1])
        self.make(options, depth, base_kinds, compressed)
        for i in range(snapshots):
            self.write_by_us(10)
            self.snapshot()

    def make(self, options, depth, base_kinds, compressed):
        backing = []
        for level in range(depth):
            kind = base_kinds[level % len(base_kinds)] if base_kinds else "qcow2"
            # Every second base is shorter than what is over it.
            size = self.size if level % 2 == 0 else self.size // 2 // 512 * 512
            path = os.path.join(self.dir, f"base{level}.{kind}")
            if kind == "raw":
                if backing:
                    raise ValueError("a raw image has no backing file")
                with open(path, "wb") as f:
                    f.truncate(size)
            else:
                run("qemu-img", "create", "-q", "-f", "qcow2", *backing, path, str(size))
            commands = []
            content = bytearray(self.shadow[:size]) + bytearray(self.size - size)
            for _ in range(12):
                offset, length = self.extent(size)
                pattern = self.rng.randrange(1, 256)
                commands += ["-c", f"write -P {pattern} {offset} {length}"]
                content[offset:offset + length] = bytes([pattern]) * length
            run("qemu-io", "-f", kind, *commands, path)
            if compressed and kind == "qcow2":
                packed = path + ".packed"
                backing_args = ["-B", backing[1], "-F", backing[3]] if backing else []
                run("qemu-img", "convert", "-c", "-f", "qcow2", "-O", "qcow2", "-o", ",".join(o for o in options if "compression" in o) or "compat=1.1",
                    *backing_args, path, packed)
                os.rename(packed, path)
            self.shadow = content
            backing = ["-b", path, "-F", kind]
        run("qemu-img", "create", "-q", "-f", "qcow2", *backing, "-o", ",".join(options), self.path, str(self.size))
        if compressed and not backing:
            # A whole disk of compressed clusters.
            raw = os.path.join(self.dir, "raw")
            with open(raw, "wb") as f:
                for i in range(0, self.size, self.cluster):
                    part = bytes([self.rng.randrange(256)]) * (self.cluster // 2) + self.noise[i % NOISE:][:self.cluster // 4]
                    part = (part + bytes(self.cluster))[:min(self.cluster, self.size - i)]
                    self.shadow[i:i + len(part)] = part
                    f.write(part)
            run("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", ",".join(options), raw, self.path)
            os.unlink(raw)

    def extent(self, size):
        """A random place; often odd, sometimes whole clusters, sometimes long."""
        kind = self.rng.random()
        if kind < 0.5:
            length = self.rng.randrange(1, 33) * 512
        elif kind < 0.75:
            length = self.rng.randrange(1, 4) * self.cluster
        else:
            length = self.rng.randrange(1, 512 * KIB // 512) * 512
        length = min(length, size, NOISE)
        offset = self.rng.randrange(0, (size - length) // 512 + 1) * 512
        if self.rng.random() < 0.4:
            offset = min(offset // self.cluster * self.cluster, (size - length) // 512 * 512)
        return offset, length

    def us(self, script, read_only=False):
        env_args = ["env", "LODGE_IO=threads"] if self.threads else []
        flags = (["-n"] if self.direct else []) + (["-r"] if read_only else [])
        return run(*env_args, self.tool, *flags, "-f", "qcow2", self.path, "-", stdin="\n".join(script) + "\n")

    def write_by_us(self, n):
        script = []
        busy = []
        for _ in range(n):
            offset, length = self.extent(self.size)
            if any(offset < b and a < offset + length for a, b in busy):
                script.append("wait")
                busy = []
            verb = self.rng.choice(["aload", "aload", "aload", "load", "zero", "discard", "flush", "sequence"])
            if verb == "sequence":
                # A stream of small neighbours, which are done as one.
                script.append("wait")
                at = offset
                for _ in range(40):
                    if at + 4 * KIB > self.size:
                        break
                    source = self.rng.randrange(0, (NOISE - 4 * KIB) // 512) * 512
                    script.append(f"aload {self.noise_path} {at} {4 * KIB} {source}")
                    self.shadow[at:at + 4 * KIB] = self.noise[source:source + 4 * KIB]
                    at += 4 * KIB
                script.append("wait")
                busy = []
            elif verb == "flush":
                script.append("flush")
            elif verb in ("zero", "discard"):
                script.append(f"{verb} {offset} {length}")
                self.shadow[offset:offset + length] = bytes(length)
            else:
                source = self.rng.randrange(0, (NOISE - length) // 512 + 1) * 512
                script.append(f"{verb} {self.noise_path} {offset} {length} {source}")
                self.shadow[offset:offset + length] = self.noise[source:source + length]
                if verb == "aload":
                    busy.append((offset, offset + length))
        self.us(script)

    def write_by_qemu(self, n):
        commands = []
        for _ in range(n):
            offset, length = self.extent(self.size)
            verb = self.rng.choice(["write", "write", "zero", "zero-unmap", "discard"])
            if verb == "write":
                pattern = self.rng.randrange(1, 256)
                commands += ["-c", f"write -P {pattern} {offset} {length}"]
                self.shadow[offset:offset + length] = bytes([pattern]) * length
            elif verb == "discard":
                # What QEMU leaves of clusters that are only partly covered is its own business: whole ones, and they read as zeros.
                start = (offset + self.cluster - 1) // self.cluster * self.cluster
                end = (offset + length) // self.cluster * self.cluster
                if end > start:
                    commands += ["-c", f"write -z -u {start} {end - start}"]
                    self.shadow[start:end] = bytes(end - start)
            else:
                commands += ["-c", f"write -z {'-u ' if verb == 'zero-unmap' else ''}{offset} {length}"]
                self.shadow[offset:offset + length] = bytes(length)
        run("qemu-io", "-f", "qcow2", *commands, self.path)

    def snapshot(self):
        name = f"s{len(self.snapshots)}"
        run("qemu-img", "snapshot", "-c", name, self.path)
        self.snapshots.append((name, bytes(self.shadow)))

    def resize(self):
        grow = self.rng.randrange(1, 8 * MIB // 512) * 512
        run("qemu-img", "resize", "-q", "-f", "qcow2", self.path, f"+{grow}")
        self.size += grow
        self.shadow += bytes(grow)

    def check(self):
        run("qemu-img", "check", "-q", "-f", "qcow2", self.path)
        plain = os.path.join(self.dir, "plain")
        with open(plain, "wb") as f:
            f.write(self.shadow)
        run("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", self.path, plain)
        self.us([f"dump {plain} 0 {self.size}"], read_only=True)
        with open(plain, "rb") as f:
            if f.read() != self.shadow:
                raise Failure("the engine reads something else than what was written")
        for name, content in self.snapshots:
            run("qemu-img", "convert", "-f", "qcow2", "-l", f"snapshot.name={name}", "-O", "raw", self.path, plain)
            with open(plain, "rb") as f:
                if f.read() != content:
                    raise Failure(f"snapshot {name} has changed")

    def go(self):
        if "lazy_refcounts" in self.options_hint:
            # A writer that dies leaves refcounts that are wrong.
            run("qemu-io", "-f", "qcow2", "-c", f"write -P 77 0 {self.size // 2}", "-c", "flush", "-c", "abort", self.path, ok=(-6, 134))
            self.shadow[:self.size // 2] = bytes([77]) * (self.size // 2)
            self.write_by_us(5)
        self.check()
        self.write_by_us(60)
        self.check()
        self.write_by_qemu(15)
        self.write_by_us(30)
        self.check()
        if "compat=0.10" not in self.options_hint:
            if not self.snapshots:
                self.resize()
            self.snapshot()
            self.write_by_us(30)
            self.check()

    options_hint = ""


def cases():
    """(name, keywords of Case)"""
    for bits in (9, 10, 12, 14, 16, 18, 21):
        size = {9: 3 * MIB, 10: 5 * MIB}.get(bits, 12 * MIB) + 1536
        options = [f"cluster_size={1 << bits}"]
        yield f"cluster-{1 << bits}", dict(size=size, options=options)
        yield f"cluster-{1 << bits}-over-qcow2", dict(size=size, options=options, depth=2, base_kinds=("qcow2",), direct=True)
        yield f"cluster-{1 << bits}-snapshots", dict(size=size, options=options, snapshots=2, threads=True)
        if bits >= 14:
            extended = options + ["extended_l2=on"]
            yield f"subclusters-{1 << bits}", dict(size=size, options=extended, direct=True)
            yield f"subclusters-{1 << bits}-over-raw", dict(size=size, options=extended, depth=2, base_kinds=("raw", "qcow2"))
            yield f"subclusters-{1 << bits}-snapshots", dict(size=size, options=extended, depth=1, base_kinds=("qcow2",), snapshots=2)
    for bits in (1, 2, 4, 8, 16, 32, 64):
        yield f"refcount-{bits}", dict(size=4 * MIB, options=[f"refcount_bits={bits}", "cluster_size=512"])
    for kind in ("zlib", "zstd"):
        for cluster in (4096, 65536):
            options = [f"compression_type={kind}", f"cluster_size={cluster}"]
            yield f"compressed-{kind}-{cluster}", dict(size=6 * MIB, options=options, compressed=True)
            yield f"compressed-{kind}-{cluster}-bases", dict(size=6 * MIB, options=options, depth=3, base_kinds=("qcow2",), compressed=True)
    yield "compressed-subclusters", dict(size=6 * MIB, options=["extended_l2=on", "compression_type=zstd"], compressed=True, snapshots=1)
    yield "version-2", dict(size=6 * MIB, options=["compat=0.10"])
    yield "version-2-over-qcow2", dict(size=6 * MIB, options=["compat=0.10"], depth=2, base_kinds=("qcow2",))
    yield "version-2-snapshots", dict(size=6 * MIB, options=["compat=0.10"], snapshots=2)
    yield "lazy-refcounts", dict(size=6 * MIB, options=["lazy_refcounts=on"])
    yield "preallocated", dict(size=6 * MIB, options=["preallocation=metadata"])
    yield "deep", dict(size=4 * MIB, options=["cluster_size=65536"], depth=8, base_kinds=("qcow2",))


def check_locks(tool, directory):
    """Neither side opens what the other has open."""
    for kind in ("raw", "qcow2"):
        path = os.path.join(directory, "locked." + kind)
        run("qemu-img", "create", "-q", "-f", kind, path, "4M")
        with subprocess.Popen([tool, "-f", kind, path, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            holder.stdin.write("mark open\n")
            holder.stdin.flush()
            holder.stdout.readline()
            for command in (["qemu-img", "convert", "-f", kind, "-O", "raw", path, path + ".copy"], ["qemu-io", "-f", kind, "-c", "write 0 512", path]):
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode == 0 or "lock" not in done.stderr:
                    raise Failure(f"{command[0]} opened an image that we have open: {done.stderr}")
            holder.stdin.close()
        with subprocess.Popen(["qemu-io", "-f", kind, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            holder.stdin.write("read 0 512\n")
            holder.stdin.flush()
            holder.stdout.readline()
            done = subprocess.run([tool, "-r", "-f", kind, path, "size"], capture_output=True, text=True)
            if done.returncode == 0 or "in use" not in done.stderr or path not in done.stderr:
                raise Failure(f"we opened an image that qemu-io has open: {done.stderr}")
            holder.stdin.close()
        run(tool, "-f", kind, path, "size")


def main():
    if shutil.which("qemu-img") is None or shutil.which("qemu-io") is None:
        print("1..0 # SKIP qemu-img and qemu-io are not installed")
        return 0
    tool, wanted = sys.argv[1], sys.argv[2:]
    seed = int(os.environ.get("LODGE_TEST_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"# LODGE_TEST_SEED={seed}")
    n, failed = 1, 0
    try:
        with tempfile.TemporaryDirectory(prefix="lodge-peer-") as directory:
            check_locks(tool, directory)
        print("ok 1 - /qcow2/peer/locks", flush=True)
    except Failure as failure:
        failed += 1
        print(f"# {failure}\nnot ok 1 - /qcow2/peer/locks", flush=True)
    for name, keywords in cases():
        # Leaving out some of a long list each time keeps the ordinary run short; a name or LODGE_TEST_ALL asks for all.
        rng = random.Random(f"{seed} {name}")
        if wanted and name not in wanted:
            continue
        if not wanted and "LODGE_TEST_ALL" not in os.environ and rng.random() < 0.75:
            continue
        n += 1
        with tempfile.TemporaryDirectory(prefix="lodge-peer-") as directory:
            try:
                case = Case(tool, directory, rng, **keywords)
                case.options_hint = ",".join(keywords["options"])
                if "refcount_bits=1" in keywords["options"]:
                    case.snapshot = lambda: None  # QEMU cannot either
                case.go()
                print(f"ok {n} - /qcow2/peer/{name}", flush=True)
            except Failure as failure:
                failed += 1
                for line in str(failure)[-4000:].splitlines():
                    print("# " + line)
                if "LODGE_TEST_KEEP" in os.environ:
                    shutil.copytree(directory, os.path.join(os.environ["LODGE_TEST_KEEP"], name), dirs_exist_ok=True)
                print(f"not ok {n} - /qcow2/peer/{name}", flush=True)
    print(f"1..{n}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
