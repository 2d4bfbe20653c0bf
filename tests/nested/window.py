#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inside the nested bench, on a virtual display: window.py LODGE. The wizard makes a machine from GRUB's rescue disc, its menu shows in the
machine's window, keys pressed in that window move in it."""
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../ui"))
import lodgeui  # noqa: E402
from lodgeui import Failure, Window, wait_for, window_of, xdotool  # noqa: E402

LODGE = os.path.abspath(sys.argv[1])
NAME = "Rescue disc"
PATIENCE = 240  # seconds: a window under two layers of emulation, while libosinfo reads a thousand files
ISO = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"


def cli(*args):
    return subprocess.run([LODGE, *args], capture_output=True, text=True, timeout=60, check=False).stdout


def facts():
    return next((m for m in json.loads(cli("list", "--json") or "[]") if m["name"] == NAME), None)


def main():
    home = lodgeui.home()
    iso = os.path.join(home, "rescue.iso")
    shutil.copy(ISO, iso)
    lodgeui.enable_accessibility()
    manager = subprocess.Popen([LODGE])
    window = Window(manager.pid)
    try:
        window.find("label", "Make Your First Machine", seconds=PATIENCE)
        window.click("button", "New Machine…", seconds=PATIENCE)
        window.find("label", "Start From", seconds=PATIENCE)
        window.fill("ISO File", iso)
        wait_for(lambda: lodgeui.is_sensitive(window.find("button", "Next", seconds=PATIENCE)), PATIENCE, "Next cannot be pressed")
        window.click("button", "Next", seconds=PATIENCE)
        window.find("label", "Operating System", seconds=PATIENCE)
        window.click("button", "Next", seconds=PATIENCE)
        window.find("spin", "Memory", seconds=PATIENCE)
        window.click("button", "Next", seconds=PATIENCE)
        window.find("button", "Create", seconds=PATIENCE)
        window.fill("Name", NAME)
        time.sleep(1)
        window.click("button", "Create", seconds=PATIENCE)
        wait_for(lambda: (facts() or {}).get("state") == "running", PATIENCE, "the machine does not run")
        wait_for(lambda: "*GNU/Linux" in cli("text", NAME), PATIENCE, lambda: "GRUB's menu does not show:\n" + cli("text", NAME))
        xid = window_of(facts()["pid"])
        xdotool("windowactivate", "--sync", xid)
        time.sleep(1)
        xdotool("key", "Down")
        wait_for(lambda: "*GNU (aka" in cli("text", NAME), 60, "the key did not reach GRUB")
    finally:
        subprocess.run(["import", "-window", "root", "/share/window.png"], check=False)
        cli("stop", NAME, "--force", "--wait")
        manager.terminate()
        manager.wait()


try:
    main()
except Failure as failure:
    sys.exit(f"{failure}")
