# SPDX-License-Identifier: GPL-3.0-or-later
"""The hardware page of the main window, driven through the accessibility tree and by keys: what it changes is in machine.conf."""

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
NAME = "Workbench"
manager = None
main = None


def cli(*args):
    result = subprocess.run([LODGE, *args], capture_output=True, text=True, timeout=60, check=False)
    if result.returncode != 0:
        raise Failure(f"lodge {' '.join(args)}: {result.stderr.strip()}")
    return result.stdout


def settings():
    return json.loads(cli("show", NAME, "--json"))["settings"]


def setting_is(group, key, value, seconds=20):
    wait_for(lambda: settings().get(group, {}).get(key) == value, seconds, lambda: f"{group}.{key} is {settings().get(group, {}).get(key)}")


def to_front():
    xdotool("windowactivate", "--sync", window_of(manager.pid))
    time.sleep(0.3)


def boot_row(device):
    """The row of the boot order that the check belongs to."""
    node = main.find("check", "Start from " + device)
    while node.get_role() != lodgeui.ROLES["item"]:
        node = node.get_parent()
    return node


def press(node, button=1):
    """A click in its middle, as a person does it."""
    box = node.get_component_iface().get_extents(lodgeui.Atspi.CoordType.WINDOW)
    if box.width <= 0:
        raise Failure(f"{node.get_name()} is nowhere")
    to_front()
    xdotool("mousemove", "--window", window_of(manager.pid), box.x + box.width // 2, box.y + box.height // 2, "click", button)
    time.sleep(0.3)


@run.check("/hardware/page/lists-the-devices")
def devices():
    to_front()
    main.find("label", "Workbench")
    xdotool("key", "alt+2")
    main.find("item", "System", part=True)
    main.find("item", "Hard disk (SATA)", part=True)
    main.find("spin", "Processors")
    screenshot("hardware-system")


@run.check("/hardware/setting/number-is-written")
def number():
    spin = main.find("spin", "Processors")
    spin.get_value_iface().set_current_value(2)
    setting_is("machine", "cpus", "2")


@run.check("/hardware/setting/wrong-text-is-told-and-shown-no-more")
def wrong():
    before = settings()["machine"]["uuid"]
    press(main.find("text", "Identifier that the guest's firmware shows"))
    xdotool("key", "ctrl+a")
    xdotool("type", "nobody")
    xdotool("key", "Return")
    main.find("label", "The machine's settings would be wrong.", part=True)
    screenshot("hardware-wrong")
    if settings()["machine"]["uuid"] != before:
        raise Failure("it was written")


@run.check("/hardware/boot-order/checked-and-moved-by-keys")
def boot():
    order = {k: v.get("boot") for k, v in settings().items() if "boot" in v}
    if order != {"disk0": "1", "cdrom0": "2"}:
        raise Failure(f"not the order that this check knows: {order}")
    to_front()
    xdotool("mousemove", "--window", window_of(manager.pid), 800, 500, "click", "--repeat", 40, "--delay", 10, 5)
    time.sleep(0.5)
    press(boot_row("disk0"))
    setting_is("disk0", "boot", None)
    press(boot_row("disk0"))
    setting_is("disk0", "boot", "2")  # behind what the machine started from meanwhile
    setting_is("cdrom0", "boot", "1")
    time.sleep(0.5)
    to_front()
    xdotool("key", "alt+Up")
    setting_is("disk0", "boot", "1")
    setting_is("cdrom0", "boot", "2")
    screenshot("hardware-boot")


@run.check("/hardware/boot-order/unchecked-is-not-started-from")
def unchecked():
    press(boot_row("cdrom0"))
    setting_is("cdrom0", "boot", None)
    setting_is("disk0", "boot", "1")


@run.check("/hardware/add/searched-and-added")
def add():
    main.click("button", "Add Hardware…")
    main.find("item", "TPM 2.0")
    screenshot("hardware-add")
    main.fill("Search devices", "serial")
    main.gone("item", "TPM 2.0")
    time.sleep(0.3)
    to_front()
    xdotool("key", "Return")
    main.find("button", "Add")
    screenshot("hardware-add-serial")
    main.click("button", "Add")
    main.gone("button", "Add")
    wait_for(lambda: settings().get("serial1", {}).get("class") == "serial", 20, "there is no second serial port")
    main.find("item", "serial1", part=True)


@run.check("/hardware/add/new-disk-gets-its-image")
def disk():
    main.click("button", "Add Hardware…")
    main.fill("Search devices", "hard disk sata")
    time.sleep(0.3)
    to_front()
    xdotool("key", "Return")
    main.find("button", "Add")
    screenshot("hardware-add-disk")
    main.click("button", "Add")
    wait_for(lambda: settings().get("disk1", {}).get("image") == "disk1.qcow2", 20, "there is no second disk")
    if not os.path.exists(os.path.join(json.loads(cli("show", NAME, "--json"))["path"], "disk1.qcow2")):
        raise Failure("its image was not made")
    main.find("button", "Remove Device")
    screenshot("hardware-disk")


@run.check("/hardware/remove/can-be-undone")
def remove():
    main.click("button", "Remove Device")
    wait_for(lambda: "disk1" not in settings(), 20, "it is still there")
    main.click("button", "Undo")
    wait_for(lambda: settings().get("disk1", {}).get("image") == "disk1.qcow2", 20, "it did not come back")
    if settings()["disk1"]["format"] != "qcow2":
        raise Failure(f"it came back as another: {settings()['disk1']}")


@run.check("/hardware/change/from-outside-is-seen")
def outside():
    cli("set", NAME, "machine.cpus=3")
    press(main.find("item", "System", part=True))
    wait_for(lambda: main.find("spin", "Processors").get_value_iface().get_current_value() == 3, 20, "the page shows another number")


@run.check("/hardware/controls/all-have-names")
def names():
    bad = main.nameless()
    if bad:
        raise Failure(f"without a name: {bad}")


@run.check("/hardware/narrow/list-then-page")
def narrow():
    window = window_of(manager.pid)
    xdotool("windowsize", "--sync", window, 360, 640)
    time.sleep(1)
    screenshot("hardware-narrow")
    bad = main.nameless()
    if bad:
        raise Failure(f"without a name: {bad}")


if __name__ == "__main__":
    LODGE = os.path.abspath(sys.argv[1])
    cli("create", NAME, "--disk", "1G", "--memory", "512")
    lodgeui.enable_accessibility()
    manager = subprocess.Popen([LODGE])
    main = Window(manager.pid)
    status = run.main()
    if manager.poll() is None:
        manager.terminate()
    shutil.rmtree(HOME, ignore_errors=True)
    sys.exit(status)
