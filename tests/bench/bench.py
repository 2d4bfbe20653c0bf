#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""./dev bench: Lodge beside QEMU, in one run, on the same /dev/kvm; prints medians and ratios (below 1: Lodge is ahead).

    bench.py --lodge PROGRAM [--only NAME] [--runs N]

On this host's /dev/kvm: start to the firmware's first instruction, to SeaBIOS's boot menu, cost of a port and a memory-mapped exit, memory
beyond the guest's. In the nested bench (stock kernel): start to a shell, 4 KiB disk requests on raw and qcow2.
"""
import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../nested"))

LOOPS = 200000
MEMORY_MIB = 256


def wait_for(path, marks, timeout, process):
    """Seconds until each mark stands in the file."""
    start, found = process.lodge_start, {}
    deadline = start + timeout
    while time.monotonic() < deadline and len(found) < len(marks):
        try:
            with open(path, encoding="utf-8", errors="replace") as f:
                text = f.read()
        except FileNotFoundError:
            text = ""
        now = time.monotonic() - start
        for mark in marks:
            if mark in text and mark not in found:
                found[mark] = now
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}")
        time.sleep(0.0005)
    missing = [mark for mark in marks if mark not in found]
    if missing:
        raise RuntimeError(f"{process.args[0]}: no {missing} in {timeout} s")
    return found


def start(command, **kwargs):
    begin = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kwargs)
    process.lodge_start = begin
    return process


def stop(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


class Lodge:
    name = "Lodge"

    def __init__(self, program, work):
        self.program, self.work = program, work

    def start(self, bios=None, extra=""):
        bundle = os.path.join(self.work, "bench.lodge")
        shutil.rmtree(bundle, ignore_errors=True)
        os.makedirs(bundle)
        self.log = os.path.join(bundle, "log/firmware.log")
        with open(os.path.join(bundle, "machine.conf"), "w", encoding="utf-8") as f:
            f.write(f"[machine]\nname=bench\nuuid=11111111-2222-3333-4444-555555555555\nmemory={MEMORY_MIB}\ncpus=1\nboot-menu=true\n")
            if bios:
                f.write(f"firmware-image={bios}\n")
            f.write("[display0]\nclass=vga\n" + extra)
        env = {**os.environ, "XDG_RUNTIME_DIR": os.path.join(self.work, "run"), "XDG_DATA_HOME": self.work}
        os.makedirs(env["XDG_RUNTIME_DIR"], 0o700, exist_ok=True)
        return start([self.program, "machine", bundle, "--headless"], env=env)

    is_ram = staticmethod(lambda name: "lodge-ram" in name)


class Qemu:
    name = "QEMU"

    def __init__(self, work):
        self.work = work

    def start(self, bios=None, extra=""):
        self.log = os.path.join(self.work, "qemu.log")
        if os.path.exists(self.log):
            os.unlink(self.log)
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-M", "q35,smm=off,memory-backend=ram", "-accel", "kvm", "-cpu", "host",
                   "-object", f"memory-backend-memfd,id=ram,size={MEMORY_MIB}M", "-m", f"{MEMORY_MIB}M", "-vga", "std", "-display", "none",
                   "-boot", "menu=on", "-chardev", f"file,id=d,path={self.log}", "-device", "isa-debugcon,iobase=0x402,chardev=d"]
        if bios:
            command += ["-bios", bios]
        return start(command)

    is_ram = staticmethod(lambda name: "memory-backend" in name)


def memory_beyond_guest(pid, is_ram):
    """(private KiB, all resident KiB) outside the guest's RAM."""
    private = resident = 0
    ram = False
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as f:
        for line in f:
            if re.match(r"^[0-9a-f]+-[0-9a-f]+ ", line):
                ram = is_ram(line)
            elif not ram and line.startswith("Rss:"):
                resident += int(line.split()[1])
            elif not ram and line.startswith(("Private_Clean:", "Private_Dirty:")):
                private += int(line.split()[1])
    return private, resident


def firmware_run(maker, bios):
    process = maker.start(bios)
    try:
        marks = wait_for(maker.log, ["A\n", "B\n", "C\n"], 60, process)
    finally:
        stop(process)
    return {"start to first instruction, ms": marks["A\n"] * 1e3,
            "port exit, us": (marks["B\n"] - marks["A\n"]) / LOOPS * 1e6,
            "MMIO exit, us": (marks["C\n"] - marks["B\n"]) / LOOPS * 1e6}


def menu_run(maker):
    process = maker.start()
    try:
        marks = wait_for(maker.log, ["Press ESC for boot menu"], 60, process)
        time.sleep(0.5)
        private, resident = memory_beyond_guest(process.pid, maker.is_ram)
    finally:
        stop(process)
    return {"start to boot menu, ms": marks["Press ESC for boot menu"] * 1e3, "own memory, private MiB": private / 1024,
            "own memory with shared files, MiB": resident / 1024}


def print_table(title, results):
    """results: maker name -> list of {figure: value}."""
    print(f"\n{title}\n{'':44} {'Lodge':>10} {'QEMU':>10} {'ratio':>7}   (medians; spread of Lodge, of QEMU)")
    for figure in results["QEMU"][0]:
        values = {name: [run[figure] for run in runs if figure in run] for name, runs in results.items()}
        if not values["Lodge"]:
            continue
        lodge, qemu = statistics.median(values["Lodge"]), statistics.median(values["QEMU"])
        spread = ", ".join(f"{min(v):.3g}–{max(v):.3g}" for v in (values["Lodge"], values["QEMU"]))
        print(f"{figure:44} {lodge:10.2f} {qemu:10.2f} {lodge / qemu if qemu else float('nan'):7.2f}   ({spread})", flush=True)


def assemble(work):
    objects = os.path.join(work, "bios.o")
    binary = os.path.join(work, "bios.bin")
    subprocess.run(["gcc", "-m32", "-c", f"-DLOOPS={LOOPS}", "-o", objects, os.path.join(HERE, "bench-bios.S")], check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", objects, binary], check=True)
    return binary


def host_benchmarks(program, work, runs, only):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("no /dev/kvm on this host: figures of the nested bench alone")
        return
    makers = [Lodge(program, work), Qemu(work)]
    bios = assemble(work)
    for title, run in (("Exits and start (this host's /dev/kvm)", lambda m: firmware_run(m, bios)),
                       ("SeaBIOS (this host's /dev/kvm)", menu_run)):
        if only and only not in title.lower():
            continue
        results = {maker.name: [] for maker in makers}
        for _ in range(runs):
            for maker in makers:
                results[maker.name].append(run(maker))
        print_table(title, results)


GUEST_QEMU = ("qemu-system-x86_64 -nodefaults -no-user-config -M q35,smm=off -accel kvm -cpu host -m 256M -vga std -display none "
              "-kernel {kernel} -initrd /share/initrd -append '{append}' -serial file:/tmp/serial.log")
GUEST_CONF = ("[machine]\nname=bench\nuuid=11111111-2222-3333-4444-555555555555\nmemory=256\n[display0]\nclass=vga\n[serial0]\nclass=serial\n"
              "[kernel]\nkernel={kernel}\ninitrd=/share/initrd\nappend={append}\n")
GUEST_SCRIPT = r"""
export XDG_RUNTIME_DIR=/run/user/0 XDG_DATA_HOME=/tmp/data
rm -rf /tmp/m.lodge /tmp/serial.log; mkdir -p /tmp/m.lodge /tmp/data
cp /share/machine.conf /tmp/m.lodge/
begin=$(cut -d' ' -f1 /proc/uptime)
if [ "$1" = lodge ]; then LOG=/tmp/m.lodge/log/serial0.log; {lodge} machine /tmp/m.lodge --headless >/share/out.log 2>&1 &
else LOG=/tmp/serial.log; {qemu} >/share/out.log 2>&1 & fi
pid=$!
for i in $(seq {tries}); do grep -q '{mark}' $LOG 2>/dev/null && break; kill -0 $pid 2>/dev/null || break; sleep 0.1; done
end=$(cut -d' ' -f1 /proc/uptime)
kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null
grep -a '{mark}' $LOG >/dev/null || {{ tail -n 5 $LOG /share/out.log; exit 1; }}
echo "SECONDS $(echo "$end $begin" | awk '{{print $1-$2}}')"
grep -a RESULT $LOG | tr -d '\r'
"""


def nested_benchmarks(program, work, runs, only):
    import images
    from bench import Bench, find_kernel

    io = os.path.join(work, "disk-io")
    subprocess.run(["gcc", "-O2", "-static", "-pthread", "-o", io, os.path.join(HERE, "disk-io.c")], check=True)
    kernel, _ = find_kernel()
    images.initrd(os.path.join(work, "initrd"), images.SHELL_INIT.replace(
        "setsid sh -c 'while", "grep -q bench=io /proc/cmdline && { /bin/disk-io /dev/sda 3 >/dev/ttyS0 2>&1; echo BENCH-END >/dev/ttyS0; }\nsetsid sh -c 'while"),
        ["ahci", "sd_mod"], {"bin/disk-io": io})
    append = "console=ttyS0 quiet mitigations=off audit=0"
    with Bench() as bench:
        bench.put(os.path.join(work, "initrd"), "initrd")

        def one(who, mark, extra_append, conf, qemu, tries):
            with open(bench.path("machine.conf"), "w", encoding="utf-8") as f:
                f.write(GUEST_CONF.format(kernel=kernel, append=append + extra_append) + conf)
            script = GUEST_SCRIPT.format(lodge=program, tries=tries, mark=mark,
                                         qemu=GUEST_QEMU.format(kernel=kernel, append=append + extra_append) + qemu)
            result = bench.run(f"set -- {who}\n{script}", timeout=tries // 10 + 60)
            if result.code != 0:
                raise RuntimeError(f"{who}: {result.output}")
            return result.output

        if not only or only in "boot":
            results = {"Lodge": [], "QEMU": []}
            for _ in range(runs):
                for name in results:
                    output = one(name.lower(), "SHELL-READY", "", "", "", 900)
                    results[name].append({"start to a shell, s": float(re.search(r"SECONDS ([\d.]+)", output)[1])})
            print_table("Boot of a stock kernel (nested bench)", results)

        for image_format in ("raw", "qcow2"):
            if only and only not in "disk " + image_format:
                continue
            results = {"Lodge": [], "QEMU": []}
            for _ in range(max(1, runs - 1)):
                for name in results:
                    # The image lies in memory, and is written once: the engine is measured, not a disk.
                    made = bench.run(f"rm -f /tmp/disk; qemu-img create -q -f {image_format} /tmp/disk 256M; qemu-io -f {image_format} -c 'write -P 90 0 256M' /tmp/disk >/dev/null")
                    if made.code != 0:
                        raise RuntimeError(made.output)
                    output = one(name.lower(), "BENCH-END", " bench=io", f"[disk0]\nclass=sata-disk\nimage=/tmp/disk\nformat={image_format}\n",
                                 f" -drive file=/tmp/disk,format={image_format},if=none,id=d,cache=writeback,aio=io_uring -device ide-hd,drive=d", 1800)
                    # Time for one request, so that below 1 is ahead here too.
                    results[name].append({f"{what}, us a request": 1e6 / max(float(rate), 0.01) for what, rate in re.findall(r"RESULT (\S+) ([\d.]+)", output)})
            print_table(f"4 KiB requests on {image_format}, AHCI, {{order}}-{{direction}}-{{threads}} (nested bench)", results)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lodge", required=True, help="the program, built without sanitizers")
    parser.add_argument("--only", help="part of a table's title: exits, seabios, boot, disk")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--no-nested", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        program = os.path.abspath(args.lodge)
        host_benchmarks(program, work, args.runs, args.only)
        if not args.no_nested:
            nested_benchmarks(program, work, min(args.runs, 3), args.only)


if __name__ == "__main__":
    main()
