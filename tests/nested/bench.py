# SPDX-License-Identifier: GPL-3.0-or-later
"""The nested bench: real KVM anywhere.

QEMU's software processor emulates a machine with AMD-V; a stock Debian kernel in it gives a true /dev/kvm; the root file system of that
machine is the tree that we run in, read-only under a tmpfs overlay. Several checks share one boot:

    with Bench(keep_dir) as bench:
        result = bench.run("uname -r", timeout=60)      # one call: output and exit code
        bench.put("/some/file", "name")                  # appears as /share/name inside
        open(bench.path("name"))                         # what the inside left in /share

Needs: qemu-system-x86_64, a Debian kernel in /boot with its modules, busybox (static), cpio.
"""
import glob
import lzma
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

# The first process: mounts the tree through 9p, puts a tmpfs over it, changes into it.
INIT = r"""#!/bin/busybox sh
B=/bin/busybox
$B mkdir -p /proc /sys /dev /r /rw /n
$B mount -t proc p /proc; $B mount -t sysfs s /sys; $B mount -t devtmpfs d /dev
for m in $($B cat /mods); do $B insmod /m/$m || echo "insmod $m failed"; done
$B mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose root /r || { echo BENCH-NO-ROOT; $B poweroff -f; }
$B mount -t tmpfs -o size=75% t /rw; $B mkdir /rw/u /rw/w
$B mount -t overlay -o lowerdir=/r,upperdir=/rw/u,workdir=/rw/w o /n
$B mkdir -p /n/share /n/proc /n/sys /n/dev
$B mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=mmap share /n/share
$B mount --move /proc /n/proc; $B mount --move /sys /n/sys; $B mount --move /dev /n/dev
exec $B switch_root /n /bin/bash /share/.bench/second
"""

# The second: makes the place fit to live in, then runs the scripts that the host names, one after the other.
SECOND = r"""export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb
mkdir -p /dev/pts /dev/shm /run /tmp; ln -s /proc/self/fd /dev/fd; mount -t devpts -o gid=5,mode=620,ptmxmode=666 d /dev/pts; mount -t tmpfs s /dev/shm
mount -t tmpfs r /run; mount -t tmpfs t /tmp; mkdir -p /run/user/0 /run/lock /tmp/.X11-unix
chmod 1777 /tmp /tmp/.X11-unix; chmod 700 /run/user/0
mount -t tmpfs h /root; mount -t cgroup2 c /sys/fs/cgroup 2>/dev/null
export XDG_RUNTIME_DIR=/run/user/0
hostname bench; ip link set lo up 2>/dev/null
modprobe -a kvm-amd tun virtio_console 2>/dev/null; chmod 666 /dev/kvm 2>/dev/null
for i in $(seq 100); do port=$(ls /dev/vport*p* 2>/dev/null | head -n 1); [ -n "$port" ] && break; sleep 0.05; done
exec 3<>"$port"
echo ready >&3
while read -r job timeout <&3; do
  cd /share
  timeout -k 5 "$timeout" setsid bash "/share/.bench/$job.sh" </dev/null >"/share/.bench/$job.out" 2>&1
  rc=$?
  sync -f /share
  echo "done $job $rc" >&3
done
echo b > /proc/sysrq-trigger
"""


class Skip(Exception):
    """This host cannot run the bench; the text says why."""


class Result:
    def __init__(self, code, output):
        self.code, self.output = code, output

    def __repr__(self):
        return f"exit code {self.code}\n{self.output}"


# QEMU up to 11.1 ends itself when a machine inside its software processor writes CR8 while an interrupt waits: a check that its big lock is
# held, which there it is not. UEFI firmware does that at once. The check is the only thing wrong: this finds its conditional jump, at the end
# of the match, in cpu_interrupt() of the Debian build.
LOCK_CHECK = re.compile(rb"\xf3\x0f\x1e\xfaU\x89\xf5SH\x89\xfbH\x83\xec\x08\xe8....\x84\xc0(?=\x74.\x09\xab)", re.DOTALL)


def make_qemu_without_lock_check(target):
    """A private copy of the installed QEMU that does not end itself there. Returns: False if this QEMU is not known."""
    with open(shutil.which("qemu-system-x86_64"), "rb") as f:
        program = f.read()
    matches = list(LOCK_CHECK.finditer(program))
    if len(matches) != 1:
        return False
    end = matches[0].end()
    with open(target, "wb") as f:
        f.write(program[:end] + b"\x90\x90" + program[end + 2:])
    os.chmod(target, 0o755)
    return True


def find_kernel():
    """The newest kernel whose modules are here: (image, module directory)."""
    for modules in sorted(glob.glob("/lib/modules/*"), reverse=True):
        image = "/boot/vmlinuz-" + os.path.basename(modules)
        if os.access(image, os.R_OK) and glob.glob(modules + "/kernel/fs/9p/9p.ko*"):
            return image, modules
    raise Skip("no readable kernel in /boot with its 9p module (package linux-image-amd64)")


def read_module(modules, name):
    path = next(iter(glob.glob(f"{modules}/kernel/**/{name}.ko*", recursive=True)), None)
    if path is None:
        return None
    with open(path, "rb") as f:
        data = f.read()
    return lzma.decompress(data) if path.endswith(".xz") else data


def make_initramfs(target, files):
    """files: name -> (content, mode). Uncompressed newc archive."""
    with tempfile.TemporaryDirectory() as root:
        for name, (content, mode) in files.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(content)
            os.chmod(path, mode)
        with open(target, "wb") as out:
            names = subprocess.run(["find", "."], cwd=root, check=True, capture_output=True).stdout
            subprocess.run(["cpio", "--quiet", "-oH", "newc"], cwd=root, input=names, stdout=out, check=True)


class Bench:
    def __init__(self, keep=None, processors=2, memory_mib=4096, qemu_args=(), uefi=False):
        for tool in ("qemu-system-x86_64", "busybox", "cpio"):
            if shutil.which(tool) is None:
                raise Skip(f"{tool} is not installed")
        self.kernel, self.modules = find_kernel()
        self.keep = keep
        self.share = tempfile.mkdtemp(prefix="bench-")
        self.private = os.path.join(self.share, ".bench")
        self.jobs = 0
        self.processors, self.memory_mib, self.qemu_args = processors, memory_mib, list(qemu_args)
        self.uefi = uefi  # machines in it start UEFI firmware
        self.qemu = self.peer = None

    def path(self, name):
        return os.path.join(self.share, name)

    def put(self, source, name=None):
        shutil.copy(source, self.path(name or os.path.basename(source)))

    def __enter__(self):
        os.makedirs(self.private)
        self._write("second", SECOND)
        files = {"init": (INIT.encode(), 0o755)}
        with open(shutil.which("busybox"), "rb") as f:
            files["bin/busybox"] = (f.read(), 0o755)
        mods = []
        for name in ("overlay", "netfs", "9pnet", "9pnet_virtio", "9p"):
            data = read_module(self.modules, name)
            if data is not None:
                files[f"m/{name}.ko"] = (data, 0o644)
                mods.append(name + ".ko")
        files["mods"] = (" ".join(mods).encode(), 0o644)
        make_initramfs(self.path(".bench/initramfs"), files)

        sock_path = self.path(".bench/port")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(sock_path)
        listener.listen(1)
        listener.settimeout(30)
        copy = self.path(".bench/qemu")
        self.runs_uefi = self.uefi and make_qemu_without_lock_check(copy)
        command = [copy if self.runs_uefi else "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-M", "q35", "-accel", "tcg,thread=multi,tb-size=512",
                   "-cpu", "max,+svm,+npt", "-smp", str(self.processors), "-m", str(self.memory_mib), "-display", "none", "-no-reboot",
                   "-kernel", self.kernel, "-initrd", self.path(".bench/initramfs"),
                   "-append", "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable no_timer_check nowatchdog audit=0 random.trust_cpu=on",
                   "-serial", f"file:{self.path('.bench/console')}",
                   "-device", "virtio-serial-pci", "-chardev", f"socket,id=port,path={sock_path}",
                   "-device", "virtserialport,chardev=port,name=bench", "-device", "virtio-rng-pci"]
        for tag, path, extra in (("root", "/", ",readonly=on"), ("share", self.share, "")):
            command += ["-fsdev", f"local,id={tag},path={path},security_model=none,multidevs=remap{extra}",
                        "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        self.started = time.monotonic()
        with open(self.path(".bench/qemu.log"), "wb") as log:
            self.qemu = subprocess.Popen(command + self.qemu_args, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.peer, _ = listener.accept()
            listener.close()
            self.peer.settimeout(120)
            self.lines = self.peer.makefile("r")
            if self.lines.readline().strip() != "ready":
                raise RuntimeError("the bench did not come up")
        except (OSError, RuntimeError) as error:
            text = self._read("console") + self._read("qemu.log")
            self.__exit__(type(error), error, None)
            raise RuntimeError(f"the nested bench did not start: {error}\n{text[-3000:]}") from None
        self.ready_seconds = time.monotonic() - self.started
        return self

    def _write(self, name, text):
        with open(os.path.join(self.private, name), "w", encoding="utf-8") as f:
            f.write(text)

    def _read(self, name):
        try:
            with open(os.path.join(self.private, name), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def run(self, script, timeout=120):
        """Runs a bash script inside. The exit code is 124 if it took longer than @timeout seconds."""
        self.jobs += 1
        job = f"job{self.jobs}"
        self._write(job + ".sh", script + "\n")
        self.peer.settimeout(timeout + 60)
        self.peer.sendall(f"{job} {timeout}\n".encode())
        line = self.lines.readline().split()
        if line[:2] != ["done", job]:
            raise RuntimeError("the nested bench died\n" + self._read("console")[-3000:])
        return Result(int(line[2]), self._read(job + ".out"))

    def keep_files(self):
        """What a person looks at after a failure: serial logs, screenshots, outputs."""
        if not self.keep:
            return
        target = os.path.join(self.keep, time.strftime("nested-%H%M%S"))
        big = (".qcow2", ".raw", ".iso", "initramfs", "-initrd", "port")
        shutil.copytree(self.share, target, ignore=lambda _directory, names: [name for name in names if name.endswith(big)])
        print(f"# kept for you to look at: {target}", flush=True)

    def __exit__(self, kind, error, trace):
        if self.peer is not None:
            self.peer.close()
        if self.qemu is not None:
            self.qemu.kill()
            self.qemu.wait()
        if kind is not None:
            self.keep_files()
        shutil.rmtree(self.share, ignore_errors=True)
