#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, driven as a person does: cli.py LODGE ECHO_IMAGE [CASE...]. Each case is a TAP line."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

LODGE, ECHO = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
COMMANDS = ("create list show start stop pause resume reset set delete insert eject screenshot resize-screen type key text console host").split()
FAMILIES = {"device": ["list", "add", "remove"], "net": ["forward"]}
SLOW = 200  # seconds that a busy host may need for what takes one


class Skip(Exception):
    """What is needed to check is not here."""


class Place:
    """A user of one's own: all XDG directories in a fresh one."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="lodge-")
        self.env = dict(os.environ, LC_ALL="C.UTF-8", HOME=self.path("home"))
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            self.env.pop(name, None)
        for name, folder in (("DATA_HOME", "data"), ("CONFIG_HOME", "config"), ("CACHE_HOME", "cache"), ("RUNTIME_DIR", "run")):
            self.env["XDG_" + name] = self.path(folder)
            os.mkdir(self.path(folder), 0o700)
        os.mkdir(self.path("home"))

    def path(self, *names):
        return os.path.join(self.root, *names)

    @property
    def machines(self):
        return self.path("data", "lodge", "machines")

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def run(self, *args, stdin="", timeout=SLOW, env=None):
        done = subprocess.run([LODGE, *args], env=dict(self.env, **(env or {})), input=stdin, text=True, capture_output=True,
                              timeout=timeout, cwd=self.root)
        assert "Sanitizer" not in done.stderr and "CRITICAL" not in done.stderr and "WARNING" not in done.stderr, done.stderr
        return done

    def ok(self, *args, **kwargs):
        done = self.run(*args, **kwargs)
        assert done.returncode == 0, (args, done.returncode, done.stderr)
        assert done.stderr == "", (args, done.stderr)
        return done.stdout

    def fails(self, *args, status=1, says="", **kwargs):
        """Fails with a one-line error and changes nothing on the disk."""
        before = self.snapshot()
        done = self.run(*args, **kwargs)
        assert done.returncode == status, (args, done.returncode, done.stdout, done.stderr)
        assert done.stderr.startswith("lodge: ") and done.stderr.count("\n") == 1, (args, done.stderr)
        assert says.lower() in done.stderr.lower(), (args, says, done.stderr)
        assert self.snapshot() == before, (args, "changed the disk")
        return done.stderr

    def snapshot(self):
        found = {}
        for folder, folders, files in os.walk(self.path("data")):
            for name in folders + files:
                path = os.path.join(folder, name)
                st = os.lstat(path)
                digest = None
                if name in files and not os.path.islink(path) and st.st_size < 1 << 22:
                    with open(path, "rb") as f:
                        digest = hashlib.sha256(f.read()).hexdigest()
                found[path] = (st.st_mode, st.st_size, digest)
        # These come with the first call and hold nothing.
        for path in (self.path("data", "lodge"), self.machines):
            found.pop(path, None)
        return found

    def show(self, name):
        return json.loads(self.ok("show", name, "--json"))

    def state(self, name):
        return self.show(name)["state"]

    def close(self):
        done = self.run("list", "--json")
        for machine in json.loads(done.stdout or "[]"):
            if machine["pid"]:
                os.kill(machine["pid"], signal.SIGKILL)
        shutil.rmtree(self.root, ignore_errors=True)


def until(condition, what, seconds=SLOW):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain: " + what
        time.sleep(0.5)


def need_kvm(place):
    status = json.loads(place.ok("host", "--json"))["kvm"]
    if status != "ok":
        raise Skip("KVM is " + status)


def echo_machine(place, name="echo", *options):
    need_kvm(place)
    with open(ECHO, "rb") as f:
        disk = place.write(name + ".img", f.read() + bytes(2 << 20))  # large enough for a cylinder, or the BIOS reads nothing
    place.ok("create", name, "--import", disk, "--memory", "32", "--cpus", "1", *options)


def started(place, name="echo"):
    echo_machine(place, name)
    place.ok("start", name, "--headless")
    until(lambda: "lodge-echo>" in place.run("text", name).stdout, "the guest says hello")


# --- Without machines that run ----------------------------------------------------------------------------------------------------

def usage_help_for_each_command(place):
    text = place.ok("--help")
    for command in COMMANDS:
        assert re.search(rf"^  {command}\b", text, re.M), command
        shown = place.ok(command, "--help")
        assert shown.startswith(f"Usage: lodge {command}"), shown
        assert place.ok("help", command) == shown
    for family, members in FAMILIES.items():
        shown = place.ok(family, "--help")
        assert shown.startswith(f"Usage: lodge {family} COMMAND") and place.ok("help", family) == shown, shown
        for member in members:
            assert re.search(rf"^  {family} {member}\b", text, re.M) and re.search(rf"^  {family} {member}\b", shown, re.M), member
            more = place.ok(family, member, "--help")
            assert more.startswith(f"Usage: lodge {family} {member}") and place.ok("help", family, member) == more, more
    assert "class=sata-disk" in place.ok("device", "add", "--help")
    assert "--iso FILE" in place.ok("create", "--help")
    assert "class=sata-disk" in place.ok("create", "--help")


def usage_wrong_calls_exit_2(place):
    for args in (["bogus"], ["show"], ["show", "a", "b"], ["list", "--bogus"], ["create", "x", "--memory"], ["list", "--json=1"],
                 ["create", "x", "--iso", "a", "--iso", "b"], ["create", "x", "--initrd", "a"], ["create", "x", "--link"],
                 ["create", "x", "--disk", "lots"], ["create", "x", "--disk", "-1"], ["create", "x", "--cpus", "two"],
                 ["create", "x", "--set", "nonsense"], ["stop", "x", "--timeout", "5"], ["help", "bogus"], ["device"],
                 ["device", "bogus"], ["help", "device", "bogus"], ["device", "add", "x"], ["device", "add", "x", "serial", "port"],
                 ["device", "add", "x", "sata-disk", "--size", "much"], ["device", "add", "x", "sata-disk", "image=a", "--size", "1G"],
                 ["device", "remove", "x"], ["set", "x"], ["set", "x", "disk0"], ["set", "x", "disk0=1"], ["set", "x", ".a=1"],
                 ["set", "x", "disk0.=1"], ["net", "forward", "x"], ["net", "forward", "x", "bogus"], ["net", "forward", "x", "add"],
                 ["net", "forward", "x", "list", "tcp:1-1"]):
        place.fails(*args, status=2)


def version(place):
    assert re.fullmatch(r"lodge \d+\.\d+\.\d+\n", place.ok("--version"))


def create_list_show_delete(place):
    assert json.loads(place.ok("list", "--json")) == []
    place.ok("create", "Größe 1", "--memory", "64M", "--cpus", "1", "--disk", "3G", "--set", "machine.notes=a = b",
             "--set", "serial1.class=serial", "--set", "serial1.port=com2")
    (machine,) = json.loads(place.ok("list", "--json"))
    assert (machine["name"], machine["state"], machine["memory_mib"], machine["cpus"]) == ("Größe 1", "off", 64, 1), machine
    shown = place.show("Größe 1")
    assert shown["settings"]["machine"]["notes"] == "a = b"
    assert shown["settings"]["serial1"] == {"class": "serial", "port": "com2"}
    assert place.show(machine["uuid"])["name"] == "Größe 1"
    assert "Off" in place.ok("list") and "Größe 1" in place.ok("list")
    with open(os.path.join(machine["path"], "disk0.qcow2"), "rb") as f:
        head = f.read(32)
    assert head[:4] == b"QFI\xfb" and int.from_bytes(head[24:32], "big") == 3 << 30, head
    place.ok("delete", "Größe 1")
    assert json.loads(place.ok("list", "--json")) == []
    assert not os.path.exists(machine["path"])
    trashed = os.path.join(place.path("data"), "Trash", "files"), os.path.join(place.machines, ".trash")
    assert any(os.path.isdir(t) and os.listdir(t) == ["Größe 1.lodge"] for t in trashed), trashed


def create_wrong_values_change_nothing(place):
    place.ok("create", "taken", "--disk", "0")
    iso = place.write("text.iso", b"no disc")
    empty = place.write("empty.img", b"")
    os.mkfifo(place.path("pipe"))
    for args, says in (
            (["taken"], "already"), ([""], "name"), (["a/b"], "name"), ([".a"], "dot"), (["x" * 300], "longer"),
            (["x", "--memory", "0"], "memory"), (["x", "--memory", "99999999"], "memory"), (["x", "--memory", "18446744073709551615"], "memory"),
            (["x", "--cpus", "0"], "processor"), (["x", "--cpus", "100000"], "processors"),
            (["x", "--disk", "65T"], "TiB"), (["x", "--os", "no-such-system"], "operating system"),
            (["x", "--iso", "/nonexistent.iso"], "no file"), (["x", "--iso", "/"], "folder"), (["x", "--iso", "/dev/zero"], "device"),
            (["x", "--iso", place.path("pipe")], "pipe"), (["x", "--iso", iso], "not a disc"), (["x", "--import", empty], "empty"),
            (["x", "--import", "/"], "folder"), (["x", "--import", "/dev/full"], "device"), (["x", "--kernel", "/dev/null"], "device"),
            (["x", "--kernel", ECHO, "--initrd", "/"], "folder"), (["x", "--import", ECHO, "--disk", "5G"], "image"),
            (["x", "--set", "machine.bogus=1"], "bogus"), (["x", "--set", "machine.cpus=0"], "cpus"), (["x", "--set", "disk0.bogus=1"], "bogus"),
            (["x", "--set", "new0.key=1"], "new0"), (["x", "--set", "new0.class=bogus"], "bogus"), (["x", "--set", "serial0.port=com9"], "com9"),
    ):
        place.fails("create", *args, says=says)


def create_where_nothing_can_be_written(place):
    for data in ("/proc/lodge-test", "/dev/null/x"):
        done = place.run("create", "x", "--disk", "0", env={"XDG_DATA_HOME": data})
        assert done.returncode == 1 and done.stderr.startswith("lodge: ") and done.stderr.count("\n") == 1, done.stderr


def create_damaged_images_are_refused(place):
    place.ok("create", "good", "--disk", "1G")
    with open(os.path.join(place.machines, "good.lodge", "disk0.qcow2"), "rb") as f:
        image = f.read()
    for size in (1, 4, 71, 103):
        cut = place.write("cut.qcow2", image[:size])
        place.fails("create", "x", "--import", cut)
    for offset, value in ((4, 0xff), (20, 0x3f), (24, 0xff), (36, 0xff)):
        flipped = bytearray(image)
        flipped[offset] = value
        place.fails("create", "x", "--import", place.write("flipped.qcow2", bytes(flipped)))


def create_foreign_formats_are_converted(place):
    if shutil.which("qemu-img") is None:
        raise Skip("no qemu-img")
    content = bytes(range(256)) * 4096
    raw = place.write("disk.raw", content)
    for form in ("vmdk", "vdi", "vhdx", "vpc", "qcow2"):
        image = place.path("disk." + form)
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", form, raw, image], check=True)
        place.ok("create", form, "--import", image)
        disk = place.show(form)["settings"]["disk0"]
        assert disk["format"] == "qcow2", disk
        back = place.path("back.raw")
        subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", os.path.join(place.machines, form + ".lodge", disk["image"]), back],
                       check=True)
        with open(back, "rb") as f:
            assert f.read()[:len(content)] == content, form


def create_linked_image_stays_where_it_is(place):
    image = place.write("disk.raw", bytes(1 << 20))
    place.ok("create", "linked", "--import", image, "--link")
    disk = place.show("linked")["settings"]["disk0"]
    assert (disk["image"], disk["format"]) == (image, "raw"), disk
    assert sorted(os.listdir(os.path.join(place.machines, "linked.lodge"))) == ["lock", "machine.conf"]


def create_backing_file_elsewhere_is_refused(place):
    if shutil.which("qemu-img") is None:
        raise Skip("no qemu-img")
    os.mkdir(place.path("elsewhere"))
    os.mkdir(place.path("here"))
    secret = place.write("elsewhere/secret.raw", b"secret" * 100000)
    overlay = place.path("here", "overlay.qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", overlay], check=True)
    place.fails("create", "x", "--import", overlay, says="secret.raw")


def create_interrupted_leaves_nothing(place):
    image = place.path("big.raw")
    with open(image, "wb") as f:
        for _ in range(200):
            f.write(os.urandom(1 << 20))
    process = subprocess.Popen([LODGE, "create", "x", "--import", image], env=place.env, stderr=subprocess.PIPE, text=True)
    until(lambda: os.path.isdir(place.machines) and any(n.startswith(".new-") for n in os.listdir(place.machines)) or process.poll() is not None,
          "the copy begins")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=SLOW)
    assert process.returncode != 0 or os.listdir(place.machines) == ["x.lodge"], stderr
    if process.returncode != 0:
        assert os.listdir(place.machines) == [], os.listdir(place.machines)


def show_wrong_settings_name_file_group_and_key(place):
    place.ok("create", "m", "--disk", "0")
    conf = os.path.join(place.machines, "m.lodge", "machine.conf")
    with open(conf, "a", encoding="utf-8") as f:
        f.write("\n[display0]\ncolour=red\n")
    machine = place.show("m")
    assert machine["state"] == "broken", machine
    for part in (conf, "display0", "colour"):
        assert part in machine["message"], machine["message"]
    place.fails("start", "m", "--headless", says="colour")
    place.fails("insert", "m", ECHO, says="colour")
    place.ok("delete", "m")


def insert_and_eject_while_off(place):
    place.ok("create", "m", "--disk", "0")
    place.fails("insert", "m", "/nonexistent", says="no file")
    place.fails("insert", "m", "/", says="folder")
    place.fails("insert", "m", "/dev/zero", says="device")
    place.fails("insert", "m", ECHO, "--device", "cdrom7", says="cdrom7")
    place.ok("insert", "m", os.path.relpath(ECHO, place.root))
    assert place.show("m")["medium"] == ECHO
    place.ok("eject", "m")
    assert place.show("m")["medium"] is None


def set_all_or_nothing(place):
    place.ok("create", "one", "--disk", "1G", "--memory", "64")
    assert place.ok("set", "one", "machine.memory=128", "disk0.cache=direct", "machine.notes=a = b", "extra0.class=serial",
                    "extra0.port=com2") == ""
    shown = place.show("one")
    assert shown["memory_mib"] == 128 and shown["settings"]["disk0"]["cache"] == "direct", shown
    assert shown["settings"]["machine"]["notes"] == "a = b" and shown["settings"]["extra0"]["port"] == "com2", shown
    place.ok("set", "one", "disk0.cache=")
    assert "cache" not in place.show("one")["settings"]["disk0"]
    iso = place.write("a.iso", b"x")
    place.ok("set", "one", "cdrom0.image=a.iso")
    assert place.show("one")["settings"]["cdrom0"]["image"] == iso  # found from here
    for args, says in ((["machine.memory=0"], "memory"), (["machine.memory=96", "disk0.port=6"], "port"), (["disk0.bogus=1"], "bogus"),
                       (["new0.key=1"], "new0"), (["new0.class=bogus"], "bogus"), (["disk0.image="], "image"), (["machine.uuid=x"], "uuid"),
                       (["window.close=ask"], "window"), (["machine.name="], "name"), (["a]b.class=serial"], "a]b")):
        place.fails("set", "one", *args, says=says)
    place.fails("set", "nobody", "machine.memory=64", says="nobody")


def devices_come_and_go(place):
    place.ok("create", "one", "--disk", "0", "--memory", "64")
    ids = lambda: [d["id"] for d in json.loads(place.ok("device", "list", "one", "--json"))]
    before = ids()
    assert place.ok("device", "add", "one", "serial", "port=com2") == "serial1\n"
    assert place.ok("device", "add", "one", "sata-disk", "--size", "1G", "--id", "data") == "data\n"
    assert ids() == before + ["serial1", "data"]
    data = next(d for d in json.loads(place.ok("device", "list", "one", "--json")) if d["id"] == "data")
    assert data["class"] == "sata-disk" and data["state"] == "same" and data["settings"]["image"] == "data.qcow2", data
    assert data["settings"]["format"] == "qcow2" and data["settings"]["cache"] == "writeback", data
    image = os.path.join(place.show("one")["path"], "data.qcow2")
    with open(image, "rb") as f:
        head = f.read(32)
    assert head[:4] == b"QFI\xfb" and int.from_bytes(head[24:32], "big") == 1 << 30, head
    assert re.search(r"^data +sata-disk ", place.ok("device", "list", "one"), re.M)
    place.ok("device", "remove", "one", "data")
    assert ids() == before + ["serial1"] and os.path.exists(image)
    raw = place.write("raw.img", bytes(1 << 20))
    place.ok("device", "add", "one", "sata-disk", "image=raw.img", "--id", "again")
    assert place.show("one")["settings"]["again"] == {"class": "sata-disk", "image": raw, "format": "raw"}
    for args, says in ((["bogus"], "bogus"), (["i8042"], "i8042"), (["sata-disk"], "image"), (["serial", "port=com9"], "com9"),
                       (["serial", "bogus=1"], "bogus"), (["serial", "--id", "again"], "already"), (["serial", "--size", "1G"], "disk"),
                       (["sata-disk", "image=/nowhere.img"], "no file"), (["serial", "--id", "machine"], "already")):
        place.fails("device", "add", "one", *args, says=says)
    place.fails("device", "remove", "one", "data", says="data")
    place.fails("device", "remove", "one", "machine", says="machine")


def forwards_are_kept(place):
    place.ok("create", "one", "--disk", "0", "--memory", "64", "--set", "net9.class=e1000e")
    forward = lambda *args: place.ok("net", "forward", "one", *args, "--device", "net9")
    assert forward("list") == ""
    forward("add", "tcp:2222-22")
    forward("add", "udp:127.0.0.1:5353-53")
    assert forward("list") == "tcp:127.0.0.1:2222-10.0.2.15:22\nudp:127.0.0.1:5353-10.0.2.15:53\n"
    for args, says in ((["add", "tcp:2222-23"], "already"), (["add", "nonsense"], "nonsense"), (["add", "tcp:99999-1"], "99999"),
                       (["remove", "tcp:2223"], "2223")):
        place.fails("net", "forward", "one", *args, "--device", "net9", says=says)
    forward("remove", "tcp:2222")
    assert forward("list") == "udp:127.0.0.1:5353-10.0.2.15:53\n"
    forward("remove", "udp:5353-53")
    assert "forward" not in place.show("one")["settings"]["net9"]
    place.fails("net", "forward", "one", "list", "--device", "disk7", says="disk7")


def off_machines_refuse(place):
    place.ok("create", "m", "--disk", "0")
    for command in (["stop"], ["stop", "--force"], ["pause"], ["resume"], ["reset"], ["text"], ["console"]):
        place.fails(command[0], "m", *command[1:], says="not running")
    place.fails("screenshot", "m", place.path("a.png"), says="not running")
    assert not os.path.exists(place.path("a.png"))
    place.fails("type", "m", "text", says="not running")
    place.fails("key", "m", "bogus+key", says="bogus")
    place.fails("start", "m", says="--headless")
    for command in (["show", "nobody"], ["start", "nobody", "--headless"], ["delete", "nobody"], ["insert", "nobody", ECHO]):
        place.fails(*command, says="nobody")


def host_tells_what_it_can(place):
    host = json.loads(place.ok("host", "--json"))
    assert host["kvm"] in ("ok", "missing", "no-cpu", "forbidden", "unusable"), host
    assert (host["kvm"] == "ok") == (host["problem"] is None) == (host["remedy"] is None), host
    assert host["cpus"] >= 1 and host["memory_bytes"] > 1 << 20
    assert "KVM" in place.ok("host")


# --- Machines that run -------------------------------------------------------------------------------------------------------------

def run_keys_text_and_serial(place):
    started(place)
    machine = place.show("echo")
    assert machine["state"] == "running" and machine["pid"] > 0 and machine["started_at"] > 0, machine
    place.ok("type", "echo", 'Hi_There (a|b) "x" ~!')
    until(lambda: 'Hi_There (a|b) "x" ~!' in place.ok("text", "echo"), "the typed text shows")
    place.ok("key", "echo", "shift+z")
    until(lambda: '~!Z' in place.ok("text", "echo"), "the key shows")
    place.fails("type", "echo", "na\u00efve", says="U+00EF")
    console = subprocess.Popen([LODGE, "console", "echo", "serial0"], env=place.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    console.stdin.write("over the wire")
    console.stdin.flush()
    until(lambda: "over the wire" in place.ok("text", "echo"), "serial bytes reach the guest")
    place.ok("stop", "echo", "--force")
    output, _ = console.communicate(timeout=SLOW)
    assert "lodge-echo>" in output and output.rstrip().endswith("over the wire"), output


def run_screenshot(place):
    started(place)
    shot = place.path("shot.png")
    place.ok("screenshot", "echo", shot)
    with open(shot, "rb") as f:
        png = f.read()
    # PNG 1.2, 11.2.2: width and height follow the chunk's name. VGA text mode of 9x16 characters.
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and png[12:16] == b"IHDR"
    assert (int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")) == (720, 400)
    done = place.run("screenshot", "echo", "/nonexistent/a.png")
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr


def run_screens(place):
    started(place)
    place.fails("screenshot", "echo", place.path("a.png"), "--screen", "2", says="no screen 2")
    place.fails("resize-screen", "echo", "800x600", says="cannot ask for a size")
    for wrong in ("800", "800x", "0x600", "800x600x32"):
        done = place.run("resize-screen", "echo", wrong)
        assert done.returncode != 0 and "no size" in done.stderr, done.stderr
    done = place.run("screenshot", "echo", place.path("a.png"), "--screen", "0")
    assert done.returncode != 0 and "no screen" in done.stderr, done.stderr


def run_pause_resume_reset(place):
    started(place)
    place.ok("pause", "echo")
    assert place.state("echo") == "paused"
    place.fails("pause", "echo", says="paused already")
    place.fails("type", "echo", "x", says="paused")
    place.ok("resume", "echo")
    assert place.state("echo") == "running"
    place.fails("resume", "echo", says="not paused")
    place.ok("type", "echo", "before")
    until(lambda: "before" in place.ok("text", "echo"), "the typed text shows")
    place.ok("reset", "echo")
    until(lambda: "before" not in place.ok("text", "echo"), "the screen is cleared")
    until(lambda: "lodge-echo>" in place.ok("text", "echo"), "the guest says hello again")
    assert place.state("echo") == "running"


def run_guest_turns_itself_off(place):
    started(place)
    pid = place.show("echo")["pid"]
    place.run("type", "echo", "q")  # it is off before the key is up
    until(lambda: place.state("echo") == "off", "the machine is off")
    until(lambda: not os.path.exists(f"/proc/{pid}") or open(f"/proc/{pid}/stat").read().split()[2] == "Z", "the process ends")
    assert not any(n.endswith(".sock") for n in os.listdir(place.path("run", "lodge")))
    place.ok("start", "echo", "--headless")
    place.ok("stop", "echo", "--force")
    assert place.state("echo") == "off"


def run_stop_waits(place):
    started(place)
    done = place.run("stop", "echo", "--wait", "--timeout", "2")
    assert done.returncode == 1 and "still on" in done.stderr, done.stderr  # this guest heeds no power button
    place.ok("stop", "echo", "--force", "--wait")
    assert place.state("echo") == "off"


def run_second_start_is_refused(place):
    started(place)
    place.fails("start", "echo", "--headless", says="already on")
    place.fails("delete", "echo", says="on")
    done = subprocess.run([LODGE, "machine", os.path.join(place.machines, "echo.lodge"), "--headless"], env=place.env, text=True,
                          capture_output=True, timeout=SLOW)
    assert done.returncode == 1 and "runs or changes" in done.stderr, done.stderr
    assert place.state("echo") == "running"


def run_copy_with_the_same_identifier(place):
    started(place)
    shutil.copytree(os.path.join(place.machines, "echo.lodge"), os.path.join(place.machines, "copy.lodge"))
    states = {os.path.basename(m["path"]): m["state"] for m in json.loads(place.ok("list", "--json"))}
    assert states == {"echo.lodge": "running", "copy.lodge": "off"}, states
    done = subprocess.run([LODGE, "machine", os.path.join(place.machines, "copy.lodge"), "--headless"], env=place.env, text=True,
                          capture_output=True, timeout=SLOW)
    assert done.returncode == 1 and "same identifier" in done.stderr, done.stderr


def run_killed_process_leaves_a_machine_that_starts(place):
    started(place)
    os.kill(place.show("echo")["pid"], signal.SIGKILL)
    until(lambda: place.state("echo") == "off", "the machine is off")
    assert not any(n.endswith(".sock") for n in os.listdir(place.path("run", "lodge")))
    place.ok("start", "echo", "--headless")
    assert place.state("echo") == "running"


def run_term_turns_it_off(place):
    started(place)
    os.kill(place.show("echo")["pid"], signal.SIGTERM)
    until(lambda: place.state("echo") == "off", "the machine is off")


def run_outlives_its_starter(place):
    echo_machine(place)
    # The starter gets its own session and everything in it is ended.
    starter = subprocess.Popen([LODGE, "start", "echo", "--headless"], env=place.env, start_new_session=True)
    assert starter.wait(timeout=SLOW) == 0
    try:
        os.killpg(starter.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    time.sleep(0.5)
    assert place.state("echo") == "running"


def run_settings_wait_for_the_next_start(place):
    started(place)
    state = lambda key: next(d["state"] for d in json.loads(place.ok("device", "list", "echo", "--json")) if d["id"] == key)
    assert place.ok("set", "echo", "machine.notes=now") == ""  # may change while it runs
    assert "started again" in place.ok("set", "echo", "display0.memory=32")
    assert state("display0") == "changed"
    assert place.ok("set", "echo", "display0.memory=16") == ""
    assert state("display0") == "same"
    assert place.ok("device", "add", "echo", "sata-disk", "--size", "1G", "--id", "data").startswith("data\n")
    assert state("data") == "added"
    place.fails("set", "echo", "machine.uuid=5b2b0f4e-8b1c-4c39-9d5e-0f3c7b1f6a11", says="off")
    iso = place.write("a.iso", bytes(1 << 20))
    place.ok("set", "echo", "cdrom0.image=" + iso)
    assert place.show("echo")["medium"] == iso
    place.ok("stop", "echo", "--force", "--wait")
    assert state("data") == "same"
    place.ok("start", "echo", "--headless")
    until(lambda: place.state("echo") == "running", "it runs with the new disk")
    assert state("data") == "same"


def run_forwards_change_at_once(place):
    echo_machine(place, "echo", "--set", "net9.class=e1000e")
    place.ok("start", "echo", "--headless")
    until(lambda: place.state("echo") == "running", "it runs")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def answers():
        with socket.socket() as end:
            return end.connect_ex(("127.0.0.1", port)) == 0

    assert not answers()
    place.ok("net", "forward", "echo", "add", f"tcp:{port}-22", "--device", "net9")
    until(answers, "the port is open")
    place.ok("net", "forward", "echo", "remove", f"tcp:{port}", "--device", "net9")
    until(lambda: not answers(), "the port is closed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        # A machine that runs writes its log, so what may not change is asked for.
        before = place.ok("net", "forward", "echo", "list", "--device", "net9")
        refused = place.run("net", "forward", "echo", "add", f"tcp:{taken.getsockname()[1]}-22", "--device", "net9")
        assert refused.returncode == 1 and refused.stderr.startswith("lodge: ") and refused.stderr.count("\n") == 1, refused
        assert place.ok("net", "forward", "echo", "list", "--device", "net9") == before
    assert place.ok("net", "forward", "echo", "list", "--device", "net9") == ""
    assert place.ok("set", "echo", "net9.link=false") == "" and place.ok("set", "echo", "net9.link=true") == ""


def run_change_discs(place):
    started(place)
    place.fails("eject", "echo", "--device", "disk0", says="disk0")
    disc = place.write("disc.iso", bytes(1 << 20))
    place.ok("insert", "echo", disc)
    assert place.show("echo")["medium"] == disc
    assert place.show("echo")["settings"]["cdrom0"]["image"] == disc
    place.fails("insert", "echo", ECHO, says="too small")
    assert place.show("echo")["medium"] == disc
    place.fails("insert", "echo", "/nonexistent", says="no file")
    place.ok("eject", "echo")
    assert place.show("echo")["medium"] is None
    assert "image" not in place.show("echo")["settings"]["cdrom0"]


def run_start_tells_what_is_wrong(place):
    echo_machine(place)
    os.unlink(os.path.join(place.machines, "echo.lodge", "disk0.img"))
    done = place.run("start", "echo", "--headless")
    assert done.returncode == 1 and "disk0.img" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert place.state("echo") == "off"
    os.mkdir(os.path.join(place.machines, "echo.lodge", "disk0.img"))
    done = place.run("start", "echo", "--headless")
    assert done.returncode == 1 and "disk0.img" in done.stderr, done.stderr
    assert place.state("echo") == "off"
    place.ok("delete", "echo")


def run_socket_is_for_its_owner_alone(place):
    started(place)
    folder = place.path("run", "lodge")
    (name,) = [n for n in os.listdir(folder) if n.endswith(".sock")]
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert os.stat(os.path.join(folder, name)).st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(os.path.join(folder, name))
        peer.sendall(b"\0AUTH ANONYMOUS\r\n")
        peer.settimeout(SLOW)
        assert b"REJECTED" in peer.recv(1000)
    assert place.state("echo") == "running"


CASES = {
    "usage/help-for-each-command": usage_help_for_each_command,
    "usage/wrong-calls-exit-2": usage_wrong_calls_exit_2,
    "usage/version": version,
    "create/list-show-delete": create_list_show_delete,
    "create/wrong-values-change-nothing": create_wrong_values_change_nothing,
    "create/where-nothing-can-be-written": create_where_nothing_can_be_written,
    "create/damaged-images-are-refused": create_damaged_images_are_refused,
    "create/foreign-formats-are-converted": create_foreign_formats_are_converted,
    "create/linked-image-stays-where-it-is": create_linked_image_stays_where_it_is,
    "create/backing-file-elsewhere-is-refused": create_backing_file_elsewhere_is_refused,
    "create/interrupted-leaves-nothing": create_interrupted_leaves_nothing,
    "show/wrong-settings-name-file-group-and-key": show_wrong_settings_name_file_group_and_key,
    "insert/and-eject-while-off": insert_and_eject_while_off,
    "set/all-or-nothing": set_all_or_nothing,
    "net/forwards-are-kept": forwards_are_kept,
    "device/come-and-go": devices_come_and_go,
    "off/machines-refuse": off_machines_refuse,
    "host/tells-what-it-can": host_tells_what_it_can,
    "run/keys-text-and-serial": run_keys_text_and_serial,
    "run/screenshot": run_screenshot,
    "run/screens": run_screens,
    "run/pause-resume-reset": run_pause_resume_reset,
    "run/guest-turns-itself-off": run_guest_turns_itself_off,
    "run/stop-waits": run_stop_waits,
    "run/second-start-is-refused": run_second_start_is_refused,
    "run/copy-with-the-same-identifier": run_copy_with_the_same_identifier,
    "run/killed-process-leaves-a-machine-that-starts": run_killed_process_leaves_a_machine_that_starts,
    "run/term-turns-it-off": run_term_turns_it_off,
    "run/outlives-its-starter": run_outlives_its_starter,
    "run/settings-wait-for-the-next-start": run_settings_wait_for_the_next_start,
    "run/forwards-change-at-once": run_forwards_change_at_once,
    "run/change-discs": run_change_discs,
    "run/start-tells-what-is-wrong": run_start_tells_what_is_wrong,
    "run/socket-is-for-its-owner-alone": run_socket_is_for_its_owner_alone,
}


def main():
    wanted = sys.argv[3:]
    cases = {name: func for name, func in CASES.items() if not wanted or any(w in name for w in wanted)}
    print(f"1..{len(cases)}", flush=True)
    failed = 0
    for number, (name, func) in enumerate(cases.items(), 1):
        place = Place()
        try:
            func(place)
            print(f"ok {number} /cli/{name}", flush=True)
        except Skip as skip:
            print(f"ok {number} /cli/{name} # SKIP {skip}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print("".join("# " + line + "\n" for line in traceback.format_exc().splitlines()), end="")
            print(f"not ok {number} /cli/{name}", flush=True)
        finally:
            try:
                place.close()
            except Exception as error:  # pylint: disable=broad-except
                print(f"# cleaning up: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
