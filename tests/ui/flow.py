# SPDX-License-Identifier: GPL-3.0-or-later
"""From the empty library to a machine that draws its screen, and back: the program as it is, driven through the accessibility tree."""

import json
import os
import shutil
import subprocess
import sys
import time

import lodgeui
from lodgeui import Failure, Run, Window, screenshot, wait_for, window_of, xdotool

run = Run()
HOME = lodgeui.home()
LODGE = None
ISO = next((p for p in ("/usr/lib/grub-rescue/grub-rescue-cdrom.iso", os.environ.get("LODGE_TEST_ISO", "")) if os.path.exists(p)), None)
KVM = os.access("/dev/kvm", os.R_OK | os.W_OK)
NAME = "Rescue disc"
manager = None
main = None
machine = None


def cli(*args):
    result = subprocess.run([LODGE, *args], capture_output=True, text=True, timeout=60, check=False)
    if result.returncode != 0:
        raise Failure(f"lodge {' '.join(args)}: {result.stderr.strip()}")
    return result.stdout


def facts():
    return next((m for m in json.loads(cli("list", "--json")) if m["name"] == NAME), None)


def to_front(pid):
    """A window that has the keyboard for its guest gives menus elsewhere no chance: as a person does, click there first."""
    xdotool("windowactivate", "--sync", window_of(pid))
    time.sleep(0.3)


def state_is(*states, seconds=30):
    wait_for(lambda: (facts() or {}).get("state") in states, seconds, lambda: f"the machine is {facts()}")


@run.check("/flow/library/empty-leads-to-new-machine")
def empty():
    main.find("label", "Make Your First Machine")
    screenshot("flow-empty")
    main.click("button", "New Machine…")
    main.find("label", "Start From")


@run.check("/flow/wizard/offers-what-was-downloaded")
def downloads():
    main.find("label", "rescue.iso")
    screenshot("flow-source")


@run.check("/flow/wizard/one-source-is-chosen-at-a-time")
def one_source():
    to_front(manager.pid)
    for key, chosen in (("alt+k", "Kernel"), ("alt+i", "Disk Image"), ("alt+o", "Nothing"), ("alt+d", "Disc Image")):
        xdotool("key", key)

        def only():
            return [n for n in ("Disc Image", "Disk Image", "Kernel", "Nothing") if lodgeui.is_checked(main.find("radio", n))] == [chosen]

        wait_for(only, 5, f"it is not {chosen} alone that is chosen")


@run.check("/flow/wizard/says-what-is-wrong-with-a-file")
def wrong_file():
    main.fill("ISO File", "/nowhere/at-all.iso")
    wait_for(lambda: any("at-all.iso" in (n.get_name() or "") and n.get_role_name() == "label" for n in main.nodes()), 10, "nothing says what is wrong")
    screenshot("flow-wrong-file")
    if lodgeui.is_sensitive(main.find("button", "Next")):
        raise Failure("Next can be pressed")


@run.check("/flow/wizard/enter-enter-enter-makes-it")
def enter():
    main.fill("ISO File", os.path.join(HOME, "Downloads", "rescue.iso"))
    wait_for(lambda: lodgeui.is_sensitive(main.find("button", "Next")), 10, "Next cannot be pressed")
    main.click("button", "Next")
    main.find("label", "Operating System")
    screenshot("flow-system")
    time.sleep(0.5)
    xdotool("key", "Return")
    main.find("spin", "Memory")
    screenshot("flow-resources")
    time.sleep(0.5)
    xdotool("key", "Return")
    main.find("button", "Create")
    main.fill("Name", NAME)
    screenshot("flow-review")
    if not KVM:
        main.click("check", "Start Now")
    time.sleep(0.5)
    main.click("button", "Create")
    main.gone("button", "Create", seconds=60)
    wait_for(facts, 30, "the machine is not in the list")
    main.find("item", NAME, part=True)


@run.check("/flow/machine/starts-with-its-window")
def started():
    global machine
    if not KVM:
        return
    state_is("running")
    machine = Window(facts()["pid"])
    machine.find("button", "Pause")
    screenshot("flow-machine")


@run.check("/flow/machine/its-picture-appears")
def picture():
    if not KVM:
        return
    xid = window_of(facts()["pid"])
    xdotool("windowactivate", "--sync", xid)

    def colours():
        # The middle of the screen's picture: text of the firmware on black is more than one colour.
        out = subprocess.run(["import", "-silent", "-window", xid, "-gravity", "center", "-crop", "80%x80%+0+0", "-format", "%k", "info:-"],
                             capture_output=True, text=True, check=True).stdout
        return int(out.strip() or 0) > 1

    wait_for(colours, 60, "the window's picture stays black")
    wait_for(lambda: "SeaBIOS" in cli("text", NAME) or "GRUB" in cli("text", NAME), 60, "the text screen shows neither firmware nor boot loader")
    screenshot("flow-picture")


@run.check("/flow/machine/pauses-and-resumes-from-the-list")
def pause():
    if not KVM:
        return
    to_front(manager.pid)
    main.click("toggle", "Machine Menu")
    main.click("menu item", "Pause")
    state_is("paused")
    machine.find("label", "Paused")
    screenshot("flow-paused")
    machine.click("button", "Resume")
    state_is("running")


@run.check("/flow/machine/disc-goes-out-and-in")
def disc():
    if not KVM:
        return
    to_front(facts()["pid"])
    machine.click("toggle", "Devices")
    machine.click("menu item", "Eject Disc")
    wait_for(lambda: not facts()["medium"], 20, "the disc is still in")
    cli("insert", NAME, os.path.join(HOME, "Downloads", "rescue.iso"))
    main.find("label", "rescue.iso")


@run.check("/flow/machine/screenshot-lands-in-pictures")
def shot():
    if not KVM:
        return
    machine.click("button", "Take Screenshot")
    pictures = os.path.join(HOME, "Pictures")
    wait_for(lambda: os.path.isdir(pictures) and [f for f in os.listdir(pictures) if f.endswith(".png")], 20, "there is no picture")


@run.check("/flow/machine/closing-asks-and-remembers")
def close():
    if not KVM:
        return
    machine.click("button", "Close")
    machine.find("label", "Close the Window?")
    screenshot("flow-close")
    to_front(facts()["pid"])
    xdotool("key", "alt+r")
    wait_for(lambda: lodgeui.is_checked(machine.find("check", "Remember for this machine")), 5, "it cannot be remembered")
    xdotool("key", "alt+l")
    wait_for(lambda: not facts()["window"], 20, "the window is still there")
    if facts()["state"] != "running":
        raise Failure("the machine did not go on running")
    conf = os.path.join(HOME, "data", "lodge", "machines", NAME + ".lodge", "machine.conf")
    wait_for(lambda: "close=keep-running" in open(conf, encoding="utf-8").read(), 10, "it is not in machine.conf")


@run.check("/flow/machine/window-comes-again")
def again():
    global machine
    if not KVM:
        return
    main.click("button", "Show")
    wait_for(lambda: facts()["window"], 20, "no window came")
    machine = Window(facts()["pid"])
    machine.find("button", "Pause")


@run.check("/flow/machine/force-off-asks-and-turns-off")
def force_off():
    if not KVM:
        return
    to_front(manager.pid)
    main.click("toggle", "Power")
    main.click("menu item", "Force Off…")
    main.click("button", "Force Off")
    state_is("off")
    machine.find("label", "Turned Off")
    machine.click("button", "Close")


@run.check("/flow/machine/its-disk-is-sound-for-other-tools")
def sound():
    disk = os.path.join(HOME, "data", "lodge", "machines", NAME + ".lodge", "disk0.qcow2")
    result = subprocess.run(["qemu-img", "check", disk], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise Failure(f"qemu-img check: {result.stdout}{result.stderr}")


@run.check("/flow/library/delete-can-be-undone")
def undo():
    to_front(manager.pid)
    main.click("toggle", "Machine Menu")
    main.click("menu item", "Delete")
    main.find("button", "Undo")
    if facts() is not None:
        raise Failure("the machine is still in the list")
    screenshot("flow-deleted")
    main.click("button", "Undo")
    wait_for(facts, 20, "the machine did not come back")
    main.find("item", NAME, part=True)


@run.check("/flow/controls/all-have-names")
def names():
    bad = main.nameless()
    if bad:
        raise Failure(f"without a name: {bad}")


@run.check("/flow/end/quits-by-its-shortcut")
def end():
    to_front(manager.pid)
    xdotool("key", "ctrl+q")
    if manager.wait(20) != 0:
        raise Failure(f"exit code {manager.returncode}")


if __name__ == "__main__":
    LODGE = os.path.abspath(sys.argv[1])
    if ISO is None:
        lodgeui.skip("there is no bootable disc image (package grub-rescue-pc)")
    os.makedirs(os.path.join(HOME, "Downloads"))
    shutil.copy(ISO, os.path.join(HOME, "Downloads", "rescue.iso"))
    lodgeui.enable_accessibility()
    manager = subprocess.Popen([LODGE])
    main = Window(manager.pid)
    status = run.main()
    try:
        left = facts()
        if left and left["state"] != "off":
            cli("stop", NAME, "--force")
    except (Failure, ValueError):
        pass
    if manager.poll() is None:
        manager.terminate()
    shutil.rmtree(HOME, ignore_errors=True)
    sys.exit(status)
