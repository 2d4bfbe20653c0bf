# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine's window over a machine without an engine: what reaches the guest, and what the window shows."""

import queue
import subprocess
import sys
import threading
import time

import lodgeui
from lodgeui import Failure, Run, Window, is_checked, screenshot, wait_for, window_of, xdotool

run = Run()


class Driver:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.window = Window(self.process.pid)
        self.xid = window_of(self.process.pid)
        xdotool("windowactivate", "--sync", self.xid)

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def drain(self, seconds=0.3):
        """What came until nothing came for that long."""
        found = []
        while len(found) < 1000:
            try:
                found.append(self.lines.get(timeout=seconds))
            except queue.Empty:
                break
        return found

    def ask(self, word):
        self.say(word)
        answer = wait_for(lambda: next((l for l in self.drain(0.1) if l.startswith(word + " ")), None), 10, f"no answer to {word}")
        return [int(n) for n in answer.split()[1:]]

    def expect(self, wanted, seconds=5):
        """These lines come, in this order; others between them are allowed only if they are no keys."""
        got = []
        end = time.monotonic() + seconds
        while time.monotonic() < end and [l for l in got if l.startswith(wanted[0].split()[0])][:len(wanted)] != wanted:
            got += self.drain(0.05)
        kind = wanted[0].split()[0]
        if [l for l in got if l.startswith(kind)] != wanted:
            raise Failure(f"expected {wanted}, got {got}")

    def silent(self, kind, seconds=0.6):
        got = [l for l in self.drain(seconds) if l.startswith(kind)]
        if got:
            raise Failure(f"expected no {kind}, got {got}")

    def point(self, x, y):
        left, top, _, _ = self.ask("where")
        xdotool("mousemove", "--window", self.xid, left + x, top + y)


driver = None

# Linux input event codes, from linux/input-event-codes.h.
LEFTCTRL, LEFTALT, LEFTSHIFT, RIGHTCTRL = 29, 56, 42, 97


@run.check("/window/keyboard/goes-to-the-guest-at-once")
def at_once():
    wait_for(lambda: driver.ask("grabbed") == [1], 10, "the guest does not have the keyboard")
    screenshot("window-running")
    driver.drain()


@run.check("/window/keyboard/keys-arrive-by-hardware-code")
def by_code():
    # Every key of a PC keyboard with 105 keys, by the kernel's codes (linux/input-event-codes.h); X11's are 8 more.
    codes = [*range(1, 84), 86, 87, 88, 96, 97, 98, 99, 100, *range(102, 112), 119, 125, 126, 127]
    for code in codes:
        xdotool("key", "Escape" if code == 1 else code + 8)
        driver.expect([f"key {code} down", f"key {code} up"])
        if code in (58, 69, 70):
            xdotool("key", code + 8)  # a lock: back as it was
            driver.expect([f"key {code} down", f"key {code} up"])


@run.check("/window/keyboard/no-shortcut-of-ours-fires")
def no_shortcut():
    for keys, codes in (("ctrl+w", (LEFTCTRL, 17)), ("ctrl+q", (LEFTCTRL, 16)), ("ctrl+comma", (LEFTCTRL, 51)), ("alt+F4", (LEFTALT, 62)), ("ctrl+p", (LEFTCTRL, 25))):
        xdotool("key", keys)
        driver.expect([f"key {codes[0]} down", f"key {codes[1]} down", f"key {codes[0]} up", f"key {codes[1]} up"])
    driver.silent("act")


@run.check("/window/keyboard/survives-another-layout")
def other_layout():
    # The key right of Tab types another letter on a French keyboard, and is still the same key.
    subprocess.run(["setxkbmap", "fr"], check=True)
    time.sleep(0.3)
    try:
        xdotool("key", 16 + 8)
        driver.expect(["key 16 down", "key 16 up"])
    finally:
        subprocess.run(["setxkbmap", "us"], check=True)
        time.sleep(0.3)
    driver.drain()


@run.check("/window/keyboard/held-keys-are-released-when-focus-goes")
def released():
    xdotool("keydown", "shift", "keydown", "a")
    driver.expect([f"key {LEFTSHIFT} down", "key 30 down"])
    thief = subprocess.Popen([sys.executable, __file__, "--thief"])
    try:
        got = []
        wait_for(lambda: got.extend(driver.drain(0.1)[:200]) or any(l.endswith("up") for l in got), 20, "nothing was released")
        got = sorted(l for l in got + driver.drain(0.5) if l.startswith("key") and l.endswith("up"))
        if got != sorted([f"key {LEFTSHIFT} up", "key 30 up"]):
            raise Failure(f"released: {got}")
    finally:
        thief.terminate()
        thief.wait()
        xdotool("keyup", "a", "keyup", "shift")
    xdotool("windowactivate", "--sync", driver.xid)
    wait_for(lambda: driver.ask("grabbed") == [1], 10, "the keyboard did not come back with the focus")
    driver.drain()


@run.check("/window/keyboard/ctrl-alt-delete-is-the-guests")
def ctrl_alt_delete():
    xdotool("keydown", "Control_L", "keydown", "Alt_L", "key", "Delete", "keyup", "Alt_L", "keyup", "Control_L")
    driver.expect([f"key {LEFTCTRL} down", f"key {LEFTALT} down", "key 111 down", "key 111 up", f"key {LEFTALT} up", f"key {LEFTCTRL} up"])
    if driver.ask("grabbed") != [1]:
        raise Failure("the keyboard was given back")


@run.check("/window/keyboard/left-ctrl-alt-gives-it-back")
def give_back():
    xdotool("keydown", "Control_L", "keydown", "Alt_L", "keyup", "Alt_L", "keyup", "Control_L")
    wait_for(lambda: driver.ask("grabbed") == [0], 5, "the guest still has the keyboard")
    driver.drain()
    xdotool("key", "x")
    driver.silent("key")


@run.check("/window/keyboard/shortcuts-fire-when-it-is-ours")
def shortcuts():
    xdotool("key", "ctrl+p")
    driver.expect(["act pause"])
    driver.window.find("label", "Paused")
    screenshot("window-paused")
    xdotool("key", "ctrl+p")
    driver.expect(["act resume"])
    driver.window.gone("label", "Paused")


@run.check("/window/keyboard/enter-takes-it-again")
def enter():
    if driver.ask("grabbed") != [1]:
        xdotool("key", "Return")
        wait_for(lambda: driver.ask("grabbed") == [1], 5, "Enter did not give the guest the keyboard")
    driver.silent("key 28 down")


@run.check("/window/picture/follows-a-new-size")
def new_size():
    driver.say("size 1024 768")
    driver.say("draw 100 100 300 200 ff0000")
    time.sleep(0.5)
    screenshot("window-resized")
    color = subprocess.run(["import", "-silent", "-window", "root", "-resize", "1x1!", "-depth", "8", "txt:-"], capture_output=True, text=True, check=True).stdout
    if not color:
        raise Failure("no picture")


@run.check("/window/picture/damage-is-drawn")
def damage():
    driver.say("draw 0 0 1024 768 00ff00")
    left, top, width, height = driver.ask("where")

    def middle():
        geometry = dict(l.split("=") for l in xdotool("getwindowgeometry", "--shell", driver.xid).splitlines() if "=" in l)
        x, y = int(geometry["X"]) + left + width // 2, int(geometry["Y"]) + top + height // 2
        out = subprocess.run(["import", "-silent", "-window", "root", "-crop", f"1x1+{x}+{y}", "-depth", "8", "txt:-"], capture_output=True, text=True, check=True).stdout
        return "#00FF00" in out

    wait_for(middle, 5, "the picture is not what was drawn")


@run.check("/window/picture/original-size-by-its-shortcut")
def original():
    # Larger than the window: fitted, the display is as wide as the window; at its original size it is as wide as the picture.
    driver.say("size 1600 1200")
    time.sleep(0.5)
    give = ("keydown", "Control_L", "keydown", "Alt_L", "keyup", "Alt_L", "keyup", "Control_L")
    xdotool(*give)
    wait_for(lambda: driver.ask("grabbed") == [0], 5, "the guest still has the keyboard")
    fitted = driver.ask("where")[2]
    xdotool("key", "ctrl+1")
    wait_for(lambda: driver.ask("where")[2] == 1600, 5, lambda: f"the display is {driver.ask('where')}")
    xdotool("key", "ctrl+0")
    wait_for(lambda: driver.ask("where")[2] == fitted, 5, lambda: f"the display is {driver.ask('where')}")
    driver.say("size 1024 768")
    driver.drain()


@run.check("/window/picture/a-still-one-is-polled-slowly")
def still():
    time.sleep(2)
    before = driver.ask("pulls")[0]
    time.sleep(1)
    pulls = driver.ask("pulls")[0] - before
    if not 5 <= pulls <= 30:
        raise Failure(f"{pulls} pulls in a second")


@run.check("/window/pointer/first-click-takes-it-and-is-not-the-guests")
def first_click():
    driver.point(200, 200)
    driver.drain()
    xdotool("click", 1)
    driver.silent("button")


@run.check("/window/pointer/moves-are-relative")
def relative():
    xdotool("mousemove_relative", "--", 7, 5)
    got = [l.split() for l in driver.drain(0.5) if l.startswith("motion")]
    x, y = sum(int(l[1]) for l in got), sum(int(l[2]) for l in got)
    if x <= 0 or y <= 0:
        raise Failure(f"moved by {x}, {y}")


@run.check("/window/pointer/two-buttons-at-once")
def buttons():
    driver.drain()
    xdotool("mousedown", 1, "mousedown", 3, "mouseup", 1, "mouseup", 3)
    driver.expect(["button 272 down", "button 273 down", "button 272 up", "button 273 up"])


@run.check("/window/pointer/wheel-turns-by-notches")
def wheel():
    xdotool("click", 4)
    driver.expect(["wheel -1"])
    xdotool("click", 5)
    driver.expect(["wheel 1"])


@run.check("/window/pointer/absolute-where-the-machine-can")
def absolute():
    driver.say("absolute 1")
    left, top, width, height = driver.ask("where")
    driver.point(width // 2, height // 2)
    got = [l.split() for l in driver.drain(0.5) if l.startswith("position")]
    if not got or abs(int(got[-1][1]) - 16384) > 400 or abs(int(got[-1][2]) - 16384) > 400:
        raise Failure(f"positions {got[-3:]}")
    driver.say("absolute 0")
    xdotool("keydown", "Control_L", "keydown", "Alt_L", "keyup", "Alt_L", "keyup", "Control_L")
    driver.drain()


@run.check("/window/menus/keys-are-sent")
def send_keys():
    driver.window.click("toggle", "Send Keys")
    driver.window.find("menu item", "Ctrl+Alt+Delete")
    screenshot("window-keys-menu")
    driver.window.click("menu item", "Ctrl+Alt+Delete")
    driver.expect([f"keys {LEFTCTRL} {LEFTALT} 111"])


@run.check("/window/menus/force-off-asks-first")
def force_off_asks():
    driver.window.click("toggle", "Power")
    driver.window.click("menu item", "Force Off…")
    driver.window.find("button", "Force Off")
    screenshot("window-force-off")
    driver.silent("act")
    driver.window.click("button", "Cancel")
    driver.window.gone("button", "Force Off")


@run.check("/window/states/failed-shows-the-report")
def failed():
    driver.say("state failed fault The\\040guest’s\\040processor\\040cannot\\040go\\040on.\\nrip=0xfff0")
    driver.window.find("button", "Report…")
    screenshot("window-failed")
    driver.window.click("button", "Report…")
    driver.window.find("label", "rip=0xfff0")
    screenshot("window-failed-report")
    driver.window.click("button", "Close")


@run.check("/window/states/disk-full-says-what-to-do")
def disk_full():
    driver.say("state running")
    driver.say("state paused no-space This\\040computer’s\\040disk\\040is\\040full.")
    driver.window.find("button", "Try Again")
    screenshot("window-disk-full")
    driver.drain()
    driver.window.click("button", "Try Again")
    driver.expect(["act resume"])


@run.check("/window/states/off-offers-start")
def off():
    driver.say("state off guest")
    driver.drain()
    driver.window.find("label", "Turned Off")
    screenshot("window-off")
    driver.window.click("button", "Start")
    driver.expect(["act start"])


@run.check("/window/controls/all-have-names")
def names():
    xdotool("keydown", "Control_L", "keydown", "Alt_L", "keyup", "Alt_L", "keyup", "Control_L")
    bad = driver.window.nameless()
    if bad:
        raise Failure(f"without a name: {bad}")


@run.check("/window/guest/is-asked-for-the-window-s-size")
def guest_follows():
    driver.say("resizable 1")
    driver.drain()
    xdotool("windowsize", "--sync", driver.xid, 900, 700)
    lines = wait_for(lambda: [l for l in driver.drain(0.6) if l.startswith("wanted")], 10, "the guest was not asked")
    _, _, width, height = driver.ask("where")
    if lines[-1] != f"wanted {width} {height}":
        raise Failure(f"asked for {lines}, the space is {width} × {height}")
    driver.say("cursor")
    driver.say("draw 10 10 20 20 00ff00")
    time.sleep(0.3)
    screenshot("window-guest-pointer")
    driver.say("resizable 0")
    driver.drain()


@run.check("/window/screens/change-and-leave")
def screens():
    xdotool("keydown", "Control_L", "keydown", "Alt_L", "keyup", "Alt_L", "keyup", "Control_L")
    first = driver.ask("picture")
    driver.say("screen 500 300")
    driver.window.click("toggle", "Screen 2")
    wait_for(lambda: driver.ask("picture") == [500, 300], 5, "the second screen does not come")
    screenshot("window-screens")
    driver.window.click("toggle", "Screen 1")
    wait_for(lambda: driver.ask("picture") == first, 5, "the first screen does not come back")
    # The guest got the keyboard with the screen.
    wait_for(lambda: driver.ask("grabbed") == [1], 5, "the guest does not have the keyboard")
    xdotool("keydown", "Control_L", "keydown", "Alt_L", "keyup", "Alt_L", "keyup", "Control_L")
    driver.drain()


@run.check("/window/full-screen/bar-hides-and-comes")
def full_screen():
    time.sleep(0.3)
    xdotool("key", "F11")
    time.sleep(1)
    screenshot("window-full-screen")
    xdotool("keydown", "Control_L", "keydown", "Alt_L", "keyup", "Alt_L", "keyup", "Control_L")
    driver.window.click("button", "Leave Full Screen")
    driver.window.gone("button", "Leave Full Screen")
    driver.drain()


@run.check("/window/close/asks-what-closing-means")
def close_asks():
    xdotool("keydown", "Control_L", "keydown", "Alt_L", "keyup", "Alt_L", "keyup", "Control_L")
    xdotool("key", "ctrl+w")
    driver.window.find("label", "Close the Window?")
    screenshot("window-close")
    # Check buttons have no action in GTK 4.18's accessibility; their mnemonic is a way that everybody has.
    xdotool("key", "alt+s")
    wait_for(lambda: is_checked(driver.window.find("radio", "Shut Down")), 5, "Shut Down is not chosen")
    driver.drain()
    xdotool("key", "alt+l")
    got = wait_for(lambda: driver.drain(0.5), 5, "nothing happened")
    if "act shut-down" not in got or "closed" not in got:
        raise Failure(f"got {got}")


@run.check("/window/end/leaves-with-success")
def end():
    driver.say("quit")
    if driver.process.wait(20) != 0:
        raise Failure(f"exit code {driver.process.returncode}")


def thief():
    """A window that takes the focus until it is told to end."""
    gi = lodgeui.gi
    gi.require_version("Gtk", "4.0")
    from gi.repository import GLib, Gtk

    Gtk.init()
    Gtk.Window(title="Thief", default_width=200, default_height=100).present()
    GLib.MainLoop().run()


if __name__ == "__main__":
    if sys.argv[1:] == ["--thief"]:
        thief()
    lodgeui.home()
    lodgeui.enable_accessibility()
    subprocess.run(["setxkbmap", "us"], check=False)
    driver = Driver(sys.argv[1])
    sys.exit(run.main())
