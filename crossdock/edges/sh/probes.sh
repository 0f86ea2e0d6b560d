# Runs probes, functions named p_NAME, each alone and bounded, and marks where each one's output begins and ends. Before
# it stand: N (a mark that no file name can hold), PROBES (names) and what the probes need. Nothing is written anywhere.
LC_ALL=C
PATH="${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin"
export LC_ALL PATH
MOST_BYTES=1048576
FILE_BYTES=262144

has() { command -v "$1" >/dev/null 2>&1; }

# A command that a probe can't do without. Status 127 tells the reader to say so.
need() { has "$1" || { printf '%s is not there\n' "$1" >&2; return 127; }; }

LIMIT=
timeout -k 1 1 true >/dev/null 2>&1 && LIMIT='timeout -k 1'
export LIMIT

# T SECONDS COMMAND...: the command, ended after that time where the server has `timeout`; else only our patience ends it.
T() { T_SECONDS=$1; shift; if [ -n "$LIMIT" ]; then $LIMIT "$T_SECONDS" "$@"; else "$@"; fi; }

bounded() { if has head; then head -c "$1"; else cat; fi; }

# readable FOLDER...: a pattern finds nothing in a folder that can't be read, so it is told.
readable() {
  readable_status=0
  for one_folder; do
    [ ! -d "$one_folder" ] || [ -r "$one_folder" ] || { printf "%s can't be read\n" "$one_folder" >&2; readable_status=1; }
  done
  return $readable_status
}

# files FILE...: the content of those that are there, each behind its name.
files() {
  files_status=0
  for one_file; do
    [ -f "$one_file" ] || continue
    printf '\n%s f %s\0' "$N" "$one_file"
    if has head; then T 5 head -c "$FILE_BYTES" -- "$one_file" || files_status=1; else T 5 cat -- "$one_file" || files_status=1; fi
  done
  return $files_status
}

# Whether a program of this name runs, as far as this account may see.
runs() {
  for one_comm in /proc/[0-9]*/comm; do
    { read -r comm <"$one_comm" && [ "$comm" = "$1" ] && return 0; } 2>/dev/null
  done
  return 1
}

probe() {
  printf '\n%s b %s\n' "$N" "$1"
  printf '\n%s b %s\n' "$N" "$1" >&2
  { "p_$1" </dev/null; printf '\n%s s %s\n' "$N" "$?" >&2; } | bounded "$MOST_BYTES"
  printf '\n%s t %s\n' "$N" "$1" >&2
  times >&2
  printf '\n%s e %s\n' "$N" "$1"
}
