# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the windows share: a TAP runner, the accessibility tree, keys and pictures."""

import os
import subprocess
import sys
import tempfile
import time
import traceback

SKIP = 77


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(SKIP if "MESON_TEST_ITERATION" not in os.environ else 0)


# In the tests a warning ends the program under test; not its driver: libatspi warns whenever a program that it asks is just going.
# GLib reads the variable when it is loaded; what we start afterwards has it again.
STRICT = os.environ.pop("G_DEBUG", None)

try:
    import gi

    gi.require_version("Atspi", "2.0")
    from gi.repository import Atspi, Gio, GLib
except (ImportError, ValueError) as error:
    skip(f"the accessibility bindings are missing: {error}")

if STRICT is not None:
    os.environ["G_DEBUG"] = STRICT

ROLES = {
    "button": Atspi.Role.PUSH_BUTTON if hasattr(Atspi.Role, "PUSH_BUTTON") else Atspi.Role.BUTTON,
    "toggle": Atspi.Role.TOGGLE_BUTTON,
    "check": Atspi.Role.CHECK_BOX,
    "radio": Atspi.Role.RADIO_BUTTON,
    "entry": Atspi.Role.ENTRY,
    "text": Atspi.Role.TEXT,
    "label": Atspi.Role.LABEL,
    "item": Atspi.Role.LIST_ITEM,
    "menu item": Atspi.Role.MENU_ITEM,
    "spin": Atspi.Role.SPIN_BUTTON,
}


class Failure(Exception):
    pass


def wait_for(what, seconds=20, message="it did not happen"):
    """The first true value of what(), within that time."""
    end = time.monotonic() + seconds
    while True:
        try:
            value = what()
        except GLib.Error:
            value = None  # the widget went away while we looked
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(message() if callable(message) else message)
        time.sleep(0.1)


def enable_accessibility():
    """GTK shows its tree only where somebody asked for it on the session bus."""
    bus = Gio.bus_get_sync(Gio.BusType.SESSION)
    bus.call_sync("org.a11y.Bus", "/org/a11y/bus", "org.freedesktop.DBus.Properties", "Set",
                  GLib.Variant("(ssv)", ("org.a11y.Status", "IsEnabled", GLib.Variant("b", True))), None, 0, 20000)


def walk(node, depth=0):
    if node is None or depth > 60:
        return
    yield node
    for i in range(node.get_child_count()):
        try:
            yield from walk(node.get_child_at_index(i), depth + 1)
        except GLib.Error:
            continue


def is_showing(node):
    return node.get_state_set().contains(Atspi.StateType.SHOWING)


def is_checked(node):
    return node.get_state_set().contains(Atspi.StateType.CHECKED)


def is_sensitive(node):
    return node.get_state_set().contains(Atspi.StateType.SENSITIVE)


def applications(pid=None):
    Atspi.init()
    desktop = Atspi.get_desktop(0)
    found = [desktop.get_child_at_index(i) for i in range(desktop.get_child_count())]
    return [a for a in found if a is not None and (pid is None or a.get_process_id() == pid)]


class Window:
    """One program's accessibility tree."""

    def __init__(self, pid, name=None):
        self.pid = pid
        self.app = wait_for(lambda: next(iter(applications(pid)), None), 40, f"program {pid} is not on the accessibility bus")
        self.name = name

    def nodes(self):
        for i in range(self.app.get_child_count()):
            yield from walk(self.app.get_child_at_index(i))

    def look(self, role, name, part=False, showing=True):
        wanted = ROLES.get(role, role)
        for node in self.nodes():
            if wanted is not None and node.get_role() != wanted:
                continue
            has = node.get_name() or ""
            if (name in has if part else has == name) and (not showing or is_showing(node)):
                return node
        return None

    def find(self, role, name, part=False, seconds=20):
        return wait_for(lambda: self.look(role, name, part), seconds, lambda: f"there is no {role} “{name}” in:\n{self.dump()}")

    def gone(self, role, name, part=False, seconds=20):
        wait_for(lambda: self.look(role, name, part) is None, seconds, f"{role} “{name}” is still there")

    def click(self, role, name, part=False, seconds=20):
        node = wait_for(lambda: next((n for n in [self.look(role, name, part)] if n is not None and is_sensitive(n)), None), seconds,
                        lambda: f"there is no {role} “{name}” to click in:\n{self.dump()}")
        node.get_action_iface().do_action(0)

    def fill(self, name, value):
        node = wait_for(lambda: next((n for n in self.nodes() if (n.get_name() or "") == name and n.get_editable_text_iface() is not None), None), 20,
                        lambda: f"there is no entry “{name}” in:\n{self.dump()}")
        node.get_editable_text_iface().set_text_contents(value)

    def text_of(self, role, name):
        node = self.look(role, name)
        return None if node is None else Atspi.Text.get_text(node, 0, -1)

    def nameless(self):
        """Controls that are shown and have no name that a screen reader could say."""
        controls = {ROLES[r] for r in ("button", "toggle", "check", "radio", "entry", "text", "spin", "menu item")} | {Atspi.Role.SLIDER, Atspi.Role.SWITCH} \
            if hasattr(Atspi.Role, "SWITCH") else {ROLES[r] for r in ("button", "toggle", "check", "radio", "entry", "text", "spin", "menu item")}
        bad = []
        for node in self.nodes():
            if node.get_role() in controls and is_showing(node) and not (node.get_name() or "").strip():
                parent = node.get_parent()
                bad.append(f"{node.get_role_name()} in {parent.get_role_name()} “{parent.get_name()}”")
        return bad

    def dump(self):
        lines = []

        def down(node, depth):
            try:
                if is_showing(node) or depth < 2:
                    lines.append("  " * depth + f"{node.get_role_name()} “{node.get_name()}”")
                for i in range(node.get_child_count()):
                    down(node.get_child_at_index(i), depth + 1)
            except (GLib.Error, AttributeError):
                pass

        down(self.app, 0)
        return "\n".join(lines)


def screenshot(name):
    """Keeps a picture where LODGE_TEST_PICTURES says, to look at."""
    folder = os.environ.get("LODGE_TEST_PICTURES")
    if folder:
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["import", "-silent", "-window", "root", os.path.join(folder, name + ".png")], check=False)


def xdotool(*args):
    return subprocess.run(["xdotool", *map(str, args)], check=True, capture_output=True, text=True).stdout.strip()


def window_of(pid, seconds=20):
    """The X11 window of a program."""
    def look():
        result = subprocess.run(["xdotool", "search", "--onlyvisible", "--pid", str(pid)], capture_output=True, text=True, check=False)
        return result.stdout.split()

    return wait_for(look, seconds, f"program {pid} shows no window")[-1]


class Run:
    """Runs the checks in order; each has a name, the first that fails ends those that build on it."""

    def __init__(self):
        self.checks = []

    def check(self, name):
        def take(function):
            self.checks.append((name, function))
            return function

        return take

    def main(self):
        enable_accessibility()
        print(f"1..{len(self.checks)}", flush=True)
        broken = False
        for number, (name, function) in enumerate(self.checks, 1):
            if broken:
                print(f"not ok {number} {name} # an earlier step failed", flush=True)
                continue
            try:
                function()
                print(f"ok {number} {name}", flush=True)
            except Exception as error:  # a broken step says what it was, then the others follow suit
                broken = True
                for line in (traceback.format_exc() if not isinstance(error, Failure) else str(error)).splitlines():
                    print(f"# {line}")
                screenshot("failed-" + name.strip("/").replace("/", "-"))
                print(f"not ok {number} {name}", flush=True)
        return 1 if broken else 0


def home():
    """A home directory of its own for the program under test."""
    folder = tempfile.mkdtemp(prefix="lodge-ui-")
    for name, variable in (("data", "XDG_DATA_HOME"), ("config", "XDG_CONFIG_HOME"), ("cache", "XDG_CACHE_HOME"), ("state", "XDG_STATE_HOME"),
                           ("runtime", "XDG_RUNTIME_DIR")):
        path = os.path.join(folder, name)
        os.makedirs(path, 0o700)
        os.environ[variable] = path
    os.environ["HOME"] = folder
    os.makedirs(os.path.join(folder, "config", "gtk-4.0"))
    with open(os.path.join(folder, "config", "user-dirs.dirs"), "w", encoding="utf-8") as file:
        file.write('XDG_DOWNLOAD_DIR="$HOME/Downloads"\nXDG_PICTURES_DIR="$HOME/Pictures"\n')
    return folder
