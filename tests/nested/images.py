# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests for the nested bench, made from Debian's packages: a kernel with a small initial RAM disk, and a Debian 13 disk image."""
import lzma
import os
import shutil
import subprocess
import tempfile

from bench import Skip, find_kernel, make_initramfs

MIB = 1 << 20
DISK_MIB = 768
PARTITION_START_MIB = 1
PACKAGES = "login,passwd,systemd,systemd-sysv,udev,dbus,libpam-systemd,mount,kmod,e2fsprogs,procps"

# A shell on the serial line and on the text screen, with the disks' drivers loaded.
SHELL_INIT = r"""#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /usr/bin /usr/sbin /sbin
/bin/busybox --install -s
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
for m in $(cat /mods); do insmod /m/$m; done
echo "SHELL-READY processors=$(nproc)" > /dev/tty0
echo "SHELL-READY processors=$(nproc)" > /dev/ttyS0
setsid sh -c 'while :; do sh </dev/tty1 >/dev/tty1 2>&1; done' &
exec setsid sh -c 'exec sh </dev/ttyS0 >/dev/ttyS0 2>&1'
"""

# Finds the root file system and goes on there.
ROOT_INIT = r"""#!/bin/busybox sh
B=/bin/busybox
$B mkdir -p /proc /sys /dev /r
$B mount -t proc p /proc; $B mount -t sysfs s /sys; $B mount -t devtmpfs d /dev
for m in $($B cat /mods); do $B insmod /m/$m; done
# Disks are named in the order in which they answer: the one with a partition is ours.
for i in $($B seq 300); do
  for d in /dev/sd?1; do [ -b $d ] && $B mount -t ext4 -o rw $d /r && break 2; done
  $B sleep 0.1
done
[ -x /r/sbin/init ] || exec $B sh
$B mount --move /dev /r/dev; $B umount /proc /sys
exec $B switch_root /r /sbin/init
"""

GRUB_CONFIG = """set timeout=0
serial --unit=0 --speed=115200
terminal_output console serial
menuentry "Debian" {
  linux /boot/vmlinuz console=tty0 console=ttyS0 mitigations=off audit=0 systemd.journald.forward_to_console=0 quiet
  initrd /boot/initrd
}
"""


def modules_for(names):
    """Files of the modules and of what they need, in loading order."""
    _, directory = find_kernel()
    files = []
    for name in names:
        out = subprocess.run(["modprobe", "--show-depends", "-S", os.path.basename(directory), name], check=True, capture_output=True,
                             text=True, env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}).stdout
        for line in out.splitlines():
            words = line.split()
            if words[:1] == ["insmod"] and words[1] not in files:
                files.append(words[1])
    return files


def initrd(target, init, module_names, programs=None):
    """@programs: place in the archive -> file to put there."""
    files = {"init": (init.encode(), 0o755)}
    with open(shutil.which("busybox"), "rb") as f:
        files["bin/busybox"] = (f.read(), 0o755)
    for place, path in (programs or {}).items():
        with open(path, "rb") as f:
            files[place] = (f.read(), 0o755)
    names = []
    for path in modules_for(module_names):
        with open(path, "rb") as f:
            data = f.read()
        name = os.path.basename(path).removesuffix(".xz")
        files["m/" + name] = (lzma.decompress(data) if path.endswith(".xz") else data, 0o644)
        names.append(name)
    files["mods"] = (" ".join(names).encode(), 0o644)
    make_initramfs(target, files)


def kernel_and_shell(directory):
    """Returns (kernel, initrd): a Debian kernel with a shell on ttyS0 and tty1."""
    kernel, _ = find_kernel()
    target = os.path.join(directory, "shell-initrd")
    initrd(target, SHELL_INIT, ["ahci", "sd_mod", "sr_mod", "isofs", "virtio_blk", "virtio_pci", "evdev", "virtio_input", "virtio_gpu", "nvme", "ata_piix"])
    return kernel, target


def sound_shell(directory):
    """An initial RAM disk as above for machines with a sound card, with a program that plays and records."""
    if shutil.which("cc") is None:
        raise Skip("no C compiler")
    tone = os.path.join(directory, "tone")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tone.c")
    subprocess.run(["cc", "-std=gnu17", "-O1", "-static", "-o", tone, source], check=True)
    initrd(os.path.join(directory, "sound-initrd"), SHELL_INIT, ["snd-hda-intel", "snd-hda-codec-generic"],
           {"bin/tone": tone})


def debian_root(cache):
    """A tar of a Debian 13 root file system, made by mmdebstrap."""
    target = os.path.join(cache, "debian-13-root.tar")
    if os.path.exists(target):
        return target
    if shutil.which("mmdebstrap") is None:
        raise Skip("mmdebstrap is not installed")
    partial = target + ".partial.tar"
    subprocess.run(["mmdebstrap", "--quiet", "--variant=essential", "--include=" + PACKAGES, "--dpkgopt=path-exclude=/usr/share/doc/*",
                    "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
                    "--dpkgopt=force-unsafe-io", '--aptopt=Acquire::Languages "none"',
                    # Root without a password on the serial line; the power button is logind's.
                    "--customize-hook=chroot \"$1\" passwd -d root >/dev/null",
                    "--customize-hook=echo lodge-test > \"$1/etc/hostname\"",
                    "--customize-hook=rm -rf \"$1\"/var/lib/apt/lists/* \"$1\"/var/cache/apt/*",
                    "trixie", partial], check=True, stdin=subprocess.DEVNULL)
    os.rename(partial, target)
    return target


def debian_disk(target, cache):
    """A raw image with an MBR, GRUB and one ext4 partition that boots to a login prompt on ttyS0 and tty1."""
    kernel, modules = find_kernel()
    release = os.path.basename(modules)
    with tempfile.TemporaryDirectory() as work:
        root = os.path.join(work, "root")
        os.makedirs(root)
        subprocess.run(["tar", "-xf", debian_root(cache), "-C", root], check=True)
        boot = os.path.join(root, "boot")
        os.makedirs(os.path.join(boot, "grub"), exist_ok=True)
        shutil.copy(kernel, os.path.join(boot, "vmlinuz"))
        initrd(os.path.join(boot, "initrd"), ROOT_INIT, ["ahci", "sd_mod", "ext4"])
        with open(os.path.join(boot, "grub/grub.cfg"), "w", encoding="utf-8") as f:
            f.write(GRUB_CONFIG)
        # What udev loads in the running system: the power button is ACPI's, read by logind through evdev.
        for path in modules_for(["button", "evdev", "ahci", "sd_mod", "ext4", "sr_mod"]):
            place = root + "/usr" + path.removeprefix("/usr")
            os.makedirs(os.path.dirname(place), exist_ok=True)
            shutil.copy(path, place)
        for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
            shutil.copy(os.path.join(modules, name), os.path.join(root, "usr/lib/modules", release, name))
        subprocess.run(["depmod", "-b", root, release], check=True, env={**os.environ, "PATH": "/usr/sbin:/sbin:" + os.environ["PATH"]})

        partition = os.path.join(work, "partition")
        with open(partition, "wb") as f:
            f.truncate((DISK_MIB - PARTITION_START_MIB) * MIB)
        subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-F", "-d", root, "-O", "^metadata_csum_seed", partition], check=True)

        core = os.path.join(work, "core.img")
        with open(os.path.join(work, "early.cfg"), "w", encoding="utf-8") as f:
            f.write("set root=(hd0,msdos1)\nset prefix=(hd0,msdos1)/boot/grub\n")
        subprocess.run(["grub-mkimage", "-O", "i386-pc", "-o", core, "-p", "(hd0,msdos1)/boot/grub", "-c",
                        os.path.join(work, "early.cfg"), "biosdisk", "part_msdos", "ext2", "linux", "normal", "configfile", "serial",
                        "terminal", "echo"], check=True)
        with open(target, "wb") as disk:
            disk.truncate(DISK_MIB * MIB)
        subprocess.run(["/usr/sbin/sfdisk", "-q", target], input=f"label: dos\nlabel-id: 0x4c4f4447\n{PARTITION_START_MIB * 2048},,83,*\n", text=True,
                       check=True)
        with open(target, "r+b") as disk:
            # GRUB's boot sector loads sector 1, where its core lies, before the first partition.
            with open("/usr/lib/grub/i386-pc/boot.img", "rb") as f:
                disk.write(f.read()[:440])
            with open(core, "rb") as f:
                data = f.read()
            if len(data) > (PARTITION_START_MIB * MIB) - 512:
                raise RuntimeError("GRUB's core does not fit before the partition")
            disk.seek(512)
            disk.write(data)
        subprocess.run(["dd", f"if={partition}", f"of={target}", "bs=1M", f"seek={PARTITION_START_MIB}", "conv=notrunc,sparse", "status=none"],
                       check=True)
