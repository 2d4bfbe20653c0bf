# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Working with this system's own libraries: is it new enough, and which packages are missing.

# Words of the given groups of a package list: packages GROUP... <FILE
packages ()
{
  local line group

  while read -r line; do
    for group; do
      case $line in
        "$group:"*) printf '%s\n' "${line#"$group:"}" ;;
      esac
    done
  done | tr -s ' ' '\n' | grep -v '^$'
}

# A number out of /etc/os-release ("25.04" -> 2504, "13" -> 1300; nothing for a rolling release).
host_release ()
{
  local major minor

  IFS=. read -r major minor _ <<<"$1"
  printf '%d' "$((10#${major:-0} * 100 + 10#${minor:-0}))"
}

# GTK >= 4.18 and libadwaita >= 1.7: either they are here, or the distribution has them.
host_is_new_enough ()
{
  local ID='' VERSION_ID=''

  case ${LODGE_DEV:-} in
    host) return 0 ;;
    tree) return 1 ;;
    '') ;;
    *) die "LODGE_DEV is '$LODGE_DEV'; it may be host or tree" ;;
  esac

  if command -v pkg-config >/dev/null && pkg-config --atleast-version=4.18 gtk4 2>/dev/null \
     && pkg-config --atleast-version=1.7 libadwaita-1 2>/dev/null; then
    return 0
  fi

  # shellcheck disable=SC1091
  [ -r /etc/os-release ] && . /etc/os-release
  case $ID in
    debian) [ -z "$VERSION_ID" ] || [ "$(host_release "$VERSION_ID")" -ge 1300 ] ;;
    ubuntu) [ "$(host_release "${VERSION_ID:-0}")" -ge 2504 ] ;;
    fedora) [ "$(host_release "${VERSION_ID:-0}")" -ge 4200 ] ;;
    *) return 1 ;;
  esac
}

# Runs a command as root: root itself, or sudo. What for is said first; $1 is the reason.
as_root ()
{
  local why=$1
  shift

  if [ "$(id -u)" = 0 ]; then
    say "$why: $*"
    "$@" </dev/null
  elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    say "$why: sudo $*"
    sudo "$@"
  else
    say "$why, and this needs root. Please have it run:"
    say "  $*"
    return 1
  fi
}

# Installs with apt what is missing of the named packages. Indexes are refreshed only when they know too little.
apt_install ()
{
  local why=$1
  shift

  if ! apt-get install -s -qq --no-install-recommends "$@" >/dev/null 2>&1; then
    as_root "$why" apt-get update -qq || say "(some package indexes could not be refreshed)"
  fi
  as_root "$why" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$@"
}

# Makes sure that this system has the packages that COMMAND needs.
host_packages ()
{
  local command=$1 groups=(build run) wanted missing

  case $command in
    test|bench|lint|format|shell) groups+=(test) ;;
  esac

  if command -v apt-get >/dev/null; then
    wanted=$(packages "${groups[@]}" <"$ROOT/dev.d/packages-debian")
    # shellcheck disable=SC2016
    missing=$(comm -23 <(sort -u <<<"$wanted") \
      <(xargs dpkg-query -W -f '${db:Status-Status} ${Package}\n' <<<"$wanted" 2>/dev/null | sed -n 's/^installed //p' | sort -u))
    # shellcheck disable=SC2086
    [ -z "$missing" ] || apt_install "Packages are missing" $missing || exit 1
    case $command in
      test|bench|shell) host_kernel_debian ;;
    esac
  elif command -v dnf >/dev/null; then
    wanted=$(packages "${groups[@]}" <"$ROOT/dev.d/packages-fedora")
    missing=$(xargs rpm -q --whatprovides <<<"$wanted" 2>/dev/null | sed -n 's/^no package provides //p' | tr '\n' ' ')
    # shellcheck disable=SC2086
    [ -z "$missing" ] || as_root "Packages are missing" dnf install -y --setopt=install_weak_deps=False $missing || exit 1
    case $command in
      test|bench|shell) host_kernel_fedora ;;
    esac
  elif [ "${LODGE_DEV:-}" != host ]; then
    say "dev: neither apt nor dnf is here; going on with what is installed (see dev.d/packages-debian for what is needed)"
  fi
}

# Unpacks a kernel package beside the cache, for machines inside a machine. It is not installed: no boot menu changes.
host_kernel_debian ()
{
  local meta real dir

  meta=$(packages kernel <"$ROOT/dev.d/packages-debian")
  real=$(apt-cache depends --important "$meta" 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  [ -n "$real" ] || return 0
  dir=$CACHE/kernel-${real#linux-image-}
  if [ ! -d "$dir" ]; then
    say "Unpacking $real into $dir"
    mkdir -p "$dir.part"
    (cd "$dir.part" && apt-get download -q "$real" && dpkg-deb -x "$real"_*.deb . && rm -f "$real"_*.deb \
      && depmod -b . "${real#linux-image-}") || { rm -rf "$dir.part"; say "(no kernel: nested tests will be skipped)"; return 0; }
    mv -T "$dir.part" "$dir"
  fi
  export LODGE_KERNEL_ROOT=$dir
}

host_kernel_fedora ()
{
  local dir=$CACHE/kernel-fedora version

  if [ ! -d "$dir" ]; then
    say "Unpacking a kernel into $dir"
    mkdir -p "$dir.part"
    (cd "$dir.part" && packages kernel <"$ROOT/dev.d/packages-fedora" | xargs dnf -q download --resolve=no \
      && for rpm in *.rpm; do rpm2cpio "$rpm" | cpio -idm --quiet; done && rm -f ./*.rpm \
      && version=$(ls lib/modules) && mkdir -p boot && cp "lib/modules/$version/vmlinuz" "boot/vmlinuz-$version" \
      && depmod -b . "$version") || { rm -rf "$dir.part"; say "(no kernel: nested tests will be skipped)"; return 0; }
    mv -T "$dir.part" "$dir"
  fi
  export LODGE_KERNEL_ROOT=$dir
}
