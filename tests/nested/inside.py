#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that run inside the nested bench, one a call: inside.py LODGE CHECK. Drives machines by the command line as a person would."""
import array
import json
import os
import re
import selectors
import struct
import subprocess
import sys
import time
import zlib

LODGE = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "lodge"
DATA = "/tmp/data"
os.environ.update(XDG_DATA_HOME=DATA, XDG_RUNTIME_DIR="/run/user/0", XDG_CONFIG_HOME="/tmp/config", XDG_CACHE_HOME="/tmp/cache")
SOUND_CARDS = ["hda"]
GRUB_ISO = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"


def run(*command, check=True, timeout=300):
    result = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def lodge(*args, **kwargs):
    return run(LODGE, *args, **kwargs)


def wait(what, condition, timeout):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.3)
    raise AssertionError(f"not within {timeout} s: {what}")


class Machine:
    def __init__(self, name, *options):
        self.name = name
        if lodge("show", name, check=False):  # left by a first try
            lodge("stop", name, "--force", "--wait", check=False)
            lodge("delete", name)
        lodge("create", name, *options)
        self.bundle = os.path.join(DATA, "lodge/machines", name + ".lodge")

    def __enter__(self):
        lodge("start", self.name, "--headless")
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            print(f"--- text screen of {self.name}\n{lodge('text', self.name, check=False)}")
            print(f"--- end of its serial log\n{self.serial()[-1500:]}")
            lodge("screenshot", self.name, f"/share/{self.name}.png", check=False)
        if self.state() != "off":
            lodge("stop", self.name, "--force", "--wait", check=False)

    def state(self):
        return json.loads(lodge("show", self.name, "--json"))["state"]

    def text(self):
        return lodge("text", self.name, check=False)

    def serial(self):
        try:
            with open(os.path.join(self.bundle, "log/serial0.log"), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_text(self, text, timeout=60):
        wait(f"'{text}' on the screen of {self.name}", lambda: text in self.text(), timeout)

    def wait_serial(self, text, timeout=120):
        wait(f"'{text}' on the serial line of {self.name}", lambda: text in self.serial(), timeout)

    def console(self):
        return Console(self.name)


class Console:
    """lodge console, spoken to through pipes."""

    def __init__(self, name):
        self.process = subprocess.Popen([LODGE, "console", name, "serial0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.seen = ""
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.process.kill()
        self.process.wait()

    def send(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def expect(self, pattern, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            match = re.search(pattern, self.seen)
            if match:
                self.seen = self.seen[match.end():]
                return match
            if time.monotonic() > deadline or not self.selector.select(max(0, deadline - time.monotonic())):
                raise AssertionError(f"no /{pattern}/ in {timeout} s; the line says: {self.seen[-800:]!r}")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise AssertionError(f"lodge console ended; it said {self.seen[-800:]!r}")
            self.seen += data.decode(errors="replace")

    def shell(self, command, timeout=60):
        """Runs a command in the guest's shell. Returns its output; its exit code must be 0."""
        self.send(f"{command}; echo \"RC=$?=\"")
        match = self.expect(r"(?s)(.*?)RC=(\d+)=", timeout)
        if match[2] != "0":
            raise AssertionError(f"{command}: {match[1]}")
        return match[1]


def check_grub_menu_and_keys():
    # Not by --iso: recognising the system from libosinfo takes a minute here, and the check of the window does it.
    with Machine("grub", "--set", "cdrom0.image=" + GRUB_ISO, "--memory", "256", "--cpus", "1") as machine:
        machine.wait_text("*GNU/Linux", 120)
        lodge("key", "grub", "down")
        machine.wait_text("*GNU (aka", 30)
        lodge("key", "grub", "c")
        machine.wait_text("grub>", 60)
        lodge("type", "grub", "echo Aa1=Zz_\n")
        wait("what was typed, echoed by GRUB", lambda: machine.text().count("Aa1=Zz_") == 2, 60)
        lodge("eject", "grub")
        lodge("insert", "grub", GRUB_ISO)
        lodge("type", "grub", "echo still here\n")
        wait("GRUB, at home without its disc", lambda: machine.text().count("still here") == 2, 60)


def check_kernel(processors):
    name = f"kernel{processors}"
    with open("/share/kernel", encoding="utf-8") as f:
        kernel = f.read().strip()
    with Machine(name, "--kernel", kernel, "--initrd", "/share/shell-initrd", "--append", "console=tty0 console=ttyS0 quiet mitigations=off audit=0",
                 "--memory", "384", "--cpus", str(processors), "--disk", "0") as machine:
        machine.wait_serial(f"SHELL-READY processors={processors}", 240)
        machine.wait_text(f"SHELL-READY processors={processors}", 30)
        with machine.console() as console:
            assert f"cpu{processors - 1}" in console.shell("grep ^cpu /proc/stat")
            bad = console.shell("! dmesg | grep -E 'BUG:|Oops|Call Trace|ACPI (BIOS )?(Error|Warning)|soft lockup'")
            assert "] " not in bad, bad
        # The text screen's shell takes keys.
        lodge("type", name, "echo key$((40+2))s\n")
        machine.wait_text("key42s", 30)


def check_kernel_one_processor():
    check_kernel(1)


def check_kernel_four_processors():
    check_kernel(4)


def check_uefi_shell_and_variables():
    """OVMF from the host's firmware descriptors: its shell takes keys; what it keeps in flash survives resets and lost power."""
    with Machine("uefi", "--firmware", "uefi", "--memory", "256", "--cpus", "1", "--disk", "0") as machine:
        machine.wait_serial("Shell>", 180)
        # The keys of the window: the shell answers on the serial line as well.
        lodge("type", "uefi", "set lodgetest kept42\n")
        lodge("type", "uefi", "echo Aa1=Zz_\n")
        machine.wait_serial("Aa1=Zz_", 60)  # what was typed has an order to the cursor before each letter
        lodge("screenshot", "uefi", "/share/uefi.png")
        lodge("stop", "uefi", "--force", "--wait")  # no time to shut anything down
    with open(os.path.join(machine.bundle, "nvram.fd"), "rb") as f:
        assert "kept42".encode("utf-16-le") in f.read()
    with machine:
        machine.wait_serial("Shell>", 180)
        before = machine.serial().count("Shell>")
        lodge("type", "uefi", "reset\n")
        wait("a shell after the reset", lambda: machine.serial().count("Shell>") > before, 180)
        lodge("type", "uefi", "set lodgetest\n")
        machine.wait_serial("kept42", 60)
        lodge("type", "uefi", "reset -s\n")
        wait("the machine to be off", lambda: machine.state() == "off", 60)


def check_uefi_disks_in_boot_order():
    """Two disks that UEFI can start from: the settings say which comes first, whatever the firmware remembers."""
    with open("/share/kernel", encoding="utf-8") as f:
        kernel = f.read().strip()  # an EFI program as any other
    for name in ("first", "second"):
        image = f"/tmp/uefi-{name}.raw"
        run("truncate", "-s", "64M", image)
        run("mformat", "-i", image, "-F", "-v", name, "::")
        run("mmd", "-i", image, "::EFI", "::EFI/BOOT")
        run("mcopy", "-i", image, kernel, "::EFI/BOOT/BOOTX64.EFI")
    options = [f"disk{i}.{key}={value}" for i, name in enumerate(("first", "second"))
               for key, value in (("class", "sata-disk"), ("image", f"/tmp/uefi-{name}.raw"), ("format", "raw"), ("port", i),
                                  ("serial", f"SN-{name}"), ("boot", 2 - i))]
    sets = [word for option in options for word in ("--set", option)]
    with Machine("uefidisks", "--firmware", "uefi", "--memory", "512", "--cpus", "1", "--disk", "0", "--set", "cdrom0.port=3", *sets) as machine:
        started = r"BdsDxe: starting Boot\S+ \"[^\"]*(SN-\w+)"
        assert wait("a start from a disk", lambda: re.search(started, machine.serial()), 240)[1] == "SN-second"
        lodge("stop", "uefidisks", "--force", "--wait")
    lodge("set", "uefidisks", "disk0.boot=1", "disk1.boot=2")
    with machine:
        assert wait("a start from a disk", lambda: re.search(started, machine.serial()), 240)[1] == "SN-first"
        lodge("stop", "uefidisks", "--force", "--wait")


def check_uefi_kernel_and_tpm():
    """A kernel that UEFI starts; the TPM that the firmware has measured into."""
    with open("/share/kernel", encoding="utf-8") as f:
        kernel = f.read().strip()
    with Machine("uefikernel", "--firmware", "uefi", "--tpm", "--kernel", kernel, "--initrd", "/share/shell-initrd", "--append",
                 "console=tty0 console=ttyS0 quiet mitigations=off audit=0", "--memory", "512", "--cpus", "2", "--disk", "0") as machine:
        machine.wait_serial("SHELL-READY processors=2", 300)
        with machine.console() as console:
            console.send("export PS1=; stty -echo; set +m")
            console.shell("true")
            console.shell("[ -d /sys/firmware/efi ]")
            assert console.shell("cat /sys/class/tpm/tpm0/tpm_version_major").strip().endswith("2")
            measured = console.shell("cat /sys/class/tpm/tpm0/pcr-sha256/0").split()[-1]
            assert len(measured) == 64 and measured.strip("0") != "", measured
            bad = console.shell("! dmesg | grep -E 'BUG:|Oops|Call Trace|ACPI (BIOS )?(Error|Warning)|soft lockup|tpm.*(error|fail)'")
            assert "] " not in bad, bad
        lodge("stop", "uefikernel", "--force", "--wait")
    assert os.listdir(os.path.join(machine.bundle, "tpm"))
    assert subprocess.run(["pgrep", "-x", "swtpm"], capture_output=True).returncode == 1, "swtpm outlives the machine"


# The same for Lodge and for QEMU: overwrites, writes at odd places, holes, discards.
WRITES = ("D=/dev/$(grep -lx 131072 /sys/block/sd*/size | cut -d/ -f4); dd if=/dev/zero bs=64k count=64 seek=16 of=$D conv=fsync status=none; "
          "yes lodge | head -c 3000000 > /tmp/p; dd if=/tmp/p of=$D bs=4k seek=1000 oflag=direct conv=notrunc,sync status=none; "
          "for i in 1 7 77 777 7777; do yes $i | head -c 12288 > /tmp/q; dd if=/tmp/q of=$D bs=512 seek=$((i*3)) conv=notrunc,fsync status=none; done; "
          "blkdiscard -o 8M -l 4M $D; blkdiscard -z -o 20M -l 1M $D; sync")


def check_debian_disk():
    run("qemu-img", "convert", "-O", "qcow2", "/share/debian.raw", "/tmp/debian.qcow2", timeout=300)
    run("qemu-img", "create", "-q", "-f", "qcow2", "/tmp/data.qcow2", "64M")
    with Machine("debian", "--import", "/tmp/debian.qcow2", "--memory", "512", "--cpus", "2", "--set", "disk1.class=sata-disk",
                 "--set", "disk1.image=/tmp/data.qcow2", "--set", "disk1.format=qcow2") as machine:
        machine.wait_serial("lodge-test login:", 400)
        machine.wait_text("login:", 60)
        with machine.console() as console:
            console.send("root")
            console.expect(r"root@lodge-test\S*[#$] ", 90)
            console.send("export PS1=; stty -echo")
            console.shell("true")
            console.shell(WRITES, 180)
            console.shell("echo kept > /srv/kept; sync")
        lodge("stop", "debian", "--wait", timeout=180)
        assert machine.state() == "off"
    disk = os.path.join(machine.bundle, "disk0.qcow2")
    run("qemu-img", "check", disk)
    run("qemu-img", "check", "/tmp/data.qcow2")
    lodge("show", "debian")
    # What was written is there at the next start.
    with machine:
        machine.wait_serial("lodge-test login:", 400)
        with machine.console() as console:
            console.send("root")
            console.expect(r"root@lodge-test\S*[#$] ", 90)
            console.send("export PS1=; stty -echo")
            assert "kept" in console.shell("cat /srv/kept")
    lodge("delete", "debian")


def check_same_content_as_qemu():
    run("qemu-img", "create", "-q", "-f", "qcow2", "/tmp/data-qemu.qcow2", "64M")
    serial = "/tmp/serial-qemu"
    process = subprocess.Popen(["qemu-system-x86_64", "-nodefaults", "-M", "q35,smm=off", "-accel", "kvm", "-cpu", "host", "-m", "512", "-smp", "2",
                                "-display", "none", "-vga", "std", "-drive", "file=/share/debian.raw,format=raw,if=none,id=a,snapshot=on",
                                "-device", "ide-hd,drive=a,bus=ide.0", "-drive",
                                "file=/tmp/data-qemu.qcow2,format=qcow2,if=none,id=b,discard=unmap", "-device", "ide-hd,drive=b,bus=ide.1",
                                "-serial", f"unix:{serial},server=on,wait=off"])
    try:
        wait("QEMU's serial socket", lambda: os.path.exists(serial), 20)
        console = Console.__new__(Console)
        console.process = subprocess.Popen(["python3", "-c", SOCKET_PIPE, serial], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        console.seen = ""
        console.selector = selectors.DefaultSelector()
        console.selector.register(console.process.stdout, selectors.EVENT_READ)
        with console:
            console.expect("login:", 400)
            console.send("root")
            console.expect(r"root@lodge-test\S*[#$] ", 90)
            console.send("export PS1=; stty -echo")
            console.shell("true")
            console.shell(WRITES, 180)
    finally:
        process.terminate()
        process.wait()
    run("qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", "/tmp/data.qcow2", "/tmp/data-qemu.qcow2")


def check_full_disk_pauses_and_goes_on():
    """The guest writes for ever to a qcow2 on a small file system."""
    os.makedirs("/tmp/small", exist_ok=True)
    run("umount", "-q", "/tmp/small", check=False)
    run("mount", "-t", "tmpfs", "-o", "size=24M", "small", "/tmp/small")
    run("qemu-img", "create", "-q", "-f", "qcow2", "/tmp/small/disk.qcow2", "64M")
    with Machine("full", "--disk", "0", "--memory", "16", "--set", "machine.firmware-image=/share/writer.bin", "--set",
                 "disk0.class=sata-disk", "--set", "disk0.image=/tmp/small/disk.qcow2", "--set", "disk0.format=qcow2", "--set",
                 "disk0.port=0", "--set", "cdrom0.port=1") as machine:
        wait("a pause", lambda: machine.state() == "paused", 120)
        shown = json.loads(lodge("show", "full", "--json"))
        assert shown["reason"] == "no-space", shown
        assert "/tmp/small/disk.qcow2" in shown["message"], shown
        log = os.path.join(machine.bundle, "log/firmware.log")
        before = os.path.getsize(log)
        lodge("resume", "full")
        wait("a second pause: there is still no room", lambda: machine.state() == "paused", 60)
        run("mount", "-o", "remount,size=100M", "/tmp/small")
        lodge("resume", "full")
        wait("more writes", lambda: os.path.getsize(log) > before + 40, 60)
        assert machine.state() == "running"
        lodge("stop", "full", "--force", "--wait")
    run("qemu-img", "check", "/tmp/small/disk.qcow2")


def wav_samples(path):
    with open(path, "rb") as f:
        data = f.read()
    assert data[:4] == b"RIFF" and data[8:16] == b"WAVEfmt " and data[36:40] == b"data", data[:44]
    assert struct.unpack("<HHIIHH", data[20:36]) == (1, 2, 48000, 192000, 4, 16), data[:44]
    samples = array.array("h")
    samples.frombytes(data[44:44 + struct.unpack("<I", data[40:44])[0]])
    return samples


def check_sound():
    """Linux' drivers play a tone that the WAV file holds, sample for sample, in the time that it takes; and record what a WAV file holds."""
    with open("/share/kernel", encoding="utf-8") as f:
        kernel = f.read().strip()
    with open("/tmp/heard.wav", "wb") as f:  # a ramp: up to the left, down to the right
        ramp = array.array("h", (v for i in range(48000) for v in ((i + 32768) % 65536 - 32768, (32768 - i) % 65536 - 32768)))
        f.write(b"RIFF" + struct.pack("<I", 36 + 192000) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 2, 48000, 192000, 4, 16) + b"data" +
                struct.pack("<I", 192000) + ramp.tobytes())
    tone = array.array("h", (v for i in range(72000) for v in (i % 480 * 60, -(i % 240 * 70))))
    for kind in SOUND_CARDS:
        with Machine("sound-" + kind, "--kernel", kernel, "--initrd", "/share/sound-initrd", "--append",
                     "console=tty0 console=ttyS0 quiet mitigations=off audit=0", "--memory", "384", "--cpus", "2", "--disk", "0", "--set",
                     f"sound0.class={kind}", "--set", "sound0.backend=wav", "--set", "sound0.file=/tmp/played.wav", "--set",
                     "sound0.input-file=/tmp/heard.wav") as machine:
            machine.wait_serial("SHELL-READY", 180)
            with machine.console() as console:
                console.send("export PS1=; stty -echo")
                console.shell("true")
                console.shell("for i in $(seq 100); do [ -c /dev/snd/pcmC0D0p ] && break; sleep 0.2; done; cat /proc/asound/cards")
                print(console.shell("tone play", 120))
                print(console.shell("tone record", 120))
                bad = console.shell("! dmesg | grep -iE 'BUG:|Oops|Call Trace|snd.*(error|timeout|fail)|hda.*(error|timeout|fail|switching)'")
                assert "] " not in bad, bad
        played = wav_samples("/tmp/played.wav")
        assert played[:len(tone)] == tone, (kind, len(played), list(played[:16]))
        print(f"{kind}: {len(played) // 2} frames in the file")


def make_disc(path, text):
    os.makedirs("/tmp/disc", exist_ok=True)
    with open("/tmp/disc/name.txt", "w", encoding="utf-8") as f:
        f.write(text)
    run("xorriso", "-as", "mkisofs", "-quiet", "-R", "-V", text.upper(), "-o", path, "/tmp/disc")


def check_sata_drives():
    """Linux' own view of disk and CD drive: queueing, cache, discard, recovery; media that change, tray, lock."""
    make_disc("/tmp/one.iso", "one")
    make_disc("/tmp/two.iso", "two")
    run("truncate", "-s", "256M", "/tmp/sata.raw")
    with open("/share/kernel", encoding="utf-8") as f:
        kernel = f.read().strip()
    with Machine("sata", "--kernel", kernel, "--initrd", "/share/shell-initrd", "--append", "console=tty0 console=ttyS0 quiet mitigations=off audit=0",
                 "--memory", "512", "--cpus", "2", "--disk", "0", "--iso", "/tmp/one.iso", "--set", "disk0.class=sata-disk", "--set",
                 "disk0.image=/tmp/sata.raw", "--set", "disk0.serial=SN12345") as machine:
        machine.wait_serial("SHELL-READY", 400)
        with machine.console() as console:
            console.send("export PS1=; stty -echo; set +m")
            console.shell("true")
            console.shell("while [ ! -b /dev/sda -o ! -b /dev/sr0 ]; do sleep 0.2; done")
            facts = console.shell("cd /sys/block/sda; cat queue/rotational device/queue_depth queue/write_cache queue/physical_block_size; "
                                  "cat queue/discard_zeroes_data; [ $(cat queue/discard_max_bytes) -gt 0 ] && grep -c MSI /proc/interrupts; cd /")
            assert facts.split()[:5] == ["0", "32", "write", "back", "4096"], facts
            # Many at once, from both processors, then all of it again.
            console.shell("mkdir -p /tmp /mnt; for i in 0 1 2 3 4 5 6 7; do (dd if=/dev/urandom of=/tmp/s$i bs=64k count=8; "
                          "dd if=/tmp/s$i of=/dev/sda bs=8k seek=$((i*500)) oflag=direct conv=notrunc) 2>/dev/null & done; wait; true", 240)
            console.shell("bad=0; for i in 0 1 2 3 4 5 6 7; do dd if=/dev/sda bs=8k skip=$((i*500)) count=64 iflag=direct 2>/dev/null | "
                          "cmp - /tmp/s$i || bad=1; done; [ $bad = 0 ]", 180)
            console.shell("dd if=/dev/sda of=/dev/null bs=1M count=64 iflag=direct 2>/dev/null", 120)
            console.shell("blkdiscard -o 4096000 -l 4096000 /dev/sda; "
                          "dd if=/dev/sda bs=8k skip=500 count=64 iflag=direct 2>/dev/null | cmp -n 524288 - /dev/zero", 60)
            # The link is reset under load, and the disk is still there.
            console.shell("(dd if=/dev/sda of=/dev/null bs=64k count=500 iflag=direct 2>/dev/null) & for h in /sys/class/scsi_host/host*; do echo '0 0 0' > $h/scan; done; wait", 180)

            console.shell("mount -t iso9660 -r /dev/sr0 /mnt && grep one /mnt/name.txt")
            busy = subprocess.run([LODGE, "insert", "sata", "/tmp/two.iso"], capture_output=True, text=True)
            assert busy.returncode != 0 and "lock" in busy.stderr, busy
            console.shell("umount /mnt")
            lodge("insert", "sata", "/tmp/two.iso")
            console.shell("mount -t iso9660 -r /dev/sr0 /mnt && grep two /mnt/name.txt && umount /mnt")
            console.shell("echo 1 > /proc/sys/dev/cdrom/autoeject; mount -t iso9660 -r /dev/sr0 /mnt && umount /mnt; echo 0 > /proc/sys/dev/cdrom/autoeject")
            wait("the guest's eject is known", lambda: "two.iso" not in lodge("show", "sata"), 20)
            console.shell("! mount -t iso9660 -r /dev/sr0 /mnt 2>/dev/null")
            lodge("insert", "sata", "/tmp/one.iso")
            console.shell("mount -t iso9660 -r /dev/sr0 /mnt && grep one /mnt/name.txt && umount /mnt")
            lodge("eject", "sata")
            console.shell("! mount -t iso9660 -r /dev/sr0 /mnt 2>/dev/null")
            bad = console.shell("! dmesg | grep -E 'ata[0-9.]+: .*(exception|failed|error|timeout|frozen|reset)|I/O error, dev sda'")
            assert "] " not in bad, bad
        lodge("stop", "sata", "--force", "--wait")


def picture(name, screen=1):
    """The screen as (width, height, lines of RGB)."""
    path = f"/tmp/{name}-{screen}.png"
    lodge("screenshot", name, path, "--screen", str(screen))
    with open(path, "rb") as f:
        data = f.read()
    at, packed, width, height = 8, b"", 0, 0
    while at < len(data):
        size, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
        if kind == b"IHDR":
            width, height = (int.from_bytes(data[at + 8 + i:at + 12 + i], "big") for i in (0, 4))
            assert data[at + 16:at + 18] == b"\x08\x02", "8 bits, RGB"
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    return width, height, zlib.decompress(packed)


def check_virtio_gpu():
    """Linux's driver: its text console on two screens, text before it, the size that was asked for, events of the input devices."""
    with open("/share/kernel", encoding="utf-8") as f:
        kernel = f.read().strip()
    options = ["display0.class=virtio-vga", "display0.heads=2", "tablet0.class=virtio-tablet", "keyboard0.class=virtio-keyboard"]
    with Machine("gpu", "--kernel", kernel, "--initrd", "/share/shell-initrd", "--append", "console=tty0 console=ttyS0 quiet mitigations=off audit=0",
                 "--memory", "512", "--cpus", "2", "--disk", "0", *(word for option in options for word in ("--set", option))) as machine:
        machine.wait_serial("SHELL-READY", 240)
        with machine.console() as console:
            modes = console.shell("cat /sys/class/drm/card0-Virtual-1/status /sys/class/drm/card0-Virtual-2/modes")
            assert "connected" in modes and "1280x800" in modes, modes
            console.shell("grep -q virtio_gpudrmfb /proc/fb")
            edid = console.shell("od -An -tx1 -N8 /sys/class/drm/card0-Virtual-1/edid")
            assert "00 ff ff ff ff ff ff 00" in edid, edid
            console.shell("clear > /dev/tty1")
            for screen in (1, 2):
                wait(f"the console on screen {screen}", lambda: picture("gpu", screen)[:2] == (1280, 800), 30)
            before = {screen: picture("gpu", screen)[2] for screen in (1, 2)}
            console.shell("for i in 1 2 3 4 5 6 7 8; do echo MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM; done > /dev/tty1")
            for screen in (1, 2):
                wait(f"text on screen {screen}", lambda: picture("gpu", screen)[2] != before[screen], 30)

            # Another size: the console takes the mode of the screen that changed.
            lodge("resize-screen", "gpu", "1024x768")
            wait("the mode that was asked for", lambda: "1024x768" in console.shell("head -n 1 /sys/class/drm/card0-Virtual-1/modes"), 30)
            wait("a picture of this size", lambda: picture("gpu")[:2] == (1024, 768), 60)

            # Keys come through virtio, not through PS/2.
            names = console.shell("cat /sys/class/input/input*/name")
            assert "Lodge Virtio Keyboard" in names and "Lodge Virtio Tablet" in names, names
            console.shell("D=$(grep -l 'Lodge Virtio Keyboard' /sys/class/input/event*/device/name | cut -d/ -f5); timeout 60 head -c 24 /dev/input/$D > /tmp/events & sleep 1")
            lodge("key", "gpu", "f5")
            event = console.shell("wait; od -An -tu2 -j16 -N8 /tmp/events")
            assert re.search(r"\b1 +63 +1 +0\b", event), event  # EV_KEY, KEY_F5, down
            bad = console.shell("! dmesg | grep -E 'BUG:|Oops|Call Trace|virtio_gpu.*(ERROR|response 0x12)'")
            assert "] " not in bad, bad


def check_nvme_drive():
    """Linux' own view of an NVMe disk: queues with interrupts of their own, shadow doorbells, flush, discard, reset."""
    run("truncate", "-s", "256M", "/tmp/nvme.raw")
    with open("/share/kernel", encoding="utf-8") as f:
        kernel = f.read().strip()
    with Machine("nvme", "--kernel", kernel, "--initrd", "/share/shell-initrd", "--append", "console=tty0 console=ttyS0 quiet mitigations=off audit=0",
                 "--memory", "512", "--cpus", "2", "--disk", "0", "--set", "disk0.class=nvme", "--set", "disk0.image=/tmp/nvme.raw",
                 "--set", "disk0.serial=SN12345") as machine:
        machine.wait_serial("SHELL-READY", 180)
        with machine.console() as console:
            console.send("export PS1=; stty -echo; set +m")
            console.shell("true")
            console.shell("while [ ! -b /dev/nvme0n1 ]; do sleep 0.2; done")
            facts = console.shell("cd /sys/block/nvme0n1; cat queue/rotational device/serial queue/write_cache size; "
                                  "[ $(cat queue/discard_max_bytes) -gt 0 ] && grep -c nvme0q /proc/interrupts; cd /")
            assert facts.split() == ["0", "SN12345", "write", "back", "524288", "3"], facts
            console.shell("mkdir -p /tmp; for i in 0 1 2 3 4 5 6 7; do (dd if=/dev/urandom of=/tmp/s$i bs=64k count=8; "
                          "dd if=/tmp/s$i of=/dev/nvme0n1 bs=8k seek=$((i*500)) oflag=direct conv=notrunc) 2>/dev/null & done; wait; true", 240)
            console.shell("bad=0; for i in 0 1 2 3 4 5 6 7; do dd if=/dev/nvme0n1 bs=8k skip=$((i*500)) count=64 iflag=direct 2>/dev/null | "
                          "cmp - /tmp/s$i || bad=1; done; [ $bad = 0 ]", 180)
            console.shell("dd if=/dev/nvme0n1 of=/dev/null bs=1M count=64 iflag=direct 2>/dev/null", 120)
            console.shell("dd if=/tmp/s0 of=/dev/nvme0n1 bs=64k count=8 conv=fsync,notrunc 2>/dev/null", 60)
            console.shell("blkdiscard -o 4096000 -l 4096000 /dev/nvme0n1 && "
                          "dd if=/dev/nvme0n1 bs=8k skip=500 count=64 iflag=direct 2>/dev/null | cmp -n 524288 - /dev/zero", 60)
            # The controller is reset, and the disk is still there.
            console.shell("echo 1 > /sys/class/nvme/nvme0/reset_controller; "
                          "dd if=/dev/nvme0n1 bs=8k skip=3500 count=64 iflag=direct 2>/dev/null | cmp - /tmp/s7", 120)
            bad = console.shell("! dmesg | grep -E 'nvme.*(timeout|failed|error|frozen|Abort|Removing)|I/O error'")
            assert "] " not in bad, bad
        lodge("stop", "nvme", "--force", "--wait")


def check_ide_drives():
    """Linux' ata_piix with a disk and a CD drive behind the PIIX."""
    make_disc("/tmp/one.iso", "one")
    run("truncate", "-s", "64M", "/tmp/ide.raw")
    with open("/share/kernel", encoding="utf-8") as f:
        kernel = f.read().strip()
    with Machine("ide", "--kernel", kernel, "--initrd", "/share/shell-initrd", "--append", "console=tty0 console=ttyS0 quiet mitigations=off audit=0",
                 "--memory", "512", "--cpus", "2", "--disk", "0", "--iso", "/tmp/one.iso", "--set", "cdrom0.class=ide-cd", "--set", "cdrom0.port=2",
                 "--set", "disk0.class=ide-disk", "--set", "disk0.image=/tmp/ide.raw") as machine:
        machine.wait_serial("SHELL-READY", 180)
        with machine.console() as console:
            console.send("export PS1=; stty -echo; set +m")
            console.shell("true")
            console.shell("while [ ! -b /dev/sda -o ! -b /dev/sr0 ]; do sleep 0.2; done")
            console.shell("dmesg | grep 'ata1.*MWDMA'")
            console.shell("mkdir -p /tmp /mnt; dd if=/dev/urandom of=/tmp/s bs=64k count=16 2>/dev/null; "
                          "dd if=/tmp/s of=/dev/sda bs=64k seek=9 oflag=direct conv=notrunc 2>/dev/null && "
                          "dd if=/dev/sda bs=64k skip=9 count=16 iflag=direct 2>/dev/null | cmp - /tmp/s", 120)
            console.shell("mount -t iso9660 -r /dev/sr0 /mnt && grep one /mnt/name.txt && umount /mnt")
            bad = console.shell("! dmesg | grep -E 'ata[0-9.]+: .*(exception|failed|error|timeout|frozen)|I/O error'")
            assert "] " not in bad, bad
        lodge("stop", "ide", "--force", "--wait")


def check_window():
    """The same as a person does it, in the window."""
    here = os.path.dirname(os.path.abspath(__file__))
    environment = {**os.environ, "GSK_RENDERER": "cairo", "GTK_A11Y": "atspi"}
    subprocess.run(["bash", os.path.join(here, "../../dev.d/with-display"), "--size", "1280x1000", "--", "python3", os.path.join(here, "window.py"), LODGE],
                   check=True, env=environment, timeout=1150)


SOCKET_PIPE = """
import socket, sys, threading, os
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
def up():
    while (d := os.read(0, 4096)): s.sendall(d)
threading.Thread(target=up, daemon=True).start()
while (d := s.recv(4096)): os.write(1, d)
"""

CHECKS = {name.removeprefix("check_"): function for name, function in list(globals().items())
          if name.startswith("check_") and name != "check_kernel"}

if __name__ == "__main__":
    if len(sys.argv) < 3:
        print("\n".join(CHECKS))
    else:
        CHECKS[sys.argv[2]]()
