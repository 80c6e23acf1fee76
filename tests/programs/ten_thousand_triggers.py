"""The trigger stage against an independent reference on many simulated triggers."""
from second_reference import compare_simulated
from support import main


def check_ten_thousand(folder):
    """10,000 simulated triggers of every kind: features, flags and cuts are those of the reference"""
    compare_simulated(folder, 2000, 100)


main(globals())
