#!/usr/bin/env bash
# The whole chain in about a minute: simulator -> acquisition and trigger stage -> writer -> HDF5 file, with the dashboard
# attached to the running daemon; at the end what was measured stands beside what the simulator had put in.
# Works in an empty clone on a fresh Debian 12, with or without a display. Exit status: 0 all of it worked, 1 something
# failed, 2 wrong command line.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/setup.sh
source tools/setup.sh

alleycat=build/release/tools/alleycat
monitor=build/release/gui/alleycat-monitor

usage() {
    cat <<'END'
usage: tools/demo.sh [--seconds N]

Installs missing packages (tools/packages.txt), builds preset release, takes simulated data of the CsI[Na] station with the
dashboard attached (a window where there is a display, else a picture), and prints what was measured and what was put in.
Nature gives half a neutrino event a day: the demonstration raises the rates so that a minute shows them, and switches the
beam off now and then. Everything it writes stands in recordings/demo-TIME/, the station file it used too.

  --seconds N      length of the run (default 60)
  --help           print this
END
}

wrong_usage() {
    printf 'tools/demo.sh: %s\n\n' "$1" >&2
    usage >&2
    exit 2
}

seconds=60
while (($# > 0)); do
    case $1 in
        --seconds)
            [[ ${2:-} =~ ^[1-9][0-9]{0,5}$ ]] || wrong_usage "--seconds needs a whole number of seconds"
            seconds=$2
            shift
            ;;
        --help | -h) usage && exit 0 ;;
        *) wrong_usage "unknown argument: $1" ;;
    esac
    shift
done

# Without a home ccache has no place of its own.
if [[ ! -w ${HOME:-/nonexistent} ]]; then export CCACHE_DIR=$PWD/build/ccache; fi

folder=recordings/demo-$(date -u +%Y%m%dT%H%M%SZ)
station=$folder/csi-demo.toml
dashboard=''  # process of the attached dashboard

end() {
    local status=$?
    if [[ -n $dashboard ]]; then kill "$dashboard" 2>/dev/null || true; fi
    if ((status != 0)); then
        printf '\nThe demonstration FAILED.\n' >&2
        exit 1
    fi
}

has_display() { [[ -n ${DISPLAY:-} || -n ${WAYLAND_DISPLAY:-} ]]; }

# Starts the dashboard before the run: it waits for the daemon. Without a display it takes a picture near the run's end.
attach_dashboard() {
    local picture=()
    if ! has_display; then
        picture=(--screenshot "$folder/live.png" --after $((seconds * 3 / 4)) --timeout $((seconds + 60)))
    fi
    "$monitor" "${picture[@]}" >"$folder/dashboard.log" 2>&1 &
    dashboard=$!
}

# A window is closed with the run; a picture must have been taken.
detach_dashboard() {
    local process=$dashboard status=0
    dashboard=''
    if has_display; then
        if ! kill "$process" 2>/dev/null; then
            printf 'The dashboard had ended before the run did:\n' >&2
            cat "$folder/dashboard.log" >&2
        fi
        wait "$process" 2>/dev/null || true
        return
    fi
    wait "$process" || status=$?
    if ((status != 0)) || [[ ! -s $folder/live.png ]]; then
        printf 'The attached dashboard gave no picture:\n' >&2
        cat "$folder/dashboard.log" >&2
        return 1
    fi
}

# The shipped station with other rates: 2000 times the background, and signal 60 times above even that.
make_station() {
    sed -e 's/^rate_boost = 1 /rate_boost = 2000 /' -e 's/^cevns_strength = 1 /cevns_strength = 60 /' \
        -e 's/^beam_on_s = 1800 /beam_on_s = 30 /' -e 's/^beam_off_s = 300 /beam_off_s = 10 /' \
        -e 's/^disk_warning_h = 24 /disk_warning_h = 0 /' -e 's/^disk_alarm_h = 2/disk_alarm_h = 0/' \
        config/csi.toml >"$station"
    "$alleycat" check "$station"
}

take_data() {
    attach_dashboard || return
    "$alleycat" run --config "$station" --seconds "$seconds" --folder "$folder" || return
    detach_dashboard
}

report() {
    local files
    files=$(find "$folder" -name '*.h5' | sort)
    if [[ -z $files ]]; then
        printf 'No file was written to %s.\n' "$folder" >&2
        return 1
    fi
    mapfile -t files <<<"$files"
    "$alleycat" info "${files[@]}" || return
    "$monitor" "${files[@]}" --screenshot "$folder/run.png" || return
    printf '\nFiles and pictures:\n'
    printf '  %s\n' "${files[@]}" "$folder"/*.png
}

trap end EXIT
step "installs missing packages" install_packages
step "configures preset release" cmake --preset release
step "builds alleycat and alleycat-monitor" \
    cmake --build --preset release --parallel "$(nproc)" --target alleycat alleycat-monitor
mkdir -p "$folder"
step "writes the demonstration's station file" make_station
step "takes data for $seconds s into $folder" take_data
step "compares what was measured with what was put in" report
