#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that the compiler does not know, each a TAP case: lint.py ROOT [CASE...].

lint.py ROOT --write-potfiles puts po/POTFILES right."""

import functools
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

ROOT = ""


class Skip(Exception):
    """What is needed to check is not here."""


def run(*command):
    """Output of a command that looks at the project; (exit code, text)."""
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


@functools.cache
def project_files():
    """Files of the project: those that git knows or would take; without git, those outside of hidden and build folders."""
    try:
        code, out = run("git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard")
    except FileNotFoundError:
        code, out = 1, ""
    if code == 0:
        names = out.splitlines()
    else:
        names = []
        for folder, folders, files in os.walk(ROOT):
            folders[:] = [f for f in folders if not f.startswith((".git", "_build", "__pycache__"))]
            names += [os.path.relpath(os.path.join(folder, f), ROOT) for f in files]
    return sorted(n for n in set(names) if os.path.isfile(os.path.join(ROOT, n)))


def files(*suffixes, under=""):
    return [f for f in project_files() if f.endswith(suffixes) and f.startswith(under)]


@functools.cache
def text(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as f:
        return f.read()


@functools.cache
def code(name):
    """A C file without comments and without what is in string literals; lines stay where they are."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        found = match.group()
        if found[0] in "\"'":
            return found[0] + found[-1]
        return "\n" * found.count("\n")

    return pattern.sub(blank, text(name))


def line_of(content, offset):
    return content.count("\n", 0, offset) + 1


def scripts(interpreter):
    """Files that begin with a call of this interpreter, or say to shellcheck that they are part of such a one."""
    for name in project_files():
        if "." in os.path.basename(name) and not name.endswith((".sh", ".py")):
            continue
        try:
            first = text(name).split("\n", 1)[0]
        except OSError:
            continue
        if re.match(rf"#!.*\b{interpreter}\b", first) or (interpreter == "bash" and first.startswith("# shellcheck shell=")):
            yield name


def need(tool):
    if shutil.which(tool) is None:
        raise Skip(f"{tool} is not installed")


# The walls

# What may include what, by folder: the longest prefix counts. Own folder and GLib are always free.
LAYERS = {
    "vmm/": ("vmm",),
    "app/": ("app",),
    "app/engine/": ("app", "vmm-public"),
    "ui/": ("ui", "app"),
    "main.c": ("ui", "app"),
}


def include_kind(name, path):
    """Which layer an #include of PATH in file NAME reaches into; None for libc, GLib and libraries of the system."""
    if re.match(r"(gtk/|gdk/|gsk/|adwaita\.h|vte/)", path):
        return "gtk"
    if re.match(r"(gio/|glib-object\.h)", path):
        return "gio"
    if re.match(r"libvirt", path):
        return "libvirt"
    if re.fullmatch(r"vmm[\w-]*\.h", path):
        return "vmm-public"
    for base in (os.path.dirname(name), "vmm", "app", "ui", "vmm/include"):
        full = os.path.normpath(os.path.join(base, path))
        if full in project_files_set():
            return full.split("/")[0]
    return None


@functools.cache
def project_files_set():
    return set(project_files())


def check_walls():
    """vmm knows nothing above it, app no GTK, ui no engine; only app/engine sees <vmm.h>."""
    for name in files(".c", ".h"):
        layer = max((p for p in LAYERS if name.startswith(p)), key=len, default=None)
        if layer is None:
            continue
        allowed = set(LAYERS[layer])
        if layer == "vmm/":
            allowed.add("vmm-public")
        if layer in ("ui/", "main.c"):
            allowed |= {"gtk", "gio"}
        if layer.startswith("app/"):
            allowed.add("gio")
        if name.startswith("app/libvirt/"):
            allowed.add("libvirt")
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', text(name), re.M):
            kind = include_kind(name, match.group(1))
            if kind is not None and kind not in allowed:
                yield f"{name}:{line_of(text(name), match.start())}: {match.group(1)} is behind a wall"


def check_public_headers():
    """What the engine exports includes only what it exports."""
    public = {os.path.basename(f) for f in files(".h", under="vmm/include/")}
    for name in files(".h", under="vmm/include/"):
        for match in re.finditer(r'^#include "([^"]+)"', text(name), re.M):
            if match.group(1) not in public:
                yield f"{name}: {match.group(1)} is not in vmm/include"


# The engine. What starts kernels inside the guest (firmware/boot-rom) is no part of our process.

def engine(*suffixes):
    return [f for f in files(*suffixes, under="vmm/") if not f.startswith("vmm/firmware/boot-rom/")]


DEADLY = re.compile(r"\b(exit|_exit|_Exit|quick_exit|abort|raise|g_error|g_abort|g_critical|err|errx|die|perror_exit|"
                    r"g_return_if_fail|g_return_val_if_fail|__builtin_trap|assert)[ \t]*\(")


def check_nothing_exits():
    """Nothing in the engine ends the process or may be made to by a guest."""
    for name in engine(".c", ".h"):
        content = code(name)
        for match in DEADLY.finditer(content):
            before = content[:match.start()].rstrip()[-2:]
            if before.endswith((".", "->")):
                continue
            yield f"{name}:{line_of(content, match.start())}: {match.group(1)} ()"


def check_no_mutable_statics():
    """Nothing in the engine is kept in variables of a file, but what is made once and then only read."""
    pattern = re.compile(r"^static\s+(?!const\b|inline\b|_Thread_local\b)([^;{}()=]*?)\b(\w+)\s*(\[[^\]]*\]\s*)*(=[^;]*)?;", re.M)
    for name in engine(".c"):
        for match in pattern.finditer(code(name)):
            if "const" in match.group(1).split() or "GOnce" in match.group(1):
                continue
            yield f"{name}:{line_of(code(name), match.start())}: {match.group(2)}"


def check_unique_statics():
    """A static function's name is in one file of the engine only, so that a backtrace is plain."""
    seen = {}
    for name in engine(".c"):
        for match in re.finditer(r"^static [^\n;={}]*\n(\w+) \(", code(name), re.M):
            other = seen.setdefault(match.group(1), name)
            if other != name:
                yield f"{name}:{line_of(code(name), match.start())}: {match.group(1)} is in {other} too"


# Documentation and texts

# Functions that mean the same for every type, or whose other half is documented.
PLAIN = ("_get_type", "_finish", "_new", "_ref", "_unref", "_free", "_clear", "_quark")


def check_documented():
    """Every function that the engine exports or that app declares for others has words about it."""
    declaration = re.compile(r"^(?!typedef|static|G_|#|\}|extern \")[A-Za-z_][^\n;{}]*?\b(\w+) \([^;{}]*\)[^;{}]*;", re.M)
    for name in files(".h", under="vmm/include/") + files(".h", under="app/"):
        if name.endswith("-private.h"):
            continue
        content = text(name)
        bare = code(name)
        spans = [(m.start(), m.end()) for m in re.finditer(r"/\*.*?\*/", content, re.S)]
        lines = content.split("\n")
        comments = " ".join(content[a:b] for a, b in spans)
        covered = set()  # lines of blocks (no empty line in between) from their first comment on
        inside = False
        for number, line in enumerate(lines, 1):
            if not line.strip():
                inside = False
            start = sum(len(l) + 1 for l in lines[:number - 1])
            if any(a < start + len(line) and b > start for a, b in spans):
                inside = True
            if inside:
                covered.add(number)
        for match in declaration.finditer(bare):
            function = match.group(1)
            number = line_of(bare, match.start())
            if function.endswith(PLAIN):
                continue
            # A property's accessors are told about where the property is.
            accessor = re.search(r"_(?:get|set|has)_(\w+)$", function)
            if accessor and re.search(accessor.group(1).replace("_", "[-_ ]"), comments):
                continue
            last = line_of(bare, match.end())
            if not covered & set(range(number, last + 1)):
                yield f"{name}:{number}: {function} has no words about it"


def translated_files():
    """Files that mark texts for translation, and data files that are translated whole."""
    for name in files(".c", ".blp", under="app/") + files(".c", ".blp", under="ui/") + files(".c", under="vmm/") + files("main.c"):
        content = text(name)
        if name.endswith(".c"):
            content = re.sub(r"/\*.*?\*/", "", content, flags=re.S)
        if re.search(r"(?<![A-Za-z0-9_])(_|C_|N_|NC_|ngettext|g_dngettext|g_dpgettext2?)[ ]?\(\s*[\"'a-z]", content):
            yield name
    yield from files(".desktop.in", ".metainfo.xml.in", under="flatpak/")


POTFILES = "# Files with texts for users; ./dev format keeps this list.\n"


def check_potfiles():
    """po/POTFILES names all files with texts, and no other."""
    listed = {line for line in text("po/POTFILES").splitlines() if line and not line.startswith("#")}
    wanted = set(translated_files())
    for name in sorted(wanted - listed):
        yield f"{name} is not in po/POTFILES (./dev format puts it there)"
    for name in sorted(listed - wanted):
        yield f"po/POTFILES names {name}, which has no texts"


def check_marked_texts():
    """What windows show is marked for translation: no bare strings in labels and titles of templates."""
    shown = re.compile(r"^\s*(label|title|subtitle|description|tooltip-text|placeholder-text|heading|body)\s*:\s*[\"']([^\"']*[^\W\d_][^\"']*)[\"']\s*;", re.M)
    for name in files(".blp", under="ui/"):
        for match in shown.finditer(text(name)):
            if match.group(2) == "Lodge":
                continue
            yield f"{name}:{line_of(text(name), match.start())}: “{match.group(2)}” is not marked with _()"


def check_translations():
    """The translations are well-formed and complete in form."""
    need("msgfmt")
    for name in files(".po", under="po/"):
        status, out = run("msgfmt", "--check", "-o", "/dev/null", name)
        if status != 0:
            yield out.strip()


# Form

def check_licences():
    """Every source says its licence in its first lines."""
    for name in files(".c", ".h", ".py", ".sh", ".blp", ".S", ".svg", ".yml", ".in", ".asl", ".dsl") + list(scripts("bash")):
        if "SPDX-License-Identifier:" not in "\n".join(text(name).split("\n")[:5]):
            yield f"{name} has no SPDX-License-Identifier"


def check_paths():
    """No path of one developer's machine."""
    pattern = re.compile(r"(?<![\w.$}~/])/(?:home/(?!user\b)\w+|work/|mnt/[a-z]+/|Users/)")
    for name in files(".c", ".h", ".py", ".sh", ".blp", ".build", ".md", ".yml", ".conf", ".txt") + list(scripts("bash")):
        for match in pattern.finditer(text(name)):
            yield f"{name}:{line_of(text(name), match.start())}: {match.group()}"


def check_loose_ends():
    """Nothing is left for later without a plan."""
    pattern = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
    for name in files(".c", ".h", ".py", ".sh", ".blp", ".build") + list(scripts("bash")):
        for match in pattern.finditer(text(name)):
            yield f"{name}:{line_of(text(name), match.start())}: {match.group()}"


def check_format():
    """C files are in the form of .clang-format."""
    need("clang-format")
    names = files(".c", ".h")
    status, out = run("clang-format", "--dry-run", "-Werror", *names)
    if status != 0:
        bad = sorted(set(re.findall(r"^([^\s:]+\.[ch]):\d+", out, re.M)))
        yield from (f"{name} (./dev format puts it right)" for name in bad)


def check_blueprints():
    """Templates are in blueprint-compiler's form."""
    need("blueprint-compiler")
    names = files(".blp")
    if not names:
        raise Skip("no templates")
    status, out = run("blueprint-compiler", "format", *names)
    if status != 0:
        yield out.strip()[-2000:] + "\n(./dev format puts it right)"


def check_shell():
    """shellcheck has nothing to say about the scripts."""
    need("shellcheck")
    status, out = run("shellcheck", "-x", *sorted(set(scripts("bash")) | set(scripts("sh"))))
    if status != 0:
        yield out.strip()


def check_python():
    """Python files compile."""
    for name in sorted(set(files(".py")) | set(scripts("python3"))):
        try:
            compile(text(name), name, "exec")
        except SyntaxError as error:
            yield f"{name}:{error.lineno}: {error.msg}"


def check_spelling():
    """codespell knows no better."""
    need("codespell")
    names = files(".c", ".h", ".py", ".blp", ".md", ".xml.in", ".desktop.in", ".build", ".yml") + list(scripts("bash"))
    status, out = run("codespell", "--ignore-words-list", "inout,nd,te,ue,fo,cas,ser,busses,ans,hsi,hist,parm,parms,inh,mis,iif,ths,clen,"
                      "thre,memroy,conectix,fpr,wit,als,ist,oder,statics,hda,datas,regio,crate,creat", *sorted(set(names)))
    if status != 0:
        yield out.strip()


# Data

def check_desktop_file():
    """The desktop file validates."""
    need("desktop-file-validate")
    for name in files(".desktop.in"):
        copy = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"lint-{os.getpid()}-" + os.path.basename(name)[:-3])
        shutil.copy(os.path.join(ROOT, name), copy)
        status, out = run("desktop-file-validate", copy)
        os.unlink(copy)
        if status != 0 or out.strip():
            yield out.strip()


def check_metainfo():
    """The AppStream data validates."""
    need("appstreamcli")
    for name in files(".metainfo.xml.in"):
        copy = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"lint-{os.getpid()}-" + os.path.basename(name)[:-3])
        shutil.copy(os.path.join(ROOT, name), copy)
        status, out = run("appstreamcli", "validate", "--no-net", copy)
        os.unlink(copy)
        if status != 0:
            yield out.strip()


def check_manifest():
    """The flatpak manifest can be read, builds this program last, and verifies what it downloads."""
    try:
        import yaml
    except ImportError as error:
        raise Skip("python3-yaml is not installed") from error
    for name in files(".yml", under="flatpak/"):
        manifest = yaml.safe_load(text(name))
        for key in ("id", "runtime", "runtime-version", "sdk", "command", "finish-args", "modules"):
            if key not in manifest:
                yield f"{name}: no {key}"
        if os.path.basename(name) != manifest.get("id", "") + ".yml":
            yield f"{name}: the id is {manifest.get('id')}"
        if manifest["modules"][-1]["name"] != manifest["command"]:
            yield f"{name}: the last module is not {manifest['command']}"
        if "--device=kvm" not in manifest["finish-args"]:
            yield f"{name}: no --device=kvm"
        for module in manifest["modules"]:
            for source in module.get("sources", []):
                if "url" in source and not re.fullmatch(r"[0-9a-f]{64}", str(source.get("sha256", ""))):
                    yield f"{name}: {module['name']}: {source['url']} has no sha256"


def check_icons():
    """The icons are well-formed, and one is symbolic."""
    names = files(".svg", under="icons/")
    for name in names:
        try:
            root = ET.fromstring(text(name))
        except ET.ParseError as error:
            yield f"{name}: {error}"
            continue
        size = 16 if "symbolic" in name else 128
        if root.get("viewBox") != f"0 0 {size} {size}":
            yield f"{name}: its grid is not {size}"
    if not any(n.endswith("-symbolic.svg") for n in names):
        yield "there is no symbolic icon"


CASES = {
    "walls": check_walls,
    "walls/public-headers": check_public_headers,
    "engine/nothing-exits": check_nothing_exits,
    "engine/no-mutable-statics": check_no_mutable_statics,
    "engine/static-names-are-unique": check_unique_statics,
    "words/exported-functions": check_documented,
    "words/potfiles-complete": check_potfiles,
    "words/templates-marked": check_marked_texts,
    "words/translations": check_translations,
    "words/spelling": check_spelling,
    "form/licences": check_licences,
    "form/paths": check_paths,
    "form/loose-ends": check_loose_ends,
    "form/c": check_format,
    "form/blueprint": check_blueprints,
    "form/shell": check_shell,
    "form/python": check_python,
    "data/desktop-file": check_desktop_file,
    "data/metainfo": check_metainfo,
    "data/flatpak-manifest": check_manifest,
    "data/icons": check_icons,
}


def main():
    global ROOT
    ROOT = os.path.realpath(sys.argv[1])
    if sys.argv[2:] == ["--write-potfiles"]:
        with open(os.path.join(ROOT, "po/POTFILES"), "w", encoding="utf-8") as f:
            f.write(POTFILES + "".join(name + "\n" for name in sorted(translated_files())))
        return 0

    chosen = sys.argv[2:] or list(CASES)
    print(f"1..{len(chosen)}")
    failed = 0
    for number, case in enumerate(chosen, 1):
        try:
            findings = list(CASES[case]())
        except Skip as reason:
            print(f"ok {number} /lint/{case} # SKIP {reason}")
            continue
        for finding in findings:
            print("# " + finding.replace("\n", "\n# "))
        failed += bool(findings)
        print(f"{'not ' if findings else ''}ok {number} /lint/{case}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
