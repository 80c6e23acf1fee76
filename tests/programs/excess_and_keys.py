"""The commands that need no detector: excess and keygen."""
import json
import math
import stat

from support import alleycat, main, refused


def excess(on, off, alpha):
    return json.loads(alleycat("excess", "--on", on, "--off", off, "--alpha", alpha, "--json").stdout)


def li_ma(on, off, alpha):
    """Li & Ma 1983, equation 17, written down again."""
    term = lambda n, share: n * math.log(share) if n else 0
    sum_ = term(on, (1 + alpha) / alpha * on / (on + off)) + term(off, (1 + alpha) * off / (on + off))
    return math.copysign(math.sqrt(2 * sum_), on - alpha * off)


def check_published_excess(_):
    """excess of the published counts: 547 - 405 = 142 +- 30.85, 4.61 sigma; and others by equation 17 itself"""
    found = excess(547, 405, 1)
    assert found["excess"] == 142 and round(found["error"], 2) == 30.85 and round(found["li_ma"], 2) == 4.61, found
    for on, off, alpha in ((209, 207, 1), (10, 30, 0.25), (0, 12, 0.5), (7, 0, 2), (5, 100, 1)):
        found = excess(on, off, alpha)
        assert math.isclose(found["excess"], on - alpha * off)
        assert math.isclose(found["error"], math.sqrt(on + alpha**2 * off))
        assert math.isclose(found["li_ma"], li_ma(on, off, alpha), rel_tol=1e-9), (on, off, alpha, found)
        assert found["interval_low"] <= found["excess"] <= found["interval_high"]
    zero = excess(0, 0, 1)
    assert zero["excess"] == 0 and zero["li_ma"] == 0, zero


def check_keygen(folder):
    """keygen: the secret key is for its owner only, neither file is ever overwritten"""
    secret, public = folder / "daemon.key", folder / "daemon.key.pub"
    alleycat("keygen", secret)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600 and stat.S_IMODE(public.stat().st_mode) == 0o644
    assert "secret" not in public.read_text().lower()
    before = secret.read_text(), public.read_text()
    refused("keygen", secret, status=1, names="daemon.key")
    public.unlink()
    refused("keygen", secret, status=1, names="daemon.key")
    assert secret.read_text() == before[0]
    secret.unlink()
    public.write_text(before[1])
    refused("keygen", secret, status=1, names="daemon.key.pub")
    assert not secret.exists() and public.read_text() == before[1]
    refused("keygen", folder / "no" / "key", status=1, names="no/key")
    alleycat("keygen", folder / "other.key")
    assert (folder / "other.key").read_text() != before[0]


main(globals())
