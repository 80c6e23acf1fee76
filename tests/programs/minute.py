"""A minute of the shipped station as shipped, at its own pace."""
import h5py

from support import Station, alleycat, assert_every_trigger_once, ledger_closes, main


def check_a_minute(folder):
    """run --seconds 60 at 60 Hz: 3600 triggers, none refused, none missed, the ledger closes"""
    station = Station(folder)
    alleycat("run", "--config", station.path, "--seconds", 60)
    parts = station.files()
    assert not station.leftovers() and len(assert_every_trigger_once(parts)) == 3600
    ledger = ledger_closes(parts[-1])
    assert (ledger["triggers"], ledger["recorded"], ledger["refused"], ledger["ticks_missed"]) == (3600, 3600, 0, 0), ledger
    with h5py.File(parts[0]) as file:
        assert abs(file["triggers/time_ps"][3599] * 1e-12 - 3599 * 16_666_200e-9) < 1e-3  # the timing signal's mean period
    alleycat("verify", station.folder)


main(globals())
