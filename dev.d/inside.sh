# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What ./dev does where the libraries are: configure, build, run, test. $LODGE_DEV_INSIDE is "host" or "tree".

inside ()
{
  local command=$1
  shift

  # Builds of the host and of each tree are kept apart: they link other libraries.
  if [ "$LODGE_DEV_INSIDE" = tree ]; then
    BUILDS=$ROOT/_build/$(basename "$LODGE_TREE")
  else
    BUILDS=$ROOT/_build/host
  fi
  export CCACHE_DIR=${CCACHE_DIR:-$CACHE/ccache} CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1
  if ! command -v meson >/dev/null || ! command -v ninja >/dev/null || ! command -v "${CC:-cc}" >/dev/null; then
    die "meson, ninja or a C compiler is missing; dev.d/packages-debian lists what is needed"
  fi

  "inside_$command" "$@"
}

# Configures a build once and builds it: compile NAME MESON-OPTION...; the programs are in $BUILDS/NAME. What goes well is said in
# few words on stderr, so that stdout is the program's own. COMPILE_ONLY: programs whose path begins so, instead of all.
compile ()
{
  local build=$BUILDS/$1 targets=()
  shift

  if [ "${CI:-}" = true ]; then
    set -- "$@" -Dwerror=true
  fi
  if [ ! -f "$build/build.ninja" ] || [ "$(cat "$build/.dev-options" 2>/dev/null)" != "$*" ]; then
    mkdir -p "$build"
    say "Configuring $build"
    if [ -f "$build/build.ninja" ]; then
      set -- "$@" --reconfigure
    fi
    if ! meson setup "$@" "$build" "$ROOT" >"$build.log" 2>&1; then
      cat "$build.log" >&2
      die "meson could not configure the build"
    fi
    [ "${*: -1}" != --reconfigure ] || set -- "${@:1:$#-1}"
    printf '%s\n' "$*" >"$build/.dev-options"
  fi
  # Meson's own words only matter when it fails.
  ninja -C "$build" build.ninja >"$build.log" 2>&1 || { cat "$build.log" >&2; die "meson could not configure the build"; }
  if [ "$build" = "$BUILDS/test" ]; then
    targets=(all meson-test-prereq)
  elif [ -n "${COMPILE_ONLY:-}" ]; then
    mapfile -t targets < <(ninja -C "$build" -t targets all | sed -n "s|^\(${COMPILE_ONLY}[^:]*\): c_LINKER$|\1|p")
  fi
  if [ -t 2 ]; then
    ninja -C "$build" "${targets[@]}" >&2 || die "the build failed"
  elif ! compile_quietly "$build" "${targets[@]}" >&2; then
    die "the build failed"
  fi
}

# Without a terminal: warnings and errors whole, progress every fiftieth step.
compile_quietly ()
{
  NINJA_STATUS='[%f/%t] ' ninja -C "$@" | awk '
    /^\[[0-9]+\/[0-9]+\] / {
      split (substr ($1, 2), n, /[\/\]]/)
      if (n[1] % 50 == 0 || n[1] == n[2]) print $1, "built"
      next
    }
    /^ninja: (no work|Entering)/ { next }
    { print }'
}

inside_build ()
{
  compile debug "$@"
  say "Built: $BUILDS/debug/lodge"
}

# Where the program finds its own data while it is not installed.
run_environment ()
{
  local build=$1

  export LODGE_LOCALE_DIR=$build/po
  if [ "$(LC_ALL=${DEV_LANG:-C} locale charmap 2>/dev/null)" = UTF-8 ]; then
    export LANG=$DEV_LANG
  fi
}

inside_run ()
{
  local picture='' build=$BUILDS/debug

  case ${1:-} in
    --virtual-display)
      [ $# -ge 2 ] || die "--virtual-display needs the name of the picture: ./dev run --virtual-display shot.png"
      picture=$2
      shift 2 ;;
    --virtual-display=*)
      picture=${1#*=}
      shift ;;
  esac

  if [ -z "$picture" ] && wants_display "$@" && ! have_display; then
    say "dev: there is no display here (neither WAYLAND_DISPLAY nor DISPLAY leads to one)."
    say "To start it on a display of its own and look at a picture of it:"
    say "  ./dev run --virtual-display shot.png${*:+ $*}"
    exit 1
  fi
  compile debug
  run_environment "$build"
  if [ -n "$picture" ]; then
    exec "$ROOT/dev.d/with-display" --picture "$picture" -- "$build/lodge" "$@"
  fi
  exec "$build/lodge" "$@"
}

# Whether lodge with these arguments opens a window.
wants_display ()
{
  local arg

  for arg; do
    case $arg in
      --headless|--help|-h|--version) return 1 ;;
    esac
  done
  case ${1:-} in
    ''|start|machine|open) return 0 ;;
    -*) return 0 ;;
    *) return 1 ;;
  esac
}

have_display ()
{
  local socket number

  if [ -n "${WAYLAND_DISPLAY:-}" ]; then
    socket=$WAYLAND_DISPLAY
    [ "${socket#/}" != "$socket" ] || socket=${XDG_RUNTIME_DIR:-}/$socket
    [ ! -S "$socket" ] || return 0
  fi
  case ${DISPLAY:-} in
    '') return 1 ;;
    :*)
      number=${DISPLAY#:}
      [ -S "/tmp/.X11-unix/X${number%%.*}" ] ;;
    *) return 0 ;;
  esac
}

inside_demo ()
{
  compile debug
  run_environment "$BUILDS/debug"
  LODGE=$BUILDS/debug/lodge exec "$ROOT/dev.d/demo" "$@"
}

# What every test runs with: warnings of GLib are faults, freed memory is poisoned, settings stay in memory.
test_environment ()
{
  export G_DEBUG=${G_DEBUG:-fatal-warnings,gc-friendly} MALLOC_CHECK_=2 GSETTINGS_BACKEND=memory LC_ALL=C.UTF-8 NO_AT_BRIDGE=0
  export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1}
  export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
  if [ -z "${LSAN_OPTIONS:-}" ] && [ -f "$ROOT/tests/lib/lsan.supp" ]; then
    export LSAN_OPTIONS=suppressions=$ROOT/tests/lib/lsan.supp:print_suppressions=0
  fi
  unset DISPLAY WAYLAND_DISPLAY XAUTHORITY DBUS_SESSION_BUS_ADDRESS LANGUAGE
}

inside_test ()
{
  local build=$BUILDS/test suites=() suite known status=0 log

  if [ "${1:-}" = fuzz ]; then
    shift
    inside_fuzz "$@"
    return
  fi

  compile test -Dtest-devices=true -Db_sanitize=address,undefined -Db_lundef=false
  known=$(meson introspect --tests "$build" | python3 -c '
import json, sys
print("\n".join(sorted({s.split(":")[-1] for t in json.load(sys.stdin) for s in t["suite"]})))')
  for suite; do
    grep -qxF -- "$suite" <<<"$known" || die "there is no suite '$suite'; there are: $(tr '\n' ' ' <<<"$known")fuzz"
    suites+=(--suite "$suite")
  done
  # In the nested bench sanitizers would cost too much: its guests run on the release build.
  if [ $# -eq 0 ] || [[ " $* " == *" nested "* ]]; then
    COMPILE_ONLY=lodge compile release --buildtype=release -Db_ndebug=false
    export LODGE_RELEASE=$BUILDS/release/lodge
  fi
  test_environment
  # meson says how it goes, one line a test; what was in them is counted afterwards. Two runs at once keep a log each.
  find "$build/meson-logs" -name 'testlog-*' -mtime +1 -delete
  log=testlog-$(date +%Y%m%d-%H%M%S)-$$
  meson test -C "$build" --no-rebuild --logbase "$log" "${suites[@]}" >&2 || status=$?
  python3 "$ROOT/dev.d/test-report.py" "$build/meson-logs/$log.json" "$status"
}

inside_lint ()
{
  inside_test lint
}

# Every fuzz target for FUZZ_SECONDS each: ./dev test fuzz [TARGET...].
inside_fuzz ()
{
  local build=$BUILDS/fuzz target name findings seconds=${FUZZ_SECONDS:-60} failed=0 passed=0 targets=()

  CC=clang COMPILE_ONLY=tests/fuzz/fuzz- compile fuzz -Dfuzzing=true -Dc_args=-fsanitize=fuzzer-no-link -Db_sanitize=address,undefined -Db_lundef=false
  test_environment
  unset G_DEBUG
  for target in "$build"/tests/fuzz/fuzz-*; do
    name=$(basename "$target")
    if [ -f "$target" ] && [ -x "$target" ] && { [ $# -eq 0 ] || [[ " $* " == *" ${name#fuzz-} "* ]]; }; then
      targets+=("$target")
    fi
  done
  [ ${#targets[@]} -gt 0 ] || die "there is no such fuzz target"
  for target in "${targets[@]}"; do
    name=$(basename "$target")
    findings=$build/findings/$name
    mkdir -p "$findings" "$build/corpus/$name"
    say "$name: $seconds s"
    if "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
         -artifact_prefix="$findings/" "$build/corpus/$name" "$ROOT/tests/fuzz/corpus/${name#fuzz-}" >"$build/$name.log" 2>&1; then
      grep -E 'number_of_executed_units|average_exec_per_sec' "$build/$name.log" >&2 || true
      passed=$((passed + 1))
    else
      tail -n 60 "$build/$name.log" >&2
      say "$name: a finding; the input is in $findings"
      failed=$((failed + 1))
    fi
  done
  echo "$passed passed, $failed failed, 0 skipped"
  [ "$failed" = 0 ]
}

inside_bench ()
{
  compile release --buildtype=release -Db_ndebug=false
  run_environment "$BUILDS/release"
  exec python3 "$ROOT/tests/bench/bench.py" --lodge "$BUILDS/release/lodge" "$@"
}

# C and Blueprint files in the repository.
format_files ()
{
  git -c safe.directory="$ROOT" -C "$ROOT" ls-files -z --cached --others --exclude-standard -- "$@"
}

inside_format ()
{
  local check='' status=0

  cd "$ROOT" || exit 1
  [ "${1:-}" != --check ] || check=1
  if [ -n "$check" ]; then
    python3 tests/lint/lint.py "$ROOT" form/c form/blueprint words/potfiles-complete || status=1
    [ "$status" = 0 ] || die "./dev format puts it right"
  else
    format_files '*.c' '*.h' | xargs -0 -r clang-format -i
    format_files '*.blp' | xargs -0 -r blueprint-compiler format --fix
    python3 tests/lint/lint.py "$ROOT" --write-potfiles
  fi
}

inside_shell ()
{
  if [ $# -gt 0 ]; then
    exec "$@"
  fi
  say "The builds are in $BUILDS; leave with exit."
  exec bash --norc -i
}
