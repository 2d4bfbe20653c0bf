# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A Debian 13 tree for systems whose own libraries are too old: made once by mmdebstrap into the user's cache, entered with
# bubblewrap. Its name is a hash over what goes into it, so that a changed package list makes a new one.

TREE_SUITE=trixie
TREE_PROGRESS_SECONDS=10

tree_key ()
{
  # What goes in: the list, and the functions that make it.
  { cat "$ROOT/dev.d/packages-debian"; declare -f tree_bootstrap tree_customize; } | sha256sum | cut -c1-12
}

tree_path ()
{
  printf '%s/tree-%s' "$CACHE" "$(tree_key)"
}

# mmdebstrap and bubblewrap are the only things that are asked of the host, by its package manager and from its own sources.
tree_tools ()
{
  local missing=()

  command -v bwrap >/dev/null || missing+=(bubblewrap)
  if [ "${1:-}" = make ]; then
    command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
  fi
  [ ${#missing[@]} -gt 0 ] || return 0
  if command -v apt-get >/dev/null; then
    apt_install "To make a Debian 13 tree, ${missing[*]} must be here" "${missing[@]}" || exit 1
  else
    die "this system's GTK is older than 4.18, and to work in a Debian 13 tree instead these are missing: ${missing[*]}"
  fi
}

# Ordinary users need a user namespace to make and to enter a tree. Says what is missing.
tree_check_user ()
{
  [ "$(id -u)" != 0 ] || return 0
  if bwrap --unshare-user --ro-bind / / true 2>/dev/null; then
    return 0
  fi
  say "dev: this system does not let ordinary users make user namespaces, and without them a Debian 13 tree cannot be entered."
  if [ "$(cat /proc/sys/kernel/unprivileged_userns_clone 2>/dev/null)" = 0 ]; then
    say "  Allow it:  sudo sysctl kernel.unprivileged_userns_clone=1"
  elif [ "$(cat /proc/sys/user/max_user_namespaces 2>/dev/null)" = 0 ]; then
    say "  Allow it:  sudo sysctl user.max_user_namespaces=15000"
  elif [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)" = 1 ]; then
    say "  Allow it:  sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0   (or give bwrap an AppArmor profile)"
  fi
  die "or run ./dev as root"
}

# Runs in mmdebstrap's last step, with the tree in $1: a kernel without being installed, and what a running system would have.
tree_customize ()
{
  local tree=$1 kernel

  # The kernel's package wants an initramfs maker that nobody needs here: it is unpacked, and its modules are listed.
  kernel=$(chroot "$tree" apt-cache depends --important linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  chroot "$tree" sh -ec "cd /tmp; apt-get download -q '$kernel'; dpkg-deb -x '$kernel'_*.deb /; rm -f '$kernel'_*.deb; depmod '${kernel#linux-image-}'"
  # Mount points and files that a read-only tree must have.
  mkdir -p "$tree/media" "$tree/mnt" "$tree/sys" "$tree/proc" "$tree/dev" "$tree/tmp" "$tree/run"
  : >"$tree/etc/resolv.conf"
  rm -f "$tree/etc/localtime"
  : >"$tree/etc/localtime"
  chroot "$tree" dbus-uuidgen >"$tree/etc/machine-id"
  rm -rf "$tree"/var/cache/debconf/*-old "$tree"/var/lib/dpkg/*-old
}

# One instruction of a classic BPF program (struct sock_filter): bpf CODE JUMP-TRUE JUMP-FALSE K.
bpf ()
{
  local hex

  printf -v hex '\\x%02x\\x%02x\\x%02x\\x%02x\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8)) "$2" "$3" \
    $(($4 & 255)) $((($4 >> 8) & 255)) $((($4 >> 16) & 255)) $((($4 >> 24) & 255))
  # shellcheck disable=SC2059
  printf "$hex"
}

# A seccomp filter under which changing owners succeeds without doing anything. In a user namespace there is one user only, so
# packages that give their files to others could not be unpacked; whose those files are does not matter to us.
tree_filter ()
{
  # chown fchown lchown fchownat setgroups setresuid setresgid of x86-64, <asm/unistd_64.h>
  local calls=(92 93 94 260 116 117 119) i

  bpf 0x20 0 0 4                               # load the architecture
  bpf 0x15 0 $((${#calls[@]} + 1)) 0xc000003e  # AUDIT_ARCH_X86_64, or go to "allow"
  bpf 0x20 0 0 0                               # load the number of the call
  for ((i = 0; i < ${#calls[@]}; i++)); do
    bpf 0x15 $((${#calls[@]} - i)) 0 "${calls[i]}"
  done
  bpf 0x06 0 0 0x7fff0000                      # SECCOMP_RET_ALLOW
  bpf 0x06 0 0 0x00050000                      # SECCOMP_RET_ERRNO with 0: "done"
}

# Makes the tree in the folder $1, with $2 for temporary files. Root makes it plainly; an ordinary user is root in a namespace of
# their own, needs no subordinate ids for it, and owns all of the tree.
tree_bootstrap ()
{
  local target=$1 temporary=$2 include proxy hook
  local wrap=() options=()

  include=$(packages build run test <"$ROOT/dev.d/packages-debian" | sort -u | tr '\n' ,)
  proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy 2>/dev/null | head -n 1)
  [ -z "$proxy" ] || options+=("--aptopt=Acquire::http::Proxy \"$proxy\"")
  hook=$temporary/customize
  {
    echo '#!/bin/bash'
    declare -f tree_customize
    # shellcheck disable=SC2016,SC2054
    echo 'set -e; tree_customize "$1"'
  } >"$hook"
  chmod 0755 "$hook"
  options+=("--customize-hook=$hook \"\$1\"")

  if [ "$(id -u)" != 0 ]; then
    tree_filter >"$temporary/filter"
    exec 9<"$temporary/filter"
    wrap=(bwrap --unshare-user --uid 0 --gid 0 --cap-add ALL --unshare-pid --die-with-parent --bind / / --dev /dev --proc /proc
          --seccomp 9 --chdir "$temporary")
    # The namespace may not make device nodes nor mount a terminal file system: it lends its own small /dev.
    # shellcheck disable=SC2016,SC2054
    options+=(--aptopt='APT::Sandbox::User "root"' --skip=output/dev,output/mknod,chroot/mount/dev
              --extract-hook='mount --rbind /dev "$1/dev"' --customize-hook='umount -l "$1/dev"')
  fi

  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$temporary" LC_ALL=C.UTF-8 TMPDIR="$temporary" DEBIAN_FRONTEND=noninteractive \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "${wrap[@]}" \
    mmdebstrap --verbose --mode=root --variant=apt --components=main --include="${include%,}" \
      --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' --dpkgopt=force-unsafe-io \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
      --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
      --dpkgopt='path-exclude=/usr/share/help/*' --dpkgopt='path-exclude=/usr/share/gtk-doc/*' \
      "${options[@]}" "$TREE_SUITE" "$target" ${LODGE_DEV_MIRROR:+"$LODGE_DEV_MIRROR"} </dev/null
}

# What mmdebstrap is at, as one short line, from its log.
tree_stage ()
{
  awk '
    /newly installed/ { total = $1 + $3 }
    /^Get:[0-9]/ { got++; stage = "downloading" }
    /^Unpacking / { unpacked++; stage = "unpacking" }
    /^Setting up / { set++; stage = "setting up" }
    /^I: running --customize-hook/ { stage = "unpacking a kernel" }
    /^I: cleaning/ { stage = "cleaning" }
    /^I: (creating tarball|success)/ { stage = "writing" }
    END {
      n = stage == "downloading" ? got : stage == "unpacking" ? unpacked : stage == "setting up" ? set : 0
      if (n) printf "%s, package %d of about %d", stage, n, (total > n ? total : n)
      else printf "%s", stage ? stage : "asking the mirror"
    }' "$1" 2>/dev/null
}

# Shows how it goes while PID runs: one line that changes on a terminal, a line every now and then elsewhere.
tree_watch ()
{
  local pid=$1 log=$2 start=$SECONDS last=-$TREE_PROGRESS_SECONDS t

  while kill -0 "$pid" 2>/dev/null; do
    t=$((SECONDS - start))
    if [ -t 2 ]; then
      printf '\r\033[K  %d:%02d  %s' $((t / 60)) $((t % 60)) "$(tree_stage "$log")" >&2
    elif [ $((t - last)) -ge "$TREE_PROGRESS_SECONDS" ]; then
      printf '  %d:%02d  %s\n' $((t / 60)) $((t % 60)) "$(tree_stage "$log")" >&2
      last=$t
    fi
    sleep 1
  done
  t=$((SECONDS - start))
  [ ! -t 2 ] || printf '\r\033[K' >&2
  TREE_SECONDS=$t
}

# Makes the tree if it is not there. Two that start at once: one makes it, the other waits for it.
tree_make ()
{
  local tree part log pid lock

  tree=$(tree_path)
  if [ -d "$tree" ]; then
    tree_tools
    return 0
  fi

  mkdir -p "$CACHE" 2>/dev/null || die "cannot write to $CACHE; set XDG_CACHE_HOME to a folder with 3 GB of room"
  tree_tools make
  tree_check_user
  if [ "$(df --output=avail -k "$CACHE" | tail -n 1)" -lt 3000000 ]; then
    die "a Debian 13 tree needs 3 GB of room in $CACHE; free some, or set XDG_CACHE_HOME"
  fi

  exec {lock}>"$tree.lock"
  if ! flock -n "$lock"; then
    say "Another ./dev is making the Debian 13 tree; waiting for it."
    flock "$lock"
  fi
  if [ ! -d "$tree" ]; then
    # Left behind by one that was killed: its lock is free, so nobody is at it.
    rm -rf --one-file-system -- "$tree".part*
    part=$tree.part
    log=$tree.part.log
    say "This system's GTK is older than 4.18: making a Debian 13 tree in $tree (once; about three minutes)."
    mkdir -p "$part.tmp"
    # A process group of its own, to be ended as one.
    set -m
    tree_bootstrap "$part" "$part.tmp" >"$log" 2>&1 &
    pid=$!
    set +m
    # shellcheck disable=SC2064
    trap "kill -- -$pid 2>/dev/null; wait $pid 2>/dev/null || true; rm -rf --one-file-system -- '$tree'.part*; exit 130" INT TERM HUP
    tree_watch "$pid" "$log"
    if ! wait "$pid"; then
      trap - INT TERM HUP
      tail -n 25 "$log" >&2
      cp -f "$log" "$CACHE/tree-failed.log"
      rm -rf --one-file-system -- "$tree".part*
      die "the Debian 13 tree could not be made; the whole log is $CACHE/tree-failed.log"
    fi
    trap - INT TERM HUP
    # So that its owner can read and remove all of it.
    [ "$(id -u)" = 0 ] || chmod -R u+rwX "$part"
    mv -T "$part" "$tree"
    rm -rf --one-file-system -- "$tree".part*
    say "The tree is there after $((TREE_SECONDS / 60)):$(printf %02d $((TREE_SECONDS % 60)))."
  fi
  exec {lock}>&-
}

# Enters the tree and goes on with ./dev there. The tree is read-only; the checkout, the home, the cache, the display, the session
# bus, /dev and the folders of files that are named are the host's.
tree_enter ()
{
  local tree runtime entry name
  local args=() later=()

  tree=$(tree_path)
  tree_check_user
  args+=(--ro-bind "$tree/usr" /usr --symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib --symlink usr/lib64 /lib64)
  args+=(--ro-bind "$tree/etc" /etc --ro-bind "$tree/boot" /boot --dir /opt --dir /srv)
  for entry in "$tree"/var/lib/* "$tree"/var/cache/*; do
    name=${entry#"$tree"}
    args+=(--ro-bind "$entry" "$name")
  done
  args+=(--symlink ../run /var/run --dev-bind /dev /dev --ro-bind /sys /sys --tmpfs /run)
  args+=(--bind /tmp /tmp --bind-try /var/tmp /var/tmp)
  for entry in /mnt /media /run/media /run/udev /run/dbus /run/systemd/resolve; do
    args+=(--bind-try "$entry" "$entry")
  done
  entry=$(realpath -e /etc/resolv.conf 2>/dev/null || true)
  [ -z "$entry" ] || args+=(--ro-bind "$entry" /etc/resolv.conf)
  args+=(--ro-bind-try /etc/hosts /etc/hosts --ro-bind-try /etc/localtime /etc/localtime)

  # A runtime folder that the next ./dev run finds again: machines are reached through their sockets in it.
  runtime=${XDG_RUNTIME_DIR:-}
  if [ -z "$runtime" ] || [ ! -d "$runtime" ]; then
    runtime=/tmp/lodge-runtime-$(id -u)
    mkdir -m 0700 "$runtime" 2>/dev/null || true
    if [ ! -O "$runtime" ] || [ -L "$runtime" ]; then
      die "$runtime is not this user's own folder"
    fi
  fi
  args+=(--bind "$runtime" "$runtime")

  for entry in "${HOME:-}" "${XDG_DATA_HOME:-}" "${XDG_CONFIG_HOME:-}" "${XDG_STATE_HOME:-}" "$CACHE" "$ROOT" "$PWD" \
               "$(git_common_dir)"; do
    if [ -n "$entry" ] && [ "$entry" != / ] && [ -d "$entry" ]; then
      args+=(--bind "$entry" "$entry")
    fi
  done
  # Files that the command names, wherever they are, and those it shall make.
  for entry; do
    entry=${entry#--*=}
    name=$(dirname -- "$entry")
    case $name/ in
      //|/usr/*|/etc/*|/boot/*|/dev/*|/proc/*|/sys/*|/run/*|/bin/*|/sbin/*|/lib*|/var/lib/*|/var/cache/*|/tmp/*|[!/]*) ;;
      *) [ ! -d "$name" ] || args+=(--bind "$name" "$name") ;;
    esac
  done
  # With a home of its own when the user's is not there.
  name=${HOME:-}
  if [ -z "$name" ] || [ ! -w "$name" ]; then
    name=$CACHE/home
    mkdir -p "$name"
  fi

  args+=(--clearenv --setenv HOME "$name" --setenv XDG_RUNTIME_DIR "$runtime" --setenv XDG_CACHE_HOME "${CACHE%/lodge}")
  args+=(--setenv PATH /usr/lib/ccache:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
  args+=(--setenv LANG C.UTF-8 --setenv LODGE_DEV_INSIDE tree --setenv LODGE_TREE "$tree" --setenv LODGE_KERNEL_ROOT /)
  while IFS='=' read -r name _; do
    case $name in
      TERM|COLORTERM|NO_COLOR|DISPLAY|WAYLAND_*|XAUTHORITY|DBUS_SESSION_BUS_ADDRESS|DESKTOP_SESSION|USER|LOGNAME|LANGUAGE|TZ|CI|\
      XDG_DATA_HOME|XDG_CONFIG_HOME|XDG_STATE_HOME|XDG_SESSION_*|XDG_CURRENT_DESKTOP|*_proxy|*_PROXY|CC|CFLAGS|LDFLAGS|NINJA_STATUS|\
      LODGE_*|FUZZ_*|WITH_DISPLAY_*|DEMO_*|UPDATE_GOLDEN|G_*|GDK_*|GSK_*|GTK_*|ADW_*|GSETTINGS_*|MESA_*|LIBGL_*|ASAN_OPTIONS|UBSAN_OPTIONS|LSAN_OPTIONS|TSAN_OPTIONS)
        case $name in
          LODGE_DEV*|LODGE_TREE|LODGE_KERNEL_ROOT) ;;
          *) args+=(--setenv "$name" "${!name}") ;;
        esac ;;
    esac
  done < <(compgen -e | sed 's/$/=/')
  # The user's language, for texts: the tree has no locales of its own but C.
  case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in
    ''|C|C.*|POSIX) ;;
    *) args+=(--ro-bind-try /usr/lib/locale /usr/lib/locale --setenv DEV_LANG "${LC_ALL:-${LC_MESSAGES:-$LANG}}") ;;
  esac

  # Programs ask who they run as.
  if [ "$(id -u)" != 0 ]; then
    args+=(--unshare-user --ro-bind-data 8 /etc/passwd --ro-bind-data 9 /etc/group)
  fi
  case $* in
    'run --virtual-display'*) later+=(--unshare-pid --proc /proc --die-with-parent) ;;
    run*|shell*) later+=(--bind /proc /proc) ;;
    *) later+=(--unshare-pid --proc /proc --die-with-parent) ;;
  esac

  exec 8< <(cat "$tree/etc/passwd"; printf '%s:x:%d:%d::%s:/bin/bash\n' "$(id -un 2>/dev/null || echo user)" "$(id -u)" "$(id -g)" "$HOME")
  exec 9< <(cat "$tree/etc/group"; printf '%s:x:%d:\n' "$(id -gn 2>/dev/null || echo user)" "$(id -g)")
  exec bwrap "${args[@]}" "${later[@]}" --chdir "$PWD" /bin/bash "$ROOT/dev" "$@"
}

# Where the repository of a worktree is kept, when that is outside of the checkout.
git_common_dir ()
{
  local line

  [ -f "$ROOT/.git" ] || return 0
  line=$(sed -n 's/^gitdir: //p' "$ROOT/.git")
  case $line in
    */worktrees/*) printf '%s' "${line%/worktrees/*}" ;;
  esac
}
